//! Hands back what a command changed of its root: the upper layer of the overlay, read for what it means.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{FileType, OFlags};
use selfsame_core::RelPath;

use crate::error::OutputFault;
use crate::mounts::OWN;
use crate::outcome::OutputKind;
use crate::outputs::{MAX_ENTRIES, identity, list, open_beneath, reopen, unreadable, xattrs};
use crate::spec::Spec;
use crate::wire::{Channel, Entry, Frame};

/// Sends every change, sorted by path, or the first fault. Called when nothing in the sandbox runs any more.
///
/// What is mounted (`/dev`, `/proc`, `/sys`, scratch folders, binds) is no change, nor are the folders that it is mounted on,
/// nor sockets and FIFOs in `/run`.
pub(crate) fn send(spec: &Spec, changes: &OwnedFd, channel: &Channel) -> io::Result<()> {
    let mut left = MAX_ENTRIES;
    let mut mounted: Vec<&str> = OWN.to_vec();
    let inside = spec.scratch_dirs.iter().chain(spec.binds.iter().map(|bind| &bind.to));
    mounted.extend(inside.map(|path| path.trim_start_matches('/')));
    let fault = |fault| channel.send(&Frame::Fault { output: 0, fault }, None);
    let paths = match list(changes, &mut left) {
        Ok(paths) => paths,
        Err(error) => return fault(error),
    };
    for path in paths {
        if path.is_root() || mounted.contains(&path.as_str()) {
            continue;
        }
        let runs = path.as_str().starts_with("run/");
        match entry(changes, path) {
            // What runs has sockets and FIFOs there, and nothing of it is kept.
            Err(OutputFault::Special { .. }) if runs => {}
            Ok((entry, file)) => channel.send(&Frame::Entry(entry), file.as_ref().map(AsFd::as_fd))?,
            Err(error) => return fault(error),
        }
    }
    Ok(())
}

fn entry(changes: &OwnedFd, path: RelPath) -> Result<(Entry, Option<OwnedFd>), OutputFault> {
    let fail = |error| unreadable(&path, error);
    let link = open_beneath(changes, path.as_str(), OFlags::PATH | OFlags::NOFOLLOW).map_err(fail)?;
    let stat = rustix::fs::fstat(&link).map_err(fail)?;
    let special = |kind: &str| OutputFault::Special { path: path.clone(), kind: kind.to_owned() };
    let mut mode = stat.st_mode & 0o7777;
    let mut opened = None;
    let mut content = false;
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => {
            let folder = reopen(&link, OFlags::RDONLY | OFlags::DIRECTORY).map_err(fail)?;
            let mut mark = [0; 8];
            // In place of another folder; without the mark it stands over one, or where none was.
            let is_new = matches!(rustix::fs::fgetxattr(&folder, OPAQUE, &mut mark[..]), Ok(1)) && mark[0] == b'y';
            opened = Some(folder);
            if is_new { OutputKind::NewDirectory } else { OutputKind::Directory }
        }
        FileType::RegularFile => {
            opened = Some(reopen(&link, OFlags::RDONLY).map_err(fail)?);
            content = true;
            OutputKind::File { size: stat.st_size as u64, link: identity(&stat) }
        }
        FileType::Symlink => {
            mode = 0o777;
            let target = rustix::fs::readlinkat(&link, "", Vec::new()).map_err(fail)?;
            let not_utf8 = |wrong: std::ffi::IntoStringError| OutputFault::NotUtf8 {
                path: path.clone(),
                name: wrong.into_cstring().to_string_lossy().into_owned(),
            };
            OutputKind::Symlink { target: target.into_string().map_err(not_utf8)? }
        }
        // The overlay's mark for what is gone. No other device can be made in a user namespace.
        FileType::CharacterDevice if stat.st_rdev == 0 => OutputKind::Gone,
        FileType::Fifo => return Err(special("a FIFO")),
        FileType::Socket => return Err(special("a socket")),
        _ => return Err(special("a device")),
    };
    let is_list = |name: &str| name.starts_with(ACCESS_LIST);
    let wanted = |name: &str| name.starts_with("user.") || name == "security.capability" || is_list(name);
    let read = |file: &OwnedFd| xattrs(file, wanted);
    let xattrs = opened.as_ref().map_or_else(|| Ok(BTreeMap::new()), read).map_err(fail)?;
    // The group's bits of such a mode are the most that anybody in the list has, not what the group has.
    if let Some(name) = xattrs.keys().find(|name| is_list(name)) {
        return Err(OutputFault::AccessList { path, name: name.clone() });
    }
    let owner = (stat.st_uid, stat.st_gid);
    let file = opened.filter(|_| content);
    Ok((Entry { output: 0, path, kind, mode, owner, xattrs }, file))
}

/// How the names of access control lists begin: `access`, and `default` for what will be made in a folder.
pub(crate) const ACCESS_LIST: &str = "system.posix_acl_";
const OPAQUE: &str = "user.overlay.opaque";
