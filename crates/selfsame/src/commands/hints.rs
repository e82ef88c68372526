//! What to do about inputs that cannot be had: one line a fault, each with something to type or to write.

use std::error::Error;

use selfsame_fetch::{DebInputError, FetchError, HttpError, OciError, PackagesError};
use selfsame_registry::RegistryError;
use selfsame_store::StoreError;

/// Where the store's disk is full.
pub(super) const FULL: &str = "`selfsame store du` says what the store holds, `selfsame store gc --max-size SIZE` removes what was used longest ago";

/// The hint for an input that was not resolved, fetched or laid out, if one would help.
pub(super) fn of_fetch(error: &FetchError) -> Option<String> {
    if is_full(error) {
        return Some(FULL.to_owned());
    }
    match error {
        FetchError::Http(error) => http(error),
        FetchError::Deb(error) => deb(error),
        FetchError::Packages(error) => packages(error),
        FetchError::Oci(OciError::Registry(error)) => registry(error),
        other => below(other),
    }
}

/// Whether the store had no space left, whatever was to be stored.
fn is_full(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if matches!(error.downcast_ref(), Some(StoreError::Full { .. })) {
            return true;
        }
        next = error.source();
    }
    false
}

/// The hint for whatever the network said, deep down.
fn below(error: &(dyn Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        let hint = error.downcast_ref::<HttpError>().and_then(http);
        let hint = hint.or_else(|| error.downcast_ref::<RegistryError>().and_then(registry));
        if hint.is_some() {
            return hint;
        }
        next = error.source();
    }
    None
}

fn http(error: &HttpError) -> Option<String> {
    let text = match error {
        HttpError::WebPage { .. } => {
            "credential missing? Servers that want a login often answer with a page: see `credential` in docs/origins.md"
        }
        HttpError::Refused { .. } => {
            "credential missing? ~/.netrc, or `credential` of an origin in origins.toml, names one: docs/origins.md"
        }
        HttpError::ProxyRefused { .. } => "the proxy wants a login: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT",
        HttpError::Certificate { .. } => {
            "`--ca FILE` trusts one more authority, SSL_CERT_FILE another set, `ca` of an origin one for its hosts alone"
        }
        HttpError::PrivateRedirect { .. } => {
            "if that server is to be asked, name it as `upstream` of the origin in origins.toml"
        }
        HttpError::PlainHttp { .. } => "write an `http://` upstream into origins.toml if this server has no https",
        HttpError::Offline { .. } => "run it again without `--offline`",
        _ => return None,
    };
    Some(text.to_owned())
}

/// The hint for what a registry said.
pub(super) fn registry(error: &RegistryError) -> Option<String> {
    match error {
        RegistryError::NoRegistry { reference } => Some(format!(
            "write HOST/{reference}, or say in origins.toml where such names are had: [origin.docker] upstream = [\"https://HOST\"]"
        )),
        RegistryError::Refused { as_somebody: false, .. } => Some(
            "credential missing? `docker login`, `podman login` or `skopeo login` leave one that is read".to_owned(),
        ),
        RegistryError::Refused { as_somebody: true, .. } => {
            Some("the login that was used may not do this: log in as somebody who may".to_owned())
        }
        RegistryError::Http { source, .. } => http(source),
        _ => None,
    }
}

/// What to do where mirrors have dropped the versions of a lock.
pub(super) const SNAPSHOT: &str = "an archive that keeps old versions, behind this machine's mirror, has them: [origin.debian] upstream = [\"MIRROR\", \
    \"https://SNAPSHOT-HOST/archive/debian/20261120T000000Z\"] in origins.toml, with the day of the lock (docs/inputs/deb.md)";

fn deb(error: &DebInputError) -> Option<String> {
    match error {
        DebInputError::NoApt => {
            Some("run `selfsame lock` on a machine with apt and commit selfsame.lock: builds need no apt".to_owned())
        }
        DebInputError::NoSources | DebInputError::NoPlace { .. } => Some(
            "say in origins.toml where packages are had: [origin.debian] upstream = [\"https://HOST/debian\"]"
                .to_owned(),
        ),
        DebInputError::Dropped { .. } => Some(SNAPSHOT.to_owned()),
        DebInputError::NoSuite { known, .. } => {
            known.first().map(|suite| format!("write `suite = \"{suite}\"`, or leave `suite` out"))
        }
        DebInputError::NotChosen { package } => Some(format!("`apt-cache policy {package}` says what apt knows of it")),
        other => below(other),
    }
}

fn packages(error: &PackagesError) -> Option<String> {
    match error {
        PackagesError::Http(error) => http(error),
        PackagesError::NoOrigin { origin, .. } => {
            Some(format!("write into origins.toml: [origin.{origin}] upstream = [\"https://HOST/PATH\"]"))
        }
        PackagesError::Private { .. } => Some(
            "if a proxy of your own has it: `GONOPROXY=none`, with `GOPROXY` naming that proxy; or carry it in the source: `go mod vendor`"
                .to_owned(),
        ),
        PackagesError::NoFit { .. } => {
            Some("`python = \"3.N\"` in the input says which Python wheels have to fit".to_owned())
        }
        PackagesError::Offline { .. } => Some("run `selfsame fetch` where there is a network".to_owned()),
        PackagesError::Mismatch { by, .. } => {
            Some(format!("somebody replaced a published package, or `{by}` was edited: ask before you accept it"))
        }
        PackagesError::NoLock { .. } => {
            Some("let the ecosystem's own tool write it, and commit it with the source".to_owned())
        }
        other => below(other),
    }
}
