//! Zip files: as strictly as packages of Python and Go are read, which is to say without links and devices.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use selfsame_core::path::PathError;
use selfsame_core::{Digest, RelPath};
use selfsame_pins::zip;
use selfsame_store::{Store, StoreError};
use selfsame_tree::{Entry, Tree};

use super::{ArchiveError, Limits};
use crate::parallel;

/// Unpacks a zip file of the store on all cores.
pub(super) fn unpack(
    store: &Store,
    (archive, packed_bytes): (&Digest, u64),
    name: &str,
    strip: u32,
    limits: Limits,
) -> Result<Tree, ArchiveError> {
    let failed = |source| ArchiveError::Store { archive: name.to_owned(), source };
    let fault = |path: &str, fault: &str| ArchiveError::Entry {
        archive: name.to_owned(),
        path: path.escape_debug().to_string(),
        fault: fault.to_owned(),
    };
    let unreadable = |source| ArchiveError::Zip { archive: name.to_owned(), source };
    // Hashed before it is read here and there.
    let paths = store.checked_paths(&[(*archive, packed_bytes, false)].into()).map_err(failed)?;
    let path = paths.into_values().next().ok_or(failed(StoreError::Absent { digest: *archive }))?;
    let file = File::open(path).map_err(|source| failed(StoreError::Source { source }))?;
    let file = Blob { file, size_bytes: packed_bytes };
    let Limits { entries, size_bytes, ratio, free_bytes } = limits;
    let bounds = zip::Limits { members: entries, size_bytes, ratio, free_bytes };
    let packed = zip::Archive::open(&file, bounds).map_err(unreadable)?;
    let strip = usize::try_from(strip).unwrap_or(usize::MAX);
    let made = parallel::try_map(packed.members(), |member| {
        let Some(below) = cut(&member.name, strip) else {
            return Err(fault(&member.name, "has no more than the leading components to be removed"));
        };
        let path = RelPath::new(below).map_err(|PathError { fault: found, .. }| fault(&member.name, found))?;
        let stored = store.put(&mut packed.read(member), member.executable);
        let (digest, size) = stored.map_err(|error| match error {
            StoreError::Source { source } => {
                ArchiveError::Damaged { archive: name.to_owned(), path: Some(member.name.clone()), source }
            }
            source => failed(source),
        })?;
        Ok((path, Entry::file(digest, size, member.executable)))
    })?;
    let mut entries = BTreeMap::new();
    for (path, entry) in made {
        if entries.contains_key(&path) {
            return Err(fault(path.as_str(), "stands twice"));
        }
        entries.insert(path, entry);
    }
    Tree::from_entries(entries).map_err(|source| ArchiveError::Tree { archive: name.to_owned(), source })
}

/// A name without its first components; nothing if there are no more than that.
fn cut(name: &str, strip: usize) -> Option<&str> {
    let mut rest = name;
    for _ in 0..strip {
        rest = rest.split_once('/')?.1;
    }
    Some(rest)
}

/// A file that does not change, read anywhere.
struct Blob {
    file: File,
    size_bytes: u64,
}

impl zip::ReadAt for Blob {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }
}
