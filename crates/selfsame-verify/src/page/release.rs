//! What a verified release consists of.

use selfsame_core::json::Node;

use super::html::{Html, Piece, Row};
use super::sentences::parameter;
use super::tables::MOST_ROWS;
use crate::verdict::Verdict;

/// Every digest of the release, whole.
pub(super) fn digests(verdict: &Verdict, page: &mut Html, level: u8) {
    let mut rows: Vec<(&str, String)> = Vec::new();
    rows.extend(verdict.image.map(|image| ("image", image.to_string())));
    rows.extend(verdict.release_id.map(|id| ("release id", id.to_string())));
    if let Some(evidence) = verdict.evidence.as_deref() {
        rows.insert(
            0,
            ("name and version", format!("{} {}", parameter(evidence, "name"), parameter(evidence, "version"))),
        );
        rows.push(("signed by key", evidence.signer.key_id()));
        rows.push(("builder", evidence.provenance.run_details.builder.id.clone()));
        rows.push(("level asked for", parameter(evidence, "level")));
    }
    if rows.is_empty() {
        return;
    }
    page.heading(level, "Release");
    page.values(super::claims(verdict.class), &rows);
    let Some(evidence) = verdict.evidence.as_deref() else { return };
    let documents: Vec<(String, String)> =
        evidence.payloads.iter().map(|(name, digest)| (name.clone(), digest.to_string())).collect();
    let rows = documents.iter().map(|(name, digest)| Row {
        class: "plain",
        name,
        cells: vec![vec![vec![Piece::Value(digest)]]],
    });
    page.table("Signed documents, by the SHA-256 of what was signed", &["type", "digest"], rows);
}

/// Inputs and components.
pub(super) fn contents(verdict: &Verdict, page: &mut Html, level: u8) {
    let Some(evidence) = verdict.evidence.as_deref() else { return };
    let inputs = &evidence.provenance.build_definition.resolved_dependencies;
    page.heading(level, "Inputs");
    let shown: Vec<(&str, &str, String)> = inputs
        .iter()
        .take(MOST_ROWS)
        .map(|input| {
            let digests: Vec<String> = input.digest.entries().map(|(name, hex)| format!("{name}:{hex}")).collect();
            (
                if input.name.is_empty() { input.uri.as_str() } else { &input.name },
                input.uri.as_str(),
                digests.join(" "),
            )
        })
        .collect();
    let rows = shown.iter().map(|(name, uri, digest)| Row {
        class: "plain",
        name,
        cells: vec![vec![vec![Piece::Value(uri)]], vec![vec![Piece::Value(digest)]]],
    });
    page.table("What went into the build, as its provenance says", &["name", "uri", "digest"], rows);
    left_out(page, inputs.len(), shown.len(), "the provenance");

    page.heading(level, "Components");
    let all: Vec<Node<'_>> =
        evidence.sbom.get("components").and_then(|all| all.as_array()).into_iter().flatten().collect();
    let is_file = |component: &&Node<'_>| component.get("type").is_some_and(|kind| kind.is("file"));
    let files = all.iter().filter(is_file).count();
    let shown: Vec<_> = all
        .iter()
        .filter(|it| !is_file(it))
        .take(MOST_ROWS)
        .map(|component| {
            ["name", "version", "type", "purl"]
                .map(|name| component.get(name).and_then(|text| text.as_str()).unwrap_or("-".into()))
        })
        .collect();
    let rows = shown.iter().map(|[name, version, kind, purl]| Row {
        class: "plain",
        name,
        cells: vec![vec![vec![Piece::Value(version)]], vec![vec![Piece::Words(kind)]], vec![vec![Piece::Value(purl)]]],
    });
    page.table("What the SBOM names, but for single files", &["name", "version", "type", "package URL"], rows);
    left_out(page, all.len() - files, (all.len() - files).min(MOST_ROWS), "the SBOM");
    page.paragraph(&[Piece::Words(&format!("The SBOM names {files} single files of the image."))]);
}

fn left_out(page: &mut Html, all: usize, shown: usize, place: &str) {
    if all > shown {
        page.paragraph(&[Piece::Words(&format!("{} more stand in {place}.", all - shown))]);
    }
}
