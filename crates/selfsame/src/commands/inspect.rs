//! `selfsame inspect`: what a release says of itself. Nothing is believed; `verify` decides.

use std::collections::BTreeMap;

use selfsame_attest::{Bundle, Provenance, Statement};
use selfsame_core::{Platform, media, uri};
use selfsame_oci::{Descriptor, Index, Manifest, layout};
use selfsame_verify::{JoinedFiles, ReleaseFiles};
use serde_json::{Value, json};

use super::judged;
use crate::cli::Inspect;
use crate::report::{Answer, Exit, Report, printable, with_schema};
use crate::terminal::{self, size};

const DOCUMENT_BYTES: u64 = 64 << 20;

/// The statements of a release by predicate type, unverified.
pub(super) fn statements(files: &dyn ReleaseFiles) -> Answer<Statements> {
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
    let shown = arguments.release.display().to_string();
    let joined = judged::taken_apart(files.as_ref(), &shown)?;
    let parts = judged::each(files.as_ref(), &shown)?;
    let read =
        |(platform, files): (Option<Platform>, Box<dyn ReleaseFiles + '_>)| Ok((platform, statements(files.as_ref())?));
    let parts = parts.into_iter().map(read).collect::<Answer<Vec<(Option<Platform>, Statements)>>>()?;
    if arguments.json {
        let predicates = |statements: &Statements| -> Value {
            statements.iter().map(|(kind, of)| (kind.clone(), Value::Object(of.predicate.clone()))).collect()
        };
        let body = match (&parts[..], &joined) {
            ([(None, statements)], _) => json!({"predicates": predicates(statements), "verified": false}),
            (parts, joined) => {
                let of = |(platform, statements): &(Option<Platform>, Statements)| {
                    (platform.as_ref().map(ToString::to_string).unwrap_or_default(), predicates(statements))
                };
                json!({
                    "index": joined.as_ref().map(|joined| joined.index.digest),
                    "platforms": parts.iter().map(of).collect::<serde_json::Map<_, _>>(),
                    "predicates": predicates(&joined.as_ref().map(|joined| joining(files.as_ref(), joined)).unwrap_or_default()),
                    "verified": false,
                })
            }
        };
        terminal::data(&with_schema("https://selfsame.dev/inspect/v1", &body));
        return Ok(Exit::Yes);
    }
    terminal::data(&format!("what `{shown}` says of itself (not verified):"));
    if let Some(joined) = &joined {
        terminal::data(&format!("  {:<9}  {}", "name", printable(&joined.name)));
        terminal::data(&format!("  {:<9}  {}", "index", joined.index.digest));
        for (kind, statement) in joining(files.as_ref(), joined) {
            let about = statement.subjects.len();
            let about = if about == 1 { "the index".to_owned() } else { format!("the index and {} images", about - 1) };
            terminal::data(&format!("  {:<9}  {}, about {about}", "document", printable(&kind)));
        }
    }
    for (platform, statements) in &parts {
        if let Some(platform) = platform {
            terminal::data(&format!("{platform}:"));
        }
        show(statements, &shown)?;
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

/// Statements by predicate type.
type Statements = BTreeMap<String, Statement>;

/// What is said about the index of several platforms, unverified.
fn joining(files: &dyn ReleaseFiles, joined: &JoinedFiles) -> Statements {
    let statement = |layer: &Descriptor| {
        let bytes = JoinedFiles::document(files, layer).ok()?;
        let statement = Statement::parse(Bundle::parse(&bytes).ok()?.unverified_payload()).ok()?;
        Some((statement.predicate_type.clone(), statement))
    };
    joined.joining.iter().filter_map(statement).collect()
}

/// What one platform's documents say.
fn show(statements: &Statements, shown: &str) -> Answer<()> {
    let provenance = statements
        .get(uri::PROVENANCE)
        .and_then(|statement| statement.predicate_as::<Provenance>().ok())
        .ok_or_else(|| Report::new(Exit::Unanswered, format!("`{shown}` has no provenance")))?;
    let definition = &provenance.build_definition;
    let text = |map: &serde_json::Map<String, Value>, field: &str| match map.get(field) {
        Some(Value::String(text)) => printable(text),
        Some(other) => printable(&other.to_string()),
        None => "-".to_owned(),
    };
    for field in ["name", "version", "platform", "platforms", "level", "relaxations"] {
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
    Ok(())
}
