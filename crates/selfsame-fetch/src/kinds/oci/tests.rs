//! Layouts and archives made here, honest and hostile; what is chosen, brought and laid out from them.

mod archives;
mod hostile;
mod images;
mod layouts;
mod packages;
mod registries;

use std::fs;

use selfsame_core::{Platform, SourceEpoch};
use selfsame_definition::OciSpec;
use selfsame_http::Environment;
use selfsame_lock::{Day, Part};
use selfsame_store::Store;
use selfsame_tree::{Kind, Tree};

use crate::context::{Context, Described, Silent};
use crate::resolve::FetchError;

/// A folder for a definition with its layouts and archives, and a store.
struct World {
    folder: tempfile::TempDir,
    store: Store,
    platform: Platform,
    platforms: Vec<Platform>,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        Self { folder, store, platform: "linux/amd64".parse().unwrap(), platforms: Vec::new() }
    }

    fn with<T>(&self, work: impl FnOnce(&Context<'_>) -> T) -> T {
        let environment = Environment::default();
        let http = selfsame_http::Client::new(&environment, selfsame_http::Options::default()).unwrap();
        work(&Context {
            folder: self.folder.path(),
            environment: &environment,
            http: &http,
            store: &self.store,
            platform: &self.platform,
            platforms: &self.platforms,
            offline: false,
            today: Day::of(SourceEpoch::new(1_795_132_800).unwrap()),
            progress: &Silent,
        })
    }

    fn resolve(&self, spec: &OciSpec) -> Result<Vec<Part>, FetchError> {
        self.with(|cx| super::resolve("base", spec, cx))
    }

    fn fetch(&self, spec: &OciSpec, parts: &[Part]) -> Result<(), FetchError> {
        self.with(|cx| super::fetch("base", spec, parts, cx))
    }

    fn tree(&self, parts: &[Part]) -> Result<Tree, FetchError> {
        self.with(|cx| super::tree("base", parts, cx))
    }

    fn describe(&self, parts: &[Part]) -> Vec<Described> {
        self.with(|cx| super::describe("base", parts, cx)).unwrap()
    }

    /// What is said when the image is chosen, or laid out, whichever fails first.
    #[track_caller]
    fn refused(&self, spec: &OciSpec) -> String {
        let error = match self.resolve(spec) {
            Ok(parts) => self.tree(&parts).unwrap_err(),
            Err(error) => error,
        };
        self.chain(&error)
    }

    fn chain(&self, error: &dyn std::error::Error) -> String {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            text.push_str(&format!(": {error}"));
            cause = error.source();
        }
        text.replace(&format!("{}/", self.folder.path().display()), "")
    }

    /// Takes a part out of the store.
    fn lose(&self, part: &Part) {
        fs::remove_file(self.store.blob_path(&part.sha256, false).unwrap().unwrap()).unwrap();
    }
}

fn layout(path: &str, tag: Option<&str>) -> OciSpec {
    OciSpec::Layout { path: path.to_owned(), tag: tag.map(str::to_owned) }
}

fn archive(path: &str, name: Option<&str>) -> OciSpec {
    OciSpec::DockerArchive { path: path.to_owned(), name: name.map(str::to_owned) }
}

/// `path=size`, `path/`, `path>first name`, `path~target`.
fn picture(tree: &Tree) -> String {
    let line = |(path, entry): (&selfsame_core::RelPath, &selfsame_tree::Entry)| match &entry.kind {
        Kind::Directory => format!("{path}/"),
        Kind::File { size, .. } => format!("{path}={size}"),
        Kind::Symlink { target } => format!("{path}~{target}"),
        Kind::HardLink { target } => format!("{path}>{target}"),
    };
    tree.iter().map(line).collect::<Vec<_>>().join(" ")
}

/// `role claim platform` each, sorted.
fn roles(parts: &[Part]) -> String {
    let mut lines: Vec<String> = parts
        .iter()
        .map(|part| {
            let platform = part.platform.as_ref().map(ToString::to_string).unwrap_or_default();
            format!("{} {} {platform}", part.role.as_deref().unwrap_or_default(), part.claim.name())
        })
        .collect();
    lines.sort();
    lines.join(", ")
}
