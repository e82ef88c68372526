//! Runs actions in the local sandbox: inputs from the store, outputs into it; and observes what they touch.
//!
//! Decides nothing about an action: what it sees and leaves is written in it.
#![forbid(unsafe_code)]

mod collect;
mod kept;
mod local;
mod log;
mod specification;

pub use local::{LocalExecutor, Settings};
pub use log::LogSink;
pub use specification::HostView;
