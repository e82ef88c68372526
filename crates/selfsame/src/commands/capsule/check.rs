//! `selfsame capsule check`: whether a capsule suffices. Each release is made again in a store of its own that begins
//! empty, with no network and nothing of this machine.

use selfsame_attest::RebuildVerdict;
use selfsame_store::{Staging, Store};
use selfsame_verify::Depth;
use serde_json::{Value, json};

use super::Opened;
use crate::cli::{CapsuleCheck, TrustArgs};
use crate::commands::errors;
use crate::commands::judged::Judged;
use crate::commands::rebuild_verify::{Machine, MissingInput, all_again};
use crate::prepare;
use crate::report::{Answer, Exit, printable, with_schema};
use crate::settings::Settings;
use crate::terminal::{self, Voice};

/// How many inputs that are missing are shown; JSON has all.
const SHOWN: usize = 5;

/// What came of one release.
struct Verdict {
    class: &'static str,
    exit: Exit,
    /// Why it is not the same.
    reason: String,
    missing: Vec<MissingInput>,
    release_id: Option<selfsame_core::Digest>,
}

impl Verdict {
    fn of(class: &'static str, exit: Exit, reason: impl Into<String>) -> Self {
        Self { class, exit, reason: reason.into(), missing: Vec::new(), release_id: None }
    }
}

pub(super) fn run(arguments: &CapsuleCheck, settings: &Settings) -> Answer {
    settings.json.set(arguments.json);
    let voice = Voice::new(arguments.progress, settings);
    let cancel = crate::interrupt::flag()?;
    let (releases, _capsule) = super::releases(&arguments.capsule, settings)?;
    // Nothing in it is used: it says where there is room.
    let store = prepare::store(settings)?;
    let alone = Settings { offline: true, ..settings.clone() };
    let mut verdicts = Vec::new();
    for release in &releases {
        let name = &release.listed.reference;
        voice.say("release", &printable(name));
        // A folder of the store's own is in the way of nobody, and goes with this process.
        let scratch = store.scratch_folder().map_err(errors::store)?;
        let staging = Staging::beside(&scratch.join("store")).map_err(errors::publish)?;
        let fresh = Store::open(&staging.path()).map_err(errors::store)?;
        let (settings, voice, cancel) = (&alone, &voice, &cancel);
        let machine = Machine { store: &fresh, settings, voice, cancel, no_host: true, shared: false };
        let verdict = match check(release, &arguments.trust, &machine) {
            Ok(verdict) => verdict,
            Err(report) if cancel.load(std::sync::atomic::Ordering::Relaxed) => return Err(report),
            Err(report) => {
                let class = if report.exit == Exit::No { "differs" } else { "could-not-rebuild" };
                Verdict::of(class, report.exit, report.headline.clone())
            }
        };
        if !arguments.json {
            show(name, &verdict);
        }
        verdicts.push(verdict);
    }
    let exit = worst(verdicts.iter().map(|verdict| verdict.exit));
    if arguments.json {
        print_json(&releases, &verdicts, exit);
    }
    Ok(exit)
}

fn check(release: &Opened, trust: &TrustArgs, machine: &Machine<'_>) -> Answer<Verdict> {
    let files = release.files.as_ref();
    let judged = Judged::of(files, trust, &[], Depth::Content)?;
    if !judged.is_verified() {
        let reason = Some(judged.reason()).filter(|reason| !reason.is_empty());
        return Ok(Verdict::of(
            "not-verified",
            judged.exit(),
            reason.unwrap_or_else(|| "it is not verified".to_owned()),
        ));
    }
    let mut verdict = match all_again(files, &judged, machine)? {
        Err(missing) => {
            let reason = format!("{} inputs are not in the capsule", missing.len());
            Verdict { missing, ..Verdict::of("could-not-rebuild", Exit::Unanswered, reason) }
        }
        Ok(whole) => match whole.outcome.verdict {
            RebuildVerdict::Same => Verdict::of("same", Exit::Yes, String::new()),
            other => Verdict::of(other.as_str(), Exit::No, whole.outcome.cause),
        },
    };
    verdict.release_id = judged.release_id();
    Ok(verdict)
}

/// No where one says no; else whatever kept one from answering.
fn worst(exits: impl Iterator<Item = Exit>) -> Exit {
    let rank = |exit: &Exit| match exit {
        Exit::Yes => 0,
        Exit::NotNow => 1,
        Exit::Unanswered => 2,
        Exit::No => 3,
    };
    exits.max_by_key(rank).unwrap_or(Exit::Yes)
}

fn show(name: &str, verdict: &Verdict) {
    let reason = if verdict.reason.is_empty() { "every digest is equal" } else { &verdict.reason };
    terminal::data(&printable(&format!("{}: `{name}`: {reason}", verdict.class)));
    for missing in verdict.missing.iter().take(SHOWN) {
        terminal::data(&printable(&format!("  {}  {}", missing.digest, missing.name)));
    }
    if verdict.missing.len() > SHOWN {
        terminal::data(&format!("  and {} more; --json lists all", verdict.missing.len() - SHOWN));
    }
}

fn print_json(releases: &[Opened], verdicts: &[Verdict], exit: Exit) {
    let list: Vec<Value> = releases
        .iter()
        .zip(verdicts)
        .map(|(release, verdict)| {
            let missing: Vec<Value> = verdict
                .missing
                .iter()
                .map(|input| json!({"digest": input.digest, "name": input.name, "note": input.note}))
                .collect();
            json!({
                "class": verdict.class,
                "image": release.listed.image.digest,
                "missing": missing,
                "name": release.listed.reference,
                "reason": verdict.reason,
                "releaseId": verdict.release_id,
            })
        })
        .collect();
    let class = match exit {
        Exit::Yes => "sufficient",
        Exit::No => "no",
        Exit::Unanswered | Exit::NotNow => "unanswered",
    };
    let body = json!({"class": class, "releases": list});
    terminal::data(&with_schema("https://selfsame.dev/capsule-check/v1", &body));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_no_is_a_no_and_one_silence_is_no_yes() {
        let of = |exits: &[Exit]| worst(exits.iter().copied());
        assert_eq!(of(&[]), Exit::Yes);
        assert_eq!(of(&[Exit::Yes, Exit::NotNow]), Exit::NotNow);
        assert_eq!(of(&[Exit::Unanswered, Exit::NotNow, Exit::Yes]), Exit::Unanswered);
        assert_eq!(of(&[Exit::Unanswered, Exit::No, Exit::Yes]), Exit::No);
    }
}
