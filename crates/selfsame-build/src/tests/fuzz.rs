//! Provenance and capsules of others.

use selfsame_attest::{Provenance, Statement, Subject};
use selfsame_core::{Digest, media};
use selfsame_oci::Descriptor;
use selfsame_testing::fuzz::{answer, fuzz};

use super::{COLD, built, world};
use crate::capsule;
use crate::provenance::{provenance_of, request_digest, request_from};

#[test]
fn fuzz_provenance() {
    let (_folder, store) = world();
    let provenance = provenance_of(&built(&store, COLD).record);
    let payload = Statement::new(vec![Subject::new("a:1", Digest::of(b"x"))], &provenance).to_payload();
    let words = [
        "\"externalParameters\":{",
        "\"resolvedDependencies\":[",
        "\"uri\":\"",
        "\"annotations\":{",
        "\"epoch\":",
        "\"relaxations\":{",
        "pkg:",
        "null",
        "selfsame:",
    ];
    fuzz("provenance", &[&payload], &words, |bytes| {
        let statement = Statement::parse(bytes).map_err(|error| error.to_string())?;
        let provenance = statement.predicate_as::<Provenance>().map_err(|error| error.to_string())?;
        let request = request_from(&provenance);
        if let Ok(request) = &request {
            let _ = request_digest(request);
            let _ = capsule::parts(request, capsule::Extent::Full);
        }
        answer(request)
    });
}

/// A pack that says that it is what it is.
#[test]
fn fuzz_pack() {
    let (_folder, store) = world();
    let inputs = super::inputs(&store);
    let part = capsule::parts(&inputs.request, capsule::Extent::Full);
    let part = part.iter().find(|part| part.holds == capsule::Holds::Files).expect("files");
    let descriptor = capsule::blob(part, inputs.request.profile, &store, 1).expect("a pack");
    let packed = store.read_blob(&descriptor.digest, 1 << 20).expect("a small pack");
    let mut tar = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(packed.as_slice()), &mut tar).expect("a tar");
    let (_folder, empty) = world();
    fuzz("pack", &[&tar], &["../", "ustar\x0000", "27 path=a/b\n", "11 size=1\n", ".wh.x"], |bytes| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let tar = selfsame_testing::fuzz::checksummed(bytes);
        std::io::Write::write_all(&mut encoder, &tar).expect("memory");
        let packed = encoder.finish().expect("memory");
        let mut named = Descriptor::of(media::PACK, &packed);
        named.annotations.clone_from(&descriptor.annotations);
        answer(capsule::import(&named, packed.as_slice(), &empty))
    });
}
