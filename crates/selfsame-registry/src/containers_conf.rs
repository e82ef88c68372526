//! `registries.conf` of podman, skopeo and buildah (containers-registries.conf(5)): aliases of short names, where to search
//! for the others, mirrors, other locations, and who may be asked by plain http.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::configuration::Upstream;
use crate::credentials::read_file;
use crate::{Host, Reference, RegistryError};

/// The most files of a `.d` folder.
const FILES: usize = 1000;

/// What is used of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct ContainersConf {
    /// Where a name that is no alias is looked for.
    pub(crate) search: Vec<Host>,
    aliases: BTreeMap<String, (Host, String)>,
    rules: Vec<Rule>,
}

/// One `[[registry]]`.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// `registry.example/team`, or `*.example`.
    prefix: String,
    pub(crate) location: Option<Upstream>,
    pub(crate) insecure: bool,
    pub(crate) blocked: bool,
    pub(crate) mirror_by_digest_only: bool,
    pub(crate) mirrors: Vec<Mirror>,
}

/// One `[[registry.mirror]]`.
#[derive(Clone, Debug)]
pub(crate) struct Mirror {
    pub(crate) location: Upstream,
    pub(crate) insecure: bool,
    pub(crate) window: Window,
}

/// For which references a mirror is asked (`pull-from-mirror`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Window {
    All,
    Digest,
    Tag,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Wire {
    unqualified_search_registries: Option<Vec<String>>,
    #[serde(default)]
    registry: Vec<WireRule>,
    #[serde(default)]
    aliases: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct WireRule {
    #[serde(default)]
    prefix: String,
    #[serde(default)]
    location: String,
    #[serde(default)]
    insecure: bool,
    #[serde(default)]
    blocked: bool,
    #[serde(default)]
    mirror_by_digest_only: bool,
    #[serde(default)]
    mirror: Vec<WireMirror>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct WireMirror {
    location: String,
    #[serde(default)]
    insecure: bool,
    #[serde(default)]
    pull_from_mirror: String,
}

impl ContainersConf {
    /// Reads `named`, else the file below the user's configuration, else the one below `/etc`; then the `.d` folders of
    /// `/etc` and the user, whose files win over what came before.
    pub(crate) fn read(named: Option<&Path>, user: Option<&Path>, etc: &Path) -> Result<Self, RegistryError> {
        let below = |folder: &Path, name: &str| folder.join("containers").join(name);
        let mut conf = Self::default();
        let mains = [named.map(Path::to_owned), user.map(|user| below(user, "registries.conf"))];
        for path in mains.into_iter().flatten().chain([below(etc, "registries.conf")]) {
            if let Some(bytes) = read_file(&path)? {
                conf.add(&path, &bytes)?;
                break;
            }
        }
        for folder in [Some(etc), user].into_iter().flatten() {
            for path in files_of(&below(folder, "registries.conf.d"))? {
                if let Some(bytes) = read_file(&path)? {
                    conf.add(&path, &bytes)?;
                }
            }
        }
        Ok(conf)
    }

    /// Adds one file: its aliases, its rules by prefix and its search list replace what is there.
    pub(crate) fn add(&mut self, path: &Path, bytes: &[u8]) -> Result<(), RegistryError> {
        let fault = |fault: String| RegistryError::Configuration { path: path.to_owned(), fault };
        let text = std::str::from_utf8(bytes).map_err(|_| fault("is not UTF-8".to_owned()))?;
        let wire: Wire = toml::from_str(text).map_err(|error| fault(format!("is not read: {}", error.message())))?;
        if let Some(search) = wire.unqualified_search_registries {
            let search = search.iter().map(|host| host.parse()).collect::<Result<_, _>>();
            self.search = search.map_err(|error: crate::ReferenceError| fault(error.to_string()))?;
        }
        for (short, long) in wire.aliases {
            // An empty one takes an alias away.
            if long.is_empty() {
                self.aliases.remove(&short);
                continue;
            }
            let reference: Reference = long.parse().map_err(|error: crate::ReferenceError| fault(error.to_string()))?;
            let Some(host) = reference.host else {
                return Err(fault(format!("has the alias `{}` without a registry", long.escape_debug())));
            };
            self.aliases.insert(short, (host, reference.repository));
        }
        for rule in wire.registry {
            let rule = Rule::read(rule).map_err(|error| fault(error.to_string()))?;
            self.rules.retain(|known| known.prefix != rule.prefix);
            self.rules.push(rule);
        }
        Ok(())
    }

    /// The full name of a short one.
    pub(crate) fn alias(&self, short: &str) -> Option<(&Host, &str)> {
        self.aliases.get(short).map(|(host, repository)| (host, repository.as_str()))
    }

    /// The rule with the longest prefix of `host/repository`.
    pub(crate) fn rule(&self, name: &str) -> Option<&Rule> {
        self.rules.iter().filter(|rule| rule.matches(name)).max_by_key(|rule| rule.prefix.len())
    }

    /// Whether a rule for the whole host says so.
    pub(crate) fn is_insecure(&self, host: &Host) -> bool {
        let name = host.to_string();
        self.rules.iter().any(|rule| rule.insecure && (rule.prefix == name || rule.is_wild_for(&name)))
    }
}

impl Rule {
    fn read(wire: WireRule) -> Result<Self, crate::ReferenceError> {
        let prefix = if wire.prefix.is_empty() { wire.location.clone() } else { wire.prefix };
        let location = if wire.location.is_empty() { None } else { Some(Upstream::parse(&wire.location)?) };
        let mut mirrors = Vec::new();
        for mirror in wire.mirror {
            let window = match mirror.pull_from_mirror.as_str() {
                "digest-only" => Window::Digest,
                "tag-only" => Window::Tag,
                _ => Window::All,
            };
            mirrors.push(Mirror { location: Upstream::parse(&mirror.location)?, insecure: mirror.insecure, window });
        }
        Ok(Self {
            prefix: prefix.trim_end_matches('/').to_owned(),
            location,
            insecure: wire.insecure,
            blocked: wire.blocked,
            mirror_by_digest_only: wire.mirror_by_digest_only,
            mirrors,
        })
    }

    fn matches(&self, name: &str) -> bool {
        let host = name.split('/').next().unwrap_or_default();
        match name.strip_prefix(&self.prefix) {
            _ if self.prefix.is_empty() => false,
            Some(rest) => rest.is_empty() || rest.starts_with('/'),
            None => self.is_wild_for(host),
        }
    }

    /// `*.example` is for `a.example` and `b.a.example`.
    fn is_wild_for(&self, host: &str) -> bool {
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        self.prefix.strip_prefix('*').is_some_and(|suffix| suffix.starts_with('.') && name.ends_with(suffix))
    }

    /// What of a repository's name is behind this rule's prefix, to be put behind a location.
    pub(crate) fn behind(&self, host: &Host, repository: &str) -> String {
        let name = format!("{host}/{repository}");
        match name.strip_prefix(&self.prefix) {
            Some(rest) => rest.trim_start_matches('/').to_owned(),
            None => repository.to_owned(),
        }
    }
}

/// The `.conf` files of a folder, by name.
fn files_of(folder: &Path) -> Result<Vec<PathBuf>, RegistryError> {
    let fault = |error: std::io::Error| RegistryError::Configuration {
        path: folder.to_owned(),
        fault: format!("cannot be read: {error}"),
    };
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(fault)?,
    };
    let mut files = Vec::new();
    for entry in entries.take(FILES) {
        let path = entry.map_err(fault)?.path();
        if path.extension().is_some_and(|extension| extension == "conf") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
