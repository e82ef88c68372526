//! A layer, ours or anybody's, becomes a tree: decompressed, hashed, every member checked, nothing unpacked.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

use selfsame_core::{Digest, RelPath};
use selfsame_tree::{Entry, Kind, Tree, TreeError};

use crate::dialect::{DIRECTORY, FILE, HARD_LINK, SYMLINK};
use crate::entries::{Bounds, Broken, Entries, EntryFault, Special};
use crate::header::RawEntry;
use crate::inflate::{Hashing, Sums, through};
use crate::layer::WHITEOUT;
use crate::layout::layer_encoding;

/// Reads a layer that a descriptor announced with `media_type`: gzip, zstd or plain, OCI's names or Docker's.
///
/// The whole of `reader` is read, on a thread of its own; `visitor` sees the content of every file in the layer's order.
pub fn read_layer(
    reader: impl Read + Send,
    media_type: &str,
    limits: Limits,
    visitor: &mut dyn LayerVisitor,
) -> Result<ReadLayer, ReadError> {
    let (pack, collected) = read(reader, media_type, limits, visitor, true)?;
    let ReadPack { tree, diff_id, diff_size, digest, size } = pack;
    let Collected { whiteouts, specials, .. } = collected;
    Ok(ReadLayer { tree, whiteouts, specials, diff_id, diff_size, digest, size })
}

/// Reads a pack, or any other tar that is not a layer: names beginning with `.wh.` are names like others, and devices
/// are refused.
pub fn read_pack(
    reader: impl Read + Send,
    media_type: &str,
    limits: Limits,
    visitor: &mut dyn LayerVisitor,
) -> Result<ReadPack, ReadError> {
    let limits = Limits { specials: Specials::Refuse, ..limits };
    Ok(read(reader, media_type, limits, visitor, false)?.0)
}

/// How much is read, and what of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most members, extended headers counted.
    pub members: u64,
    /// The largest tar, in bytes: where a gzip bomb stops.
    pub diff_size_bytes: u64,
    /// Names, link texts and attributes together, in bytes: they are held in memory.
    pub metadata_bytes: u64,
    /// What happens to devices and FIFOs.
    pub specials: Specials,
}

/// What happens to devices and FIFOs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Specials {
    /// They are an error.
    Refuse,
    /// They are listed in [`ReadLayer::specials`].
    Report,
}

impl Limits {
    /// A million members, 64 GiB, 256 MiB of names and attributes, no devices.
    pub const LAYER: Self =
        Self { members: 1_000_000, diff_size_bytes: 64 << 30, metadata_bytes: 256 << 20, specials: Specials::Refuse };
}

/// Sees what a layer holds, as it is read. `()` looks at nothing.
pub trait LayerVisitor {
    /// A file's content. What is left unread is skipped. An error stops the reading.
    fn file(&mut self, path: &RelPath, size: u64, content: &mut dyn Read) -> io::Result<()>;

    /// A member's mode, before its content: for whoever stores executables apart.
    fn mode(&mut self, path: &RelPath, mode: u32) {
        let _ = (path, mode);
    }

    /// What a member's header says that a tree does not hold: its time (seconds since 1970) and the names of its
    /// owners.
    fn header(&mut self, path: &RelPath, mtime: i64, user: &[u8], group: &[u8]) {
        let _ = (path, mtime, user, group);
    }
}

impl LayerVisitor for () {
    fn file(&mut self, _: &RelPath, _: u64, _: &mut dyn Read) -> io::Result<()> {
        Ok(())
    }
}

/// A layer that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadLayer {
    /// What it adds or changes. Of the names of one file, the first by its bytes has the content and the others are
    /// hard links to it, whatever order the tar had.
    pub tree: Tree,
    /// What it takes away from the layers below.
    pub whiteouts: BTreeSet<Whiteout>,
    /// Devices and FIFOs, if [`Specials::Report`].
    pub specials: BTreeMap<RelPath, Special>,
    /// Of the tar.
    pub diff_id: Digest,
    /// Of the tar, in bytes.
    pub diff_size: u64,
    /// Of the bytes as stored.
    pub digest: Digest,
    /// As stored, in bytes.
    pub size: u64,
}

/// A pack that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadPack {
    /// What it holds.
    pub tree: Tree,
    /// Of the tar.
    pub diff_id: Digest,
    /// Of the tar, in bytes.
    pub diff_size: u64,
    /// Of the bytes as stored.
    pub digest: Digest,
    /// As stored, in bytes.
    pub size: u64,
}

/// What a layer takes away (image-spec, layer.md, "Whiteouts").
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whiteout {
    /// The file or folder at this path, with all below it.
    Path(RelPath),
    /// All that the layers below have in this folder.
    Opaque(RelPath),
}

/// Why a layer is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// A media type that is not read: encrypted, or not a layer.
    #[error("a layer of the media type `{}` is not read; gzip, zstd and plain tar are", media_type.escape_debug())]
    MediaType {
        /// As announced.
        media_type: String,
    },
    /// The stream failed, or its compression does.
    #[error("the layer's bytes cannot be read")]
    Stream {
        /// What failed.
        source: io::Error,
    },
    /// The tar ends within a member or before its end mark.
    #[error("the tar ends at byte {offset}, before its end mark")]
    Truncated {
        /// Where.
        offset: u64,
    },
    /// Something other than zeros behind the end mark.
    #[error("the tar goes on behind its end mark, before byte {offset}")]
    BehindEnd {
        /// Up to where it was read.
        offset: u64,
    },
    /// A second gzip member, or other bytes, behind the first.
    #[error("there are bytes behind the gzip member")]
    SecondMember,
    /// More members than are read.
    #[error("more than {limit} members")]
    TooMany {
        /// How many are read.
        limit: u64,
    },
    /// A larger tar than is read.
    #[error("a tar of more than {limit_bytes} bytes")]
    TooLarge {
        /// How many are read.
        limit_bytes: u64,
    },
    /// More names, link texts and attributes than are held.
    #[error("more than {limit_bytes} bytes of names, link texts and attributes")]
    Metadata {
        /// How many are held.
        limit_bytes: u64,
    },
    /// A header that is refused before its name is known.
    #[error("the member at byte {offset} of the tar {fault}")]
    Header {
        /// Where its header stands.
        offset: u64,
        /// The rest of the sentence.
        fault: EntryFault,
    },
    /// A member that is refused.
    #[error("`{}` {fault}", path.escape_debug())]
    Entry {
        /// Its name.
        path: String,
        /// The rest of the sentence.
        fault: EntryFault,
    },
    /// Members that do not make a tree: one below a link or a file, for instance.
    #[error("the layer's members do not make a tree")]
    Tree {
        /// Why.
        source: TreeError,
    },
    /// Another part of the pipeline failed first, and its error says why.
    #[error("the reading stopped")]
    Stopped,
    /// The visitor failed.
    #[error("the content of `{path}` was not taken")]
    Visitor {
        /// Of the file.
        path: RelPath,
        /// What it said.
        source: io::Error,
    },
}

fn read(
    reader: impl Read + Send,
    media_type: &str,
    limits: Limits,
    visitor: &mut dyn LayerVisitor,
    layer: bool,
) -> Result<(ReadPack, Collected), ReadError> {
    let encoding =
        layer_encoding(media_type).ok_or_else(|| ReadError::MediaType { media_type: media_type.to_owned() })?;
    let (mut collected, sums) = through(reader, encoding, |tar| {
        let mut collected = Collected::default();
        collected.read_all(tar, limits, visitor, layer)?;
        Ok(collected)
    })?;
    let Sums { diff: (diff_id, diff_size), stored: (digest, size) } = sums;
    let tree = collected.tree()?;
    Ok((ReadPack { tree, diff_id, diff_size, digest, size }, collected))
}

/// What has been read so far.
#[derive(Default)]
struct Collected {
    entries: BTreeMap<RelPath, Entry>,
    /// Second names by first name, as the tar has them.
    links: BTreeMap<RelPath, Vec<RelPath>>,
    whiteouts: BTreeSet<Whiteout>,
    specials: BTreeMap<RelPath, Special>,
    metadata_bytes: u64,
}

impl Collected {
    fn read_all<R: Read>(
        &mut self,
        tar: R,
        limits: Limits,
        visitor: &mut dyn LayerVisitor,
        layer: bool,
    ) -> Result<(), ReadError> {
        let bounds = Bounds { members: limits.members, size_bytes: limits.diff_size_bytes };
        let mut entries = Entries::new(tar, bounds);
        while let Some(raw) = entries.next()? {
            self.take(raw, &mut entries, limits, visitor, layer)?;
        }
        Ok(())
    }

    fn take<R: Read>(
        &mut self,
        raw: RawEntry,
        entries: &mut Entries<R>,
        limits: Limits,
        visitor: &mut dyn LayerVisitor,
        layer: bool,
    ) -> Result<(), ReadError> {
        let shown = || String::from_utf8_lossy(&raw.name).chars().take(256).collect();
        let refuse = |fault| ReadError::Entry { path: shown(), fault };
        self.metadata_bytes += raw.metadata_bytes();
        if self.metadata_bytes > limits.metadata_bytes {
            return Err(ReadError::Metadata { limit_bytes: limits.metadata_bytes });
        }
        let (path, slash) = path_of(&raw.name).map_err(refuse)?;
        if slash && raw.type_flag != DIRECTORY {
            return Err(refuse(EntryFault::Slash));
        }
        let leaf = matches!(raw.type_flag, HARD_LINK | SYMLINK | DIRECTORY | b'3' | b'4' | b'6');
        if leaf && raw.size > 0 {
            return Err(refuse(EntryFault::Content { size: raw.size }));
        }
        if layer && let Some(whiteout) = whiteout_of(&path).map_err(refuse)? {
            if !matches!(raw.type_flag, FILE | 0) || raw.size > 0 || !self.whiteouts.insert(whiteout) {
                return Err(refuse(EntryFault::Whiteout));
            }
            return Ok(());
        }
        if self.entries.contains_key(&path) || self.specials.contains_key(&path) {
            return Err(refuse(EntryFault::Twice));
        }
        visitor.header(&path, raw.mtime, &raw.user, &raw.group);
        visitor.mode(&path, raw.mode);
        let kind = match raw.type_flag {
            FILE | 0 => {
                let mut content = Hashing::new(entries.content());
                let taken = visitor.file(&path, raw.size, &mut content);
                let skipped = io::copy(&mut content, &mut io::sink());
                let (digest, size) = content.finish();
                // A visitor passes on what it was told: the layer's own fault comes first.
                match (entries.broken(), taken, skipped) {
                    (Some(Broken::Truncated { offset }), ..) => return Err(ReadError::Truncated { offset }),
                    (Some(Broken::Failed), Err(source), _) | (_, Ok(()), Err(source)) => {
                        return Err(ReadError::Stream { source });
                    }
                    (_, Err(source), _) => return Err(ReadError::Visitor { path, source }),
                    (_, Ok(()), Ok(_)) => {}
                }
                Kind::File { digest, size }
            }
            DIRECTORY => Kind::Directory,
            SYMLINK => {
                let target = String::from_utf8(raw.link.clone());
                Kind::Symlink { target: target.map_err(|_| refuse(EntryFault::NotUtf8 { field: "link" }))? }
            }
            HARD_LINK => {
                let target = self.first_name(&raw.link).ok_or_else(|| {
                    let target = String::from_utf8_lossy(&raw.link).chars().take(256).collect();
                    refuse(EntryFault::LinkTarget { target })
                })?;
                self.links.entry(target.clone()).or_default().push(path.clone());
                Kind::HardLink { target }
            }
            b'3' | b'4' | b'6' => {
                let special = match raw.type_flag {
                    b'3' => Special::CharacterDevice,
                    b'4' => Special::BlockDevice,
                    _ => Special::Fifo,
                };
                if limits.specials == Specials::Refuse {
                    return Err(refuse(EntryFault::Special(special)));
                }
                self.specials.insert(path, special);
                return Ok(());
            }
            b'S' => return Err(refuse(EntryFault::Sparse)),
            other => return Err(refuse(EntryFault::Kind(other))),
        };
        let RawEntry { mode, uid, gid, xattrs, .. } = raw;
        let mode = if matches!(kind, Kind::Symlink { .. }) { 0o777 } else { mode };
        self.entries.insert(path, Entry { kind, mode, uid, gid, xattrs, step_rank: 0 });
        Ok(())
    }

    /// The name under which the content of a hard link's target stands.
    fn first_name(&self, link: &[u8]) -> Option<RelPath> {
        let (path, slash) = path_of(link).ok()?;
        match &self.entries.get(&path)?.kind {
            Kind::File { .. } if !slash => Some(path),
            Kind::HardLink { target } => Some(target.clone()),
            _ => None,
        }
    }

    /// The tree, with the content of each file under the first of its names.
    fn tree(&mut self) -> Result<Tree, ReadError> {
        for (file, mut names) in std::mem::take(&mut self.links) {
            let Some(entry) = self.entries.get(&file).cloned() else { continue };
            names.push(file);
            names.sort();
            let first = names.remove(0);
            for name in names {
                let link = Entry { kind: Kind::HardLink { target: first.clone() }, ..entry.clone() };
                self.entries.insert(name, link);
            }
            self.entries.insert(first, entry);
        }
        Tree::from_entries(std::mem::take(&mut self.entries)).map_err(|source| ReadError::Tree { source })
    }
}

/// The path, and whether a slash stood behind it. One `./` in front is what `tar .` writes, and `/` for the root what
/// umoci does.
fn path_of(name: &[u8]) -> Result<(RelPath, bool), EntryFault> {
    let text = std::str::from_utf8(name).map_err(|_| EntryFault::NotUtf8 { field: "name" })?;
    if matches!(text, "." | "./" | "/") {
        return Ok((RelPath::root(), true));
    }
    let text = text.strip_prefix("./").unwrap_or(text);
    let (text, slash) = text.strip_suffix('/').map_or((text, false), |text| (text, true));
    if text == "." {
        return Err(EntryFault::Path(PathFault::dot(name)));
    }
    RelPath::new(text).map(|path| (path, slash)).map_err(EntryFault::Path)
}

struct PathFault;

impl PathFault {
    fn dot(name: &[u8]) -> selfsame_core::path::PathError {
        let path = String::from_utf8_lossy(name).into_owned();
        selfsame_core::path::PathError { path, fault: "has a `.` component" }
    }
}

/// What a name takes away, if it begins as whiteouts do.
fn whiteout_of(path: &RelPath) -> Result<Option<Whiteout>, EntryFault> {
    let parent = path.parent().unwrap_or_else(RelPath::root);
    if parent.components().any(|name| name.starts_with(WHITEOUT)) {
        return Err(EntryFault::Whiteout);
    }
    let Some(name) = path.file_name().strip_prefix(WHITEOUT) else { return Ok(None) };
    if name == ".wh..opq" {
        return Ok(Some(Whiteout::Opaque(parent)));
    }
    // `.wh.` alone, `.wh..` and `.wh...` would take the folder itself or the one above; other names that begin with
    // `.wh..wh.` were AUFS's own.
    let own = matches!(name, "" | "." | "..") || name.starts_with(WHITEOUT);
    let taken = RelPath::new(name).ok().filter(|_| !own).and_then(|name| parent.join(&name).ok());
    taken.map(|path| Some(Whiteout::Path(path))).ok_or(EntryFault::Whiteout)
}
