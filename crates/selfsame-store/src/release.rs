//! Telling a release of selfsame's from anything else that may stand at a destination. Not a verification: it decides
//! only whether something may be overwritten.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use selfsame_core::json::{self, Limits};
use serde_json::Value;

use crate::sys;

/// The names in the root of a release folder. A folder with another one holds something that is not ours to delete.
const NAMES: [&str; 4] = ["blobs", "index.json", "oci-layout", "run-record.sigstore.json"];
/// Media and artifact types that only selfsame writes.
const OUR_TYPES: &str = "application/vnd.selfsame.";
const INDEX_BYTES: u64 = 4 << 20;
/// The most members that an archive is searched through.
const ARCHIVE_MEMBERS: u32 = 100_000;
const BLOCK_BYTES: u64 = 512;

/// Why something is not a release.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotRelease {
    /// A link, a device, or another kind of file than the one that would replace it.
    #[error("it is {kind}")]
    Kind {
        /// With its article.
        kind: &'static str,
    },
    /// A part that each release has is missing.
    #[error("it has no `{name}`")]
    Lacks {
        /// The part.
        name: &'static str,
    },
    /// A folder with something in it that no release has.
    #[error("it holds `{name}`, which no release does")]
    Stranger {
        /// The name.
        name: String,
    },
    /// An image layout of another tool.
    #[error("its `index.json` names nothing of selfsame's")]
    Foreign,
    /// It could not be read.
    #[error("it cannot be read")]
    Io {
        /// What the system said.
        #[from]
        source: io::Error,
    },
}

/// Whether `path` is a release folder or archive: an OCI image layout whose index lists a document of selfsame's, with
/// nothing else beside it.
pub fn is_release(path: &Path) -> Result<(), NotRelease> {
    let metadata = path.symlink_metadata()?;
    if metadata.is_dir() {
        return folder(path);
    }
    if metadata.is_file() {
        return archive(path);
    }
    Err(NotRelease::Kind { kind: if metadata.is_symlink() { "a symbolic link" } else { "a device, pipe or socket" } })
}

fn folder(path: &Path) -> Result<(), NotRelease> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !NAMES.contains(&name.as_str()) {
            return Err(NotRelease::Stranger { name });
        }
        names.push(name);
    }
    for needed in ["oci-layout", "index.json"] {
        if !names.iter().any(|name| name == needed) {
            return Err(NotRelease::Lacks { name: needed });
        }
    }
    let mut index = Vec::new();
    sys::open_quietly(&path.join("index.json"))?.take(INDEX_BYTES + 1).read_to_end(&mut index)?;
    ours(&index)
}

fn ours(index: &[u8]) -> Result<(), NotRelease> {
    let limits = Limits { size_bytes: INDEX_BYTES as usize, values: 1_000_000 };
    let index = json::parse(index, limits).map_err(|_| NotRelease::Foreign)?;
    let descriptors = index.get("manifests").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let mentions = descriptors.iter().any(|descriptor| {
        ["artifactType", "mediaType"]
            .iter()
            .any(|&key| descriptor.get(key).and_then(Value::as_str).is_some_and(|value| value.starts_with(OUR_TYPES)))
    });
    if mentions { Ok(()) } else { Err(NotRelease::Foreign) }
}

/// Looks through the headers of an uncompressed tar for `oci-layout` and `index.json`.
fn archive(path: &Path) -> Result<(), NotRelease> {
    let mut file = sys::open_quietly(path)?;
    let (mut layout, mut index) = (false, None);
    for _ in 0..ARCHIVE_MEMBERS {
        let Some((name, size)) = header(&mut file)? else { break };
        let padded = size.div_ceil(BLOCK_BYTES).saturating_mul(BLOCK_BYTES);
        match name.trim_ascii() {
            b"oci-layout" => layout = true,
            b"index.json" if size <= INDEX_BYTES => {
                let mut bytes = Vec::new();
                (&file).take(size).read_to_end(&mut bytes)?;
                index = Some(bytes);
                file.seek(SeekFrom::Current(i64::try_from(padded - size).unwrap_or(0)))?;
                continue;
            }
            _ => {}
        }
        if layout && index.is_some() {
            break;
        }
        let Ok(step) = i64::try_from(padded) else { break };
        file.seek(SeekFrom::Current(step))?;
    }
    match (layout, index) {
        (true, Some(index)) => ours(&index),
        (false, _) => Err(NotRelease::Lacks { name: "oci-layout" }),
        (true, None) => Err(NotRelease::Lacks { name: "index.json" }),
    }
}

/// One tar header: the member's name without `./`, and its size. Nothing at the end, or where no tar is.
fn header(file: &mut File) -> io::Result<Option<(Vec<u8>, u64)>> {
    let mut block = [0; BLOCK_BYTES as usize];
    match file.read_exact(&mut block) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    if &block[257..262] != b"ustar" {
        return Ok(None);
    }
    let text = |field: &[u8]| field.split(|&byte| byte == 0).next().unwrap_or_default().to_vec();
    let name = text(&block[..100]);
    let size = String::from_utf8(text(&block[124..136])).ok();
    let Some(size) = size.and_then(|size| u64::from_str_radix(size.trim(), 8).ok()) else { return Ok(None) };
    Ok(Some((name.strip_prefix(b"./").unwrap_or(&name).to_vec(), size)))
}
