//! What a package of a host is, for the record: its distribution and its licence.

use std::convert::Infallible;
use std::io::Read;

use selfsame_packages::{Distribution, Files, Kind, Record};

use crate::host::{End, Host, Walk};

/// The distribution of a host; one without the file has none.
pub(crate) fn distribution_of(host: &Host) -> Distribution {
    let mut walk = Walk::new(host);
    let text =
        read_text(host, &mut walk, "etc/os-release").or_else(|| read_text(host, &mut walk, "usr/lib/os-release"));
    Distribution::parse(&text.unwrap_or_default())
}

/// The licence of a package: from its database, or from Debian's copyright file.
pub(crate) fn licence_of(host: &Host, walk: &mut Walk<'_>, kind: Kind, record: &Record) -> Option<String> {
    let Ok(licence) = selfsame_packages::licence_of(&mut Texts { host, walk }, kind, record);
    licence
}

/// Texts that are read where they can be.
struct Texts<'a, 'h> {
    host: &'a Host,
    walk: &'a mut Walk<'h>,
}

impl Files for Texts<'_, '_> {
    type Error = Infallible;

    fn text(&mut self, path: &str) -> Result<Option<String>, Infallible> {
        Ok(read_text(self.host, self.walk, path))
    }

    fn names(&mut self, folder: &str) -> Result<Vec<String>, Infallible> {
        Ok(self.walk.names(folder))
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
