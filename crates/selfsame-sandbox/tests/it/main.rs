//! The sandbox against a real kernel: happy path, escapes, outputs, limits, observation, refused hosts.
//!
//! A test that cannot run here says so on standard error, and fails where `SELFSAME_REQUIRE` names `sandbox`.

#![expect(clippy::disallowed_methods, reason = "tests measure time")]

mod world;

mod bad_outputs;
mod basics;
mod escapes;
mod groups;
mod hosts;
mod limits;
mod observed;
mod probed;
mod system;
