//! The files of a layout or archive, whether they lie in a folder or in a tar.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use selfsame_core::{Digest, RelPath};
use selfsame_oci::layout::sniffed_layer;
use selfsame_oci::{LayerVisitor, Limits, Lookup, read_pack};
use selfsame_store::{Store, StoreError};
use selfsame_tree::Tree;

use super::error::OciError;

/// The largest document that is read: what registries take.
pub(super) const DOCUMENT_BYTES: u64 = 4 << 20;
/// How much of an archive's small files is kept while its names are read. Others are read again when they are wanted.
const KEPT_BYTES: u64 = 64 << 20;
/// The first bytes of each file, by which a layer's compression is told.
const HEAD_BYTES: usize = 4;

/// A folder, or a tar that was read once from end to end.
pub(super) enum Files {
    Folder(PathBuf),
    Tar(Tar),
}

pub(super) struct Tar {
    path: PathBuf,
    media_type: &'static str,
    /// What is in it, by digest.
    tree: Tree,
    /// By path.
    heads: BTreeMap<RelPath, Vec<u8>>,
    kept: BTreeMap<Digest, Vec<u8>>,
}

/// A file of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) digest: Digest,
    pub(super) size: u64,
    /// The layer media type that its first bytes say.
    pub(super) media_type: &'static str,
}

impl Files {
    /// A folder or a tar, plain or compressed.
    pub(super) fn open(path: PathBuf) -> Result<Self, OciError> {
        let metadata = fs::metadata(&path).map_err(|source| OciError::Io { path: path.clone(), source })?;
        if metadata.is_dir() {
            return Ok(Self::Folder(path));
        }
        if !metadata.is_file() {
            return Err(OciError::NotOne { path, fault: "is neither a folder nor a file".to_owned() });
        }
        Tar::read(path).map(Self::Tar)
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Folder(path) => path,
            Self::Tar(tar) => &tar.path,
        }
    }

    /// A small file; nothing if it is not there.
    pub(super) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, OciError> {
        let too_large = |path: &Path| OciError::NotOne {
            path: path.to_owned(),
            fault: format!("has a `{name}` of more than {DOCUMENT_BYTES} bytes"),
        };
        match self {
            Self::Folder(folder) => {
                let path = folder.join(name);
                let Some(file) = open_file(&path)? else { return Ok(None) };
                let mut bytes = Vec::new();
                let read = file.take(DOCUMENT_BYTES + 1).read_to_end(&mut bytes);
                read.map_err(|source| OciError::Io { path: path.clone(), source })?;
                if bytes.len() as u64 > DOCUMENT_BYTES { Err(too_large(folder)) } else { Ok(Some(bytes)) }
            }
            Self::Tar(tar) => {
                let Some(member) = tar.member(name) else { return Ok(None) };
                if member.size > DOCUMENT_BYTES {
                    return Err(too_large(&tar.path));
                }
                tar.bytes(&member).map(Some)
            }
        }
    }

    /// A file of an archive, through links. Folders have none: their files are found by digest.
    pub(super) fn member(&self, name: &str) -> Option<Member> {
        match self {
            Self::Folder(_) => None,
            Self::Tar(tar) => tar.member(name),
        }
    }

    /// Stores blobs that lie under these names. What has other bytes is refused; which are not there is said.
    pub(super) fn store(
        &self,
        input: &str,
        blobs: &BTreeMap<String, (Digest, u64)>,
        store: &Store,
    ) -> Result<(), OciError> {
        let lacks = |digest| OciError::Lacks { input: input.to_owned(), path: self.path().to_owned(), digest };
        match self {
            Self::Folder(folder) => {
                let list: Vec<_> = blobs.iter().collect();
                crate::parallel::try_map(&list, |(name, (digest, size))| {
                    let mut file = open_file(&folder.join(name))?.ok_or_else(|| lacks(*digest))?;
                    store.put_expecting(&mut file, digest, *size, false).map_err(|error| unexpected(input, error))
                })?;
                Ok(())
            }
            Self::Tar(tar) => {
                let mut wanted = BTreeMap::new();
                for (name, &(digest, size)) in blobs {
                    let found = tar.member(name).ok_or_else(|| lacks(digest))?;
                    if (found.digest, found.size) != (digest, size) {
                        return Err(OciError::OtherBytes {
                            input: input.to_owned(),
                            expected: digest,
                            expected_bytes: size,
                            found: found.digest,
                            found_bytes: found.size,
                        });
                    }
                    wanted.insert(digest, size);
                }
                tar.store(input, wanted, store)
            }
        }
    }
}

/// An error of the store as one about an image.
fn unexpected(input: &str, error: StoreError) -> OciError {
    match error {
        StoreError::Unexpected { expected, expected_bytes, found, found_bytes } => {
            OciError::OtherBytes { input: input.to_owned(), expected, expected_bytes, found, found_bytes }
        }
        source => OciError::Store { source },
    }
}

/// A regular file, also behind a link: some layouts link their blobs. Never waits for a FIFO.
fn open_file(path: &Path) -> Result<Option<File>, OciError> {
    let failed = |source| OciError::Io { path: path.to_owned(), source };
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => File::open(path).map(Some).map_err(failed),
        Ok(_) => Err(OciError::NotOne { path: path.to_owned(), fault: "is not a regular file".to_owned() }),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

impl Tar {
    fn read(path: PathBuf) -> Result<Self, OciError> {
        let failed = |source| OciError::Io { path: path.clone(), source };
        let mut file = File::open(&path).map_err(failed)?;
        let mut head = Vec::new();
        file.by_ref().take(HEAD_BYTES as u64).read_to_end(&mut head).map_err(failed)?;
        let media_type = sniffed_layer(&head);
        let mut names = Names::default();
        let read = read_pack(head.chain(file), media_type, Limits::LAYER, &mut names);
        let read = read.map_err(|source| OciError::Archive { path: path.clone(), source })?;
        let Names { heads, kept, .. } = names;
        let kept = kept.into_iter().map(|bytes| (Digest::of(&bytes), bytes)).collect();
        Ok(Self { path, media_type, tree: read.tree, heads, kept })
    }

    fn member(&self, name: &str) -> Option<Member> {
        let place = Lookup::new(&self.tree).place(&RelPath::new(name).ok()?, true).ok()?;
        let (digest, size) = self.tree.content(place.as_str())?;
        // Of the names of one file the archive may have told any first.
        let first = match &self.tree.entry(place.as_str())?.kind {
            selfsame_tree::Kind::HardLink { target } => target,
            _ => &place,
        };
        let head = self.heads.get(first).or_else(|| self.heads.get(&place)).map_or(&[][..], Vec::as_slice);
        Some(Member { digest, size, media_type: sniffed_layer(head) })
    }

    fn bytes(&self, member: &Member) -> Result<Vec<u8>, OciError> {
        if let Some(bytes) = self.kept.get(&member.digest) {
            return Ok(bytes.clone());
        }
        let mut one = One { digest: member.digest, size: member.size, tree: &self.tree, bytes: Vec::new() };
        self.again(&mut one)?;
        Ok(one.bytes)
    }

    fn store(&self, input: &str, wanted: BTreeMap<Digest, u64>, store: &Store) -> Result<(), OciError> {
        let mut wanted_here = BTreeMap::new();
        for (digest, size) in wanted {
            if store.blob_size(&digest)? != Some(size) {
                wanted_here.insert(digest, size);
            }
        }
        if wanted_here.is_empty() {
            return Ok(());
        }
        let mut taker = Taker { wanted: wanted_here, tree: &self.tree, store, failed: None };
        let read = self.again(&mut taker);
        match taker.failed {
            Some(error) => Err(unexpected(input, error)),
            None => read,
        }
    }

    fn again(&self, visitor: &mut dyn LayerVisitor) -> Result<(), OciError> {
        let file = File::open(&self.path).map_err(|source| OciError::Io { path: self.path.clone(), source })?;
        let read = read_pack(file, self.media_type, Limits::LAYER, visitor);
        read.map(drop).map_err(|source| OciError::Archive { path: self.path.clone(), source })
    }
}

/// The first reading: heads of all files, and the small ones whole.
#[derive(Default)]
struct Names {
    heads: BTreeMap<RelPath, Vec<u8>>,
    kept: Vec<Vec<u8>>,
    kept_bytes: u64,
}

impl LayerVisitor for Names {
    fn file(&mut self, path: &RelPath, size: u64, content: &mut dyn Read) -> io::Result<()> {
        let keep = size <= DOCUMENT_BYTES && self.kept_bytes + size <= KEPT_BYTES;
        let mut bytes = Vec::new();
        content.take(if keep { size } else { HEAD_BYTES as u64 }).read_to_end(&mut bytes)?;
        self.heads.insert(path.clone(), bytes.iter().copied().take(HEAD_BYTES).collect());
        if keep {
            self.kept_bytes += size;
            self.kept.push(bytes);
        }
        Ok(())
    }
}

/// Reads one file, by what the first reading found.
struct One<'a> {
    digest: Digest,
    size: u64,
    tree: &'a Tree,
    bytes: Vec<u8>,
}

impl LayerVisitor for One<'_> {
    fn file(&mut self, path: &RelPath, size: u64, content: &mut dyn Read) -> io::Result<()> {
        if self.bytes.is_empty() && self.tree.content(path.as_str()) == Some((self.digest, self.size)) {
            content.take(size).read_to_end(&mut self.bytes)?;
        }
        Ok(())
    }
}

/// Stores files, by what the first reading found.
struct Taker<'a> {
    wanted: BTreeMap<Digest, u64>,
    tree: &'a Tree,
    store: &'a Store,
    failed: Option<StoreError>,
}

impl LayerVisitor for Taker<'_> {
    fn file(&mut self, path: &RelPath, _: u64, content: &mut dyn Read) -> io::Result<()> {
        let Some((digest, size)) = self.tree.content(path.as_str()) else { return Ok(()) };
        if self.wanted.remove(&digest).is_none() {
            return Ok(());
        }
        self.store.put_expecting(content, &digest, size, false).map_err(|error| {
            self.failed = Some(error);
            io::Error::other("not stored")
        })
    }
}
