//! One blob: there, of its size, of its digest.

use std::io::{self, Read};
use std::num::NonZeroUsize;

use selfsame_core::{Digest, Hasher};
use selfsame_oci::{Descriptor, layout};

use crate::at_once::{both, is_worth_it};
use crate::files::ReleaseFiles;
use crate::rows::Rows;
use crate::verdict::{CheckId, Fact};

/// The largest manifest or config that is read, in bytes: what registries have to take (distribution-spec, "Pushing
/// Manifests").
pub(super) const MOST_MANIFEST_BYTES: u64 = 4 << 20;

/// The largest signed document, in bytes.
pub(super) const MOST_DOCUMENT_BYTES: u64 = 64 << 20;

/// The blob's bytes, if they are what the descriptor says.
pub(super) fn read(
    release: &dyn ReleaseFiles,
    descriptor: &Descriptor,
    limit_bytes: u64,
) -> Result<Vec<u8>, BlobFault> {
    Ok(read_and(release, descriptor, limit_bytes, NonZeroUsize::MIN, |_| ())?.0)
}

/// The same with what `parse` makes of the bytes, where it is worth it while they are being hashed.
pub(super) fn read_and<T>(
    release: &dyn ReleaseFiles,
    descriptor: &Descriptor,
    limit_bytes: u64,
    threads: NonZeroUsize,
    parse: impl FnOnce(&[u8]) -> T,
) -> Result<(Vec<u8>, T), BlobFault> {
    let name = layout::blob_path(descriptor.digest);
    if descriptor.size > limit_bytes {
        return Err(BlobFault::TooLarge { name, size_bytes: descriptor.size, limit_bytes });
    }
    let bytes = match release.read(&name, descriptor.size) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Err(BlobFault::Missing { name }),
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            return Err(BlobFault::Longer { name, expected: descriptor.size });
        }
        Err(error) => return Err(BlobFault::Io { name, error }),
    };
    let check = |digest| same(name, descriptor, digest, bytes.len() as u64);
    if !is_worth_it(threads, bytes.len()) {
        check(Digest::of(&bytes))?;
        let parsed = parse(&bytes);
        return Ok((bytes, parsed));
    }
    let (digest, parsed) = both(|| Digest::of(&bytes), || parse(&bytes));
    check(digest)?;
    Ok((bytes, parsed))
}

/// Reads the whole blob and forgets it again.
pub(super) fn check(release: &dyn ReleaseFiles, descriptor: &Descriptor) -> Result<(), BlobFault> {
    let name = layout::blob_path(descriptor.digest);
    let reader = match release.open(&name) {
        Ok(Some(reader)) => reader,
        Ok(None) => return Err(BlobFault::Missing { name }),
        Err(error) => return Err(BlobFault::Io { name, error }),
    };
    // One byte more than announced: enough to see that it is too long, however long it is.
    match Hasher::of_reader(reader.take(descriptor.size.saturating_add(1))) {
        Ok((_, size)) if size > descriptor.size => Err(BlobFault::Longer { name, expected: descriptor.size }),
        Ok((digest, size)) => same(name, descriptor, digest, size),
        Err(error) => Err(BlobFault::Io { name, error }),
    }
}

/// Compares what was read with what was announced.
pub(super) fn same(name: String, descriptor: &Descriptor, digest: Digest, size: u64) -> Result<(), BlobFault> {
    if size != descriptor.size {
        return Err(BlobFault::Size { name, expected: descriptor.size, found: size });
    }
    if digest != descriptor.digest {
        return Err(BlobFault::Digest { name, expected: descriptor.digest, found: digest });
    }
    Ok(())
}

/// Why a blob is not what its descriptor says.
#[derive(Debug, thiserror::Error)]
pub(super) enum BlobFault {
    #[error("{name} is missing")]
    Missing { name: String },
    #[error("{name} cannot be read: {error}")]
    Io { name: String, error: io::Error },
    #[error("{name} is announced with {size_bytes} bytes; at most {limit_bytes} of its kind are read")]
    TooLarge { name: String, size_bytes: u64, limit_bytes: u64 },
    #[error("{name} is longer than the {expected} bytes that its descriptor says")]
    Longer { name: String, expected: u64 },
    #[error("{name} has {found} bytes; its descriptor says {expected}")]
    Size { name: String, expected: u64, found: u64 },
    #[error("{name} does not have the digest that it is named for")]
    Digest { name: String, expected: Digest, found: Digest },
}

impl BlobFault {
    /// Makes the row fail, as refuted or as unreadable.
    pub(super) fn report(&self, id: CheckId, what: &str, rows: &mut Rows) {
        let reason = format!("{what}: {self}");
        match self {
            Self::Io { .. } => rows.unreadable(id, reason),
            Self::Digest { expected, found, .. } => {
                let facts = vec![Fact::new("expected", expected.to_string()), Fact::new("found", found.to_string())];
                rows.fail(id, reason, facts);
            }
            _ => rows.fail(id, reason, Vec::new()),
        }
    }
}
