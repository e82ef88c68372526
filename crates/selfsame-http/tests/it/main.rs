//! The client against servers on loopback: good ones, and ones with the faults of real ones.
#![expect(clippy::disallowed_methods, reason = "tests measure how long they wait")]

mod certificates;
mod credentials;
mod downloads;
mod faults;
mod garbage;
mod proxies;
mod redirects;
mod requests;
mod socks;
mod world;
