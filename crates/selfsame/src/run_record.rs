//! The run record: facts of this run alone, gathered at the edge and signed beside the release.

use std::collections::BTreeSet;

use selfsame_attest::{ActionRun, Cpu, Host, RunRecord, Tool, User};
use selfsame_build::{Built, StepRecord};
use selfsame_core::{Digest, Hasher, SourceEpoch};
use selfsame_diff::HostFacts;

use crate::report::{Answer, Exit, Report};

/// When a run began, by both clocks.
pub(crate) struct Started {
    wall_secs: u64,
    monotonic: std::time::Instant,
}

impl Started {
    pub(crate) fn now() -> Self {
        Self { wall_secs: crate::settings::wall_clock_secs(), monotonic: crate::settings::monotonic() }
    }

    pub(crate) fn elapsed_millis(&self) -> u64 {
        u64::try_from(self.monotonic.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// This program, by its version and bytes.
pub(crate) fn tool() -> Answer<Tool> {
    let program = std::fs::File::open("/proc/self/exe").and_then(Hasher::of_reader);
    let (sha256, _) =
        program.map_err(|error| Report::new(Exit::Unanswered, format!("cannot read this program itself: {error}")))?;
    Ok(Tool { version: env!("CARGO_PKG_VERSION").to_owned(), sha256 })
}

/// The record of a run that made a release.
pub(crate) fn record(builds: &[Built], release_id: Digest, started: &Started) -> Answer<RunRecord> {
    let time = |secs: u64| SourceEpoch::new(secs).map(SourceEpoch::rfc3339).unwrap_or_default();
    let steps = builds.iter().flat_map(|built| built.record.steps.iter().map(move |step| (built, step)));
    // Of several platforms each action ran for one of them.
    let name = |built: &Built, step: &StepRecord| match builds.len() {
        1 => step.name.clone(),
        _ => format!("{} for {}", step.name, built.record.request.platform),
    };
    Ok(RunRecord {
        release_id,
        selfsame: tool()?,
        started_at: time(started.wall_secs),
        finished_at: time(crate::settings::wall_clock_secs()),
        duration_ms: started.elapsed_millis(),
        host: host(),
        user: user(),
        actions: steps
            .map(|(built, step)| ActionRun {
                name: name(built, step),
                digest: step.action,
                cached: step.run.cached,
                duration_ms: step.run.duration_millis,
            })
            .collect(),
        not_covered: not_covered(builds),
    })
}

/// This machine.
fn host() -> Host {
    let uname = rustix::system::uname();
    let text = |value: &std::ffi::CStr| value.to_string_lossy().into_owned();
    Host { hostname: text(uname.nodename()), kernel: text(uname.release()), machine: text(uname.machine()), cpu: cpu() }
}

/// The account that runs this.
fn user() -> User {
    let uid = rustix::process::getuid().as_raw();
    User { uid, gid: rustix::process::getgid().as_raw(), rootless: uid != 0 }
}

/// What a run record says about its machine, for explaining a difference.
pub(crate) fn facts(record: &RunRecord) -> HostFacts {
    let built_at = SourceEpoch::from_rfc3339(&record.started_at).map(SourceEpoch::seconds);
    HostFacts { built_at, ..host_facts(&record.host, &record.user) }
}

/// The same of this machine, now.
pub(crate) fn facts_here() -> HostFacts {
    HostFacts { built_at: Some(crate::settings::wall_clock_secs()), ..host_facts(&host(), &user()) }
}

fn host_facts(host: &Host, user: &User) -> HostFacts {
    HostFacts {
        host_name: Some(host.hostname.clone()),
        user: Some(user.uid.to_string()),
        build_path: None,
        kernel: Some(host.kernel.clone()),
        cpu_model: Some(host.cpu.model.clone()).filter(|model| !model.is_empty()),
        cpu_count: Some(host.cpu.count.to_string()),
        built_at: None,
    }
}

/// What the level, or this host, could not hide from the actions.
fn not_covered(builds: &[Built]) -> Vec<String> {
    let always = ["clocks", "cpu instruction set", "modification times of new files", "order of threads and processes"];
    let mut phrases: BTreeSet<String> = always.iter().map(|phrase| (*phrase).to_owned()).collect();
    for step in builds.iter().flat_map(|built| &built.record.steps) {
        let fact = |name: &str| step.run.host.get(name).map_or("", String::as_str);
        if let Some(because) = fact("supplementaryGroups").strip_prefix("kept") {
            let because = because.strip_prefix(": ").map(|text| format!(" ({text})")).unwrap_or_default();
            phrases.insert(format!("supplementary groups of the invoking user{because}"));
        }
        if !step.run.cached && fact("taskLimits").is_empty() {
            phrases.insert("number of tasks".to_owned());
        }
        if fact("upper") == "disk" {
            phrases.insert("order of directory entries on the store's disk".to_owned());
        }
        if !fact("rlimitsMissing").is_empty() {
            phrases.insert(format!("resource limits {}", fact("rlimitsMissing")));
        }
    }
    phrases.into_iter().collect()
}

fn cpu() -> Cpu {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        info.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.trim() == name)
            .map(|(_, value)| value.trim())
    };
    let mut flags: Vec<String> = field("flags")
        .or_else(|| field("Features"))
        .unwrap_or_default()
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    flags.sort();
    flags.dedup();
    let count = std::thread::available_parallelism().map_or(1, |count| u32::try_from(count.get()).unwrap_or(u32::MAX));
    Cpu { model: field("model name").unwrap_or_default().to_owned(), count, flags }
}
