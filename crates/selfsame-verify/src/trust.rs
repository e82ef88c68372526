//! Where trust starts from: keys, what each of them may say, until when, and what is asked beside a signature.

mod authorities;
mod export;
mod file;
mod logs;
mod print;
mod rotated;
mod standing;

use std::collections::BTreeSet;

use selfsame_attest::{PublicKey, builder_id};
use selfsame_core::{Day, Digest, Level};
use selfsame_log::{LogKey, WitnessKey};

pub use authorities::TrustedAuthority;
pub use export::{Export, ExportError, Exported};
pub use file::{KeyEntry, PREDICATES, TrustFile, is_name, predicate_type};
pub use logs::{LogLine, TrustedLog, shared_origin};
pub use rotated::RotateError;
pub use standing::{Signed, Standing};

/// Keys that count, each once: of two entries with one key the first binds. Empty trust verifies nothing.
///
/// Out of a [`TrustFile`] it is what that file says on one day; nothing here asks what day it is.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    keys: Vec<TrustedKey>,
    logs: Vec<TrustedLog>,
    authorities: Vec<TrustedAuthority>,
    /// How many identities must have signed a whole release of the image, at least 1.
    pub(crate) release_threshold: Option<usize>,
    /// How many identities must have rebuilt the release to the same bytes.
    pub(crate) rebuild_threshold: usize,
    /// What a build must have hidden at least.
    pub(crate) minimum_level: Option<Level>,
    /// What no release of a name may be older than.
    pub(crate) floors: Vec<Floor>,
    /// Who says when a log's tree was what it is.
    pub(crate) witnesses: Vec<WitnessKey>,
    /// How many of them must have cosigned the checkpoint of an entry.
    pub(crate) witness_threshold: usize,
    /// Where it comes from, if from a file.
    pub(crate) source: Option<TrustSource>,
}

/// The trust file behind a [`Trust`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustSource {
    /// The number that each change counts up.
    pub serial: u64,
    /// SHA-256 of the file.
    pub digest: Digest,
    /// The day on which it was looked at.
    pub at: Day,
}

impl TrustSource {
    /// `{"at":"2026-11-20","serial":3,"sha256":"..."}`
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({ "at": self.at.to_string(), "serial": self.serial, "sha256": self.digest.hex() })
    }
}

/// What a release of one name must not be older than: the rollback counter of a trust file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Floor {
    /// The name in the signed parameters.
    pub name: String,
    /// The lowest version.
    pub version: Option<String>,
    /// The lowest source epoch, seconds since 1970.
    pub epoch: Option<u64>,
}

/// One key that counts.
#[derive(Clone, Debug)]
pub struct TrustedKey {
    /// The key, with the builder that its file names.
    pub key: PublicKey,
    /// What a person calls it; the key's id where nobody named it.
    pub name: String,
    /// Who holds it. Thresholds count these: two keys of one holder are one voice.
    pub identity: String,
    /// The builder ids that it may sign for. `None`: the one that goes with the key, which is the one its file names or
    /// [`selfsame_core::uri::BUILDER_LOCAL`].
    pub builder_ids: Option<Vec<String>>,
    /// The predicate types that it may sign; `None`: any.
    pub predicates: Option<BTreeSet<String>>,
    /// Whether it still counts.
    pub standing: Standing,
}

impl Trust {
    /// Trust in these keys, each for the builder that goes with it, whenever it signs.
    ///
    /// A development key counts like any other once it is given: nothing but giving it makes it count.
    pub fn in_keys(keys: impl IntoIterator<Item = PublicKey>) -> Self {
        Self::new(keys.into_iter().map(TrustedKey::new).collect())
    }

    /// Trust in these keys.
    #[must_use]
    pub fn new(keys: Vec<TrustedKey>) -> Self {
        Self { keys, ..Self::default() }
    }

    /// The same trust, and these transparency logs: every evidence document has to be in one of them.
    #[must_use]
    pub fn with_logs(self, logs: Vec<LogKey>) -> Self {
        Self { logs: logs.into_iter().map(TrustedLog::new).collect(), ..self }
    }

    /// The keys.
    #[must_use]
    pub fn keys(&self) -> &[TrustedKey] {
        &self.keys
    }

    /// The logs of which a document has to be in one. With none, no log is asked.
    #[must_use]
    pub fn logs(&self) -> &[TrustedLog] {
        &self.logs
    }

    /// The time stamp authorities that are believed. With none, no stamp is looked at.
    #[must_use]
    pub fn authorities(&self) -> &[TrustedAuthority] {
        &self.authorities
    }

    /// The file that it comes from, if it comes from one.
    #[must_use]
    pub fn source(&self) -> Option<&TrustSource> {
        self.source.as_ref()
    }
}

impl TrustedKey {
    /// A key without a file around it.
    #[must_use]
    pub fn new(key: PublicKey) -> Self {
        let name = key.key_id();
        Self { identity: name.clone(), name, key, builder_ids: None, predicates: None, standing: Standing::always() }
    }

    /// The builder ids that a release by this key may carry, with or without a relaxation in it.
    ///
    /// What the key's own file says always binds: a list can narrow it, never widen it.
    #[must_use]
    pub fn accepted_builder_ids(&self, relaxed: bool) -> Vec<String> {
        let declared = self.key.declared_builder_id();
        let Some(listed) = &self.builder_ids else { return vec![builder_id(declared, relaxed)] };
        let listed = listed.iter().filter(|id| declared.is_none_or(|declared| declared == id.as_str()));
        listed.map(|id| builder_id(Some(id), relaxed)).collect()
    }

    /// Whether it may sign statements of this type.
    #[must_use]
    pub fn may_sign(&self, predicate_type: &str) -> bool {
        self.predicates.as_ref().is_none_or(|allowed| allowed.contains(predicate_type))
    }
}
