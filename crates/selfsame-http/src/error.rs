//! Why something was not had from a server, or not given to one.

use std::time::Duration;

use selfsame_core::Digest;
use selfsame_store::StoreError;

/// Why a server did not answer as it should. Every `url` is as [`crate::Address`] prints it: without what is secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The server has no such file.
    #[error("the server has no `{url}` (status {status})")]
    NotFound {
        /// As asked for.
        url: String,
        /// 404 or 410.
        status: u16,
    },
    /// The server refuses.
    #[error("the server refuses `{url}` (status {status})")]
    Refused {
        /// As asked for.
        url: String,
        /// 401, 403 and whatever else is below 500.
        status: u16,
    },
    /// The proxy refuses.
    #[error("the proxy `{proxy}` refuses `{url}` (status {status})")]
    ProxyRefused {
        /// As asked for.
        url: String,
        /// The proxy's address.
        proxy: String,
        /// 407 where it wants other credentials.
        status: u16,
    },
    /// The server is busy or broken.
    #[error("the server could not answer for `{url}` (status {status})")]
    Busy {
        /// As asked for.
        url: String,
        /// 408, 429 or from 500 on.
        status: u16,
        /// How long the server asks to wait, where that is longer than is waited here.
        retry_after: Option<Duration>,
    },
    /// No connection, no name, no answer, or an answer cut short.
    #[error("`{url}` could not be reached: {message}")]
    Network {
        /// As asked for.
        url: String,
        /// What the client said.
        message: String,
    },
    /// An answer that would not end in useful time.
    #[error("`{url}` is too slow: less than {bytes} bytes in {seconds} s")]
    TooSlow {
        /// As asked for.
        url: String,
        /// What was wanted at least.
        bytes: u64,
        /// In how long.
        seconds: u64,
    },
    /// The other side cannot prove that it is who it is taken for.
    #[error("the certificate of `{url}` is not trusted here: {message}")]
    Certificate {
        /// As asked for.
        url: String,
        /// What the client said.
        message: String,
    },
    /// What came is no answer of a web server, or more of one than there should be.
    #[error("`{url}` gave no proper answer: {message}")]
    Garbled {
        /// As asked for.
        url: String,
        /// What the client said.
        message: String,
    },
    /// The request cannot be made at all: an address that is none, too many redirects.
    #[error("`{url}` cannot be asked for: {message}")]
    Request {
        /// As asked for.
        url: String,
        /// What the client said.
        message: String,
    },
    /// This machine's own configuration cannot be used: a proxy, a certificate file, a credential.
    #[error("{what} cannot be used: {message}")]
    Machine {
        /// A variable or a file.
        what: String,
        /// Why not.
        message: String,
    },
    /// A web page where an artifact should be: a login form, most often.
    #[error("`{url}` gave a web page, not an archive")]
    WebPage {
        /// As asked for.
        url: String,
    },
    /// A server of the internet sends the client into a network of its own.
    #[error("`{url}` redirects to `{to}`, which is not an address of the internet")]
    PrivateRedirect {
        /// As asked for.
        url: String,
        /// Where it leads.
        to: String,
    },
    /// From https to http.
    #[error("`{url}` redirects to `{to}`, which is not https")]
    PlainRedirect {
        /// As asked for.
        url: String,
        /// Where it leads.
        to: String,
    },
    /// An http address that neither the caller nor the machine's configuration allows.
    #[error("`{url}` is http and not on this machine")]
    PlainHttp {
        /// As asked for.
        url: String,
    },
    /// More bytes than are read.
    #[error("`{url}` has more than {limit_bytes} bytes")]
    TooLarge {
        /// As asked for.
        url: String,
        /// The limit.
        limit_bytes: u64,
    },
    /// Other bytes than were expected. They were not stored.
    #[error("`{url}` gave other bytes: {found} where {expected} was expected")]
    OtherBytes {
        /// As asked for.
        url: String,
        /// By whom the file is known.
        expected: Digest,
        /// Its size.
        expected_bytes: u64,
        /// Of what came, or of its first `expected_bytes` and one.
        found: Digest,
        /// How many of them.
        found_bytes: u64,
    },
    /// No network is to be used.
    #[error("`{url}` is not asked for offline")]
    Offline {
        /// As asked for.
        url: String,
    },
    /// The user wants to stop.
    #[error("`{url}` was interrupted")]
    Cancelled {
        /// As asked for.
        url: String,
    },
    /// The store failed.
    #[error("`{url}` could not be stored")]
    Store {
        /// As asked for.
        url: String,
        /// Why.
        source: StoreError,
    },
    /// What is to be sent cannot be read.
    #[error("what `{url}` is to be given cannot be read")]
    Body {
        /// As asked for.
        url: String,
        /// Why.
        source: std::io::Error,
    },
}

impl HttpError {
    /// Whether the same may succeed later.
    #[must_use]
    pub const fn retry_may_help(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::Network { .. } | Self::TooSlow { .. })
    }
}
