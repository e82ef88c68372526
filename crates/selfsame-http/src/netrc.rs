//! `.netrc`: users and passwords by host.

use std::io::Read;
use std::path::PathBuf;

use crate::credential::Credential;
use crate::environment::Environment;

const LIMIT_BYTES: u64 = 1 << 20;

/// What a `.netrc` says, in its order.
#[derive(Debug, Default)]
pub(crate) struct Netrc {
    machines: Vec<(String, Credential)>,
}

impl Netrc {
    /// Of `$NETRC`, else of `$HOME/.netrc`. A file that cannot be read has no entries.
    pub(crate) fn of(environment: &Environment) -> Self {
        let home = || Some(PathBuf::from(environment.variable("HOME")?).join(".netrc"));
        let path = environment.variable("NETRC").map(PathBuf::from).or_else(home);
        let mut text = String::new();
        let read = path.and_then(|path| std::fs::File::open(path).ok());
        let read = read.filter(|file| file.metadata().is_ok_and(|metadata| metadata.is_file()));
        match read.map(|file| file.take(LIMIT_BYTES).read_to_string(&mut text)) {
            Some(Ok(_)) => Self::parse(&text),
            _ => Self::default(),
        }
    }

    /// The first entry of a host. `default` entries are nobody's: a password is for whom it was written down.
    pub(crate) fn credential(&self, host: &str) -> Option<&Credential> {
        self.machines.iter().find(|(machine, _)| machine.eq_ignore_ascii_case(host)).map(|(_, credential)| credential)
    }

    pub(crate) fn parse(text: &str) -> Self {
        let mut words = words(text).into_iter();
        let mut machines = Vec::new();
        let (mut machine, mut user, mut password) = (None, None, None);
        let mut end = |machine: &mut Option<String>, user: &mut Option<String>, password: &mut Option<String>| {
            let (user, password) = (user.take(), password.take());
            if let (Some(machine), Some(password)) = (machine.take(), password) {
                machines.push((machine, Credential::Basic { user: user.unwrap_or_default(), password }));
            }
        };
        while let Some(word) = words.next() {
            match word.as_str() {
                "machine" => {
                    end(&mut machine, &mut user, &mut password);
                    machine = words.next();
                }
                "default" => end(&mut machine, &mut user, &mut password),
                "login" => user = words.next(),
                "password" => password = words.next(),
                "account" => {
                    words.next();
                }
                _ => {}
            }
        }
        end(&mut machine, &mut user, &mut password);
        Self { machines }
    }
}

/// Words between blanks; in quotes they may hold some. Lines of comment and macros are left out.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let mut rest = line.trim_start();
        if rest.starts_with('#') {
            continue;
        }
        while !rest.is_empty() {
            if let Some(quoted) = rest.strip_prefix('"') {
                let mut word = String::new();
                let mut characters = quoted.char_indices();
                let mut end = quoted.len();
                while let Some((at, character)) = characters.next() {
                    match character {
                        '"' => {
                            end = at + 1;
                            break;
                        }
                        '\\' => word.extend(characters.next().map(|(_, escaped)| escaped)),
                        other => word.push(other),
                    }
                }
                words.push(word);
                rest = quoted[end..].trim_start();
                continue;
            }
            let (word, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            if word == "macdef" {
                // Up to the next empty line.
                lines.by_ref().find(|line| line.trim().is_empty());
                break;
            }
            words.push(word.to_owned());
            rest = after.trim_start();
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_in_many_shapes() {
        let netrc = Netrc::parse(
            "# comment\nmachine a.example login me password \"pass word\\\"\"\n\
             machine B.example\n  login you\n  account x\n  password #hash\n\
             macdef init\nmachine evil.example login x password y\n\n\
             machine c.example password token\nmachine nothing.example login only\ndefault login any password body\n",
        );
        let basic = |user: &str, password: &str| Credential::Basic { user: user.into(), password: password.into() };
        assert_eq!(netrc.credential("a.example"), Some(&basic("me", "pass word\"")));
        assert_eq!(netrc.credential("b.example"), Some(&basic("you", "#hash")));
        assert_eq!(netrc.credential("c.example"), Some(&basic("", "token")));
        for host in ["evil.example", "nothing.example", "any", "sub.a.example"] {
            assert_eq!(netrc.credential(host), None, "{host}");
        }
        assert!(!format!("{netrc:?}").contains("token"));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read(text in "(machine|login|password|default|macdef|#|\"|\\\\|[a-z]{1,3}|\n| ){0,30}") {
            let _ = Netrc::parse(&text);
        }

        #[test]
        fn a_quoted_password_is_what_it_was(password in "[^\u{0}-\u{1f}\u{7f}]{1,20}") {
            let quoted = password.replace('\\', "\\\\").replace('"', "\\\"");
            let netrc = Netrc::parse(&format!("machine host login me password \"{quoted}\"\n"));
            let expected = Credential::Basic { user: "me".to_owned(), password };
            proptest::prop_assert_eq!(netrc.credential("host"), Some(&expected));
        }
    }
}
