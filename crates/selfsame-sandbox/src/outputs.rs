//! Hands outputs to the caller: what is at a declared path, sorted, with an open file for each file.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{CWD, Dir, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;
use selfsame_core::RelPath;

use crate::error::OutputFault;
use crate::outcome::OutputKind;
use crate::spec::Spec;
use crate::wire::{Channel, Entry, Frame};

/// Entries over all outputs of a run.
pub(crate) const MAX_ENTRIES: u64 = 4_000_000;
/// Bytes of all attributes of one entry, names included. A Linux file system rarely holds more than 64 KiB.
const MAX_XATTR_BYTES: usize = 32 * 1024;

/// Sends every output, or the first fault. Called when nothing in the sandbox runs any more.
pub(crate) fn send(spec: &Spec, channel: &Channel) -> io::Result<()> {
    let mut left = MAX_ENTRIES;
    for (output, path) in spec.outputs.iter().enumerate() {
        let absolute = if path.starts_with('/') { path.clone() } else { format!("{}/{path}", spec.cwd) };
        let walk = Walk { output, channel };
        if let Err(stop) = walk.send(&absolute, &mut left) {
            return match stop {
                Stop::Fault(fault) => channel.send(&Frame::Fault { output, fault }, None),
                Stop::Channel(error) => Err(error),
            };
        }
    }
    Ok(())
}

enum Stop {
    Fault(OutputFault),
    Channel(io::Error),
}

impl From<OutputFault> for Stop {
    fn from(fault: OutputFault) -> Self {
        Self::Fault(fault)
    }
}

struct Walk<'a> {
    output: usize,
    channel: &'a Channel,
}

impl Walk<'_> {
    fn send(&self, absolute: &str, left: &mut u64) -> Result<(), Stop> {
        let base = open_base(absolute)?;
        let kind = rustix::fs::fstat(&base).map(|stat| FileType::from_raw_mode(stat.st_mode));
        let paths = match kind {
            Ok(FileType::Directory) => list(&base, left)?,
            Ok(_) => vec![RelPath::root()],
            Err(error) => return Err(unreadable(&RelPath::root(), error).into()),
        };
        for path in paths {
            let (entry, file) = self.entry(&base, path)?;
            self.channel.send(&Frame::Entry(entry), file.as_ref().map(AsFd::as_fd)).map_err(Stop::Channel)?;
        }
        Ok(())
    }

    fn entry(&self, base: &OwnedFd, path: RelPath) -> Result<(Entry, Option<OwnedFd>), OutputFault> {
        let fail = |error| unreadable(&path, error);
        let (stat, link) = if path.is_root() {
            let stat = rustix::fs::fstat(base).map_err(fail)?;
            (stat, rustix::io::dup(base).map_err(fail)?)
        } else {
            let link = open_beneath(base, path.as_str(), OFlags::PATH | OFlags::NOFOLLOW).map_err(fail)?;
            (rustix::fs::fstat(&link).map_err(fail)?, link)
        };
        let kind = FileType::from_raw_mode(stat.st_mode);
        let mut opened = None;
        let mut mode = stat.st_mode & 0o7777;
        let kind = match kind {
            FileType::Directory => {
                opened = Some(reopen(&link, OFlags::RDONLY | OFlags::DIRECTORY).map_err(fail)?);
                OutputKind::Directory
            }
            FileType::RegularFile => {
                opened = Some(reopen(&link, OFlags::RDONLY).map_err(fail)?);
                OutputKind::File { size: stat.st_size as u64, link: identity(&stat) }
            }
            FileType::Symlink => {
                mode = 0o777;
                let target = rustix::fs::readlinkat(&link, "", Vec::new()).map_err(fail)?;
                let target = target.into_string().map_err(|wrong| OutputFault::NotUtf8 {
                    path: path.clone(),
                    name: wrong.into_cstring().to_string_lossy().into_owned(),
                })?;
                if escapes(&path, &target) {
                    return Err(OutputFault::EscapingLink { path, target });
                }
                OutputKind::Symlink { target }
            }
            other => {
                let kind = match other {
                    FileType::Fifo => "a FIFO",
                    FileType::Socket => "a socket",
                    _ => "a device",
                };
                return Err(OutputFault::Special { path, kind: kind.to_owned() });
            }
        };
        let read = |file: &OwnedFd| xattrs(file, |name| name.starts_with("user."));
        let xattrs = opened.as_ref().map_or_else(|| Ok(BTreeMap::new()), read).map_err(fail)?;
        let file = opened.filter(|_| matches!(kind, OutputKind::File { .. }));
        Ok((Entry { output: self.output, path, kind, mode, owner: (0, 0), xattrs }, file))
    }
}

/// Opens an output without following any link. A link on the way is named.
fn open_base(absolute: &str) -> Result<OwnedFd, OutputFault> {
    let root = rustix::fs::openat(CWD, "/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|error| unreadable(&RelPath::root(), error))?;
    let relative = absolute.trim_start_matches('/').trim_end_matches("/.");
    let relative = if relative.is_empty() { "." } else { relative };
    match open_beneath(&root, relative, OFlags::PATH | OFlags::NOFOLLOW) {
        Ok(base) => Ok(base),
        Err(Errno::NOENT | Errno::NOTDIR) => Err(OutputFault::Missing),
        Err(Errno::LOOP | Errno::XDEV) => {
            let ends = relative.match_indices('/').map(|(end, _)| end);
            let link = ends.map(|end| &relative[..end]).find(|prefix| {
                open_beneath(&root, prefix, OFlags::PATH | OFlags::NOFOLLOW)
                    .and_then(rustix::fs::fstat)
                    .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_symlink())
            });
            Err(OutputFault::BehindSymlink { link: format!("/{}", link.unwrap_or(relative)) })
        }
        Err(error) => Err(unreadable(&RelPath::root(), error)),
    }
}

pub(crate) fn open_beneath(folder: &OwnedFd, path: &str, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    rustix::fs::openat2(folder, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve)
}

/// The same file or folder for reading, not by its name.
pub(crate) fn reopen(link: &OwnedFd, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    use std::os::fd::AsRawFd;
    let path = format!("/proc/self/fd/{}", link.as_raw_fd());
    rustix::fs::openat(CWD, path, flags | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty())
}

/// Every path below a folder, itself included, in byte order.
pub(crate) fn list(base: &OwnedFd, left: &mut u64) -> Result<Vec<RelPath>, OutputFault> {
    let mut paths = vec![RelPath::root()];
    let mut folders = vec![RelPath::root()];
    while let Some(folder) = folders.pop() {
        let fail = |error| unreadable(&folder, error);
        let name = if folder.is_root() { "." } else { folder.as_str() };
        let open = open_beneath(base, name, OFlags::RDONLY | OFlags::DIRECTORY).map_err(fail)?;
        for entry in Dir::new(open).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            *left = left.checked_sub(1).ok_or(OutputFault::TooMany { limit: MAX_ENTRIES })?;
            let Ok(name) = name.to_str() else {
                return Err(OutputFault::NotUtf8 { path: folder, name: name.to_string_lossy().into_owned() });
            };
            let below = RelPath::new(name).and_then(|name| folder.join(&name));
            let Ok(path) = below else { return Err(OutputFault::TooLong { path: folder }) };
            if entry.file_type() == FileType::Directory {
                folders.push(path.clone());
            }
            paths.push(path);
        }
    }
    paths.sort_unstable();
    Ok(paths)
}

pub(crate) fn identity(stat: &Stat) -> Option<(u64, u64)> {
    (stat.st_nlink > 1).then_some((stat.st_dev, stat.st_ino))
}

/// Whether a relative link climbs above the output it is in. Absolute links point into an image, not out of one.
fn escapes(path: &RelPath, target: &str) -> bool {
    if target.starts_with('/') {
        return false;
    }
    let mut depth = path.components().count().saturating_sub(1);
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => match depth.checked_sub(1) {
                Some(up) => depth = up,
                None => return true,
            },
            _ => depth += 1,
        }
    }
    false
}

/// Attributes of wanted names, in hex. What the overlay keeps for itself is not among them.
pub(crate) fn xattrs(file: &OwnedFd, wanted: impl Fn(&str) -> bool) -> rustix::io::Result<BTreeMap<String, String>> {
    let mut names = vec![0; MAX_XATTR_BYTES];
    let length = match rustix::fs::flistxattr(file, &mut names[..]) {
        Ok(length) => length,
        Err(Errno::NOTSUP) => 0,
        Err(error) => return Err(error),
    };
    let mut found = BTreeMap::new();
    let mut total = length;
    for name in names[..length].split(|byte| *byte == 0) {
        let Some(name) = std::str::from_utf8(name).ok().filter(|name| wanted(name)) else { continue };
        if name.starts_with("user.overlay.") {
            continue;
        }
        let mut value = vec![0; MAX_XATTR_BYTES];
        let length = rustix::fs::fgetxattr(file, name, &mut value[..])?;
        total += length;
        if total > MAX_XATTR_BYTES {
            return Err(Errno::TOOBIG);
        }
        found.insert(name.to_owned(), selfsame_core::digest::hex(&value[..length]));
    }
    Ok(found)
}

pub(crate) fn unreadable(path: &RelPath, error: Errno) -> OutputFault {
    OutputFault::Unreadable { path: path.clone(), errno: error.raw_os_error() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_that_climb_above_their_output_escape() {
        for (path, target, expected) in [
            ("l", "x", false),
            ("l", "../x", true),
            ("a/l", "../x", false),
            ("a/l", "../../x", true),
            ("a/l", "b/../../x", false),
            ("a/l", "b/../../../a/x", true),
            (".", "x", false),
            (".", "..", true),
            ("a/l", "/etc/passwd", false),
            ("a/l", "./..//../x", true),
        ] {
            assert_eq!(escapes(&RelPath::new(path).unwrap(), target), expected, "{path} -> {target}");
        }
    }
}
