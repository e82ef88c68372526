//! `update-alternatives --install` in maintainer scripts, read as text: scripts are never run.

/// A name that several packages may provide, and what this one offers for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Alternative {
    /// `usr/bin/cc`: where the name stands, without the leading slash.
    pub link: String,
    /// `cc`: its name in `etc/alternatives`.
    pub name: String,
    /// `usr/bin/gcc`: what is offered, without the leading slash.
    pub path: String,
    /// The highest wins.
    pub priority: i64,
    /// Names that go with it: link, name and path each.
    pub slaves: Vec<(String, String, String)>,
}

/// The most alternatives that one script installs.
const MAX: usize = 1000;

/// What a script installs with nothing but literal words. Calls with variables, globs or substitutions are passed over,
/// and so is whatever would decide whether a call is reached.
#[must_use]
pub fn alternatives(script: &str) -> Vec<Alternative> {
    // A backslash at the end of a line joins it with the next one.
    let script = script.replace("\\\r\n", " ").replace("\\\n", " ");
    let mut found = Vec::new();
    for line in script.lines() {
        let line = line.trim_start();
        if line.starts_with('#') {
            continue;
        }
        for command in line.split([';', '&', '|']) {
            if found.len() < MAX
                && let Some(alternative) = installed(command)
            {
                found.push(alternative);
            }
        }
    }
    found
}

fn installed(command: &str) -> Option<Alternative> {
    let mut words = command.split_ascii_whitespace().skip_while(|word| {
        // `if update-alternatives …`, `then …`
        !matches!(*word, "update-alternatives" | "/usr/bin/update-alternatives")
    });
    words.next()?;
    let words = words.map(literal).collect::<Option<Vec<_>>>()?;
    let mut rest = words.as_slice();
    let mut installed: Option<Alternative> = None;
    while let Some((option, behind)) = rest.split_first() {
        match (*option, behind, &mut installed) {
            ("--install", [link, name, path, priority, behind @ ..], None) => {
                installed = Some(Alternative {
                    link: absolute(link)?,
                    name: plain_name(name)?,
                    path: absolute(path)?,
                    priority: priority.parse().ok()?,
                    slaves: Vec::new(),
                });
                rest = behind;
            }
            ("--slave", [link, name, path, behind @ ..], Some(alternative)) => {
                alternative.slaves.push((absolute(link)?, plain_name(name)?, absolute(path)?));
                rest = behind;
            }
            ("--quiet" | "--force" | "--verbose" | "--skip-auto", behind, _) => rest = behind,
            // A redirection or a comment ends what is of interest.
            (word, _, Some(_)) if word.starts_with(['>', '2', '1', '#']) => break,
            _ => return None,
        }
    }
    installed
}

/// A word without quotes around it, if the shell would take it as it stands.
fn literal(word: &str) -> Option<&str> {
    let inner = ['"', '\''].iter().find_map(|quote| word.strip_prefix(*quote)?.strip_suffix(*quote)).unwrap_or(word);
    let odd = inner.contains(['$', '`', '*', '?', '[', '{', '(', ')', '"', '\'', '\\', '~', '<']);
    (!odd && !inner.is_empty()).then_some(inner)
}

fn absolute(word: &str) -> Option<String> {
    let path = word.strip_prefix('/')?;
    selfsame_core::RelPath::new(path).ok().filter(|path| !path.is_root()).map(|path| path.as_str().to_owned())
}

fn plain_name(word: &str) -> Option<String> {
    (!word.contains('/') && !matches!(word, "." | "..")).then(|| word.to_owned())
}
