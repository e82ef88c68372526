//! From an action to what the sandbox is asked for.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use selfsame_action::action::CWD;
use selfsame_action::{Action, Mount, Variation};
use selfsame_core::{Level, RelPath};
use selfsame_sandbox as sandbox;
use selfsame_sandbox::{Bind, Owner, Placement, PlacementKind};
use selfsame_store::{Store, StoreError};
use selfsame_tree::{Entry, Kind, Tree};

/// The host folders that an observed action sees instead of captured toolchains.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostView {
    /// Host path and path in the sandbox.
    pub binds: Vec<(PathBuf, String)>,
    /// Path in the sandbox and text: `bin` and `usr/bin`.
    pub links: Vec<(RelPath, String)>,
}

/// Where a run may leave files until it ends, and how it is varied.
pub(crate) struct Place<'a> {
    pub(crate) program: &'a Path,
    pub(crate) scratch: &'a Path,
    pub(crate) variation: Variation,
}

/// Why an action cannot be laid out.
pub(crate) enum LayoutError {
    Store(StoreError),
    Fault(String),
}

impl From<StoreError> for LayoutError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Tasks that were used up before the command in a checking run: any number that is not 0.
const CHECK_PID_OFFSET: u32 = 61;

pub(crate) fn specification(
    action: &Action,
    host: Option<&HostView>,
    place: &Place<'_>,
    store: &Store,
) -> Result<sandbox::Spec, LayoutError> {
    let fault = |text: String| LayoutError::Fault(text);
    let mut lowers = Vec::new();
    let mut binds = Vec::new();
    let mut placements = Vec::new();
    let mut owners = Vec::new();
    for input in &action.inputs {
        let tree = store.tree(&input.tree)?;
        if action.system.is_some() {
            owned(&tree, &mut owners);
        }
        match (input.mount, host) {
            (Mount::Layer, None) => lowers.push(lower(&tree, &input.at, store)?),
            (Mount::Layer, Some(_)) => binds.extend(bound(&tree, &input.at, store)?),
            (Mount::Placed, _) => place_tree(&tree, &input.at, action, store, &mut placements)?,
        }
    }
    if let Some(host) = host {
        binds.extend(host.binds.iter().map(|(from, to)| Bind { from: from.clone(), to: to.clone() }));
        for (path, target) in &host.links {
            let kind = PlacementKind::Symlink { target: target.clone() };
            placements.push(Placement { path: path.clone(), kind, mode: 0o777, mtime_secs: action.epoch.seconds() });
        }
    } else if lowers.is_empty() {
        lowers.push(store.materialise(&Tree::new())?);
    }
    placements.sort_by(|a, b| a.path.cmp(&b.path));

    let is_system = action.system.is_some();
    let outputs: Vec<String> = action.outputs.iter().map(ToString::to_string).collect();
    let relax = action.relaxations.iter().map(|name| name.parse()).collect::<Result<BTreeSet<_>, String>>();
    Ok(sandbox::Spec {
        program: place.program.to_owned(),
        identity: if is_system { sandbox::Identity::System } else { sandbox::Identity::Build },
        level: level(action.level).map_err(fault)?,
        observe: host.is_some(),
        lowers,
        binds,
        scratch_dirs: if is_system { vec!["/tmp".to_owned()] } else { of_a_build() },
        scratch_dir: place.scratch.to_owned(),
        scratch_bytes: action.scratch_bytes,
        placements,
        owners,
        argv: action.argv.clone(),
        env: action.environment.clone(),
        cwd: if is_system { "/".to_owned() } else { format!("/{CWD}") },
        // Standard output that is kept comes out through its pipe, so that nothing inside can take back what was said.
        stdout_to: None,
        outputs,
        limits: sandbox::Limits {
            timeout_ms: action.timeout_secs.saturating_mul(1000),
            tasks: sandbox::Limits::TASKS,
            memory_bytes: None,
        },
        relax: relax.map_err(|name| fault(format!("`{name}` is no relaxation; there are proc and aslr")))?,
        variation: match place.variation {
            Variation::None => sandbox::Variation::none(),
            Variation::Check => sandbox::Variation {
                cpus: Some(1),
                pid_offset: CHECK_PID_OFFSET,
                reverse_unpack: true,
                start_after_next_second: true,
            },
        },
    })
}

fn of_a_build() -> Vec<String> {
    vec![format!("/{CWD}"), "/tmp".to_owned()]
}

/// Owners that a store cannot hold.
fn owned(tree: &Tree, owners: &mut Vec<Owner>) {
    // A file has one owner, whatever its other names say.
    let mut given: BTreeSet<&RelPath> = BTreeSet::new();
    for (path, Entry { kind, uid, gid, mode, .. }) in tree.iter() {
        let same_as = match kind {
            Kind::HardLink { target } => Some(target),
            _ => None,
        };
        let is_given = same_as.map_or((*uid, *gid) != (0, 0), |first| given.contains(first));
        if is_given && !path.is_root() {
            given.insert(path);
            owners.push(Owner { path: path.clone(), uid: *uid, gid: *gid, mode: *mode, same_as: same_as.cloned() });
        }
    }
}

fn level(level: Level) -> Result<sandbox::Level, String> {
    level.name().parse().map_err(|error: sandbox::LevelError| error.to_string())
}

/// The folder of the store that shows `tree` at `at` when it is a lower layer of the root.
fn lower(tree: &Tree, at: &RelPath, store: &Store) -> Result<PathBuf, LayoutError> {
    let below = tree.below(at).map_err(|error| LayoutError::Fault(error.to_string()))?;
    Ok(store.materialise(&below)?)
}

/// The same for an observed run, whose root is no overlay: what stands at `at`, folder by folder where that is the root.
fn bound(tree: &Tree, at: &RelPath, store: &Store) -> Result<Vec<Bind>, LayoutError> {
    if tree.is_empty() {
        return Ok(Vec::new());
    }
    let folder = lower(tree, at, store)?;
    if !at.is_root() {
        return Ok(vec![Bind { from: folder.join(at.as_str()), to: format!("/{}", at.as_str()) }]);
    }
    // Below the root stand only named toolchains, as `toolchain/NAME/...`: bind each NAME.
    let mut names = BTreeSet::new();
    for (path, _) in tree.iter() {
        let mut parts = path.components();
        if let (Some(first), Some(second)) = (parts.next(), parts.next()) {
            names.insert(format!("{first}/{second}"));
        }
    }
    Ok(names.into_iter().map(|name| Bind { from: folder.join(&name), to: format!("/{name}") }).collect())
}

fn place_tree(
    tree: &Tree,
    at: &RelPath,
    action: &Action,
    store: &Store,
    placements: &mut Vec<Placement>,
) -> Result<(), LayoutError> {
    let fault = |error: selfsame_core::path::PathError| LayoutError::Fault(error.to_string());
    let is_executable = |mode: u32| mode & 0o111 != 0;
    let files = tree.iter().filter_map(|(_, entry)| match entry.kind {
        Kind::File { digest, size } => Some((digest, size, is_executable(entry.mode))),
        _ => None,
    });
    // The sandbox copies what it is told to: a damaged blob must not become an input that no digest names.
    let blobs = store.checked_paths(&files.collect())?;
    for (path, entry) in tree.iter() {
        if path.is_root() {
            continue;
        }
        let kind = match &entry.kind {
            Kind::Directory => PlacementKind::Directory,
            Kind::Symlink { target } => PlacementKind::Symlink { target: target.clone() },
            Kind::HardLink { target } => PlacementKind::HardLink { target: at.join(target).map_err(fault)? },
            Kind::File { digest, .. } => {
                let from = blobs[&(*digest, is_executable(entry.mode))].clone();
                PlacementKind::File { from }
            }
        };
        placements.push(Placement {
            path: at.join(path).map_err(fault)?,
            kind,
            mode: entry.mode & 0o1777,
            mtime_secs: action.epoch.seconds() + u64::from(entry.step_rank),
        });
    }
    Ok(())
}
