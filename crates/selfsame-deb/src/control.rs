//! The control file of a binary package (deb-control(5)).

use crate::relation::{Relation, relations};
use crate::stanza::{Stanza, StanzaError};
use crate::version::{Version, VersionError};

/// What a package says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// `libc6`
    pub package: String,
    /// `2.36-9+deb12u14`
    pub version: Version,
    /// `amd64`, `all`
    pub architecture: String,
    /// The source package that it was built from, and its version.
    pub source: (String, Version),
    /// Who looks after it.
    pub maintainer: Option<String>,
    /// `Multi-Arch: same`: it may be there for several architectures at once.
    pub multi_arch_same: bool,
    /// Whether it is marked essential.
    pub essential: bool,
    /// `Pre-Depends` and `Depends`.
    pub depends: Vec<Vec<Relation>>,
    /// Names that it answers to.
    pub provides: Vec<Relation>,
    /// Packages whose files it may take over.
    pub replaces: Vec<Relation>,
    /// All its fields.
    pub stanza: Stanza,
}

/// Why a control file is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// Not a paragraph.
    #[error("the control file cannot be read")]
    Stanza(#[from] StanzaError),
    /// No such field.
    #[error("the control file has no field `{field}`")]
    Missing {
        /// `Package`
        field: &'static str,
    },
    /// A value that makes no sense.
    #[error("the control file's field `{field}` is `{}`, which is no {what}", value.escape_debug())]
    Value {
        /// `Package`
        field: &'static str,
        /// As written, the beginning of it.
        value: String,
        /// `package name`
        what: &'static str,
    },
    /// A version that makes no sense.
    #[error("the control file's field `{field}` is refused")]
    Version {
        /// `Version`
        field: &'static str,
        /// What is wrong.
        source: VersionError,
    },
}

impl Control {
    /// Reads a control file, or one paragraph of a list.
    pub fn parse(text: &str) -> Result<Self, ControlError> {
        Self::of(Stanza::parse(text)?)
    }

    /// Reads a paragraph.
    pub fn of(stanza: Stanza) -> Result<Self, ControlError> {
        let required = |field: &'static str| stanza.get(field).ok_or(ControlError::Missing { field });
        let wrong = |field: &'static str, value: &str, what: &'static str| ControlError::Value {
            field,
            value: value.chars().take(128).collect(),
            what,
        };
        let version = |field: &'static str, text: &str| {
            text.parse::<Version>().map_err(|source| ControlError::Version { field, source })
        };
        let package = required("Package")?;
        if !is_name(package) {
            return Err(wrong("Package", package, "package name"));
        }
        let architecture = required("Architecture")?;
        if !is_architecture(architecture) {
            return Err(wrong("Architecture", architecture, "architecture"));
        }
        let own_version = version("Version", required("Version")?)?;
        // `Source: gcc-defaults (1.203)`; without a version it is the package's own.
        let source = match stanza.get("Source") {
            None => (package.to_owned(), own_version.clone()),
            Some(text) => {
                let (name, stated) = text.split_once('(').map_or((text, None), |(name, rest)| (name, Some(rest)));
                let name = name.trim();
                if !is_name(name) {
                    return Err(wrong("Source", text, "source package"));
                }
                let stated = stated.map(|text| version("Source", text.trim().trim_end_matches(')').trim()));
                (name.to_owned(), stated.transpose()?.unwrap_or_else(|| own_version.clone()))
            }
        };
        let list = |field: &'static str| match stanza.get(field) {
            None => Ok(Vec::new()),
            Some(text) => relations(text).ok_or_else(|| wrong(field, text, "list of packages")),
        };
        let mut depends = list("Pre-Depends")?;
        depends.extend(list("Depends")?);
        Ok(Self {
            package: package.to_owned(),
            version: own_version,
            architecture: architecture.to_owned(),
            source,
            maintainer: stanza.get("Maintainer").filter(|text| !text.is_empty()).map(str::to_owned),
            multi_arch_same: stanza.get("Multi-Arch") == Some("same"),
            essential: stanza.get("Essential") == Some("yes"),
            depends,
            provides: list("Provides")?.into_iter().flatten().collect(),
            replaces: list("Replaces")?.into_iter().flatten().collect(),
            stanza,
        })
    }

    /// `gcc_12.2.0-3_amd64.deb`: what its file is called in an archive's pool.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}_{}_{}.deb", self.package, self.version.without_epoch(), self.architecture)
    }
}

/// Whether this is a package name: lower-case letters, digits, `+`, `-` and `.`, a letter or digit first, two at least.
pub(crate) fn is_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (2..=128).contains(&text.len())
        && text.bytes().next().is_some_and(fits)
        && text.bytes().all(|byte| fits(byte) || matches!(byte, b'+' | b'-' | b'.'))
}

fn is_architecture(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=32).contains(&text.len())
        && text.bytes().next().is_some_and(fits)
        && text.bytes().all(|byte| fits(byte) || byte == b'-')
}
