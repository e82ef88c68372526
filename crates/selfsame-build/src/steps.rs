//! Runs a plan: from the store where a result is there, in the sandbox where not, twice where it is to be checked.

use std::collections::BTreeMap;

use selfsame_action::{Action, Counts, Execution, ExecutionError, Executor, Normalised, Plan, Variation, normalise};
use selfsame_core::json::{self, Limits};
use selfsame_core::{Digest, Level};
use selfsame_store::Store;
use selfsame_tree::{Entry, Tree, compare};
use serde::{Deserialize, Serialize};

use crate::error::BuildError;
use crate::progress::{Event, Progress};
use crate::record::{StepRecord, StepRun};

/// How steps are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    /// Whether results in the store count, and this one will. A rebuild and an observed run neither read nor leave any.
    pub use_cache: bool,
    /// Whether each result is made a second time under variation before it counts, or was so when it was admitted.
    pub check: bool,
}

/// Runs every step in order.
pub fn run_steps(
    plan: &Plan,
    store: &Store,
    executor: &dyn Executor,
    mode: Mode,
    progress: &dyn Progress,
) -> Result<Vec<StepRecord>, BuildError> {
    let mut outputs: BTreeMap<String, Digest> = BTreeMap::new();
    let mut records = Vec::new();
    for step in &plan.steps {
        let action = step.action(&outputs);
        progress.event(Event::ActionStarted { name: step.name() });
        let result = match cached(store, &action, mode)? {
            Some(result) => result,
            None => fresh(store, executor, &action, mode, progress)?,
        };
        progress.event(Event::ActionEnded {
            name: step.name(),
            cached: result.run.cached,
            checked: result.checked,
            duration_millis: result.run.duration_millis,
        });
        let tree = with_rank(&result.tree, step.rank);
        let output = store.put_tree(&tree)?;
        outputs.insert(step.name().to_owned(), output);
        records.push(StepRecord {
            name: step.name().to_owned(),
            action: action.digest(),
            argv: action.argv,
            output,
            tree,
            normalised: result.normalised,
            level: result.level,
            sandbox: result.sandbox,
            checked: result.checked,
            run: result.run,
        });
    }
    Ok(records)
}

struct StepResult {
    tree: Tree,
    normalised: Vec<Normalised>,
    level: Level,
    sandbox: BTreeMap<String, String>,
    checked: bool,
    run: StepRun,
}

/// What the action cache holds for an action. Never evidence: a rebuild does not read it.
#[derive(Serialize, Deserialize)]
struct CachedResult {
    /// The output tree, every rank 0.
    output: Digest,
    level: String,
    sandbox: BTreeMap<String, String>,
    checked: bool,
    /// What normalisers did: how many entries before and after, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    normalised: Counts,
}

fn cached(store: &Store, action: &Action, mode: Mode) -> Result<Option<StepResult>, BuildError> {
    if !mode.use_cache {
        return Ok(None);
    }
    let Some(bytes) = store.action_result(&action.digest())? else { return Ok(None) };
    // An entry of another version, or with blobs that are gone, is no result.
    let Ok(entry) = json::parse_as::<CachedResult>(&bytes, Limits::DOCUMENT) else { return Ok(None) };
    let Ok(level) = entry.level.parse() else { return Ok(None) };
    if mode.check && !entry.checked || !store.has(&entry.output) {
        return Ok(None);
    }
    let tree = store.tree(&entry.output)?;
    if !store.missing(&tree)?.is_empty() {
        return Ok(None);
    }
    let Some(normalised) = Normalised::from_counts(action, &entry.normalised) else { return Ok(None) };
    let run = StepRun { cached: true, ..StepRun::default() };
    Ok(Some(StepResult { tree, normalised, level, sandbox: entry.sandbox, checked: entry.checked, run }))
}

fn fresh(
    store: &Store,
    executor: &dyn Executor,
    action: &Action,
    mode: Mode,
    progress: &dyn Progress,
) -> Result<StepResult, BuildError> {
    let mut first = executor.run(action, Variation::None).map_err(BuildError::Action)?;
    let normalised = without_traces(action, &mut first, store)?;
    if mode.check {
        progress.event(Event::ActionChecked { name: &action.name });
        let mut second = executor.run(action, Variation::Check).map_err(|error| match error {
            ExecutionError::Failed { action, ended, log, last_lines, .. } => {
                BuildError::CheckFailed { action, ended, log, last_lines }
            }
            other => BuildError::Action(other),
        })?;
        let again = without_traces(action, &mut second, store)?;
        require_equal(action, &first, &second)?;
        if normalised != again {
            return Err(BuildError::OtherTraces { action: action.name.clone() });
        }
    }
    let output = store.put_tree(&first.output)?;
    let entry = CachedResult {
        output,
        level: first.level.name().to_owned(),
        sandbox: first.sandbox.clone(),
        checked: mode.check,
        normalised: Normalised::to_counts(&normalised),
    };
    // A run that may not read results may not leave any: an observed one saw more of the host than its action says.
    if mode.use_cache {
        store.put_action_result(&action.digest(), &json::canonical(&entry))?;
    }
    let run = StepRun { cached: false, duration_millis: first.duration_millis, host: first.host, log: Some(first.log) };
    let (level, sandbox, checked) = (first.level, first.sandbox, mode.check);
    Ok(StepResult { tree: first.output, normalised, level, sandbox, checked, run })
}

/// Applies the normalisers of an action to what it left. What was normalised before has nothing left for them; the counts are
/// then those of that time.
fn without_traces(action: &Action, execution: &mut Execution, store: &Store) -> Result<Vec<Normalised>, BuildError> {
    let (Some(system), Some(input)) = (&action.system, action.inputs.first()) else { return Ok(Vec::new()) };
    let before = store.tree(&input.tree)?;
    let normalised = normalise(&system.normalisers, &before, &execution.output);
    let (tree, normalised) = normalised.map_err(|fault| BuildError::ImageTree { fault })?;
    // What is emptied has the content of nothing.
    store.put_bytes(b"", false)?;
    execution.output = tree;
    Ok(execution.normalised.take().unwrap_or(normalised))
}

fn require_equal(action: &Action, first: &Execution, second: &Execution) -> Result<(), BuildError> {
    let changes = compare(&first.output, &second.output);
    if changes.is_empty() {
        return Ok(());
    }
    Err(BuildError::NotReproducible {
        action: action.name.clone(),
        level: first.level,
        paths: changes.iter().map(|change| change.path().clone()).collect(),
        first: first.output.clone(),
        second: second.output.clone(),
    })
}

fn with_rank(tree: &Tree, rank: u32) -> Tree {
    let ranked = |(path, entry): (&_, &Entry)| (Clone::clone(path), Entry { step_rank: rank, ..entry.clone() });
    Tree::from_entries(tree.iter().map(ranked)).expect("the same entries as a tree that is one")
}

#[cfg(test)]
mod tests {
    use selfsame_core::{Platform, Profile, RelPath, SourceEpoch};
    use selfsame_definition::Definition;

    use super::*;
    use crate::progress::Quiet;

    /// Makes a file that says what was to be seen.
    struct Sees<'a>(&'a Store, &'a str);

    impl Executor for Sees<'_> {
        fn run(&self, _: &Action, _: Variation) -> Result<Execution, ExecutionError> {
            let digest = self.0.put_bytes(self.1.as_bytes(), false).expect("a store");
            let path = RelPath::new("out").expect("a path");
            let output = Tree::from_entries([(path, Entry::file(digest, self.1.len() as u64, false))]);
            Ok(Execution {
                output: output.expect("a tree"),
                normalised: None,
                level: Level::Normalized,
                sandbox: BTreeMap::new(),
                host: BTreeMap::new(),
                log: Digest::of(b""),
                duration_millis: 1,
            })
        }
    }

    /// A run that is observed has an empty toolchain in its action and the host's in its root; a build whose toolchain
    /// turns out to be empty has the same action.
    #[test]
    fn a_run_without_the_cache_leaves_nothing_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        let definition = "name = \"x\"\nversion = \"1\"\n[source]\nepoch = 7\n[toolchain.cc]\nhost = true\n\
                          [[action]]\nname = \"look\"\nrun = [\"./look\"]\noutputs = [\"out\"]\n\
                          [[image.file]]\nfrom = \"look:out\"\nto = \"/out\"\n";
        let empty = store.put_tree(&Tree::new()).unwrap();
        let bound = selfsame_action::Bound {
            source: empty,
            epoch: SourceEpoch::new(7).unwrap(),
            toolchains: BTreeMap::from([("cc".to_owned(), empty)]),
            inputs: BTreeMap::new(),
            configured: BTreeMap::new(),
            cargo: None,
            profile: Profile::CURRENT,
            level: Level::Normalized,
            platform: Platform::native(),
            target: Platform::native(),
            relaxations: std::collections::BTreeSet::new(),
        };
        let plan = Plan::new(&Definition::parse(definition).unwrap(), &bound).unwrap();
        let run = |sees: &str, use_cache| {
            let mode = Mode { use_cache, check: false };
            let steps = run_steps(&plan, &store, &Sees(&store, sees), mode, &Quiet).unwrap();
            (steps[0].run.cached, steps[0].tree.content("out").unwrap().0)
        };
        run("the host", false);
        assert_eq!(run("the inputs", true), (false, Digest::of(b"the inputs")));
        assert_eq!(run("the host", true), (true, Digest::of(b"the inputs")));
    }
}
