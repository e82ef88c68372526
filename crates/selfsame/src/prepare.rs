//! From a project folder to the inputs of a build: definition, lock, source, crates, toolchains.

mod toolchains;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use selfsame_build::build::Inputs;
use selfsame_build::request::{Component, CrateInput, Origin, Request, Source, ToolchainInput, ToolchainKind};
use selfsame_build::sbom::ToolchainPackage;
use selfsame_core::{Digest, Level, Platform, Profile, RelPath, SourceEpoch};
use selfsame_definition::{Command, Definition, Epoch, SourceOrigin, Toolchain};
use selfsame_executor::Settings as ExecutorSettings;
use selfsame_fetch as fetch;
use selfsame_http::Share;
use selfsame_lock::{Lock, LockedToolchain};
use selfsame_store::Store;
use selfsame_toolchain as toolchain;
use selfsame_tree::Tree;

use crate::commands::errors;
use crate::inputs::{self, BoundInputs};
use crate::meter::Meter;
use crate::network::Network;
use crate::report::{Answer, Exit, Report};
use crate::settings::Settings;
use crate::shared::PinnedInput;
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
    /// For each platform, sorted by its name.
    pub(crate) inputs: Vec<Inputs>,
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
        let platforms = self.platforms();
        let mut bound_inputs = Vec::with_capacity(platforms.len());
        for platform in &platforms {
            if platforms.len() > 1 && self.definition.all_inputs().next().is_some() {
                self.voice.say("platform", &platform.to_string());
            }
            let cx = self.context(platform);
            bound_inputs.push(inputs::bind(
                &self.definition,
                lock.as_ref(),
                &bound.tree,
                &self.network,
                &cx,
                self.voice,
            )?);
        }
        let (host_lock, host_text) = self.toolchains(&bound, &platforms, &bound_inputs, cargo, wishes)?;
        let (mut toolchains, mut trees) = (BTreeMap::new(), BTreeMap::new());
        let mut packages: Vec<ToolchainPackage> = Vec::new();
        for name in host_toolchains(&self.definition) {
            let locked = &host_lock.toolchains[name];
            toolchains.insert(name.to_string(), toolchain_input(locked));
            trees.insert(name.to_string(), self.store.tree(&locked.tree).map_err(errors::store)?);
            packages.extend(locked.packages.iter().map(toolchain_package));
        }
        let put = |text: &str| self.store.put_bytes(text.as_bytes(), false).map_err(errors::store);
        let (definition, lock_digest) = (put(&self.text)?, lock_text.as_deref().map(put).transpose()?);
        let host_lock = host_text.as_deref().map(put).transpose()?;
        let mut inputs = Vec::with_capacity(platforms.len());
        for (platform, bound_inputs) in platforms.iter().zip(bound_inputs) {
            let cx = self.context(platform);
            let base = inputs::base(&self.definition, lock.as_ref(), &bound_inputs, &cx)?;
            let mut toolchain_trees = root_trees(&self.definition, &bound_inputs);
            toolchain_trees.extend(trees.clone());
            let described = bound_inputs.described();
            let request = Request {
                name: self.definition.name.to_string(),
                version: self.definition.version.clone(),
                definition,
                lock: lock_digest,
                host_lock,
                source: Source { tree: bound.digest, origin: bound.origin.clone() },
                toolchains: toolchains.clone(),
                inputs: bound_inputs.sets,
                crates: crates.clone(),
                epoch: bound.epoch,
                profile: Profile::CURRENT,
                level: wishes.level,
                platform: platform.clone(),
                platforms: asked_together(&self.definition),
                build_platform: Platform::native(),
                relaxations: wishes.relaxations.clone(),
                builder_id: wishes.builder_id.clone(),
            };
            inputs.push(Inputs {
                definition: self.definition.clone(),
                request,
                source: bound.tree.clone(),
                toolchains: toolchain_trees,
                inputs: bound_inputs.trees,
                base,
                cargo,
                described,
                toolchain_packages: packages.clone(),
            });
        }
        Ok(Prepared { inputs, bound: bound.path })
    }

    /// What the image is for, sorted by name: this machine's platform, or those that the definition states.
    fn platforms(&self) -> Vec<Platform> {
        match self.definition.image.platforms.as_slice() {
            [] => vec![Platform::native()],
            platforms => sorted(platforms),
        }
    }

    /// What inputs for one of the platforms are resolved, fetched and laid out with.
    fn context<'c>(&'c self, platform: &'c Platform) -> fetch::Context<'c> {
        inputs::context(&self.folder, &self.definition, &self.network, self.store, platform, false)
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
                        .consequence(crate::report::NOTHING_BUILT)
                        .hint("run `selfsame lock`, then commit selfsame.lock");
                return Err(report.into());
            }
            let (lock, text) = self.resolve(None, |_| false)?;
            self.voice.say("lock", &format!("{} written: commit it", path.display()));
            let parts = crate::commands::to_share(&self.definition, &lock, self.network.http.origins().share);
            let blobs: Vec<(Digest, u64)> = parts.iter().map(|part| (part.sha256, part.size)).collect();
            crate::shared::offer(&self.network, &blobs, self.store, self.voice);
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
        // Resolving asks for all of them.
        let platforms = self.platforms();
        let cx = self.context(&platforms[0]);
        fetch::resolve(&self.definition, before, keep, &cx).map_err(errors::fetch).map_err(|mut report| {
            if report.consequence.as_deref() == Some(crate::report::NOTHING_BUILT) {
                report.consequence = Some("The lock was not changed.".to_owned());
            }
            if self.network.http.options().offline {
                report.hints =
                    vec!["choosing inputs asks the network: run `selfsame lock` without `--offline`".to_owned()];
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
    /// What is not here is asked of the shared store first; what the registry had to give is shared then.
    fn crates(&self, source: &Tree) -> Answer<(Vec<CrateInput>, Option<Digest>)> {
        let wanted = match uses_cargo(&self.definition) {
            true => fetch::pinned_crates(source, &cargo_lock(), self.store).map_err(errors::crates)?,
            false => BTreeSet::new(),
        };
        let blobs = wanted.iter().map(|digest| (*digest, None));
        crate::shared::bring_blobs(&self.network, blobs, self.store, self.voice)?;
        let absent: BTreeSet<Digest> = wanted.into_iter().filter(|digest| !self.store.has(digest)).collect();
        let offline = self.network.http.options().offline;
        let crates = crates(&self.definition, source, &self.settings.environment(), self.store, self.voice, offline)?;
        self.share_crates(crates.0.iter().filter(|krate| absent.contains(&krate.sha256)))?;
        Ok(crates)
    }

    /// Leaves crates in the shared store, if there is one; those of a registry of one's own only where all is shared.
    fn share_crates<'c>(&self, crates: impl Iterator<Item = &'c CrateInput>) -> Answer<()> {
        let mut blobs = Vec::new();
        let all = self.network.http.origins().share == Share::All;
        for krate in crates.filter(|krate| all || !krate.is_private) {
            let size = self.store.blob_size(&krate.sha256).map_err(errors::store)?;
            blobs.extend(size.map(|size| (krate.sha256, size)));
        }
        crate::shared::offer(&self.network, &blobs, self.store, self.voice);
        Ok(())
    }

    /// Brings what the lock names.
    pub(crate) fn fetch_locked(&self, lock: &Lock) -> Answer<()> {
        for platform in &self.platforms() {
            fetch::fetch(&self.definition, lock, &self.context(platform)).map_err(errors::fetch)?;
        }
        Ok(())
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
        self.share_crates(crates.iter())?;
        let mut count = crates.len();
        if let Some(lock) = &lock {
            self.fetch_locked(lock)?;
            count += lock.parts().count();
        }
        let mut pinned = BTreeSet::new();
        for platform in &self.platforms() {
            let cx = self.context(platform);
            for (name, spec) in self.definition.all_inputs().filter(|(_, spec)| spec.pins().is_some()) {
                let cx = cx.of(&self.definition, name.as_str());
                let input = PinnedInput { name: name.as_str(), spec, source: &bound.tree, cx: &cx };
                let parts = input.bring(&self.network, self.voice)?;
                fetch::fetch_input(name.as_str(), spec, &parts, &cx).map_err(errors::fetch)?;
                input.offer(&parts, true, &self.network, self.voice)?;
                pinned.extend(parts.into_iter().map(|part| (name.as_str(), part.sha256)));
            }
        }
        Ok(count + pinned.len())
    }

    /// What the executor needs.
    pub(crate) fn executor_settings(&self) -> Answer<ExecutorSettings<'_>> {
        executor_settings(self.store, self.voice, self.cancel)
    }
}

/// Sorted by their names, as an index has them.
fn sorted(platforms: &[Platform]) -> Vec<Platform> {
    let mut sorted = platforms.to_vec();
    sorted.sort_by_key(ToString::to_string);
    sorted
}

/// What a request says was asked for together: nothing where that is one platform.
pub(crate) fn asked_together(definition: &Definition) -> Vec<Platform> {
    match definition.image.platforms.as_slice() {
        [] | [_] => Vec::new(),
        platforms => sorted(platforms),
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
    if !uses_cargo(definition) {
        return Ok((Vec::new(), None));
    }
    let fetched = fetch::fetch_crates(source, &cargo_lock(), environment, store, offline).map_err(errors::crates)?;
    let mount = format!("/{}/cargo", selfsame_action::action::INPUTS);
    let vendor = fetch::vendor_tree(&fetched, &mount, store).map_err(errors::crates)?;
    voice.say("crates", &format!("{} of Cargo.lock, by checksum", fetched.crates.len()));
    let digest = store.put_tree(&vendor).map_err(errors::store)?;
    let mut crates: Vec<CrateInput> = fetched
        .crates
        .into_iter()
        .map(|krate| CrateInput {
            name: krate.name,
            version: krate.version,
            sha256: krate.sha256,
            is_private: krate.is_private,
        })
        .collect();
    crates.sort();
    Ok((crates, Some(digest)))
}

fn uses_cargo(definition: &Definition) -> bool {
    definition.actions.iter().any(|action| matches!(action.command, Command::Cargo(_)))
}

/// Where the source has the lock of its crates.
fn cargo_lock() -> RelPath {
    RelPath::new("Cargo.lock").expect("a constant")
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
