//! Where trust starts from: keys, and the builders that each may speak for.

use selfsame_attest::{PublicKey, builder_id};
use selfsame_log::LogKey;

/// Keys that count, each once: of two entries with one key the first binds. Empty trust verifies nothing.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    keys: Vec<TrustedKey>,
    logs: Vec<LogKey>,
}

/// One key that counts.
#[derive(Clone, Debug)]
pub struct TrustedKey {
    /// The key, with the builder that its file names.
    pub key: PublicKey,
    /// The builder ids that it may sign for. Empty: the one that goes with the key, which is the one its file names or
    /// [`selfsame_core::uri::BUILDER_LOCAL`].
    pub builder_ids: Vec<String>,
}

impl Trust {
    /// Trust in these keys, each for the builder that goes with it.
    ///
    /// A development key counts like any other once it is given: nothing but giving it makes it count.
    pub fn in_keys(keys: impl IntoIterator<Item = PublicKey>) -> Self {
        Self::new(keys.into_iter().map(|key| TrustedKey { key, builder_ids: Vec::new() }).collect())
    }

    /// Trust in these keys.
    #[must_use]
    pub fn new(keys: Vec<TrustedKey>) -> Self {
        Self { keys, logs: Vec::new() }
    }

    /// The same trust, and these transparency logs: every evidence document has to be in one of them.
    #[must_use]
    pub fn with_logs(self, logs: Vec<LogKey>) -> Self {
        Self { logs, ..self }
    }

    /// The keys.
    #[must_use]
    pub fn keys(&self) -> &[TrustedKey] {
        &self.keys
    }

    /// The logs of which a document has to be in one. With none, no log is asked.
    #[must_use]
    pub fn logs(&self) -> &[LogKey] {
        &self.logs
    }
}

impl TrustedKey {
    /// The builder ids that a release by this key may carry, with or without a relaxation in it.
    ///
    /// What the key's own file says always binds: a list can narrow it, never widen it.
    #[must_use]
    pub fn accepted_builder_ids(&self, relaxed: bool) -> Vec<String> {
        let declared = self.key.declared_builder_id();
        if self.builder_ids.is_empty() {
            return vec![builder_id(declared, relaxed)];
        }
        let listed = self.builder_ids.iter().filter(|id| declared.is_none_or(|declared| declared == id.as_str()));
        listed.map(|id| builder_id(Some(id), relaxed)).collect()
    }
}
