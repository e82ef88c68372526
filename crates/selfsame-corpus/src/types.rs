//! What kind of statement it is.

use selfsame_attest::{ResourceDescriptor, Statement, VerificationResult, VerificationSummary, Verifier};
use selfsame_core::{media, uri};
use serde_json::{Map, Value, json};

use crate::attack::Answer::{self, No, NotAsked, Yes};
use crate::attack::{Attack, Made, Source, attack};
use crate::case::Grounds::{Content, Forged, Good, Malformed};
use crate::draft::{Draft, signed};
use crate::keys;
use crate::release::Parts;

const SIGNED: [Answer; 2] = [No("signature", "not made by this key"), No("signatures", "not made by this key")];
const PAYLOAD: [Answer; 2] = [No("signature", "payload type is"), No("signatures", "payload type is")];
const LABEL: &str = "is labelled `https://slsa.dev/provenance/v1`";

pub(crate) fn attacks() -> Vec<Attack> {
    let mut attacks = payload_types();
    attacks.extend(statement_types());
    attacks.extend(predicates());
    attacks.extend(summaries());
    attacks
}

fn payload_types() -> Vec<Attack> {
    let typed = |source: &Source, payload_type: &str| Made::from(Draft::typed(payload_type, source.payload()));
    vec![
        attack(14, "payload-type-changed", "the payload's type was changed after it was signed", Forged, SIGNED, |s| {
            let mut draft = s.draft();
            draft.payload_type = "application/json".into();
            draft.into()
        }),
        attack(14, "payload-type-json", "signed as plain JSON, by the right key", Malformed, PAYLOAD, move |s| {
            typed(s, "application/json")
        }),
        attack(14, "payload-type-case", "the payload's type is right but for capital letters", Malformed, PAYLOAD, {
            move |s| typed(s, "application/vnd.in-toto+JSON")
        }),
        attack(14, "payload-type-empty", "the payload's type is the empty text", Malformed, PAYLOAD, move |s| {
            typed(s, "")
        }),
        attack(
            14,
            "pae-shifted",
            "bytes moved from the type to the payload, so that both together stay what was signed",
            Forged,
            SIGNED,
            |source| {
                // Signed: one type, and a payload that begins with a length and a whole statement.
                let statement = source.payload();
                let inner = format!("{} {statement}", statement.len());
                let mut draft = Draft::typed("application/vnd.in-toto+json", inner);
                draft.payload = statement.into_bytes();
                draft.payload_type = media::IN_TOTO.into();
                draft.into()
            },
        ),
        attack(14, "pae-version", "signed with the prefix of another version of DSSE", Forged, SIGNED, |source| {
            let mut draft = source.draft();
            let pae = String::from_utf8(draft.pae()).expect("text").replacen("DSSEv1", "DSSEv2", 1);
            *draft.signature() = signed(&keys::signer(), pae.as_bytes());
            draft.into()
        }),
    ]
}

fn statement_types() -> Vec<Attack> {
    let kind = |because| [No("statement", because), No("statements", because)];
    let gone = [No("type", "of another type than was asked for"), No("statements", LABEL)];
    vec![
        attack(
            15,
            "statement-v9",
            "a statement of a version that does not exist",
            Malformed,
            kind("`_type` is"),
            |s| s.respelled("in-toto.io/Statement/v1", "in-toto.io/Statement/v9"),
        ),
        attack(15, "statement-v0.1", "a statement of the first version", Malformed, kind("`_type` is"), |s| {
            s.respelled("in-toto.io/Statement/v1", "in-toto.io/Statement/v0.1")
        }),
        attack(
            15,
            "statement-untyped",
            "nothing says that it is a statement",
            Malformed,
            kind("`_type` is missing"),
            |s| s.respelled("\"_type\":", "\"type\":"),
        ),
        attack(16, "another-type", "a statement of another type about the right file", Forged, gone, |s| {
            s.changed(|it| it.predicate_type = "https://example.com/review/v1".into())
        }),
        attack(16, "type-with-a-suffix", "the type goes on where the right one ends", Forged, gone, |s| {
            s.changed(|it| it.predicate_type.push('x'))
        }),
        attack(16, "type-with-a-slash", "a slash stands behind the type", Forged, gone, |s| {
            s.changed(|it| it.predicate_type.push('/'))
        }),
        attack(16, "type-cut", "the type ends before its version", Forged, gone, |s| {
            s.changed(|it| it.predicate_type = "https://slsa.dev/provenance".into())
        }),
        attack(16, "type-in-capitals", "the type is right but for capital letters", Forged, gone, |s| {
            s.changed(|it| it.predicate_type = "https://SLSA.dev/provenance/v1".into())
        }),
        attack(
            16,
            "type-missing",
            "nothing says what type it is",
            Malformed,
            kind("`predicateType` is missing"),
            |s| s.respelled("\"predicateType\":", "\"type\":"),
        ),
        attack(16, "type-empty", "the type is the empty text", Malformed, kind("`predicateType` is not a URI"), |s| {
            s.changed(|it| it.predicate_type.clear())
        }),
        attack(16, "type-null", "the type is null", Malformed, kind("`predicateType` is"), |s| {
            s.respelled("\"predicateType\":\"https://slsa.dev/provenance/v1\"", "\"predicateType\":null")
        }),
    ]
}

fn predicates() -> Vec<Attack> {
    let body = |because| [No("builder", because), No("build-type", because)];
    vec![
        attack(
            17,
            "sbom-as-provenance",
            "an SBOM where provenance was asked for",
            Forged,
            [No("type", "of another type"), No("statements", LABEL)],
            |source| {
                source.changed(|it| {
                    it.predicate_type = uri::CYCLONEDX.into();
                    it.predicate = Parts::good().sbom;
                })
            },
        ),
        attack(
            17,
            "sbom-under-the-type-of-provenance",
            "an SBOM's content under the type of provenance",
            Content,
            body("missing field `buildDefinition`"),
            |source| source.changed(|it| it.predicate = Parts::good().sbom),
        ),
        attack(
            17,
            "nothing-under-the-type-of-provenance",
            "the type of provenance, and an empty predicate",
            Content,
            body("missing field `buildDefinition`"),
            |source| source.changed(|it| it.predicate.clear()),
        ),
        attack(
            19,
            "provenance-v0.2-under-v1",
            "provenance as SLSA 0.2 wrote it, under the type of version 1",
            Content,
            body("missing field `buildDefinition`"),
            |source| source.changed(|it| it.predicate = old_provenance()),
        ),
        attack(
            19,
            "provenance-v0.2",
            "provenance of SLSA 0.2, where version 1 was asked for",
            Forged,
            [No("type", "of another type"), No("statements", LABEL)],
            |source| {
                source.changed(|it| {
                    it.predicate_type = "https://slsa.dev/provenance/v0.2".into();
                    it.predicate = old_provenance();
                })
            },
        ),
    ]
}

/// A summary that says this.
fn summary(result: VerificationResult, levels: &[&str]) -> Map<String, Value> {
    let summary = VerificationSummary {
        verifier: Verifier { id: "https://example.com/verifier".into(), version: Default::default() },
        time_verified: String::new(),
        resource_uri: "https://example.com/artifact".into(),
        policy: ResourceDescriptor { uri: "https://example.com/policy".into(), ..ResourceDescriptor::default() },
        input_attestations: Vec::new(),
        verification_result: result,
        verified_levels: levels.iter().map(|level| (*level).to_owned()).collect(),
        slsa_version: "1.2".into(),
    };
    Statement::new(Vec::new(), &summary).predicate
}

fn summaries() -> Vec<Attack> {
    vec![
        attack(
            18,
            "summary-as-provenance",
            "somebody's verification summary where provenance was asked for",
            Forged,
            [No("type", "of another type"), No("statements", LABEL)],
            |source| {
                source.changed(|it| {
                    it.predicate_type = uri::VSA.into();
                    it.predicate = summary(VerificationResult::Passed, &["SLSA_BUILD_LEVEL_3"]);
                })
            },
        ),
        attack(
            18,
            "summary-in-place-of-provenance",
            "a release with a verification summary for its provenance, filed as what it is",
            Content,
            [NotAsked, No("evidence-set", "no provenance")],
            |source| {
                let made = source.changed(|it| {
                    it.predicate_type = uri::VSA.into();
                    it.predicate = summary(VerificationResult::Passed, &["SLSA_BUILD_LEVEL_3"]);
                });
                Made { label: Some(uri::VSA), ..made }
            },
        ),
        attack(
            18,
            "summary-under-the-type-of-provenance",
            "a verification summary's content under the type of provenance",
            Content,
            [No("builder", "missing field `buildDefinition`"), No("build-type", "missing field `buildDefinition`")],
            |source| source.changed(|it| it.predicate = summary(VerificationResult::Passed, &["SLSA_BUILD_LEVEL_3"])),
        ),
    ]
}

/// What a reader of summaries is asked about: a bundle of one.
pub(crate) fn summary_cases() -> Vec<crate::case::Case> {
    use crate::attack::{bundle_files, bundle_question, source_of_file};
    let case = |name: &str, says: &str, item: Option<u8>, expected: Answer, body: Map<String, Value>| {
        let made = source_of_file().changed(|it| {
            it.predicate_type = uri::VSA.into();
            it.predicate = body;
        });
        let good = matches!(expected, Yes);
        let class = if good { crate::case::Class::Control } else { crate::case::Class::Types };
        crate::case::Case {
            name: format!("{}/{name}.file", class.as_str()),
            item,
            class,
            says: says.to_owned(),
            question: bundle_question(uri::VSA),
            expected: expected.expected().expect("it is asked"),
            grounds: if good { Good } else { Content },
            files: bundle_files(made.bundle),
        }
    };
    let mut unleveled = summary(VerificationResult::Passed, &[]);
    unleveled.remove("verifiedLevels");
    let mut odd = summary(VerificationResult::Passed, &["SLSA_BUILD_LEVEL_3"]);
    odd.insert("verificationResult".to_owned(), json!("passed"));
    let passed = VerificationResult::Passed;
    vec![
        case("summary", "a verification summary that says PASSED", None, Yes, summary(passed, &["SLSA_BUILD_LEVEL_3"])),
        case(
            "summary-failed",
            "a verification summary that says FAILED",
            Some(18),
            No("summary", "says FAILED"),
            summary(VerificationResult::Failed, &[VerificationSummary::NO_LEVEL]),
        ),
        case(
            "summary-without-levels",
            "a verification summary that has no levels",
            Some(18),
            No("summary", "missing field `verifiedLevels`"),
            unleveled,
        ),
        case(
            "summary-of-no-level",
            "a verification summary whose list of levels is empty",
            Some(18),
            No("summary", "names no level"),
            summary(passed, &[]),
        ),
        case(
            "summary-failed-at-a-level",
            "a verification summary that says PASSED, at the level FAILED",
            Some(18),
            No("summary", "`FAILED` alone"),
            {
                let mut body = summary(passed, &["SLSA_BUILD_LEVEL_3"]);
                body.insert("verifiedLevels".to_owned(), json!(["FAILED"]));
                body
            },
        ),
        case(
            "summary-of-another-answer",
            "a verification summary whose result is neither PASSED nor FAILED",
            Some(18),
            No("summary", "neither PASSED nor FAILED"),
            odd,
        ),
    ]
}

/// A predicate as builders wrote it before SLSA 1.0.
fn old_provenance() -> Map<String, Value> {
    let value = json!({
        "builder": {"id": uri::BUILDER_LOCAL},
        "buildType": "https://example.com/Makefile",
        "invocation": {
            "configSource": {
                "uri": "git+https://example.com/hello",
                "digest": {"sha1": "5b45fdae09d05e75ef6a3fc09dcd1dbfea4ccfce"},
                "entryPoint": "build",
            },
            "parameters": {},
            "environment": {},
        },
        "metadata": {
            "buildStartedOn": "2023-11-14T22:13:20Z",
            "completeness": {"parameters": true, "environment": false, "materials": false},
            "reproducible": false,
        },
        "materials": [{"uri": "git+https://example.com/hello", "digest": {"sha1": "5b45fdae09d05e75ef6a3fc09dcd1dbfea4ccfce"}}],
    });
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
