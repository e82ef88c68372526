mod checks;
mod fixtures;
mod foreign;
mod properties;

use fixtures::{c_like, minimal, rust_like};
use serde_json::Value;

use crate::{Completeness, Edge, Facts, Input, License, Node, bytes, document, license};

fn built(facts: &Facts) -> Value {
    document(facts).unwrap()
}

fn refused(facts: &Facts, because: &str) {
    let error = document(facts).unwrap_err().to_string();
    assert!(error.contains(because), "{error}");
}

/// Changing this document changes digests: a new profile is due.
#[test]
fn golden_bytes_of_a_small_release() {
    let document = built(&minimal());
    insta::assert_snapshot!(serde_json::to_string_pretty(&document).unwrap());
    insta::assert_snapshot!(selfsame_core::Digest::of(&bytes(&document)), @"sha256:e4179b9eb6d87ec300dd92cd1604b4baa58b62fc6856fa7a32b44d237a88c940");
}

#[test]
fn golden_digests_of_larger_releases() {
    insta::assert_snapshot!(selfsame_core::Digest::of(&bytes(&built(&rust_like(50)))), @"sha256:3bf65a7a2e08cbf7723574f39ccf8ebc1163aefdb9e75b3be995f7eb0b354306");
    insta::assert_snapshot!(selfsame_core::Digest::of(&bytes(&built(&c_like()))), @"sha256:f88a1bf84a10876631ea47599d04c32d718fddbc573a654d082f3d423b96efc6");
}

#[test]
fn the_serial_number_follows_the_body() {
    let (one, again) = (built(&minimal()), built(&minimal()));
    assert_eq!(one, again);
    let mut other = minimal();
    other.publisher.name = Some("Another Ltd".into());
    assert_ne!(one["serialNumber"], built(&other)["serialNumber"]);
    let mut body = one.clone();
    body.as_object_mut().unwrap().remove("serialNumber");
    let serial = uuid::Uuid::new_v5(&crate::SERIAL_NAMESPACE, &bytes(&body));
    assert_eq!(one["serialNumber"], format!("urn:uuid:{serial}"));
    assert_eq!(
        crate::SERIAL_NAMESPACE,
        uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, b"https://selfsame.dev/sbom/v1")
    );
}

#[test]
fn nothing_is_said_of_an_unknown_publisher() {
    let mut facts = minimal();
    facts.publisher = crate::Publisher::default();
    facts.license = None;
    let document = built(&facts);
    for absent in ["/metadata/manufacturer", "/metadata/supplier", "/metadata/component/manufacturer"] {
        assert_eq!(document.pointer(absent), None, "{absent}");
    }
    let text = document.to_string();
    assert!(!text.contains("licenses") && !text.contains("security-contact"), "{text}");
}

#[test]
fn the_version_of_the_tool_is_not_in_the_document() {
    let document = built(&minimal());
    assert_eq!(
        document.pointer("/metadata/tools/components"),
        Some(&serde_json::json!([{ "type": "application", "name": "selfsame" }]))
    );
    assert!(document.pointer("/metadata/tools/components/0/version").is_none());
}

/// `verify` looks for each of these in the provenance's `resolvedDependencies`.
#[test]
fn locked_inputs_are_marked_only_where_purl_and_digest_agree() {
    let mut facts = rust_like(3);
    let marked = |facts: &Facts| -> Vec<String> {
        let document = built(facts);
        let shipped = document["components"].as_array().unwrap().iter();
        let built_with = document["formulation"][0]["components"].as_array().unwrap().iter();
        let is_input = |component: &&Value| {
            component["properties"].as_array().unwrap().iter().any(|p| p["name"] == crate::PROPERTY_INPUT)
        };
        shipped.chain(built_with).filter(is_input).map(|c| c["purl"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(marked(&facts).len(), 4, "three crates and the macro crate");
    facts.inputs[0].sha256 = selfsame_core::Digest::of(b"other bytes");
    // The part is no longer an input; the input, whose URI is a purl, stands for itself.
    let document = built(&facts);
    let component =
        &document["components"].as_array().unwrap().iter().find(|c| c["purl"] == facts.inputs[0].uri.as_str()).unwrap();
    assert!(!component["properties"].to_string().contains(crate::PROPERTY_INPUT));
    assert_eq!(marked(&facts).len(), 4);
}

#[test]
fn build_inputs_and_shipped_parts_are_kept_apart() {
    let document = built(&rust_like(3));
    let refs = |pointer: &str| -> Vec<&str> {
        document.pointer(pointer).unwrap().as_array().unwrap().iter().map(|c| c["bom-ref"].as_str().unwrap()).collect()
    };
    assert_eq!(
        refs("/components"),
        ["file:/bin/app", "pkg:cargo/part-0@0.1.0", "pkg:cargo/part-1@0.1.1", "pkg:cargo/part-2@0.1.2"]
    );
    let formulation = refs("/formulation/0/components");
    assert!(formulation.contains(&"build:pkg:cargo/derive-macro@1.0.0"), "{formulation:?}");
    assert!(!document["dependencies"].to_string().contains("derive-macro"), "the graph is of what is shipped");
    let neededby = document["formulation"][0]["components"].to_string();
    assert!(neededby.contains(r#"{"name":"selfsame:neededBy","value":"pkg:cargo/part-0@0.1.0"}"#), "{neededby}");
}

#[test]
fn every_component_has_an_entry_in_the_graph_and_a_word_on_completeness() {
    let document = built(&c_like());
    let refs: Vec<&str> =
        document["dependencies"].as_array().unwrap().iter().map(|d| d["ref"].as_str().unwrap()).collect();
    assert_eq!(
        refs,
        ["file:/bin/app", "file:/etc/app.conf", "pkg:deb/debian/libc6-dev@2.36-9", "pkg:generic/app@1.0.0"]
    );
    assert_eq!(
        document["compositions"],
        serde_json::json!([
            { "aggregate": "complete", "assemblies": ["pkg:generic/app@1.0.0"], "dependencies": ["file:/etc/app.conf", "pkg:generic/app@1.0.0"] },
            { "aggregate": "incomplete", "dependencies": ["file:/bin/app"] },
            { "aggregate": "unknown", "dependencies": ["pkg:deb/debian/libc6-dev@2.36-9"] },
        ])
    );
}

#[test]
fn contradictions_are_refused() {
    let mut twice = minimal();
    let mut other = twice.files[0].clone();
    other.size += 1;
    twice.files.push(other);
    refused(&twice, "`file:/bin/hello` stands twice");

    let mut dangling = minimal();
    dangling.edges.push(Edge { from: Node::Application, to: Node::Shipped("pkg:cargo/ghost@1.0.0".into()) });
    refused(&dangling, "`pkg:cargo/ghost@1.0.0` is needed by the dependency graph");

    let mut judged = minimal();
    judged.completeness.insert(Node::File("/bin/ghost".into()), Completeness::Complete);
    refused(&judged, "`file:/bin/ghost` is needed by the dependency graph");

    let mut purl = rust_like(1);
    purl.shipped[0].purl = "cargo/part-0".into();
    purl.edges.clear();
    purl.completeness.clear();
    refused(&purl, "`cargo/part-0` is not a package URL");

    let mut address = minimal();
    address.publisher.email = Some("nobody".into());
    refused(&address, "`nobody` is not an e-mail address");
    address.publisher.email = None;
    address.publisher.url = Some("example dot com".into());
    refused(&address, "is not a URL");

    let mut relative = minimal();
    relative.files[0].path = "bin/hello".into();
    relative.completeness.clear();
    refused(&relative, "`bin/hello` is not an absolute path");
}

#[test]
fn the_same_fact_twice_is_one() {
    let mut facts = rust_like(3);
    let once = built(&facts);
    facts.shipped.push(facts.shipped[1].clone());
    facts.files.push(facts.files[0].clone());
    facts.inputs.push(facts.inputs[0].clone());
    assert_eq!(built(&facts), once);
}

#[test]
fn an_input_with_one_name_and_two_contents_is_two() {
    let mut facts = minimal();
    let file = |content: &[u8]| Input {
        uri: "https://example.com/data.bin".into(),
        name: "data.bin".into(),
        sha256: selfsame_core::Digest::of(content),
        size: Some(content.len() as u64),
        captured: false,
    };
    facts.inputs = vec![file(b"one"), file(b"two")];
    let document = built(&facts);
    assert_eq!(document["formulation"][0]["components"].as_array().unwrap().len(), 2);
    assert_eq!(document["formulation"][0]["workflows"][0]["inputs"].as_array().unwrap().len(), 2);
}

#[test]
fn licences_are_expressions_or_names() {
    let expression = |text: &str| Some(License::Expression(text.to_owned()));
    assert_eq!(license("MIT"), expression("MIT"));
    assert_eq!(license(" Apache-2.0 WITH LLVM-exception OR MIT "), expression("Apache-2.0 WITH LLVM-exception OR MIT"));
    assert_eq!(license("MIT/Apache-2.0"), expression("MIT OR Apache-2.0"));
    assert_eq!(license("GPL-2.0"), expression("GPL-2.0-only"));
    assert_eq!(license("GPL-3.0+"), expression("GPL-3.0-or-later"));
    assert_eq!(license("LicenseRef-Example"), expression("LicenseRef-Example"));
    let name = "see COPYING";
    assert_eq!(license(name), Some(License::Name(name.to_owned())));
    assert_eq!(license("MIT AND"), Some(License::Name("MIT AND".to_owned())));
    assert_eq!(license("  "), None);
}
