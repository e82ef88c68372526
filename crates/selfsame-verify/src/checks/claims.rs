//! The packages of the SBOM against the files of the image: what they say is theirs is there, and what nobody claims.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use selfsame_attest::text::quote;
use selfsame_core::RelPath;
use selfsame_core::json::Node;
use selfsame_tree::{Entry, Kind, Tree};

use super::sbom::{is_input, text};
use crate::rows::Rows;
use crate::verdict::{CheckId, Fact};
use crate::verified::Evidence;

/// How the SBOM refers to a file of the image.
const FILE: &str = "file:";
/// The most files that nobody claims of which the names are told.
const MOST_NAMED: usize = 12;
/// The most paths that a policy is told, of each kind.
const MOST_PATHS: usize = 1000;

/// What the files of the image and the packages of the SBOM say of one another.
#[derive(Clone, Debug, Default)]
pub(crate) struct Claimed {
    pub(crate) files: usize,
    pub(crate) bytes: u64,
    /// What no package claims.
    pub(crate) unclaimed_files: usize,
    pub(crate) unclaimed_bytes: u64,
    /// The first of them.
    pub(crate) unclaimed: Vec<String>,
    /// Files that run as their owner or group, or with capabilities of their own.
    pub(crate) setuid: Vec<String>,
    /// Packages that neither an input nor a file of the image shows.
    pub(crate) untraced: Vec<Package>,
}

/// A package of the SBOM, as it names itself.
#[derive(Clone, Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) purl: String,
}

/// The `claims` row. The image's files are those of the SBOM; that has been looked at.
pub(super) fn check(tree: &Tree, evidence: &Evidence, rows: &mut Rows) -> Option<Claimed> {
    const ID: CheckId = CheckId::Claims;
    let sizes: BTreeMap<String, u64> = tree
        .iter()
        .filter_map(|(path, _)| tree.content(path.as_str()).map(|(_, size)| (format!("/{path}"), size)))
        .collect();
    let packages: BTreeMap<Cow<'_, str>, Node<'_>> = evidence.sbom.objects("components").filter_map(package).collect();
    let mut claimed: BTreeSet<Cow<'_, str>> = BTreeSet::new();
    let mut traced: BTreeSet<Cow<'_, str>> = BTreeSet::new();
    for entry in evidence.sbom.objects("dependencies") {
        let Some(reference) = text(entry, "ref").filter(|it| packages.contains_key(it)) else {
            continue;
        };
        let needed = entry.get("dependsOn").and_then(|needed| needed.as_array()).into_iter().flatten();
        for path in needed.filter_map(|needed| file_of(needed.as_str()?)) {
            if !sizes.contains_key(&*path) {
                let fault = format!("`{}` claims `{}`, which is not in the image", quote(&reference), quote(&path));
                rows.fail(ID, fault, Vec::new());
                return None;
            }
            claimed.insert(path);
            traced.insert(reference.clone());
        }
    }
    let places = places(tree);
    for (reference, component) in &packages {
        let places_of = component.get("evidence").map(|evidence| evidence.objects("occurrences")).unwrap_or_default();
        for place in places_of {
            // Others name a lock, or what the image stands on.
            let Some(place) = text(place, "location").filter(|place| place.starts_with('/')) else { continue };
            if !places.contains(place.trim_end_matches('/')) {
                let fault =
                    format!("`{}` was found at `{}`, which is not in the image", quote(reference), quote(&place));
                rows.fail(ID, fault, Vec::new());
                return None;
            }
            traced.insert(reference.clone());
        }
        if is_input(*component) {
            traced.insert(reference.clone());
        }
    }
    let unclaimed: Vec<(&str, u64)> = sizes
        .iter()
        .filter(|(path, _)| !claimed.contains(path.as_str()))
        .map(|(path, size)| (path.as_str(), *size))
        .collect();
    let sum = |bytes: &mut dyn Iterator<Item = u64>| bytes.fold(0, u64::saturating_add);
    let (all_bytes, bytes) = (sum(&mut sizes.values().copied()), sum(&mut unclaimed.iter().map(|(_, size)| *size)));
    let mut facts = vec![
        Fact::new("packages", packages.len().to_string()),
        Fact::new("traced to an input or a file", traced.len().to_string()),
        Fact::new("files", sizes.len().to_string()),
        Fact::new("claimed by no package", share(unclaimed.len(), sizes.len(), bytes, all_bytes)),
    ];
    facts.extend(unclaimed.iter().take(MOST_NAMED).map(|(path, _)| Fact::new("unclaimed", quote(path))));
    rows.pass(ID, facts);
    let word = |component: Node<'_>, name: &str| text(component, name).unwrap_or_default().into_owned();
    let named = |component: Node<'_>| Package {
        name: word(component, "name"),
        version: word(component, "version"),
        purl: word(component, "purl"),
    };
    let untraced = packages.iter().filter(|(reference, _)| !traced.contains(*reference));
    Some(Claimed {
        files: sizes.len(),
        bytes: all_bytes,
        unclaimed_files: unclaimed.len(),
        unclaimed_bytes: bytes,
        unclaimed: unclaimed.iter().take(MOST_PATHS).map(|(path, _)| (*path).to_owned()).collect(),
        setuid: setuid(tree),
        untraced: untraced.map(|(_, component)| named(*component)).collect(),
    })
}

/// Files that give whoever runs them more than they had.
fn setuid(tree: &Tree) -> Vec<String> {
    let lends = |(_, entry): &(&RelPath, &Entry)| {
        let file = matches!(entry.kind, Kind::File { .. } | Kind::HardLink { .. });
        file && (entry.mode & 0o6000 != 0 || entry.xattrs.contains_key("security.capability"))
    };
    tree.iter().filter(lends).take(MOST_PATHS).map(|(path, _)| format!("/{path}")).collect()
}

/// Every path of the image, and every folder above one, whether the layers name it or not.
fn places(tree: &Tree) -> BTreeSet<String> {
    let mut places = BTreeSet::new();
    for (path, _) in tree.iter() {
        let mut place = format!("/{path}");
        while !place.is_empty() && places.insert(place.clone()) {
            place.truncate(place.rfind('/').unwrap_or(0));
        }
    }
    places
}

/// A component that is no file, by what others refer to it by.
fn package(component: Node<'_>) -> Option<(Cow<'_, str>, Node<'_>)> {
    let is_file = component.get("type").is_some_and(|kind| kind.is("file"));
    let reference = component.get("bom-ref").or_else(|| component.get("purl"))?.as_str()?;
    (!is_file).then_some((reference, component))
}

/// The path of a file of the image that is referred to.
fn file_of(reference: Cow<'_, str>) -> Option<Cow<'_, str>> {
    match reference {
        Cow::Borrowed(text) => text.strip_prefix(FILE).map(Cow::Borrowed),
        Cow::Owned(text) => text.strip_prefix(FILE).map(|path| Cow::Owned(path.to_owned())),
    }
}

/// `3 of 4 files, 91.7 % of the bytes`
fn share(files: usize, of_files: usize, bytes: u64, of_bytes: u64) -> String {
    let tenths = u128::from(bytes) * 1000 / u128::from(of_bytes.max(1));
    format!("{files} of {of_files} files, {}.{} % of the bytes", tenths / 10, tenths % 10)
}
