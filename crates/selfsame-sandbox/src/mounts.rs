//! The file systems of a sandbox: staging tmpfs, overlay root, `/dev`, `/proc`, `/sys`, `/etc`, binds.
//!
//! Everything is prepared on one tmpfs that is mounted, in a mount namespace of our own, over a folder of the host
//! that no input can come from. Layout of that tmpfs, the working folder until the root is entered:
//!
//! ```text
//! l/N   links to the lower folders, so that hundreds fit into one page of mount options and no host path shows
//! x     where upper `x/u`, work `x/w` and scratch folders `x/t/N` are: here, or a link to the host's disk
//! f     fixed files, read-only        s  /sys, read-only      e  the lowest layer
//! h     /dev/shm                      r  the root
//! ```

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, XattrFlags};
use rustix::mount::{MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags};

use crate::changes::ACCESS_LIST;
use crate::fixed;
use crate::outcome::UpperKind;
use crate::place;
use selfsame_core::profile::INPUT_MTIME_SECS;

use crate::spec::{Bind, Identity, Level, Relaxation, Spec};
use crate::sys;
use crate::wire::{Failure, Wire};

/// Where the staging tmpfs may go: folders of any Linux that no store and no source lives below.
const STAGING: &[&str] = &["/sys", "/proc", "/dev", "/mnt", "/tmp"];
/// Files, folders and links that the scratch space can hold. Each takes about a kilobyte of kernel memory.
const SCRATCH_INODES: u64 = 2 << 20;

/// The staging tmpfs where it does not hold what is written: fixed files and shared memory.
const FIXED_BYTES: u64 = 64 << 20;
/// `RESERVED_PIDS` of the kernel, and one more.
const RESERVED_PIDS: u32 = 301;

const ATTR_RDONLY: u64 = 1;
const ATTR_NOSUID: u64 = 2;
const ATTR_NODEV: u64 = 4;
const ATTR_NOEXEC: u64 = 8;

/// Folders at the top that are always our own.
pub(crate) const OWN: &[&str] = &["dev", "proc", "sys"];

const PLAIN: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV);

/// A root that is ready to be entered. The working folder is the staging tmpfs.
#[derive(Debug)]
pub(crate) struct Root {
    /// The root folder.
    pub(crate) folder: OwnedFd,
    /// Where written files live.
    pub(crate) upper: UpperKind,
    /// Whether `/proc` is of our own pid namespace.
    pub(crate) own_proc: bool,
    /// Whether the pid namespace holds at most so many tasks.
    pub(crate) pid_max: bool,
    /// What is written goes here, where that is to be handed back.
    pub(crate) changes: Option<OwnedFd>,
}

/// Makes mount namespace, staging and root, with everything but the placements in it.
pub(crate) fn prepare(wire: &Wire, random: Option<&OwnedFd>) -> Result<Root, Failure> {
    let spec = &wire.spec;
    sys::unshare(rustix::thread::UnshareFlags::NEWNS).map_err(Failure::refused("a mount namespace"))?;
    let propagation = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", propagation).map_err(|e| Failure::refused("private mounts")(e.into()))?;
    // Opened while the host's own tree can still be seen from every path.
    let binds = spec.binds.iter().map(open_bind).collect::<Result<Vec<_>, _>>()?;

    let upper = stage(wire)?;
    if spec.observe {
        bind("r", "r").map_err(Failure::setup("mounting", "/"))?;
    } else {
        overlay(spec)?;
    }
    let folder = rustix::fs::openat(CWD, "r", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|e| Failure::setup("opening", "/")(e.into()))?;
    if spec.observe {
        for name in OWN {
            place::own_folder(&folder, name)?;
        }
    }
    scratch_folders(spec, &folder)?;
    for (bind, tree) in spec.binds.iter().zip(binds) {
        attach(&folder, bind, &tree)?;
    }
    devices(random)?;
    let (own_proc, pid_max) = proc(spec)?;
    sysfs()?;
    if spec.observe {
        place::etc(&folder)?;
    }
    let changes = match spec.identity {
        Identity::Build => None,
        Identity::System => {
            let folder = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let changes = rustix::fs::openat(CWD, "x/u", folder, Mode::empty());
            Some(changes.map_err(|e| Failure::setup("opening", "the upper layer")(e.into()))?)
        }
    };
    Ok(Root { folder, upper, own_proc, pid_max, changes })
}

impl Root {
    /// Makes the root the root, and the host's tree unreachable.
    pub(crate) fn enter(&self) -> Result<(), Failure> {
        let enter = || -> rustix::io::Result<()> {
            rustix::process::chdir("r")?;
            rustix::process::pivot_root(".", ".")?;
            rustix::mount::unmount(".", UnmountFlags::DETACH)?;
            rustix::process::chdir("/")
        };
        enter().map_err(|e| Failure::refused("a root of its own (pivot_root)")(e.into()))
    }
}

/// The first of [`STAGING`] that is there.
pub(crate) fn staging_place() -> Option<&'static str> {
    STAGING.iter().copied().find(|path| Path::new(path).is_dir())
}

/// The staging tmpfs and its folders; the working folder from here on.
fn stage(wire: &Wire) -> Result<UpperKind, Failure> {
    let place = staging_place().ok_or_else(|| Failure::setup("finding", "/sys")(io::ErrorKind::NotFound.into()))?;
    let on_disk = wire.spec.scratch_bytes == 0;
    let size = if on_disk { FIXED_BYTES } else { wire.spec.scratch_bytes };
    let options = format!("size={size},nr_inodes={SCRATCH_INODES},mode=0755\0");
    let options = std::ffi::CStr::from_bytes_with_nul(options.as_bytes()).expect("digits and commas");
    rustix::mount::mount("tmpfs", place, "tmpfs", PLAIN, options)
        .map_err(|e| Failure::refused("a tmpfs mount")(e.into()))?;
    let folders = || -> io::Result<UpperKind> {
        rustix::process::chdir(place)?;
        for folder in ["l", "f", "s", "h", "r"] {
            rustix::fs::mkdir(folder, Mode::from_raw_mode(0o755))?;
        }
        rustix::fs::chmod("h", Mode::from_raw_mode(0o1777))?;
        if on_disk {
            return Ok(UpperKind::Disk);
        }
        // Overlay keeps its marks in user attributes. A tmpfs has those since Linux 6.6, if its kernel was built so.
        match rustix::fs::setxattr("r", "user.overlay.probe", b"y", XattrFlags::empty()) {
            Ok(()) => {
                rustix::fs::removexattr("r", "user.overlay.probe")?;
                rustix::fs::mkdir("x", Mode::from_raw_mode(0o755))?;
                Ok(UpperKind::Tmpfs)
            }
            Err(_) if wire.spec.observe => {
                rustix::fs::mkdir("x", Mode::from_raw_mode(0o755))?;
                Ok(UpperKind::Tmpfs)
            }
            Err(_) => Ok(UpperKind::Disk),
        }
    };
    let upper = folders().map_err(Failure::setup("preparing", "staging"))?;
    if upper == UpperKind::Disk {
        let disk = wire.spec.scratch_dir.join(&wire.scratch_name);
        fs::create_dir(&disk).map_err(Failure::setup("creating", &disk))?;
        // What the folder above hands down would decide modes in place of the umask. Most have none.
        for list in ["access", "default"] {
            let _ = rustix::fs::removexattr(&disk, format!("{ACCESS_LIST}{list}"));
        }
        symlink(&disk, "x").map_err(Failure::setup("linking", &disk))?;
    }
    for folder in ["x/u", "x/w", "x/t"] {
        fs::create_dir(folder).map_err(Failure::setup("creating", folder))?;
    }
    Ok(upper)
}

fn overlay(spec: &Spec) -> Result<(), Failure> {
    let mut lowers = String::new();
    for (index, lower) in spec.lowers.iter().enumerate() {
        symlink(lower, format!("l/{index:x}")).map_err(Failure::setup("linking", lower))?;
        lowers.push_str(if index == 0 { "" } else { ":" });
        lowers.push_str(&format!("l/{index:x}"));
    }
    beneath_and_above(spec).map_err(Failure::setup("preparing", "/"))?;
    lowers.push_str(":e");
    let result = mount_overlay(&lowers);
    result.map_err(|error| {
        let missing = spec.lowers.iter().find(|lower| !lower.is_dir());
        match missing {
            Some(lower) => {
                Failure::setup("using as a lower folder", lower)(io::Error::from_raw_os_error(libc::ENOTDIR))
            }
            None => Failure::refused("an overlay mount in a user namespace")(error.into()),
        }
    })
}

/// The lowest layer, whose `/etc` every other one wins over, and in the upper one the folders that are mounted on.
/// Cheaper than through the overlay, and nothing that a lower holds at these names, a link for one, can matter.
fn beneath_and_above(spec: &Spec) -> io::Result<()> {
    let folder = |path: &str| match rustix::fs::mkdir(path, Mode::from_raw_mode(0o755)) {
        Err(rustix::io::Errno::EXIST) => Ok(()),
        result => result,
    };
    folder("e")?;
    if spec.identity == Identity::Build {
        folder("e/etc")?;
        for (name, text) in fixed::ETC_FILES {
            let path = format!("e/etc/{name}");
            fs::write(&path, text)?;
            set_mtime(CWD, &path, INPUT_MTIME_SECS)?;
        }
        set_mtime(CWD, "e/etc", INPUT_MTIME_SECS)?;
    }
    let scratch = spec.scratch_dirs.iter().filter_map(|path| path.strip_prefix('/'));
    for name in OWN.iter().copied().chain(scratch.filter(|name| !name.is_empty() && !name.contains('/'))) {
        folder(&format!("x/u/{name}"))?;
        set_mtime(CWD, &format!("x/u/{name}"), INPUT_MTIME_SECS)?;
    }
    Ok(())
}

/// Mounts these lowers (separated by `:`) with upper `x/u` and work `x/w` on `r`, all below the working folder.
pub(crate) fn mount_overlay(lowers: &str) -> rustix::io::Result<()> {
    // No redirects: a renamed folder is copied, or `rename` says EXDEV and the program copies. Nothing that a lower
    // holds can then point at another part of it.
    let common = "index=off,metacopy=off,userxattr";
    let mut result = Err(rustix::io::Errno::INVAL);
    for redirect in ["redirect_dir=nofollow,", "redirect_dir=off,", ""] {
        let options = format!("lowerdir={lowers},upperdir=x/u,workdir=x/w,{redirect}{common}");
        let options = std::ffi::CString::new(options).expect("names of our own");
        result = rustix::mount::mount("overlay", "r", "overlay", PLAIN, options.as_c_str());
        if result != Err(rustix::io::Errno::INVAL) {
            break;
        }
    }
    result
}

fn scratch_folders(spec: &Spec, root: &OwnedFd) -> Result<(), Failure> {
    for (index, path) in spec.scratch_dirs.iter().enumerate() {
        let source = PathBuf::from(format!("x/t/{index}"));
        let mode = if path == "/tmp" { 0o1777 } else { 0o755 };
        let make = || -> io::Result<()> {
            fs::create_dir(&source)?;
            rustix::fs::chmod(&source, Mode::from_raw_mode(mode))?;
            let tree = rustix::mount::open_tree(CWD, &source, CLONE)?;
            sys::set_mount_attributes(tree.as_fd(), false, ATTR_NOSUID | ATTR_NODEV)?;
            let target = place::folder(root, path)?;
            rustix::mount::move_mount(&tree, "", &target, "", ONTO)?;
            Ok(())
        };
        make().map_err(Failure::setup("mounting", path))?;
    }
    Ok(())
}

const CLONE: OpenTreeFlags = OpenTreeFlags::OPEN_TREE_CLONE.union(OpenTreeFlags::OPEN_TREE_CLOEXEC);
const ONTO: MoveMountFlags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH.union(MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH);

fn open_bind(bind: &Bind) -> Result<OwnedFd, Failure> {
    let open = || -> io::Result<OwnedFd> {
        let tree = rustix::mount::open_tree(CWD, &bind.from, CLONE | OpenTreeFlags::AT_RECURSIVE)?;
        sys::set_mount_attributes(tree.as_fd(), true, ATTR_RDONLY | ATTR_NOSUID | ATTR_NODEV)?;
        Ok(tree)
    };
    open().map_err(Failure::setup("binding", &bind.from))
}

fn attach(root: &OwnedFd, bind: &Bind, tree: &OwnedFd) -> Result<(), Failure> {
    let attach = || -> io::Result<()> {
        let kind = rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(tree)?.st_mode);
        let target = if kind.is_dir() { place::folder(root, &bind.to)? } else { place::empty_file(root, &bind.to)? };
        rustix::mount::move_mount(tree, "", &target, "", ONTO)?;
        Ok(())
    };
    attach().map_err(Failure::setup("mounting", &bind.to))
}

/// `random` is what both random devices hold; without it they are the kernel's.
fn devices(random: Option<&OwnedFd>) -> Result<(), Failure> {
    let make = || -> io::Result<()> {
        // Of its own, because large pages make the megabyte of random bytes four times as cheap, and because large
        // pages on the scratch space would show in `st_blksize`.
        let options = c"size=2m,nr_inodes=64,mode=0755,huge=within_size";
        let flags = PLAIN | MountFlags::NOEXEC;
        rustix::mount::mount("tmpfs", "r/dev", "tmpfs", flags, options)
            .or_else(|_| rustix::mount::mount("tmpfs", "r/dev", "tmpfs", flags, c"size=2m,nr_inodes=64,mode=0755"))?;
        for name in ["null", "zero", "full"] {
            write_new(&format!("r/dev/{name}"), b"")?;
        }
        match random {
            Some(bytes) => {
                let mut file = new_file("r/dev/random")?;
                place::copy(bytes.as_fd(), &mut file)?;
                fs::hard_link("r/dev/random", "r/dev/urandom")?;
            }
            None => {
                write_new("r/dev/random", b"")?;
                write_new("r/dev/urandom", b"")?;
            }
        }
        for (name, target) in [("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")] {
            symlink(target, format!("r/dev/{name}"))?;
        }
        rustix::fs::mkdir("r/dev/shm", Mode::from_raw_mode(0o755))?;
        rustix::mount::mount_remount("r/dev", flags | MountFlags::BIND | MountFlags::RDONLY, c"")?;
        bind("h", "r/dev/shm")?;
        for name in ["null", "zero", "full"] {
            device(name)?;
        }
        if random.is_none() {
            for name in ["random", "urandom"] {
                device(name)?;
            }
        }
        Ok(())
    };
    make().map_err(Failure::setup("preparing", "/dev"))
}

/// A device of the host. What is written to a device passes a read-only mount; a change of its mode or times does not,
/// and without that a command of root's, who owns the devices, could take `/dev/null` away from the whole host.
fn device(name: &str) -> io::Result<()> {
    let tree = rustix::mount::open_tree(CWD, format!("/dev/{name}"), CLONE)?;
    sys::set_mount_attributes(tree.as_fd(), false, ATTR_RDONLY | ATTR_NOSUID | ATTR_NOEXEC)?;
    let target = format!("r/dev/{name}");
    Ok(rustix::mount::move_mount(&tree, "", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?)
}

/// A new file that nobody may write to once it is closed.
fn new_file(path: &str) -> io::Result<fs::File> {
    fs::OpenOptions::new().write(true).create_new(true).mode(0o444).open(path)
}

fn write_new(path: &str, content: &[u8]) -> io::Result<()> {
    io::Write::write_all(&mut new_file(path)?, content)
}

/// `/proc`: whether it is our own, and whether it let us limit the pid namespace.
fn proc(spec: &Spec) -> Result<(bool, bool), Failure> {
    let flags = PLAIN | MountFlags::NOEXEC;
    let own = match rustix::mount::mount("proc", "r/proc", "proc", flags, None) {
        Ok(()) => true,
        Err(_) if spec.relax.contains(&Relaxation::Proc) => {
            let bind = || -> io::Result<()> {
                let tree = rustix::mount::open_tree(CWD, "/proc", CLONE | OpenTreeFlags::AT_RECURSIVE)?;
                let target = rustix::fs::openat(CWD, "r/proc", OFlags::PATH | OFlags::DIRECTORY, Mode::empty())?;
                rustix::mount::move_mount(&tree, "", &target, "", ONTO)?;
                Ok(())
            };
            bind().map_err(Failure::setup("binding", "/proc"))?;
            false
        }
        Err(error) => {
            return Err(Failure::Refused {
                operation: "a fresh /proc mount".to_owned(),
                errno: error.raw_os_error(),
                relaxation: Some(Relaxation::Proc),
            });
        }
    };
    // Before Linux 6.14 this is the whole host's and refused. Once the numbers have wrapped, those below 301 are not
    // given out again, so that many more make sure that `tasks` is what a command may always have.
    let pid_max = spec.limits.tasks.saturating_add(RESERVED_PIDS);
    let pid_max = own && fs::write("r/proc/sys/kernel/pid_max", pid_max.to_string()).is_ok();
    let cover = || -> io::Result<()> {
        write_new("f/empty", b"")?;
        rustix::fs::mkdir("f/none", Mode::from_raw_mode(0o555))?;
        let mut fixed = if spec.level == Level::Normalized { fixed::proc_files() } else { Vec::new() };
        fixed.retain(|(name, _)| spec.has_fixed_randomness() || *name != fixed::PROC_UUID);
        for (index, (_, text)) in fixed.iter().enumerate() {
            write_new(&format!("f/{index}"), text.as_bytes())?;
        }
        // A bind of a read-only mount is read-only: one change for all of them.
        bind_read_only("f", "f", flags)?;
        bind_read_only("r/proc/sys", "r/proc/sys", flags)?;
        let empty = if spec.level == Level::Normalized { fixed::PROC_EMPTY } else { &[] };
        for name in fixed::PROC_MASKED_FILES.iter().chain(empty) {
            bind_if_there("f/empty", &format!("r/proc/{name}"))?;
        }
        for name in fixed::PROC_MASKED_FOLDERS {
            bind_if_there("f/none", &format!("r/proc/{name}"))?;
        }
        for (index, (name, _)) in fixed.iter().enumerate() {
            bind_if_there(&format!("f/{index}"), &format!("r/proc/{name}"))?;
        }
        Ok(())
    };
    cover().map_err(Failure::setup("covering", "/proc"))?;
    Ok((own, pid_max))
}

fn sysfs() -> Result<(), Failure> {
    let make = || -> io::Result<()> {
        for folder in fixed::SYS_FOLDERS {
            rustix::fs::mkdir(format!("s/{folder}"), Mode::from_raw_mode(0o755))?;
        }
        for (path, text) in fixed::sys_files() {
            write_new(&format!("s/{path}"), text.as_bytes())?;
        }
        bind_read_only("s", "r/sys", PLAIN | MountFlags::NOEXEC)
    };
    make().map_err(Failure::setup("preparing", "/sys"))
}

fn bind(from: &str, to: &str) -> io::Result<()> {
    Ok(rustix::mount::mount_bind(from, to)?)
}

/// Kernels differ in what `/proc` holds; what is not there needs no cover.
fn bind_if_there(from: &str, to: &str) -> io::Result<()> {
    match rustix::mount::mount_bind(from, to) {
        Err(rustix::io::Errno::NOENT) => Ok(()),
        result => Ok(result?),
    }
}

fn bind_read_only(from: &str, to: &str, flags: MountFlags) -> io::Result<()> {
    bind(from, to)?;
    let flags = flags | MountFlags::BIND | MountFlags::RDONLY;
    Ok(rustix::mount::mount_remount(to, flags, c"")?)
}

/// Opens a path as if the root folder were `/`: links, even absolute ones, never leave it.
pub(crate) fn open_inside(root: &OwnedFd, path: &str, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    rustix::fs::openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve)
}

/// Sets a modification time without following links.
pub(crate) fn set_mtime(folder: impl AsFd, name: &str, seconds: u64) -> rustix::io::Result<()> {
    let time = rustix::fs::Timespec { tv_sec: seconds.try_into().unwrap_or(i64::MAX), tv_nsec: 0 };
    let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
    rustix::fs::utimensat(folder, name, &times, AtFlags::SYMLINK_NOFOLLOW)
}
