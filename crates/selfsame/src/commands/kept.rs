//! What the locks of projects name, and so what a collection leaves in the store.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use selfsame_core::{Digest, Platform, RelPath};
use selfsame_definition::{Definition, SourceOrigin};
use selfsame_fetch as fetch;
use selfsame_lock::{HostLock, Lock};
use selfsame_store::{Keep, Store};
use selfsame_tree::{Entry, Tree};

use super::errors;
use crate::inputs;
use crate::network::Network;
use crate::prepare::{read_definition, read_text};
use crate::report::Answer;
use crate::settings::Settings;

const CARGO_LOCK: &str = "Cargo.lock";

/// The digests that `selfsame.lock`, `selfsame.host.lock`, and the locks of other ecosystems in the sources name, and what
/// trees among them are made of. Nobody is asked over the network.
pub(super) fn kept(projects: &[PathBuf], store: &Store, settings: &Settings) -> Answer<Keep> {
    let network = Network::of(settings, None)?;
    let mut named: BTreeSet<Digest> = BTreeSet::new();
    for project in projects {
        let (folder, _, _, definition) = read_definition(project)?;
        let path = folder.join(Lock::FILE_NAME);
        let lock = match read_text(&path)? {
            Some(text) => Some(Lock::parse(&text).map_err(|error| errors::text(&path, &error))?),
            None => None,
        };
        named.extend(lock.iter().flat_map(Lock::parts).map(|(_, part)| part.sha256));
        let path = folder.join(HostLock::FILE_NAME);
        if let Some(text) = read_text(&path)? {
            let lock = HostLock::parse(&text).map_err(|error| errors::text(&path, &error))?;
            named.extend(lock.toolchains.values().map(|toolchain| toolchain.tree));
        }
        named.extend(pinned(&folder, &definition, lock.as_ref(), store, &network)?);
    }
    let trees: BTreeSet<Digest> = named.iter().filter(|digest| store.tree(digest).is_ok()).copied().collect();
    let mut blobs = named;
    for tree in &trees {
        blobs.extend(store.tree(tree).map_err(errors::store)?.contents().into_keys());
    }
    Ok(Keep { blobs, trees, actions: BTreeSet::new(), stat_caches: true })
}

/// What Cargo.lock and the other pins in a project's source name.
fn pinned(
    folder: &Path,
    definition: &Definition,
    lock: Option<&Lock>,
    store: &Store,
    network: &Network,
) -> Answer<BTreeSet<Digest>> {
    let mut pins: BTreeSet<RelPath> = definition.all_inputs().filter_map(|(_, spec)| spec.pins().cloned()).collect();
    pins.insert(RelPath::new(CARGO_LOCK).expect("a constant"));
    let source = match &definition.source.origin {
        SourceOrigin::Path { path } => {
            let root = folder.join(path);
            let mut entries = Vec::new();
            for pin in &pins {
                // What is not there names nothing; a build would say so.
                let Some(text) = read_text(&root.join(pin.as_str()))? else { continue };
                let digest = store.put_bytes(text.as_bytes(), false).map_err(errors::store)?;
                entries.push((pin.clone(), Entry::file(digest, text.len() as u64, false)));
            }
            Tree::from_entries(entries).unwrap_or_default()
        }
        // Unpacked from the store; nothing that is not there has anything there to keep.
        _ => lock.and_then(|lock| fetch::source_tree(definition, lock, store).ok().flatten()).unwrap_or_default(),
    };
    let mut named = BTreeSet::new();
    if let Some((digest, size)) = source.content(CARGO_LOCK) {
        let text = store.read_blob(&digest, size).map_err(errors::store)?;
        // One that cannot be read is none of cargo's, and no build has fetched by it.
        named.extend(fetch::locked_crates(&String::from_utf8_lossy(&text)).unwrap_or_default());
    }
    let platform = Platform::native();
    let cx = inputs::context(folder, definition, network, store, &platform, true);
    for (name, spec) in definition.all_inputs().filter(|(_, spec)| spec.pins().is_some()) {
        let parts = fetch::pinned_input(name.as_str(), spec, &source, &cx).map_err(|error| {
            let mut report = errors::fetch(error);
            report.consequence = Some("Nothing was removed: what this input pins is not known.".to_owned());
            report
        })?;
        named.extend(parts.into_iter().map(|part| part.sha256));
    }
    Ok(named)
}
