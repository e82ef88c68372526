//! What packages say about themselves, for the SBOM.

use selfsame_core::RelPath;
use selfsame_deb::licence_of_copyright;
use selfsame_lock::Part;
use selfsame_store::Store;

use super::root::Root;
use super::unpack::Unpacked;
use crate::context::Described;
use crate::resolve::FetchError;

/// More is in no copyright file.
const COPYRIGHT_BYTES: u64 = 4 << 20;

/// One for each part, in their order.
pub(super) fn describe(
    parts: &[Part],
    packages: &[Unpacked],
    root: &Root,
    store: &Store,
) -> Result<Vec<Described>, FetchError> {
    let mut described = Vec::new();
    for (at, (part, Unpacked { control, .. })) in parts.iter().zip(packages).enumerate() {
        let mut depends_on: Vec<String> = control
            .depends
            .iter()
            .filter_map(|group| answer(group, packages))
            .map(|at| parts[at].purl.to_string())
            .collect();
        depends_on.sort();
        depends_on.dedup();
        described.push(Described {
            purl: part.purl.to_string(),
            name: control.package.clone(),
            version: control.version.to_string(),
            licenses: licence(&control.package, root, store)?.into_iter().collect(),
            supplier: control.maintainer.clone(),
            files: root.files[at].clone(),
            depends_on,
        });
    }
    Ok(described)
}

/// The first of the set that a group of alternatives is answered by.
pub(super) fn answer(group: &[selfsame_deb::Relation], packages: &[Unpacked]) -> Option<usize> {
    group.iter().find_map(|relation| {
        let named =
            |package: &Unpacked| package.control.package == relation.name && relation.holds(&package.control.version);
        let provided = |package: &Unpacked| {
            package.control.provides.iter().filter(|provided| provided.name == relation.name).any(|provided| {
                match (&relation.version, &provided.version) {
                    (None, _) => true,
                    (Some(_), Some((_, version))) => relation.holds(version),
                    (Some(_), None) => false,
                }
            })
        };
        packages.iter().position(named).or_else(|| packages.iter().position(provided))
    })
}

/// What the copyright file of a package states, if it is one that machines can read.
fn licence(package: &str, root: &Root, store: &Store) -> Result<Option<String>, FetchError> {
    let Ok(path) = RelPath::new(format!("usr/share/doc/{package}/copyright")) else { return Ok(None) };
    let Some((digest, _)) = root.content(&path).filter(|(_, size)| *size <= COPYRIGHT_BYTES) else { return Ok(None) };
    let text = store.read_blob(&digest, COPYRIGHT_BYTES)?;
    Ok(licence_of_copyright(&String::from_utf8_lossy(&text)))
}
