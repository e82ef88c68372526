//! `selfsame verify-file`: the verdict on one file and a bundle about it, shown.

use std::io::ErrorKind;

use selfsame_core::Hasher;
use selfsame_verify::{Class, FILE_VERDICT_SCHEMA, FileVerdict};

use super::page::Page;
use super::verify;
use crate::cli::VerifyFile;
use crate::given;
use crate::report::{Answer, Exit, Report, printable, with_schema};
use crate::settings::Settings;
use crate::terminal;

/// The largest bundle that is read.
const BUNDLE_BYTES: u64 = 64 << 20;

pub(super) fn run(arguments: &VerifyFile, settings: &Settings) -> Answer {
    settings.json.set(arguments.json);
    let page = Page::asked_for(arguments.report.as_deref())?;
    let kind = super::trust::predicate_type(&arguments.kind)?;
    let trust = crate::trust::of(&arguments.trust)?;
    let expect = verify::expectations(&arguments.expect)?;
    let cannot = |what: &std::path::Path, error: std::io::Error| {
        Report::new(Exit::Unanswered, format!("cannot read `{}`: {error}", what.display()))
    };
    let bundle = given::read(&arguments.bundle, BUNDLE_BYTES).map_err(|error| match error.kind() {
        ErrorKind::FileTooLarge => {
            let fault = format!("`{}` has more than {BUNDLE_BYTES} bytes: it is no bundle", arguments.bundle.display());
            Report::new(Exit::No, fault)
        }
        _ => cannot(&arguments.bundle, error),
    })?;
    let mut hasher = Hasher::new();
    let mut file = given::open(&arguments.file).map_err(|error| cannot(&arguments.file, error))?;
    std::io::copy(&mut file, &mut hasher).map_err(|error| cannot(&arguments.file, error))?;
    let (digest, _) = hasher.finish();

    let closed = verify::give_up_the_network();
    let mut verdict = selfsame_verify::verify_file(digest, &bundle, &trust, &kind, &expect);
    verdict.judged_offline(closed);
    if let Some(page) = page {
        let shown = arguments.file.display().to_string();
        page.write(&selfsame_verify::page::of_file(&verdict, &kind, &page.asked(&shown, &trust, &expect)))?;
    }
    if arguments.json {
        terminal::data(&with_schema(FILE_VERDICT_SCHEMA, &verdict.to_json()));
    } else {
        terminal::data(&text(&verdict, &arguments.file.display().to_string()));
    }
    Ok(match verdict.class {
        Class::Verified => Exit::Yes,
        Class::NotVerified => Exit::No,
        Class::Unanswered => Exit::Unanswered,
    })
}

fn text(verdict: &FileVerdict, file: &str) -> String {
    let reason = verdict.failed().and_then(|check| check.outcome.reason()).unwrap_or_default();
    let mut text = match verdict.class {
        Class::Verified => format!("verified: `{}`, one signed statement about the whole file\n", printable(file)),
        Class::NotVerified => format!("not verified: {}\n", printable(reason)),
        Class::Unanswered => format!("not answered: {}\n", printable(reason)),
    };
    text += &format!("  file     {}\n", verdict.file);
    for check in &verdict.checks {
        text += &verify::row(&check.outcome, check.title, &check.facts);
    }
    text
}
