//! Debian packages, apt's lists and sources, and copyright files, read carefully from bytes.
//!
//! Opens no file and runs nothing, no maintainer script least of all: they are text here. Every count, length and name
//! of a package is bounded and checked before it is used; where two readers could understand one differently, it is
//! refused.
#![forbid(unsafe_code)]

mod alternatives;
mod ar;
mod control;
mod copyright;
mod package;
mod relation;
mod sources;
mod stanza;
#[cfg(test)]
mod tests;
mod uris;
mod version;

pub use alternatives::{Alternative, alternatives};
pub use ar::ArFault;
pub use control::{Control, ControlError};
pub use copyright::licence_of_copyright;
pub use package::{ControlFiles, Deb, DebError, Limits, read, read_control};
pub use relation::{Operator, Relation, relations};
pub use sources::{Source, SourcesError, parse_list, parse_sources};
pub use stanza::{Stanza, StanzaError, Stanzas};
pub use uris::{AptUri, parse_uris};
pub use version::{Version, VersionError};
