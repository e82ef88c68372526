//! `selfsame verify`: the verdict of the verifier, shown.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use selfsame_verify::{CheckId, Class, Depth, Expectations, Fact, Options, Outcome, Trust, Verdict};

use crate::cli::{self, TrustArgs, Verify};
use selfsame_registry::Reference;
use serde_json::{Value, json};

use super::page::Page;
use super::summary::{Judgement, Wanted};
use crate::rejoined;
use crate::remote::{self, Release};
use crate::report::{Answer, Exit, Report, harmless_json, printable};
use crate::settings::Settings;
use crate::terminal;

pub(super) fn run(arguments: &Verify, settings: &Settings) -> Answer {
    settings.json.set(arguments.json);
    let [release] = &arguments.releases[..] else { return super::several::run(arguments, settings) };
    let page = Page::asked_for(arguments.report.as_deref())?;
    let reference = remote::as_reference(release);
    let depth = depth(arguments, reference.is_some());
    // What was asked wrongly is found out before anybody is asked for the release.
    let (trust, mut options) = questions(&arguments.trust, &arguments.expect, &arguments.policy.policies, depth)?;
    options.keep_facts = arguments.facts.is_some();
    options.content_bytes = arguments.most_content.unwrap_or(options.content_bytes);
    let sign_as = arguments.sign_as.as_deref();
    let summary = Wanted::of(&arguments.summary, &arguments.trust, sign_as, reference.as_ref())?;
    let files = match &arguments.referrers_from {
        None => Release::find(release, Depth::Evidence < depth, false, Some(&trust), settings)?.files()?,
        Some(from) => rejoined::find(release, from, Depth::Evidence < depth, &trust, settings)?,
    };
    let closed = match &summary {
        // What is given up is given up for good, other programs with it.
        Some(summary) if summary.signed_elsewhere => Err("another program signs the verification summary".to_owned()),
        _ => give_up_the_network(),
    };
    let shown = release.display().to_string();
    if let Some(mut joined) = selfsame_verify::verify_joined(files.as_ref(), &trust, &options) {
        joined.parts.iter_mut().for_each(|(_, part)| part.judged_offline(closed.clone()));
        if let Some(page) = page {
            let asked = page.asked(&shown, &trust, &options.expect);
            page.write(&selfsame_verify::page::of_joined(&joined, options.depth, &asked))?;
        }
        if let Some(file) = &arguments.facts {
            let facts = joined.parts.iter().filter_map(|(_, part)| part.facts.as_deref().cloned()).collect::<Vec<_>>();
            write_facts(file, Some(Value::Array(facts)).filter(|facts| facts != &json!([])))?;
        }
        if let Some(summary) = &summary {
            summary.write(Judgement::of_joined(&joined, depth, &arguments.expect))?;
        }
        return super::joined::show(&joined, reference.as_ref(), arguments, release);
    }
    let mut verdict = selfsame_verify::verify(files.as_ref(), &trust, &options);
    verdict.judged_offline(closed);
    if let Some(page) = page {
        let asked = page.asked(&shown, &trust, &options.expect);
        page.write(&selfsame_verify::page::of_release(&verdict, &asked))?;
    }
    if let Some(file) = &arguments.facts {
        write_facts(file, verdict.facts.as_deref().cloned())?;
    }
    if let Some(summary) = &summary {
        summary.write(Judgement::of_one(&verdict, &arguments.expect))?;
    }
    if arguments.json {
        terminal::data(&harmless_json(&verdict.to_json()));
    } else if arguments.print_digest && verdict.is_verified() {
        terminal::data(&print_digest(&verdict, reference.as_ref()));
    } else if arguments.print_digest {
        terminal::talk(&text(&verdict, release));
    } else {
        terminal::data(&text(&verdict, release));
    }
    Ok(exit(&verdict))
}

/// How deep the look is at a release that is in a registry, or is not.
pub(super) fn depth(arguments: &Verify, remote: bool) -> Depth {
    match (arguments.depth, remote) {
        (Some(cli::Depth::Evidence), _) | (None, true) => Depth::Evidence,
        (Some(cli::Depth::Blobs), _) => Depth::Blobs,
        (Some(cli::Depth::Content), _) | (None, false) => Depth::Content,
    }
}

/// From here on the kernel refuses this process every new socket: nothing that is read can be sent anywhere, and no answer
/// of the judging can come from elsewhere. Says how, or why not.
pub(super) fn give_up_the_network() -> Result<String, String> {
    match selfsame_sandbox::give_up_the_network() {
        Ok(()) => Ok("a seccomp filter refuses every new socket to this process".to_owned()),
        Err(error) => Err(format!("the kernel or who started this process does not allow it: {error}")),
    }
}

/// What policies were told. An older file does not stay where there is nothing to tell: it would be taken for this one's.
fn write_facts(file: &Path, facts: Option<Value>) -> Answer<()> {
    if let Some(facts) = facts {
        return crate::prepare::write_text(file, &format!("{facts:#}\n"));
    }
    terminal::talk("no facts: the release is not verified without its policy");
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            let headline = format!("cannot remove `{}`, which is of another run: {error}", file.display());
            Err(Report::new(Exit::Unanswered, headline).into())
        }
        _ => Ok(()),
    }
}

/// What is asked about a release.
pub(super) fn questions(
    trust: &TrustArgs,
    expect: &[String],
    policies: &[PathBuf],
    depth: Depth,
) -> Answer<(Trust, Options)> {
    let expect = expectations(expect)?;
    let policy = crate::policy::of(policies)?;
    let day = Some(trust.at.unwrap_or_else(crate::trust::today));
    let trust = crate::trust::of(trust)?;
    let threads = NonZeroUsize::new(super::threads()).unwrap_or(NonZeroUsize::MIN);
    Ok((trust, Options { policy, day, ..Options::new(depth, expect, threads) }))
}

/// What a release has to say of itself.
pub(super) fn expectations(texts: &[String]) -> Answer<Expectations> {
    Expectations::parse(texts.iter().map(String::as_str)).map_err(|error| {
        let names: Vec<&str> = Expectations::NAMES.iter().map(|(name, _)| *name).collect();
        let report = Report::new(Exit::Unanswered, error.to_string()).fact("names", names.join(", "));
        match error {
            selfsame_verify::ExpectError::Unknown { nearest: Some(nearest), .. } => {
                report.hint(format!("did you mean `{nearest}`?"))
            }
            _ => report,
        }
        .into()
    })
}

/// What a verdict answers.
pub(super) fn exit(verdict: &Verdict) -> Exit {
    exit_of(verdict.class)
}

pub(super) fn exit_of(class: Class) -> Exit {
    match class {
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
            format!("verified: `{}`, {}\n", printable(&release.display().to_string()), depth_phrase(verdict.depth))
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
    let given = verdict.trust.is_some() || !verdict.failed().any(|check| check.id == CheckId::Trust);
    let lost = [CheckId::Layout, CheckId::Index, CheckId::Signatures];
    if given && verdict.failed().next().is_some_and(|check| lost.contains(&check.id)) {
        text += "\nhint: a copy of an image may have lost its signed documents; `--referrers-from RELEASE` says where they are\n";
    }
    // Nobody says whose these are; in an image of packages they are what to look at.
    let claims = verdict.check(CheckId::Claims).facts.iter();
    for fact in claims.filter(|fact| fact.label == "claimed by no package" && !fact.value.starts_with("0 ")) {
        text += &format!("  claimed by no package: {}\n", printable(&fact.value));
    }
    let layers = verdict.check(CheckId::Layers).facts.iter();
    for fact in layers.filter(|fact| fact.label == "rights of its own") {
        text += &format!("  rights of its own: {}\n", printable(&fact.value));
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

pub(super) fn depth_phrase(depth: Depth) -> &'static str {
    match depth {
        Depth::Evidence => "manifests and signed documents only: blobs were not read",
        Depth::Blobs => "every blob by its digest: what is in the layers was not looked at",
        Depth::Content => "down to every file in its layers",
    }
}

/// What the deploy step wants: where it was verified, by digest; of what is in no registry, its name.
fn print_digest(verdict: &Verdict, reference: Option<&Reference>) -> String {
    if let (Some(reference), Some(image)) = (reference, verdict.image) {
        return printable(&remote::by_digest(reference, image));
    }
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
