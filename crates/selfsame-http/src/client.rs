//! The client: one request through redirects, retries, proxies and credentials.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ureq::{SendBody, http};

use crate::address::{Address, told};
use crate::agents::{Agents, Way, is_this_machine};
use crate::credential::Credential;
use crate::environment::Environment;
use crate::error::HttpError;
use crate::netrc::Netrc;
use crate::origins::Origins;
use crate::patience::Patience;
use crate::proxy::Proxies;
use crate::reach::is_public;
use crate::request::{Body, Method, Request};
use crate::response::Response;
use crate::stop::{Cancel, Stop, stop_in};
use crate::transport::not_flooded;

const REDIRECTS: u32 = 10;

/// What a client is to be, beside what the environment says.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Files of certificates that are trusted in addition to the system's.
    pub ca_files: Vec<PathBuf>,
    /// Ask nobody.
    pub offline: bool,
    /// This machine's mirrors and credentials.
    pub origins: Origins,
    /// How long is waited.
    pub patience: Patience,
    /// Set to end what is under way.
    pub cancel: Option<Arc<AtomicBool>>,
}

/// An HTTP client. Cheap to clone; clones and threads share its connections.
#[derive(Clone)]
pub struct Client {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) environment: Environment,
    options: Options,
    cancel: Cancel,
    proxies: Proxies,
    agents: Agents,
    pub(crate) netrc: OnceLock<Netrc>,
    /// By name of origin: each command runs once.
    pub(crate) credentials: Mutex<BTreeMap<String, Credential>>,
}

impl Client {
    /// A client for this machine.
    ///
    /// # Errors
    /// [`HttpError::Machine`] for a certificate file in `options` that holds none.
    pub fn new(environment: &Environment, options: Options) -> Result<Self, HttpError> {
        crate::certificates::of_files(&options.ca_files)
            .map_err(|(what, message)| HttpError::Machine { what, message })?;
        let cancel = options.cancel.clone().map(Cancel).unwrap_or_default();
        let user_agent = concat!("selfsame/", env!("CARGO_PKG_VERSION")).to_owned();
        let inner = Inner {
            agents: Agents::new(options.patience, cancel.clone(), user_agent, options.ca_files.clone()),
            proxies: Proxies::of(environment),
            environment: environment.clone(),
            cancel,
            netrc: OnceLock::new(),
            credentials: Mutex::default(),
            options,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// What it was made with.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.inner.options
    }

    /// This machine's mirrors and credentials.
    #[must_use]
    pub fn origins(&self) -> &Origins {
        &self.inner.options.origins
    }

    /// Sends a request; any status is an answer. What may pass is tried again first, if the request says so.
    ///
    /// # Errors
    /// No answer, or one that leads where it may not.
    pub fn send(&self, request: &Request<'_>) -> Result<Response, HttpError> {
        let patience = &self.options().patience;
        let mut retry = 0;
        loop {
            let result = self.once(request);
            let wait = match &result {
                Ok(response) => self.pause_after(request, response, retry),
                Err(error) if error.retry_may_help() && request.method.is_idempotent() => {
                    Some(patience.pause_before(retry))
                }
                Err(_) => None,
            };
            match wait {
                Some(wait) if request.retry && retry < patience.retries => {
                    self.pause(wait, request.url)?;
                    retry += 1;
                }
                _ => return result,
            }
        }
    }

    /// A small document: 404 and its like are errors here.
    ///
    /// # Errors
    /// As [`Client::send`] and [`Response::success`]; [`HttpError::TooLarge`].
    pub fn get_bytes(
        &self,
        url: &str,
        limit_bytes: u64,
        credential: Option<&Credential>,
    ) -> Result<Vec<u8>, HttpError> {
        let mut request = Request::get(url);
        request.limit_bytes = limit_bytes;
        request.credential = credential.cloned();
        self.send(&request)?.success()?.bytes()
    }

    /// Waits, unless the user wants to stop.
    pub(crate) fn pause(&self, wait: Duration, url: &str) -> Result<(), HttpError> {
        let begun = Instant::now();
        loop {
            self.inner.cancel.check().map_err(|_| HttpError::Cancelled { url: told(url) })?;
            let left = wait.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(Duration::from_millis(100)));
        }
    }

    /// How long to wait before the same is asked again; nothing where that would not help or takes too long.
    fn pause_after(&self, request: &Request<'_>, response: &Response, retry: u32) -> Option<Duration> {
        let patience = &self.options().patience;
        let may_pass = match response.status {
            429 => true,
            408 | 500 | 502..=504 | 520..=530 => request.method.is_idempotent(),
            _ => false,
        };
        let wait = response.retry_after().unwrap_or_else(|| patience.pause_before(retry));
        (may_pass && wait <= patience.longest_pause).then_some(wait)
    }

    /// One request through its redirects.
    fn once(&self, request: &Request<'_>) -> Result<Response, HttpError> {
        let bad = |message: &str| HttpError::Request { url: told(request.url), message: message.to_owned() };
        let first = Address::parse(request.url).map_err(bad)?;
        let url = || first.to_string();
        if self.options().offline {
            return Err(HttpError::Offline { url: url() });
        }
        let mut at = first.clone();
        let mut method = request.method;
        let mut body = request.body;
        // Of the first address; asked for when it is first redirected.
        let mut from_inside = None;
        for _ in 0..=REDIRECTS {
            if !at.is_https() && !self.may_be_plain(&at, request.plain_http) {
                return Err(HttpError::PlainHttp { url: at.to_string() });
            }
            let hop = Hop { request, first: &first, at: &at, method, body, public_only: from_inside == Some(false) };
            let response = self.exchange(&hop)?;
            let keeps = matches!(response.status, 307 | 308);
            let turns = matches!(response.status, 301..=303) && (method.is_read() || response.status == 303);
            let Some(location) = response.header("location").filter(|_| request.follow && (keeps || turns)) else {
                return Ok(response);
            };
            let next = at.join(location).map_err(|why| bad(&format!("it redirects to what is no address: {why}")))?;
            if at.is_https() && !next.is_https() {
                return Err(HttpError::PlainRedirect { url: url(), to: next.to_string() });
            }
            let from_inside = match from_inside {
                Some(inside) => inside,
                None => *from_inside.insert(self.is_inside(&first, Mixed::IsOutside)),
            };
            if !from_inside && self.origins().serving(&next).is_none() && self.is_inside(&next, Mixed::IsInside) {
                return Err(HttpError::PrivateRedirect { url: url(), to: next.to_string() });
            }
            if turns && !method.is_read() {
                (method, body) = (Method::Get, Body::Empty);
            }
            at = next;
        }
        Err(bad(&format!("it redirects more than {REDIRECTS} times")))
    }

    fn may_be_plain(&self, address: &Address, allowed: bool) -> bool {
        allowed || is_this_machine(address) || self.origins().allows_plain(address)
    }

    /// Whether an address is not of the internet. Of a name that only the proxy can resolve nothing is known.
    fn is_inside(&self, address: &Address, mixed: Mixed) -> bool {
        let host = address.host().trim_matches(['[', ']']);
        if let Ok(address) = host.parse() {
            return !is_public(address);
        }
        if is_this_machine(address) {
            return true;
        }
        let proxied = matches!(self.inner.proxies.before(address), Ok(Some(_)));
        let Ok(all) = self.inner.agents.names.lookup(address.host()) else { return false };
        let mut outside = all.into_iter().map(is_public);
        !proxied
            && match mixed {
                Mixed::IsInside => !outside.all(|outside| outside),
                Mixed::IsOutside => !outside.any(|outside| outside),
            }
    }

    fn exchange(&self, hop: &Hop<'_, '_>) -> Result<Response, HttpError> {
        let at = hop.at;
        let proxy = self.inner.proxies.before(at).map_err(|(what, message)| HttpError::Machine {
            what: format!("the proxy of {what}"),
            message: message.to_owned(),
        })?;
        let origin = self.origins().serving(at).map(|(_, origin)| origin);
        let way = Way {
            https: at.is_https(),
            public_only: hop.public_only && proxy.is_none() && origin.is_none(),
            ca: origin.map(|origin| origin.ca.clone()).unwrap_or_default(),
            proxy,
        };
        let agent = self.inner.agents.agent(&way, &self.inner.environment)?;
        let bad = |message: String| HttpError::Request { url: at.to_string(), message };
        let mut head = http::Request::builder().method(hop.method.name()).uri(at.request());
        let same = at.origin() == hop.first.origin();
        for (name, value) in &hop.request.headers {
            let secret =
                ["authorization", "cookie", "proxy-authorization"].contains(&name.to_ascii_lowercase().as_str());
            if same || !secret {
                head = head.header(name, value);
            }
        }
        if let Some(credential) = self.credential(hop)? {
            head = head.header("authorization", secret_header(&credential.header()).map_err(bad)?);
        }
        if let Some((user, password)) = way.forward().and_then(|proxy| proxy.user.as_ref()) {
            let value = format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")));
            head = head.header("proxy-authorization", secret_header(&value).map_err(bad)?);
        }
        let sends = matches!(hop.method, Method::Post | Method::Put | Method::Patch);
        let unreadable = |source: io::Error| HttpError::Body { url: at.to_string(), source };
        let stream: Option<Box<dyn io::Read + '_>> = match hop.body {
            Body::Empty if !sends => None,
            Body::Empty => {
                head = head.header("content-length", "0");
                Some(Box::new(io::empty()))
            }
            Body::Bytes(bytes) => {
                head = head.header("content-length", bytes.len());
                Some(Box::new(bytes))
            }
            Body::Stream { len, open } => {
                head = head.header("content-length", len);
                Some(open().map_err(unreadable)?)
            }
        };
        let answer = match stream {
            None => head
                .body(())
                .map_err(|error| bad(error.to_string()))
                .map(|request| not_flooded(|| agent.run(request)))?,
            Some(mut stream) => {
                let request = head.body(SendBody::from_reader(&mut stream)).map_err(|error| bad(error.to_string()))?;
                not_flooded(|| agent.run(request))
            }
        };
        let answer = answer.map_err(|error| match (&error, &way.proxy) {
            (ureq::Error::ConnectProxyFailed(reason), Some(proxy)) => {
                let status = reason.split_whitespace().last().and_then(|word| word.split('/').next());
                match status.and_then(|status| status.parse().ok()) {
                    Some(status @ 500..) => HttpError::Busy { url: at.to_string(), status, retry_after: None },
                    Some(status) => HttpError::ProxyRefused { url: at.to_string(), proxy: proxy.to_string(), status },
                    None => HttpError::Network { url: at.to_string(), message: reason.clone() },
                }
            }
            _ => match stop_in(&error) {
                Some(Stop::Socks { message }) if let Some(proxy) = &way.proxy => {
                    HttpError::Machine { what: format!("the proxy `{proxy}`"), message: (*message).to_owned() }
                }
                Some(Stop::Private { .. }) => {
                    HttpError::PrivateRedirect { url: hop.first.to_string(), to: at.to_string() }
                }
                _ => failed(at, &error),
            },
        })?;
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in answer.headers() {
            let value = String::from_utf8_lossy(value.as_bytes());
            headers
                .entry(name.as_str().to_owned())
                .and_modify(|all| *all = format!("{all}, {value}"))
                .or_insert_with(|| value.clone().into_owned());
        }
        let status = answer.status().as_u16();
        if let (407, Some(proxy)) = (status, &way.proxy) {
            return Err(HttpError::ProxyRefused { url: at.to_string(), proxy: proxy.to_string(), status });
        }
        Ok(Response {
            status,
            headers,
            address: at.clone(),
            body: answer.into_body().into_with_config().limit(u64::MAX).reader(),
            limit_bytes: hop.request.limit_bytes,
            read_bytes: 0,
        })
    }
}

/// What a name with addresses of both kinds is: always the one that allows less.
#[derive(Clone, Copy)]
enum Mixed {
    IsInside,
    IsOutside,
}

/// One exchange of several.
pub(crate) struct Hop<'a, 'r> {
    pub(crate) request: &'a Request<'r>,
    pub(crate) first: &'a Address,
    pub(crate) at: &'a Address,
    method: Method,
    body: Body<'r>,
    public_only: bool,
}

fn secret_header(value: &str) -> Result<http::HeaderValue, String> {
    let mut value = http::HeaderValue::from_str(value).map_err(|_| "its credential cannot be sent".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}

/// What an error of ureq is here.
pub(crate) fn failed(at: &Address, error: &ureq::Error) -> HttpError {
    let url = at.to_string();
    match stop_in(error) {
        Some(Stop::Cancelled) => return HttpError::Cancelled { url },
        Some(&Stop::TooSlow { bytes, seconds }) => return HttpError::TooSlow { url, bytes, seconds },
        Some(stop @ Stop::Flood { .. }) => return HttpError::Garbled { url, message: stop.to_string() },
        Some(stop) => return HttpError::Network { url, message: stop.to_string() },
        None => {}
    }
    let message = error.to_string();
    // rustls' own words, which a test holds; its types are not ureq's to give.
    if let Some((_, why)) = message.split_once("invalid peer certificate: ") {
        return HttpError::Certificate { url, message: why.to_owned() };
    }
    match error {
        ureq::Error::BadUri(_)
        | ureq::Error::Http(_)
        | ureq::Error::InvalidProxyUrl
        | ureq::Error::Tls(_)
        | ureq::Error::Pem(_) => HttpError::Request { url, message },
        ureq::Error::Protocol(error) => HttpError::Garbled { url, message: error.to_string() },
        ureq::Error::LargeResponseHeader(..) | ureq::Error::BodyStalled => HttpError::Garbled { url, message },
        ureq::Error::Timeout(_) => HttpError::Network { url, message: "no answer in time".to_owned() },
        ureq::Error::Io(error) => HttpError::Network { url, message: error.to_string() },
        _ => HttpError::Network { url, message },
    }
}
