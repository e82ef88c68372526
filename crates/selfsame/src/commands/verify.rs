//! `selfsame verify`: the verdict of the verifier, shown.

use std::num::NonZeroUsize;
use std::path::Path;

use selfsame_verify::{CheckId, Class, Depth, Expectations, Fact, Options, Outcome, Trust, Verdict};

use crate::cli::{self, TrustArgs, Verify};
use crate::remote::Release;
use crate::report::{Answer, Exit, Report, printable};
use crate::settings::Settings;
use crate::terminal;

pub(super) fn run(arguments: &Verify, settings: &Settings) -> Answer {
    settings.json.set(arguments.json);
    let depth = match arguments.depth {
        cli::Depth::Evidence => Depth::Evidence,
        cli::Depth::Blobs => Depth::Blobs,
        cli::Depth::Content => Depth::Content,
    };
    // What was asked wrongly is found out before anybody is asked for the release.
    let (trust, options) = questions(&arguments.trust, &arguments.expect, depth)?;
    let release = Release::find(&arguments.release, Depth::Evidence < depth, false, settings)?;
    let files = release.files()?;
    if let Some(joined) = selfsame_verify::verify_joined(files.as_ref(), &trust, &options) {
        return super::joined::show(&joined, arguments);
    }
    let verdict = selfsame_verify::verify(files.as_ref(), &trust, &options);
    if arguments.json {
        terminal::data(&verdict.to_json());
    } else if arguments.print_digest && verdict.is_verified() {
        terminal::data(&print_digest(&verdict));
    } else if arguments.print_digest {
        terminal::talk(&text(&verdict, &arguments.release));
    } else {
        terminal::data(&text(&verdict, &arguments.release));
    }
    Ok(exit(&verdict))
}

/// What is asked about a release.
pub(super) fn questions(trust: &TrustArgs, expect: &[String], depth: Depth) -> Answer<(Trust, Options)> {
    let expect = Expectations::parse(expect.iter().map(String::as_str)).map_err(|error| {
        let names: Vec<&str> = Expectations::NAMES.iter().map(|(name, _)| *name).collect();
        let report = Report::new(Exit::Unanswered, error.to_string()).fact("names", names.join(", "));
        match error {
            selfsame_verify::ExpectError::Unknown { nearest: Some(nearest), .. } => {
                report.hint(format!("did you mean `{nearest}`?"))
            }
            _ => report,
        }
    })?;
    let trust = crate::trust::of(trust)?;
    let threads = NonZeroUsize::new(super::threads()).unwrap_or(NonZeroUsize::MIN);
    Ok((trust, Options { depth, expect, threads }))
}

/// What a verdict answers.
pub(super) fn exit(verdict: &Verdict) -> Exit {
    match verdict.class {
        Class::Verified => Exit::Yes,
        Class::NotVerified => Exit::No,
        Class::Unanswered => Exit::Unanswered,
    }
}

/// Headline, every check in its order, and what was there and not used.
pub(super) fn text(verdict: &Verdict, release: &Path) -> String {
    let first = verdict.failed().next();
    let mut text = match (verdict.class, first) {
        (Class::Verified, _) => {
            format!("verified: `{}`, {}\n", release.display(), depth_phrase(verdict.depth))
        }
        (class, Some(check)) => {
            let word = if class == Class::NotVerified { "not verified" } else { "not answered" };
            let reason = check.outcome.reason().unwrap_or_default();
            format!("{word}: {}\n", printable(reason))
        }
        (_, None) => format!("not verified: `{}`\n", release.display()),
    };
    if let Some(image) = verdict.image {
        text += &format!("  image    {image}\n");
    }
    if let Some(release_id) = verdict.release_id {
        text += &format!("  release  {release_id}\n");
    }
    for check in &verdict.checks {
        text += &row(&check.outcome, check.title(), &check.facts);
    }
    if verdict.failed().any(|check| check.id == CheckId::Trust) {
        text += "\nhint: `--key FILE.pub` names the key that the release has to be signed by, `--trust FILE` whom this machine believes\n";
    }
    for unlisted in &verdict.unlisted {
        text += &format!("  unlisted, not used: {} ({})\n", printable(&unlisted.file), printable(&unlisted.note));
    }
    text
}

/// One check, with what it rests on where it failed.
pub(super) fn row(outcome: &Outcome, title: &str, facts: &[Fact]) -> String {
    let (mark, reason) = match outcome {
        Outcome::Passed => ("passed ", String::new()),
        Outcome::Failed { reason } => ("FAILED ", format!(": {}", printable(reason))),
        Outcome::NotPerformed { reason } => ("not run", format!(": {}", printable(reason))),
    };
    let mut text = format!("  {mark}  {title}{reason}\n");
    if matches!(outcome, Outcome::Failed { .. }) {
        let width = facts.iter().map(|fact| fact.label.len()).max().unwrap_or(0);
        for fact in facts {
            text += &format!("             {:width$}  {}\n", fact.label, printable(&fact.value));
        }
    }
    text
}

fn depth_phrase(depth: Depth) -> &'static str {
    match depth {
        Depth::Evidence => "manifests and signed documents only: blobs were not read",
        Depth::Blobs => "every blob by its digest: what is in the layers was not looked at",
        Depth::Content => "down to every file in its layers",
    }
}

fn print_digest(verdict: &Verdict) -> String {
    let name = verdict.provenance.as_ref().map(|provenance| {
        let parameter = |name: &str| {
            provenance
                .build_definition
                .external_parameters
                .get(name)
                .and_then(|value| value.as_str())
                .unwrap_or_default()
        };
        format!("{}:{}", parameter("name"), parameter("version"))
    });
    let digest = verdict.image.map(|digest| digest.to_string()).unwrap_or_default();
    printable(&format!("{}@{digest}", name.unwrap_or_default()))
}
