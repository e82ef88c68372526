//! A `.deb`: three members of an ar archive, read once from front to back.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::GzDecoder;
use liblzma::bufread::XzDecoder;
use liblzma::stream::Stream;
use selfsame_core::{RelPath, media};
use selfsame_oci::{LayerVisitor, ReadError, ReadPack, Specials, read_pack};
use selfsame_tree::Tree;

use crate::ar::{Ar, ArError, ArFault, Content};
use crate::control::{Control, ControlError};

/// How much of a package is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most files, folders and links.
    pub members: u64,
    /// The most bytes when decompressed.
    pub size_bytes: u64,
    /// Beyond [`Limits::free_bytes`], how many times larger than its packed form the content may be.
    pub ratio: u64,
    /// A small package may hold this much in any case.
    pub free_bytes: u64,
    /// The most bytes of names, link texts and attributes.
    pub metadata_bytes: u64,
}

impl Limits {
    /// A million members, 16 GiB, 200 times, 256 MiB of names.
    pub const PACKAGE: Self =
        Self { members: 1_000_000, size_bytes: 16 << 30, ratio: 200, free_bytes: 256 << 20, metadata_bytes: 256 << 20 };
    /// The control member: 16 MiB in a thousand files.
    const CONTROL: selfsame_oci::Limits = selfsame_oci::Limits {
        members: 1000,
        diff_size_bytes: CONTROL_BYTES,
        metadata_bytes: 1 << 20,
        specials: Specials::Refuse,
    };
}

/// The most bytes of the control member, decompressed.
const CONTROL_BYTES: u64 = 16 << 20;
/// The most memory that the xz decoder takes: presets go up to 64 MiB of dictionary.
const XZ_MEMORY_BYTES: u64 = 192 << 20;
/// The largest zstd window: 2^27 bytes, what zstd's own tools take unasked.
const ZSTD_WINDOW_LOG: u32 = 27;

/// What the control member holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlFiles {
    /// The control file, read.
    pub control: Control,
    /// Every file by name: `control`, `md5sums`, `conffiles`, `postinst`, ...; whether it is executable, and its bytes.
    pub files: BTreeMap<String, (bool, Vec<u8>)>,
}

impl ControlFiles {
    /// A file as text, if it is there and is text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(&self.files.get(name)?.1).ok()
    }

    /// The configuration files by path, without the leading slash; those that a package removes left out.
    #[must_use]
    pub fn conffiles(&self) -> Vec<&str> {
        let lines = self.text("conffiles").unwrap_or("").lines();
        lines.filter_map(|line| line.trim_end().strip_prefix('/')).filter(|path| !path.is_empty()).collect()
    }
}

/// A package that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deb {
    /// What it says about itself.
    pub control: ControlFiles,
    /// What it installs, with the owners and modes that it states.
    pub tree: Tree,
}

/// Why a package is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DebError {
    /// The outer archive is broken.
    #[error("the package {0}")]
    Ar(ArFault),
    /// Its bytes cannot be had.
    #[error("the package cannot be read")]
    Stream {
        /// What failed.
        source: io::Error,
    },
    /// Another format version than 2.
    #[error("the package has the format version `{}`; 2.x is read", version.escape_debug())]
    Version {
        /// As written, the beginning of it.
        version: String,
    },
    /// A member that should not be there, or not here.
    #[error("member `{}` {fault}", name.escape_debug())]
    Member {
        /// As written.
        name: String,
        /// The rest of the sentence.
        fault: &'static str,
    },
    /// A member that is missing.
    #[error("the package has no member `{name}`")]
    NoMember {
        /// `control.tar`
        name: &'static str,
    },
    /// A tar that is refused.
    #[error("member `{name}` is refused")]
    Tar {
        /// `data.tar.xz`
        name: String,
        /// Why.
        source: ReadError,
    },
    /// Bytes behind the end of a compressed member, which some readers would take for more of it.
    #[error("member `{name}` has bytes behind its compressed content")]
    Behind {
        /// `data.tar.xz`
        name: String,
    },
    /// The control member has no file `control`, or one that is no text.
    #[error("the package has no control file that is text")]
    NoControl,
    /// A control file that is refused.
    #[error(transparent)]
    Control(#[from] ControlError),
}

impl From<ArError> for DebError {
    fn from(error: ArError) -> Self {
        match error {
            ArError::Fault(fault) => Self::Ar(fault),
            ArError::Stream(source) => Self::Stream { source },
        }
    }
}

/// Reads a whole package. `visitor` sees the content of every file that it installs, in its order.
pub fn read(reader: impl Read + Send, limits: Limits, visitor: &mut dyn LayerVisitor) -> Result<Deb, DebError> {
    let (control, data) = parts(reader, Some((limits, visitor)))?;
    let data = data.ok_or(DebError::NoMember { name: "data.tar" })?;
    Ok(Deb { control, tree: data.tree })
}

/// Reads what a package says about itself, and stops there.
pub fn read_control(reader: impl Read + Send) -> Result<ControlFiles, DebError> {
    Ok(parts(reader, None)?.0)
}

fn parts(
    reader: impl Read + Send,
    mut data: Option<(Limits, &mut dyn LayerVisitor)>,
) -> Result<(ControlFiles, Option<ReadPack>), DebError> {
    let mut ar = Ar::new(reader)?;
    let version = ar.next()?;
    if version.is_none_or(|member| member.name != b"debian-binary") {
        return Err(DebError::NoMember { name: "debian-binary" });
    }
    check_version(&mut ar)?;
    let (mut control, mut pack) = (None, None);
    while let Some(member) = ar.next()? {
        let name = String::from_utf8_lossy(&member.name).into_owned();
        let refuse = |fault| DebError::Member { name: name.clone(), fault };
        if let Some(suffix) = name.strip_prefix("control.tar") {
            if control.is_some() {
                return Err(refuse("is a second control member"));
            }
            let encoding = Encoding::of(suffix).ok_or_else(|| refuse(UNREAD))?;
            let mut files = CollectedFiles::default();
            let limit = Limits::CONTROL;
            read_tar(ar.content(), &name, encoding, limit, &mut files)?;
            control = Some(files.control()?);
            if data.is_none() {
                break;
            }
        } else if let Some(suffix) = name.strip_prefix("data.tar") {
            if pack.is_some() {
                return Err(refuse("is a second data member"));
            }
            if control.is_none() {
                return Err(refuse("stands before the control member"));
            }
            let encoding = Encoding::of(suffix).ok_or_else(|| refuse(UNREAD))?;
            let Some((limits, visitor)) = &mut data else { break };
            let allowed = limits.free_bytes.max(member.size.saturating_mul(limits.ratio)).min(limits.size_bytes);
            let bounds = selfsame_oci::Limits {
                members: limits.members,
                diff_size_bytes: allowed,
                metadata_bytes: limits.metadata_bytes,
                specials: Specials::Refuse,
            };
            pack = Some(read_tar(ar.content(), &name, encoding, bounds, *visitor)?);
        } else if !name.starts_with('_') {
            // Names with an underscore are for others' signatures and the like (deb(5)).
            return Err(refuse("is none that packages have"));
        }
    }
    Ok((control.ok_or(DebError::NoMember { name: "control.tar" })?, pack))
}

const UNREAD: &str = "is compressed in a way that is not read; gzip, xz and zstd are";

/// The first line of the first member: `2.0`.
fn check_version<R: Read>(ar: &mut Ar<R>) -> Result<(), DebError> {
    let mut text = Vec::new();
    ar.content().take(64).read_to_end(&mut text).map_err(|source| DebError::Stream { source })?;
    let line = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let minor = line.strip_prefix(b"2.").filter(|minor| !minor.is_empty() && minor.iter().all(u8::is_ascii_digit));
    match minor {
        Some(_) => Ok(()),
        None => Err(DebError::Version { version: String::from_utf8_lossy(line).into_owned() }),
    }
}

/// How a member is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Plain,
    Gzip,
    Xz,
    Zstd,
}

impl Encoding {
    fn of(suffix: &str) -> Option<Self> {
        Some(match suffix {
            "" => Self::Plain,
            ".gz" => Self::Gzip,
            ".xz" => Self::Xz,
            ".zst" => Self::Zstd,
            _ => return None,
        })
    }
}

/// Reads a member to its end: one compressed stream, one tar in it, nothing behind.
fn read_tar<R: Read + Send>(
    content: Content<'_, R>,
    name: &str,
    encoding: Encoding,
    limits: selfsame_oci::Limits,
    visitor: &mut dyn LayerVisitor,
) -> Result<ReadPack, DebError> {
    let failed = |source| DebError::Stream { source };
    let mut packed = BufReader::with_capacity(128 << 10, content);
    let pack = match encoding {
        Encoding::Plain => plain(&mut packed, limits, visitor),
        Encoding::Gzip => plain(GzDecoder::new(&mut packed), limits, visitor),
        Encoding::Xz => {
            let stream = Stream::new_stream_decoder(XZ_MEMORY_BYTES, 0).map_err(io::Error::from).map_err(failed)?;
            plain(XzDecoder::new_stream(&mut packed, stream), limits, visitor)
        }
        Encoding::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(&mut packed).map_err(failed)?.single_frame();
            decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(failed)?;
            plain(decoder, limits, visitor)
        }
    };
    let pack = pack.map_err(|source| DebError::Tar { name: name.to_owned(), source })?;
    if packed.fill_buf().map_err(failed)?.is_empty() {
        return Ok(pack);
    }
    Err(DebError::Behind { name: name.to_owned() })
}

fn plain(
    reader: impl Read + Send,
    limits: selfsame_oci::Limits,
    visitor: &mut dyn LayerVisitor,
) -> Result<ReadPack, ReadError> {
    read_pack(reader, media::LAYER_TAR, limits, visitor)
}

/// The control member's files in memory; their sum is bounded by the tar's size.
#[derive(Default)]
struct CollectedFiles {
    files: BTreeMap<String, (bool, Vec<u8>)>,
    executable: bool,
}

impl LayerVisitor for CollectedFiles {
    fn mode(&mut self, _: &RelPath, mode: u32) {
        self.executable = mode & 0o100 != 0;
    }

    fn file(&mut self, path: &RelPath, _: u64, content: &mut dyn Read) -> io::Result<()> {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes)?;
        self.files.insert(path.to_string(), (self.executable, bytes));
        Ok(())
    }
}

impl CollectedFiles {
    fn control(self) -> Result<ControlFiles, DebError> {
        let bytes = self.files.get("control").map(|(_, bytes)| bytes.as_slice());
        let text = bytes.and_then(|bytes| std::str::from_utf8(bytes).ok()).ok_or(DebError::NoControl)?;
        Ok(ControlFiles { control: Control::parse(text)?, files: self.files })
    }
}
