//! Go: `go.sum`, `go.mod`, module paths as addresses, directory hashes, go's settings, what its programs say.

mod build_info;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use selfsame_core::{Digest, Hasher};

use crate::error::{PinsError, clip};

pub use build_info::BuildInfo;

const SUM: &str = "go.sum";
const MOD: &str = "go.mod";
const LIMIT_BYTES: usize = 64 << 20;
const LIMIT_LINES: usize = 200_000;

/// `h1:...`: the SHA-256 of the list of a module's files with theirs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirHash(Digest);

impl DirHash {
    /// Of files by name (`example.com/m@v1.0.0/go.mod`), each with its SHA-256. Names with a line end have no hash.
    #[must_use]
    pub fn of(files: &BTreeMap<String, Digest>) -> Option<Self> {
        let mut hasher = Hasher::new();
        for (name, digest) in files {
            if name.contains('\n') {
                return None;
            }
            hasher.update(format!("{}  {name}\n", digest.hex()).as_bytes());
        }
        Some(Self(hasher.finish().0))
    }

    /// Of a `go.mod` by itself, the second line of a module in `go.sum`.
    #[must_use]
    pub fn of_go_mod(content: &[u8]) -> Self {
        Self(Digest::of(format!("{}  go.mod\n", Digest::of(content).hex()).as_bytes()))
    }
}

impl fmt::Display for DirHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "h1:{}", STANDARD.encode(self.0.as_bytes()))
    }
}

impl fmt::Debug for DirHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for DirHash {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let bytes = STANDARD.decode(text.strip_prefix("h1:").ok_or(())?).map_err(|_| ())?;
        Ok(Self(Digest::from_bytes(bytes.try_into().map_err(|_| ())?)))
    }
}

/// A module at a version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Module {
    /// `golang.org/x/text`
    pub path: String,
    /// `v0.14.0`
    pub version: String,
}

impl Module {
    /// A path and version that may stand in addresses and file names.
    #[must_use]
    pub fn new(path: &str, version: &str) -> Option<Self> {
        (is_path(path) && is_version(version)).then(|| Self { path: path.to_owned(), version: version.to_owned() })
    }

    /// Where a proxy has a file of it, `.mod` for one: `golang.org/x/text/@v/v0.14.0.mod`; capitals as `!` and the small
    /// letter.
    #[must_use]
    pub fn place(&self, suffix: &str) -> String {
        format!("{}/@v/{}{suffix}", escaped(&self.path), escaped(&self.version))
    }
}

impl fmt::Display for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.path, self.version)
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_uppercase() {
            out.push('!');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

fn is_path(path: &str) -> bool {
    path.len() <= 512
        && path.split('/').all(|part| {
            !part.is_empty()
                && !part.starts_with('.')
                && !part.ends_with('.')
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
        })
}

fn is_version(version: &str) -> bool {
    (2..=128).contains(&version.len())
        && version.starts_with('v')
        && !version.contains("..")
        && version[1..].starts_with(|c: char| c.is_ascii_digit())
        && version.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.+".contains(&byte))
}

/// The hashes of a `go.sum`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GoSum {
    /// Modules whose files are pinned.
    pub zips: BTreeMap<Module, DirHash>,
    /// Modules whose `go.mod` is pinned.
    pub mods: BTreeMap<Module, DirHash>,
}

impl GoSum {
    /// Parses `PATH VERSION[/go.mod] h1:HASH` lines. Hashes of other kinds are read over, as go does; a module with two
    /// different ones is refused.
    pub fn parse(text: &str) -> Result<Self, PinsError> {
        PinsError::bound(SUM, text.len(), LIMIT_BYTES, "bytes")?;
        let mut sum = Self::default();
        for (index, line) in text.lines().enumerate() {
            PinsError::bound(SUM, index, LIMIT_LINES, "lines")?;
            let fault = |fault: String| PinsError::line(SUM, index + 1, fault);
            let words: Vec<&str> = line.split_whitespace().collect();
            let &[path, version, hash] = words.as_slice() else {
                if words.is_empty() {
                    continue;
                }
                return Err(fault("has not three words: module, version and hash".to_owned()));
            };
            if !hash.starts_with("h1:") {
                continue;
            }
            let hash = hash.parse().map_err(|()| fault(format!("has `{}`, which is no hash", clip(hash))))?;
            let (version, map) = match version.strip_suffix("/go.mod") {
                Some(version) => (version, &mut sum.mods),
                None => (version, &mut sum.zips),
            };
            let module = Module::new(path, version);
            let module =
                module.ok_or_else(|| fault(format!("has `{} {}`, which is no module", clip(path), clip(version))))?;
            if map.get(&module).is_some_and(|other| *other != hash) {
                return Err(fault(format!("has a second hash for {module}")));
            }
            map.insert(module, hash);
        }
        Ok(sum)
    }
}

/// A `go.mod`, as far as an inventory needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GoMod {
    /// The module's own path; empty where it has none.
    pub path: String,
    /// What it requires, without what is marked `// indirect`.
    pub requires: BTreeSet<Module>,
}

impl GoMod {
    /// Reads `module` and `require`. What cannot be read is read over: go itself judges the file.
    pub fn parse(text: &str) -> Result<Self, PinsError> {
        PinsError::bound(MOD, text.len(), LIMIT_BYTES, "bytes")?;
        let mut found = Self::default();
        let mut block = String::new();
        for (index, line) in text.lines().enumerate() {
            PinsError::bound(MOD, index, LIMIT_LINES, "lines")?;
            let (code, comment) = line.split_once("//").unwrap_or((line, ""));
            let words: Vec<&str> = code.split_whitespace().map(|word| word.trim_matches(['"', '`'])).collect();
            let (verb, rest) = match (words.as_slice(), block.as_str()) {
                ([], _) => continue,
                ([")"], _) => {
                    block.clear();
                    continue;
                }
                ([verb, "("], "") => {
                    (*verb).clone_into(&mut block);
                    continue;
                }
                ([verb, rest @ ..], "") => (*verb, rest),
                (rest, verb) => (verb, rest),
            };
            match (verb, rest) {
                ("module", [path]) if is_path(path) => (*path).clone_into(&mut found.path),
                ("require", [path, version, ..]) if comment.trim() != "indirect" => {
                    found.requires.extend(Module::new(path, version));
                }
                _ => {}
            }
        }
        Ok(found)
    }
}

/// One of the proxies that go asks, in its order.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// `https://...`, `http://...` or `file:///...`; may hold a password, so nothing here prints itself.
    pub url: String,
    /// Whether the next one is asked after any failure (`|`), not only where this one has nothing (`,`).
    pub go_on_after_failure: bool,
}

/// The proxies of a `GOPROXY`. What stands behind `direct` or `off` is not asked, and they themselves are left out.
#[must_use]
pub fn proxies(goproxy: &str) -> Vec<Proxy> {
    let mut proxies = Vec::new();
    let mut rest = goproxy.trim();
    while !rest.is_empty() {
        let end = rest.find([',', '|']).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        let word = word.trim();
        if word == "direct" || word == "off" {
            break;
        }
        if !word.is_empty() {
            let url = word.trim_end_matches('/').to_owned();
            proxies.push(Proxy { url, go_on_after_failure: behind.starts_with('|') });
        }
        rest = behind.get(1..).unwrap_or_default();
    }
    proxies
}

/// The first of the patterns of a `GOPRIVATE` or `GONOPROXY` that a module's path begins with: globs with commas between
/// them, each for as many elements of the path as it has itself (go.dev/ref/mod, "Private modules").
#[must_use]
pub fn private_by<'p>(patterns: &'p str, path: &str) -> Option<&'p str> {
    patterns.split(',').map(|pattern| pattern.strip_suffix('/').unwrap_or(pattern)).find(|pattern| {
        let elements = pattern.matches('/').count() + 1;
        let begin: Vec<&str> = path.split('/').take(elements).collect();
        let (glob, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), begin.join("/").chars().collect());
        !pattern.is_empty() && begin.len() == elements && matches_glob(&glob, &name)
    })
}

/// As go's `path.Match`: `*` and `?` pass over no slash, `[a-z]` and `[^a-z]`, `\\` takes what follows as it is.
fn matches_glob(glob: &[char], name: &[char]) -> bool {
    let Some((first, rest)) = glob.split_first() else { return name.is_empty() };
    match first {
        '*' => {
            let most = name.iter().position(|c| *c == '/').unwrap_or(name.len());
            (0..=most).any(|at| matches_glob(rest, &name[at..]))
        }
        '?' => name.first().is_some_and(|c| *c != '/') && matches_glob(rest, &name[1..]),
        '[' => {
            let (Some(c), Some(end)) = (name.first(), rest.iter().skip(1).position(|c| *c == ']')) else {
                return false;
            };
            let (class, behind) = (&rest[..=end], &rest[end + 2..]);
            let (negated, mut class) = match class.split_first() {
                Some(('^', class)) => (true, class),
                _ => (false, class),
            };
            let mut within = false;
            while let Some((low, more)) = class.split_first() {
                let (high, more) = match more {
                    ['-', high, more @ ..] => (high, more),
                    _ => (low, more),
                };
                within |= (low..=high).contains(&c);
                class = more;
            }
            within != negated && matches_glob(behind, &name[1..])
        }
        '\\' => match rest.split_first() {
            Some((exact, rest)) => name.first() == Some(exact) && matches_glob(rest, &name[1..]),
            None => false,
        },
        exact => name.first() == Some(exact) && matches_glob(rest, &name[1..]),
    }
}

/// A setting of go's own `env` file: lines `NAME=VALUE`.
#[must_use]
pub fn setting(env_file: &str, name: &str) -> Option<String> {
    let lines = env_file.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// From the go.sum of a program that uses quote: known to go itself.
    const QUOTE: &str = "rsc.io/quote v1.5.2 h1:w5fcysjrx7yqtD/aO+QwRjYZOKnaM9Uh2b40tElTs3Y=\n\
                         rsc.io/quote v1.5.2/go.mod h1:LzX7hefJvL54yjefDEDHNONDjII0t9xZLPXsUe+TKr0=\n";

    #[test]
    fn private_modules_by_the_patterns_of_their_paths() {
        let patterns = "*.corp.example,rsc.io/private/,example.com/[a-c]?/x,,none";
        for (path, by) in [
            ("git.corp.example/team/lib", Some("*.corp.example")),
            ("git.corp.example", Some("*.corp.example")),
            ("corp.example/team", None),
            ("git.corp.example.evil.example/team", None),
            ("rsc.io/private/quote", Some("rsc.io/private")),
            ("rsc.io/privateer", None),
            ("rsc.io", None),
            ("example.com/b1/x/y", Some("example.com/[a-c]?/x")),
            ("example.com/d1/x", None),
        ] {
            assert_eq!(private_by(patterns, path), by, "{path}");
        }
        assert_eq!(private_by("[^a-y]*", "zoo/x"), Some("[^a-y]*"));
        assert_eq!(private_by("", "x"), None);
        for broken in ["[", "[]", "a[", "\\"] {
            assert_eq!(private_by(broken, "a/b"), None, "{broken}");
        }
    }

    #[test]
    fn reads_what_go_writes() {
        let sum = GoSum::parse(&format!("{QUOTE}\nexample.com/X v1.0.0 h2:later\n")).unwrap();
        let module = Module::new("rsc.io/quote", "v1.5.2").unwrap();
        assert_eq!(sum.zips[&module].to_string(), "h1:w5fcysjrx7yqtD/aO+QwRjYZOKnaM9Uh2b40tElTs3Y=");
        assert_eq!(sum.mods.len(), 1);
        // The go.mod of rsc.io/quote v1.5.2, whole.
        let content = b"module \"rsc.io/quote\"\n\nrequire \"rsc.io/sampler\" v1.3.0\n";
        assert_eq!(DirHash::of_go_mod(content), sum.mods[&module]);
        let requires = GoMod::parse(std::str::from_utf8(content).unwrap()).unwrap();
        assert_eq!((requires.path.as_str(), requires.requires.len()), ("rsc.io/quote", 1));
    }

    #[test]
    fn what_is_no_go_sum() {
        for (text, because) in [
            ("a v1.0.0", "three words"),
            ("a v1.0.0 h1:x", "no hash"),
            ("../a v1.0.0 h1:w5fcysjrx7yqtD/aO+QwRjYZOKnaM9Uh2b40tElTs3Y=", "no module"),
            ("a 1.0.0 h1:w5fcysjrx7yqtD/aO+QwRjYZOKnaM9Uh2b40tElTs3Y=", "no module"),
            ("a v1/../x h1:w5fcysjrx7yqtD/aO+QwRjYZOKnaM9Uh2b40tElTs3Y=", "no module"),
            (
                "a v1 h1:w5fcysjrx7yqtD/aO+QwRjYZOKnaM9Uh2b40tElTs3Y=\na v1 h1:LzX7hefJvL54yjefDEDHNONDjII0t9xZLPXsUe+TKr0=",
                "second hash",
            ),
        ] {
            let error = GoSum::parse(text).unwrap_err().to_string();
            assert!(error.contains(because), "{error}");
        }
    }

    #[test]
    fn requirements_without_indirect_ones() {
        let text = "module example.com/m // x\n\ngo 1.22\n\nrequire (\n\ta.example/b v1.0.0\n\tc.example/d v2.0.0+incompatible // indirect\n)\nreplace x => ../x\nrequire e.example/f v0.0.0-20200101000000-abcdefabcdef\n";
        let found = GoMod::parse(text).unwrap();
        let names: Vec<String> = found.requires.iter().map(Module::to_string).collect();
        assert_eq!(names, ["a.example/b@v1.0.0", "e.example/f@v0.0.0-20200101000000-abcdefabcdef"]);
    }

    #[test]
    fn places_and_proxies() {
        let module = Module::new("github.com/BurntSushi/toml", "v1.0.0-RC1").unwrap();
        assert_eq!(module.place(".zip"), "github.com/!burnt!sushi/toml/@v/v1.0.0-!r!c1.zip");
        let list = proxies("https://a.example/,https://b.example|file:///x,direct,https://never.example");
        let list: Vec<_> = list.iter().map(|proxy| (proxy.url.as_str(), proxy.go_on_after_failure)).collect();
        assert_eq!(list, [("https://a.example", false), ("https://b.example", true), ("file:///x", false)]);
        assert!(proxies("off").is_empty() && proxies("").is_empty());
        assert_eq!(setting("# GOPROXY=a\nGOFLAGS=-x=y\nGOPROXY=b\n", "GOPROXY").as_deref(), Some("b"));
        assert_eq!(setting("GOFLAGS=-x=y", "GOFLAGS").as_deref(), Some("-x=y"));
    }

    proptest! {
        #[test]
        fn never_panics(text in "[a-zé./ v0-9\\n()h:=+!]{0,120}") {
            let _ = GoSum::parse(&text);
            let _ = GoMod::parse(&text);
            let _ = proxies(&text);
        }
    }
}
