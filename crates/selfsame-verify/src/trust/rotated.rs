//! From a trust file to trust on one day: successors, retired keys, and the proofs for both.

use std::collections::BTreeSet;

use selfsame_attest::{Envelope, Rotation, RotationError};
use selfsame_core::{Day, Digest};

use super::file::{self, KeyEntry, TrustFile};
use super::{Standing, Trust, TrustSource, TrustedKey, TrustedLog};

impl TrustFile {
    /// What this file, whose text it was read from, trusts on a day.
    #[must_use]
    pub fn at(&self, day: Day, text: &str) -> Trust {
        let rotations = file::rotations(self);
        let keys = self.keys.iter().map(|entry| TrustedKey {
            key: entry.key.clone(),
            name: entry.name.clone(),
            identity: entry.identity.clone(),
            builder_ids: entry.builder_ids.clone(),
            predicates: entry.predicates.clone(),
            standing: Standing {
                at: Some(day),
                from: entry.from,
                until: entry.until,
                retired: entry.retired,
                compromised: entry.compromised,
                accepted: accepted(entry, &rotations),
                broken: broken(self, entry, &rotations),
            },
        });
        Trust {
            keys: keys.collect(),
            logs: self.logs.iter().map(|log| TrustedLog::at(log, day)).collect(),
            authorities: self.authorities.clone(),
            witnesses: self.witnesses.clone(),
            witness_threshold: self.witness_threshold,
            release_threshold: Some(self.release_threshold),
            rebuild_threshold: self.rebuild_threshold,
            minimum_level: self.minimum_level,
            floors: self.floors.values().cloned().collect(),
            source: Some(TrustSource { serial: self.serial, digest: file::digest(text), at: day }),
        }
    }

    /// Takes a signed rotation in: the predecessor is retired, its successor comes after it with the same rights.
    ///
    /// `name` is what the successor is called. Where the file has the key under a name already, it stays so. `at` is the
    /// day on which it is taken in: the day in the rotation is its signer's word.
    ///
    /// # Errors
    /// Who signed it is not in the file, is compromised, does not count on that day any more or has named a successor
    /// before; or the name is taken.
    pub fn rotate(&mut self, envelope: Envelope, name: &str, at: Day) -> Result<Rotation, RotateError> {
        let (predecessor, rotation) = signed_by(&envelope, &self.keys)?;
        let predecessor = predecessor.name.clone();
        if self.rotations.contains(&envelope) {
            return Err(RotateError::Twice { predecessor });
        }
        let place = self.keys.iter().position(|key| key.name == predecessor).ok_or(RotateError::Stranger)?;
        let entry = &self.keys[place];
        if let Some(since) = entry.compromised {
            return Err(RotateError::Compromised { predecessor, since });
        }
        let rotations = file::rotations(self);
        if let Some(broken) = broken(self, entry, &rotations) {
            return Err(RotateError::Broken { predecessor, fault: broken });
        }
        if let Some((_, before)) = rotations.iter().find(|(by, _)| by.name == predecessor) {
            return Err(RotateError::Named { predecessor, successor: before.successor.key_id() });
        }
        let retired = entry.retired.filter(|since| *since <= at).map(|since| format!("is retired since {since}"));
        if let Some(over) =
            retired.or(entry.until.filter(|until| *until < at).map(|until| format!("counted until {until}")))
        {
            return Err(RotateError::Over { predecessor, over });
        }
        let successor = rotation.successor.fingerprint();
        if !self.keys.iter().any(|key| key.key.fingerprint() == successor) {
            if !file::is_name(name) || self.key(name).is_some() {
                return Err(RotateError::Name { name: selfsame_attest::text::quote(name) });
            }
            if self.keys.len() == file::MOST_KEYS {
                return Err(RotateError::Full);
            }
            let before = &self.keys[place];
            // What the predecessor may say passes on; what its text says of a builder becomes a line of the file.
            let builder_ids = before.builder_ids.clone();
            let builder_ids = builder_ids.or_else(|| before.key.declared_builder_id().map(|id| vec![id.to_owned()]));
            let entry = KeyEntry {
                identity: before.identity.clone(),
                builder_ids,
                predicates: before.predicates.clone(),
                successor_of: Some(predecessor),
                ..KeyEntry::new(name, rotation.successor.clone())
            };
            self.keys.insert(place + 1, entry);
        }
        let before = &mut self.keys[place];
        before.retired = Some(before.retired.map_or(rotation.since, |since| since.min(rotation.since)));
        self.rotations.push(envelope);
        self.serial += 1;
        Ok(rotation)
    }
}

/// Who of these keys signed a rotation, and the rotation.
pub(super) fn signed_by<'a>(
    envelope: &Envelope,
    keys: &'a [KeyEntry],
) -> Result<(&'a KeyEntry, Rotation), RotateError> {
    let hint = envelope.signatures.first().map(|signature| signature.key_id.as_str()).unwrap_or_default();
    // The key id decides nothing: it says which key's words a refusal has.
    let hinted = keys.iter().find(|entry| entry.key.key_id() == hint);
    if let Some(entry) = hinted {
        return Rotation::verify(envelope, &entry.key).map(|rotation| (entry, rotation)).map_err(RotateError::Refused);
    }
    let signer = keys.iter().find(|entry| envelope.verify(&entry.key).is_ok()).ok_or(RotateError::Stranger)?;
    Rotation::verify(envelope, &signer.key).map(|rotation| (signer, rotation)).map_err(RotateError::Refused)
}

/// The releases that a key itself said stay good.
fn accepted(entry: &KeyEntry, rotations: &[(&KeyEntry, Rotation)]) -> BTreeSet<Digest> {
    let by_it = rotations.iter().filter(|(by, _)| by.name == entry.name);
    by_it.flat_map(|(_, rotation)| rotation.accepted_releases.iter().copied()).collect()
}

/// Why a key that says it is a successor is none: the file's reader has seen that its chain ends.
fn broken(file: &TrustFile, entry: &KeyEntry, rotations: &[(&KeyEntry, Rotation)]) -> Option<String> {
    let mut entry = entry;
    while let Some(predecessor) = entry.successor_of.as_deref().and_then(|name| file.key(name)) {
        // Its first word: a key has one successor, whoever gets hold of it later.
        let named = rotations.iter().find(|(by, _)| by.name == predecessor.name);
        if named.is_none_or(|(_, rotation)| rotation.successor.fingerprint() != entry.key.fingerprint()) {
            return Some(format!("is the successor of `{}` without its signature", predecessor.name));
        }
        if let Some(since) = predecessor.compromised {
            let name = &predecessor.name;
            return Some(format!(
                "was named by `{name}`, which is compromised since {since}: whoever has that key may have named it"
            ));
        }
        entry = predecessor;
    }
    None
}

/// Why a rotation is not taken in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RotateError {
    /// By a key that the file does not have.
    #[error("no key of the trust file signed this rotation")]
    Stranger,
    /// By a key of the file, and not well.
    #[error("{0}")]
    Refused(RotationError),
    /// Whoever has the key may have signed it.
    #[error("`{predecessor}` is compromised since {since}: whoever has that key may have signed this")]
    Compromised {
        /// The key's name.
        predecessor: String,
        /// The day.
        since: Day,
    },
    /// The predecessor does not count itself.
    #[error("`{predecessor}` {fault}")]
    Broken {
        /// The key's name.
        predecessor: String,
        /// The rest of the sentence.
        fault: String,
    },
    /// It has its successor.
    #[error("`{predecessor}` has named its successor: the key {successor}")]
    Named {
        /// The key's name.
        predecessor: String,
        /// The successor's key id.
        successor: String,
    },
    /// Its days are over.
    #[error("`{predecessor}` {over}: it names no successor any more")]
    Over {
        /// The key's name.
        predecessor: String,
        /// The rest of the sentence.
        over: String,
    },
    /// It is there.
    #[error("the trust file has this rotation of `{predecessor}`")]
    Twice {
        /// The key's name.
        predecessor: String,
    },
    /// The successor's name is another key's, or none.
    #[error("`{name}` cannot be the successor's name: another key has it, or it is none")]
    Name {
        /// The name.
        name: String,
    },
    /// More keys than are read.
    #[error("the trust file has as many keys as are read")]
    Full,
}
