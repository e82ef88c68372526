//! `sbom --check`: what it finds, and that each element can be missed.

use serde_json::{Value, json};

use super::fixtures::{c_like, minimal, rust_like};
use crate::{Report, Standard, check, document};

fn report(facts: &crate::Facts) -> Report {
    check(&document(facts).unwrap())
}

fn why<'a>(report: &'a Report, standard: Standard, element: &str) -> Vec<&'a str> {
    let row = report.rows.iter().find(|row| row.standard == standard && row.element == element).unwrap();
    row.missing.iter().map(|missing| missing.why.as_str()).collect()
}

#[test]
fn a_release_with_a_publisher_misses_only_licences_of_single_files() {
    let report = report(&minimal());
    assert!(report.complete(Standard::Ntia2021) && report.complete(Standard::Cisa2025Draft));
    insta::assert_snapshot!(report.lines(2).join("\n"));
}

#[test]
fn a_rust_program_misses_what_crates_do_not_say() {
    insta::assert_snapshot!(report(&rust_like(10)).lines(3).join("\n"));
}

#[test]
fn captured_packages_have_no_hash_because_their_files_were_never_seen() {
    let report = report(&c_like());
    let captured = "captured from the building machine: the package's own file was never seen";
    assert_eq!(why(&report, Standard::Cisa2025Draft, "component hash"), [captured]);
    assert_eq!(why(&report, Standard::BsiTr03183v210, "hash value of the deployable component"), [captured]);
}

#[test]
fn an_unknown_publisher_is_missed_by_all_three() {
    let mut facts = minimal();
    facts.publisher = crate::Publisher::default();
    let report = report(&facts);
    for (standard, element) in [
        (Standard::Ntia2021, "author of SBOM data"),
        (Standard::Cisa2025Draft, "SBOM author"),
        (Standard::BsiTr03183v210, "creator of the SBOM"),
    ] {
        assert_eq!(why(&report, standard, element).len(), 1, "{element}");
        assert!(!report.complete(standard));
    }
}

/// Taking one thing away must be noticed by the element that asks for it, and by no other list's silence.
#[test]
fn each_element_can_be_missed() {
    let whole = document(&minimal()).unwrap();
    let component = "/components/0";
    for (pointer, field, standard, element) in [
        ("/metadata", "timestamp", Standard::Ntia2021, "timestamp"),
        ("/metadata", "timestamp", Standard::Cisa2025Draft, "timestamp"),
        ("/metadata", "timestamp", Standard::BsiTr03183v210, "timestamp"),
        ("/metadata", "tools", Standard::Cisa2025Draft, "tool name"),
        ("/metadata", "lifecycles", Standard::Cisa2025Draft, "generation context"),
        ("/metadata", "manufacturer", Standard::BsiTr03183v210, "creator of the SBOM"),
        ("/metadata/component", "purl", Standard::Ntia2021, "other unique identifiers"),
        ("/metadata/component", "licenses", Standard::Cisa2025Draft, "license"),
        ("/metadata/component", "licenses", Standard::BsiTr03183v210, "distribution licences"),
        (component, "name", Standard::Ntia2021, "component name"),
        (component, "version", Standard::Ntia2021, "version of the component"),
        (component, "manufacturer", Standard::Ntia2021, "supplier name"),
        (component, "manufacturer", Standard::Cisa2025Draft, "software producer"),
        (component, "manufacturer", Standard::BsiTr03183v210, "component creator"),
        (component, "properties", Standard::BsiTr03183v210, "filename of the component"),
        (component, "properties", Standard::BsiTr03183v210, "executable property"),
        (component, "properties", Standard::BsiTr03183v210, "archive property"),
        (component, "properties", Standard::BsiTr03183v210, "structured property"),
        ("", "dependencies", Standard::Ntia2021, "dependency relationship"),
        ("", "compositions", Standard::BsiTr03183v210, "dependencies with completeness"),
        ("", "serialNumber", Standard::BsiTr03183v210, "SBOM-URI"),
    ] {
        let before = why(&check(&whole), standard, element).len();
        let mut less = whole.clone();
        less.pointer_mut(pointer).and_then(Value::as_object_mut).unwrap().remove(field).unwrap();
        assert!(why(&check(&less), standard, element).len() > before, "{element} without {pointer}/{field}");
    }
    let mut more = whole.clone();
    more["vulnerabilities"] = json!([]);
    assert_eq!(why(&check(&more), Standard::BsiTr03183v210, "no vulnerability information").len(), 1);
    let mut unreached = whole;
    unreached["dependencies"] = json!([{ "ref": "pkg:generic/hello@1.0.0" }, { "ref": "file:/bin/hello" }]);
    assert_eq!(
        why(&check(&unreached), Standard::Ntia2021, "dependency relationship"),
        ["nothing that the application needs leads to it"]
    );
}

/// A stranger's document may be anything.
#[test]
fn nonsense_misses_everything_and_does_not_panic() {
    for value in
        [json!(null), json!([]), json!({ "components": [1, {}, { "bom-ref": 7, "hashes": "x" }], "metadata": "x" })]
    {
        let report = check(&value);
        assert!(Standard::ALL.iter().all(|standard| !report.complete(*standard)), "{value}");
        assert!(!report.lines(5).is_empty());
    }
}
