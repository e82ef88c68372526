//! `selfsame sbom`: the CycloneDX document of a release, and what it still misses.

use selfsame_core::{json, uri};
use serde_json::Value;

use super::inspect;
use crate::cli::Sbom;
use crate::report::{Answer, Exit, Report, printable, with_schema};
use crate::terminal;

pub(super) fn run(arguments: &Sbom) -> Answer {
    let files = crate::files::open(&arguments.release)?;
    let statements = inspect::statements(files.as_ref())?;
    let statement = statements.get(uri::CYCLONEDX).ok_or_else(|| {
        Report::new(Exit::Unanswered, format!("`{}` has no CycloneDX SBOM", arguments.release.display()))
    })?;
    let document = Value::Object(statement.predicate.clone());
    if !arguments.check {
        // The canonical bytes: their SHA-256 is the one that the provenance names.
        let bytes = json::canonical(&document);
        let mut out = std::io::stdout().lock();
        return match std::io::Write::write_all(&mut out, &bytes) {
            Ok(()) => Ok(Exit::Yes),
            Err(error) => Err(Report::new(Exit::Unanswered, format!("cannot write the SBOM: {error}")).into()),
        };
    }
    let report = selfsame_sbom::check(&document);
    let complete = report.rows.iter().all(|row| row.missing.is_empty());
    if arguments.json {
        let rows = serde_json::to_value(&report).unwrap_or_default();
        terminal::data(&with_schema("https://selfsame.dev/sbom-check/v1", &serde_json::json!({"report": rows})));
    } else {
        for line in report.lines(5) {
            terminal::data(&printable(&line));
        }
    }
    Ok(if complete { Exit::Yes } else { Exit::No })
}
