//! Content-addressed storage on disk: blobs, trees, action results, publication; and a transparency log's folder.
//!
//! Opens no socket, reads no environment and asks no clock. What it hands out was checked against its digest on the
//! way, and what it publishes is there whole or not at all. docs/store.md writes the layout down.
#![forbid(unsafe_code)]

mod action;
mod blob;
mod check;
mod error;
mod gc;
mod layout;
mod log_folder;
mod materialise;
mod mentions;
mod parallel;
mod publish;
mod reader;
mod release;
mod scratch;
mod shrink;
mod staging;
mod stat_cache;
mod store;
mod sys;
mod tree;
mod unpack;
mod usage;

pub use action::ActionUse;
pub use check::{CheckReport, Progress};
pub use error::StoreError;
pub use gc::{Keep, Removed};
pub use log_folder::{LogFault, LogFolder, LogFolderError, LogReport};
pub use publish::{PublishError, Published, Replace, publish_all};
pub use reader::BlobReader;
pub use release::{NotRelease, is_release};
pub use staging::{Staging, is_staging};
pub use stat_cache::{FileStamp, StatCache};
pub use store::Store;
pub use usage::{Class, Usage};
