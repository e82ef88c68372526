//! The offline verdict on a release, from arguments alone.
//!
//! ```text
//! verify(ReleaseFiles, Trust, Options) -> Verdict { every check, in one fixed order, with its outcome }
//! ```
//!
//! Opens no file and no socket, asks no clock and reads no environment: the release comes through [`ReleaseFiles`],
//! trust and expectations are arguments. Nothing that is missing is ever taken for permission.
#![forbid(unsafe_code)]

mod at_once;
mod checks;
mod facts;
mod joined;
mod one_file;
mod rows;
mod sbom;

pub mod conformance;
pub mod files;
pub mod options;
pub mod page;
pub mod trust;
pub mod verdict;
pub mod verified;

pub use checks::verify;
pub use files::{REBUILD_PREFIX, RUN_RECORD_FILE, ReleaseFiles, SIDE_SUFFIX, SUMMARY_PREFIX, SUMMARY_SUFFIX};
pub use joined::{JoinedCheck, JoinedFault, JoinedFiles, JoinedVerdict, Joining, Part, PartFiles, verify_joined};
pub use one_file::{FILE_VERDICT_SCHEMA, FileVerdict, verify_file};
pub use options::{Depth, ExpectError, Expectations, Options};
pub use sbom::Sbom;
pub use trust::{Export, ExportError, KeyEntry, RotateError, Trust, TrustFile, TrustedKey};
pub use verdict::{Check, CheckId, Class, Fact, Outcome, Unlisted, VERDICT_SCHEMA, Verdict};
pub use verified::{Evidence, Verified};
