//! How a package of a host is called everywhere, and what its licence is.

use std::io::Read;

use selfsame_deb::licence_of_copyright;
use selfsame_lock::{Purl, PurlError};

use crate::host::{End, Host, Walk};
use crate::licence;
use crate::packages::{Kind, Record};

/// The distribution of a host, from `/etc/os-release` or `/usr/lib/os-release`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Distribution {
    /// `debian`, `fedora`, ...
    id: Option<String>,
    /// `bookworm`, for Debian's family.
    codename: Option<String>,
    /// `12`.
    version: Option<String>,
}

impl Distribution {
    /// Reads it; a host without the file has none.
    pub(crate) fn of(host: &Host) -> Self {
        let mut walk = Walk::new(host);
        let text = read_text(host, &mut walk, "etc/os-release")
            .or_else(|| read_text(host, &mut walk, "usr/lib/os-release"))
            .unwrap_or_default();
        let field = |name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
            let value = value.trim().trim_matches(['"', '\'']);
            let plain = value.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
            (plain && !value.is_empty()).then(|| value.to_owned())
        };
        Self { id: field("ID"), codename: field("VERSION_CODENAME"), version: field("VERSION_ID") }
    }

    /// The purl of a package, by the rules of its type in the purl specification.
    pub(crate) fn purl(&self, kind: Kind, record: &Record) -> Result<Purl, PurlError> {
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

/// The licence of a package: from its database, or from Debian's copyright file.
pub(crate) fn licence_of(host: &Host, walk: &mut Walk<'_>, kind: Kind, record: &Record) -> Option<String> {
    match kind {
        Kind::Deb => {
            let copyright = read_text(host, walk, &format!("usr/share/doc/{}/copyright", record.name))?;
            licence_of_copyright(&copyright)
        }
        Kind::Rpm | Kind::Apk | Kind::Alpm => licence::expression(record.licence.as_deref()?),
    }
}

/// A text file of at most 4 MiB below the host's root; nothing if it is not there, too large or not UTF-8.
pub(crate) fn read_text(host: &Host, walk: &mut Walk<'_>, path: &str) -> Option<String> {
    const LIMIT: u64 = 4 << 20;
    let End::File(place, file) = walk.resolve(path).end else { return None };
    if file.size > LIMIT {
        return None;
    }
    let mut text = String::new();
    std::fs::File::open(host.path(&place)).ok()?.take(LIMIT).read_to_string(&mut text).ok()?;
    Some(text)
}
