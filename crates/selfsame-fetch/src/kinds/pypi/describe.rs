//! What Python packages say about themselves.

use std::collections::BTreeMap;

use selfsame_core::RelPath;
use selfsame_lock::Part;
use selfsame_pins::marker::Target;
use selfsame_pins::pypi::{Metadata, normal_name};
use selfsame_pins::version::Version;
use selfsame_pins::wheel::{FileKind, FileName};
use selfsame_pins::zip::{Archive, Limits};
use selfsame_store::Store;

use crate::context::Described;
use crate::kinds::pinned::{BlobFile, PackagesError, tarball};
use crate::parallel;

/// The largest METADATA.
const METADATA_BYTES: u64 = 8 << 20;

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
        let mut found = archive.members().iter().filter(|member| is_metadata(&member.name));
        let member = found.next().ok_or_else(|| fault("has no METADATA".to_owned()))?;
        if let Some(other) = found.next() {
            return Err(fault(format!("has `{}` and `{}`, and readers disagree", member.name, other.name)));
        }
        archive.read_whole(member, METADATA_BYTES).map_err(|error| fault(error.to_string()))?
    };
    let said = Metadata::parse(&bytes).map_err(|error| fault(error.to_string()))?;
    // pip refuses it too: what is called one thing and says another is nobody's to name in an inventory. The names of
    // source archives can be read in two ways.
    if let Some(named) = FileName::parse(file).filter(|named| named.kind != FileKind::Source) {
        let other = said.version.parse::<Version>().is_ok_and(|version| version != named.version);
        if other || normal_name(&said.name) != named.name {
            let (name, version) = (said.name.escape_debug(), said.version.escape_debug());
            return Err(fault(format!("says that it is `{name}` `{version}`")));
        }
    }
    Ok(said)
}

/// `FOLDER/PKG-INFO` of a source archive.
fn of_source(part: &Part, store: &Store) -> Result<Vec<u8>, String> {
    let blob = store.open_blob(&part.sha256).map_err(|error| error.to_string())?;
    tarball::file_of(blob, part.size, "PKG-INFO")?.ok_or_else(|| "has no PKG-INFO".to_owned())
}
