//! From names to addresses.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use crate::reach::is_public;
use crate::stop::{Cancel, Stop};

/// How long an answer is good: over the many small requests of one command.
const KEPT: Duration = Duration::from_secs(30);
const SLICE: Duration = Duration::from_millis(200);

/// The system's resolver, with a bound and an end.
#[derive(Debug)]
pub(crate) struct Names {
    patience: Duration,
    cancel: Cancel,
    known: Mutex<BTreeMap<String, (Instant, Vec<IpAddr>)>>,
}

impl Names {
    pub(crate) fn new(patience: Duration, cancel: Cancel) -> Self {
        Self { patience, cancel, known: Mutex::default() }
    }

    /// All addresses of a host, at least one.
    pub(crate) fn lookup(&self, host: &str) -> Result<Vec<IpAddr>, Stop> {
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if let Ok(address) = bare.parse() {
            return Ok(vec![address]);
        }
        {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, addresses)) = known.get(host).filter(|(since, _)| since.elapsed() < KEPT) {
                return Ok(addresses.clone());
            }
        }
        let addresses = self.ask(host)?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(host.to_owned(), (Instant::now(), addresses.clone()));
        Ok(addresses)
    }

    /// The system's call has neither bound nor end: so it gets a thread, which is left alone where it takes too long.
    fn ask(&self, host: &str) -> Result<Vec<IpAddr>, Stop> {
        let failed = |message: String| Stop::NoName { host: host.to_owned(), message };
        let (sender, receiver) = mpsc::sync_channel(1);
        let asked = host.to_owned();
        let thread = std::thread::Builder::new().name("names".to_owned());
        let started = thread.spawn(move || {
            let found = (asked.as_str(), 0).to_socket_addrs().map(|found| found.map(|at| at.ip()).collect::<Vec<_>>());
            // Nobody may be waiting any more.
            let _ = sender.send(found);
        });
        started.map_err(|error| failed(error.to_string()))?;
        let begun = Instant::now();
        loop {
            self.cancel.check()?;
            match receiver.recv_timeout(SLICE) {
                Ok(Ok(addresses)) if addresses.is_empty() => return Err(failed("none is listed".to_owned())),
                Ok(Ok(addresses)) => return Ok(addresses),
                Ok(Err(error)) => return Err(failed(error.to_string())),
                Err(RecvTimeoutError::Disconnected) => return Err(failed("the resolver ended".to_owned())),
                Err(RecvTimeoutError::Timeout) if begun.elapsed() > self.patience => {
                    return Err(failed(format!("no answer in {} s", self.patience.as_secs())));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

/// [`Names`] as ureq asks it.
#[derive(Debug)]
pub(crate) struct Resolve {
    pub(crate) names: Arc<Names>,
    /// Addresses that are not of the internet are refused, in the very moment in which they would be used.
    pub(crate) public_only: bool,
    /// Targets are the proxy's to resolve; only this host is resolved here.
    pub(crate) proxy: Option<String>,
}

impl Resolver for Resolve {
    fn resolve(&self, uri: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut resolved = self.empty();
        let host = uri.host().ok_or(ureq::Error::HostNotFound)?;
        if self.proxy.as_ref().is_some_and(|proxy| !proxy.eq_ignore_ascii_case(host)) {
            return Ok(resolved);
        }
        let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
        for address in self.names.lookup(host)?.into_iter().take(8) {
            if self.public_only && !is_public(address) {
                return Err(Stop::Private { address }.into());
            }
            resolved.push(SocketAddr::new(address, port));
        }
        Ok(resolved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stop::stop_in;

    #[test]
    fn what_is_not_of_the_internet_is_refused_where_it_is_resolved() {
        let names = Arc::new(Names::new(Duration::from_secs(5), Cancel::default()));
        let resolve = |public_only, url: &str| {
            let resolve = Resolve { names: names.clone(), public_only, proxy: None };
            let timeout = NextTimeout::default();
            resolve.resolve(&url.parse().unwrap(), &Config::default(), timeout)
        };
        for url in ["https://localhost:444/", "https://127.0.0.1/", "https://[fe80::1]/", "https://10.0.0.1/"] {
            assert!(!resolve(false, url).unwrap().is_empty());
            let error = resolve(true, url).unwrap_err();
            assert!(matches!(stop_in(&error), Some(Stop::Private { .. })), "{url}: {error}");
        }
        assert_eq!(resolve(true, "https://8.8.8.8/").unwrap()[0], "8.8.8.8:443".parse().unwrap());
    }

    #[test]
    fn an_interrupted_look_up_ends() {
        let cancel = Cancel::default();
        cancel.0.store(true, std::sync::atomic::Ordering::SeqCst);
        let names = Names::new(Duration::from_secs(60), cancel);
        assert!(matches!(names.lookup("no-such-name.invalid"), Err(Stop::Cancelled)));
    }
}
