//! Transparency logs: whether each evidence document is in one that is trusted.

use std::collections::{BTreeMap, BTreeSet};

use selfsame_attest::{Bundle, PublicKey};
use selfsame_core::{Day, SourceEpoch};
use selfsame_log::{Histories, LogEntry, Logged, verify_entry};

use super::documents::{Documents, type_name};
use crate::rows::Rows;
use crate::trust::Trust;
use crate::verdict::{CheckId, Fact};

/// What the entries of one bundle come to.
#[derive(Default)]
pub(crate) struct Entries {
    /// `ORIGIN, entry 3 of 8`, for each that counts.
    pub(crate) found: Vec<String>,
    /// Of logs that nobody gave: they say nothing.
    pub(crate) unknown: usize,
    /// The earliest time at which the tree that holds it is known to have been there, seconds since 1970: the word of as
    /// many witnesses as the trust asks for, and of one at least. A log itself states no time.
    pub(crate) seen: Option<u64>,
    /// The trees that they are in, to be held against those of other documents.
    pub(crate) histories: Histories,
    /// Why the first one does not count whose log's key counts at another time.
    pub(crate) over: Option<String>,
    /// What is wrong with the first one that names a trusted log, or that cannot be read.
    pub(crate) fault: Option<String>,
}

impl Entries {
    /// Judges every entry of a bundle that `key` signed. With no log to trust, none is looked at.
    pub(crate) fn of(bundle: &Bundle, key: &PublicKey, trust: &Trust) -> Self {
        let mut entries = Self::default();
        if trust.logs().is_empty() {
            return entries;
        }
        let mut places = BTreeSet::new();
        for entry in bundle.log_entries() {
            let judged = LogEntry::from_json(entry).map_err(|error| error.to_string()).and_then(|entry| {
                let logs = trust.logs().iter().map(|log| &log.key);
                verify_entry(&entry, bundle.envelope(), key, logs).map_err(|error| error.to_string())
            });
            match judged {
                // One that stands there twice must not look like two.
                Ok(Some(logged)) if !places.insert((logged.log.origin(), logged.index)) => {
                    let twice = format!("entry {} of `{}` stands there twice", logged.index, logged.log.origin());
                    _ = entries.fault.get_or_insert(twice);
                }
                Ok(Some(logged)) => entries.add(&logged, trust),
                Ok(None) => entries.unknown += 1,
                Err(fault) => _ = entries.fault.get_or_insert(fault),
            }
        }
        if let Some(fork) = entries.histories.fork() {
            entries.fault.get_or_insert(fork.to_string());
        }
        entries
    }

    /// Takes in an entry that its log vouches for, if the log counts for it.
    fn add(&mut self, logged: &Logged<'_>, trust: &Trust) {
        self.histories.add(logged);
        match witnessed(logged, trust, &mut self.histories) {
            Ok(time) => {
                let by = time.and_then(SourceEpoch::new).map(Day::of);
                let log = trust.logs().iter().find(|log| log.key == *logged.log);
                if let Some(Err(over)) = log.map(|log| log.counts(by)) {
                    self.over.get_or_insert(over);
                    return;
                }
                self.seen = self.seen.into_iter().chain(time).min();
            }
            Err(fault) => _ = self.fault.get_or_insert(fault),
        }
        let size = logged.checkpoint.checkpoint.size;
        self.found.push(format!("{}, entry {} of {size}", logged.log.origin(), logged.index));
    }

    /// Why a document with these entries is not in a trusted log, if it is not.
    pub(crate) fn refusal(&self) -> Option<String> {
        match (&self.fault, self.found.is_empty(), &self.over, self.unknown) {
            (Some(fault), ..) => Some(format!("has a log entry that does not count: {fault}")),
            (None, false, ..) => None,
            (None, true, Some(over), _) => Some(format!("is in no log that counts: {over}")),
            (None, true, None, 0) => Some("has no log entry".to_owned()),
            (None, true, None, _) => Some("is in no log that was given".to_owned()),
        }
    }
}

/// When the checkpoint was there, by the word of enough witnesses.
fn witnessed(logged: &Logged<'_>, trust: &Trust, histories: &mut Histories) -> Result<Option<u64>, String> {
    let cosigned = logged.checkpoint.witnesses(&trust.witnesses).map_err(|error| error.to_string())?;
    // One name is one witness, with however many keys.
    let mut times: BTreeMap<&str, u64> = BTreeMap::new();
    for (witness, time) in cosigned {
        histories.saw(logged, witness.name(), time);
        times.entry(witness.name()).and_modify(|first| *first = time.max(*first)).or_insert(time);
    }
    let wanted = trust.witness_threshold;
    if times.len() < wanted {
        return Err(format!(
            "its checkpoint is cosigned by {} of the {wanted} witnesses that are asked for",
            times.len()
        ));
    }
    // Enough of them say that it was there then; one who lies about an earlier time moves nothing.
    let mut times: Vec<u64> = times.into_values().collect();
    times.sort_unstable();
    Ok(times.get(wanted.max(1) - 1).copied())
}

/// The `log` row, and the trees that the documents are in.
pub(super) fn report(documents: Option<&Documents<'_>>, trust: &Trust, rows: &mut Rows) -> Histories {
    const ID: CheckId = CheckId::Log;
    let mut histories = Histories::default();
    let Some(documents) = documents else { return histories };
    if trust.logs().is_empty() {
        let facts = vec![Fact::new("log entries", documents.log_entries.to_string())];
        rows.skip(ID, "the trust that was given names no log", facts);
        return histories;
    }
    let mut facts = Vec::new();
    for (predicate_type, document) in &documents.by_type {
        let name = type_name(predicate_type);
        if let Some(refusal) = document.log.refusal() {
            let logs = trust.logs().iter().map(|log| Fact::new("log", log.key.origin().to_owned())).collect();
            rows.fail(ID, format!("the {name} {refusal}"), logs);
        }
        histories.merge(&document.log.histories);
        facts.extend(document.log.found.iter().map(|found| Fact::new(name.clone(), found.clone())));
    }
    // Each entry may be right in itself, and all of them together of two histories.
    if let Some(fork) = histories.fork() {
        rows.fail(ID, fork.to_string(), facts.clone());
    }
    rows.pass(ID, facts);
    histories
}
