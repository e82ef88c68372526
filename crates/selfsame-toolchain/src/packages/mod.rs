//! The package managers of a host: who owns a file, what else belongs to it, what it cannot work without.
//!
//! Each manager is one row of [`MANAGERS`]: it reads its database into a [`Database`] and does nothing else.

mod apk;
mod database;
mod dpkg;
mod pacman;
mod rpm;
#[cfg(test)]
mod tests;

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::Path;

pub(crate) use database::{Database, Kind, Record};

use crate::ToolchainError;
use crate::host::Host;

/// The largest database file that is read. The largest seen is 30 MB.
const MAX_BYTES: u64 = 512 << 20;

/// A package manager.
pub(crate) trait Manager {
    /// Its database, or nothing if the host has none.
    fn read(&self, host: &Host) -> Result<Option<Database>, ToolchainError>;
}

/// In the order in which they are asked about a file: a Debian host may have `rpm` installed, hardly the reverse.
const MANAGERS: [&dyn Manager; 4] = [&dpkg::Dpkg, &rpm::Rpm, &apk::Apk, &pacman::Pacman];

/// Every database of a host, in the order of asking.
pub(crate) fn databases(host: &Host) -> Result<Vec<Database>, ToolchainError> {
    let mut found = Vec::new();
    for manager in MANAGERS {
        found.extend(manager.read(host)?);
    }
    Ok(found)
}

/// A text file of a database; nothing if it does not exist. Bytes that are not UTF-8 are replaced: such a name
/// matches no file and such a description is only shown.
fn text(path: &Path) -> Result<Option<String>, ToolchainError> {
    let error = |source| ToolchainError::Read { path: path.to_owned(), source };
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(source) if matches!(source.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(source) => return Err(error(source)),
    };
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(error)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(ToolchainError::Malformed { path: path.to_owned(), fault: "is larger than 512 MiB".to_owned() });
    }
    Ok(Some(match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    }))
}

/// `Some` of a text that says something.
fn said(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty() && text != "(none)").then(|| text.to_owned())
}
