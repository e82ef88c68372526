//! Docker's `config.json` and the `auth.json` of podman, skopeo and buildah: who this machine is logged in as.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;

use crate::{Host, RegistryError};

/// The largest file that is read.
pub(crate) const FILE_BYTES: u64 = 4 << 20;

/// What is shown to a registry, or to the server that gives its tokens. Its `Debug` has no secret.
#[derive(Clone, PartialEq, Eq)]
pub enum Login {
    /// A user and a password.
    Password {
        /// Who.
        user: String,
        /// Never printed.
        password: String,
    },
    /// A token that is exchanged for tokens (`identitytoken`).
    Identity(String),
    /// A token that is shown as it is (`registrytoken`).
    Bearer(String),
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password { .. } => "Password(..)",
            Self::Identity(_) => "Identity(..)",
            Self::Bearer(_) => "Bearer(..)",
        })
    }
}

/// What a file says about one registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// This, in the file itself.
    Login(Login),
    /// A program knows: `docker-credential-NAME`, asked for `server`.
    Helper { name: String, server: String },
}

/// One file.
#[derive(Clone, Debug)]
pub(crate) struct AuthFile {
    pub(crate) path: PathBuf,
    /// By [`key`]: what was written for the registry, and who it is.
    auths: BTreeMap<String, (String, Option<Login>)>,
    /// By [`key`]: what was written, and the helper.
    helpers: BTreeMap<String, (String, String)>,
    store: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    #[serde(default)]
    auths: BTreeMap<String, Option<WireAuth>>,
    #[serde(default)]
    cred_helpers: BTreeMap<String, String>,
    #[serde(default)]
    creds_store: String,
}

#[derive(Deserialize)]
struct WireAuth {
    #[serde(default)]
    auth: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    identitytoken: String,
    #[serde(default)]
    registrytoken: String,
}

impl AuthFile {
    /// Reads its bytes. The faults never repeat them.
    pub(crate) fn parse(path: &Path, bytes: &[u8]) -> Result<Self, RegistryError> {
        let fault = |fault: String| RegistryError::Configuration { path: path.to_owned(), fault };
        // serde's own words may repeat a value, and values are secrets here.
        let wire: Wire = serde_json::from_slice(bytes).map_err(|error| {
            fault(format!("is not a docker configuration: line {}, column {}", error.line(), error.column()))
        })?;
        let mut auths = BTreeMap::new();
        for (written, auth) in wire.auths {
            let login = match auth {
                Some(auth) => auth.login().map_err(|what| fault(format!("{what} of `{}`", written.escape_debug())))?,
                None => None,
            };
            // `https://registry.example` and `registry.example` may both stand there: the one with something in it.
            let place: &mut (String, Option<Login>) = auths.entry(key(&written)).or_insert((written.clone(), None));
            if place.1.is_none() {
                *place = (written, login);
            }
        }
        let helpers = wire.cred_helpers.into_iter().filter(|(_, helper)| !helper.is_empty());
        let helpers = helpers.map(|(written, helper)| (key(&written), (written, helper))).collect();
        let store = Some(wire.creds_store).filter(|store| !store.is_empty());
        Ok(Self { path: path.to_owned(), auths, helpers, store })
    }

    /// What it says about a repository: the entry with the longest path wins, as in `auth.json`; of the same path a
    /// helper before a password, as in Docker.
    pub(crate) fn find(&self, host: &Host, repository: &str) -> Option<Found> {
        let mut keys = vec![host.to_string()];
        let ends = repository.match_indices('/').map(|(at, _)| at).chain([repository.len()]);
        keys.extend(ends.map(|end| format!("{host}/{}", &repository[..end])));
        keys.reverse();
        keys.extend(index_key(host));
        for key in &keys {
            if let Some((written, helper)) = self.helpers.get(key) {
                return Some(Found::Helper { name: helper.clone(), server: written.clone() });
            }
            match (self.auths.get(key), &self.store) {
                (Some((_, Some(login))), _) => return Some(Found::Login(login.clone())),
                (Some((written, None)), Some(store)) => {
                    return Some(Found::Helper { name: store.clone(), server: written.clone() });
                }
                _ => {}
            }
        }
        let store = self.store.as_ref()?;
        Some(Found::Helper { name: store.clone(), server: host.to_string() })
    }
}

impl WireAuth {
    fn login(self) -> Result<Option<Login>, &'static str> {
        if !self.identitytoken.is_empty() {
            return Ok(Some(Login::Identity(self.identitytoken)));
        }
        if !self.registrytoken.is_empty() {
            return Ok(Some(Login::Bearer(self.registrytoken)));
        }
        if !self.auth.is_empty() {
            let (user, password) = decode(&self.auth)?;
            return Ok(Some(Login::Password { user, password }));
        }
        let named = !self.username.is_empty() && !self.password.is_empty();
        Ok(named.then_some(Login::Password { user: self.username, password: self.password }))
    }
}

/// `user:password` in base64; Docker pads the end with zero bytes at times.
fn decode(auth: &str) -> Result<(String, String), &'static str> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    let bytes = LENIENT.decode(auth.trim()).map_err(|_| "has an `auth` that is not base64")?;
    let text = String::from_utf8(bytes).map_err(|_| "has an `auth` that is not UTF-8")?;
    let (user, password) = text.split_once(':').ok_or("has an `auth` without a `:`")?;
    Ok((user.to_owned(), password.trim_end_matches('\0').to_owned()))
}

/// The key under which a registry is looked up: without scheme, and without the API's version behind it.
///
/// `https://registry.example/v2/` is `registry.example`, and `registry.example/team` stays as it is. Docker's spelling
/// of its own registry, `https://index.docker.example/v1/`, keeps its `/v1`.
fn key(written: &str) -> String {
    let rest = written.strip_prefix("https://").or_else(|| written.strip_prefix("http://")).unwrap_or(written);
    let rest = rest.trim_end_matches('/');
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = host.to_ascii_lowercase();
    match path {
        "v1" if host.starts_with("index.") => format!("{host}/v1"),
        "" | "v1" | "v2" => host,
        path => format!("{host}/{path}"),
    }
}

/// Docker logs in to its own registry under `https://index.docker.example/v1/`, whatever the host that is asked is called:
/// that entry is for the hosts below `docker.example`.
fn index_key(host: &Host) -> Option<String> {
    let (_, domain) = host.name().split_once('.')?;
    (host.port().is_none() && domain.contains('.')).then(|| format!("index.{domain}/v1"))
}
