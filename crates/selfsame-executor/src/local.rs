//! The executor of this machine.
#![expect(
    clippy::disallowed_methods,
    reason = "durations stand in the run record, and this is the edge that measures them"
)]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use selfsame_action::action::STDOUT;
use selfsame_action::{Action, Execution, ExecutionError, Executor, Variation};
use selfsame_core::{Level, RelPath};
use selfsame_sandbox::{self as sandbox, Achieved, End, HostFacts, Outcome, Pressure, SandboxError, Stream};
use selfsame_store::Store;

use crate::collect::Collector;
use crate::kept::Kept;
use crate::log::{Log, LogSink};
use crate::specification::{HostView, LayoutError, Place, specification};

/// What an executor needs from its surroundings.
pub struct Settings<'a> {
    /// The program that becomes the sandbox's helper when its first argument says so: this one, `/proc/self/exe`.
    pub program: PathBuf,
    /// Where inputs are and outputs go.
    pub store: &'a Store,
    /// A folder on the store's disk for what does not fit into memory; its own subfolders come and go.
    pub scratch: PathBuf,
    /// Sees logs as they come.
    pub log: &'a dyn LogSink,
    /// Set by Ctrl-C.
    pub cancel: &'a AtomicBool,
}

/// Runs actions in sandboxes, one at a time.
pub struct LocalExecutor<'a> {
    settings: Settings<'a>,
    host: Option<HostView>,
    observed: RefCell<BTreeSet<String>>,
}

impl<'a> LocalExecutor<'a> {
    /// For builds: actions see their inputs and nothing else.
    #[must_use]
    pub const fn new(settings: Settings<'a>) -> Self {
        Self { settings, host: None, observed: RefCell::new(BTreeSet::new()) }
    }

    /// For captures: actions see the host's own tools too, and every path that they name is kept.
    #[must_use]
    pub const fn observing(settings: Settings<'a>, host: HostView) -> Self {
        Self { settings, host: Some(host), observed: RefCell::new(BTreeSet::new()) }
    }

    /// Every absolute path that observed actions named.
    #[must_use]
    pub fn into_observed(self) -> BTreeSet<String> {
        self.observed.into_inner()
    }
}

impl Executor for LocalExecutor<'_> {
    fn run(&self, action: &Action, variation: Variation) -> Result<Execution, ExecutionError> {
        let Settings { program, store, scratch, log: sink, cancel } = &self.settings;
        let storage = |fault: String| ExecutionError::Storage { action: action.name.clone(), fault };
        let prefix = match variation {
            Variation::None => "run-",
            Variation::Check => "run-again-under-another-path-",
        };
        let scratch = tempfile::Builder::new()
            .prefix(prefix)
            .tempdir_in(scratch)
            .map_err(|error| storage(format!("create a folder in `{}`: {error}", scratch.display())))?;
        let upper = scratch.path().join("upper");
        std::fs::create_dir(&upper).map_err(|error| storage(format!("create `{}`: {error}", upper.display())))?;
        let place = Place { program, scratch: &upper, variation };
        // A root file system is configured as it is, whatever is observed behind it.
        let host = self.host.as_ref().filter(|_| action.system.is_none());
        let spec = specification(action, host, &place, store).map_err(|error| match error {
            LayoutError::Store(error) => storage(error.to_string()),
            LayoutError::Fault(fault) => storage(fault),
        })?;

        let started = Instant::now();
        let mut log = Log::new(&action.name, *sink, scratch.path()).map_err(|error| storage(error.to_string()))?;
        let mut kept = action.keeps_stdout.then(Kept::default);
        let mut collector = match action.system {
            Some(_) => Collector::of_changes(store, action.scratch_bytes),
            None => Collector::new(store, action.outputs.clone(), action.scratch_bytes),
        };
        let mut write = |stream, bytes: &[u8]| match (stream, &mut kept) {
            (Stream::Stdout, Some(kept)) => kept.write(bytes),
            _ => log.write(bytes),
        };
        let outcome = sandbox::run(&spec, &mut write, &mut collector, cancel);
        let duration_millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (log, last_lines) = log.finish(store).map_err(|error| storage(error.to_string()))?;

        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(SandboxError::Sink(error)) => {
                if let Some(fault) = collector.take_refusal() {
                    return Err(ExecutionError::Output { action: action.name.clone(), fault });
                }
                let fault = collector.take_failure().map_or_else(|| error.to_string(), |error| error.to_string());
                return Err(storage(fault));
            }
            Err(error) => return Err(no_outcome(action, error, last_lines, log)),
        };
        if !outcome.end.is_success() {
            return Err(failed(action, &outcome, last_lines, log));
        }
        self.observed.borrow_mut().extend(outcome.observed);
        if let Some(kept) = kept {
            collector.add(RelPath::new(STDOUT).expect("a constant"), kept.finish(store).map_err(storage)?);
        }
        let output = match (&action.system, action.inputs.first()) {
            (Some(_), Some(root)) => {
                let before = store.tree(&root.tree).map_err(|error| storage(error.to_string()))?;
                collector.into_root(&before)
            }
            _ => collector.into_tree(),
        };
        let output = output.map_err(|fault| ExecutionError::Output { action: action.name.clone(), fault })?;
        Ok(Execution {
            output,
            normalised: None,
            level: level(outcome.achieved.level),
            sandbox: promises(&outcome.achieved),
            host: host_facts(&outcome.host, outcome.leftovers),
            log,
            duration_millis,
        })
    }
}

fn level(level: sandbox::Level) -> Level {
    match level {
        sandbox::Level::Isolated => Level::Isolated,
        sandbox::Level::Normalized => Level::Normalized,
    }
}

fn failed(action: &Action, outcome: &Outcome, last_lines: Vec<String>, log: selfsame_core::Digest) -> ExecutionError {
    let Pressure { oom_kills, scratch_full, tasks_limit } = outcome.pressure;
    let (ended, mut mechanism) = match &outcome.end {
        End::Cancelled => return ExecutionError::Interrupted { action: action.name.clone() },
        End::TimedOut => (format!("was stopped after {} seconds", action.timeout_secs), Some("its timeout".to_owned())),
        End::OutOfMemory => (outcome.end.to_string(), Some("out of memory".to_owned())),
        end => (end.to_string(), None),
    };
    if tasks_limit {
        mechanism = Some(format!("task limit: more than {} processes and threads", sandbox::Limits::TASKS));
    } else if scratch_full {
        mechanism = Some(format!("scratch full: more than {} bytes were written", action.scratch_bytes));
    } else if oom_kills > 0 {
        mechanism = Some("out of memory".to_owned());
    }
    ExecutionError::Failed { action: action.name.clone(), ended, mechanism, argv: action.argv.clone(), last_lines, log }
}

fn no_outcome(
    action: &Action,
    error: SandboxError,
    last_lines: Vec<String>,
    log: selfsame_core::Digest,
) -> ExecutionError {
    match error {
        SandboxError::Cancelled => ExecutionError::Interrupted { action: action.name.clone() },
        SandboxError::Refused { relaxation, .. } => ExecutionError::Sandbox {
            level: action.level,
            fault: error.to_string(),
            relaxation: relaxation.map(|relaxation| relaxation.to_string()),
        },
        SandboxError::Ids { because, line } => ExecutionError::Ids { action: action.name.clone(), because, line },
        SandboxError::Output { .. } => ExecutionError::Output { action: action.name.clone(), fault: error.to_string() },
        SandboxError::Exec { .. } => ExecutionError::Failed {
            action: action.name.clone(),
            ended: "could not be started".to_owned(),
            mechanism: Some(error.to_string()),
            argv: action.argv.clone(),
            last_lines,
            log,
        },
        other => {
            let mut fault = other.to_string();
            let mut source = std::error::Error::source(&other);
            while let Some(cause) = source {
                fault = format!("{fault}: {cause}");
                source = cause.source();
            }
            ExecutionError::Storage { action: action.name.clone(), fault }
        }
    }
}

/// What held, in the provenance's words.
fn promises(achieved: &Achieved) -> BTreeMap<String, String> {
    let yes = |held: bool| if held { "yes" } else { "no" }.to_owned();
    let relaxed: Vec<String> = achieved.relaxed.iter().map(ToString::to_string).collect();
    BTreeMap::from([
        ("fixedAddresses".to_owned(), yes(achieved.fixed_addresses)),
        ("landlock".to_owned(), yes(achieved.landlock)),
        ("namespaces".to_owned(), achieved.namespaces.join(" ")),
        ("network".to_owned(), if achieved.network { "host" } else { "none" }.to_owned()),
        ("ownProc".to_owned(), yes(achieved.own_proc)),
        ("relaxed".to_owned(), relaxed.join(" ")),
        ("seccomp".to_owned(), yes(achieved.seccomp)),
        ("unprivileged".to_owned(), yes(achieved.unprivileged)),
    ])
}

/// What the host happened to be, for the run record.
fn host_facts(host: &HostFacts, leftovers: u32) -> BTreeMap<String, String> {
    let limits: Vec<String> = host.task_limits.iter().map(|limit| format!("{limit:?}").to_lowercase()).collect();
    BTreeMap::from([
        ("kernel".to_owned(), host.kernel.clone()),
        ("leftoverProcesses".to_owned(), leftovers.to_string()),
        ("memoryLimit".to_owned(), host.memory_limit.to_string()),
        ("rlimitsMissing".to_owned(), host.rlimits_missing.join(" ")),
        ("supplementaryGroups".to_owned(), host.supplementary_groups.to_string()),
        ("taskLimits".to_owned(), limits.join(" ")),
        ("upper".to_owned(), format!("{:?}", host.upper).to_lowercase()),
    ])
}
