//! What a rebuild came to: said, kept, signed.

use std::path::Path;

use selfsame_attest::{RebuildStatement, RebuildVerdict, Statement, Subject, sign_statement};
use selfsame_core::Profile;
use selfsame_definition::Definition;
use selfsame_diff::Explanation;
use selfsame_store::Store;
use serde_json::{Value, json};

use super::MissingInput;
use super::whole::Whole;
use crate::cli::RebuildVerify;
use crate::commands::errors;
use crate::prepare;
use crate::report::{Answer, Exit, Report, printable, with_schema};
use crate::run_record;
use crate::terminal;
use crate::timestamp::TimeStamps;

/// So many lines of why a platform differs are shown.
const EXPLAINED_LINES: usize = 60;

pub(super) fn could_not_rebuild(arguments: &RebuildVerify, missing: &[MissingInput]) -> Answer {
    const SHOWN: usize = 20;
    if arguments.json {
        let list: Vec<_> = missing
            .iter()
            .map(|input| json!({"digest": input.digest, "name": input.name, "note": input.note}))
            .collect();
        let body = json!({"class": "could-not-rebuild", "missing": list});
        terminal::data(&with_schema("https://selfsame.dev/rebuild-verdict/v1", &body));
        return Ok(Exit::Unanswered);
    }
    let mut report =
        Report::new(Exit::Unanswered, format!("could not rebuild: {} inputs cannot be had", missing.len()));
    for input in missing.iter().take(SHOWN) {
        report = report.fact(&input.name, format!("{}  {}", input.digest, input.note));
    }
    if missing.len() > SHOWN {
        report = report.fact("and", format!("{} more; --json lists all", missing.len() - SHOWN));
    }
    if missing.iter().any(|input| input.name == Definition::FILE_NAME) {
        // What nobody but the author has is not to be fetched.
        return Err(report.hint(no_capsule(&arguments.release)).into());
    }
    Err(report
        .hint(format!("`selfsame fetch {}` brings what registries have", errors::quoted(&arguments.release)))
        .hint("a release that was built with `--capsule` carries every input")
        .hint("a captured toolchain can be had again on a machine with the same packages installed")
        .into())
}

/// What to do about a release that came without its definition, lock and source.
pub(super) fn no_capsule(release: &Path) -> String {
    let shown = errors::quoted(release);
    match crate::remote::as_reference(release) {
        Some(_) => format!(
            "it was pushed without its capsule: `selfsame push RELEASE {shown} --with-capsule`, where it was built, adds it"
        ),
        None => {
            "it was pulled without its capsule: `selfsame pull REF -o DIR --with-capsule`, if it was pushed with it"
                .to_owned()
        }
    }
}

/// Keeps the rebuilt image where nothing is yet.
pub(super) fn keep(output: &Path, whole: &Whole, store: &Store) -> Answer<()> {
    let staging = selfsame_store::Staging::beside(output).map_err(errors::publish)?;
    let folder = staging.create_dir().map_err(errors::publish)?;
    whole.write_layout(&folder, store)?;
    staging.publish(selfsame_store::Replace::Never).map_err(errors::publish)?;
    Ok(())
}

/// The rebuild statement, docs/rebuild/v1.md: about the original image, signed by whoever rebuilt it, and stamped where
/// somebody stamps.
pub(super) fn sign(key: &crate::keys::Key, stamps: Option<&TimeStamps>, path: &Path, whole: &Whole) -> Answer<()> {
    let outcome = &whole.outcome;
    let predicate = RebuildStatement {
        verdict: outcome.verdict,
        release_id: whole.release_id,
        original: whole.image,
        rebuilt: Some(whole.subject.descriptor.digest),
        compared: outcome.compared.clone(),
        cause: outcome.cause.clone(),
        first_differing_action: outcome.first_differing_action.clone().unwrap_or_default(),
        selfsame: run_record::tool()?,
    };
    let request = whole.parts.first().map(|part| &part.built.record.request);
    let name = request.map(|request| format!("{}:{}", request.name, request.version)).unwrap_or_default();
    let subject = Subject::new(name, whole.image);
    let bundle = sign_statement(&Statement::new(vec![subject], &predicate), key.signer.as_ref())
        .map_err(|error| Report::new(Exit::Unanswered, error.to_string()))?;
    let mut bytes = bundle.to_bytes();
    if let Some(stamps) = stamps {
        stamps.stamp([&mut bytes])?;
    }
    let text = String::from_utf8(bytes).expect("a bundle is JSON");
    prepare::write_text(path, &text)
}

/// Says what came out, of the whole and of each platform of several.
pub(super) fn verdict(arguments: &RebuildVerify, whole: &Whole, explanations: &[Option<Explanation>]) {
    let outcome = &whole.outcome;
    let of_parts = || whole.parts.iter().zip(explanations);
    if arguments.json {
        let compared: Vec<_> = outcome
            .compared
            .iter()
            .map(|pair| json!({"equal": pair.original == pair.rebuilt, "name": pair.name, "original": pair.original, "rebuilt": pair.rebuilt}))
            .collect();
        let platforms = of_parts().filter_map(|(part, explanation)| {
            let body = json!({
                "cause": part.outcome.cause,
                "class": part.outcome.verdict.as_str(),
                "explanation": explanation,
                "firstDifferingAction": part.outcome.first_differing_action,
                "releaseId": part.release_id,
            });
            Some((part.platform.as_ref()?.to_string(), body))
        });
        let platforms: serde_json::Map<String, Value> = platforms.collect();
        let mut body = json!({
            "cause": outcome.cause,
            "class": outcome.verdict.as_str(),
            "compared": compared,
            "explanation": explanations.first().filter(|_| platforms.is_empty()),
            "firstDifferingAction": outcome.first_differing_action,
            "profile": Profile::CURRENT.number(),
            "releaseId": whole.release_id,
        });
        if !platforms.is_empty() {
            body["platforms"] = Value::Object(platforms);
        }
        terminal::data(&with_schema("https://selfsame.dev/rebuild-verdict/v1", &body));
        return;
    }
    let what = arguments.release.display();
    terminal::data(&match outcome.verdict {
        RebuildVerdict::Same => format!("same: `{what}` was built again, and every digest is equal"),
        RebuildVerdict::Equivalent => format!("equivalent: {}", outcome.cause),
        _ => format!("differs: rebuilding `{what}` did not give the same image"),
    });
    let width = outcome.compared.iter().map(|pair| pair.name.len()).max().unwrap_or(0).max(10);
    for pair in &outcome.compared {
        if pair.original == pair.rebuilt {
            terminal::data(&format!("  {:<width$}  {}", pair.name, pair.original));
        } else {
            terminal::data(&format!("  {:<width$}  published  {}", pair.name, pair.original));
            terminal::data(&format!("  {:<width$}  rebuilt    {}", "", pair.rebuilt));
        }
    }
    let mut left_out = false;
    for (part, explanation) in of_parts() {
        let of_platform = part.platform.as_ref().map(|platform| format!(" for {platform}")).unwrap_or_default();
        if let Some(action) = &part.outcome.first_differing_action {
            terminal::data(&format!(
                "  action `{action}`{of_platform} is the first whose inputs agree and whose output differs"
            ));
        }
        if explanation.is_some() && !of_platform.is_empty() {
            terminal::data(&format!("  the image{of_platform}:"));
        }
        let lines: Vec<String> =
            explanation.iter().flat_map(|it| selfsame_diff::lines(it, "published", "rebuilt")).collect();
        for line in lines.iter().take(EXPLAINED_LINES) {
            terminal::data(&printable(line));
        }
        let more = lines.len().saturating_sub(EXPLAINED_LINES);
        if more > 0 {
            terminal::data(&format!("  and {more} more lines"));
            left_out = true;
        }
    }
    if left_out {
        let release = errors::quoted(&arguments.release);
        terminal::talk(&match &arguments.output {
            Some(output) => {
                format!("hint: `selfsame diff {release} {}` shows more, `--json` all", errors::quoted(output))
            }
            None => {
                "hint: `--json` has all; `-o DIR` keeps what was rebuilt, and `selfsame diff` compares it".to_owned()
            }
        });
    }
}
