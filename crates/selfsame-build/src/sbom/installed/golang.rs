//! Go: what its programs say they are made of, and the folders that Go itself is installed in.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use selfsame_core::{Digest, RelPath};
use selfsame_pins::go::{BuildInfo, GoMod};
use selfsame_pins::zip::ReadAt;
use selfsame_store::Store;

use super::{Found, MAX_DESCRIPTION, MAX_PACKAGES, Root};
use crate::error::BuildError;
use crate::sbom::identity::{Ecosystem, Identity, purl_of};

/// How Go's standard library is called where modules are.
const STANDARD: &str = "stdlib";

/// A file that may be a program.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) path: RelPath,
    pub(crate) digest: Digest,
    pub(crate) size_bytes: u64,
    /// As which of its two blobs it is in the store.
    pub(crate) executable: bool,
}

/// The modules that programs are made of, Go's standard library with them. What is a module of `source` is no package: it
/// is what is built.
pub(crate) fn programs(programs: &[Candidate], source: &Root<'_>) -> Result<Vec<Found>, BuildError> {
    let mut read: BTreeMap<Digest, Option<BuildInfo>> = BTreeMap::new();
    let mut own = None;
    let mut found: BTreeMap<Identity, Found> = BTreeMap::new();
    for candidate @ Candidate { path, digest, .. } in programs {
        if !read.contains_key(digest) {
            read.insert(*digest, program(candidate, source.store)?);
        }
        let Some(Some(info)) = read.get(digest) else { continue };
        let own = match &mut own {
            Some(own) => own,
            None => own.insert(modules_of(source)?),
        };
        let main = info.main_version.iter().filter(|module| !own.contains(&module.path));
        let modules = info.modules.iter().chain(main).map(|module| (module.path.as_str(), module.version.as_str()));
        for (name, version) in modules.chain(info.release().map(|release| (STANDARD, release))) {
            let identity = Identity::new(Ecosystem::Golang, name, version);
            if found.len() >= MAX_PACKAGES && !found.contains_key(&identity) {
                continue;
            }
            let Some(purl) = purl_of(Ecosystem::Golang, name, version) else { continue };
            let package = found.entry(identity.clone()).or_insert_with(|| Found {
                identity,
                purl,
                name: name.to_owned(),
                version: version.to_owned(),
                license: None,
                supplier: None,
                place: path.clone(),
                files: BTreeSet::new(),
                within: BTreeSet::new(),
                needs: BTreeSet::new(),
            });
            package.within.insert(path.clone());
        }
    }
    Ok(found.into_values().collect())
}

/// Where Go is installed in a tree: the file that says which release it is, under its standard library's identity.
pub(crate) fn go_roots(root: &Root<'_>) -> Result<Vec<(Identity, RelPath)>, BuildError> {
    let mut roots = Vec::new();
    for (path, _) in root.tree.iter().filter(|(path, _)| path.file_name() == "VERSION") {
        let folder = path.parent().map(|folder| folder.as_str().to_owned()).unwrap_or_default();
        let sources = format!("{folder}/src/runtime/proc.go");
        if root.tree.content(sources.trim_start_matches('/')).is_none() {
            continue;
        }
        let Some(bytes) = root.file(path.as_str(), 4096)? else { continue };
        let text = String::from_utf8_lossy(&bytes);
        let release = text.lines().next().and_then(|line| line.trim().strip_prefix("go"));
        if let Some(release) = release {
            roots.push((Identity::new(Ecosystem::Golang, STANDARD, release), path.clone()));
        }
    }
    Ok(roots)
}

/// The modules whose `go.mod` a source has.
fn modules_of(source: &Root<'_>) -> Result<BTreeSet<String>, BuildError> {
    let mut own = BTreeSet::new();
    for (path, _) in source.tree.iter().filter(|(path, _)| path.file_name() == "go.mod") {
        let Some(bytes) = source.file(path.as_str(), MAX_DESCRIPTION)? else { continue };
        own.extend(GoMod::parse(&String::from_utf8_lossy(&bytes)).ok().map(|module| module.path));
    }
    Ok(own)
}

fn program(candidate: &Candidate, store: &Store) -> Result<Option<BuildInfo>, BuildError> {
    let Candidate { digest, size_bytes, executable, .. } = *candidate;
    let failed = |source| BuildError::Io { what: format!("read blob {digest}"), source };
    let paths = store.checked_paths(&[(digest, size_bytes, executable)].into())?;
    let Some(path) = paths.into_values().next() else { return Ok(None) };
    let file = File::open(path).map_err(failed)?;
    BuildInfo::read(&Blob { file, size_bytes }).map_err(failed)
}

/// A blob as a file that is read anywhere; checked before.
struct Blob {
    file: File,
    size_bytes: u64,
}

impl ReadAt for Blob {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }
}
