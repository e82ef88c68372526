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
    let mut xattrs = opened.as_ref().map_or_else(|| Ok(BTreeMap::new()), read).map_err(fail)?;
    // One that only grants may go, as systemd's on its journal: less is granted without it.
    if let Some((name, _)) = xattrs.iter().find(|(name, list)| is_list(name) && !only_grants(list)) {
        return Err(OutputFault::AccessList { path, name: name.clone() });
    }
    xattrs.retain(|name, _| !is_list(name));
    let owner = (stat.st_uid, stat.st_gid);
    let file = opened.filter(|_| content);
    Ok((Entry { output: 0, path, kind, mode, owner, xattrs }, file))
}

/// How the names of access control lists begin: `access`, and `default` for what will be made in a folder.
pub(crate) const ACCESS_LIST: &str = "system.posix_acl_";
const OPAQUE: &str = "user.overlay.opaque";

/// Whether nobody may do more without an access control list, given in hex, than with it. Without one the group has what the
/// mask has, and who is named in it has what the group or all others have. What is not understood does not only grant.
fn only_grants(list: &str) -> bool {
    // Each entry is a tag, permissions and an id, little endian; the version is before them (`acl(5)`, version 2).
    let number = |text: &str| u16::from_str_radix(text, 16).map(u16::swap_bytes).ok();
    let Some(entries) = list.strip_prefix("02000000").filter(|entries| entries.is_ascii()) else { return false };
    let (mut mask, mut group, mut others, mut named) = (None, None, None, Vec::new());
    for entry in entries.as_bytes().chunks(16) {
        let text = std::str::from_utf8(entry).unwrap_or_default();
        let (Some(tag), Some(may)) = (text.get(..4).and_then(number), text.get(4..8).and_then(number)) else {
            return false;
        };
        match tag {
            0x01 => {}
            0x02 | 0x08 => named.push(may),
            0x04 => group = Some(may),
            0x10 => mask = Some(may),
            0x20 => others = Some(may),
            _ => return false,
        }
    }
    let (Some(group), Some(others)) = (group, others) else { return false };
    let mask = mask.unwrap_or(group);
    let lacks = |may: u16| (mask | others) & !(may & mask) != 0;
    mask & !group == 0 && !named.into_iter().any(lacks)
}

#[cfg(test)]
mod tests {
    use super::only_grants;

    fn list(entries: &[(u16, u16)]) -> String {
        let entry = |(tag, may): &(u16, u16)| format!("{:04x}{:04x}08000000", tag.swap_bytes(), may.swap_bytes());
        format!("02000000{}", entries.iter().map(entry).collect::<String>())
    }

    #[test]
    fn lists_that_take_rights_away_and_lists_that_only_grant() {
        let of = |group, named, mask, others| list(&[(1, 7), (4, group), (8, named), (16, mask), (32, others)]);
        // `/var/log/journal`, and somebody who may read what others may not.
        assert!(only_grants(&of(5, 5, 5, 5)) && only_grants(&of(4, 4, 4, 0)));
        // The group would get the mask's; who is named would get what others have, or the group.
        for lists in [of(4, 6, 6, 4), of(4, 0, 4, 4), of(0, 0, 0, 4), of(4, 0, 4, 0)] {
            assert!(!only_grants(&lists), "{lists}");
        }
        for nonsense in ["", "02000000", "03000000", "0200000001", "02000000é", &list(&[(64, 7)])] {
            assert!(!only_grants(nonsense), "{nonsense}");
        }
    }
}
