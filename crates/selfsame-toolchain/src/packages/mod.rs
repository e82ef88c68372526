//! The package managers of a host: who owns a file, what else belongs to it, what it cannot work without.
//!
//! What their databases say is read in `selfsame-packages`; here are the host's files and its `rpm`.

mod rpm;
#[cfg(test)]
mod tests;

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::Path;

pub(crate) use selfsame_packages::Database;
use selfsame_packages::{Files, Locate, apk, dpkg, pacman};

use crate::ToolchainError;
use crate::host::{Host, Walk};

/// The largest database file that is read. The largest seen is 30 MB.
const MAX_BYTES: u64 = 512 << 20;

/// Every database of a host, in the order in which they are asked about a file: a Debian host may have `rpm` installed,
/// hardly the reverse.
pub(crate) fn databases(host: &Host) -> Result<Vec<Database>, ToolchainError> {
    let mut files = HostFiles(host);
    let all = [dpkg(&mut files)?, rpm::read(host)?, apk(&mut files)?, pacman(&mut files)?];
    Ok(all.into_iter().flatten().collect())
}

/// A host's database files. They are its manager's own: links among them are followed as they are.
struct HostFiles<'h>(&'h Host);

impl Files for HostFiles<'_> {
    type Error = ToolchainError;

    fn text(&mut self, path: &str) -> Result<Option<String>, ToolchainError> {
        text(&self.0.root().join(path))
    }

    fn names(&mut self, folder: &str) -> Result<Vec<String>, ToolchainError> {
        let path = self.0.root().join(folder);
        let Ok(entries) = fs::read_dir(&path) else { return Ok(Vec::new()) };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|source| ToolchainError::Read { path: path.clone(), source })?;
            names.extend(entry.file_name().into_string());
        }
        names.sort();
        Ok(names)
    }
}

impl Locate for Walk<'_> {
    fn locate(&mut self, path: &str) -> Option<String> {
        Walk::locate(self, path)
    }
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
