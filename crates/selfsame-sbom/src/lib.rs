//! CycloneDX 1.6 from what was locked joined with what is in the image, and the list of what regulators still miss in it.
//!
//! Opens no file and asks no clock: the driver fills [`Facts`], and equal facts give equal bytes. Nothing is invented:
//! what the facts do not say is absent from the document, and [`check`] says that it is absent and why.
#![forbid(unsafe_code)]

mod check;
mod component;
mod document;
mod facts;
mod formulation;
mod graph;
mod license;
mod properties;

pub use check::{Missing, Report, Row, Standard, check};
pub use document::{SERIAL_NAMESPACE, bytes, document};
pub use facts::{
    Completeness, Edge, Entity, Facts, FactsError, Form, ImageFile, Input, Node, Part, PartKind, Publisher, Step,
};
pub use license::{License, license};

/// The version of CycloneDX that is written. Changing this changes digests.
pub const SPEC_VERSION: &str = "1.6";
/// The property that marks a component as a locked input: its purl and SHA-256 stand in the provenance's
/// `resolvedDependencies` too.
pub const PROPERTY_INPUT: &str = "selfsame:input";
/// The property that marks what was taken from the machine that built, by observation, instead of from a registry.
pub const PROPERTY_CAPTURED: &str = "selfsame:captured";
/// The property that marks a package which is in the image and which no lock names.
pub const PROPERTY_UNLOCKED: &str = "selfsame:unlocked";

#[cfg(test)]
mod tests;
