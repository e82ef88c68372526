//! `daemon.json`: the mirrors of Docker's own registry, and the registries that may be asked by plain http.

use std::net::IpAddr;
use std::path::Path;

use serde::Deserialize;

use crate::configuration::Upstream;
use crate::{Host, RegistryError};

/// What is used of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct DockerDaemon {
    pub(crate) mirrors: Vec<Upstream>,
    insecure: Vec<Insecure>,
}

#[derive(Clone, Debug)]
enum Insecure {
    Host(Host),
    Network(IpAddr, u8),
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Wire {
    #[serde(default)]
    registry_mirrors: Vec<String>,
    #[serde(default)]
    insecure_registries: Vec<String>,
}

impl DockerDaemon {
    /// Reads its bytes.
    pub(crate) fn parse(path: &Path, bytes: &[u8]) -> Result<Self, RegistryError> {
        let fault = |fault: String| RegistryError::Configuration { path: path.to_owned(), fault };
        let wire: Wire = serde_json::from_slice(bytes).map_err(|error| fault(format!("is not read: {error}")))?;
        let mirrors = wire.registry_mirrors.iter().map(|text| Upstream::parse(text));
        let mirrors = mirrors.collect::<Result<_, _>>().map_err(|error| fault(error.to_string()))?;
        let insecure = wire.insecure_registries.iter().map(|text| Insecure::parse(text));
        let insecure = insecure.collect::<Option<_>>();
        let insecure = insecure.ok_or_else(|| fault("has an `insecure-registries` that is no host".to_owned()))?;
        Ok(Self { mirrors, insecure })
    }

    /// Whether the host stands there itself, or has an address in a network that does. No name is looked up.
    pub(crate) fn is_insecure(&self, host: &Host) -> bool {
        self.insecure.iter().any(|insecure| match insecure {
            Insecure::Host(known) => known == host || (known.port().is_none() && known.name() == host.name()),
            Insecure::Network(network, bits) => {
                host.name().parse().is_ok_and(|address| is_inside(address, *network, *bits))
            }
        })
    }
}

impl Insecure {
    fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://")).unwrap_or(text);
        if let Some((network, bits)) = text.split_once('/')
            && let (Ok(network), Ok(bits)) = (network.parse(), bits.parse())
        {
            return Some(Self::Network(network, bits));
        }
        text.trim_end_matches('/').parse().ok().map(Self::Host)
    }
}

fn is_inside(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    let (address, network, width) = match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => (address.to_bits().into(), network.to_bits().into(), 32),
        (IpAddr::V6(address), IpAddr::V6(network)) => (address.to_bits(), network.to_bits(), 128_u32),
        _ => return false,
    };
    let (address, network): (u128, u128) = (address, network);
    let Some(behind) = width.checked_sub(bits.into()) else { return false };
    (address ^ network).checked_shr(behind).unwrap_or(0) == 0
}
