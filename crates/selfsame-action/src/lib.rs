//! Actions, their digests, and the plan that a definition and its lock make.
//!
//! Opens nothing and runs nothing: [`Executor`] is what does.
#![forbid(unsafe_code)]

pub mod action;
pub mod configure;
pub mod environment;
pub mod executor;
pub mod normalise;
pub mod plan;
pub mod secret;

pub use action::{Action, Input, Mount, System};
pub use executor::{Execution, ExecutionError, Executor, Variation};
pub use normalise::{Counts, Normalised, normalise};
pub use plan::{Bound, Plan, PlanError, Step};

#[cfg(test)]
mod tests;
