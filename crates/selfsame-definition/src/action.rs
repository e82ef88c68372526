//! `[[action]]`: one hermetic command.

use std::collections::BTreeMap;

use selfsame_core::RelPath;
use selfsame_core::suggest::nearest;

use crate::document::{Field, Table, TextError, clip};
use crate::input::InputSpec;
use crate::name::Name;
use crate::size;
use crate::toolchain::Toolchain;

/// One command with everything it may see and everything it leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// Unique among the actions; never `source` or `cargo`.
    pub name: Name,
    /// What runs.
    pub command: Command,
    /// The toolchains that are there: all of the definition's by default, in the order of their names.
    pub toolchains: Vec<Name>,
    /// What it reads, each once: `[source]` by default. Actions here stand before this one.
    pub inputs: Vec<ActionInput>,
    /// Files and folders below the working folder that it leaves; at least one, none of them the folder itself or
    /// below another.
    pub outputs: Vec<RelPath>,
    /// Variables on top of the sandbox's own.
    pub env: BTreeMap<String, String>,
    /// After so many seconds it is stopped.
    pub timeout_secs: u64,
    /// The size of its writable file system.
    pub scratch_bytes: u64,
    /// Whether it is told what the image is for, where the definition states it. One that is not makes the same for all.
    pub target: bool,
}

/// Exactly one of `run`, `script` and `cargo`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `run = ["cc", "-c", "a.c"]`: at least one word, the first one not empty.
    Argv(Vec<String>),
    /// `script = "..."`: for `sh -eu`.
    Script(String),
    /// `cargo = ["build", "--release"]`: the words behind `cargo`. Crates come from Cargo.lock.
    Cargo(Vec<String>),
}

/// What an action reads, or an image takes files from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ActionInput {
    /// The source.
    Source,
    /// The outputs of an action.
    Action(Name),
    /// An input of the definition.
    Input(Name),
}

impl std::fmt::Display for ActionInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Source => f.write_str("source"),
            Self::Action(name) | Self::Input(name) => name.fmt(f),
        }
    }
}

/// An hour.
const TIMEOUT_SECS: u64 = 3600;
/// A week.
const TIMEOUT_LIMIT_SECS: u64 = 7 * 24 * 3600;
const SCRATCH_BYTES: u64 = 8 << 30;

/// Variables that the profile sets and an author may not: each would undo what makes a build repeat, or is where
/// selfsame puts its own inputs.
pub const RESERVED_ENV: [&str; 12] = [
    "SOURCE_DATE_EPOCH",
    "TZ",
    "HOME",
    "PWD",
    "TMPDIR",
    "PYTHONHASHSEED",
    "PERL_HASH_SEED",
    "PERL_PERTURB_KEYS",
    "ZERO_AR_DATE",
    "CARGO_HOME",
    "CARGO_BUILD_TARGET",
    "CARGO_NET_OFFLINE",
];

pub(crate) fn read_all(
    list: Option<&Field<'_, '_>>,
    toolchains: &BTreeMap<Name, Toolchain>,
    inputs: &BTreeMap<Name, InputSpec>,
) -> Result<Vec<Action>, TextError> {
    let mut actions: Vec<Action> = Vec::new();
    let tables = list.map(Field::tables).transpose()?.unwrap_or_default();
    // Names first, so that an input which names a later action can be told from one that names nothing.
    let all: Vec<&str> = tables.iter().filter_map(|table| table.field("name")?.string().ok()).collect();
    for table in tables {
        let action = read(table, toolchains, inputs, &actions, &all)?;
        actions.push(action);
    }
    Ok(actions)
}

fn read(
    table: Table<'_, '_>,
    toolchains: &BTreeMap<Name, Toolchain>,
    definition_inputs: &BTreeMap<Name, InputSpec>,
    before: &[Action],
    all: &[&str],
) -> Result<Action, TextError> {
    let table = table.only(&[
        "name",
        "run",
        "script",
        "cargo",
        "toolchains",
        "inputs",
        "outputs",
        "env",
        "timeout",
        "scratch",
        "target",
    ])?;
    let name_field = table.need("name")?;
    let name: Name = name_field.parsed()?;
    if let "source" | "cargo" = name.as_str() {
        return Err(
            name_field.fault(format!("an action may not be named `{name}`: that is where selfsame's own input is"))
        );
    }
    if name.as_str().ends_with(METADATA_SUFFIX) {
        return Err(
            name_field.fault(format!("an action may not be named `{name}`: that is selfsame's own step of cargo"))
        );
    }
    if before.iter().any(|action| action.name == name) {
        return Err(name_field.fault(format!("action `{name}` stands twice")));
    }
    if definition_inputs.contains_key(&name) {
        return Err(name_field.fault(format!("`{name}` is an input already; one name is one thing")));
    }
    let command = read_command(&table, &name)?;
    let toolchains = match table.field("toolchains") {
        None => toolchains.keys().cloned().collect(),
        Some(list) => {
            let mut chosen: Vec<Name> = Vec::new();
            for item in list.list()? {
                let word = item.string()?;
                let Some((name, _)) = toolchains.get_key_value(word) else {
                    let known: Vec<&str> = toolchains.keys().map(Name::as_str).collect();
                    let message = match known.is_empty() {
                        true => format!("toolchain `{}` is not defined; no toolchain is", clip(word)),
                        false => format!("toolchain `{}` is not defined; known: {}", clip(word), known.join(", ")),
                    };
                    return Err(item.fault_with(message, nearest(word, known)));
                };
                if chosen.contains(name) {
                    return Err(item.fault(format!("toolchain `{name}` stands twice")));
                }
                chosen.push(name.clone());
            }
            chosen.sort();
            chosen
        }
    };
    let inputs = match table.field("inputs") {
        None => vec![ActionInput::Source],
        Some(list) => {
            let mut inputs: Vec<ActionInput> = Vec::new();
            for item in list.list()? {
                let known = Known { actions: before, inputs: definition_inputs, later: all };
                let input = read_input(&item, item.string()?, Some(name.as_str()), &known)?;
                if inputs.contains(&input) {
                    return Err(item.fault(format!("input `{input}` stands twice")));
                }
                inputs.push(input);
            }
            inputs
        }
    };
    let outputs = read_outputs(&table.need("outputs")?)?;
    let env = table.field("env").map(|field| read_env(&field, &RESERVED_ENV)).transpose()?.unwrap_or_default();
    let timeout_secs = match table.field("timeout") {
        None => TIMEOUT_SECS,
        Some(field) => match field.integer()? {
            0 => return Err(field.fault(format!("`{}` is 0; nothing could run", field.name()))),
            secs if secs > TIMEOUT_LIMIT_SECS => {
                return Err(field.fault(format!("`{}` is more than a week", field.name())));
            }
            secs => secs,
        },
    };
    let scratch_bytes = match table.field("scratch") {
        None => SCRATCH_BYTES,
        Some(field) => size::parse(field.string()?)
            .ok_or_else(|| field.fault(format!("`{}` is not a size; written like `512MiB` or `8GiB`", field.name())))?,
    };
    let target = match table.field("target") {
        None => true,
        Some(field) => match (field.boolean()?, &command) {
            (false, Command::Cargo(_)) => {
                return Err(field.fault("cargo is always told what it builds for".to_owned()));
            }
            (target, _) => target,
        },
    };
    Ok(Action { name, command, toolchains, inputs, outputs, env, timeout_secs, scratch_bytes, target })
}

fn read_command(table: &Table<'_, '_>, name: &Name) -> Result<Command, TextError> {
    let ways = [table.field("run"), table.field("script"), table.field("cargo")];
    let mut stated = ways.iter().flatten();
    if let (Some(first), Some(second)) = (stated.next(), stated.next()) {
        let message = format!("`{}` beside `{}`; an action is one of run, script, cargo", second.name(), first.name());
        return Err(second.fault(message));
    }
    match ways {
        [Some(run), ..] => {
            let argv = run.strings()?;
            if argv.first().is_none_or(String::is_empty) {
                return Err(run.fault(format!("`{}` names no program", run.name())));
            }
            Ok(Command::Argv(argv))
        }
        [_, Some(script), _] => {
            let text = script.string()?;
            if text.trim().is_empty() {
                return Err(script.fault(format!("`{}` is empty", script.name())));
            }
            Ok(Command::Script(text.to_owned()))
        }
        [_, _, Some(cargo)] => read_cargo(&cargo),
        [None, None, None] => Err(table.fault(format!("action `{name}` has none of run, script, cargo"))),
    }
}

/// What selfsame adds to every cargo command, and cargo refuses to see twice.
const CARGO_OWN: [&str; 5] = ["--locked", "--offline", "--frozen", "--message-format", "--target"];

fn read_cargo(field: &Field<'_, '_>) -> Result<Command, TextError> {
    let words = field.list()?;
    let mut argv = Vec::with_capacity(words.len());
    for word in &words {
        let text = word.string()?;
        let flag = text.split('=').next().unwrap_or(text);
        if argv.is_empty() && !matches!(text, "build" | "rustc") {
            let message =
                format!("`{}` is `{}`; `cargo` runs build or rustc, the rest goes into `run`", word.name(), clip(text));
            return Err(word.fault(message));
        }
        if CARGO_OWN.contains(&flag) {
            return Err(word.fault(format!("`{}` is `{flag}`, which selfsame sets itself", word.name())));
        }
        argv.push(text.to_owned());
        if text == "--" {
            argv.extend(
                words[argv.len()..]
                    .iter()
                    .map(|word| word.string().map(str::to_owned))
                    .collect::<Result<Vec<_>, _>>()?,
            );
            break;
        }
    }
    if argv.is_empty() {
        return Err(field.fault(format!("`{}` names no cargo command", field.name())));
    }
    Ok(Command::Cargo(argv))
}

/// What may be read.
pub(crate) struct Known<'a> {
    /// Actions that stand before.
    pub(crate) actions: &'a [Action],
    /// Inputs of the definition.
    pub(crate) inputs: &'a BTreeMap<Name, InputSpec>,
    /// The names of all actions.
    pub(crate) later: &'a [&'a str],
}

/// `source`, the name of an input, or the name of an action that stands before.
pub(crate) fn read_input(
    field: &Field<'_, '_>,
    word: &str,
    reader: Option<&str>,
    known: &Known<'_>,
) -> Result<ActionInput, TextError> {
    let Known { actions: before, inputs, later: all } = *known;
    if word == "source" {
        return Ok(ActionInput::Source);
    }
    if let Some((name, _)) = inputs.iter().find(|(name, _)| name.as_str() == word) {
        return Ok(ActionInput::Input(name.clone()));
    }
    if let Some(action) = before.iter().find(|action| action.name == *word) {
        return Ok(ActionInput::Action(action.name.clone()));
    }
    let shown = clip(word);
    if let Some(reader) = reader {
        if word == reader {
            return Err(field.fault(format!("action `{reader}` reads its own output")));
        }
        if all.contains(&word) {
            return Err(
                field.fault(format!("action `{reader}` reads `{shown}`, which stands after it; move `{shown}` up"))
            );
        }
    }
    let names = || before.iter().map(|action| action.name.as_str()).chain(inputs.keys().map(Name::as_str));
    let known = || std::iter::once("source").chain(names());
    let list = known().collect::<Vec<_>>().join(", ");
    let what = if inputs.is_empty() { "action" } else { "action or input" };
    Err(field.fault_with(format!("no {what} `{shown}`; known here: {list}"), nearest(word, known())))
}

/// Names of steps that a cargo action brings with it, and of the output that holds what cargo said: the SBOM believes
/// them, so nothing of the author's may have their names.
const METADATA_SUFFIX: &str = ".metadata";
const STDOUT: &str = ".selfsame-stdout";

fn read_outputs(field: &Field<'_, '_>) -> Result<Vec<RelPath>, TextError> {
    let mut outputs: Vec<RelPath> = Vec::new();
    for item in field.list()? {
        let path: RelPath = item.parsed()?;
        if path.is_root() {
            return Err(item.fault(format!("`{}` is the whole working folder; name what is made in it", item.name())));
        }
        if path.components().next() == Some(STDOUT) {
            return Err(
                item.fault(format!("an output may not be `{path}`: that is where selfsame keeps what cargo says"))
            );
        }
        if outputs.contains(&path) {
            return Err(item.fault(format!("output `{path}` stands twice")));
        }
        if let Some(other) = outputs.iter().find(|other| path.below(other).is_some() || other.below(&path).is_some()) {
            return Err(
                item.fault(format!("outputs `{other}` and `{path}` lie in one another; the outer one is enough"))
            );
        }
        outputs.push(path);
    }
    if outputs.is_empty() {
        return Err(field.fault(format!("`{}` is empty; an action without output has no effect", field.name())));
    }
    Ok(outputs)
}

/// Variables by name, none of them reserved.
pub(crate) fn read_env(field: &Field<'_, '_>, reserved: &[&str]) -> Result<BTreeMap<String, String>, TextError> {
    let mut env = BTreeMap::new();
    for (key, value) in field.table()?.fields() {
        let name = key.as_str();
        if name.is_empty() || name.contains(['=', '\0']) || name.chars().any(char::is_control) {
            let message = format!(
                "`{}` is not the name of a variable: empty, or with `=`, NUL or control characters",
                clip(name)
            );
            return Err(key.fault(message));
        }
        if reserved.contains(&name) {
            return Err(key.fault(format!("`{name}` is set by selfsame itself and may not be set here")));
        }
        env.insert(name.to_owned(), value.string()?.to_owned());
    }
    Ok(env)
}
