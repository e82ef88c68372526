//! The project's rules, as tests: what can be checked is not asked for in review.
#![forbid(unsafe_code)]

mod bounds;
mod documents;
mod files;
mod layers;
mod sources;
