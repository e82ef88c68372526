//! `selfsame inspect`: what a release says of itself. Nothing is believed; `verify` decides.

use std::collections::BTreeMap;

use selfsame_attest::{Bundle, Provenance, Statement};
use selfsame_core::{media, uri};
use selfsame_oci::{Index, Manifest, layout};
use selfsame_verify::ReleaseFiles;
use serde_json::{Value, json};

use crate::cli::Inspect;
use crate::report::{Answer, Exit, Report, printable, with_schema};
use crate::terminal::{self, size};

const DOCUMENT_BYTES: u64 = 64 << 20;

/// The statements of a release by predicate type, unverified.
pub(super) fn statements(files: &dyn ReleaseFiles) -> Answer<BTreeMap<String, Statement>> {
    let fault = |name: &str, fault: &dyn std::fmt::Display| Report::new(Exit::Unanswered, format!("`{name}`: {fault}"));
    let read = |name: &str| {
        let bytes = files.read(name, DOCUMENT_BYTES).map_err(|error| fault(name, &error))?;
        bytes.ok_or_else(|| fault(name, &"is missing"))
    };
    let index =
        Index::parse(&read(layout::INDEX_FILE)?, media::INDEX).map_err(|error| fault(layout::INDEX_FILE, &error))?;
    let mut statements = BTreeMap::new();
    for referrer in index.manifests.iter().filter(|d| d.artifact_type.as_deref() == Some(media::BUNDLE)) {
        let name = layout::blob_path(referrer.digest);
        let manifest = Manifest::parse(&read(&name)?, media::MANIFEST).map_err(|error| fault(&name, &error))?;
        for layer in &manifest.layers {
            let name = layout::blob_path(layer.digest);
            let bundle = Bundle::parse(&read(&name)?).map_err(|error| fault(&name, &error))?;
            let statement = Statement::parse(bundle.unverified_payload()).map_err(|error| fault(&name, &error))?;
            statements.insert(statement.predicate_type.clone(), statement);
        }
    }
    Ok(statements)
}

pub(super) fn run(arguments: &Inspect) -> Answer {
    let files = crate::files::open(&arguments.release)?;
    let statements = statements(files.as_ref())?;
    let provenance = statements
        .get(uri::PROVENANCE)
        .and_then(|statement| statement.predicate_as::<Provenance>().ok())
        .ok_or_else(|| Report::new(Exit::Unanswered, format!("`{}` has no provenance", arguments.release.display())))?;
    if arguments.json {
        let all: BTreeMap<&String, Value> =
            statements.iter().map(|(kind, statement)| (kind, Value::Object(statement.predicate.clone()))).collect();
        terminal::data(&with_schema("https://selfsame.dev/inspect/v1", &json!({"predicates": all, "verified": false})));
        return Ok(Exit::Yes);
    }
    let definition = &provenance.build_definition;
    let text = |map: &serde_json::Map<String, Value>, field: &str| match map.get(field) {
        Some(Value::String(text)) => printable(text),
        Some(other) => printable(&other.to_string()),
        None => "-".to_owned(),
    };
    terminal::data(&format!("what `{}` says of itself (not verified):", arguments.release.display()));
    for field in ["name", "version", "platform", "level", "relaxations"] {
        if definition.external_parameters.contains_key(field) {
            terminal::data(&format!("  {field:<9}  {}", text(&definition.external_parameters, field)));
        }
    }
    terminal::data(&format!("  {:<9}  {}", "builder", printable(&provenance.run_details.builder.id)));
    terminal::data(&format!("  {:<9}  {}", "profile", text(&definition.internal_parameters, "profile")));
    if let Some(statement) = statements.get(uri::PROVENANCE) {
        for subject in &statement.subjects {
            let digest = subject.digest.sha256().map(|digest| digest.to_string()).unwrap_or_default();
            terminal::data(&format!("  {:<9}  {digest}", "image"));
        }
    }
    for action in selfsame_build::rebuild::actions_of(&definition.internal_parameters) {
        terminal::data(&format!("  {:<9}  {}  {}", "action", printable(&action.name), action.action));
    }
    for input in &definition.resolved_dependencies {
        let digest = input.digest.sha256().map(|digest| digest.to_string()).unwrap_or_default();
        terminal::data(&format!("  {:<9}  {digest}  {}  {}", "input", printable(&input.name), printable(&input.uri)));
    }
    let names =
        files.names().map_err(|error| Report::new(Exit::Unanswered, format!("cannot list the release: {error}")))?;
    let mut total = 0;
    for name in &names {
        if let Ok(Some(mut reader)) = files.open(name) {
            total += std::io::copy(&mut reader, &mut std::io::sink()).unwrap_or(0);
        }
    }
    terminal::data(&format!("  {:<9}  {}, {}", "files", names.len(), size(total)));
    for name in &names {
        terminal::data(&format!("             {}", printable(name)));
    }
    Ok(Exit::Yes)
}
