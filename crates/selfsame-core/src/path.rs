//! Relative paths inside trees, archives and images.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

/// A path below some root: UTF-8, `/` between components, none of them empty, `.` or `..`, no NUL, no leading slash.
///
/// Ordered by bytes, so a folder always sorts before what it holds. The root itself is [`RelPath::root`], which
/// prints as `.`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelPath(String);

impl RelPath {
    /// The longest path, in bytes (Linux `PATH_MAX`). A format constant of the tree's text form.
    pub const MAX_BYTES: usize = 4096;
    /// The longest component, in bytes (Linux `NAME_MAX`).
    pub const MAX_COMPONENT_BYTES: usize = 255;

    /// The root folder of a tree.
    #[must_use]
    pub const fn root() -> Self {
        Self(String::new())
    }

    /// Parses a path. `.` is the root.
    pub fn new(text: impl Into<String>) -> Result<Self, PathError> {
        let text = text.into();
        if text == "." {
            return Ok(Self::root());
        }
        match fault(&text) {
            None => Ok(Self(text)),
            Some(fault) => Err(PathError { path: text, fault }),
        }
    }

    /// The text; empty for the root.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The components, none for the root.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|part| !part.is_empty())
    }

    /// The path without its last component; nothing for the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        Some(Self(self.0.rsplit_once('/').map_or_else(String::new, |(parent, _)| parent.to_owned())))
    }

    /// The last component; empty for the root.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.0.rsplit_once('/').map_or(&self.0, |(_, name)| name)
    }

    /// This path below `self`.
    pub fn join(&self, below: &Self) -> Result<Self, PathError> {
        match (self.is_root(), below.is_root()) {
            (true, _) => Ok(below.clone()),
            (_, true) => Ok(self.clone()),
            _ => Self::new(format!("{}/{}", self.0, below.0)),
        }
    }

    /// What is left of this path below `ancestor`, if it is below it or the same.
    #[must_use]
    pub fn below(&self, ancestor: &Self) -> Option<Self> {
        if ancestor.is_root() {
            return Some(self.clone());
        }
        let rest = self.0.strip_prefix(&ancestor.0)?;
        match rest.strip_prefix('/') {
            Some(rest) => Some(Self(rest.to_owned())),
            None => rest.is_empty().then(Self::root),
        }
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_root() { "." } else { &self.0 })
    }
}

impl fmt::Debug for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

impl FromStr for RelPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        Self::new(text)
    }
}

impl Borrow<str> for RelPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl serde::Serialize for RelPath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for RelPath {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// A text that is not a relative path, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("path `{}` {fault}", path.escape_debug())]
pub struct PathError {
    /// The text.
    pub path: String,
    /// What is wrong with it, as the rest of a sentence.
    pub fault: &'static str,
}

fn fault(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        return Some("is empty");
    }
    if text.len() > RelPath::MAX_BYTES {
        return Some("is longer than 4096 bytes");
    }
    if text.starts_with('/') {
        return Some("is absolute; a path below the root is wanted");
    }
    if text.contains('\0') {
        return Some("holds a NUL byte");
    }
    text.split('/').find_map(|part| match part {
        "" => Some("has an empty component"),
        "." => Some("has a `.` component"),
        ".." => Some("leaves its root by `..`"),
        long if long.len() > RelPath::MAX_COMPONENT_BYTES => Some("has a component longer than 255 bytes"),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::RelPath;

    #[test]
    fn knows_no_way_out() {
        for wrong in ["", "/", "/a", "a/", "a//b", "./a", "a/..", "..", "../a", "a/./b", "a\0b"] {
            assert!(RelPath::new(wrong).is_err(), "{wrong:?}");
        }
        assert!(RelPath::new("a/".repeat(2048) + "a").is_err());
        assert!(RelPath::new("a".repeat(256)).is_err());
        assert!(RelPath::new(".").unwrap().is_root());
    }

    #[test]
    fn parents_children_and_remainders() {
        let path = RelPath::new("usr/lib/x").unwrap();
        assert_eq!(path.parent().unwrap().as_str(), "usr/lib");
        assert_eq!(path.file_name(), "x");
        assert_eq!(path.below(&RelPath::new("usr").unwrap()).unwrap().as_str(), "lib/x");
        assert!(path.below(&RelPath::new("us").unwrap()).is_none());
        assert!(path.below(&path).unwrap().is_root());
        assert_eq!(RelPath::root().join(&path).unwrap(), path);
        assert_eq!(RelPath::new("a").unwrap().parent().unwrap(), RelPath::root());
    }
}
