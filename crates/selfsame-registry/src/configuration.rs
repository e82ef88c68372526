//! Which registry a name means on this machine: mirrors, short names, plain http.
//!
//! No registry is built in. A short name such as `debian:12` means what the machine's configuration says.

use std::path::{Path, PathBuf};

use selfsame_http::{Environment, Origin, Origins};

use crate::containers_conf::{ContainersConf, Rule, Window};
use crate::credentials::read_file;
use crate::docker_daemon::DockerDaemon;
use crate::reference::{ReferenceError, is_repository};
use crate::{Host, Reference, RegistryError, Target};

/// A repository on a registry, and how to reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Who is asked.
    pub host: Host,
    /// What for.
    pub repository: String,
    /// By which scheme.
    pub scheme: Scheme,
}

/// How a registry is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// https, and nothing else.
    Https,
    /// http, as this machine's configuration writes, or loopback.
    Http,
    /// https, and http where that is not spoken: loopback, and hosts that the configuration calls insecure.
    Either,
}

/// The origin of `origins.toml` that short names are on.
const SHORT: &str = "docker";

/// The configuration of this machine. Read once.
#[derive(Clone, Debug, Default)]
pub struct Configuration {
    origins: Origins,
    daemon: DockerDaemon,
    containers: ContainersConf,
}

/// An address that stands before the names of a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Upstream {
    pub(crate) host: Host,
    /// `team`, or nothing.
    pub(crate) prefix: String,
    /// None where only a host is written.
    pub(crate) https: Option<bool>,
}

impl Configuration {
    /// Reads those that exist of `/etc/containers/registries.conf` with its `.d` folder (or `~/.config/containers/` in
    /// place of `/etc/containers/`, or `$CONTAINERS_REGISTRIES_CONF`) and `/etc/docker/daemon.json` (or
    /// `~/.config/docker/daemon.json`). Fails on a file that is there and cannot be read.
    pub fn read(environment: &Environment, origins: &Origins) -> Result<Self, RegistryError> {
        let folder = |name: &str| environment.variable(name).map(PathBuf::from);
        let config = folder("XDG_CONFIG_HOME").or_else(|| Some(folder("HOME")?.join(".config")));
        let named = folder("CONTAINERS_REGISTRIES_CONF");
        let containers = ContainersConf::read(named.as_deref(), config.as_deref(), Path::new("/etc"))?;
        let mut daemon = DockerDaemon::default();
        let places = [config.map(|folder| folder.join("docker/daemon.json")), Some("/etc/docker/daemon.json".into())];
        for path in places.into_iter().flatten() {
            if let Some(bytes) = read_file(&path)? {
                daemon = DockerDaemon::parse(&path, &bytes)?;
                break;
            }
        }
        Ok(Self::new(origins, daemon, containers))
    }

    /// What `origins.toml` says alone; of a machine whose own configuration is not to count.
    #[must_use]
    pub fn of_origins(origins: &Origins) -> Self {
        Self::new(origins, DockerDaemon::default(), ContainersConf::default())
    }

    pub(crate) fn new(origins: &Origins, daemon: DockerDaemon, containers: ContainersConf) -> Self {
        Self { origins: origins.clone(), daemon, containers }
    }

    /// Where a manifest and its blobs may be had, in the order in which to ask: mirrors first.
    pub fn to_pull(&self, reference: &Reference) -> Result<Vec<Place>, RegistryError> {
        let by_digest = matches!(reference.target(), Target::Digest(_));
        let mut places = Vec::new();
        match &reference.host {
            Some(host) => match self.origin(host) {
                Some((SHORT, _)) => self.short(reference, by_digest, &mut places)?,
                Some((_, origin)) => self.upstreams(origin, &reference.repository, &mut places)?,
                None => self.named(host, &reference.repository, by_digest, &mut places)?,
            },
            None => self.short(reference, by_digest, &mut places)?,
        }
        if places.is_empty() {
            return Err(RegistryError::NoRegistry { reference: reference.to_string() });
        }
        Ok(places)
    }

    /// Where to write: the registry itself, never a mirror. A short name is refused.
    pub fn to_push(&self, reference: &Reference) -> Result<Place, RegistryError> {
        let Some(host) = &reference.host else {
            return Err(RegistryError::NoRegistry { reference: reference.to_string() });
        };
        let name = format!("{host}/{}", reference.repository);
        match self.containers.rule(&name) {
            Some(rule) if rule.blocked => Err(RegistryError::Blocked { host: host.to_string() }),
            Some(rule) => self.relocated(rule, host, &reference.repository),
            None => Ok(self.place(host.clone(), reference.repository.clone(), None, false)),
        }
    }

    /// `debian:12`: our own configuration, else podman's alias for the name, else docker's mirrors of its registry, else
    /// the registries that podman searches.
    fn short(&self, reference: &Reference, by_digest: bool, places: &mut Vec<Place>) -> Result<(), RegistryError> {
        let official = official(&reference.repository);
        if let Some(origin) = self.origins.origins.get(SHORT).filter(|origin| !origin.upstream.is_empty()) {
            return self.upstreams(origin, &official, places);
        }
        for mirror in &self.daemon.mirrors {
            places.push(self.below(mirror, &official)?);
        }
        if let Some((host, repository)) = self.containers.alias(&reference.repository) {
            return self.named(host, repository, by_digest, places);
        }
        for host in &self.containers.search {
            self.named(host, &reference.repository, by_digest, places)?;
        }
        Ok(())
    }

    fn named(
        &self,
        host: &Host,
        repository: &str,
        by_digest: bool,
        places: &mut Vec<Place>,
    ) -> Result<(), RegistryError> {
        let Some(rule) = self.containers.rule(&format!("{host}/{repository}")) else {
            places.push(self.place(host.clone(), repository.to_owned(), None, false));
            return Ok(());
        };
        if rule.blocked {
            return Err(RegistryError::Blocked { host: host.to_string() });
        }
        let behind = rule.behind(host, repository);
        for mirror in &rule.mirrors {
            let wanted = match mirror.window {
                Window::All => !rule.mirror_by_digest_only || by_digest,
                Window::Digest => by_digest,
                Window::Tag => !by_digest,
            };
            if wanted {
                let repository = joined(&mirror.location.prefix, &behind)?;
                places.push(self.place(mirror.location.host.clone(), repository, None, mirror.insecure));
            }
        }
        places.push(self.relocated(rule, host, repository)?);
        Ok(())
    }

    fn relocated(&self, rule: &Rule, host: &Host, repository: &str) -> Result<Place, RegistryError> {
        match &rule.location {
            None => Ok(self.place(host.clone(), repository.to_owned(), None, rule.insecure)),
            Some(location) => {
                let repository = joined(&location.prefix, &rule.behind(host, repository))?;
                Ok(self.place(location.host.clone(), repository, None, rule.insecure))
            }
        }
    }

    /// The origin with upstreams that a host means, and its name.
    fn origin(&self, host: &Host) -> Option<(&str, &Origin)> {
        let (name, full) = (host.name(), host.to_string());
        let means = |text: &str| text.eq_ignore_ascii_case(&full) || text.eq_ignore_ascii_case(name);
        let mut origins = self.origins.origins.iter().filter(|(_, origin)| !origin.upstream.is_empty());
        let found = origins.find(|(known, origin)| means(known) || origin.aliases.iter().any(|alias| means(alias)));
        found.map(|(known, origin)| (known.as_str(), origin))
    }

    fn upstreams(&self, origin: &Origin, repository: &str, places: &mut Vec<Place>) -> Result<(), RegistryError> {
        for text in &origin.upstream {
            let upstream = Upstream::parse(text).map_err(|source| RegistryError::Origin { source })?;
            places.push(self.below(&upstream, repository)?);
        }
        Ok(())
    }

    fn below(&self, upstream: &Upstream, repository: &str) -> Result<Place, RegistryError> {
        let repository = joined(&upstream.prefix, repository)?;
        Ok(self.place(upstream.host.clone(), repository, upstream.https, false))
    }

    fn place(&self, host: Host, repository: String, https: Option<bool>, insecure: bool) -> Place {
        let insecure = insecure || self.daemon.is_insecure(&host) || self.containers.is_insecure(&host);
        let scheme = match https {
            Some(true) => Scheme::Https,
            // Whoever wrote `http://` into a machine's configuration means it.
            Some(false) => Scheme::Http,
            None if insecure || host.is_loopback() => Scheme::Either,
            None => Scheme::Https,
        };
        Place { host, repository, scheme }
    }
}

impl Upstream {
    /// `https://registry.example/team`, or without a scheme.
    pub(crate) fn parse(text: &str) -> Result<Self, ReferenceError> {
        let (https, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (Some(true), rest),
            (_, Some(rest)) => (Some(false), rest),
            _ => (None, text),
        };
        let rest = rest.trim_end_matches('/');
        let (host, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.strip_prefix("v2/").unwrap_or(if prefix == "v2" { "" } else { prefix });
        if !prefix.is_empty() && !is_repository(prefix) {
            return Err(ReferenceError::new(text, "has a path that cannot stand before a repository's name"));
        }
        Ok(Self { host: host.parse()?, prefix: prefix.to_owned(), https })
    }
}

/// Docker's own registry keeps the names of one part below `library/`.
fn official(repository: &str) -> String {
    if repository.contains('/') { repository.to_owned() } else { format!("library/{repository}") }
}

fn joined(prefix: &str, name: &str) -> Result<String, RegistryError> {
    let joined = [prefix, name].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
    if is_repository(&joined) {
        return Ok(joined);
    }
    let source = ReferenceError::new(&joined, "is no repository; the configuration of this machine leads there");
    Err(RegistryError::Origin { source })
}
