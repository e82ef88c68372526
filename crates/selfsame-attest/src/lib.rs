//! Statements, predicates, envelopes, bundles and keys: what is signed, how it is wrapped, and who signed it.
//!
//! Opens no file, asks no clock and draws no random number: keys arrive as text, randomness as an argument. Nothing
//! here decides whether a signer is trusted; that is `selfsame-verify`.
//!
//! ```text
//! predicate -> Statement -> payload bytes -> PAE -> signature -> Envelope -> Bundle
//! ```
//!
//! The payload is kept as the bytes that were signed and is never encoded again.
#![forbid(unsafe_code)]

pub mod base64;
pub mod bundle;
pub mod canonical;
pub mod digest_set;
pub mod envelope;
pub mod key;
pub mod pem;
pub mod predicate;
pub mod signature;
pub mod signer;
pub mod statement;
pub mod text;

pub use bundle::{Bundle, BundleError};
pub use canonical::{NumberError, canonical_of};
pub use digest_set::DigestSet;
pub use envelope::{Envelope, EnvelopeError, EnvelopeSignature, pae};
pub use key::{KeyError, PublicKey, SigningKey, builder_id};
pub use pem::PemError;
pub use predicate::inventory::{Inventory, InventoryDocument, release_id};
pub use predicate::provenance::{BuildDefinition, Builder, Provenance, RunDetails};
pub use predicate::rebuild::{Comparison, RebuildStatement, RebuildVerdict};
pub use predicate::resource::ResourceDescriptor;
pub use predicate::rotation::{Rotation, RotationError};
pub use predicate::run_record::{ActionRun, Cpu, Host, RunRecord, Tool, User};
pub use predicate::summary::{VerificationResult, VerificationSummary, Verifier};
pub use predicate::{Predicate, PredicateError};
pub use signature::SignatureError;
pub use signer::{SignError, Signer, sign_bare, sign_statement};
pub use statement::{Statement, StatementError, StatementOutline, StatementText, Subject};
