//! What Python packages say about themselves.

use std::collections::BTreeMap;
use std::io::Read as _;

use flate2::read::MultiGzDecoder;
use selfsame_core::RelPath;
use selfsame_lock::Part;
use selfsame_pins::marker::Target;
use selfsame_pins::pypi::{Metadata, normal_name};
use selfsame_pins::zip::{Archive, Limits};
use selfsame_store::Store;

use crate::context::Described;
use crate::kinds::pinned::{BlobFile, PackagesError};
use crate::parallel;

/// The largest METADATA or PKG-INFO, and how far a source archive is read for it.
const METADATA_BYTES: u64 = 8 << 20;
const SOURCE_BYTES: u64 = 512 << 20;
const SOURCE_ENTRIES: usize = 100_000;

/// One description a part. Dependencies are those in the same input.
pub(super) fn all(parts: &[(String, &Part)], target: &Target, store: &Store) -> Result<Vec<Described>, PackagesError> {
    let read = parallel::try_map(parts, |(file, part)| metadata(file, part, store))?;
    let mut purls: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (metadata, (_, part)) in read.iter().zip(parts) {
        purls.entry(normal_name(&metadata.name)).or_default().push(part.purl.as_str());
    }
    let described = read.iter().zip(parts).map(|(metadata, (file, part))| {
        let needs = metadata.needs(target);
        let depends_on = needs.iter().filter_map(|name| purls.get(name)).flatten();
        let mut depends_on: Vec<String> = depends_on.map(|purl| (*purl).to_owned()).collect();
        depends_on.retain(|purl| purl != part.purl.as_str());
        Described {
            purl: part.purl.to_string(),
            name: metadata.name.clone(),
            version: metadata.version.clone(),
            licenses: metadata.licenses.clone(),
            supplier: metadata.supplier.clone(),
            files: RelPath::new(file.as_str()).into_iter().collect(),
            depends_on,
        }
    });
    Ok(described.collect())
}

fn metadata(file: &str, part: &Part, store: &Store) -> Result<Metadata, PackagesError> {
    let fault = |fault: String| PackagesError::package(file, fault);
    let blob = BlobFile::open(store, &part.sha256, part.size)?;
    let bytes = if file.ends_with(".tar.gz") {
        of_source(part, store).map_err(fault)?
    } else {
        let archive = Archive::open(&blob, Limits::PACKAGE).map_err(|error| fault(error.to_string()))?;
        let is_metadata = |name: &str| match name.split_once('/') {
            Some((folder, "METADATA")) => folder.ends_with(".dist-info"),
            Some((_, "PKG-INFO")) => !file.ends_with(".whl"),
            _ => false,
        };
        let member = archive.members().iter().find(|member| is_metadata(&member.name));
        let member = member.ok_or_else(|| fault("has no METADATA".to_owned()))?;
        archive.read_whole(member, METADATA_BYTES).map_err(|error| fault(error.to_string()))?
    };
    Metadata::parse(&bytes).map_err(|error| fault(error.to_string()))
}

/// `FOLDER/PKG-INFO` of a source archive. Only that entry is kept, and nothing is unpacked.
fn of_source(part: &Part, store: &Store) -> Result<Vec<u8>, String> {
    let blob = store.open_blob(&part.sha256).map_err(|error| error.to_string())?;
    let mut archive = tar::Archive::new(MultiGzDecoder::new(blob).take(SOURCE_BYTES));
    // Raw: names and records of any length would be read into memory otherwise. PKG-INFO has a short name.
    let entries = archive.entries().map_err(|error| error.to_string())?.raw(true);
    for entry in entries.take(SOURCE_ENTRIES) {
        let entry = entry.map_err(|error| format!("is damaged: {error}"))?;
        let name = entry.path_bytes();
        let mut parts = name.split(|byte| *byte == b'/');
        let (folder, file, rest) = (parts.next(), parts.next(), parts.next());
        if folder.is_some() && file == Some(b"PKG-INFO") && rest.is_none() {
            let mut bytes = Vec::new();
            entry.take(METADATA_BYTES).read_to_end(&mut bytes).map_err(|error| format!("is damaged: {error}"))?;
            return Ok(bytes);
        }
    }
    Err("has no PKG-INFO".to_owned())
}
