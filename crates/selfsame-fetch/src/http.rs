//! Files by https and http, through this machine's proxy and certificates.

use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use selfsame_core::Digest;
use selfsame_store::{Store, StoreError};
use ureq::tls::{PemItem, RootCerts, TlsConfig};

use crate::environment::Environment;

/// Where distributions keep the certificates that this machine trusts.
const CERTIFICATES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/ssl/cert.pem",
];
const CERTIFICATE_BYTES: u64 = 16 << 20;
const CONNECT: Duration = Duration::from_secs(30);
const SILENCE: Duration = Duration::from_secs(60);
const REDIRECTS: u32 = 10;

/// Why a file was not downloaded.
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
    /// The server is busy or broken.
    #[error("the server could not answer for `{url}` (status {status})")]
    Busy {
        /// As asked for.
        url: String,
        /// 429 or from 500 on.
        status: u16,
    },
    /// No connection, no name, no answer, or an answer cut short.
    #[error("`{url}` could not be reached: {message}")]
    Network {
        /// As asked for.
        url: String,
        /// What the client said.
        message: String,
    },
    /// The request cannot be made at all: an address, a proxy or a certificate file that is none.
    #[error("`{url}` cannot be asked for: {message}")]
    Request {
        /// As asked for.
        url: String,
        /// What the client said.
        message: String,
    },
    /// A web page where an archive should be: a login form, most often.
    #[error("`{url}` gave a web page, not an archive")]
    WebPage {
        /// As asked for.
        url: String,
    },
    /// More bytes than are downloaded.
    #[error("`{url}` has more than {limit_bytes} bytes")]
    TooLarge {
        /// As asked for.
        url: String,
        /// The limit.
        limit_bytes: u64,
    },
    /// The store failed.
    #[error("`{url}` could not be stored")]
    Store {
        /// As asked for.
        url: String,
        /// Why.
        source: StoreError,
    },
}

impl HttpError {
    /// Whether the same may succeed later.
    #[must_use]
    pub const fn retry_may_help(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::Network { .. })
    }
}

/// Downloads a file of at most `limit_bytes` into the store: its digest and size.
///
/// An `https` address never leads to an `http` one. Nothing is decoded on the way. Of a file that is `expected`, by digest
/// and size, no more than that and a byte is read, and another one is not stored: its digest so far comes back.
pub(crate) fn download(
    url: &str,
    limit_bytes: u64,
    environment: &Environment,
    store: &Store,
    expected: Option<(&Digest, u64)>,
) -> Result<(Digest, u64), HttpError> {
    let request = |message: String| HttpError::Request { url: url.to_owned(), message };
    let config = ureq::Agent::config_builder()
        .https_only(url.starts_with("https://"))
        .http_status_as_error(false)
        .max_redirects(REDIRECTS)
        .user_agent(concat!("selfsame/", env!("CARGO_PKG_VERSION")))
        .accept_encoding("identity")
        .timeout_resolve(Some(CONNECT))
        .timeout_connect(Some(CONNECT))
        .timeout_recv_response(Some(SILENCE))
        .timeout_per_read(Some(SILENCE))
        .tls_config(TlsConfig::builder().root_certs(certificates(environment).map_err(request)?).build())
        .proxy(proxy(url, environment).map_err(request)?)
        .build();
    let response = ureq::Agent::new_with_config(config).get(url).call().map_err(|error| failed(url, &error))?;
    let status = response.status().as_u16();
    let url_owned = || url.to_owned();
    match status {
        200 => {}
        404 | 410 => return Err(HttpError::NotFound { url: url_owned(), status }),
        429 | 500.. => return Err(HttpError::Busy { url: url_owned(), status }),
        _ => return Err(HttpError::Refused { url: url_owned(), status }),
    }
    let content_type = response.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or("");
    let says_page = content_type.to_ascii_lowercase().starts_with("text/html");
    let mut body = response.into_body().into_with_config().limit(limit_bytes + 1).reader();
    let mut beginning = Vec::new();
    let broken = |error: &std::io::Error| HttpError::Network { url: url.to_owned(), message: error.to_string() };
    (&mut body).take(512).read_to_end(&mut beginning).map_err(|error| broken(&error))?;
    if says_page || is_web_page(&beginning) {
        return Err(HttpError::WebPage { url: url_owned() });
    }
    let mut whole = Cursor::new(beginning).chain(body).take(limit_bytes + 1);
    let stored = match expected {
        None => store.put(&mut whole, false),
        Some((digest, size)) => match store.put_expecting(&mut whole, digest, size, false) {
            Err(StoreError::Unexpected { found, found_bytes, .. }) => return Ok((found, found_bytes)),
            other => other.map(|()| (*digest, size)),
        },
    };
    let (digest, size) = stored.map_err(|error| match error {
        StoreError::Source { source } => broken(&source),
        source => HttpError::Store { url: url.to_owned(), source },
    })?;
    if size > limit_bytes {
        return Err(HttpError::TooLarge { url: url_owned(), limit_bytes });
    }
    Ok((digest, size))
}

fn failed(url: &str, error: &ureq::Error) -> HttpError {
    let (url, message) = (url.to_owned(), error.to_string());
    match error {
        ureq::Error::BadUri(_)
        | ureq::Error::Http(_)
        | ureq::Error::InvalidProxyUrl
        | ureq::Error::RequireHttpsOnly(_)
        | ureq::Error::TooManyRedirects
        | ureq::Error::RedirectFailed
        | ureq::Error::Tls(_)
        | ureq::Error::Pem(_)
        | ureq::Error::Rustls(_) => HttpError::Request { url, message },
        _ => HttpError::Network { url, message },
    }
}

/// A document that begins as HTML does, whatever its server calls it.
fn is_web_page(beginning: &[u8]) -> bool {
    let text = beginning.strip_prefix(b"\xef\xbb\xbf").unwrap_or(beginning).trim_ascii_start();
    let begins = |words: &[u8]| text.get(..words.len()).is_some_and(|start| start.eq_ignore_ascii_case(words));
    begins(b"<!doctype html") || begins(b"<html")
}

/// `$SSL_CERT_FILE`, else the system's bundle, else the roots that browsers trust.
fn certificates(environment: &Environment) -> Result<RootCerts, String> {
    if let Some(path) = environment.variable("SSL_CERT_FILE") {
        let path = PathBuf::from(path);
        return read_certificates(&path).ok_or_else(|| format!("no certificates in `{}`", path.display()));
    }
    Ok(CERTIFICATES.iter().find_map(|path| read_certificates(Path::new(path))).unwrap_or(RootCerts::WebPki))
}

fn read_certificates(path: &Path) -> Option<RootCerts> {
    let mut pem = Vec::new();
    std::fs::File::open(path).ok()?.take(CERTIFICATE_BYTES).read_to_end(&mut pem).ok()?;
    let certificates = ureq::tls::parse_pem(&pem).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    let certificates: Vec<_> = certificates.collect();
    (!certificates.is_empty()).then(|| RootCerts::new_with_certs(&certificates))
}

/// The proxy that curl would take: `https_proxy` or `http_proxy` by the scheme, else `all_proxy`, but for `no_proxy`.
fn proxy(url: &str, environment: &Environment) -> Result<Option<ureq::Proxy>, String> {
    let either =
        |lower: &str| environment.variable(lower).or_else(|| environment.variable(&lower.to_ascii_uppercase()));
    // An upper-case HTTP_PROXY may be a request's header, where a program runs as a CGI script; curl passes it over.
    let scheme = if url.starts_with("https://") { either("https_proxy") } else { environment.variable("http_proxy") };
    let Some(address) = scheme.or_else(|| either("all_proxy")) else { return Ok(None) };
    let address = address.to_str().ok_or("the proxy's address is not UTF-8")?;
    let parsed = ureq::Proxy::new(address).map_err(|error| error.to_string())?;
    let Some(exceptions) = either("no_proxy").and_then(|list| list.to_str()) else { return Ok(Some(parsed)) };
    let mut builder = ureq::Proxy::builder(parsed.protocol()).host(parsed.host()).port(parsed.port());
    if let Some(user) = parsed.username() {
        builder = builder.username(user);
    }
    if let Some(password) = parsed.password() {
        builder = builder.password(password);
    }
    for exception in exceptions.split(',').map(str::trim).filter(|exception| !exception.is_empty()) {
        builder = builder.no_proxy(exception);
    }
    builder.build().map(Some).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::is_web_page;

    #[test]
    fn pages_and_archives() {
        assert!(is_web_page(b"\xef\xbb\xbf\r\n <!DOCTYPE HTML><html>"));
        assert!(is_web_page(b"<html lang=en>"));
        assert!(!is_web_page(b"<?xml"));
        assert!(!is_web_page(b"\x1f\x8b"));
        assert!(!is_web_page(b""));
    }
}
