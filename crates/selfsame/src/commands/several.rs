//! `selfsame verify RELEASE RELEASE...`: a line for each, in the order in which they were named.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use selfsame_verify::{Class, Depth, JoinedVerdict, Options, ReleaseFiles, Trust, Verdict};
use serde_json::{Value, json};

use super::{joined, verify};
use crate::cli::Verify;
use crate::remote::{self, Release};
use crate::report::{Answer, Exit, Report, harmless_json, printable};
use crate::settings::Settings;
use crate::terminal;

const SCHEMA: &str = "https://selfsame.dev/verdict-line/v1";

/// One release among several.
struct Asked<'a> {
    name: &'a Path,
    depth: Depth,
    /// What a registry has under the name, if it is one there; the folder or tar itself is opened when it is its turn.
    found: Answer<Release>,
}

/// The verdict on one of them.
enum Judged {
    One(Box<Verdict>),
    Platforms(Box<JoinedVerdict>),
}

pub(super) fn run(arguments: &Verify, settings: &Settings) -> Answer {
    refuse_what_goes_with_one(arguments)?;
    let (trust, options) =
        verify::questions(&arguments.trust, &arguments.expect, &arguments.policy.policies, Depth::Evidence)?;
    // Everything that is far is here before the network is given up, for good.
    let asked: Vec<Asked<'_>> = arguments.releases.iter().map(|name| find(name, arguments, &trust, settings)).collect();
    let closed = verify::give_up_the_network();

    let workers = options.threads.get().min(asked.len());
    // Each is read by its share of the processors.
    let threads = NonZeroUsize::new(options.threads.get() / workers.max(1)).unwrap_or(NonZeroUsize::MIN);
    let content_bytes = arguments.most_content.unwrap_or(options.content_bytes);
    let options = Options { threads, content_bytes, ..options };
    let judge = |asked: &Asked<'_>| judge(asked, &trust, &options, &closed);
    let mut count = [0_usize; 4];
    in_order(&asked, workers, judge, |asked, answer| {
        let exit = exit(&answer);
        count[exit as usize] += 1;
        terminal::data(&if arguments.json { json_line(asked, exit, &answer) } else { line(asked, exit, &answer) });
    });
    let [yes, no, unanswered, not_now] = count;
    let others = [(no, "not verified"), (unanswered, "not answered"), (not_now, "not answered now")];
    let others: String = others.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!(", {n} {what}")).collect();
    terminal::talk(&format!("{} releases: {yes} verified{others}", asked.len()));
    // A plain no is the last word; where there is none, what could not be answered.
    let worst = [(no, Exit::No), (unanswered, Exit::Unanswered), (not_now, Exit::NotNow)];
    Ok(worst.into_iter().find(|(n, _)| *n > 0).map_or(Exit::Yes, |(_, exit)| exit))
}

/// What is made of one release, one name, one file.
fn refuse_what_goes_with_one(arguments: &Verify) -> Answer<()> {
    let flags = [
        ("--referrers-from", arguments.referrers_from.is_some()),
        ("--emit-vsa", arguments.summary.emit_vsa.is_some()),
        ("--print-digest", arguments.print_digest),
        ("--facts", arguments.facts.is_some()),
        ("--report", arguments.report.is_some()),
    ];
    match flags.iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((flag, _)) => {
            let count = arguments.releases.len();
            let report = Report::new(Exit::Unanswered, format!("`{flag}` is about one release, and {count} are named"));
            Err(report.hint("verify that release alone").into())
        }
    }
}

fn find<'a>(name: &'a Path, arguments: &Verify, trust: &Trust, settings: &Settings) -> Asked<'a> {
    let depth = verify::depth(arguments, remote::as_reference(name).is_some());
    Asked { name, depth, found: Release::find(name, Depth::Evidence < depth, false, Some(trust), settings) }
}

fn judge(asked: &Asked<'_>, trust: &Trust, options: &Options, closed: &Result<String, String>) -> Answer<Judged> {
    let files = asked.found.as_ref().map_err(Clone::clone)?.files()?;
    let options = Options { depth: asked.depth, ..options.clone() };
    Ok(Judged::of(files.as_ref(), trust, &options, closed))
}

impl Judged {
    fn of(files: &dyn ReleaseFiles, trust: &Trust, options: &Options, closed: &Result<String, String>) -> Self {
        if let Some(mut joined) = selfsame_verify::verify_joined(files, trust, options) {
            joined.parts.iter_mut().for_each(|(_, part)| part.judged_offline(closed.clone()));
            return Self::Platforms(Box::new(joined));
        }
        let mut verdict = selfsame_verify::verify(files, trust, options);
        verdict.judged_offline(closed.clone());
        Self::One(Box::new(verdict))
    }

    fn class(&self) -> Class {
        match self {
            Self::One(verdict) => verdict.class,
            Self::Platforms(joined) => joined.class(),
        }
    }

    /// Why it is not verified, if something is known.
    fn reason(&self) -> Option<String> {
        match self {
            Self::One(verdict) => verdict.failed().next().and_then(|check| check.outcome.reason()).map(str::to_owned),
            Self::Platforms(joined) => joined.faults().next().map(str::to_owned).or_else(|| {
                let failed = joined.parts.iter().find_map(|(platform, part)| Some((platform, part.failed().next()?)));
                failed.map(|(platform, check)| format!("{platform}: {}", check.outcome.reason().unwrap_or_default()))
            }),
        }
    }
}

fn exit(answer: &Answer<Judged>) -> Exit {
    match answer {
        Ok(judged) => verify::exit_of(judged.class()),
        Err(report) => report.exit,
    }
}

/// `verified: `RELEASE`, down to every file in its layers`
fn line(asked: &Asked<'_>, exit: Exit, answer: &Answer<Judged>) -> String {
    let reason = match answer {
        Ok(judged) => judged.reason(),
        Err(report) => Some(report.headline.clone()),
    };
    let reason = match exit {
        Exit::Yes => format!(", {}", verify::depth_phrase(asked.depth)),
        _ => reason.map(|reason| format!(": {reason}")).unwrap_or_default(),
    };
    printable(&format!("{}: `{}`{reason}", word(exit), asked.name.display()))
}

const fn word(exit: Exit) -> &'static str {
    match exit {
        Exit::Yes => "verified",
        Exit::No => "not verified",
        Exit::Unanswered => "not answered",
        Exit::NotNow => "not answered now",
    }
}

/// One object in one line: whose verdict it is, and the verdict or report that there would be of it alone.
fn json_line(asked: &Asked<'_>, exit: Exit, answer: &Answer<Judged>) -> String {
    let text = match answer {
        Ok(Judged::One(verdict)) => verdict.to_json(),
        Ok(Judged::Platforms(joined)) => joined::json(joined),
        Err(report) => report.json(),
    };
    let body: Value = serde_json::from_str(&text).unwrap_or_default();
    let release = asked.name.display().to_string();
    let body = json!({ "answer": body, "class": body["class"], "exit": exit as u8, "release": release });
    let text = body.to_string();
    harmless_json(&format!("{{\"schema\":\"{SCHEMA}\",{}", text.strip_prefix('{').unwrap_or(&text)))
}

/// Shows what `work` makes of each of these, in their order and as soon as those before are shown; `workers` work at a
/// time, and none gets far ahead.
fn in_order<J: Sync, R: Send>(jobs: &[J], workers: usize, work: impl Fn(&J) -> R + Sync, mut show: impl FnMut(&J, R)) {
    if workers < 2 {
        return jobs.iter().for_each(|job| show(job, work(job)));
    }
    std::thread::scope(|scope| {
        let next = Arc::new(AtomicUsize::new(0));
        let (to_show, shown) = mpsc::sync_channel::<(usize, R)>(workers);
        for _ in 0..workers {
            let (next, to_show, work) = (Arc::clone(&next), to_show.clone(), &work);
            scope.spawn(move || {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(at) else { return };
                    if to_show.send((at, work(job))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(to_show);
        let mut waiting = BTreeMap::new();
        let mut at = 0;
        for (done, result) in shown {
            waiting.insert(done, result);
            while let Some(result) = waiting.remove(&at) {
                show(&jobs[at], result);
                at += 1;
            }
        }
    });
}
