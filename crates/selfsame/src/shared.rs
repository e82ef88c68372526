//! The store that machines share: inputs on their way to and from it, and results where they were asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use selfsame_action::{Action, Execution, ExecutionError, Executor, Normalised, Variation};
use selfsame_core::Digest;
use selfsame_definition::InputSpec;
use selfsame_fetch::{self as fetch, Context};
use selfsame_http::{Origins, RemoteStore, Share};
use selfsame_lock::{Claim, Lock, Part};
use selfsame_publish::{KeptPin, KeptPins, KeptResult, SharedError, SharedStore};
use selfsame_store::{Store, StoreError};
use selfsame_tree::Tree;

use crate::commands::errors;
use crate::network::Network;
use crate::report::{Answer, Exit, Report};
use crate::terminal::{Voice, size};

/// The shared store of this machine's configuration, if there is one.
fn configured(network: &Network) -> Answer<Option<Result<SharedStore<'_>, SharedError>>> {
    let Some(remote) = &network.http.origins().store else { return Ok(None) };
    Ok(Some(SharedStore::open(remote, network.registry()?)))
}

/// Brings what a lock names and the shared store has. What it has not, and all of it where it cannot be asked, is left
/// for the origins: what is said then is a warning.
pub(crate) fn bring(network: &Network, lock: &Lock, store: &Store, voice: &Voice) -> Answer<()> {
    let parts = lock.parts().map(|(_, part)| (part.sha256, Some(part.size)));
    bring_blobs(network, parts, store, voice)
}

/// The same for blobs, with their sizes as far as they are known.
pub(crate) fn bring_blobs(
    network: &Network,
    blobs: impl Iterator<Item = (Digest, Option<u64>)>,
    store: &Store,
    voice: &Voice,
) -> Answer<()> {
    let wanted: BTreeMap<Digest, Option<u64>> = blobs.filter(|(digest, _)| !store.has(digest)).collect();
    let wanted: Vec<(Digest, Option<u64>)> = wanted.into_iter().collect();
    if wanted.is_empty() || network.http.options().offline && !is_folder(network) {
        return Ok(());
    }
    let shared = match configured(network)? {
        None => return Ok(()),
        Some(Ok(shared)) => shared,
        Some(Err(error)) => {
            voice.warn(&errors::chain(&error));
            return Ok(());
        }
    };
    let (mut files, mut bytes) = (0_u64, 0_u64);
    let mut told = false;
    for got in shared.get_each(&wanted, store) {
        match got {
            Ok(Some(size)) => {
                files += 1;
                bytes += size;
            }
            Ok(None) => {}
            Err(error @ SharedError::Store { .. }) => return Err(fault(error)),
            // That it cannot be asked is said once. One that is damaged there may be whole elsewhere.
            Err(error) if error.retry_may_help() && told => {}
            Err(error) => {
                told |= error.retry_may_help();
                voice.warn(&errors::chain(&error));
            }
        }
    }
    if files > 0 {
        voice.say("fetch", &format!("{}, {}, from the shared store {shared}", count(files, "file"), size(bytes)));
    }
    Ok(())
}

/// An input whose files a file of the source pins.
pub(crate) struct PinnedInput<'a> {
    pub(crate) name: &'a str,
    pub(crate) spec: &'a InputSpec,
    pub(crate) source: &'a Tree,
    pub(crate) cx: &'a Context<'a>,
}

impl PinnedInput<'_> {
    /// Its files: by what is here, else by what the shared store says, else by their origins. All of them are in the store
    /// then.
    pub(crate) fn bring(&self, network: &Network, voice: &Voice) -> Answer<Vec<Part>> {
        let Self { name, spec, source, cx } = *self;
        let claimed = self.claimed(network, voice)?;
        fetch::pinned_among(name, spec, source, &claimed, cx).map_err(|error| errors::fetch(error.of(name)))
    }

    fn key(&self) -> Answer<Digest> {
        let Self { name, spec, source, cx } = *self;
        fetch::pins_key(name, spec, source, cx).map_err(|error| errors::fetch(error.of(name)))
    }

    /// What the shared store says that they are, as far as it has them. Nothing where all of them are known here, or
    /// nobody can be asked. It is checked against the pins by whoever is told.
    fn claimed(&self, network: &Network, voice: &Voice) -> Answer<Vec<Part>> {
        let Self { name, spec, source, cx } = *self;
        if network.http.origins().store.is_none()
            || network.http.options().offline && !is_folder(network)
            || fetch::pinned_again(name, spec, source, &[], cx).is_ok()
        {
            return Ok(Vec::new());
        }
        let key = self.key()?;
        let Some(shared) = configured(network)? else { return Ok(Vec::new()) };
        let said = match shared.and_then(|shared| shared.pins(&key)) {
            Ok(Some(said)) => said,
            Ok(None) => return Ok(Vec::new()),
            Err(error) => {
                voice.warn(&errors::chain(&error));
                return Ok(Vec::new());
            }
        };
        bring_blobs(network, said.files().iter().map(|file| (file.sha256, Some(file.size))), cx.store, voice)?;
        let part = |file: &KeptPin| {
            let mut part = Part::new(file.purl.parse().ok()?, file.sha256, file.size, Claim::EcosystemLock);
            part.role.clone_from(&file.role);
            (cx.store.blob_size(&file.sha256).ok()? == Some(file.size)).then_some(part)
        };
        Ok(said.files().iter().filter_map(part).collect())
    }

    /// Leaves its files for others, where all that is locked is shared. Those that are said to be there already are looked
    /// for only if `again`. What goes wrong is a warning.
    pub(crate) fn offer(&self, parts: &[Part], again: bool, network: &Network, voice: &Voice) -> Answer<()> {
        if network.http.origins().share != Share::All || network.http.options().offline && !is_folder(network) {
            return Ok(());
        }
        let Some(shared) = configured(network)? else { return Ok(()) };
        let file = |part: &Part| {
            let (purl, role) = (part.purl.to_string(), part.role.clone());
            KeptPin { purl, role, sha256: part.sha256, size: part.size }
        };
        let kept = KeptPins::new(self.key()?, parts.iter().map(file).collect());
        let blobs: Vec<(Digest, u64)> = parts.iter().map(|part| (part.sha256, part.size)).collect();
        let sent = shared.and_then(|shared| {
            if !again && shared.pins(kept.key())?.as_ref() == Some(&kept) {
                return Ok(());
            }
            let (sent, bytes) = shared.put_each(&blobs, self.cx.store)?;
            if sent > 0 {
                voice.say("share", &format!("{}, {}, with {shared}", count(sent, "file"), size(bytes)));
            }
            // Last: whoever finds it finds what it names.
            shared.put_pins(&kept).map(drop)
        });
        if let Err(error) = sent {
            voice.warn(&format!("not shared: {}; `selfsame fetch` tries again", errors::chain(&error)));
        }
        Ok(())
    }
}

/// Of these parts of a lock, whether some are neither here, after `store gc` for one, nor in the shared store.
pub(crate) fn lacks(network: &Network, parts: &[&Part], store: &Store) -> Answer<bool> {
    let absent: Vec<Digest> = parts.iter().map(|part| part.sha256).filter(|digest| !store.has(digest)).collect();
    if absent.is_empty() || network.http.origins().store.is_none() {
        return Ok(false);
    }
    Ok(kept(network, &absent)?.len() < absent.iter().collect::<BTreeSet<_>>().len())
}

/// Sees to it that these are in the shared store, too: whether there is one. What was written before stays when this
/// fails. What is not in this machine's store is there already, or an error.
pub(crate) fn keep(network: &Network, parts: &[&Part], store: &Store, voice: &Voice) -> Answer<bool> {
    let blobs: Vec<(Digest, u64)> = parts.iter().map(|part| (part.sha256, part.size)).collect();
    keep_blobs(network, &blobs, store, voice).map_err(|mut report| {
        report.consequence = Some("The lock is written; what only this machine has was not shared.".to_owned());
        report.hints.push("run `selfsame lock` again: what is shared is not sent twice".to_owned());
        report
    })
}

/// The same for work that goes on without: what goes wrong is a warning.
pub(crate) fn offer(network: &Network, blobs: &[(Digest, u64)], store: &Store, voice: &Voice) {
    if let Err(report) = keep_blobs(network, blobs, store, voice) {
        voice.warn(&format!("not shared: {}; `selfsame lock` or `selfsame fetch` tries again", report.headline));
    }
}

fn keep_blobs(network: &Network, blobs: &[(Digest, u64)], store: &Store, voice: &Voice) -> Answer<bool> {
    let Some(shared) = configured(network)? else { return Ok(false) };
    if blobs.is_empty() {
        return Ok(true);
    }
    let shared = shared.map_err(fault)?;
    // What is not here cannot be sent: it has to be there already.
    let is_here = |(digest, _): &&(Digest, u64)| store.has(digest);
    let here: Vec<(Digest, u64)> = blobs.iter().filter(is_here).copied().collect();
    let absent: Vec<Digest> = blobs.iter().filter(|blob| !is_here(blob)).map(|(digest, _)| *digest).collect();
    let has = shared.has_each(&absent).map_err(fault)?;
    if let Some((digest, _)) = absent.iter().zip(has).find(|(_, has)| !has) {
        return Err(fault(SharedError::Store { source: StoreError::Absent { digest: *digest } }));
    }
    let (sent, bytes) = shared.put_each(&here, store).map_err(fault)?;
    if sent > 0 {
        voice.say("share", &format!("{}, {}, with {shared}", count(sent, "file"), size(bytes)));
    }
    Ok(true)
}

/// Of these, those that the shared store has; none where there is none.
pub(crate) fn kept(network: &Network, digests: &[Digest]) -> Answer<BTreeSet<Digest>> {
    let Some(shared) = configured(network)? else { return Ok(BTreeSet::new()) };
    let has = shared.map_err(fault)?.has_each(digests).map_err(fault)?;
    Ok(digests.iter().zip(has).filter(|(_, has)| *has).map(|(digest, _)| *digest).collect())
}

/// `1 file`, `2 files`.
fn count(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

fn is_folder(network: &Network) -> bool {
    matches!(network.http.origins().store, Some(RemoteStore::Folder(_)))
}

/// The shared store did not do it.
fn fault(error: SharedError) -> Box<Report> {
    let exit = if error.retry_may_help() { Exit::NotNow } else { Exit::Unanswered };
    match error {
        SharedError::Store { source } => errors::store(source),
        SharedError::Registry { source } => crate::remote::registry(source),
        SharedError::NotThere { ref path } => {
            let hint = format!("mount it; or, if it is to begin: `mkdir {}`", errors::quoted(path));
            Report::new(exit, errors::chain(&error)).hint(hint).into()
        }
        error => Report::new(exit, errors::chain(&error)).into(),
    }
}

/// The store that `--cache-from` or `--cache-to` names, written as in origins.toml.
pub(crate) fn named<'a>(flag: &str, text: &str, folder: &Path, network: &'a Network) -> Answer<SharedStore<'a>> {
    let quoted = serde_json::to_string(text).unwrap_or_default();
    let wrong = || {
        Report::new(Exit::Unanswered, format!("`{flag} {text}` names no store"))
            .consequence(crate::report::NOTHING_BUILT)
            .hint("a folder, or `oci://HOST/NAME`")
    };
    let origins = Origins::parse(&format!("[store]\nremote = {quoted}\n"), folder).map_err(|_| wrong())?;
    let remote = origins.store.ok_or_else(wrong)?;
    SharedStore::open(&remote, network.registry()?).map_err(fault)
}

/// Leaves the results of these actions for others. A release is built by then, so what goes wrong is a warning.
pub(crate) fn leave(shared: &SharedStore<'_>, actions: &[Digest], store: &Store, voice: &Voice) {
    let mut sent = 0_u64;
    for action in actions {
        let put = KeptResult::of_store(action, store).and_then(|result| match result {
            Some(result) => shared.put_result(action, &result, store),
            None => Ok(false),
        });
        match put {
            Ok(new) => sent += u64::from(new),
            Err(error) => voice.warn(&format!("a result is not left for others: {}", errors::chain(&error))),
        }
    }
    if sent > 0 {
        voice.say("share", &format!("{} with {shared}", count(sent, "result")));
    }
}

/// An executor that first looks whether somebody left a result. Only for runs that no check follows: what others left is
/// not what this machine saw, however often it is compared.
pub(crate) struct Sharing<'a> {
    pub(crate) inner: &'a dyn Executor,
    pub(crate) shared: &'a SharedStore<'a>,
    pub(crate) store: &'a Store,
    pub(crate) voice: &'a Voice,
}

impl Executor for Sharing<'_> {
    fn run(&self, action: &Action, variation: Variation) -> Result<Execution, ExecutionError> {
        if variation == Variation::None {
            match self.find(action) {
                Ok(Some(execution)) => {
                    self.voice.say("have", &format!("{}, left by others in {}", action.name, self.shared));
                    return Ok(execution);
                }
                Ok(None) => {}
                Err(error) => self.voice.warn(&errors::chain(&error)),
            }
        }
        self.inner.run(action, variation)
    }
}

impl Sharing<'_> {
    fn find(&self, action: &Action) -> Result<Option<Execution>, SharedError> {
        let Some(result) = self.shared.result(&action.digest(), self.store)? else { return Ok(None) };
        let Ok(level) = result.level.parse() else { return Ok(None) };
        let Some(normalised) = Normalised::from_counts(action, &result.normalised) else { return Ok(None) };
        let normalised = action.system.is_some().then_some(normalised);
        let output = result.tree(self.store)?;
        let log = self.store.put_bytes(b"", false)?;
        let sandbox = result.sandbox;
        let host = [("result".to_owned(), format!("left by others in {}", self.shared))].into();
        Ok(Some(Execution { output, normalised, level, sandbox, host, log, duration_millis: 0 }))
    }
}

#[cfg(test)]
mod tests;
