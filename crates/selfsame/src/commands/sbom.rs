//! `selfsame sbom`: the CycloneDX document of a release, and what it still misses.

use selfsame_core::{Platform, json, uri};
use serde_json::Value;

use super::{errors, inspect, judged};
use crate::cli::Sbom;
use crate::prepare;
use crate::report::{Answer, Exit, Report, printable, with_schema};
use crate::terminal;

pub(super) fn run(arguments: &Sbom) -> Answer {
    let documents = documents(arguments)?;
    if arguments.check {
        return check(&documents, arguments);
    }
    if let Some(folder) = &arguments.output {
        std::fs::create_dir_all(folder)
            .map_err(|error| Report::new(Exit::Unanswered, format!("cannot create `{}`: {error}", folder.display())))?;
        for (platform, document) in &documents {
            let of = platform.as_ref().map(|platform| format!("-{}", platform.to_string().replace('/', "-")));
            let path = folder.join(format!("sbom{}.cdx.json", of.unwrap_or_default()));
            let text = String::from_utf8(json::canonical(document)).expect("JSON is UTF-8");
            prepare::write_text(&path, &text)?;
            terminal::data(&path.display().to_string());
        }
        return Ok(Exit::Yes);
    }
    let [(_, document)] = &documents[..] else {
        let shown = errors::quoted(&arguments.release);
        let names: Vec<String> = documents.iter().flat_map(|(platform, _)| platform).map(ToString::to_string).collect();
        let first = names.first().cloned().unwrap_or_default();
        let fault = format!("`{}` is for several platforms, and has an SBOM for each", arguments.release.display());
        return Err(Report::new(Exit::Unanswered, fault)
            .fact("platforms", names.join(", "))
            .hint(format!("`selfsame sbom {shown} --platform {first}` prints one of them"))
            .hint(format!("`selfsame sbom {shown} -o DIR` writes all"))
            .into());
    };
    // The canonical bytes: their SHA-256 is the one that the provenance names.
    let bytes = json::canonical(document);
    let mut out = std::io::stdout().lock();
    match std::io::Write::write_all(&mut out, &bytes) {
        Ok(()) => Ok(Exit::Yes),
        Err(error) => Err(Report::new(Exit::Unanswered, format!("cannot write the SBOM: {error}")).into()),
    }
}

/// The SBOM of each platform, or of the one that is asked for.
fn documents(arguments: &Sbom) -> Answer<Vec<(Option<Platform>, Value)>> {
    let files = crate::files::open(&arguments.release)?;
    let shown = arguments.release.display().to_string();
    let parts = match &arguments.platform {
        Some(wanted) => vec![(None, judged::one(files.as_ref(), &shown, wanted)?)],
        None => judged::each(files.as_ref(), &shown)?,
    };
    let document = |(platform, files): (Option<Platform>, Box<dyn selfsame_verify::ReleaseFiles + '_>)| {
        let mut statements = inspect::statements(files.as_ref())?;
        let statement = statements
            .remove(uri::CYCLONEDX)
            .ok_or_else(|| Report::new(Exit::Unanswered, format!("`{shown}` has no CycloneDX SBOM")))?;
        Ok((platform, Value::Object(statement.predicate)))
    };
    parts.into_iter().map(document).collect()
}

fn check(documents: &[(Option<Platform>, Value)], arguments: &Sbom) -> Answer {
    let reports: Vec<_> =
        documents.iter().map(|(platform, document)| (platform, selfsame_sbom::check(document))).collect();
    let complete = reports.iter().all(|(_, report)| report.rows.iter().all(|row| row.missing.is_empty()));
    if arguments.json {
        let value = |report: &selfsame_sbom::Report| serde_json::to_value(report).unwrap_or_default();
        let body = match &reports[..] {
            [(None, report)] => serde_json::json!({"report": value(report)}),
            several => {
                let of = |(platform, report): &(&Option<Platform>, selfsame_sbom::Report)| {
                    (platform.as_ref().map(ToString::to_string).unwrap_or_default(), value(report))
                };
                let platforms: serde_json::Map<String, Value> = several.iter().map(of).collect();
                serde_json::json!({"platforms": platforms})
            }
        };
        terminal::data(&with_schema("https://selfsame.dev/sbom-check/v1", &body));
    } else {
        for (platform, report) in &reports {
            if let Some(platform) = platform {
                terminal::data(&format!("{platform}:"));
            }
            for line in report.lines(5) {
                terminal::data(&printable(&line));
            }
        }
    }
    Ok(if complete { Exit::Yes } else { Exit::No })
}
