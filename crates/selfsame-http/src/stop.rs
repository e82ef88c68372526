//! Why one of our own parts below ureq ended an exchange, and how that is found again above it.

use std::error::Error;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What the resolver and the sockets end an exchange for.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Stop {
    #[error("interrupted")]
    Cancelled,
    #[error("less than {bytes} bytes in {seconds} s")]
    TooSlow { bytes: u64, seconds: u64 },
    #[error("more than {bytes} bytes that are no content")]
    Flood { bytes: u64 },
    #[error("the proxy: {message}")]
    Socks { message: &'static str },
    #[error("no address of `{host}` is known: {message}")]
    NoName { host: String, message: String },
    #[error("{address} is not an address of the internet")]
    Private { address: IpAddr },
}

impl From<Stop> for ureq::Error {
    fn from(stop: Stop) -> Self {
        Self::Other(Box::new(stop))
    }
}

/// The stop inside an error, through all that ureq, rustls and `std::io` wrapped it in.
pub(crate) fn stop_in<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e Stop> {
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return Some(stop);
    }
    match error.downcast_ref::<ureq::Error>() {
        Some(ureq::Error::Other(inner)) => return stop_in(&**inner),
        Some(ureq::Error::Io(inner)) => return stop_in(inner),
        _ => {}
    }
    let inner = error.downcast_ref::<io::Error>()?.get_ref()?;
    stop_in(inner)
}

/// Whether the user wants to stop. Set from outside, by a signal for one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cancel(pub(crate) Arc<AtomicBool>);

impl Cancel {
    pub(crate) fn check(&self) -> Result<(), Stop> {
        if self.0.load(Ordering::Relaxed) { Err(Stop::Cancelled) } else { Ok(()) }
    }
}
