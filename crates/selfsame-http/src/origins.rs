//! `origins.toml`: where this machine gets things from, and what it shows there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use selfsame_core::suggest::nearest;
use selfsame_definition::document::{self, Field, Table, TextError};

use crate::address::Address;
use crate::credential::CredentialSource;

/// This machine's mirrors, certificates and credentials. docs/origins.md describes the file; nothing of it is in a lock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins {
    /// By name: an ecosystem (`pypi`, `npm`, `debian`) or a host.
    pub origins: BTreeMap<String, Origin>,
    /// Where inputs are shared.
    pub store: Option<RemoteStore>,
    /// What of a lock is put there.
    pub share: Share,
}

/// What is shared with other machines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Share {
    /// What no origin has: files and repositories of this machine.
    #[default]
    OnlyHere,
    /// Everything that is locked, so that other machines need no origin.
    All,
}

/// One origin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Addresses that are asked instead, in this order, without a last slash.
    pub upstream: Vec<String>,
    /// Other hosts that mean this origin.
    pub aliases: Vec<String>,
    /// Files of certificates that vouch for its hosts, in addition to the system's.
    pub ca: Vec<PathBuf>,
    /// What proves to its hosts who asks.
    pub credential: Option<CredentialSource>,
}

/// Where inputs are shared between machines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemoteStore {
    /// `oci://HOST[:PORT]/PATH`: a repository of a registry.
    Registry {
        /// With its port.
        host: String,
        /// The repository.
        repository: String,
    },
    /// A folder.
    Folder(PathBuf),
}

impl Origins {
    /// Reads the file. Relative paths in it are below `folder`, where it lies.
    ///
    /// # Errors
    /// The first fault, with its place. No text of a credential is in it.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, TextError> {
        document::parse(text, |table| {
            let table = table.only(&["origin", "store"])?;
            let mut origins = BTreeMap::new();
            if let Some(field) = table.field("origin") {
                for (name, field) in field.table()?.fields() {
                    if name.as_str().is_empty() || name.as_str().chars().any(|c| c.is_whitespace() || c == '/') {
                        return Err(name.fault("an origin's name is an ecosystem or a host"));
                    }
                    origins.insert(name.as_str().to_ascii_lowercase(), origin(field.table()?, folder)?);
                }
            }
            let store = table.field("store").map(|field| store(field.table()?, folder)).transpose()?;
            let (store, share) = store.map_or((None, Share::default()), |(store, share)| (Some(store), share));
            Ok(Self { origins, store, share })
        })
    }

    /// Where an ecosystem's or a host's things are had, as configured; empty where nothing is.
    #[must_use]
    pub fn upstreams(&self, name: &str) -> &[String] {
        self.origins.get(name).map_or(&[], |origin| &origin.upstream)
    }

    /// Origins whose name is neither a host nor an ecosystem's, but near one: the name, and what it may have meant. A word
    /// that is near none may be a distribution or a host of one's own network.
    #[must_use]
    pub fn slips(&self) -> Vec<(&str, String)> {
        /// Ecosystems, and what other people call them.
        const KNOWN: [(&str, &[&str]); 6] = [
            ("pypi", &["pip", "python", "wheels", "uv"]),
            ("npm", &["node", "npmjs", "yarn", "pnpm"]),
            ("go", &["golang", "goproxy"]),
            ("debian", &["deb", "apt", "dpkg"]),
            ("ubuntu", &[]),
            ("docker", &["oci", "registry", "container", "containers", "dockerhub", "image"]),
        ];
        let slip = |name: &str| {
            let known = || KNOWN.iter().map(|(known, _)| *known);
            if name.contains(['.', ':']) || name == "localhost" || known().any(|known| known == name) {
                return None;
            }
            if ["cargo", "crates", "crate", "rust"].contains(&name) {
                return Some("crates are had by cargo's own configuration".to_owned());
            }
            let other = KNOWN.iter().find(|(_, others)| others.contains(&name)).map(|(known, _)| *known);
            other.or_else(|| nearest(name, known())).map(|meant| format!("did you mean `[origin.{meant}]`?"))
        };
        self.origins.keys().filter_map(|name| Some((name.as_str(), slip(name)?))).collect()
    }

    /// The origin that a host means: by its name, or as one of its aliases.
    #[must_use]
    pub fn named(&self, host: &str) -> Option<&Origin> {
        let meant = |(name, origin): &(&String, &Origin)| {
            *name == host || origin.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(host))
        };
        self.origins.iter().find(meant).map(|(_, origin)| origin)
    }

    /// Where a file is asked for: below each upstream of its host's origin, or at its own address where there is none.
    pub(crate) fn places(&self, address: &Address) -> Vec<Address> {
        let origin = self.named(address.host()).filter(|origin| !origin.upstream.is_empty());
        let Some(origin) = origin else { return vec![address.clone()] };
        let upstreams = origin.upstream.iter().filter_map(|upstream| Address::parse(upstream).ok());
        upstreams.map(|upstream| address.below(&upstream)).collect()
    }

    /// The origin with its name that a host's certificate and credential belong to: one with the host in an upstream, or
    /// one without upstreams that the host means.
    pub(crate) fn serving(&self, address: &Address) -> Option<(&str, &Origin)> {
        let place = (address.host(), address.port());
        let serves = |origin: &Origin| {
            let mut upstreams = origin.upstream.iter().filter_map(|upstream| Address::parse(upstream).ok());
            upstreams.any(|upstream| (upstream.host(), upstream.port()) == place)
        };
        let by_upstream = self.origins.iter().find(|(_, origin)| serves(origin));
        let host_and_port = format!("{}:{}", place.0, place.1);
        let by_name = || {
            self.origins.iter().find(|(name, origin)| {
                let hosts = std::iter::once(*name).chain(&origin.aliases);
                origin.upstream.is_empty()
                    && hosts.into_iter().any(|host| host.eq_ignore_ascii_case(place.0) || **host == *host_and_port)
            })
        };
        by_upstream.or_else(by_name).map(|(name, origin)| (name.as_str(), origin))
    }

    /// Whether the machine's owner wrote `http://` before this host.
    pub(crate) fn allows_plain(&self, address: &Address) -> bool {
        let upstreams = self.origins.values().flat_map(|origin| &origin.upstream);
        let mut plain = upstreams.filter_map(|upstream| Address::parse(upstream).ok()).filter(|at| !at.is_https());
        plain.any(|upstream| (upstream.host(), upstream.port()) == (address.host(), address.port()))
    }
}

fn origin(table: Table<'_, '_>, folder: &Path) -> Result<Origin, TextError> {
    let table = table.only(&["upstream", "aliases", "ca", "credential"])?;
    let mut origin = Origin::default();
    for field in several(&table, "upstream")? {
        let text = field.filled()?.trim_end_matches('/');
        let address = Address::parse(text).map_err(|why| field.fault(format!("`{}`: {why}", field.name())))?;
        if address.user().is_some() {
            return Err(field.fault(format!("`{}` holds a user; that is what `credential` is for", field.name())));
        }
        if text.contains(['?', '#']) {
            return Err(field.fault(format!("`{}` has a query", field.name())));
        }
        origin.upstream.push(text.to_owned());
    }
    for field in several(&table, "aliases")? {
        let host = field.filled()?.to_ascii_lowercase();
        Address::parse(&format!("https://{host}/"))
            .ok()
            .filter(|address| address.target() == "/" && address.user().is_none())
            .ok_or_else(|| field.fault(format!("`{}` is not a host", field.name())))?;
        origin.aliases.push(host);
    }
    for field in several(&table, "ca")? {
        origin.ca.push(folder.join(field.filled()?));
    }
    origin.credential = table.field("credential").map(|field| field.parsed()).transpose()?;
    Ok(origin)
}

/// One string or several.
fn several<'t, 'v>(table: &Table<'t, 'v>, key: &str) -> Result<Vec<Field<'t, 'v>>, TextError> {
    let Some(field) = table.field(key) else { return Ok(Vec::new()) };
    if field.string().is_ok() { Ok(vec![field]) } else { field.list() }
}

fn store(table: Table<'_, '_>, folder: &Path) -> Result<(RemoteStore, Share), TextError> {
    let table = table.only(&["remote", "share"])?;
    let share = match table.field("share") {
        None => Share::default(),
        Some(field) => match field.filled()? {
            "only-here" => Share::OnlyHere,
            "all" => Share::All,
            _ => return Err(field.fault(format!("`{}` is not `only-here` or `all`", field.name()))),
        },
    };
    Ok((remote(&table.need("remote")?, folder)?, share))
}

fn remote(field: &Field<'_, '_>, folder: &Path) -> Result<RemoteStore, TextError> {
    let text = field.filled()?;
    let Some(rest) = text.strip_prefix("oci://") else {
        if text.contains("://") {
            return Err(field.fault(format!("`{}` is not `oci://HOST/PATH` or a folder", field.name())));
        }
        return Ok(RemoteStore::Folder(folder.join(text)));
    };
    let fault = || field.fault(format!("`{}` is not `oci://HOST/PATH`", field.name()));
    let (host, repository) = rest.split_once('/').ok_or_else(fault)?;
    let address = Address::parse(&format!("https://{host}/")).map_err(|_| fault())?;
    let part = |part: &str| {
        let fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
        part.bytes().all(fine) && part.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric())
    };
    if address.user().is_some() || !repository.split('/').all(part) {
        return Err(fault());
    }
    Ok(RemoteStore::Registry { host: host.to_ascii_lowercase(), repository: repository.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Origins, TextError> {
        Origins::parse(text, Path::new("/etc/selfsame"))
    }

    #[test]
    fn everything_that_can_be_said() {
        let text = r#"
            [origin.pypi]
            upstream = ["https://mirror.corp.example:8443/pypi/simple/", "http://10.0.0.5/simple"]
            ca = "corp.pem"
            credential = "exec:corp-login --for pypi"

            [origin."Files.Example"]
            aliases = ["old.example", "cdn.example"]
            ca = ["/abs.pem", "rel.pem"]
            credential = "netrc"

            [store]
            remote = "oci://registry.corp.example:5000/build/inputs"
        "#;
        let origins = parse(text).unwrap();
        let registry = ("registry.corp.example:5000".to_owned(), "build/inputs".to_owned());
        assert_eq!(origins.store, Some(RemoteStore::Registry { host: registry.0, repository: registry.1 }));
        assert_eq!(
            origins.upstreams("pypi"),
            ["https://mirror.corp.example:8443/pypi/simple", "http://10.0.0.5/simple"]
        );
        assert!(origins.upstreams("npm").is_empty());
        let pypi = &origins.origins["pypi"];
        assert_eq!(pypi.ca, [Path::new("/etc/selfsame/corp.pem")]);
        let words = ["corp-login", "--for", "pypi"].map(str::to_owned).to_vec();
        assert_eq!(pypi.credential, Some(CredentialSource::Command(words)));
        let files = origins.named("cdn.example").unwrap();
        assert_eq!(files.ca, [Path::new("/abs.pem"), Path::new("/etc/selfsame/rel.pem")]);
        assert_eq!(Some(files), origins.named("files.example"));

        let serving = |url: &str| origins.serving(&Address::parse(url).unwrap()).map(|(name, _)| name.to_owned());
        assert_eq!(serving("https://mirror.corp.example:8443/any").as_deref(), Some("pypi"));
        assert_eq!(serving("https://mirror.corp.example/any"), None, "another port is another server");
        assert_eq!(serving("https://old.example/f").as_deref(), Some("files.example"));
        assert_eq!(serving("https://pypi/"), None, "upstreams stand in for it");
        let plain = |url: &str| origins.allows_plain(&Address::parse(url).unwrap());
        assert!(
            plain("http://10.0.0.5/x") && !plain("http://10.0.0.6/x") && !plain("http://mirror.corp.example:8443/")
        );
    }

    #[test]
    fn the_page_has_a_file_that_is_read() {
        let page = include_str!("../../../docs/origins.md");
        let example = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
        let origins = parse(example).unwrap();
        assert_eq!(origins.origins.len(), 4);
        let places = origins.places(&Address::parse("https://old-name.example/a/b?c").unwrap());
        let places: Vec<String> = places.iter().map(Address::request).collect();
        assert_eq!(places, ["https://mirror.corp.example:8443/files/a/b?c", "https://files.example/a/b?c"]);
    }

    #[test]
    fn names_that_nothing_is_asked_of_are_told() {
        let text =
            "[origin.debain]\n[origin.pip]\n[origin.cargo]\n[origin.debian]\n[origin.kali]\n[origin.\"a.example\"]\n";
        let origins = parse(text).unwrap();
        let slips: Vec<String> = origins.slips().into_iter().map(|(name, meant)| format!("{name}: {meant}")).collect();
        assert_eq!(
            slips,
            [
                "cargo: crates are had by cargo's own configuration",
                "debain: did you mean `[origin.debian]`?",
                "pip: did you mean `[origin.pypi]`?",
            ]
        );
    }

    #[test]
    fn folders_and_nothing() {
        assert_eq!(parse("").unwrap(), Origins::default());
        let folder = |text: &str| parse(&format!("[store]\nremote = \"{text}\"\n")).unwrap().store.unwrap();
        assert_eq!(folder("/mnt/inputs"), RemoteStore::Folder("/mnt/inputs".into()));
        assert_eq!(folder("inputs"), RemoteStore::Folder("/etc/selfsame/inputs".into()));
        let share = |text: &str| parse(&format!("[store]\nremote = \"x\"\n{text}\n")).unwrap().share;
        assert_eq!((share(""), share("share = \"only-here\"")), (Share::OnlyHere, Share::OnlyHere));
        assert_eq!(share("share = \"all\""), Share::All);
    }

    #[test]
    fn faults_have_their_place() {
        for (text, fault) in [
            ("[origins.pypi]", "1:2: unknown key `origins`"),
            ("[origin.pypi]\nupstreams = []", "2:1: unknown key `upstreams` in `origin.pypi`"),
            (
                "[origin.pypi]\nupstream = [\"https://a\", \"ftp://b\"]",
                "2:26: `origin.pypi.upstream[1]`: it does not begin with https:// or http://",
            ),
            (
                "[origin.pypi]\nupstream = \"https://me:x@a\"",
                "2:12: `origin.pypi.upstream` holds a user; that is what `credential` is for",
            ),
            ("[origin.pypi]\nupstream = \"https://a/?x=1\"", "2:12: `origin.pypi.upstream` has a query"),
            ("[origin.pypi]\naliases = [\"a/b\"]", "2:12: `origin.pypi.aliases[0]` is not a host"),
            ("[origin.pypi]\nca = 5", "2:6: `origin.pypi.ca` is an integer; an array is wanted"),
            (
                "[origin.pypi]\ncredential = \"hunter2\"",
                "2:14: `origin.pypi.credential`: not `env:NAME`, `netrc` or `exec:COMMAND`",
            ),
            (
                "[origin.pypi]\ncredential = \"env:A B\"",
                "2:14: `origin.pypi.credential`: not `env:NAME`, `netrc` or `exec:COMMAND`",
            ),
            ("[origin.\"a b\"]", "1:9: an origin's name is an ecosystem or a host"),
            ("[store]\nremote = \"oci://host\"", "2:10: `store.remote` is not `oci://HOST/PATH`"),
            ("[store]\nremote = \"oci://host/UP\"", "2:10: `store.remote` is not `oci://HOST/PATH`"),
            ("[store]\nremote = \"s3://host/x\"", "2:10: `store.remote` is not `oci://HOST/PATH` or a folder"),
            ("[store]", "1:1: `store.remote` is missing"),
            ("[store]\nremote = \"/x\"\nshare = \"some\"", "3:9: `store.share` is not `only-here` or `all`"),
        ] {
            let found = parse(text).unwrap_err().to_string();
            assert!(found.starts_with(fault), "{text}\n{found}\n{fault}");
        }
    }
}
