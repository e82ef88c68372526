//! One HTTP client for everything that is fetched or pushed: through this machine's proxies, certificates and
//! credentials, by redirects that lead nowhere private, resumed where it was cut, bounded in size and time.
//!
//! Where bytes come from is this machine's configuration ([`Environment`], [`Origins`]); it is in no lock. Reads no
//! environment: that is an argument. The clock is asked only for how long something took. A secret has no text here:
//! not in an error, not in `Debug`, not in a command line.
#![forbid(unsafe_code)]
#![expect(clippy::disallowed_methods, reason = "how long a server is silent is measured; no time reaches a byte")]

mod address;
mod agents;
mod certificates;
mod client;
mod credential;
mod download;
mod environment;
mod error;
#[cfg(test)]
mod fuzz;
mod names;
mod netrc;
mod origins;
mod page;
mod patience;
mod presence;
mod proxy;
mod reach;
mod request;
mod response;
mod shown;
mod socks;
mod stop;
mod transport;

pub use address::Address;
pub use client::{Client, Options};
pub use credential::{Credential, CredentialSource};
pub use download::{Download, Progress};
pub use environment::Environment;
pub use error::HttpError;
pub use origins::{Origin, Origins, RemoteStore, Share};
pub use patience::Patience;
pub use presence::Presence;
pub use request::{Body, Method, OpenBody, Request};
pub use response::Response;
