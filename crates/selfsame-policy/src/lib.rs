//! Policies in Rego over facts that were verified: a yes, or the reasons for a no.
//!
//! ```text
//! Policy::parse(text) -> Policy { reads };  policy.judge(facts) -> Ruling { allow, denied }
//! rule(&dyn Ruler, facts) -> every policy's ruling, or why there is none
//! Desk::answer(question) -> answer              the same in bytes, for a process of its own
//! ```
//!
//! Opens nothing, asks no clock and draws no randomness, and neither can a policy: the built-in functions for that are
//! not compiled in. What a policy may know of the day stands in the facts. Steps are counted, the same on every machine;
//! but the engine has no bound on its stack and its memory, so whoever judges a policy of somebody else does it in a
//! process that may fall: [`Desk`] is what runs there.
#![forbid(unsafe_code)]

mod desk;
pub mod facts;
mod heads;
mod policy;
mod reads;
mod ruler;
mod steps;

#[cfg(test)]
mod tests;

pub use desk::{Answered, Asked, Desk};
pub use facts::FACTS_SCHEMA;
pub use policy::{Policy, PolicyError, Ruling, TestResult};
pub use reads::Reads;
pub use ruler::{Named, Ruled, Ruler, Unruled, built_in, rule};
