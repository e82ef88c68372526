//! The few system calls that the standard library lacks, with their fallbacks.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags, RenameFlags, ResolveFlags, Stat, Timespec, Timestamps};
use rustix::io::Errno;

/// Renames, unless something is at `to` already (`false`). Works on files and folders.
pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<bool> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(true),
        Err(Errno::EXIST) => Ok(false),
        // Some network and FUSE file systems know no flags; EINVAL is also the answer to a folder moved into itself,
        // which no caller does.
        Err(Errno::INVAL | Errno::NOSYS) => rename_new_without_flags(from, to),
        Err(error) => Err(error.into()),
    }
}

/// A link is atomic and never replaces; a folder has no second link, but a rename replaces only an empty one.
pub(crate) fn rename_new_without_flags(from: &Path, to: &Path) -> io::Result<bool> {
    if from.symlink_metadata()?.is_dir() {
        return match to.symlink_metadata() {
            Ok(_) => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::NotFound => std::fs::rename(from, to).map(|()| true),
            Err(error) => Err(error),
        };
    }
    match std::fs::hard_link(from, to) {
        Ok(()) => std::fs::remove_file(from).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// Swaps two names in one step; `false` where the file system cannot.
pub(crate) fn exchange(a: &Path, b: &Path) -> io::Result<bool> {
    match rustix::fs::renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(true),
        Err(Errno::INVAL | Errno::NOSYS) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn both_times(seconds: u64) -> Timestamps {
    let time = Timespec { tv_sec: i64::try_from(seconds).unwrap_or(i64::MAX), tv_nsec: 0 };
    Timestamps { last_access: time, last_modification: time }
}

/// Sets both times of an open file.
pub(crate) fn set_times(file: impl AsFd, seconds: u64) -> io::Result<()> {
    Ok(rustix::fs::futimens(file, &both_times(seconds))?)
}

/// Sets both times at a path, of a link itself.
pub(crate) fn set_times_at(path: &Path, seconds: u64) -> io::Result<()> {
    Ok(rustix::fs::utimensat(CWD, path, &both_times(seconds), AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Sets both times of an open file to the system's now.
pub(crate) fn touch(file: impl AsFd) -> io::Result<()> {
    let now = Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_NOW };
    Ok(rustix::fs::futimens(file, &Timestamps { last_access: now, last_modification: now })?)
}

/// Notes the system's now as the time of a file's last change, and changes nothing of it: its mode is set to what it is.
pub(crate) fn mark_used(file: &File) -> io::Result<()> {
    let stat = rustix::fs::fstat(file)?;
    Ok(rustix::fs::fchmod(file, Mode::from_raw_mode(stat.st_mode))?)
}

/// Sets the twelve mode bits of an open file, whatever the umask is.
pub(crate) fn set_mode(file: impl AsFd, mode: u32) -> io::Result<()> {
    Ok(rustix::fs::fchmod(file, Mode::from_raw_mode(mode))?)
}

/// A new file that nobody else has open, private until its mode is set.
pub(crate) fn create_new(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    Ok(rustix::fs::open(path, flags, Mode::from_raw_mode(0o600))?.into())
}

/// Opens for reading without following a final link, without waiting for a FIFO's writer, and without leaving a new
/// access time where the file is the invoker's own.
pub(crate) fn open_quietly(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    match rustix::fs::open(path, flags | OFlags::NOATIME, Mode::empty()) {
        Err(Errno::PERM) => Ok(rustix::fs::open(path, flags, Mode::empty())?.into()),
        other => Ok(other?.into()),
    }
}

/// Opens a regular file below a folder for reading; no link on the way is followed, and no FIFO's writer is waited for.
pub(crate) fn open_below(root: &Path, name: &str) -> io::Result<File> {
    let place = rustix::fs::open(root, OFlags::PATH | OFlags::CLOEXEC | OFlags::DIRECTORY, Mode::empty())?;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let file = match rustix::fs::openat2(&place, name, flags, Mode::empty(), resolve) {
        Ok(file) => File::from(file),
        Err(Errno::LOOP) => return Err(io::Error::new(io::ErrorKind::InvalidData, "a link is in its place")),
        Err(error) => return Err(error.into()),
    };
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is not a regular file"));
    }
    Ok(file)
}

/// Opens a file to be locked, which is made if it is not there. What a link leads to is not touched.
pub(crate) fn open_lock(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    Ok(rustix::fs::open(path, flags, Mode::from_raw_mode(0o666))?.into())
}

/// Opens a folder itself, for locks and `fsync`.
pub(crate) fn open_folder(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::DIRECTORY;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// A folder as a place to look from, which needs no right to read it.
pub(crate) fn open_place(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::DIRECTORY;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// `lstat` of a path below a folder; of the folder itself for the empty path.
pub(crate) fn stat_below(folder: impl AsFd, path: &str) -> io::Result<Stat> {
    Ok(rustix::fs::statat(folder, path, AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH)?)
}

/// Takes an exclusive lock if nobody holds one.
pub(crate) fn try_lock(file: impl AsFd) -> io::Result<bool> {
    match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Whether `from`'s bytes could be shared with the empty file `to`.
pub(crate) fn reflink(from: &File, to: &File) -> bool {
    rustix::fs::ioctl_ficlone(to, from).is_ok()
}

/// Whether the error says that a copy has to do: the file has as many names as its file system allows, the file system
/// knows no second names, or the kernel lets nobody link to a file of another user's (`fs.protected_hardlinks`).
pub(crate) fn cannot_be_linked(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MLINK | Errno::PERM | Errno::OPNOTSUPP | Errno::XDEV))
}

/// Removes a file, a link, or a folder with all below it, also where folders are not writable. Follows no link.
/// Nothing there is no error.
pub(crate) fn remove_all(path: &Path) -> io::Result<()> {
    let gone = |result: io::Result<()>| match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    };
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(metadata) if !metadata.is_dir() => return gone(std::fs::remove_file(path)),
        Ok(_) => {}
    }
    match gone(std::fs::remove_dir_all(path)) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_up(path)?;
            gone(std::fs::remove_dir_all(path))
        }
        other => other,
    }
}

/// Gives the owner all rights on a folder and the folders below it.
fn open_up(folder: &Path) -> io::Result<()> {
    set_mode_of_folder(folder, 0o700)?;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_up(&entry.path())?;
        }
    }
    Ok(())
}

/// Sets the mode of a folder that is not a link.
pub(crate) fn set_mode_of_folder(path: &Path, mode: u32) -> io::Result<()> {
    // `O_PATH` needs no right to read the folder, and `/proc/self/fd` may be missing in a container: so by name. Every
    // caller stands in a folder that only the invoker may write.
    Ok(rustix::fs::chmod(path, Mode::from_raw_mode(mode))?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn renames_replace_nothing_with_and_without_flags() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for rename in [rename_new, rename_new_without_flags] {
            std::fs::write(at("new"), "new").unwrap();
            std::fs::write(at("old"), "old").unwrap();
            assert!(!rename(&at("new"), &at("old")).unwrap());
            assert_eq!(std::fs::read_to_string(at("old")).unwrap(), "old");
            std::fs::remove_file(at("old")).unwrap();
            assert!(rename(&at("new"), &at("old")).unwrap());
            assert!(!at("new").exists());
            std::fs::remove_file(at("old")).unwrap();

            std::fs::create_dir(at("new folder")).unwrap();
            std::fs::create_dir(at("old folder")).unwrap();
            assert!(!rename(&at("new folder"), &at("old folder")).unwrap());
            std::fs::remove_dir(at("old folder")).unwrap();
            assert!(rename(&at("new folder"), &at("old folder")).unwrap());
            std::fs::remove_dir(at("old folder")).unwrap();
            assert_eq!(rename(&at("nothing"), &at("x")).unwrap_err().kind(), io::ErrorKind::NotFound);
        }
    }

    #[test]
    fn removes_closed_folders_and_follows_no_link() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(at("tree/closed/inner")).unwrap();
        std::fs::create_dir(at("elsewhere")).unwrap();
        std::fs::write(at("elsewhere/precious"), "").unwrap();
        std::os::unix::fs::symlink(at("elsewhere"), at("tree/closed/link")).unwrap();
        std::fs::set_permissions(at("tree/closed"), PermissionsExt::from_mode(0o000)).unwrap();
        remove_all(&at("tree")).unwrap();
        assert!(!at("tree").exists() && at("elsewhere/precious").exists());
        remove_all(&at("tree")).unwrap();
    }
}
