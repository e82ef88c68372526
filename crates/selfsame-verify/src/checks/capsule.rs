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

/// The `capsule` row. Packs are opened at depth `content` alone, and only when every blob has its digest: what is not
/// what its descriptor says is not decompressed.
pub(super) fn check(
    release: &dyn ReleaseFiles,
    referrers: &Referrers,
    evidence: &Evidence,
    options: &Options,
    rows: &mut Rows,
) {
    const ID: CheckId = CheckId::Capsule;
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
                    packs.push((*part, tree));
                    tree
                }
                None => {
                    return rows.fail(ID, format!("pack {} names no tree that it belongs to", part.digest), Vec::new());
                }
            },
            _ => part.digest,
        };
        if !inputs.contains(&digest) {
            let facts = vec![Fact::new("media type", quote(&part.media_type)), Fact::new("digest", digest.to_string())];
            return rows.fail(ID, "the capsule holds something that is no input of the provenance", facts);
        }
    }
    let mut facts = vec![Fact::new("parts", parts.len().to_string())];
    if options.depth < Depth::Content {
        if !packs.is_empty() {
            facts.push(Fact::new("packs not opened", packs.len().to_string()));
        }
        return rows.pass(ID, facts);
    }
    if !rows.passed(CheckId::Blobs) {
        return rows.skip(ID, "not reached: `blobs` failed", facts);
    }
    for (pack, tree) in packs {
        if let Err(reason) = open_pack(release, pack, tree, &trees) {
            return rows.fail(ID, format!("pack {}: {reason}", pack.digest), Vec::new());
        }
    }
    rows.pass(ID, facts);
}

fn pack_tree(pack: &Descriptor) -> Option<Digest> {
    pack.annotations.get(TREE_ANNOTATION)?.parse().ok()
}

/// Whether everything in a pack is content of the tree that it belongs to.
fn open_pack(
    release: &dyn ReleaseFiles,
    pack: &Descriptor,
    tree: Digest,
    trees: &BTreeMap<Digest, &Descriptor>,
) -> Result<(), String> {
    let reader = release.open(&selfsame_oci::layout::blob_path(pack.digest)).map_err(|error| error.to_string())?;
    let reader = reader.ok_or("it is missing")?;
    let read = read_pack(reader, &pack.media_type, Limits::LAYER, &mut ()).map_err(|error| told(&error))?;
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
