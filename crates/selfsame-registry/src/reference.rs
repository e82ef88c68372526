//! What people write for an image in a registry, and what may stand in it (distribution-spec, "Pulling manifests").

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use selfsame_core::Digest;

/// The longest repository name, its registry included.
const NAME_BYTES: usize = 255;
/// The longest tag (distribution-spec: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`).
const TAG_BYTES: usize = 128;

/// A registry: a name or an address, and a port. Prints as it is written: `registry.example:5000`, `[::1]:5000`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Host {
    /// Lowercase; an IPv6 address without its brackets.
    name: String,
    port: Option<u16>,
}

impl Host {
    /// The name or address, lowercase, without brackets.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The port, where one is written.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// Whether it is this machine by its name alone: `localhost`, `127.0.0.0/8`, `::1`.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.name == "localhost"
            || self.name.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
            || self.name.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.contains(':') {
            write!(f, "[{}]", self.name)?;
        } else {
            f.write_str(&self.name)?;
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Host {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let wrong = |fault| ReferenceError::new(text, fault);
        let (name, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']').ok_or_else(|| wrong("has a `[` without its `]`"))?;
                let address: Ipv6Addr = address.parse().map_err(|_| wrong("has no IPv6 address in its brackets"))?;
                (address.to_string(), port)
            }
            None => {
                let end = text.find(':').unwrap_or(text.len());
                let name = text[..end].to_ascii_lowercase();
                if !is_host_name(&name) {
                    return Err(wrong("has a registry that is no host name: letters, digits, `-` and `.`"));
                }
                (name, &text[end..])
            }
        };
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => None,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                let port = digits.parse::<u16>().ok().filter(|port| *port > 0);
                Some(port.ok_or_else(|| wrong("has a port that is none: 1 to 65535"))?)
            }
            _ => return Err(wrong("has a port that is none: 1 to 65535")),
        };
        Ok(Self { name, port })
    }
}

fn is_host_name(name: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    // A name that ends with a number and is no address is read differently by different resolvers.
    let numeric = name.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    name.split('.').all(label) && (!numeric || name.parse::<IpAddr>().is_ok())
}

/// An image as people write it: `registry.example:5000/team/app:1.2@sha256:...`, `debian:12`.
///
/// As Docker reads it, the part before the first `/` is a registry if it has a `.`, a `:` or an upper-case letter, or
/// is `localhost`; else the name is a short one, and only the machine's configuration knows its registry. A reference
/// prints as it was written, but for the case of its registry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// The registry; none in a short name.
    pub host: Option<Host>,
    /// `team/app`; lowercase.
    pub repository: String,
    /// `1.2`.
    pub tag: Option<String>,
    /// Which manifest; where there is one, the tag is only read by people.
    pub digest: Option<Digest>,
}

impl Reference {
    /// What to ask the registry for: the digest, else the tag, else `latest`.
    #[must_use]
    pub fn target(&self) -> Target {
        match (self.digest, &self.tag) {
            (Some(digest), _) => Target::Digest(digest),
            (None, Some(tag)) => Target::Tag(tag.clone()),
            (None, None) => Target::Tag("latest".to_owned()),
        }
    }

    /// The same name with another target: `name@sha256:...` or `name:tag`.
    #[must_use]
    pub fn with(&self, target: &Target) -> Self {
        let (host, repository) = (self.host.clone(), self.repository.clone());
        match target {
            Target::Digest(digest) => Self { host, repository, tag: None, digest: Some(*digest) },
            Target::Tag(tag) => Self { host, repository, tag: Some(tag.clone()), digest: None },
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(host) = self.host.as_ref().map(Host::to_string) {
            // A name of one word is a registry by its upper case alone.
            let host = if is_registry(&host) { host } else { host.to_ascii_uppercase() };
            write!(f, "{host}/")?;
        }
        f.write_str(&self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let wrong = |fault| ReferenceError::new(text, fault);
        if text.contains("://") {
            return Err(wrong("is a URL; written `HOST/NAME:TAG` without a scheme"));
        }
        let (rest, digest) = match text.split_once('@') {
            None => (text, None),
            Some((rest, digest)) => {
                let parsed = digest.parse().map_err(|_| {
                    wrong("has a digest that is not read; written `sha256:` and 64 lowercase hex digits")
                })?;
                (rest, Some(parsed))
            }
        };
        let (host, rest) = match rest.split_once('/') {
            Some((first, rest)) if is_registry(first) => {
                (Some(first.parse::<Host>().map_err(|e| wrong(e.fault))?), rest)
            }
            _ => (None, rest),
        };
        let (repository, tag) = match rest.split_once(':') {
            None => (rest, None),
            Some((repository, tag)) => (repository, Some(tag)),
        };
        if !is_repository(repository) {
            return Err(wrong(
                "has a name that is none: lowercase letters, digits and single `.`, `_`, `__` or `-` between them, in \
                 parts with `/` between them",
            ));
        }
        if host.is_none() && repository.len() == 64 && repository.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(wrong("is 64 hex digits, which name a container image by its id and no repository"));
        }
        if host.as_ref().map_or(0, |host| host.to_string().len() + 1) + repository.len() > NAME_BYTES {
            return Err(wrong("is longer than 255 bytes"));
        }
        if !tag.is_none_or(is_tag) {
            return Err(wrong("has a tag that is none: up to 128 letters, digits, `_`, `.` and `-`"));
        }
        Ok(Self { host, repository: repository.to_owned(), tag: tag.map(str::to_owned), digest })
    }
}

/// Which manifest of a repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// The one that a tag names now.
    Tag(String),
    /// The one with this digest.
    Digest(Digest),
}

impl Target {
    /// A tag, if the text can be one.
    pub fn tag(text: &str) -> Result<Self, ReferenceError> {
        if is_tag(text) {
            return Ok(Self::Tag(text.to_owned()));
        }
        Err(ReferenceError::new(text, "is not a tag: up to 128 letters, digits, `_`, `.` and `-`"))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => f.write_str(tag),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

fn is_registry(first: &str) -> bool {
    first == "localhost" || first.contains(['.', ':']) || first.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`, in parts with `/` between them (distribution-spec, "Pulling manifests").
pub(crate) fn is_repository(name: &str) -> bool {
    name.len() <= NAME_BYTES && name.split('/').all(is_component)
}

fn is_component(part: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = part.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    if !is_word(*first) || !is_word(*last) {
        return false;
    }
    let separators = part.split(|character: char| is_word(u8::try_from(character).unwrap_or(0)));
    let mut separators = separators.filter(|run| !run.is_empty());
    separators.all(|run| matches!(run, "." | "_" | "__") || run.bytes().all(|byte| byte == b'-'))
}

pub(crate) fn is_tag(tag: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    tag.len() <= TAG_BYTES
        && tag.bytes().next().is_some_and(is_word)
        && tag.bytes().all(|byte| is_word(byte) || matches!(byte, b'.' | b'-'))
}

/// A text that names no image, registry or tag.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` {fault}")]
pub struct ReferenceError {
    /// The beginning of the text, escaped.
    pub text: String,
    /// What is wrong with it.
    pub fault: &'static str,
}

impl ReferenceError {
    pub(crate) fn new(text: &str, fault: &'static str) -> Self {
        Self { text: text.chars().take(300).flat_map(char::escape_debug).collect(), fault }
    }
}
