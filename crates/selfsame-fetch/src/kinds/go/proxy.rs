//! The module proxies of this machine's go.

use std::path::PathBuf;

use selfsame_core::Digest;
use selfsame_http::{Download, HttpError};
use selfsame_lock::Part;
use selfsame_pins::go::{self, Module, Proxy};
use selfsame_store::StoreError;

use crate::context::Context;
use crate::kinds::pinned::{self, PACKAGE_BYTES, PackagesError};
use crate::obtainable::Obtainable;
use crate::{bring, obtainable};

/// Where modules come from.
pub(super) struct Proxies {
    proxies: Vec<Proxy>,
    /// What this machine's go asks no proxy for, and the setting that says so.
    private: Option<(&'static str, String)>,
}

impl Proxies {
    /// As this machine configures it: `GOPROXY`, go's `env` file, `[origin.go]`, else what go itself says.
    pub(super) fn of(cx: &Context<'_>) -> Result<Self, PackagesError> {
        let mut private = None;
        for name in ["GONOPROXY", "GOPRIVATE"] {
            private = private.or(configured(name, cx)?.map(|patterns| (name, patterns)));
        }
        let mut proxies = match configured("GOPROXY", cx)? {
            Some(goproxy) => go::proxies(&goproxy),
            None => Vec::new(),
        };
        if proxies.is_empty() {
            let upstreams = cx.http.origins().upstreams("go").iter();
            proxies.extend(upstreams.map(|url| Proxy { url: url.clone(), go_on_after_failure: false }));
        }
        if proxies.is_empty() {
            let said = pinned::ask_tool("go", &["env", "GOPROXY"], cx.environment);
            proxies = go::proxies(said.as_deref().unwrap_or_default());
        }
        if proxies.is_empty() {
            return Err(PackagesError::NoOrigin { packages: "modules of go", tool: "go", origin: "go" });
        }
        Ok(Self { proxies, private })
    }

    /// Who is asked for a module. Where go would ask no proxy, what has it on this machine is, and else nobody: its name is
    /// no other one's business.
    fn of_module(&self, module: &Module) -> Result<Vec<&Proxy>, PackagesError> {
        let private =
            self.private.as_ref().and_then(|(by, patterns)| Some((by, go::private_by(patterns, &module.path)?)));
        let Some((by, pattern)) = private else { return Ok(self.proxies.iter().collect()) };
        let here: Vec<&Proxy> = self.proxies.iter().filter(|proxy| proxy.url.starts_with("file://")).collect();
        if here.is_empty() {
            let (module, pattern) = (module.to_string(), pattern.to_owned());
            return Err(PackagesError::Private { module, by, pattern });
        }
        Ok(here)
    }

    /// Brings a module's `zip` or `mod` into the store: digest, size, and where it came from.
    pub(super) fn bring(
        &self,
        module: &Module,
        role: &str,
        expected: Option<(Digest, u64)>,
        cx: &Context<'_>,
    ) -> Result<(Digest, u64, String), PackagesError> {
        let place = module.place(&format!(".{role}"));
        let proxies = self.of_module(module)?;
        for (at, proxy) in proxies.iter().copied().enumerate() {
            let url = format!("{}/{place}", proxy.url);
            let told = url.rsplit_once('@').filter(|(before, _)| before.matches('/').count() == 2);
            let told = told.map_or_else(|| url.clone(), |(_, host)| host.to_owned());
            let brought = match proxy.url.strip_prefix("file://") {
                Some(folder) => copy(&PathBuf::from(format!("{folder}/{place}")), expected, cx),
                None => download(&url, proxy, expected, cx),
            };
            match brought {
                Ok((sha256, size)) => return Ok((sha256, size, told)),
                // Only what a proxy does not have is looked for in the next one, unless it stands behind `|`.
                Err(PackagesError::NotFound { .. } | PackagesError::Http(HttpError::NotFound { .. })) => {}
                Err(_) if proxy.go_on_after_failure && at + 1 < proxies.len() => {}
                Err(error) => return Err(error),
            }
        }
        Err(PackagesError::NotFound { package: module.to_string() })
    }

    /// Whether a proxy has a module's `zip` or `mod`.
    pub(super) fn ask(
        &self,
        module: &Module,
        role: &str,
        part: &Part,
        cx: &Context<'_>,
    ) -> Result<Obtainable, PackagesError> {
        let place = module.place(&format!(".{role}"));
        let proxies = self.of_module(module)?;
        for (number, proxy) in proxies.iter().copied().enumerate() {
            let url = format!("{}/{place}", proxy.url);
            let said = match proxy.url.strip_prefix("file://") {
                Some(folder) => match std::fs::metadata(format!("{folder}/{place}")) {
                    Ok(file) if part.size != 0 && file.len() != part.size => Ok(Some(Obtainable::other_bytes())),
                    Ok(file) if file.is_file() => Ok(Some(Obtainable::Yes)),
                    _ => Ok(None),
                },
                None => obtainable::look(cx.http, &at(&url, proxy), part),
            };
            match said {
                Ok(Some(answer)) => return Ok(answer),
                Ok(None) => {}
                Err(_) if proxy.go_on_after_failure && number + 1 < proxies.len() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Obtainable::gone())
    }
}

fn at<'u>(url: &'u str, proxy: &Proxy) -> Download<'u> {
    let mut download = Download::new(url, PACKAGE_BYTES);
    // go itself speaks http where it is told so; what comes is checked by its hash.
    download.plain_http = proxy.url.starts_with("http://");
    download
}

fn download(
    url: &str,
    proxy: &Proxy,
    expected: Option<(Digest, u64)>,
    cx: &Context<'_>,
) -> Result<(Digest, u64), PackagesError> {
    Ok(bring::download(&Download { expected, ..at(url, proxy) }, cx)?)
}

fn copy(
    path: &std::path::Path,
    expected: Option<(Digest, u64)>,
    cx: &Context<'_>,
) -> Result<(Digest, u64), PackagesError> {
    if !path.is_file() {
        return Err(PackagesError::NotFound { package: path.display().to_string() });
    }
    let Some((sha256, size)) = expected else { return Ok(cx.store.put_file(path, false)?) };
    let failed = |source| PackagesError::Io { operation: "read", path: path.to_owned(), source };
    let mut file = std::fs::File::open(path).map_err(failed)?;
    match cx.store.put_expecting(&mut file, &sha256, size, false) {
        Ok(()) => Ok((sha256, size)),
        Err(StoreError::Unexpected { found, .. }) => Err(PackagesError::Mismatch {
            package: path.display().to_string(),
            by: "the lock".to_owned(),
            expected: sha256.to_string(),
            found: found.to_string(),
            place: path.display().to_string(),
        }),
        Err(other) => Err(other.into()),
    }
}

/// A setting of the environment, or of go's own `env` file. An empty one is none.
fn configured(name: &str, cx: &Context<'_>) -> Result<Option<String>, PackagesError> {
    let variable = |name: &str| pinned::variable(cx.environment, name);
    if let Some(value) = variable(name).filter(|value| !value.is_empty()) {
        return Ok(Some(value));
    }
    let file = match variable("GOENV") {
        Some(file) if file == "off" => None,
        Some(file) => Some(PathBuf::from(file)),
        None => {
            let home = || Some(PathBuf::from(variable("HOME")?).join(".config"));
            variable("XDG_CONFIG_HOME").map(PathBuf::from).or_else(home).map(|folder| folder.join("go/env"))
        }
    };
    let Some(file) = file else { return Ok(None) };
    let text = pinned::settings(&file)?;
    Ok(text.and_then(|text| go::setting(&text, name)).filter(|value| !value.is_empty()))
}
