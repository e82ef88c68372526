//! The pipeline: from bound inputs to a build record, reading top to bottom like design and documentation do.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use selfsame_action::configure::configure_step;
use selfsame_action::secret::secrets_in;
use selfsame_action::{Bound, Executor, Plan};
use selfsame_core::{Digest, Level};
use selfsame_definition::Definition;
use selfsame_lock::Normaliser;
use selfsame_store::Store;
use selfsame_tree::{Kind, Tree};

use crate::base::{BaseImage, InputPackage};
use crate::error::BuildError;
use crate::image;
use crate::progress::Progress;
use crate::record::{BuildRecord, StepRecord};
use crate::request::{InputSet, Request};
use crate::sbom::{self, ToolchainPackage};
use crate::steps::{Mode, run_steps};

/// Everything that a build reads. All content is in the store.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// What the author wrote.
    pub definition: Definition,
    /// What was bound and locked.
    pub request: Request,
    /// The source.
    pub source: Tree,
    /// The trees of the toolchains, by name.
    pub toolchains: BTreeMap<String, Tree>,
    /// The vendored crates with cargo's configuration, where an action is cargo's.
    pub cargo: Option<Digest>,
    /// The trees of the inputs, by name.
    pub inputs: BTreeMap<String, Tree>,
    /// What the image stands on; nothing for one from scratch.
    pub base: Option<BaseImage>,
    /// The packages of the inputs, and of toolchains that are inputs, by name.
    pub described: BTreeMap<String, Vec<InputPackage>>,
    /// The packages of the captured toolchains.
    pub toolchain_packages: Vec<ToolchainPackage>,
}

/// A build whose evidence is not signed yet.
#[derive(Clone, Debug)]
pub struct Built {
    /// From request to image.
    pub record: BuildRecord,
    /// The SBOM's canonical bytes. As a value it would be ten times as large.
    pub sbom: Vec<u8>,
    /// Whether every action was made twice, now or when its result was admitted.
    pub checked: bool,
}

/// Builds: plan, run, assemble, describe. Nothing is signed and nothing leaves the store.
pub fn build(
    inputs: &Inputs,
    store: &Store,
    executor: &dyn Executor,
    mode: Mode,
    threads: usize,
    progress: &dyn Progress,
) -> Result<Built, BuildError> {
    refuse_secrets(&inputs.definition)?;
    refuse_overlaps(inputs)?;
    let plan = Plan::new(&inputs.definition, &bound(inputs)?)?;
    let steps = run_steps(&plan, store, executor, mode, progress)?;
    let inputs = &configured(inputs, &steps)?;
    let Inputs { definition, request, source, .. } = inputs.as_ref();
    let base = inputs.base.as_ref();
    let image = image::assemble(definition, request, source, &inputs.inputs, &steps, base, store, threads, progress)?;
    let facts = sbom::facts(inputs, &image, &steps, store)?;
    let sbom = selfsame_sbom::bytes(&selfsame_sbom::document(&facts)?);
    drop(facts);
    let sbom_digest = store.put_bytes(&sbom, false)?;
    let checked = steps.iter().all(|step| step.checked);
    let (level, sandbox) = achieved(request.level, &steps);
    let record = BuildRecord { request: request.clone(), level, sandbox, steps, image, sbom_digest };
    Ok(Built { record, sbom, checked })
}

/// The inputs with what steps made of those that were to be configured.
fn configured<'a>(inputs: &'a Inputs, steps: &[StepRecord]) -> Result<Cow<'a, Inputs>, BuildError> {
    let mut inputs = Cow::Borrowed(inputs);
    let names: Vec<String> =
        inputs.request.inputs.iter().filter(|(_, set)| set.configured.is_some()).map(name).collect();
    for name in names {
        let wanted = configure_step(&name);
        let step = steps.iter().find(|step| step.name == wanted).expect("every step of the plan ran");
        let own = inputs.to_mut();
        for trees in [&mut own.toolchains, &mut own.inputs] {
            if let Some(tree) = trees.get_mut(&name) {
                *tree = step.tree.clone();
            }
        }
        if let Some(base) = own.base.as_mut().filter(|base| base.name == name) {
            base.tree = step.tree.clone();
        }
    }
    if let Cow::Owned(inputs) = &inputs {
        // Scripts may have made what another toolchain has.
        refuse_overlaps(inputs)?;
    }
    Ok(inputs)
}

fn name((name, _): (&String, &InputSet)) -> String {
    name.clone()
}

/// The normalisers of every input that is to be configured.
pub fn normalisers(inputs: &BTreeMap<String, InputSet>) -> Result<BTreeMap<String, Vec<Normaliser>>, BuildError> {
    let mut all = BTreeMap::new();
    for (input, set) in inputs {
        let Some(names) = &set.configured else { continue };
        let known = names.iter().map(|name| name.parse()).collect::<Result<Vec<Normaliser>, _>>();
        let unknown =
            |error: selfsame_lock::WordError| BuildError::Normaliser { input: input.clone(), fault: error.to_string() };
        all.insert(input.clone(), known.map_err(unknown)?);
    }
    Ok(all)
}

fn bound(inputs: &Inputs) -> Result<Bound, BuildError> {
    let request = &inputs.request;
    let is_toolchain = |name: &str| inputs.definition.toolchains.keys().any(|known| known.as_str() == name);
    let trees = |toolchain: bool| {
        let wanted = request.inputs.iter().filter(move |(name, _)| is_toolchain(name) == toolchain);
        wanted.map(|(name, input)| (name.clone(), input.tree))
    };
    let of_host = request.toolchains.iter().map(|(name, input)| (name.clone(), input.tree));
    Ok(Bound {
        source: request.source.tree,
        epoch: request.epoch,
        toolchains: of_host.chain(trees(true)).collect(),
        inputs: trees(false).collect(),
        configured: normalisers(&request.inputs)?,
        cargo: inputs.cargo,
        profile: request.profile,
        level: request.level,
        platform: request.build_platform.clone(),
        target: request.platform.clone(),
        relaxations: request.relaxations.keys().cloned().collect::<BTreeSet<_>>(),
    })
}

/// The lowest level of all actions, and what all their sandboxes held to.
fn achieved(asked: Level, steps: &[StepRecord]) -> (Level, BTreeMap<String, String>) {
    let level = steps.iter().map(|step| step.level).min().unwrap_or(asked);
    (level, together(&steps.iter().map(|step| &step.sandbox).collect::<Vec<_>>()))
}

/// What several sandboxes held to: every value that a fact has in one of them, once, sorted, with ` or ` between. A fact that
/// one of them does not say is `no` there.
fn together(sandboxes: &[&BTreeMap<String, String>]) -> BTreeMap<String, String> {
    let facts: BTreeSet<&String> = sandboxes.iter().flat_map(|sandbox| sandbox.keys()).collect();
    let values = |fact: &String| {
        let said = sandboxes.iter().map(|sandbox| sandbox.get(fact).map_or("no", String::as_str));
        said.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(" or ")
    };
    facts.into_iter().map(|fact| (fact.clone(), values(fact))).collect()
}

fn refuse_secrets(definition: &Definition) -> Result<(), BuildError> {
    match secrets_in(definition).into_iter().next() {
        Some(secret) => Err(BuildError::Secret { place: secret.place, why: secret.why }),
        None => Ok(()),
    }
}

/// Two toolchains of one action may share folders and equal files, nothing else: which one wins must not be a matter
/// of mount order.
fn refuse_overlaps(inputs: &Inputs) -> Result<(), BuildError> {
    for action in &inputs.definition.actions {
        let trees: Vec<(&str, &Tree)> = action
            .toolchains
            .iter()
            .filter_map(|name| Some((name.as_str(), inputs.toolchains.get(name.as_str())?)))
            .collect();
        for (index, (first, earlier)) in trees.iter().enumerate() {
            for (second, later) in &trees[index + 1..] {
                for (path, entry) in later.iter() {
                    let Some(other) = earlier.entry(path.as_str()) else { continue };
                    let folders = entry.kind == Kind::Directory && other.kind == Kind::Directory;
                    if !folders && (&entry.kind, entry.mode) != (&other.kind, other.mode) {
                        return Err(BuildError::InputConflict {
                            action: action.name.to_string(),
                            first: format!("toolchain {first}"),
                            second: format!("toolchain {second}"),
                            path: path.clone(),
                        });
                    }
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_names_each_value_once_however_many_actions_there_are() {
        let sandbox = |root: &str, more: &[(&str, &str)]| {
            let facts = [("network", "none"), ("unprivileged", root)];
            let facts = facts.iter().chain(more).map(|(fact, value)| ((*fact).to_owned(), (*value).to_owned()));
            facts.collect::<BTreeMap<_, _>>()
        };
        let (system, ordinary) = (sandbox("no", &[]), sandbox("yes", &[("ownProc", "yes")]));
        let said = |order: &[&BTreeMap<String, String>]| {
            together(order).into_iter().map(|(fact, value)| format!("{fact}: {value}")).collect::<Vec<_>>()
        };
        let expected = ["network: none", "ownProc: no or yes", "unprivileged: no or yes"];
        assert_eq!(said(&[&system, &ordinary, &ordinary, &system, &ordinary]), expected);
        assert_eq!(said(&[&ordinary, &system]), expected);
        assert_eq!(said(&[&system, &system]), ["network: none", "unprivileged: no"]);
        assert!(said(&[]).is_empty());
    }
}
