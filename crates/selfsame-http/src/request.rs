//! What is asked of a server.

use std::io::{self, Read};

use crate::credential::Credential;

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are HTTP's own")]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// Whether twice is as good as once.
    pub(crate) fn is_idempotent(self) -> bool {
        !matches!(self, Self::Post | Self::Patch)
    }

    pub(crate) fn is_read(self) -> bool {
        matches!(self, Self::Get | Self::Head)
    }
}

/// Opens what is sent, from its beginning; called again for each retry.
pub type OpenBody<'a> = dyn Fn() -> io::Result<Box<dyn Read + 'a>> + 'a;

/// What is sent.
#[derive(Clone, Copy, Default)]
pub enum Body<'a> {
    /// Nothing.
    #[default]
    Empty,
    /// Bytes in memory.
    Bytes(&'a [u8]),
    /// A stream of a known length.
    Stream {
        /// How many bytes it gives.
        len: u64,
        /// Gives it.
        open: &'a OpenBody<'a>,
    },
}

/// A request. Make one with [`Request::new`] and set what is to be different.
#[derive(Clone)]
pub struct Request<'a> {
    /// What is wanted.
    pub method: Method,
    /// Absolute. A user and a password in it are used as [`Request::credential`] and told to nobody else.
    pub url: &'a str,
    /// Beside those that the client sets itself. None of them is secret: `Authorization` is for [`Request::credential`].
    pub headers: Vec<(String, String)>,
    /// For the host of `url` alone. Where there is none, the machine's configuration and its `.netrc` are asked, for each
    /// host that a redirect leads to by itself.
    pub credential: Option<Credential>,
    /// What is sent.
    pub body: Body<'a>,
    /// More bytes of an answer are not read. 4 MiB where nothing else is said.
    pub limit_bytes: u64,
    /// Whether `http` is fine for a host that is neither this machine nor in its configuration: where what comes is checked
    /// by other means.
    pub plain_http: bool,
    /// Whether redirects are followed. Of a request that changes something only those are that keep its method.
    pub follow: bool,
    /// Whether a failure that may pass is tried again, as often as [`crate::Patience`] says. POST and PATCH only where
    /// the server says that it did nothing (429).
    pub retry: bool,
}

impl<'a> Request<'a> {
    /// With no header, no body and no credential; followed and retried.
    #[must_use]
    pub fn new(method: Method, url: &'a str) -> Self {
        Self {
            method,
            url,
            headers: Vec::new(),
            credential: None,
            body: Body::Empty,
            limit_bytes: 4 << 20,
            plain_http: false,
            follow: true,
            retry: true,
        }
    }

    /// [`Method::Get`].
    #[must_use]
    pub fn get(url: &'a str) -> Self {
        Self::new(Method::Get, url)
    }

    /// With one header more.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}
