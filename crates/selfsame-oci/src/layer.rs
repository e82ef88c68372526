//! A tree becomes a layer: profile 1's tar dialect, hashed and compressed on the way, never whole in memory.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use selfsame_core::{Digest, Hasher, RelPath, SourceEpoch, media};
use selfsame_tree::{Entry, Kind, Tree, TreeError};

use crate::descriptor::Descriptor;
use crate::dialect::{DIRECTORY, END_BYTES, FILE, HARD_LINK, Member, SYMLINK, padding};
use crate::pipeline::{Blocks, PullError, run};
use crate::readahead::{ReadAhead, SMALL_BYTES, Wanted};

/// Writes `tree` as a layer.
///
/// Members stand in the order of their paths' bytes, each as the tree lists it: folders that the tree only implies
/// are left out (see [`with_parents`]). Every time is the epoch. The content of each file is read once, and must have
/// the size and digest that the tree names. The bytes do not depend on `threads`; memory is bounded by it (about
/// 4 MiB for each thread, 20 MiB besides).
///
/// On an error `out` holds a beginning of the layer, which is good for nothing.
pub fn write_layer(
    tree: &Tree,
    epoch: SourceEpoch,
    contents: &(dyn Contents + Sync),
    out: &mut impl Write,
    compression: Compression,
    threads: usize,
) -> Result<Layer, LayerError> {
    for (path, _) in tree.iter() {
        if path.components().any(|name| name.starts_with(WHITEOUT)) {
            return Err(LayerError::Whiteout { path: path.clone() });
        }
    }
    write_pack(tree, epoch, contents, out, compression, threads)
}

/// Writes `tree` as a pack: the same bytes as a layer, but names beginning with `.wh.` are names like others.
pub fn write_pack(
    tree: &Tree,
    epoch: SourceEpoch,
    contents: &(dyn Contents + Sync),
    out: &mut impl Write,
    compression: Compression,
    threads: usize,
) -> Result<Layer, LayerError> {
    let small = tree.iter().filter_map(|(path, entry)| match entry.kind {
        Kind::File { digest, size } if (1..=SMALL_BYTES).contains(&size) => Some(Wanted { path, digest, size }),
        _ => None,
    });
    let small: Vec<_> = small.collect();
    let readers = threads.clamp(1, 8);
    run(out, compression, threads, |blocks| {
        std::thread::scope(|scope| {
            let mut ahead = ReadAhead::start(scope, small, contents, readers);
            for (path, entry) in tree.iter() {
                write_member(tree, path, entry, epoch, contents, &mut ahead, blocks)?;
            }
            blocks.push_zeros(END_BYTES)
        })
    })
}

/// The tree with every folder that it implies listed: mode 0755, owner 0:0.
///
/// What a tar's reader does about a parent that no member names differs (older Docker makes it 0600, all take the
/// time of unpacking), so the lowest layer of an image should have them. A layer above others should not: it would
/// take the folder away from the layers that know its mode.
#[must_use]
pub fn with_parents(tree: &Tree) -> Tree {
    let mut entries: BTreeMap<_, _> = tree.iter().map(|(path, entry)| (path.clone(), entry.clone())).collect();
    for (path, _) in tree.iter() {
        let mut parent = path.parent();
        while let Some(above) = parent.filter(|above| !above.is_root() && !entries.contains_key(above)) {
            parent = above.parent();
            entries.insert(above, Entry::directory());
        }
    }
    Tree::from_entries(entries).expect("the parents of a tree's entries are folders")
}

/// What names in a layer that take files away begin with (image-spec, layer.md, "Whiteouts").
pub(crate) const WHITEOUT: &str = ".wh.";

/// Where the bytes of files come from.
pub trait Contents {
    /// The content with this digest, from its first byte. `size` is what the tree says of it.
    fn open(&self, digest: &Digest, size: u64) -> io::Result<Box<dyn Read + Send + '_>>;
}

/// How a layer's tar is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// As it is.
    None,
    /// As one gzip member of profile 1.
    Gzip,
}

impl Compression {
    /// The media type of a layer stored so.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::None => media::LAYER_TAR,
            Self::Gzip => media::LAYER_GZIP,
        }
    }
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Of the tar.
    pub diff_id: Digest,
    /// Of the tar, in bytes.
    pub diff_size: u64,
    /// Of the bytes as stored.
    pub digest: Digest,
    /// As stored, in bytes.
    pub size: u64,
    /// Says how it is stored.
    pub media_type: &'static str,
}

impl Layer {
    /// For a manifest.
    #[must_use]
    pub fn descriptor(&self) -> Descriptor {
        Descriptor::new(self.media_type, self.digest, self.size)
    }
}

/// Why a layer could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LayerError {
    /// A content could not be opened or read.
    #[error("the content of `{path}`, {digest}, cannot be read")]
    Read {
        /// Of the file.
        path: RelPath,
        /// Of its content.
        digest: Digest,
        /// What the system said.
        source: io::Error,
    },
    /// A content is shorter or longer than the tree says.
    #[error("the content of `{path}`, {digest}, has {} bytes; the tree says {expected}", more(*actual, *expected))]
    Size {
        /// Of the file.
        path: RelPath,
        /// Of its content, as the tree says.
        digest: Digest,
        /// As the tree says.
        expected: u64,
        /// As read; reading stops behind the expected size.
        actual: u64,
    },
    /// A content has another digest than the tree says.
    #[error("the content of `{path}` is {actual}; the tree says {expected}")]
    Digest {
        /// Of the file.
        path: RelPath,
        /// As the tree says.
        expected: Digest,
        /// As read.
        actual: Digest,
    },
    /// An extended attribute that profile 1 does not ship.
    #[error("`{path}` has the extended attribute `{}`; layers hold `security.capability` and `user.*`", name.escape_debug())]
    Xattr {
        /// Of the file.
        path: RelPath,
        /// Of the attribute.
        name: String,
    },
    /// More extended attributes than an extended header holds.
    #[error("`{path}` needs an extended header of {size_bytes} bytes; at most 1048576 are written")]
    Extended {
        /// Of the file.
        path: RelPath,
        /// Of the header.
        size_bytes: usize,
    },
    /// A name that would take another file away when the layer is unpacked.
    #[error("`{path}` has a name that begins with `.wh.`, which layers use to remove files")]
    Whiteout {
        /// Of the file.
        path: RelPath,
    },
    /// A hard link that says something else about the file than its first name: only one can be true of a file.
    #[error("hard link `{path}` has another mode, owner or attribute than `{target}`")]
    LinkDiffers {
        /// The link.
        path: RelPath,
        /// The first name.
        target: RelPath,
    },
    /// `out` failed.
    #[error("the layer cannot be written")]
    Write {
        /// What it said.
        source: io::Error,
    },
    /// Blobs and files of an archive do not make a tree.
    #[error("the archive's files do not make a tree")]
    Tree {
        /// Why.
        source: TreeError,
    },
    /// libdeflate gave a stream that does not hold the block it was given: a defect, here or there.
    #[error("the compressor's stream does not hold the block that it was made from")]
    Compressor,
    /// Another part of the pipeline failed first, and its error says why.
    #[error("the layer's pipeline stopped")]
    Stopped,
}

fn more(actual: u64, expected: u64) -> String {
    if actual > expected { format!("more than {expected}") } else { actual.to_string() }
}

/// Size first, then the digest.
pub(crate) fn content_fault(
    wanted: Wanted<'_>,
    actual: u64,
    digest: impl FnOnce() -> Digest,
) -> Result<(), LayerError> {
    let Wanted { path, digest: expected, size } = wanted;
    if actual != size {
        return Err(LayerError::Size { path: path.clone(), digest: expected, expected: size, actual });
    }
    let actual = digest();
    if actual != expected {
        return Err(LayerError::Digest { path: path.clone(), expected, actual });
    }
    Ok(())
}

fn write_member(
    tree: &Tree,
    path: &RelPath,
    entry: &Entry,
    epoch: SourceEpoch,
    contents: &dyn Contents,
    ahead: &mut ReadAhead<'_>,
    blocks: &mut Blocks,
) -> Result<(), LayerError> {
    if let Some(name) = entry.xattrs.keys().find(|name| !shipped(name)) {
        return Err(LayerError::Xattr { path: path.clone(), name: name.clone() });
    }
    let folder_name;
    let (name, type_flag, link, size) = match &entry.kind {
        Kind::Directory => {
            folder_name = if path.is_root() { "./".to_owned() } else { format!("{}/", path.as_str()) };
            (folder_name.as_str(), DIRECTORY, "", 0)
        }
        Kind::File { size, .. } => (path.as_str(), FILE, "", *size),
        Kind::Symlink { target } => (path.as_str(), SYMLINK, target.as_str(), 0),
        Kind::HardLink { target } => {
            let same = tree.entry(target.as_str()).is_some_and(|first| {
                (first.mode, first.uid, first.gid, &first.xattrs) == (entry.mode, entry.uid, entry.gid, &entry.xattrs)
            });
            if !same {
                return Err(LayerError::LinkDiffers { path: path.clone(), target: target.clone() });
            }
            (path.as_str(), HARD_LINK, target.as_str(), 0)
        }
    };
    let Entry { mode, uid, gid, ref xattrs, .. } = *entry;
    let member = Member { path: name, type_flag, link, mode, uid, gid, size, mtime: epoch.seconds(), xattrs };
    let header = member.header().map_err(|size_bytes| LayerError::Extended { path: path.clone(), size_bytes })?;
    blocks.push(&header)?;
    if let Kind::File { digest, size } = entry.kind {
        let wanted = Wanted { path, digest, size };
        match size {
            0 => content_fault(wanted, 0, || Digest::of(b""))?,
            1..=SMALL_BYTES => blocks.push(&ahead.next()?)?,
            _ => write_content(wanted, contents, blocks)?,
        }
        blocks.push_zeros(padding(size))?;
    }
    Ok(())
}

/// A large file, block by block.
fn write_content(wanted: Wanted<'_>, contents: &dyn Contents, blocks: &mut Blocks) -> Result<(), LayerError> {
    let Wanted { path, digest, size } = wanted;
    let failed = |source| LayerError::Read { path: path.clone(), digest, source };
    let mut content = contents.open(&digest, size).map_err(failed)?;
    let (mut hasher, mut done) = (Hasher::new(), 0);
    while done < size {
        match blocks.pull(&mut *content, size - done, &mut hasher) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(PullError::Content(source)) => return Err(failed(source)),
            Err(PullError::Layer(error)) => return Err(error),
        }
    }
    let longer = done == size && content.read(&mut [0]).map_err(failed)? > 0;
    content_fault(wanted, done + u64::from(longer), || hasher.finish().0)
}

/// The attributes that profile 1 ships. Changing this changes digests. `user.overlay.*` belongs to the sandbox's own
/// mounts, and `=` would end the name in an extended header.
fn shipped(name: &str) -> bool {
    let user = name.starts_with("user.") && name.len() > 5 && !name.starts_with("user.overlay.");
    name == "security.capability" || (user && !name.contains(['=', '\n']))
}
