//! From a definition and the digests of what was locked to the steps that will run, in order.

use std::collections::{BTreeMap, BTreeSet};

use selfsame_core::{Digest, Level, Platform, Profile, RelPath, SourceEpoch};
use selfsame_definition as definition;
use selfsame_definition::{ActionInput, Base, Command, Definition, InputSpec, Toolchain};
use selfsame_lock::Normaliser;

use crate::action::{Action, INPUTS, Input, Mount};
use crate::configure::{Circumstances, configure, configure_step};
use crate::environment::{TOOLCHAIN_ROOT, environment, tell, tell_target};

/// What a plan is made from, beside the definition: all that was bound, locked and asked for.
#[derive(Clone, Debug)]
pub struct Bound {
    /// The source, its root at the working directory.
    pub source: Digest,
    /// The one time that the build may see.
    pub epoch: SourceEpoch,
    /// The tree of every toolchain of the definition, paths from the sandbox's root.
    pub toolchains: BTreeMap<String, Digest>,
    /// The tree of every input of the definition, by name; its root is seen at `/inputs/NAME`.
    pub inputs: BTreeMap<String, Digest>,
    /// The normalisers of inputs and toolchains that are configured first, by name.
    pub configured: BTreeMap<String, Vec<Normaliser>>,
    /// The vendored crates and cargo's configuration, seen at `/inputs/cargo`; there if any action is cargo's.
    pub cargo: Option<Digest>,
    /// Sandbox constants.
    pub profile: Profile,
    /// The level asked for.
    pub level: Level,
    /// What the actions run on.
    pub platform: Platform,
    /// What they build for.
    pub target: Platform,
    /// Named exceptions.
    pub relaxations: BTreeSet<String>,
}

/// Steps in the order in which they run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// In order; each names only steps before it.
    pub steps: Vec<Step>,
}

/// An action whose inputs may still be outputs of earlier steps.
#[derive(Clone, Debug)]
pub struct Step {
    /// The action, without those inputs that earlier steps make.
    action: Action,
    /// The names of the steps whose outputs it reads.
    reads: Vec<String>,
    /// Its inputs that a step before it configures: which of them, and that step.
    configured: Vec<(usize, String)>,
    /// The number that its outputs' modification times carry: 1 for the first action; 0 for what configures an input.
    pub rank: u32,
}

/// The name of the step that asks cargo for names, licences and edges, beside the step of the action itself.
#[must_use]
pub fn metadata_step(action: &str) -> String {
    format!("{action}.metadata")
}

/// Why there is no plan: something the definition names was not bound. The definition's own faults were found before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// A toolchain without a tree.
    #[error("toolchain `{toolchain}` is not in the host lock")]
    Toolchain {
        /// Its name.
        toolchain: String,
    },
    /// An input without a tree.
    #[error("input `{input}` is not in the lock")]
    Input {
        /// Its name.
        input: String,
    },
    /// An input whose maintainer scripts are of another platform than what they would run on.
    #[error("input `{input}` is for {target}, and its maintainer scripts cannot run on {platform}")]
    Foreign {
        /// Its name.
        input: String,
        /// What it is for.
        target: Platform,
        /// What this is.
        platform: Platform,
    },
    /// A cargo action without vendored crates.
    #[error("action `{action}` is cargo's, and the source has no `Cargo.lock`")]
    Cargo {
        /// Its name.
        action: String,
    },
}

impl Plan {
    /// The steps of `definition` over what was bound.
    pub fn new(definition: &Definition, bound: &Bound) -> Result<Self, PlanError> {
        let mut steps = configuring(definition, bound)?;
        let mut rank = 0;
        for action in &definition.actions {
            let (template, configured) = template(definition, action, bound)?;
            let reads: Vec<String> = action
                .inputs
                .iter()
                .filter_map(|input| match input {
                    ActionInput::Source | ActionInput::Input(_) => None,
                    ActionInput::Action(name) => Some(name.to_string()),
                })
                .collect();
            if matches!(action.command, Command::Cargo(_)) {
                let metadata = Action {
                    name: metadata_step(action.name.as_str()),
                    argv: metadata_argv(&template),
                    outputs: Vec::new(),
                    ..template.clone()
                };
                rank += 1;
                steps.push(Step { action: metadata, reads: reads.clone(), configured: configured.clone(), rank });
            }
            rank += 1;
            steps.push(Step { action: template, reads, configured, rank });
        }
        Ok(Self { steps })
    }
}

impl Step {
    /// The step's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.action.name
    }

    /// The steps whose outputs it reads.
    pub fn reads(&self) -> impl Iterator<Item = &str> {
        self.reads.iter().map(String::as_str)
    }

    /// The action, once the output trees of the steps before it are known.
    ///
    /// # Panics
    /// If `outputs` lacks a step that this one reads: the driver runs them in order.
    #[must_use]
    pub fn action(&self, outputs: &BTreeMap<String, Digest>) -> Action {
        let mut action = self.action.clone();
        for (input, step) in &self.configured {
            action.inputs[*input].tree = outputs[step];
        }
        for name in &self.reads {
            action.inputs.push(Input {
                name: format!("action {name}"),
                at: below_inputs(name),
                tree: outputs[name],
                mount: Mount::Placed,
            });
        }
        action
    }
}

/// A step for every input that is to be configured, by name. Those of the image are for what it is for.
fn configuring(definition: &Definition, bound: &Bound) -> Result<Vec<Step>, PlanError> {
    let mut steps = Vec::new();
    for (name, normalisers) in &bound.configured {
        let is_base = matches!(&definition.image.base, Base::Input(base) if base.as_str() == name);
        let is_toolchain = bound.toolchains.contains_key(name);
        let trees = if is_toolchain { &bound.toolchains } else { &bound.inputs };
        let tree = *trees.get(name).ok_or_else(|| PlanError::Input { input: name.clone() })?;
        let target = if is_toolchain && !is_base { &bound.platform } else { &bound.target };
        if *target != bound.platform {
            let (target, platform) = (target.clone(), bound.platform.clone());
            return Err(PlanError::Foreign { input: name.clone(), target, platform });
        }
        let circumstances = Circumstances {
            profile: bound.profile,
            level: bound.level,
            platform: &bound.platform,
            relaxations: &bound.relaxations,
        };
        let action = configure(name, tree, normalisers, &circumstances);
        steps.push(Step { action, reads: Vec::new(), configured: Vec::new(), rank: 0 });
    }
    Ok(steps)
}

/// The action without what steps before it make, and its inputs that are configured: which, and by which step.
type Template = (Action, Vec<(usize, String)>);

fn template(definition: &Definition, action: &definition::Action, bound: &Bound) -> Result<Template, PlanError> {
    let mut inputs = Vec::new();
    let mut configured = Vec::new();
    let mut named = Vec::new();
    for name in &action.toolchains {
        let missing = || PlanError::Toolchain { toolchain: name.to_string() };
        let tree = *bound.toolchains.get(name.as_str()).ok_or_else(missing)?;
        let toolchain = definition.toolchains.get(name);
        // A tree of the host lock has its paths from the sandbox's root; an input's are from its own.
        let at = match toolchain {
            Some(Toolchain::Input(spec)) if !spec.is_rootfs() => below_toolchains(name.as_str()),
            _ => RelPath::root(),
        };
        if bound.configured.contains_key(name.as_str()) {
            configured.push((inputs.len(), configure_step(name.as_str())));
        }
        inputs.push(Input { name: format!("toolchain {name}"), at, tree, mount: Mount::Layer });
        if toolchain.is_some_and(Toolchain::is_named) {
            named.push(name.as_str());
        }
    }
    let mut told = BTreeMap::new();
    if action.target && !definition.image.platforms.is_empty() {
        tell_target(&mut told, &bound.target);
    }
    for input in &action.inputs {
        let ActionInput::Input(name) = input else { continue };
        let missing = || PlanError::Input { input: name.to_string() };
        let tree = *bound.inputs.get(name.as_str()).ok_or_else(missing)?;
        if bound.configured.contains_key(name.as_str()) {
            configured.push((inputs.len(), configure_step(name.as_str())));
        }
        inputs.push(Input {
            name: format!("input {name}"),
            at: below_inputs(name.as_str()),
            tree,
            mount: Mount::Layer,
        });
        tell(&mut told, definition.inputs.get(name).map_or("", InputSpec::kind), name.as_str());
    }
    told.extend(action.env.clone());
    let is_cargo = matches!(action.command, Command::Cargo(_));
    if is_cargo {
        let tree = bound.cargo.ok_or_else(|| PlanError::Cargo { action: action.name.to_string() })?;
        inputs.push(Input { name: "crates".to_owned(), at: below_inputs("cargo"), tree, mount: Mount::Layer });
    }
    if action.inputs.contains(&ActionInput::Source) {
        let at = RelPath::new(crate::action::CWD).expect("a constant");
        inputs.push(Input { name: "source".to_owned(), at, tree: bound.source, mount: Mount::Placed });
    }
    let triple = is_cargo.then(|| rust_triple(&bound.target));
    let action = Action {
        name: action.name.to_string(),
        profile: bound.profile,
        level: bound.level,
        platform: bound.platform.clone(),
        argv: argv(&action.command),
        environment: environment(bound.epoch, &named, triple.as_deref(), &told),
        inputs,
        outputs: action.outputs.clone(),
        system: None,
        keeps_stdout: is_cargo,
        epoch: bound.epoch,
        scratch_bytes: action.scratch_bytes,
        relaxations: bound.relaxations.clone(),
        timeout_secs: action.timeout_secs,
    };
    Ok((action, configured))
}

/// cargo with the vendored crates' own configuration, named on the command line so that it wins over what a project's
/// configuration says about registries; everything else in the project's configuration stays in effect.
const CARGO: [&str; 3] = ["cargo", "--config", "/inputs/cargo/config.toml"];

fn argv(command: &Command) -> Vec<String> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    match command {
        Command::Argv(argv) => argv.clone(),
        Command::Script(text) => {
            let mut argv = words(&["sh", "-eu", "-c"]);
            argv.push(text.clone());
            argv
        }
        Command::Cargo(own) => {
            // cargo's own flags go before a `--`, behind which words are the compiler's.
            let split = own.iter().position(|word| word == "--").unwrap_or(own.len());
            let mut argv = words(&CARGO);
            argv.extend_from_slice(&own[..split]);
            argv.extend(words(&["--locked", "--offline", "--message-format=json-render-diagnostics"]));
            argv.extend_from_slice(&own[split..]);
            argv
        }
    }
}

/// `cargo metadata` with the features of the build itself, so that edges are those that were compiled.
fn metadata_argv(build: &Action) -> Vec<String> {
    let mut argv: Vec<String> = CARGO.map(str::to_owned).into();
    argv.extend(["metadata", "--format-version", "1", "--locked", "--offline"].map(str::to_owned));
    if let Some(triple) = build.environment.get("CARGO_BUILD_TARGET") {
        argv.extend(["--filter-platform".to_owned(), triple.clone()]);
    }
    let mut words = build.argv.iter().take_while(|word| *word != "--");
    while let Some(word) = words.next() {
        match word.as_str() {
            "--all-features" | "--no-default-features" => argv.push(word.clone()),
            "--features" | "-F" | "--manifest-path" => {
                argv.push(word.clone());
                argv.extend(words.next().cloned());
            }
            _ if word.starts_with("--features=") || word.starts_with("--manifest-path=") => argv.push(word.clone()),
            _ => {}
        }
    }
    argv
}

/// The Rust target triple of a Linux platform with glibc.
#[must_use]
pub fn rust_triple(platform: &Platform) -> String {
    let architecture = match platform.architecture.as_str() {
        "amd64" => "x86_64",
        "arm64" => "aarch64",
        "386" => "i686",
        "ppc64le" => "powerpc64le",
        other => other,
    };
    format!("{architecture}-unknown-linux-gnu")
}

fn below_toolchains(name: &str) -> RelPath {
    let folder = TOOLCHAIN_ROOT.trim_start_matches('/');
    RelPath::new(format!("{folder}/{name}")).expect("a name of a definition is one component")
}

fn below_inputs(name: &str) -> RelPath {
    RelPath::new(format!("{INPUTS}/{name}")).expect("a name of a definition is one component")
}
