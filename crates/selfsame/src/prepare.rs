//! From a project folder to the inputs of a build: definition, lock, source, crates, toolchains.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use selfsame_action::{Bound, Plan};
use selfsame_build::build::Inputs;
use selfsame_build::request::{Component, CrateInput, Origin, Request, Source, ToolchainInput, ToolchainKind};
use selfsame_build::sbom::ToolchainPackage;
use selfsame_build::{Mode, Quiet};
use selfsame_core::{Digest, Level, Platform, Profile, RelPath, SourceEpoch};
use selfsame_definition::{Command, Definition, Epoch, SourceOrigin, Toolchain};
use selfsame_executor::{HostView, LocalExecutor, Settings as ExecutorSettings};
use selfsame_fetch as fetch;
use selfsame_lock::{HostLock, Lock, LockedToolchain};
use selfsame_store::Store;
use selfsame_toolchain as toolchain;
use selfsame_tree::Tree;

use crate::commands::errors;
use crate::inputs::{self, BoundInputs};
use crate::meter::Meter;
use crate::network::Network;
use crate::report::{Answer, Exit, Report};
use crate::settings::Settings;
use crate::terminal::{Voice, size};

/// A project on disk and what it is prepared with.
pub(crate) struct Project<'a> {
    /// The folder of the definition.
    pub(crate) folder: PathBuf,
    /// The definition's file.
    pub(crate) file: PathBuf,
    /// Its text.
    pub(crate) text: String,
    /// What it says.
    pub(crate) definition: Definition,
    pub(crate) store: &'a Store,
    pub(crate) settings: &'a Settings,
    pub(crate) voice: &'a Voice,
    pub(crate) cancel: &'a AtomicBool,
    /// What asks over the network.
    pub(crate) network: Network,
}

/// What a build asks for beside the project.
pub(crate) struct Wishes {
    pub(crate) level: Level,
    pub(crate) relaxations: BTreeMap<String, String>,
    pub(crate) builder_id: String,
    /// Refuse to write selfsame.lock.
    pub(crate) locked: bool,
    /// Believe the stat cache; a release key reads every file.
    pub(crate) trust_stat_cache: bool,
    /// Folders that are no part of the source.
    pub(crate) exclude: Vec<PathBuf>,
}

/// Inputs, and what must be asked of the source again before anything is signed.
pub(crate) struct Prepared {
    pub(crate) inputs: Inputs,
    pub(crate) bound: Option<fetch::BoundSource>,
}

/// The largest definition or lock that is read.
const TEXT_BYTES: u64 = 16 << 20;

/// Opens the store of this machine.
pub(crate) fn store(settings: &Settings) -> Answer<Store> {
    let root = settings.store.as_ref().ok_or_else(|| {
        Report::new(Exit::Unanswered, "no folder for the store: none of SELFSAME_STORE, XDG_DATA_HOME, HOME is set")
            .hint("export SELFSAME_STORE=/path/to/a/folder")
    })?;
    if let Some(parent) = root.parent() {
        std::fs::create_dir_all(parent)
            .map_err(|error| Report::new(Exit::Unanswered, format!("cannot create `{}`: {error}", parent.display())))?;
    }
    Store::open(root).map_err(errors::store)
}

impl<'a> Project<'a> {
    /// Reads the definition at `path`: a folder, or the file itself.
    pub(crate) fn open(
        path: &Path,
        store: &'a Store,
        settings: &'a Settings,
        voice: &'a Voice,
        cancel: &'a Arc<AtomicBool>,
    ) -> Answer<Self> {
        let (folder, file, text, definition) = read_definition(path)?;
        let mut network = Network::of(settings, Some(cancel))?;
        network.meter = Some(Meter::new(*voice));
        Ok(Self { folder, file, text, definition, store, settings, voice, cancel, network })
    }

    /// Everything a build reads, bound and in the store.
    pub(crate) fn prepare(&self, wishes: &Wishes) -> Answer<Prepared> {
        if let Some(license) = &self.definition.license
            && !matches!(selfsame_sbom::license(license), Some(selfsame_sbom::License::Expression { .. }))
        {
            self.voice.warn(&format!("`license = \"{license}\"` is no SPDX expression; the SBOM has it as a name"));
        }
        let (lock, lock_text) = self.lock(wishes.locked)?;
        let bound = self.source(lock.as_ref(), wishes)?;
        for secret in bound.path.iter().flat_map(|bound| &bound.warnings) {
            self.voice
                .warn(&format!("`{}` looks like a secret and is part of the source: {}", secret.path, secret.why));
        }
        self.voice.say(
            "source",
            &format!("{} files, {}, epoch {}", bound.tree.len(), size(bound.tree.size_bytes()), bound.epoch.rfc3339()),
        );
        let (crates, cargo) = self.crates(&bound.tree)?;
        let platform = self.platform()?;
        let cx = inputs::context(&self.folder, &self.definition, &self.network, self.store, &platform, false);
        let bound_inputs = inputs::bind(&self.definition, lock.as_ref(), &bound.tree, &cx, self.voice)?;
        let (host_lock, host_text) = self.toolchains(&bound, &bound_inputs, cargo, wishes)?;
        let mut toolchains = BTreeMap::new();
        let mut trees = root_trees(&self.definition, &bound_inputs);
        let base = inputs::base(&self.definition, lock.as_ref(), &bound_inputs, &cx)?;
        let described = bound_inputs.described();
        let mut packages: Vec<ToolchainPackage> = Vec::new();
        for name in host_toolchains(&self.definition) {
            let locked = &host_lock.toolchains[name];
            toolchains.insert(name.to_string(), toolchain_input(locked));
            trees.insert(name.to_string(), self.store.tree(&locked.tree).map_err(errors::store)?);
            packages.extend(locked.packages.iter().map(toolchain_package));
        }
        let put = |text: &str| self.store.put_bytes(text.as_bytes(), false).map_err(errors::store);
        let request = Request {
            name: self.definition.name.to_string(),
            version: self.definition.version.clone(),
            definition: put(&self.text)?,
            lock: lock_text.as_deref().map(put).transpose()?,
            host_lock: host_text.as_deref().map(put).transpose()?,
            source: Source { tree: bound.digest, origin: bound.origin },
            toolchains,
            inputs: bound_inputs.sets,
            crates,
            epoch: bound.epoch,
            profile: Profile::CURRENT,
            level: wishes.level,
            platform,
            build_platform: Platform::native(),
            relaxations: wishes.relaxations.clone(),
            builder_id: wishes.builder_id.clone(),
        };
        let inputs = Inputs {
            definition: self.definition.clone(),
            request,
            source: bound.tree,
            toolchains: trees,
            inputs: bound_inputs.trees,
            base,
            cargo,
            described,
            toolchain_packages: packages,
        };
        Ok(Prepared { inputs, bound: bound.path })
    }

    /// What the image is for: this machine's platform, or the one that the definition states.
    fn platform(&self) -> Answer<Platform> {
        match self.definition.image.platforms.as_slice() {
            [] => Ok(Platform::native()),
            [platform] => Ok(platform.clone()),
            platforms => {
                let list: Vec<String> = platforms.iter().map(ToString::to_string).collect();
                let fault = format!("the image is for several platforms at once: {}", list.join(", "));
                Err(Report::new(Exit::Unanswered, fault)
                    .consequence("Nothing was built.")
                    .hint("build a release for each platform; `selfsame index` joins them")
                    .into())
            }
        }
    }

    /// The lock, read or made. There is none where the definition needs none.
    pub(crate) fn lock(&self, locked: bool) -> Answer<(Option<Lock>, Option<String>)> {
        let wanted = selfsame_lock::wanted(&self.definition)
            .map_err(|error| Report::new(Exit::Unanswered, format!("`{}`: {error}", self.file.display())))?;
        let path = self.folder.join(Lock::FILE_NAME);
        let Some(text) = read_text(&path)? else {
            if wanted.is_empty() {
                return Ok((None, None));
            }
            if locked {
                let report =
                    Report::new(Exit::Unanswered, format!("there is no `{}`, and --locked was given", path.display()))
                        .consequence("Nothing was built.")
                        .hint("run `selfsame lock`, then commit selfsame.lock");
                return Err(report.into());
            }
            let (lock, text) = self.resolve(None, |_| false)?;
            self.voice.say("lock", &format!("{} written: commit it", path.display()));
            return Ok((Some(lock), Some(text)));
        };
        let lock = Lock::parse(&text).map_err(|error| errors::text(&path, &error))?;
        if let Err(stale) = selfsame_lock::answers(&self.definition, &lock) {
            return Err(errors::stale(Lock::FILE_NAME, &stale).into());
        }
        crate::shared::bring(&self.network, &lock, self.store, self.voice)?;
        Ok((Some(lock), Some(text)))
    }

    /// Resolves the definition's inputs and writes selfsame.lock. Of `before` stays what `keep` says and still answers.
    pub(crate) fn resolve(
        &self,
        before: Option<&Lock>,
        keep: impl Fn(&selfsame_definition::Name) -> bool,
    ) -> Answer<(Lock, String)> {
        let lock = self.choose(before, keep)?;
        let text = lock.to_string();
        let path = self.folder.join(Lock::FILE_NAME);
        write_text(&path, &text)?;
        Ok((lock, text))
    }

    /// Resolves the definition's inputs and writes nothing. Of `before` stays what `keep` says and still answers.
    pub(crate) fn choose(
        &self,
        before: Option<&Lock>,
        keep: impl Fn(&selfsame_definition::Name) -> bool,
    ) -> Answer<Lock> {
        self.pins_exist()?;
        let platform = self.platform()?;
        let cx = inputs::context(&self.folder, &self.definition, &self.network, self.store, &platform, false);
        fetch::resolve(&self.definition, before, keep, &cx).map_err(errors::fetch).map_err(|mut report| {
            if report.consequence.as_deref() == Some("Nothing was built.") {
                report.consequence = Some("The lock was not changed.".to_owned());
            }
            report
        })
    }

    /// Says early that a file of the source which an input names as its pins is not there.
    fn pins_exist(&self) -> Answer<()> {
        let SourceOrigin::Path { path } = &self.definition.source.origin else { return Ok(()) };
        for (name, spec) in self.definition.all_inputs() {
            let Some(pins) = spec.pins() else { continue };
            if !self.folder.join(path).join(pins.as_str()).is_file() {
                let fault = format!("input `{name}`: the source has no `{pins}`");
                return Err(Report::new(Exit::Unanswered, fault)
                    .consequence("The lock was not changed.")
                    .hint("let the ecosystem's own tool write it, and commit it with the source")
                    .into());
            }
        }
        Ok(())
    }

    /// Binds the source of the definition.
    fn source(&self, lock: Option<&Lock>, wishes: &Wishes) -> Answer<BoundSource> {
        if let SourceOrigin::Path { path } = &self.definition.source.origin {
            let request = fetch::SourceRequest {
                root: &self.folder.join(path),
                definition_dir: &self.folder,
                exclude: &wishes.exclude,
                epoch: self.definition.source.epoch,
                trust_stat_cache: wishes.trust_stat_cache,
            };
            let bound = fetch::bind(&request, &self.settings.environment(), self.store).map_err(errors::source)?;
            let (commit, dirty) = match &bound.git {
                Some(git) if !git.dirty => (Some(git.commit.clone()), false),
                Some(_) => (None, true),
                None => (None, false),
            };
            return Ok(BoundSource {
                tree: bound.tree.clone(),
                digest: bound.digest,
                epoch: bound.epoch,
                origin: Origin::Path { commit, dirty },
                path: Some(bound),
            });
        }
        let not_locked = || Report::new(Exit::Unanswered, "the source is in no lock").hint("run `selfsame lock`");
        let lock = lock.ok_or_else(not_locked)?;
        let input = lock.inputs.get("source").and_then(|input| input.parts.first()).ok_or_else(not_locked)?;
        self.fetch_locked(lock)?;
        let tree =
            fetch::source_tree(&self.definition, lock, self.store).map_err(errors::fetch)?.ok_or_else(not_locked)?;
        let epoch = match self.definition.source.epoch {
            Epoch::At(epoch) => epoch,
            Epoch::Git => {
                return Err(
                    Report::new(Exit::Unanswered, "an archive has no commit time: `source.epoch` is wanted").into()
                );
            }
        };
        Ok(BoundSource {
            digest: self.store.put_tree(&tree).map_err(errors::store)?,
            tree,
            epoch,
            origin: Origin::Locked { purl: input.purl.to_string(), sha256: input.sha256 },
            path: None,
        })
    }

    /// The crates that the source's Cargo.lock pins, where an action is cargo's, and their vendored tree.
    fn crates(&self, source: &Tree) -> Answer<(Vec<CrateInput>, Option<Digest>)> {
        crates(&self.definition, source, &self.settings.environment(), self.store, self.voice, false)
    }

    /// Brings what the lock names.
    fn fetch_locked(&self, lock: &Lock) -> Answer<()> {
        let platform = self.platform()?;
        let cx = inputs::context(&self.folder, &self.definition, &self.network, self.store, &platform, false);
        fetch::fetch(&self.definition, lock, &cx).map_err(errors::fetch)
    }

    /// Brings everything that a build would: what the lock names and the crates of the source. Says how much that is.
    pub(crate) fn fetch_all(&self) -> Answer<usize> {
        let (lock, _) = self.lock(false)?;
        let wishes = Wishes {
            level: Level::Normalized,
            relaxations: BTreeMap::new(),
            builder_id: String::new(),
            locked: false,
            trust_stat_cache: true,
            exclude: Vec::new(),
        };
        let bound = self.source(lock.as_ref(), &wishes)?;
        let (crates, _) = self.crates(&bound.tree)?;
        let platform = self.platform()?;
        let cx = inputs::context(&self.folder, &self.definition, &self.network, self.store, &platform, false);
        let mut count = crates.len();
        if let Some(lock) = &lock {
            fetch::fetch(&self.definition, lock, &cx).map_err(errors::fetch)?;
            count += lock.parts().count();
        }
        for (name, spec) in self.definition.all_inputs().filter(|(_, spec)| spec.pins().is_some()) {
            let parts = inputs::parts(name.as_str(), spec, None, &bound.tree, &cx)?;
            fetch::fetch_input(name.as_str(), spec, &parts, &cx.of(&self.definition, name.as_str()))
                .map_err(errors::fetch)?;
            count += parts.len();
        }
        Ok(count)
    }

    /// The host lock, with every toolchain of the definition recorded and in the store.
    fn toolchains(
        &self,
        bound: &BoundSource,
        bound_inputs: &BoundInputs,
        cargo: Option<Digest>,
        wishes: &Wishes,
    ) -> Answer<(HostLock, Option<String>)> {
        if host_toolchains(&self.definition).next().is_none() {
            return Ok((HostLock::default(), None));
        }
        let path = self.folder.join(HostLock::FILE_NAME);
        let mut lock = self.host_lock()?;
        let answers = selfsame_lock::host_answers(&self.definition, &lock).is_ok();
        let present = |locked: &LockedToolchain| self.is_present(locked);
        let recorded = host_toolchains(&self.definition).map(|name| lock.toolchains.get(name).map(present));
        let complete =
            recorded.into_iter().map(|present| present.unwrap_or(Ok(false))).collect::<Answer<Vec<bool>>>()?;
        if !answers || complete.contains(&false) {
            lock = self.capture(bound, bound_inputs, cargo, wishes)?;
        }
        let text =
            read_text(&path)?.ok_or_else(|| Report::new(Exit::Unanswered, format!("`{}` vanished", path.display())))?;
        Ok((lock, Some(text)))
    }

    /// The host lock as it is; empty where there is none.
    pub(crate) fn host_lock(&self) -> Answer<HostLock> {
        let path = self.folder.join(HostLock::FILE_NAME);
        match read_text(&path)? {
            Some(text) => HostLock::parse(&text).map_err(|error| errors::text(&path, &error)),
            None => Ok(HostLock::default()),
        }
    }

    fn is_present(&self, locked: &LockedToolchain) -> Answer<bool> {
        if !self.store.has(&locked.tree) {
            return Ok(false);
        }
        let tree = self.store.tree(&locked.tree).map_err(errors::store)?;
        Ok(self.store.missing(&tree).map_err(errors::store)?.is_empty())
    }

    /// Binds source and crates, then records every toolchain anew.
    pub(crate) fn capture_all(&self, wishes: &Wishes) -> Answer<HostLock> {
        let (lock, _) = self.lock(wishes.locked)?;
        let bound = self.source(lock.as_ref(), wishes)?;
        let (_, cargo) = self.crates(&bound.tree)?;
        let platform = self.platform()?;
        let cx = inputs::context(&self.folder, &self.definition, &self.network, self.store, &platform, false);
        let bound_inputs = inputs::bind(&self.definition, lock.as_ref(), &bound.tree, &cx, self.voice)?;
        self.capture(&bound, &bound_inputs, cargo, wishes)
    }

    /// Records every toolchain of the definition and writes the host lock.
    fn capture(
        &self,
        bound: &BoundSource,
        bound_inputs: &BoundInputs,
        cargo: Option<Digest>,
        wishes: &Wishes,
    ) -> Answer<HostLock> {
        let mut lock = self.host_lock()?;
        let mut digests = BTreeMap::new();
        let mut input_trees = BTreeMap::new();
        for (name, set) in &bound_inputs.sets {
            let is_toolchain = self.definition.toolchains.keys().any(|known| known.as_str() == name);
            let trees = if is_toolchain { &mut digests } else { &mut input_trees };
            trees.insert(name.clone(), set.tree);
        }
        let empty = self.store.put_tree(&Tree::new()).map_err(errors::store)?;
        for (name, kind) in &self.definition.toolchains {
            match kind {
                Toolchain::Input(_) => {}
                Toolchain::Host { .. } => _ = digests.insert(name.to_string(), empty),
                Toolchain::Rustup { channel, components } => {
                    self.voice.say("record", &format!("rustup toolchain {channel} as `{name}`"));
                    let locked = self.rustup(name.as_str(), channel, components)?;
                    digests.insert(name.to_string(), locked.tree);
                    lock.toolchains.insert(name.clone(), locked);
                }
            }
        }
        let is_host = |kind: &Toolchain| matches!(kind, Toolchain::Host { .. });
        if self.definition.toolchains.values().any(is_host) {
            let captured = self.observe(bound, cargo, wishes, digests, input_trees)?;
            for (name, kind) in &self.definition.toolchains {
                if let Toolchain::Host { root } = kind {
                    lock.toolchains.insert(name.clone(), LockedToolchain { root: root.clone(), ..captured.clone() });
                }
            }
        }
        write_text(&self.folder.join(HostLock::FILE_NAME), &lock.to_string())?;
        Ok(lock)
    }

    fn rustup(&self, name: &str, channel: &str, components: &[String]) -> Answer<LockedToolchain> {
        let home = self.settings.rustup_home.as_ref().ok_or_else(|| {
            Report::new(Exit::Unanswered, "no rustup toolchain can be found: neither RUSTUP_HOME nor HOME is set")
        })?;
        let recorded =
            toolchain::rustup_toolchain(channel, name, home, components, self.store).map_err(errors::toolchain)?;
        let tree = self.store.put_tree(&recorded.tree).map_err(errors::store)?;
        Ok(LockedToolchain {
            kind: selfsame_lock::ToolchainKind::Rustup,
            channel: Some(channel.to_owned()),
            root: None,
            tree,
            entries: recorded.tree.len() as u64,
            size: recorded.tree.size_bytes(),
            platform: Platform::native(),
            packages: Vec::new(),
            components: recorded
                .components
                .into_iter()
                .map(|part| selfsame_lock::ToolchainComponent { name: part.name, url: part.url, sha256: part.sha256 })
                .collect(),
        })
    }

    /// Runs the actions once under observation and records what of the host they touch.
    fn observe(
        &self,
        source: &BoundSource,
        cargo: Option<Digest>,
        wishes: &Wishes,
        toolchains: BTreeMap<String, Digest>,
        input_trees: BTreeMap<String, Digest>,
    ) -> Answer<LockedToolchain> {
        self.voice.say("observe", "the actions, once, to record which of this machine's tools they use");
        let host = host_with_roots(&self.definition, self.settings)?;
        let view = toolchain::visible(&host);
        let view = HostView {
            binds: view.binds.into_iter().map(|bind| (bind.host, format!("/{}", bind.inside.as_str()))).collect(),
            links: view.links.into_iter().map(|link| (link.inside, link.target)).collect(),
        };
        let bound = Bound {
            source: source.digest,
            epoch: source.epoch,
            toolchains,
            inputs: input_trees,
            cargo,
            profile: Profile::CURRENT,
            level: wishes.level,
            platform: Platform::native(),
            target: self.platform()?,
            relaxations: wishes.relaxations.keys().cloned().collect::<BTreeSet<_>>(),
        };
        let plan = Plan::new(&self.definition, &bound).map_err(|error| errors::build(error.into(), self.store))?;
        let executor = LocalExecutor::observing(self.executor_settings()?, view);
        let mode = Mode { use_cache: false, check: false };
        selfsame_build::steps::run_steps(&plan, self.store, &executor, mode, &Quiet)
            .map_err(|error| errors::build(error, self.store))?;
        let observed = executor.into_observed();
        let captured = toolchain::capture(&observed, &host, self.store).map_err(errors::toolchain)?;
        let tree = self.store.put_tree(&captured.tree).map_err(errors::store)?;
        self.voice.say(
            "record",
            &format!(
                "{} files of {} packages, {}",
                captured.tree.len(),
                captured.packages.len(),
                size(captured.tree.size_bytes())
            ),
        );
        Ok(LockedToolchain {
            kind: selfsame_lock::ToolchainKind::Captured,
            channel: None,
            root: None,
            tree,
            entries: captured.tree.len() as u64,
            size: captured.tree.size_bytes(),
            platform: Platform::native(),
            packages: captured.packages,
            components: Vec::new(),
        })
    }

    /// What the executor needs.
    pub(crate) fn executor_settings(&self) -> Answer<ExecutorSettings<'_>> {
        executor_settings(self.store, self.voice, self.cancel)
    }
}

/// The names of the toolchains that are taken from this machine.
pub(crate) fn host_toolchains(definition: &Definition) -> impl Iterator<Item = &selfsame_definition::Name> {
    definition.toolchains.iter().filter(|(_, kind)| kind.is_of_host()).map(|(name, _)| name)
}

/// The trees of toolchains that are inputs and lie at the root, by name.
pub(crate) fn root_trees(definition: &Definition, bound: &BoundInputs) -> BTreeMap<String, Tree> {
    let roots = definition.toolchains.iter().filter(|(_, kind)| !kind.is_of_host() && !kind.is_named());
    roots.filter_map(|(name, _)| Some((name.to_string(), bound.trees.get(name.as_str())?.clone()))).collect()
}

/// This machine, with the folders that the definition names as roots of toolchains.
pub(crate) fn host_with_roots(definition: &Definition, settings: &Settings) -> Answer<toolchain::Host> {
    let mut host = toolchain::Host::new("/");
    for (name, kind) in &definition.toolchains {
        let Toolchain::Host { root: Some(root) } = kind else { continue };
        let folder = match (root.strip_prefix("~/"), settings.home.as_ref()) {
            (None, _) => PathBuf::from(root),
            (Some(rest), Some(home)) => home.join(rest),
            (Some(_), None) => {
                return Err(Report::new(Exit::Unanswered, format!("`{root}` cannot be found: HOME is not set")).into());
            }
        };
        host = host.with_named_root(name.as_str(), folder).map_err(errors::toolchain)?;
    }
    Ok(host)
}

/// What an executor on this machine needs.
pub(crate) fn executor_settings<'a>(
    store: &'a Store,
    voice: &'a Voice,
    cancel: &'a AtomicBool,
) -> Answer<ExecutorSettings<'a>> {
    Ok(ExecutorSettings {
        program: PathBuf::from("/proc/self/exe"),
        store,
        scratch: store.scratch_folder().map_err(errors::store)?,
        log: voice,
        cancel,
    })
}

/// A source that is in the store.
struct BoundSource {
    tree: Tree,
    digest: Digest,
    epoch: SourceEpoch,
    origin: Origin,
    path: Option<fetch::BoundSource>,
}

/// The crates that a source's Cargo.lock pins, where an action of the definition is cargo's, and their vendored tree.
pub(crate) fn crates(
    definition: &Definition,
    source: &Tree,
    environment: &fetch::Environment,
    store: &Store,
    voice: &Voice,
    offline: bool,
) -> Answer<(Vec<CrateInput>, Option<Digest>)> {
    if !definition.actions.iter().any(|action| matches!(action.command, Command::Cargo(_))) {
        return Ok((Vec::new(), None));
    }
    let path = RelPath::new("Cargo.lock").expect("a constant");
    let fetched = fetch::fetch_crates(source, &path, environment, store, offline).map_err(errors::crates)?;
    let mount = format!("/{}/cargo", selfsame_action::action::INPUTS);
    let vendor = fetch::vendor_tree(&fetched, &mount, store).map_err(errors::crates)?;
    voice.say("crates", &format!("{} of Cargo.lock, by checksum", fetched.crates.len()));
    let digest = store.put_tree(&vendor).map_err(errors::store)?;
    let mut crates: Vec<CrateInput> = fetched
        .crates
        .into_iter()
        .map(|krate| CrateInput { name: krate.name, version: krate.version, sha256: krate.sha256 })
        .collect();
    crates.sort();
    Ok((crates, Some(digest)))
}

/// A toolchain of the host lock as the request names it.
pub(crate) fn toolchain_input(locked: &LockedToolchain) -> ToolchainInput {
    let kind = match locked.kind {
        selfsame_lock::ToolchainKind::Captured => ToolchainKind::Captured,
        selfsame_lock::ToolchainKind::Rustup => ToolchainKind::Rustup {
            components: locked
                .components
                .iter()
                .map(|part| Component { name: part.name.clone(), url: part.url.clone(), sha256: part.sha256 })
                .collect(),
        },
    };
    ToolchainInput { tree: locked.tree, kind }
}

/// A package of a captured toolchain as the SBOM names it.
pub(crate) fn toolchain_package(package: &selfsame_lock::ToolchainPackage) -> ToolchainPackage {
    ToolchainPackage {
        purl: package.purl.to_string(),
        name: package.name.clone(),
        version: package.version.clone(),
        license: (!package.licenses.is_empty()).then(|| package.licenses.join(" AND ")),
        supplier: package.supplier.clone(),
    }
}

/// Folder, file, text and meaning of the definition at `path`.
pub(crate) fn read_definition(path: &Path) -> Answer<(PathBuf, PathBuf, String, Definition)> {
    let file = if path.is_dir() { path.join(Definition::FILE_NAME) } else { path.to_owned() };
    let folder = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let text = read_text(&file)?.ok_or_else(|| {
        let report = Report::new(Exit::Unanswered, format!("there is no `{}`", file.display()));
        match path.is_dir() {
            true => report.hint(format!("`selfsame init {}` writes a first one", errors::quoted(&folder))),
            false => report.hint("give the project's folder, or its selfsame.toml"),
        }
    })?;
    let definition = Definition::parse(&text).map_err(|error| errors::text(&file, &error))?;
    Ok((folder, file, text, definition))
}

/// A UTF-8 file, or nothing where there is none.
pub(crate) fn read_text(path: &Path) -> Answer<Option<String>> {
    let fault = |fault: String| Report::new(Exit::Unanswered, format!("cannot read `{}`: {fault}", path.display()));
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fault(error.to_string()).into()),
        Ok(metadata) if !metadata.is_file() => return Err(fault("it is not a regular file".to_owned()).into()),
        Ok(metadata) if metadata.len() > TEXT_BYTES => return Err(fault("it is larger than 16 MiB".to_owned()).into()),
        Ok(_) => {}
    }
    let bytes = std::fs::read(path).map_err(|error| fault(error.to_string()))?;
    String::from_utf8(bytes).map(Some).map_err(|_| fault("it is not UTF-8".to_owned()).into())
}

/// Writes a text whole or not at all.
pub(crate) fn write_text(path: &Path, text: &str) -> Answer<()> {
    let fault = |error: &dyn std::fmt::Display| {
        Report::new(Exit::Unanswered, format!("cannot write `{}`: {error}", path.display()))
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(".selfsame-")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(folder)
        .map_err(|error| fault(&error))?;
    std::io::Write::write_all(&mut file, text.as_bytes()).map_err(|error| fault(&error))?;
    file.persist(path).map_err(|error| fault(&error.error))?;
    Ok(())
}
