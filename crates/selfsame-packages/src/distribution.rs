//! Which distribution a root is of, and how its packages are called everywhere.

use selfsame_lock::{Purl, PurlError};

use crate::{Kind, Record};

/// The distribution of a host or image, from `/etc/os-release` or `/usr/lib/os-release`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distribution {
    /// `debian`, `fedora`, ...
    id: Option<String>,
    /// `bookworm`, for Debian's family.
    codename: Option<String>,
    /// `12`.
    version: Option<String>,
}

impl Distribution {
    /// Reads the text of that file. One that says nothing, or is not there, is of none.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let field = |name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
            let value = value.trim().trim_matches(['"', '\'']);
            let plain = value.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
            (plain && !value.is_empty()).then(|| value.to_owned())
        };
        Self { id: field("ID"), codename: field("VERSION_CODENAME"), version: field("VERSION_ID") }
    }

    /// The purl of a package, by the rules of its type in the purl specification.
    pub fn purl(&self, kind: Kind, record: &Record) -> Result<Purl, PurlError> {
        let (epoch, version) = match (kind, record.version.split_once(':')) {
            (Kind::Rpm, Some((epoch, version))) => (Some(epoch).filter(|epoch| *epoch != "0"), version),
            _ => (None, record.version.as_str()),
        };
        let distro = match (kind, &self.codename, &self.id, &self.version) {
            (Kind::Deb, Some(codename), ..) => Some(codename.clone()),
            (Kind::Alpm, ..) => None,
            (_, _, Some(id), Some(version)) => Some(format!("{id}-{version}")),
            _ => None,
        };
        let architecture = Some(record.architecture.as_str()).filter(|text| !text.is_empty());
        let qualifiers: Vec<(&str, &str)> = [("arch", architecture), ("distro", distro.as_deref()), ("epoch", epoch)]
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)))
            .collect();
        Purl::new(kind.purl_type(), self.id.as_deref(), &record.name, Some(version), &qualifiers)
    }
}
