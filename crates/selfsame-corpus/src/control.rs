//! The good originals. A verifier that refuses these refuses everything, and has no score.

use std::collections::BTreeMap;

use selfsame_core::uri;

use crate::attack::{bundle_files, bundle_question, release_files, release_question, source_of_file};
use crate::case::{Case, Class, Content, Expected, Grounds, LOG_KEY, Question, TRUSTED_ROOT};
use crate::draft::Draft;
use crate::release::Parts;

type Files = BTreeMap<String, Content>;

/// Nobody who is asked about it could ask for a log.
fn without_log(mut files: Files) -> Files {
    files.retain(|name, _| name != LOG_KEY && name != TRUSTED_ROOT);
    files
}

pub(crate) fn cases() -> Vec<Case> {
    let case = |name: &str, says: &str, question: Question, files: Files| Case {
        name: format!("control/{name}"),
        item: None,
        class: Class::Control,
        says: says.to_owned(),
        question,
        expected: Expected::Accept,
        grounds: Grounds::Good,
        files,
    };
    let source = source_of_file();
    let sbom = source.changed(|it| {
        it.predicate_type = uri::CYCLONEDX.into();
        it.predicate = Parts::good().sbom;
    });
    vec![
        case(
            "provenance.file",
            "provenance about a file",
            bundle_question(uri::PROVENANCE),
            bundle_files(source.draft().to_bytes()),
        ),
        case(
            "provenance-in-no-log.file",
            "provenance about a file, without a log entry; no log is asked for",
            bundle_question(uri::PROVENANCE),
            without_log(bundle_files(Draft::statement(&source.statement).to_bytes())),
        ),
        case("sbom.file", "an SBOM about a file", bundle_question(uri::CYCLONEDX), bundle_files(sbom.bundle)),
        case("release.release", "a release", release_question(), release_files(&Parts::good().release())),
    ]
}
