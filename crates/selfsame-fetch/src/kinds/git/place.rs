//! Where a repository is: an address that git's own transports ask, or a folder. Nothing else is passed on to git:
//! no helper (`ext::`), no option (`-u...`), no file by address.

use std::fmt;
use std::path::{Path, PathBuf};

use super::GitError;

/// Schemes that are asked for, with git's name of the transport.
const SCHEMES: [(&str, &str); 4] = [("https", "https"), ("ssh", "ssh"), ("http", "http"), ("git", "git")];
const LONGEST: usize = 2048;

/// A repository's place. Its `Display` has no credentials.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// `https://host/path`, or with ssh, http or git in front.
    Address(String),
    /// `user@host:path`, as ssh's users write it.
    Ssh(String),
    /// An absolute folder of this machine.
    Folder(PathBuf),
}

impl Place {
    /// What a definition or a `.gitmodules` says; only where `folder` is given may it be a path, which is relative to
    /// that.
    pub(super) fn parse(text: &str, folder: Option<&Path>) -> Result<Self, GitError> {
        let fault = |fault: &str| Err(GitError::Place { place: shown(text), fault: fault.to_owned() });
        if text.is_empty() || text.len() > LONGEST {
            return fault("is no address: it is empty or too long");
        }
        if text.chars().any(char::is_control) {
            return fault("has a control character");
        }
        if text.starts_with('-') {
            return fault("begins with a dash, which git may take for an option");
        }
        // `helper::address` before anything else: that is how git reads it.
        let word = text.find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c))).unwrap_or(text.len());
        if word > 0 && text[word..].starts_with("::") {
            return fault("names a program of git's to be run");
        }
        if let Some((scheme, rest)) = text.split_once("://") {
            if !SCHEMES.iter().any(|(known, _)| *known == scheme) {
                return fault(match scheme {
                    "file" => "is a file's address; a path can be given instead",
                    _ => "has a scheme that is not asked for: https, ssh, http and git are",
                });
            }
            let authority = rest.split('/').next().unwrap_or_default();
            let host = authority.rsplit('@').next().unwrap_or_default();
            if host.is_empty() || host.starts_with('-') || authority.starts_with('-') {
                return fault("has no host");
            }
            if scheme != "ssh" && authority.contains('@') {
                return fault("holds credentials; git's credential helpers keep them");
            }
            if authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':')) {
                return fault("holds a password");
            }
            return Ok(Self::Address(text.to_owned()));
        }
        // As git reads it: a colon before the first slash.
        let before_slash = text.split('/').next().unwrap_or_default();
        if let Some((host, _)) = before_slash.split_once(':') {
            let host_name = host.rsplit('@').next().unwrap_or_default();
            if host_name.is_empty() || host_name.starts_with('-') {
                return fault("has no host");
            }
            return Ok(Self::Ssh(text.to_owned()));
        }
        match folder {
            // Absolute, because git runs elsewhere.
            Some(folder) => match std::path::absolute(folder.join(text)) {
                Ok(path) => Ok(Self::Folder(path)),
                Err(_) => fault("is a path, and there is no folder that it starts from"),
            },
            None => fault("is a path, which a submodule may not name"),
        }
    }

    /// What git is given.
    pub(super) fn argument(&self) -> &std::ffi::OsStr {
        match self {
            Self::Address(text) | Self::Ssh(text) => text.as_ref(),
            Self::Folder(path) => path.as_os_str(),
        }
    }

    /// The host that is asked, if one is.
    pub(super) fn host(&self) -> Option<&str> {
        let authority = match self {
            Self::Address(text) => text.split("://").nth(1)?.split('/').next()?,
            Self::Ssh(text) => text.split(':').next()?,
            Self::Folder(_) => return None,
        };
        let host = authority.rsplit('@').next()?;
        // Without the port, but for the colons of an IPv6 address.
        let port = host.rfind(':').filter(|&colon| host[colon + 1..].bytes().all(|byte| byte.is_ascii_digit()));
        Some(port.map_or(host, |colon| &host[..colon]))
    }

    /// Git's name of the transport.
    pub(super) fn transport(&self) -> &'static str {
        match self {
            Self::Address(text) => {
                let scheme = text.split("://").next().unwrap_or_default();
                SCHEMES.iter().find(|(known, _)| *known == scheme).map_or("https", |(_, transport)| transport)
            }
            Self::Ssh(_) => "ssh",
            Self::Folder(_) => "file",
        }
    }

    /// Whether names that this place gives for ids can be changed by whoever stands between.
    pub(super) fn is_plaintext(&self) -> bool {
        matches!(self.transport(), "http" | "git")
    }

    /// The place that a submodule's address means, which may begin with `./` or `../`: relative to the repository's own
    /// address then, as git has it (`git help submodule`, "add"). It never leads to another host.
    pub(super) fn submodule(&self, url: &str, path: &str) -> Result<Self, GitError> {
        let fault = |fault: String| Err(GitError::Submodule { path: path.to_owned(), fault });
        if !(url.starts_with("./") || url.starts_with("../")) {
            return match Self::parse(url, None) {
                Err(GitError::Place { place, fault }) => {
                    Err(GitError::Submodule { path: path.to_owned(), fault: format!("is at `{place}`, which {fault}") })
                }
                other => other,
            };
        }
        if url.chars().any(char::is_control) || url.len() > LONGEST {
            return fault("has an address with control characters, or one that is too long".to_owned());
        }
        let outside = || fault(format!("is at `{}`, outside of its server", shown(url)));
        let (base, root) = match self {
            Self::Address(text) => {
                let authority = text.find("://").map_or(0, |at| at + 3);
                let root = text[authority..].find('/').map_or(text.len(), |slash| authority + slash);
                (text.clone(), root)
            }
            Self::Ssh(text) => (text.clone(), text.find(':').unwrap_or(0)),
            Self::Folder(folder) => match folder.to_str() {
                Some(text) => (text.to_owned(), 0),
                None => return fault("has a relative address, and its repository's path is not UTF-8".to_owned()),
            },
        };
        let (mut base, mut rest) = (base.trim_end_matches('/').to_owned(), url);
        let mut separator = '/';
        loop {
            if let Some(below) = rest.strip_prefix("../") {
                rest = below;
                match base.rfind('/').filter(|&slash| slash >= root) {
                    Some(slash) => base.truncate(slash),
                    // `host:name` goes to `host:`, and no further.
                    None if matches!(self, Self::Ssh(_)) && separator == '/' && base.len() > root + 1 => {
                        base.truncate(root);
                        separator = ':';
                    }
                    None => return outside(),
                }
            } else if let Some(below) = rest.strip_prefix("./") {
                rest = below;
            } else {
                break;
            }
        }
        let rest = rest.trim_end_matches('/');
        if rest.is_empty() || rest.split('/').any(|part| part == "..") {
            return outside();
        }
        let whole = format!("{base}{separator}{rest}");
        match self {
            Self::Address(_) => Ok(Self::Address(whole)),
            Self::Ssh(_) => Ok(Self::Ssh(whole)),
            Self::Folder(_) => Ok(Self::Folder(whole.into())),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(text) | Self::Ssh(text) => f.write_str(&shown(text)),
            Self::Folder(path) => write!(f, "{}", path.display()),
        }
    }
}

/// A text for messages: without what may be credentials, without control characters, not endless.
pub(super) fn shown(text: &str) -> String {
    let text: String = text.chars().take(300).map(|c| if c.is_control() { ' ' } else { c }).collect();
    without_credentials(&text)
}

/// `https://user:secret@host` as `https://host`, wherever it stands in a text.
pub(super) fn without_credentials(text: &str) -> String {
    let (mut clean, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        clean.push_str(before);
        let end = after.find(|c: char| c == '/' || c.is_whitespace() || c == '\'').unwrap_or(after.len());
        let host = after[..end].rfind('@').map_or(0, |sign| sign + 1);
        rest = &after[host..];
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        match Place::parse(text, Some(Path::new("/project"))) {
            Err(GitError::Place { fault, .. }) => fault,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn what_git_would_run_or_read_by_itself_is_no_place() {
        for helper in ["ext::sh -c touch% /x", "fd::3", "https::https://host/x", "a+b-c.d::x"] {
            assert!(fault(helper).contains("program of git's"), "{helper}");
        }
        assert!(fault("-u./payload").contains("dash"));
        assert!(fault("--upload-pack=x").contains("dash"));
        assert!(fault("ssh://-oProxyCommand=x/y").contains("no host"));
        assert!(fault("ssh://a@-oProxyCommand=x/y").contains("no host"));
        assert!(fault("-oProxyCommand=x:y").contains("dash"));
        assert!(fault("a@-oProxyCommand=x:y").contains("no host"));
        assert!(fault("file:///etc").contains("a path can be given"));
        assert!(fault("ftp://host/x").contains("scheme"));
        assert!(fault("https://user:secret@host/x").contains("credentials"));
        assert!(fault("ssh://git:secret@host/x").contains("password"));
        assert!(fault("https:///x").contains("no host"));
        assert!(fault("https://host/x\ny").contains("control"));
        assert!(fault("").contains("empty"));
    }

    #[test]
    fn places_are_read_as_git_reads_them() {
        let parse = |text| Place::parse(text, Some(Path::new("/project"))).unwrap();
        assert_eq!(parse("../lib"), Place::Folder("/project/../lib".into()));
        assert_eq!(parse("./a:b"), Place::Folder("/project/a:b".into()));
        assert_eq!(parse("/srv/a.git"), Place::Folder("/srv/a.git".into()));
        assert_eq!(parse("git@host:a/b.git").transport(), "ssh");
        assert_eq!(parse("ssh://git@host:22/a").transport(), "ssh");
        assert_eq!(parse("https://host:8443/a").transport(), "https");
        assert_eq!(parse("git@host:a/b.git").host(), Some("host"));
        assert_eq!(parse("https://host:8443/a").host(), Some("host"));
        assert_eq!(parse("ssh://git@[::1]:22/a").host(), Some("[::1]"));
        assert_eq!(parse("../lib").host(), None);
        assert!(parse("git://host/a").is_plaintext() && !parse("https://host/a").is_plaintext());
    }

    #[test]
    fn relative_submodules_stay_on_their_server() {
        let of = |base: &str, url: &str| {
            let base = Place::parse(base, Some(Path::new("/"))).unwrap();
            base.submodule(url, "sub").map(|place| place.to_string()).map_err(|error| error.to_string())
        };
        assert_eq!(of("https://host/a/b.git", "../lib.git").unwrap(), "https://host/a/lib.git");
        assert_eq!(of("https://host/a/b/", "./../c/").unwrap(), "https://host/a/c");
        assert_eq!(
            of("https://host/a", "../../c").unwrap_err(),
            "submodule `sub` is at `../../c`, outside of its server"
        );
        assert!(of("https://host/a", "../../../evil/c").is_err());
        assert!(of("https://host/a/b", "../x/../../../../y").is_err());
        assert_eq!(of("git@host:a/b", "../c").unwrap(), "git@host:a/c");
        assert_eq!(of("git@host:b", "../c").unwrap(), "git@host:c");
        assert!(of("git@host:b", "../../c").is_err());
        assert_eq!(of("/srv/a", "../c").unwrap(), "/srv/c");
        assert_eq!(of("https://host/a", "https://other/b").unwrap(), "https://other/b");
        for hostile in ["/etc", "file:///etc", "ext::sh -c x", "-u./payload", "lib", "../"] {
            assert!(of("https://host/a", hostile).is_err(), "{hostile}");
        }
    }

    #[test]
    fn messages_have_no_credentials() {
        assert_eq!(
            without_credentials("unable to access 'https://u:s3cret@host/x/': and https://t@h"),
            "unable to access 'https://host/x/': and https://h"
        );
        assert_eq!(without_credentials("mail a@b, no address"), "mail a@b, no address");
    }
}
