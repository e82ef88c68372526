//! Predicates: exact bytes out, tolerant reading in.

use serde_json::{Map, Value, json};

use selfsame_attest::{
    ActionRun, BuildDefinition, Builder, Comparison, Cpu, Host, Inventory, InventoryDocument, Predicate, Provenance,
    RebuildStatement, RebuildVerdict, ResourceDescriptor, RunDetails, RunRecord, Tool, User, VerificationResult,
    VerificationSummary, Verifier,
};
use selfsame_core::{Digest, uri};

use crate::refused;

pub(crate) fn provenance() -> Provenance {
    let object = |value: Value| value.as_object().unwrap().clone();
    Provenance {
        build_definition: BuildDefinition {
            build_type: uri::BUILD_TYPE.into(),
            external_parameters: object(json!({"name": "hello", "version": "1.0.0"})),
            internal_parameters: object(json!({"profile": 1})),
            resolved_dependencies: vec![ResourceDescriptor {
                uri: "pkg:cargo/memchr@2.7.4".into(),
                name: "memchr-2.7.4.crate".into(),
                digest: Digest::of(b"memchr").into(),
                annotations: [("captured".to_owned(), json!(true))].into(),
                ..ResourceDescriptor::default()
            }],
        },
        run_details: RunDetails {
            builder: Builder { id: uri::BUILDER_LOCAL.into() },
            byproducts: vec![ResourceDescriptor {
                name: "sbom.cdx.json".into(),
                digest: Digest::of(b"sbom").into(),
                media_type: "application/vnd.cyclonedx+json".into(),
                ..ResourceDescriptor::default()
            }],
        },
    }
}

pub(crate) fn inventory() -> Inventory {
    let document = |predicate_type: &str| InventoryDocument {
        predicate_type: predicate_type.into(),
        sha256: Digest::of(predicate_type.as_bytes()),
    };
    let documents = [uri::COSIGN_SIGN, uri::PROVENANCE, uri::CYCLONEDX].map(document).to_vec();
    Inventory::new(documents, None)
}

pub(crate) fn run_record() -> RunRecord {
    RunRecord {
        release_id: Digest::of(b"inventory"),
        selfsame: Tool { version: "0.1.0".into(), sha256: Digest::of(b"selfsame") },
        started_at: "2023-11-14T22:13:20Z".into(),
        finished_at: "2023-11-14T22:13:21Z".into(),
        duration_ms: 1_234,
        host: Host {
            hostname: "builder-7".into(),
            kernel: "6.8.0".into(),
            machine: "x86_64".into(),
            cpu: Cpu { model: "Example CPU".into(), count: 2, flags: vec!["avx2".into(), "sse4_2".into()] },
        },
        user: User { uid: 1000, gid: 1000, rootless: true },
        actions: vec![ActionRun {
            name: "compile".into(),
            digest: Digest::of(b"action"),
            cached: false,
            duration_ms: 300,
        }],
        not_covered: vec!["supplementary groups".into()],
    }
}

pub(crate) fn rebuild() -> RebuildStatement {
    RebuildStatement {
        verdict: RebuildVerdict::Differs,
        release_id: Digest::of(b"inventory"),
        original: Digest::of(b"image"),
        rebuilt: Some(Digest::of(b"other")),
        compared: vec![Comparison {
            name: "image".into(),
            original: Digest::of(b"image"),
            rebuilt: Digest::of(b"other"),
        }],
        cause: "bin/hello differs at byte 120".into(),
        first_differing_action: "compile".into(),
        selfsame: Tool { version: "0.1.0".into(), sha256: Digest::of(b"selfsame") },
    }
}

pub(crate) fn summary() -> VerificationSummary {
    let attestation = |predicate_type: &str| ResourceDescriptor {
        uri: predicate_type.into(),
        digest: Digest::of(predicate_type.as_bytes()).into(),
        ..ResourceDescriptor::default()
    };
    VerificationSummary {
        verifier: Verifier {
            id: "https://example.com/verifier".into(),
            version: [("selfsame".into(), "0.1.0".into())].into(),
        },
        time_verified: "2026-11-20T00:00:00Z".into(),
        resource_uri: "oci://registry.example/team/hello:1.0.0".into(),
        policy: ResourceDescriptor {
            annotations: [("depth".to_owned(), json!("content"))].into(),
            ..attestation(uri::TRUST)
        },
        input_attestations: vec![attestation(uri::PROVENANCE), attestation(uri::INVENTORY)],
        verification_result: VerificationResult::Passed,
        verified_levels: vec!["SLSA_BUILD_LEVEL_1".into()],
        slsa_version: VerificationSummary::SLSA_VERSION.into(),
    }
}

#[track_caller]
fn round_trip<P: Predicate + PartialEq + std::fmt::Debug>(predicate: &P) {
    assert_eq!(P::parse(&predicate.to_json()).unwrap(), *predicate);
    let mut with_more = predicate.to_json();
    with_more.insert("fieldOfALaterVersion".into(), json!([1]));
    assert_eq!(P::parse(&with_more).unwrap(), *predicate, "unknown fields are ignored");
}

#[test]
fn every_predicate_reads_itself() {
    round_trip(&provenance());
    round_trip(&inventory());
    round_trip(&run_record());
    round_trip(&rebuild());
    round_trip(&summary());
    for verdict in RebuildVerdict::ALL {
        round_trip(&RebuildStatement { verdict, rebuilt: None, ..rebuild() });
    }
}

#[test]
fn null_is_absent() {
    let read = |resource: Value| serde_json::from_value::<ResourceDescriptor>(resource).unwrap();
    let null = json!({"uri": null, "digest": null, "name": null, "mediaType": null, "downloadLocation": null, "annotations": null});
    assert_eq!(read(null), ResourceDescriptor::default());
    assert_eq!(read(json!({})), ResourceDescriptor::default());
    let mut json = provenance().to_json();
    json["buildDefinition"]["resolvedDependencies"] = Value::Null;
    json["runDetails"]["byproducts"] = Value::Null;
    let read = Provenance::parse(&json).unwrap();
    assert!(read.build_definition.resolved_dependencies.is_empty() && read.run_details.byproducts.is_empty());
}

#[test]
fn required_fields_are_required() {
    let without = |pointer: &[&str]| {
        let mut json = Value::Object(provenance().to_json());
        let (last, parents) = pointer.split_last().unwrap();
        let parent = parents.iter().fold(&mut json, |value, name| &mut value[*name]);
        parent.as_object_mut().unwrap().remove(*last).unwrap();
        json.as_object().unwrap().clone()
    };
    for pointer in [
        &["buildDefinition"][..],
        &["buildDefinition", "buildType"],
        &["buildDefinition", "externalParameters"],
        &["runDetails"],
        &["runDetails", "builder"],
        &["runDetails", "builder", "id"],
    ] {
        refused(Provenance::parse(&without(pointer)), &format!("missing field `{}`", pointer.last().unwrap()));
    }
    refused(Inventory::parse(&Map::new()), "missing field `checked`");
    let mut digest = inventory().to_json();
    digest["documents"][0]["sha256"] = json!(Digest::of(b"x").to_string());
    refused(Inventory::parse(&digest), "is not a digest");
    let mut verdict = rebuild().to_json();
    verdict["verdict"] = json!("SAME");
    refused(RebuildStatement::parse(&verdict), "none of same, equivalent, differs, could-not-rebuild");
}

#[test]
fn an_inventory_is_sorted_and_says_why_it_is_not_checked() {
    let documents = inventory().documents;
    assert!(documents.is_sorted());
    let unchecked = Inventory::new(documents, Some("--no-check"));
    assert_eq!((unchecked.checked, unchecked.not_checked_because.as_str()), (false, "--no-check"));
}

#[test]
fn a_summary_says_all_that_it_has_to() {
    let with = |change: &dyn Fn(&mut Map<String, Value>)| {
        let mut json = summary().to_json();
        change(&mut json);
        VerificationSummary::parse(&json)
    };
    for field in ["verifier", "resourceUri", "policy", "verificationResult", "verifiedLevels"] {
        refused(with(&|json| drop(json.remove(field))), &format!("missing field `{field}`"));
    }
    let set = |field: &'static str, value: Value| with(&move |json| drop(json.insert(field.into(), value.clone())));
    refused(set("verificationResult", json!("passed")), "neither PASSED nor FAILED");
    refused(set("verificationResult", json!("FAILED")), "only there");
    refused(set("verifiedLevels", json!(["FAILED"])), "only there");
    refused(set("verifiedLevels", json!(["SLSA_BUILD_LEVEL_1", "SLSA_BUILD_LEVEL_3"])), "two levels of `SLSA_BUILD`");
    refused(set("verifiedLevels", json!(["SLSA_BUILD_LEVEL_9e9"])), "is not a level");
    refused(set("verifiedLevels", json!(vec!["A"; 65])), "more than 64");
    refused(set("resourceUri", json!("registry.example/hello")), "`resourceUri` is not a URI");
    refused(set("resourceUri", json!("oci:\u{1b}[2J")), "`resourceUri` is not a URI");
    refused(set("verifier", json!({"id": ""})), "`verifier.id` is not a URI");
    refused(set("policy", json!({"digest": {"sha256": "00"}})), "`policy.uri` is not a URI");
    refused(set("inputAttestations", json!([{"uri": "https://example.com/a"}])), "without a digest");
    refused(set("inputAttestations", json!(vec![json!({"digest": {"sha256": "00"}}); 1025])), "more than 1024");
    for time in
        ["yesterday", "2026-11-20", "2026-11-20T12:00:00+01:00", "2026-11-20T12:00:00.Z", "2026-02-30T12:00:00Z"]
    {
        refused(set("timeVerified", json!(time)), "`timeVerified` is not a time in UTC");
    }
    for time in [json!("2026-11-20T12:00:00.123456Z"), Value::Null] {
        set("timeVerified", time).unwrap();
    }
    let failed = with(&|json| {
        json.insert("verificationResult".into(), json!("FAILED"));
        json.insert("verifiedLevels".into(), json!(["FAILED"]));
    });
    assert_eq!(failed.unwrap().verification_result, VerificationResult::Failed);
}
