//! What a bundle's payload says, and its digests: most of the work of judging evidence.

use std::num::NonZeroUsize;

use selfsame_attest::{Bundle, Statement, StatementError, StatementOutline, StatementText};
use selfsame_core::{Digest, uri};

use crate::at_once::{both, is_worth_it};
use crate::trust::Trust;

/// A payload that was looked at. It says nothing until a signature over it counts.
pub(super) struct Opened {
    /// SHA-256 of it.
    pub(super) payload: Digest,
    pub(super) said: Said,
}

/// What it says.
pub(super) struct Said {
    pub(super) statement: Result<Statement, StatementError>,
    /// What stands where in it, if it is an SBOM: the statement then has no predicate.
    pub(super) sbom: Option<StatementOutline>,
    /// SHA-256 of the predicate's own bytes, if the payload is laid out as ours are.
    pub(super) predicate: Option<Digest>,
}

/// The SHA-256 of what the signature of a bundle is over; and, where another processor has time for it and a trusted key
/// is named, what the payload says. Anybody can name a key: nothing of it is used before its signature was verified.
pub(super) fn open_ahead(bundle: &Bundle, trust: &Trust, threads: NonZeroUsize) -> (Digest, Option<Opened>) {
    let envelope = bundle.envelope();
    let named = || trust.keys().iter().any(|trusted| trusted.key.key_id() == bundle.key_id());
    if !is_worth_it(threads, envelope.payload.len()) || !named() {
        return (envelope.pae_digest(), None);
    }
    let digests = || (envelope.pae_digest(), envelope.payload_digest());
    let ((pae, payload), said) = both(digests, || Said::of(&envelope.payload));
    (pae, Some(Opened { payload, said }))
}

impl Opened {
    pub(super) fn of(bundle: &Bundle) -> Self {
        Self { payload: bundle.payload_digest(), said: Said::of(&bundle.envelope().payload) }
    }
}

impl Said {
    fn of(payload: &[u8]) -> Self {
        let text = match StatementText::parse(payload) {
            Ok(text) => text,
            Err(error) => return Self { statement: Err(error), sbom: None, predicate: None },
        };
        let predicate = text.head.predicate_bytes(payload).map(Digest::of);
        if text.head.predicate_type != uri::CYCLONEDX {
            return Self { statement: Ok(text.into_statement()), sbom: None, predicate };
        }
        let statement = Ok(text.head.clone());
        Self { statement, sbom: Some(text.into_outline()), predicate }
    }
}
