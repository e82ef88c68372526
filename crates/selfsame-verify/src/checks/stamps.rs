//! Time stamps: what trusted authorities say of when a document was signed.

use selfsame_attest::Bundle;
use selfsame_attest::text::quote;
use selfsame_core::{Day, SourceEpoch};
use selfsame_timestamp::Token;

use super::documents::{Documents, type_name};
use super::log::Entries;
use crate::rows::Rows;
use crate::trust::Trust;
use crate::verdict::{CheckId, Fact};

/// What the time stamps of one bundle come to.
#[derive(Default)]
pub(crate) struct Stamps {
    /// `2026-11-20T19:02:33Z by NAME`, for each that counts.
    pub(crate) found: Vec<String>,
    /// By authorities that nobody named: they say nothing.
    pub(crate) unknown: usize,
    /// The earliest time by which a trusted authority had seen the signature, seconds since 1970.
    seen: Option<u64>,
    /// What is wrong with the first one that names a trusted authority, or that cannot be read.
    pub(crate) fault: Option<String>,
}

impl Stamps {
    /// Judges every time stamp of a bundle. With no authority to trust, none is looked at.
    pub(crate) fn of(bundle: &Bundle, trust: &Trust) -> Self {
        let mut stamps = Self::default();
        if trust.authorities().is_empty() {
            return stamps;
        }
        for stamp in bundle.timestamps() {
            if let Err(fault) = stamps.add(stamp, bundle.signature(), trust) {
                stamps.fault.get_or_insert(fault);
            }
        }
        stamps
    }

    fn add(&mut self, stamp: &[u8], signature: &[u8], trust: &Trust) -> Result<(), String> {
        let token = Token::parse(stamp).map_err(|error| error.to_string())?;
        // Several, where an authority has had its key certified again.
        let mut named = trust.authorities().iter().filter(|trusted| token.names(&trusted.authority)).peekable();
        if named.peek().is_none() {
            self.unknown += 1;
            return Ok(());
        }
        let mut fault = None;
        let verified = named.find_map(|trusted| match token.verify(&trusted.authority, signature) {
            Ok(stamp) => Some((trusted, stamp)),
            Err(error) => {
                fault.get_or_insert(error);
                None
            }
        });
        let Some((trusted, stamp)) = verified else {
            return Err(fault.map_or_else(String::new, |error| error.to_string()));
        };
        let name = quote(&trusted.name);
        let of = |time: u64| SourceEpoch::new(time).ok_or_else(|| format!("`{name}` stamped it after the year 9999"));
        let (time, latest) = (of(stamp.time)?, of(stamp.latest)?);
        trusted.counts(Day::of(time), Day::of(latest)).map_err(|why| format!("the authority `{name}` {why}"))?;
        self.seen = Some(self.seen.map_or(stamp.latest, |seen| seen.min(stamp.latest)));
        self.found.push(format!("{} by {name}", time.rfc3339()));
        Ok(())
    }

    /// Why the document's time stamps do not count, if one does not.
    pub(crate) fn refusal(&self) -> Option<String> {
        self.fault.as_ref().map(|fault| format!("has a time stamp that does not count: {fault}"))
    }

    /// Whether a trusted authority saw the signature, and nothing is wrong with what others say.
    pub(crate) fn count(&self) -> bool {
        self.seen.is_some() && self.fault.is_none()
    }
}

/// The day on which a document was seen, by logs with witnesses or by authorities, whichever is earlier. What does not
/// count is a fault of its own row, and no evidence.
pub(crate) fn seen(log: &Entries, stamps: &Stamps) -> Option<Day> {
    let logged = log.seen.filter(|_| log.fault.is_none());
    let stamped = stamps.seen.filter(|_| stamps.fault.is_none());
    logged.into_iter().chain(stamped).min().and_then(SourceEpoch::new).map(Day::of)
}

/// The `time-stamps` row.
pub(super) fn report(documents: Option<&Documents<'_>>, trust: &Trust, rows: &mut Rows) {
    const ID: CheckId = CheckId::TimeStamps;
    let Some(documents) = documents else { return };
    if trust.authorities().is_empty() {
        let facts = vec![Fact::new("time stamps", documents.timestamps.to_string())];
        return rows.skip(ID, NO_AUTHORITY, facts);
    }
    let (mut facts, mut unknown) = (Vec::new(), 0);
    for (predicate_type, document) in &documents.by_type {
        let name = type_name(predicate_type);
        if let Some(refusal) = document.stamps.refusal() {
            rows.fail(ID, format!("the {name} {refusal}"), Vec::new());
        }
        unknown += document.stamps.unknown;
        facts.extend(document.stamps.found.iter().map(|found| Fact::new(name.clone(), found.clone())));
    }
    if facts.is_empty() {
        let facts = vec![Fact::new("by others", unknown.to_string())];
        return rows.skip(ID, NO_STAMP, facts);
    }
    rows.pass(ID, facts);
}

/// Why the row is not performed.
pub(crate) const NO_AUTHORITY: &str = "the trust that was given names no time stamp authority";
pub(crate) const NO_STAMP: &str = "no document has a time stamp by an authority that the trust names";
