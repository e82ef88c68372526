//! The pipeline: from bound inputs to a release, and from a release back to the inputs and the same release.
//!
//! Reads no environment and asks no clock; the executor, the signer and the store are arguments. Knows the network,
//! the sandbox and the host's toolchains only as values that others bound.
#![forbid(unsafe_code)]

pub mod base;
pub mod build;
pub mod capsule;
pub mod cargo;
pub mod error;
pub mod evidence;
mod hashed;
pub mod image;
pub mod joining;
pub mod layer;
pub mod progress;
pub mod provenance;
pub mod rebuild;
pub mod record;
pub mod release;
pub mod request;
pub mod sbom;
pub mod steps;
pub mod subject;

pub use base::{BaseImage, InputPackage, KeptImage, LayerFile};
pub use build::{Built, Inputs, build};
pub use capsule::Extent;
pub use error::BuildError;
pub use evidence::{Evidence, SignedDocument, sign, statements};
pub use joining::{Joined, joining_statements, provenance_of_several};
pub use progress::{Event, Progress, Quiet};
pub use record::{BuildRecord, StepRecord};
pub use release::{About, Content, RUN_RECORD, ReleaseFiles, lay_out, lay_out_subject};
pub use request::Request;
pub use steps::Mode;
pub use subject::Subject;

#[cfg(test)]
mod tests;
