//! The package indexes of this machine: pip's configuration, else `[origin.pypi]`, else what pip itself was made with.

use std::path::PathBuf;

use selfsame_core::Digest;
use selfsame_http::{Client, Credential, Download, HttpError, Request};
use selfsame_lock::Part;
use selfsame_pins::pypi::{IndexFile, IndexPage, PipConfig, PipSettings, normal_name, resolve_url};

use crate::context::Context;
use crate::kinds::pinned::{self, PACKAGE_BYTES, PAGE_BYTES, PackagesError};
use crate::obtainable::Obtainable;
use crate::{bring, obtainable};

/// Where files of Python packages come from.
pub(super) struct Index {
    /// Addresses of simple indexes, in the order in which they are asked.
    urls: Vec<String>,
    trusted_hosts: Vec<String>,
    client: Client,
}

impl Index {
    /// As this machine configures it.
    pub(super) fn of(cx: &Context<'_>) -> Result<Self, PackagesError> {
        let config = read_config(cx)?;
        let settings = config.settings();
        let mut urls: Vec<String> = settings.index_url.iter().cloned().collect();
        if urls.is_empty() {
            urls.extend(cx.http.origins().upstreams("pypi").iter().cloned());
        }
        if urls.is_empty() {
            urls.extend(built_in(cx));
        }
        urls.extend(settings.extra_index_urls.iter().cloned());
        if urls.is_empty() {
            return Err(PackagesError::NoOrigin { packages: "Python packages", tool: "pip", origin: "pypi" });
        }
        let client = pinned::client(cx, settings.cert.as_deref(), settings.proxy.as_deref())?;
        Ok(Self { urls, trusted_hosts: settings.trusted_hosts.clone(), client })
    }

    /// The addresses, to ask one after the other.
    pub(super) fn urls(&self) -> &[String] {
        &self.urls
    }

    /// The files that one index has of a project; nothing where it does not know it.
    pub(super) fn page(&self, index: &str, name: &str) -> Result<Option<IndexPage>, PackagesError> {
        let url = format!("{}/{}/", index.trim_end_matches('/'), normal_name(name));
        let mut request = Request::get(&url).header("accept", IndexPage::ACCEPT);
        request.limit_bytes = PAGE_BYTES;
        request.plain_http = self.is_trusted(&url);
        let response = match self.client.send(&request)?.success() {
            Err(HttpError::NotFound { .. }) => return Ok(None),
            other => other?,
        };
        let content_type = response.header("content-type").unwrap_or_default().to_owned();
        let address = response.address().to_string();
        let page = IndexPage::parse(&response.bytes()?, &content_type, &address);
        page.map(Some)
            .map_err(|error| PackagesError::package(name, format!("has an index page that is refused: {error}")))
    }

    /// Downloads a file into the store: its digest and size. `expected` is checked by whoever knows no size.
    pub(super) fn download(
        &self,
        index: &str,
        file: &IndexFile,
        expected: Option<(Digest, u64)>,
        cx: &Context<'_>,
    ) -> Result<(Digest, u64), PackagesError> {
        let mut download = Download::new(&file.url, PACKAGE_BYTES);
        download.expected = expected;
        download.plain_http = self.is_trusted(&file.url);
        download.credential = credential(index, &file.url);
        Ok(bring::download(&download, &Context { http: &self.client, ..*cx })?)
    }

    /// Brings the file of a part, from whichever index has it.
    pub(super) fn bring(&self, file: &str, part: &Part, cx: &Context<'_>) -> Result<(), PackagesError> {
        let (mut other, mut failed) = (None, None);
        for offer in self.offers(file, part)? {
            let (index, offered) = match offer {
                Ok(offer) => offer,
                Err(error) => {
                    failed = failed.or(Some(error));
                    continue;
                }
            };
            match offered.sha256.filter(|sha256| *sha256 != part.sha256) {
                Some(found) => other = Some((found, offered.url)),
                None => {
                    let (found, _) = self.download(index, &offered, pinned::expected(part), cx)?;
                    return pinned::is_what_was_meant(part, found, &told(&offered.url));
                }
            }
        }
        Err(match other {
            None => failed.unwrap_or_else(|| PackagesError::NotFound { package: part.purl.plain() }),
            Some((found, url)) => PackagesError::Mismatch {
                package: part.purl.plain(),
                by: "the lock".to_owned(),
                expected: part.sha256.to_string(),
                found: found.to_string(),
                place: told(&url),
            },
        })
    }

    /// Whether an index has the file of a part. Without a hash on its page the file itself is asked for.
    pub(super) fn ask(&self, file: &str, part: &Part) -> Result<Obtainable, PackagesError> {
        let (mut answer, mut failed) = (Obtainable::gone(), None);
        for offer in self.offers(file, part)? {
            let (index, offered) = match offer {
                Ok(offer) => offer,
                Err(error) => {
                    failed = failed.or(Some(error));
                    continue;
                }
            };
            if offered.sha256.is_some_and(|sha256| sha256 != part.sha256) {
                answer = Obtainable::other_bytes();
                continue;
            }
            let mut download = Download::new(&offered.url, PACKAGE_BYTES);
            download.plain_http = self.is_trusted(&offered.url);
            download.credential = credential(index, &offered.url);
            match obtainable::look(&self.client, &download, part)? {
                Some(Obtainable::Yes) => return Ok(Obtainable::Yes),
                Some(other) => answer = other,
                None => {}
            }
        }
        // Whoever could not be asked may have it.
        failed.map_or(Ok(answer), Err)
    }

    /// Where a part's file is to be had, index by index, each asked when its turn comes. One that cannot be asked is an error in its
    /// place and not the end: what is wanted is known by its digest, whoever gives it.
    fn offers<'a>(
        &'a self,
        file: &'a str,
        part: &Part,
    ) -> Result<impl Iterator<Item = Result<(&'a str, IndexFile), PackagesError>> + 'a, PackagesError> {
        let named = pinned::purl_parts(part.purl.as_str()).map(|(name, _)| name);
        let name = named.ok_or_else(|| PackagesError::NotFound { package: part.purl.plain() })?;
        Ok(self.urls.iter().flat_map(move |index| match self.page(index, &name) {
            Ok(page) => {
                let files = page.map(|page| page.files).unwrap_or_default();
                files.into_iter().filter(|offered| offered.name == file).map(|it| Ok((index.as_str(), it))).collect()
            }
            Err(error) => vec![Err(error)],
        }))
    }

    fn is_trusted(&self, url: &str) -> bool {
        let authority = url.split_once("://").and_then(|(_, rest)| rest.split(['/', '?', '#']).next());
        let host = authority.and_then(|authority| authority.rsplit('@').next()).unwrap_or_default();
        let bare = host.rsplit_once(':').map_or(host, |(bare, _)| bare);
        self.trusted_hosts.iter().any(|trusted| trusted == host || trusted == bare)
    }
}

/// An address for a message: without user, password and query.
pub(super) fn told(url: &str) -> String {
    let plain = url.split(['?', '#']).next().unwrap_or_default();
    match plain.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
            format!("{scheme}://{}/{path}", authority.rsplit('@').next().unwrap_or_default())
        }
        None => plain.to_owned(),
    }
}

/// The user and password that stand in an index's address, for files of the same server.
fn credential(index: &str, file: &str) -> Option<Credential> {
    if !pinned::same_server(index, file) {
        return None;
    }
    let authority = index.split_once("://")?.1.split('/').next()?;
    let (user, password) = authority.rsplit_once('@')?.0.split_once(':')?;
    let plain = |text: &str| pinned::decoded(text);
    Some(Credential::Basic { user: plain(user)?, password: plain(password)? })
}

fn read_config(cx: &Context<'_>) -> Result<PipConfig, PackagesError> {
    let environment = cx.environment;
    let variable = |name: &str| pinned::variable(environment, name);
    let mut config = PipConfig::default().or(PipSettings::of_environment(variable));
    // Strongest first: pip's documentation, "Configuration", "Precedence".
    let mut files = Vec::new();
    match variable("PIP_CONFIG_FILE") {
        Some(file) if file == "/dev/null" => return Ok(config),
        Some(file) => files.push(PathBuf::from(file)),
        None => {}
    }
    files.extend(variable("VIRTUAL_ENV").map(|folder| PathBuf::from(folder).join("pip.conf")));
    if let Some(home) = variable("HOME").map(PathBuf::from) {
        let configured = variable("XDG_CONFIG_HOME").map_or_else(|| home.join(".config"), PathBuf::from);
        files.push(configured.join("pip/pip.conf"));
        files.push(home.join(".pip/pip.conf"));
    }
    files.push(PathBuf::from("/etc/pip.conf"));
    let folders = variable("XDG_CONFIG_DIRS").unwrap_or_else(|| "/etc/xdg".to_owned());
    files.extend(folders.split(':').map(|folder| PathBuf::from(folder).join("pip/pip.conf")));
    for path in files {
        if let Some(text) = pinned::settings(&path)? {
            let settings = PipSettings::parse(&text).map_err(|source| PackagesError::Settings { path, source })?;
            config = config.or(settings);
        }
    }
    Ok(config)
}

/// The address that this machine's pip has built in; its help tells.
fn built_in(cx: &Context<'_>) -> Option<String> {
    let tries: [(&str, &[&str]); 2] = [("pip", &["help", "install"]), ("python3", &["-m", "pip", "help", "install"])];
    let help = tries.into_iter().find_map(|(program, words)| pinned::ask_tool(program, words, cx.environment))?;
    let (_, behind) = help.split_once("--index-url")?;
    let (_, behind) = behind.split_once("(default")?;
    let url = behind.split_once(')')?.0.split_whitespace().collect::<String>();
    resolve_url(&url, "").is_some().then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_stay_with_their_server() {
        let index = "https://user:pa%40ss@index.example/simple";
        let own = credential(index, "https://index.example/files/x.whl");
        assert!(own == Some(Credential::Basic { user: "user".to_owned(), password: "pa@ss".to_owned() }));
        assert!(credential(index, "https://files.example/x.whl").is_none());
        assert!(credential("https://index.example/simple", "https://index.example/x").is_none());
        assert_eq!(told("https://u:p@files.example/a/b?token=x"), "https://files.example/a/b");
    }
}
