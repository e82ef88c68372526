//! The toolchains of this machine: recorded by observation, or as rustup installed them, and written to the host lock.

use std::collections::{BTreeMap, BTreeSet};

use selfsame_action::{Bound, Plan};
use selfsame_build::{Mode, Quiet};
use selfsame_core::{Digest, Platform, Profile};
use selfsame_definition::Toolchain;
use selfsame_executor::{HostView, LocalExecutor};
use selfsame_lock::{HostLock, LockedToolchain};
use selfsame_toolchain as toolchain;
use selfsame_tree::Tree;

use super::{BoundSource, Project, Wishes, host_toolchains, host_with_roots, read_text, write_text};
use crate::commands::errors;
use crate::inputs::{self, BoundInputs};
use crate::report::{Answer, Exit, Report};
use crate::terminal::size;

impl Project<'_> {
    /// The host lock, with every toolchain of the definition recorded and in the store.
    pub(super) fn toolchains(
        &self,
        bound: &BoundSource,
        platforms: &[Platform],
        bound_inputs: &[BoundInputs],
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
            lock = self.capture(bound, platforms, bound_inputs, cargo, wishes)?;
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
        let platforms = self.platforms();
        let each = platforms.iter().map(|platform| {
            inputs::bind(
                &self.definition,
                lock.as_ref(),
                &bound.tree,
                &self.network,
                &self.context(platform),
                self.voice,
            )
        });
        let bound_inputs = each.collect::<Answer<Vec<BoundInputs>>>()?;
        self.capture(&bound, &platforms, &bound_inputs, cargo, wishes)
    }

    /// Records every toolchain of the definition and writes the host lock.
    fn capture(
        &self,
        bound: &BoundSource,
        platforms: &[Platform],
        bound_inputs: &[BoundInputs],
        cargo: Option<Digest>,
        wishes: &Wishes,
    ) -> Answer<HostLock> {
        let mut lock = self.host_lock()?;
        let mut digests = BTreeMap::new();
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
            let captured = self.observe(bound, platforms, bound_inputs, cargo, wishes, &digests)?;
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
        platforms: &[Platform],
        bound_inputs: &[BoundInputs],
        cargo: Option<Digest>,
        wishes: &Wishes,
        of_host: &BTreeMap<String, Digest>,
    ) -> Answer<LockedToolchain> {
        self.voice.say("observe", "the actions, once, to record which of this machine's tools they use");
        let host = host_with_roots(&self.definition, self.settings)?;
        let view = toolchain::visible(&host);
        let view = HostView {
            binds: view.binds.into_iter().map(|bind| (bind.host, format!("/{}", bind.inside.as_str()))).collect(),
            links: view.links.into_iter().map(|link| (link.inside, link.target)).collect(),
        };
        let executor = LocalExecutor::observing(self.executor_settings()?, view);
        // One record for all platforms: of a cross compiler each may use other files.
        for (platform, inputs) in platforms.iter().zip(bound_inputs) {
            let (mut toolchains, mut input_trees) = (of_host.clone(), BTreeMap::new());
            for (name, set) in &inputs.sets {
                let is_toolchain = self.definition.toolchains.keys().any(|known| known.as_str() == name);
                let trees = if is_toolchain { &mut toolchains } else { &mut input_trees };
                trees.insert(name.clone(), set.tree);
            }
            let bound = Bound {
                source: source.digest,
                epoch: source.epoch,
                toolchains,
                inputs: input_trees,
                configured: selfsame_build::build::normalisers(&inputs.sets)
                    .map_err(|error| errors::build(error, self.store))?,
                cargo,
                profile: Profile::CURRENT,
                level: wishes.level,
                platform: Platform::native(),
                target: platform.clone(),
                relaxations: wishes.relaxations.keys().cloned().collect::<BTreeSet<_>>(),
            };
            let plan = Plan::new(&self.definition, &bound).map_err(|error| errors::build(error.into(), self.store))?;
            let mode = Mode { use_cache: false, check: false };
            selfsame_build::steps::run_steps(&plan, self.store, &executor, mode, &Quiet)
                .map_err(|error| errors::build(error, self.store))?;
        }
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
}
