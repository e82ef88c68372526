//! Writes what stands in a sandbox before its command starts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;
use selfsame_core::RelPath;
use selfsame_core::profile::INPUT_MTIME_SECS;

use crate::fixed::ETC_FILES;
use crate::mounts::{OWN, open_inside, set_mtime};
use crate::spec::{Placement, PlacementKind, Spec};
use crate::wire::Failure;

const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY);

/// Writes the placements, then gives every folder that was touched the time it is to have.
pub(crate) fn all(root: &OwnedFd, spec: &Spec) -> Result<(), Failure> {
    let mut writer = Writer { root, parents: Parents { root, last: None }, folders: BTreeMap::new() };
    let (links, others): (Vec<_>, Vec<_>) =
        spec.placements.iter().partition(|placement| matches!(placement.kind, PlacementKind::HardLink { .. }));
    for group in [others, links] {
        let reversed: Box<dyn Iterator<Item = &&Placement>> =
            if spec.variation.reverse_unpack { Box::new(group.iter().rev()) } else { Box::new(group.iter()) };
        for placement in reversed {
            writer.place(placement)?;
        }
    }
    for path in spec.scratch_dirs.iter().chain([&spec.cwd]) {
        let path = RelPath::new(path.trim_start_matches('/')).unwrap_or(RelPath::root());
        writer.implied(&path, INPUT_MTIME_SECS);
    }
    writer.finish()
}

/// Gives entries of the lowers the owners and modes that they are to have. Everything else has to be root's already.
pub(crate) fn owners(root: &OwnedFd, spec: &Spec) -> Result<(), Failure> {
    let known: BTreeSet<&RelPath> = spec.owners.iter().map(|owner| &owner.path).collect();
    all_of_root(root, &known)?;
    for owner in &spec.owners {
        let give = || -> io::Result<()> {
            if let Some(first) = &owner.same_as {
                return name_again(root, first, &owner.path);
            }
            let entry = open_inside(root, owner.path.as_str(), OFlags::PATH | OFlags::NOFOLLOW)?;
            let (uid, gid) = (rustix::fs::Uid::from_raw(owner.uid), rustix::fs::Gid::from_raw(owner.gid));
            rustix::fs::chownat(&entry, "", Some(uid), Some(gid), AtFlags::EMPTY_PATH)?;
            if rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(&entry)?.st_mode).is_symlink() {
                return Ok(());
            }
            drop(entry);
            let (parent, name) = owner.path.as_str().rsplit_once('/').unwrap_or((".", owner.path.as_str()));
            let parent = open_inside(root, parent, FOLDER)?;
            // Behind the owner: giving something away clears the bits that run it as its owner.
            Ok(rustix::fs::chmodat(&parent, name, Mode::from_raw_mode(owner.mode & 0o7777), AtFlags::empty())?)
        };
        give().map_err(Failure::setup("giving away", format!("/{}", owner.path)))?;
    }
    Ok(())
}

/// Puts another name of a file in the place of one that was its name in a lower: the overlay copies what is given away, each
/// name for itself.
fn name_again(root: &OwnedFd, first: &RelPath, other: &RelPath) -> io::Result<()> {
    let split = |path: &'_ RelPath| -> io::Result<(OwnedFd, String)> {
        let (parent, name) = path.as_str().rsplit_once('/').unwrap_or((".", path.as_str()));
        Ok((open_inside(root, parent, FOLDER)?, name.to_owned()))
    };
    let ((from, first), (to, other)) = (split(first)?, split(other)?);
    let time = rustix::fs::fstat(&to)?.st_mtime;
    rustix::fs::unlinkat(&to, &other, AtFlags::empty())?;
    rustix::fs::linkat(&from, &first, &to, &other, AtFlags::empty())?;
    Ok(set_mtime(&to, ".", time.try_into().unwrap_or(INPUT_MTIME_SECS))?)
}

/// Files that belong to another than the invoker show as another's in the root, and would be taken for that one's.
fn all_of_root(root: &OwnedFd, but: &BTreeSet<&RelPath>) -> Result<(), Failure> {
    let mut folders = vec![RelPath::root()];
    while let Some(folder) = folders.pop() {
        let look = || -> io::Result<Vec<RelPath>> {
            let name = if folder.is_root() { "." } else { folder.as_str() };
            let open = open_inside(root, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW)?;
            let mut below = Vec::new();
            for entry in rustix::fs::Dir::read_from(&open)? {
                let entry = entry?;
                let name = entry.file_name();
                if matches!(name.to_bytes(), b"." | b"..") {
                    continue;
                }
                let stat = rustix::fs::statat(&open, name, AtFlags::SYMLINK_NOFOLLOW)?;
                let name = name.to_str().map_err(|_| io::ErrorKind::InvalidData)?;
                let path = RelPath::new(name).and_then(|name| folder.join(&name)).map_err(io::Error::other)?;
                // What is mounted here is ours.
                if folder.is_root() && OWN.contains(&path.as_str()) {
                    continue;
                }
                if (stat.st_uid, stat.st_gid) != (0, 0) && !but.contains(&path) {
                    return Err(io::Error::from_raw_os_error(libc::EPERM));
                }
                if rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir() {
                    below.push(path);
                }
            }
            Ok(below)
        };
        folders
            .extend(look().map_err(Failure::setup("finding all files to be the invoker's in", format!("/{folder}")))?);
    }
    Ok(())
}

struct Writer<'a> {
    root: &'a OwnedFd,
    parents: Parents<'a>,
    /// Folders to be finished, with mode (where one was asked for) and time.
    folders: BTreeMap<RelPath, (Option<u32>, u64)>,
}

impl Writer<'_> {
    fn place(&mut self, placement: &Placement) -> Result<(), Failure> {
        if let Some(parent) = placement.path.parent() {
            self.implied(&parent, placement.mtime_secs);
        }
        match self.write(placement) {
            Ok(()) => Ok(()),
            Err((path, error)) => Err(Failure::setup("placing", path)(error)),
        }
    }

    /// A folder that holds something placed has the smallest time of what it holds, unless it is placed itself.
    fn implied(&mut self, path: &RelPath, time: u64) {
        let mut path = path.clone();
        loop {
            let (mode, known) = self.folders.entry(path.clone()).or_insert((None, time));
            if mode.is_none() {
                *known = time.min(*known);
            }
            match path.parent() {
                Some(parent) => path = parent,
                None => return,
            }
        }
    }

    fn write(&mut self, placement: &Placement) -> Result<(), (String, io::Error)> {
        let name = placement.path.file_name();
        let at = |error: io::Error| (format!("/{}", placement.path), error);
        if placement.path.is_root() {
            if placement.kind == PlacementKind::Directory {
                self.folders.insert(placement.path.clone(), (Some(placement.mode), placement.mtime_secs));
            }
            return Ok(());
        }
        let parent = self.parents.of(&placement.path).map_err(at)?;
        match &placement.kind {
            PlacementKind::Directory => {
                match rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o755)) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(error) => return Err(at(error.into())),
                }
                rustix::fs::openat(parent, name, FOLDER | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
                    .map_err(|error| at(error.into()))?;
                self.folders.insert(placement.path.clone(), (Some(placement.mode), placement.mtime_secs));
            }
            PlacementKind::File { from } => {
                let source = rustix::fs::openat(CWD, from, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
                    .map_err(|error| (from.display().to_string(), error.into()))?;
                let make = || -> io::Result<()> {
                    let mut file = create(parent, name)?;
                    copy(source.as_fd(), &mut file)?;
                    rustix::fs::fchmod(&file, Mode::from_raw_mode(placement.mode & 0o1777))?;
                    Ok(set_mtime(parent, name, placement.mtime_secs)?)
                };
                make().map_err(at)?;
            }
            PlacementKind::Symlink { target } => {
                let make = || -> rustix::io::Result<()> {
                    replace(parent, name, || rustix::fs::symlinkat(target.as_str(), parent, name))?;
                    set_mtime(parent, name, placement.mtime_secs)
                };
                make().map_err(|error| at(error.into()))?;
            }
            PlacementKind::HardLink { target } => {
                let mut parents = Parents { root: self.root, last: None };
                let mut make = || -> io::Result<()> {
                    let other = parents.of(target)?;
                    let link = || rustix::fs::linkat(other, target.file_name(), parent, name, AtFlags::empty());
                    Ok(replace(parent, name, link)?)
                };
                make().map_err(at)?;
            }
        }
        Ok(())
    }

    /// Modes and times of folders, the deepest first, since writing into one changes its time.
    fn finish(self) -> Result<(), Failure> {
        for (path, (mode, time)) in self.folders.iter().rev() {
            let finish = || -> io::Result<()> {
                let name = if path.is_root() { "." } else { path.as_str() };
                let folder = open_inside(self.root, name, OFlags::RDONLY | OFlags::DIRECTORY)?;
                if let Some(mode) = mode {
                    rustix::fs::fchmod(&folder, Mode::from_raw_mode(mode & 0o1777))?;
                }
                match set_mtime(&folder, ".", *time) {
                    // A folder on a read-only bind has no time of ours.
                    Ok(()) | Err(Errno::ROFS) => Ok(()),
                    Err(error) => Err(error.into()),
                }
            };
            finish().map_err(Failure::setup("finishing", format!("/{path}")))?;
        }
        Ok(())
    }
}

/// The parent folder of the last path, since the next one usually has the same.
struct Parents<'a> {
    root: &'a OwnedFd,
    last: Option<(RelPath, OwnedFd)>,
}

impl Parents<'_> {
    fn of(&mut self, path: &RelPath) -> io::Result<BorrowedFd<'_>> {
        let parent = path.parent().unwrap_or(RelPath::root());
        if self.last.as_ref().is_none_or(|(known, _)| *known != parent) {
            let name = if parent.is_root() { "/".to_owned() } else { format!("/{parent}") };
            self.last = Some((parent, folder(self.root, &name)?));
        }
        Ok(self.last.as_ref().expect("just set").1.as_fd())
    }
}

/// A folder inside the root, made with its parents where it is missing.
pub(crate) fn folder(root: &OwnedFd, path: &str) -> io::Result<OwnedFd> {
    match open_inside(root, path, FOLDER) {
        Err(Errno::NOENT) => {}
        result => return Ok(result?),
    }
    let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
    let parent = folder(root, if parent.is_empty() { "/" } else { parent })?;
    match rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(rustix::fs::openat(&parent, name, FOLDER | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?)
}

/// A file inside the root to mount over; made empty where it is missing.
pub(crate) fn empty_file(root: &OwnedFd, path: &str) -> io::Result<OwnedFd> {
    match open_inside(root, path, OFlags::PATH) {
        Err(Errno::NOENT) => {}
        result => return Ok(result?),
    }
    let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
    let parent = folder(root, if parent.is_empty() { "/" } else { parent })?;
    create(parent.as_fd(), name)?;
    Ok(rustix::fs::openat(&parent, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?)
}

/// A folder at the top of the root that is a folder and no link, since we mount on it by name.
pub(crate) fn own_folder(root: &OwnedFd, name: &str) -> Result<(), Failure> {
    let make = || -> io::Result<()> {
        match rustix::fs::mkdirat(root, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        rustix::fs::openat(root, name, FOLDER | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
        Ok(())
    };
    make().map_err(Failure::setup("creating", format!("/{name}")))
}

/// The few files of `/etc` that programs cannot do without, each where the root has none.
pub(crate) fn etc(root: &OwnedFd) -> Result<(), Failure> {
    let mut missing = BTreeSet::new();
    for (name, text) in ETC_FILES {
        if let Err(Errno::NOENT) = open_inside(root, &format!("etc/{name}"), OFlags::PATH | OFlags::NOFOLLOW) {
            missing.insert((*name, *text));
        }
    }
    let make = || -> io::Result<()> {
        let etc = folder(root, "/etc")?;
        for (name, text) in &missing {
            let file = create(etc.as_fd(), name)?;
            io::Write::write_all(&mut &file, text.as_bytes())?;
            set_mtime(&etc, name, INPUT_MTIME_SECS)?;
        }
        Ok(set_mtime(&etc, ".", INPUT_MTIME_SECS)?)
    };
    if missing.is_empty() {
        return Ok(());
    }
    match make() {
        // A bound /etc is read-only and stays as it is.
        Err(error) if error.raw_os_error() == Some(libc::EROFS) => Ok(()),
        result => result.map_err(Failure::setup("writing", "/etc")),
    }
}

/// A new file with mode 0644; whatever had the name is gone.
fn create(parent: BorrowedFd<'_>, name: &str) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = None;
    replace(parent, name, || {
        file = Some(rustix::fs::openat(parent, name, flags, Mode::from_raw_mode(0o644))?);
        Ok(())
    })?;
    Ok(file.expect("made, or an error above").into())
}

fn replace(
    parent: BorrowedFd<'_>,
    name: &str,
    mut make: impl FnMut() -> rustix::io::Result<()>,
) -> rustix::io::Result<()> {
    match make() {
        Err(Errno::EXIST) => {
            rustix::fs::unlinkat(parent, name, AtFlags::empty())?;
            make()
        }
        result => result,
    }
}

/// The whole content of one file to the end of another.
pub(crate) fn copy(from: BorrowedFd<'_>, to: &mut File) -> io::Result<()> {
    // Reads at positions of our own, so that a shared descriptor's position does not matter.
    let mut offset = 0;
    loop {
        match rustix::fs::sendfile(&*to, from, Some(&mut offset), 1 << 30) {
            Ok(0) => return Ok(()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
