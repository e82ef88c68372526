//! The capsule: inputs of the build beside the release. Each is named by content in the signed provenance, so it needs
//! no signature of its own and may be taken away.

use std::collections::{BTreeMap, BTreeSet};

use selfsame_attest::text::quote;
use selfsame_core::{Digest, media};
use selfsame_oci::{Descriptor, Limits, read_pack};
use selfsame_tree::Tree;

use super::blob::{self, MOST_DOCUMENT_BYTES};
use super::referrers::Referrers;
use crate::files::ReleaseFiles;
use crate::options::{Depth, Options};
use crate::rows::{Rows, told};
use crate::verdict::{CheckId, Fact};
use crate::verified::Evidence;

/// The annotation of a pack that names the tree whose files it holds.
const TREE_ANNOTATION: &str = "dev.selfsame.tree";

const ID: CheckId = CheckId::Capsule;

/// The packs of a capsule in which everything is an input of the build.
pub(super) struct Packs<'a> {
    packs: Vec<Pack<'a>>,
    trees: BTreeMap<Digest, &'a Descriptor>,
    facts: Vec<Fact>,
}

/// Contents of the files of one tree.
#[derive(Clone, Copy)]
pub(super) struct Pack<'a> {
    pub(super) descriptor: &'a Descriptor,
    tree: Digest,
}

/// The `capsule` row as far as it goes without opening packs. They are opened at depth `content` alone, and only when
/// every blob has its digest: what is not what its descriptor says is not decompressed.
pub(super) fn list<'a>(
    referrers: &'a Referrers,
    evidence: &Evidence,
    options: &Options,
    rows: &mut Rows,
) -> Option<Packs<'a>> {
    let inputs: BTreeSet<Digest> = evidence
        .provenance
        .build_definition
        .resolved_dependencies
        .iter()
        .filter_map(|input| input.digest.sha256())
        .collect();
    let parts: Vec<&Descriptor> = referrers.capsules.iter().flat_map(|capsule| &capsule.manifest.layers).collect();
    let trees: BTreeMap<Digest, &Descriptor> =
        parts.iter().filter(|part| part.media_type == media::TREE).map(|part| (part.digest, *part)).collect();
    let mut packs = Vec::new();
    for part in &parts {
        let digest = match part.media_type.as_str() {
            media::PACK => match pack_tree(part) {
                Some(tree) => {
                    packs.push(Pack { descriptor: part, tree });
                    tree
                }
                None => {
                    rows.fail(ID, format!("pack {} names no tree that it belongs to", part.digest), Vec::new());
                    return None;
                }
            },
            _ => part.digest,
        };
        if !inputs.contains(&digest) {
            let facts = vec![Fact::new("media type", quote(&part.media_type)), Fact::new("digest", digest.to_string())];
            rows.fail(ID, "the capsule holds something that is no input of the provenance", facts);
            return None;
        }
    }
    let mut facts = vec![Fact::new("parts", parts.len().to_string())];
    if options.depth < Depth::Content {
        if !packs.is_empty() {
            facts.push(Fact::new("packs not opened", packs.len().to_string()));
        }
        rows.pass(ID, facts);
        return None;
    }
    if !rows.passed(CheckId::Blobs) {
        rows.skip(ID, "not reached: `blobs` failed", facts);
        return None;
    }
    Some(Packs { packs, trees, facts })
}

impl<'a> Packs<'a> {
    /// What there is to open.
    pub(super) fn iter(&self) -> impl Iterator<Item = Pack<'a>> {
        self.packs.iter().copied()
    }

    /// The rest of the row, from what came of opening each.
    pub(super) fn report(self, opened: impl IntoIterator<Item = Result<(), String>>, rows: &mut Rows) {
        for (pack, opened) in self.packs.iter().zip(opened) {
            if let Err(reason) = opened {
                return rows.fail(ID, format!("pack {}: {reason}", pack.descriptor.digest), Vec::new());
            }
        }
        rows.pass(ID, self.facts);
    }

    /// Whether everything in a pack is content of the tree that it belongs to.
    pub(super) fn open(&self, release: &dyn ReleaseFiles, pack: Pack<'_>, limit_bytes: u64) -> Result<(), String> {
        open_pack(release, pack.descriptor, pack.tree, &self.trees, limit_bytes)
    }
}

fn pack_tree(pack: &Descriptor) -> Option<Digest> {
    pack.annotations.get(TREE_ANNOTATION)?.parse().ok()
}

fn open_pack(
    release: &dyn ReleaseFiles,
    pack: &Descriptor,
    tree: Digest,
    trees: &BTreeMap<Digest, &Descriptor>,
    limit_bytes: u64,
) -> Result<(), String> {
    let reader = release.open(&selfsame_oci::layout::blob_path(pack.digest)).map_err(|error| error.to_string())?;
    let reader = reader.ok_or("it is missing")?;
    let limits = Limits { diff_size_bytes: limit_bytes, ..Limits::LAYER };
    let read = read_pack(reader, &pack.media_type, limits, &mut ()).map_err(|error| told(&error))?;
    if read.tree.digest() == tree {
        return Ok(());
    }
    let listed = trees.get(&tree).ok_or("the capsule lacks the tree that it belongs to")?;
    let text = blob::read(release, listed, MOST_DOCUMENT_BYTES).map_err(|fault| fault.to_string())?;
    let text = std::str::from_utf8(&text).map_err(|error| error.to_string())?;
    let wanted = text.parse::<Tree>().map_err(|error| told(&error))?.contents();
    match read.tree.contents().into_keys().find(|content| !wanted.contains_key(content)) {
        Some(content) => Err(format!("holds a file {content}, which its tree does not have")),
        None => Ok(()),
    }
}
