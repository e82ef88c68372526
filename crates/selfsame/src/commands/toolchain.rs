//! `selfsame toolchain`: what of this machine is recorded, and why.

use std::collections::BTreeMap;
use std::path::Path;

use selfsame_core::Level;
use selfsame_definition::{Definition, Name, Toolchain};
use selfsame_lock::{HostLock, Lock, LockedToolchain, ToolchainKind};
use selfsame_tree::Kind;
use serde_json::json;

use super::errors;
use crate::cli::Toolchain as Command;
use crate::prepare::{self, Project, Wishes, read_definition, read_text};
use crate::report::{Answer, Exit, Report, with_schema};
use crate::settings::Settings;
use crate::terminal::{self, Voice, size};

pub(super) fn run(arguments: &Command, settings: &Settings) -> Answer {
    match arguments {
        Command::Capture { project, progress } => capture(&project.path, Voice::new(*progress, settings), settings),
        Command::List { project, json } => list(&project.path, *json, settings),
        Command::Show { name, project, files } => show(&project.path, name, *files, settings),
        Command::Why { name, file, project } => why(&project.path, name, file, settings),
    }
}

fn capture(path: &Path, voice: Voice, settings: &Settings) -> Answer {
    let cancel = crate::interrupt::flag()?;
    let store = prepare::store(settings)?;
    let project = Project::open(path, &store, settings, &voice, &cancel)?;
    let wishes = Wishes {
        level: Level::Normalized,
        relaxations: BTreeMap::new(),
        builder_id: String::new(),
        locked: false,
        trust_stat_cache: true,
        exclude: Vec::new(),
    };
    let lock = project.capture_all(&wishes)?;
    for (name, toolchain) in &lock.toolchains {
        terminal::data(&line(name.as_str(), toolchain));
    }
    Ok(Exit::Yes)
}

fn host_lock(path: &Path) -> Answer<HostLock> {
    let (folder, _, _, _) = read_definition(path)?;
    let file = folder.join(HostLock::FILE_NAME);
    let text = read_text(&file)?.ok_or_else(|| {
        Report::new(Exit::Unanswered, format!("there is no `{}`: nothing is recorded yet", file.display()))
            .hint(format!("`selfsame toolchain capture {}` records this machine's tools", errors::quoted(&folder)))
    })?;
    HostLock::parse(&text).map_err(|error| errors::text(&file, &error))
}

fn one<'a>(lock: &'a HostLock, name: &str) -> Answer<&'a LockedToolchain> {
    let found = lock.toolchains.iter().find(|(known, _)| known.as_str() == name);
    found.map(|(_, toolchain)| toolchain).ok_or_else(|| {
        let known: Vec<&str> = lock.toolchains.keys().map(|name| name.as_str()).collect();
        Report::new(Exit::Unanswered, format!("no toolchain `{name}` is recorded"))
            .fact("recorded", known.join(", "))
            .into()
    })
}

fn line(name: &str, toolchain: &LockedToolchain) -> String {
    format!(
        "{name}  {}  {}  {} files, {}",
        toolchain.kind.name(),
        toolchain.tree,
        toolchain.entries,
        size(toolchain.size)
    )
}

fn list(path: &Path, json: bool, settings: &Settings) -> Answer {
    settings.json.set(json);
    let (folder, _, _, definition) = read_definition(path)?;
    // A project may take all of its tools from packages and images: those stand in selfsame.lock.
    let lock = match prepare::host_toolchains(&definition).next() {
        Some(_) => host_lock(path)?,
        None => HostLock::default(),
    };
    let inputs = of_inputs(&definition, &folder)?;
    if json {
        let toolchains: Vec<_> = lock
            .toolchains
            .iter()
            .map(|(name, t)| {
                json!({"entries": t.entries, "kind": t.kind.name(), "name": name.as_str(), "packages": t.packages.len(),
                       "size": t.size, "tree": t.tree})
            })
            .collect();
        let inputs: Vec<_> = inputs
            .iter()
            .map(|OfInput { name, kind, locked }| {
                let (files, size) = locked.unzip();
                json!({"files": files, "kind": kind, "name": name, "size": size})
            })
            .collect();
        let body = json!({"inputs": inputs, "toolchains": toolchains});
        terminal::data(&with_schema("https://selfsame.dev/toolchains/v1", &body));
    } else {
        for OfInput { name, kind, locked } in &inputs {
            let locked = match locked {
                Some((files, bytes)) => {
                    format!("{} in selfsame.lock, {}", super::lock::count(*files, "file"), size(*bytes))
                }
                None => "not in selfsame.lock: `selfsame lock` chooses".to_owned(),
            };
            terminal::data(&format!("{name}  {kind}  {locked}"));
        }
        for (name, toolchain) in &lock.toolchains {
            terminal::data(&line(name.as_str(), toolchain));
        }
    }
    Ok(Exit::Yes)
}

/// A toolchain that is an input.
struct OfInput {
    name: String,
    kind: &'static str,
    /// How many files are locked, and how large they are.
    locked: Option<(usize, u64)>,
}

fn of_inputs(definition: &Definition, folder: &Path) -> Answer<Vec<OfInput>> {
    let path = folder.join(Lock::FILE_NAME);
    let lock = match read_text(&path)? {
        Some(text) => Some(Lock::parse(&text).map_err(|error| errors::text(&path, &error))?),
        None => None,
    };
    let locked = |name: &Name| lock.as_ref()?.inputs.get(name.as_str()).map(|of| (of.parts.len(), of.size()));
    let toolchains = definition.toolchains.iter().filter_map(|(name, toolchain)| match toolchain {
        Toolchain::Input(spec) => Some(OfInput { name: name.to_string(), kind: spec.kind(), locked: locked(name) }),
        _ => None,
    });
    Ok(toolchains.collect())
}

fn show(path: &Path, name: &str, files: bool, settings: &Settings) -> Answer {
    let lock = host_lock(path)?;
    let toolchain = one(&lock, name)?;
    terminal::data(&line(name, toolchain));
    for package in &toolchain.packages {
        terminal::data(&format!("  {}  {} files", package.purl, package.files));
    }
    for component in &toolchain.components {
        terminal::data(&format!("  {}  {}  {}", component.name, component.sha256, component.url));
    }
    if files {
        let tree = prepare::store(settings)?.tree(&toolchain.tree).map_err(errors::store)?;
        terminal::data(&tree.to_string());
    }
    Ok(Exit::Yes)
}

fn why(path: &Path, name: &str, file: &str, settings: &Settings) -> Answer {
    let lock = host_lock(path)?;
    let toolchain = one(&lock, name)?;
    let tree = prepare::store(settings)?.tree(&toolchain.tree).map_err(errors::store)?;
    let inside = file.trim_start_matches('/');
    let Some(entry) = tree.entry(inside) else {
        let report = Report::new(Exit::No, format!("`/{inside}` is not in toolchain `{name}`"))
            .hint("what no action touched and no touched package owns is not recorded; `selfsame toolchain capture` looks again");
        return Err(report.into());
    };
    let what = match &entry.kind {
        Kind::Symlink { target } => format!("a link to `{target}`: every link on the way to a recorded file is kept"),
        Kind::Directory => "a folder that was looked at, or that holds something recorded".to_owned(),
        Kind::File { .. } | Kind::HardLink { .. } if toolchain.kind == ToolchainKind::Rustup => {
            "a file of one of the components that the definition names".to_owned()
        }
        Kind::File { .. } | Kind::HardLink { .. } => match owner(inside) {
            Some(package) => {
                format!("a file of package `{package}`, of which an action touched a file, or which one needs")
            }
            None => "a file that an action touched, or of the same include, compiler or library folder".to_owned(),
        },
    };
    terminal::data(&format!("/{inside}  {what}"));
    Ok(Exit::Yes)
}

/// The dpkg package that owns a path on this machine, told by its file lists.
fn owner(path: &str) -> Option<String> {
    let merged = path.strip_prefix("usr/").unwrap_or(path);
    let wanted = [format!("/{path}"), format!("/{merged}")];
    let mut lists: Vec<_> = std::fs::read_dir("/var/lib/dpkg/info").ok()?.flatten().map(|entry| entry.path()).collect();
    lists.sort();
    let mut lists = lists.into_iter().filter(|list| list.extension().is_some_and(|extension| extension == "list"));
    lists.find_map(|list| {
        let text = std::fs::read_to_string(&list).ok()?;
        let owns = text.lines().any(|line| wanted.iter().any(|path| path == line));
        owns.then(|| list.file_stem().map(|stem| stem.to_string_lossy().into_owned()))?
    })
}
