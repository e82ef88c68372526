//! What the release is called where no signature reaches: the index, Docker's `manifest.json`; and in the SBOM.

use selfsame_attest::text::quote;
use selfsame_oci::layout;

use super::blob::MOST_MANIFEST_BYTES;
use super::image::Image;
use super::layout::ReleaseIndex;
use super::provenance::external;
use super::sbom::text;
use crate::files::ReleaseFiles;
use crate::rows::Rows;
use crate::verdict::{CheckId, Fact};
use crate::verified::Evidence;

/// The `names` row.
pub(super) fn check(
    release: &dyn ReleaseFiles,
    index: &ReleaseIndex,
    image: &Image,
    evidence: &Evidence,
    rows: &mut Rows,
) {
    const ID: CheckId = CheckId::Names;
    let signed = |name| external(&evidence.provenance, name).unwrap_or_default();
    let reference = format!("{}:{}", signed("name"), signed("version"));
    let facts = |found: &str| vec![Fact::new("signed", quote(&reference)), Fact::new("found", quote(found))];
    if index.name != reference {
        return rows.fail(ID, "index.json files the image under another name than the signed one", facts(&index.name));
    }
    let component = |field: &str| {
        let component = evidence.sbom.get("metadata").and_then(|metadata| metadata.get("component"));
        component.and_then(|component| text(component, field)).unwrap_or_default()
    };
    let described = format!("{}:{}", component("name"), component("version"));
    if described != reference {
        return rows.fail(ID, "the SBOM describes something else than the signed name and version", facts(&described));
    }
    // Archives carry Docker's list as well, and `docker load` believes it.
    match release.read(layout::DOCKER_FILE, MOST_MANIFEST_BYTES) {
        Ok(None) => {}
        Ok(Some(bytes)) => {
            let wanted =
                layout::docker_file(&image.manifest.config, &image.manifest.layers, std::slice::from_ref(&reference));
            if bytes != wanted {
                let reason = format!("{} lists something else than this image under its name", layout::DOCKER_FILE);
                return rows.fail(ID, reason, Vec::new());
            }
        }
        Err(error) => return rows.unreadable(ID, format!("{} cannot be read: {error}", layout::DOCKER_FILE)),
    }
    rows.pass(ID, vec![Fact::new("name", quote(&reference))]);
}
