//! A machine of a test's own: an environment, a store, certificates, and little patience.

use std::path::PathBuf;
use std::time::Duration;

use selfsame_core::Digest;
use selfsame_http::{Client, Environment, HttpError, Options, Patience};
use selfsame_store::Store;
use selfsame_testing::authority::Authority;
use tempfile::TempDir;

pub(crate) struct World {
    pub(crate) folder: TempDir,
    pub(crate) store: Store,
    pub(crate) environment: Environment,
    pub(crate) options: Options,
}

impl World {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        let environment =
            Environment { variables: [("HOME".into(), folder.path().join("home").into_os_string())].into() };
        std::fs::create_dir(folder.path().join("home")).unwrap();
        let patience = Patience {
            connect: Duration::from_secs(5),
            silence: Duration::from_secs(2),
            digestion: Duration::from_secs(5),
            window: Duration::from_secs(1),
            window_bytes: 1000,
            whole: Duration::from_secs(60),
            retries: 3,
            pause: Duration::from_millis(5),
            longest_pause: Duration::from_secs(2),
        };
        Self { folder, store, environment, options: Options { patience, ..Options::default() } }
    }

    pub(crate) fn set(&mut self, name: &str, value: impl Into<std::ffi::OsString>) {
        self.environment.variables.insert(name.into(), value.into());
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// An authority that this machine trusts.
    pub(crate) fn authority(&mut self) -> Authority {
        let authority = Authority::new("a company");
        let path = authority.write(&self.path("company.pem"));
        self.set("SSL_CERT_FILE", path);
        authority
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(&self.environment, self.options.clone()).unwrap()
    }

    /// Nothing half-written, nothing under a wrong name: so many blobs, each of them whole.
    pub(crate) fn has_blobs(&self, count: u64) {
        let report = self.store.check(&mut |_| {}).unwrap();
        assert!(report.is_clean(), "{report:?}");
        assert_eq!(report.blobs, count);
    }
}

/// A file of some size, no two parts of it equal.
pub(crate) fn file(size: usize) -> (Vec<u8>, Digest) {
    let bytes: Vec<u8> =
        (0_u32..).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).take(size).collect();
    let digest = Digest::of(&bytes);
    (bytes, digest)
}

/// An error and everything it can print, in which nothing of `secrets` may be.
pub(crate) fn tells_nothing(error: &HttpError, secrets: &[&str]) {
    let mut text = format!("{error} {error:?}");
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text.push_str(&format!(" {inner} {inner:?}"));
        source = inner.source();
    }
    for secret in secrets {
        assert!(!text.contains(secret), "{text}");
    }
}
