//! One ureq agent, with its connections, for each way out of this machine.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use ureq::config::AutoHeaderValue;
use ureq::tls::{Certificate, TlsConfig};
use ureq::unversioned::transport::{ConnectProxyConnector, Connector as _, RustlsConnector};
use ureq::{Agent, ProxyProtocol};

use crate::address::Address;
use crate::certificates;
use crate::environment::Environment;
use crate::error::HttpError;
use crate::names::{Names, Resolve};
use crate::patience::Patience;
use crate::proxy::{Kind, Proxy};
use crate::socks::Socks;
use crate::stop::Cancel;
use crate::transport::{Forward, Tcp};

const IDLE_PER_HOST: usize = 8;

/// A way out. What differs in one of these shares no connection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Way {
    pub(crate) proxy: Option<Proxy>,
    /// Whether the target is spoken to by TLS.
    pub(crate) https: bool,
    /// Whether addresses that are not of the internet are refused.
    pub(crate) public_only: bool,
    /// Certificates of the origin.
    pub(crate) ca: Vec<PathBuf>,
}

impl Way {
    /// A proxy that opens a tunnel when it is asked by HTTP.
    fn tunnel(&self) -> Option<&Proxy> {
        self.proxy.as_ref().filter(|proxy| proxy.kind != Kind::Socks && self.https)
    }

    /// A proxy that is asked with whole addresses.
    pub(crate) fn forward(&self) -> Option<&Proxy> {
        self.proxy.as_ref().filter(|proxy| proxy.kind != Kind::Socks && !self.https)
    }

    fn socks(&self) -> Option<&Proxy> {
        self.proxy.as_ref().filter(|proxy| proxy.kind == Kind::Socks)
    }
}

pub(crate) struct Agents {
    pub(crate) names: Arc<Names>,
    patience: Patience,
    cancel: Cancel,
    user_agent: String,
    ca_files: Vec<PathBuf>,
    system: OnceLock<Vec<Certificate<'static>>>,
    agents: Mutex<BTreeMap<Way, Agent>>,
}

impl Agents {
    pub(crate) fn new(patience: Patience, cancel: Cancel, user_agent: String, ca_files: Vec<PathBuf>) -> Self {
        let names = Arc::new(Names::new(patience.connect, cancel.clone()));
        Self { names, patience, cancel, user_agent, ca_files, system: OnceLock::new(), agents: Mutex::default() }
    }

    /// The agent of a way; made when it is first taken.
    pub(crate) fn agent(&self, way: &Way, environment: &Environment) -> Result<Agent, HttpError> {
        // Whole after every insertion.
        let mut agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(agent) = agents.get(way) {
            return Ok(agent.clone());
        }
        let agent = self.make(way, environment)?;
        agents.insert(way.clone(), agent.clone());
        Ok(agent)
    }

    fn make(&self, way: &Way, environment: &Environment) -> Result<Agent, HttpError> {
        let machine = |(what, message): (String, String)| HttpError::Machine { what, message };
        let mut trusted = match self.system.get() {
            Some(system) => system.clone(),
            None => {
                let system = certificates::of_system(environment).map_err(machine)?;
                self.system.get_or_init(|| system).clone()
            }
        };
        trusted.extend(certificates::of_files(&self.ca_files).map_err(machine)?);
        trusted.extend(certificates::of_files(&way.ca).map_err(machine)?);
        let tunnel = way.tunnel().map(ureq_proxy).transpose();
        let tunnel = tunnel.map_err(|error| machine(("the proxy".to_owned(), error.to_string())))?;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // Followed by hand: each hop is looked at.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(AutoHeaderValue::from(self.user_agent.clone()))
            .accept_encoding("identity")
            .timeout_connect(Some(self.patience.connect))
            .timeout_per_call(Some(self.patience.whole))
            .max_idle_connections_per_host(IDLE_PER_HOST)
            .max_idle_connections(4 * IDLE_PER_HOST)
            .tls_config(TlsConfig::builder().root_certs(certificates::roots(&trusted)).build())
            .proxy(tunnel)
            .build();
        let forward = way.forward().map(|proxy| {
            format!("{proxy}/").parse().map_err(|_| HttpError::Machine {
                what: format!("the proxy `{proxy}`"),
                message: "it is no address".to_owned(),
            })
        });
        let tcp = Tcp { patience: self.patience, cancel: self.cancel.clone() };
        let forward = Forward {
            tcp: tcp.clone(),
            tls: RustlsConnector::default(),
            names: self.names.clone(),
            proxy: forward.transpose()?,
        };
        let socks = Socks { tcp: tcp.clone(), names: self.names.clone(), proxy: way.socks().cloned() };
        let connector =
            socks.chain(forward).chain(ConnectProxyConnector::default()).chain(tcp).chain(RustlsConnector::default());
        let resolve = Resolve {
            names: self.names.clone(),
            public_only: way.public_only,
            proxy: way.proxy.as_ref().map(|proxy| proxy.host.clone()),
        };
        Ok(Agent::with_parts(config, connector, resolve))
    }
}

fn ureq_proxy(proxy: &Proxy) -> Result<ureq::Proxy, ureq::Error> {
    let protocol = if proxy.kind == Kind::Https { ProxyProtocol::Https } else { ProxyProtocol::Http };
    let mut builder = ureq::Proxy::builder(protocol).host(&proxy.host).port(proxy.port);
    if let Some((user, password)) = &proxy.user {
        builder = builder.username(user).password(password);
    }
    builder.build()
}

/// Whether a host is this machine, by its name alone.
pub(crate) fn is_this_machine(address: &Address) -> bool {
    let host = address.host().trim_end_matches('.');
    let bare = host.trim_matches(['[', ']']);
    host == "localhost"
        || host.ends_with(".localhost")
        || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
