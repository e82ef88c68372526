//! The registries of this machine's npm, with their credentials.

use std::path::PathBuf;

use selfsame_core::json::{self, Limits};
use selfsame_core::{Digest, Digests};
use selfsame_http::{Client, Credential, Download, HttpError};
use selfsame_lock::Part;
use selfsame_pins::npm::{Npmrc, RegistryAuth};
use selfsame_pins::pypi::resolve_url;
use serde_json::Value;

use crate::context::Context;
use crate::kinds::pinned::{self, PACKAGE_BYTES, PackagesError};
use crate::obtainable::Obtainable;
use crate::{bring, obtainable};

/// One version's document is small.
const VERSION_BYTES: u64 = 16 << 20;

/// Where tarballs come from.
pub(super) struct Registry {
    npmrc: Npmrc,
    /// Asked for what no `registry` setting answers.
    otherwise: Vec<String>,
    client: Client,
}

impl Registry {
    /// As this machine configures it: npm's variables and files, else `[origin.npm]`, else what npm itself says.
    pub(super) fn of(cx: &Context<'_>) -> Result<Self, PackagesError> {
        let npmrc = read_config(cx)?;
        let mut otherwise = Vec::new();
        if npmrc.registry("x").is_none() {
            otherwise.extend(cx.http.origins().upstreams("npm").iter().cloned());
            if otherwise.is_empty() {
                otherwise.extend(built_in(cx));
            }
        }
        let proxy = npmrc.setting("https-proxy").or_else(|| npmrc.setting("proxy"));
        let client = pinned::client(cx, npmrc.setting("cafile"), proxy)?;
        Ok(Self { npmrc, otherwise, client })
    }

    /// Downloads a version's tarball into the store: its digests, and the address that it came from.
    pub(super) fn bring(
        &self,
        name: &str,
        version: &str,
        file: &str,
        expected: Option<(Digest, u64)>,
        cx: &Context<'_>,
    ) -> Result<(Digests, String), PackagesError> {
        let configured = self.npmrc.registry(name);
        let registries: Vec<&String> = configured.iter().chain(&self.otherwise).collect();
        if registries.is_empty() {
            return Err(PackagesError::NoOrigin { packages: "packages of npm", tool: "npm", origin: "npm" });
        }
        for registry in registries {
            let base = registry.trim_end_matches('/');
            // Where every registry has it that follows npm's own; others say in the version's document where.
            let usual = format!("{base}/{name}/-/{file}");
            let found = match self.download(&usual, registry, expected, cx) {
                Err(PackagesError::Http(HttpError::NotFound { .. } | HttpError::WebPage { .. })) => {
                    match self.tarball(base, name, version)? {
                        Some(url) if url != usual => (self.download(&url, registry, expected, cx), url),
                        _ => continue,
                    }
                }
                other => (other, usual),
            };
            let (result, url) = found;
            return match result {
                Err(PackagesError::Http(HttpError::NotFound { .. })) => continue,
                Err(error) => Err(error),
                Ok((sha256, _)) => {
                    let blob = cx.store.open_blob(&sha256)?;
                    let unreadable = |error: std::io::Error| PackagesError::package(name, error.to_string());
                    let digests = Digests::of_reader(blob).map_err(unreadable)?;
                    Ok((digests, url.split('?').next().unwrap_or_default().to_owned()))
                }
            };
        }
        Err(PackagesError::NotFound { package: format!("{name}@{version}") })
    }

    /// Whether a registry has the tarball of a part.
    pub(super) fn ask(&self, name: &str, version: &str, file: &str, part: &Part) -> Result<Obtainable, PackagesError> {
        let configured = self.npmrc.registry(name);
        let registries: Vec<&String> = configured.iter().chain(&self.otherwise).collect();
        if registries.is_empty() {
            return Err(PackagesError::NoOrigin { packages: "packages of npm", tool: "npm", origin: "npm" });
        }
        for registry in registries {
            let base = registry.trim_end_matches('/');
            let usual = format!("{base}/{name}/-/{file}");
            let found = match obtainable::look(&self.client, &self.tarball_at(&usual, registry), part) {
                Ok(None) | Err(HttpError::WebPage { .. }) => match self.tarball(base, name, version)? {
                    Some(url) if url != usual => {
                        obtainable::look(&self.client, &self.tarball_at(&url, registry), part)?
                    }
                    _ => None,
                },
                other => other?,
            };
            if let Some(found) = found {
                return Ok(found);
            }
        }
        Ok(Obtainable::gone())
    }

    /// A tarball at an address, with what this registry is shown.
    fn tarball_at<'u>(&self, url: &'u str, registry: &str) -> Download<'u> {
        let mut download = Download::new(url, PACKAGE_BYTES);
        download.credential = self.credential(url);
        // npm itself speaks http where it is told so; what comes is checked by its hash.
        download.plain_http = registry.starts_with("http://") && pinned::same_server(registry, url);
        download
    }

    fn download(
        &self,
        url: &str,
        registry: &str,
        expected: Option<(Digest, u64)>,
        cx: &Context<'_>,
    ) -> Result<(Digest, u64), PackagesError> {
        let download = Download { expected, ..self.tarball_at(url, registry) };
        Ok(bring::download(&download, &Context { http: &self.client, ..*cx })?)
    }

    /// `dist.tarball` of a version's document.
    fn tarball(&self, base: &str, name: &str, version: &str) -> Result<Option<String>, PackagesError> {
        let url = format!("{base}/{}/{version}", name.replace('/', "%2f"));
        let bytes = match self.client.get_bytes(&url, VERSION_BYTES, self.credential(&url).as_ref()) {
            Err(HttpError::NotFound { .. }) => return Ok(None),
            other => other?,
        };
        let limits = Limits { size_bytes: VERSION_BYTES as usize, values: 1_000_000 };
        let document = json::parse(&bytes, limits)
            .map_err(|error| PackagesError::package(name, format!("has a document that cannot be read: {error}")))?;
        let tarball = document.get("dist").and_then(|dist| dist.get("tarball")).and_then(Value::as_str);
        Ok(tarball.and_then(|tarball| resolve_url(&url, tarball)))
    }

    fn credential(&self, url: &str) -> Option<Credential> {
        Some(match self.npmrc.auth(url)? {
            RegistryAuth::Bearer(token) => Credential::Bearer(token),
            RegistryAuth::Basic { user, password } => Credential::Basic { user, password },
        })
    }
}

fn read_config(cx: &Context<'_>) -> Result<Npmrc, PackagesError> {
    let environment = cx.environment;
    let variable = |name: &str| pinned::variable(environment, name);
    let variables = environment.variables.iter();
    let variables = variables.filter_map(|(name, value)| Some((name.to_str()?.to_owned(), value.to_str()?.to_owned())));
    let mut npmrc = Npmrc::of_environment(variables);
    // Strongest first. A project's own file is the source's, and the source does not say where bytes come from.
    let mut files = Vec::new();
    let home = variable("HOME").map(|home| PathBuf::from(home).join(".npmrc"));
    files.extend(npmrc.setting("userconfig").map(PathBuf::from).or(home));
    let prefix = npmrc.setting("prefix").map(str::to_owned).or_else(|| variable("PREFIX"));
    let global = prefix.map_or_else(
        || vec!["/usr/etc/npmrc".into(), "/usr/local/etc/npmrc".into(), "/etc/npmrc".into()],
        |prefix| vec![PathBuf::from(prefix).join("etc/npmrc")],
    );
    match npmrc.setting("globalconfig") {
        Some(file) => files.push(PathBuf::from(file)),
        None => files.extend(global),
    }
    for path in files {
        if let Some(text) = pinned::settings(&path)? {
            let read = Npmrc::parse(&text, variable).map_err(|source| PackagesError::Settings { path, source })?;
            npmrc = npmrc.or(read);
        }
    }
    Ok(npmrc)
}

/// The registry that this machine's npm takes when nothing is said.
fn built_in(cx: &Context<'_>) -> Option<String> {
    let said = pinned::ask_tool("npm", &["config", "get", "registry"], cx.environment)?;
    let url = said.trim();
    resolve_url(url, "").is_some().then(|| url.to_owned())
}
