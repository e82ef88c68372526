//! What an action left, as other machines may find it.
//!
//! Whoever may write to the shared store may write anything here: a digest says which bytes an output has, not that the
//! action made them. So a result that was found is never checked, never evidence, and read only where it was asked for.

use std::collections::BTreeMap;

use selfsame_core::Digest;
use selfsame_core::json::{self, Limits};
use selfsame_store::Store;
use selfsame_tree::Tree;
use serde::{Deserialize, Serialize};

use crate::shared::{SharedError, SharedStore};

/// The most different files that a result has in a registry: what one manifest names.
pub const MOST_FILES: usize = 4000;
/// The largest document of a result.
pub(crate) const RESULT_BYTES: u64 = 4 << 20;
/// The longest tree that is fetched.
const TREE_BYTES: u64 = 512 << 20;
const VERSION: u32 = 2;

/// The result of an action: its output tree, and what the sandbox held to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeptResult {
    version: u32,
    /// Which action it is of.
    action: Digest,
    /// The tree that it left, every rank 0.
    pub output: Digest,
    /// How many bytes that tree's text has.
    output_bytes: u64,
    /// The level that was achieved.
    pub level: String,
    /// What the sandbox held to.
    pub sandbox: BTreeMap<String, String>,
    /// What normalisers took out of the tree: how many entries before and after, by name. Empty where there are none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub normalised: BTreeMap<String, (u64, u64)>,
}

impl KeptResult {
    /// What the store of this machine says about an action, in the form for others. Nothing if it says nothing that is
    /// understood, or lacks a part of it. That it was checked here is not passed on.
    ///
    /// # Errors
    /// The store's.
    pub fn of_store(action: &Digest, store: &Store) -> Result<Option<Self>, SharedError> {
        #[derive(Deserialize)]
        struct Entry {
            output: Digest,
            level: String,
            sandbox: BTreeMap<String, String>,
            #[serde(default)]
            normalised: BTreeMap<String, (u64, u64)>,
        }
        let Some(bytes) = store.action_result(action)? else { return Ok(None) };
        let Ok(entry) = json::parse_as::<Entry>(&bytes, Limits::DOCUMENT) else { return Ok(None) };
        let Some(output_bytes) = store.blob_size(&entry.output)? else { return Ok(None) };
        if !store.missing(&store.tree(&entry.output)?)?.is_empty() {
            return Ok(None);
        }
        let Entry { output, level, sandbox, normalised } = entry;
        Ok(Some(Self { version: VERSION, action: *action, output, output_bytes, level, sandbox, normalised }))
    }

    pub(crate) fn parse(bytes: &[u8], action: &Digest) -> Option<Self> {
        let result = json::parse_as::<Self>(bytes, Limits::DOCUMENT).ok()?;
        (result.version == VERSION && result.action == *action && result.output_bytes <= TREE_BYTES).then_some(result)
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        json::canonical(self)
    }

    pub(crate) const fn output_bytes(&self) -> u64 {
        self.output_bytes
    }

    /// The output and its files, into the store of this machine. Whether all of them could be had.
    pub(crate) fn bring(&self, shared: &SharedStore<'_>, store: &Store) -> Result<bool, SharedError> {
        if !store.has(&self.output) && shared.get(&self.output, Some(self.output_bytes), store)?.is_none() {
            return Ok(false);
        }
        let Ok(tree) = store.tree(&self.output) else { return Ok(false) };
        let missing: BTreeMap<Digest, u64> =
            store.missing(&tree)?.into_iter().map(|(_, digest, size)| (digest, size)).collect();
        let missing: Vec<(Digest, u64)> = missing.into_iter().collect();
        let brought = crate::parallel::each(&missing, |(digest, size)| shared.get(digest, Some(*size), store))?;
        Ok(brought.iter().all(Option::is_some))
    }

    /// The tree that it left.
    ///
    /// # Errors
    /// The store's.
    pub fn tree(&self, store: &Store) -> Result<Tree, SharedError> {
        Ok(store.tree(&self.output)?)
    }
}
