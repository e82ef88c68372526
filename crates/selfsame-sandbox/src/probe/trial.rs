//! The helper's part of a probe: each ability is tried in a child of its own, which then ends.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::{Mode, XattrFlags};
use rustix::mount::{MountFlags, MountPropagationFlags};
use rustix::process::WaitOptions;
use rustix::thread::UnshareFlags;

use super::{Ability, State};
use crate::cgroup::Cgroup;
use crate::filter::{assemble, deny_list};
use crate::helper;
use crate::identity::{self, NotWhole};
use crate::mounts;
use crate::observe;
use crate::outcome::SupplementaryGroups;
use crate::spec::{Limits, Relaxation};
use crate::subordinate::NoIds;
use crate::sys;
use crate::wire::{Channel, errno};

type Trial<'a> = (&'static str, Option<Relaxation>, Box<dyn Fn() -> io::Result<()> + 'a>);

/// Tries everything and says what worked. The scratch folder comes as a descriptor.
pub(crate) fn answer(channel: &Channel, scratch: Option<&OwnedFd>) -> io::Result<()> {
    let scratch = scratch.ok_or(io::ErrorKind::InvalidInput)?;
    let scratch = fs::read_link(format!("/proc/self/fd/{}", scratch.as_raw_fd()))?;
    let mut abilities: Vec<_> = trials(&scratch)
        .into_iter()
        .map(|(name, relaxation, trial)| Ability { name: name.to_owned(), state: attempt(&*trial), relaxation })
        .collect();
    make_up(&mut abilities, OVERLAY_TMPFS, OVERLAY_DISK);
    make_up(&mut abilities, OVERLAY_DISK, OVERLAY_TMPFS);
    make_up(&mut abilities, PID_MAX, CGROUP);
    make_up(&mut abilities, CGROUP, PID_MAX);
    if !helper::is_host_root() {
        // Its own limit on processes binds an ordinary user.
        for ability in &mut abilities {
            if [PID_MAX, CGROUP].contains(&ability.name.as_str()) && matches!(ability.state, State::No { .. }) {
                ability.state = State::NotNeeded { because: "RLIMIT_NPROC".to_owned() };
            }
        }
    }
    abilities.push(Ability { name: GROUPS.to_owned(), state: groups(), relaxation: None });
    abilities.push(Ability { name: WHOLE.to_owned(), state: whole(), relaxation: None });
    channel.send_bytes(&serde_json::to_vec(&abilities)?, &[])
}

/// Whether there are ids for the root of a system. Only `rootfs = "configured"` needs them.
fn whole() -> State {
    let answer = ask_child(&|| {
        let why = identity::enter_whole().map_err(|why| match why {
            NotWhole::Ids(NoIds { because, line }) => (because, line),
            NotWhole::Refused(what, error) => {
                (format!("{what}: {}", crate::error::errno_text(errno(&error))), String::new())
            }
        });
        serde_json::to_vec(&why).unwrap_or_default()
    });
    let answer = answer.and_then(|bytes| Ok(serde_json::from_slice::<Result<(), (String, String)>>(&bytes)?));
    match answer {
        Ok(Ok(())) => State::Yes,
        Ok(Err((because, line))) => State::Lacking { because, line },
        Err(error) => {
            State::Lacking { because: crate::error::errno_text(errno(&error)).to_owned(), line: String::new() }
        }
    }
}

/// What becomes of the supplementary groups.
fn groups() -> State {
    let answer = ask_child(&|| {
        let groups = identity::enter().map_err(|error| crate::error::errno_text(errno(&error)));
        serde_json::to_vec(&groups).unwrap_or_default()
    });
    let answer = answer.and_then(|bytes| Ok(serde_json::from_slice::<Result<_, String>>(&bytes)?));
    match answer {
        Ok(Ok(SupplementaryGroups::None)) => State::NotNeeded { because: "the user has none".to_owned() },
        Ok(Ok(SupplementaryGroups::Dropped)) => State::Yes,
        Ok(Ok(SupplementaryGroups::Kept { because })) => State::Without { because },
        // Another line says what is refused, and nothing runs without that.
        Ok(Err(because)) => State::NotNeeded { because: format!("not tried: {because}") },
        Err(error) => State::NotNeeded { because: format!("not tried: {}", crate::error::errno_text(errno(&error))) },
    }
}

const OVERLAY_TMPFS: &str = "overlay on tmpfs";
const OVERLAY_DISK: &str = "overlay on disk";
const PID_MAX: &str = "task limit of the pid namespace";
const CGROUP: &str = "task limit of a cgroup";
const WHOLE: &str = "ids for the root of a system";
pub(super) const GROUPS: &str = "dropping supplementary groups";

/// Where one of two is there, the other is not needed.
fn make_up(abilities: &mut [Ability], there: &str, other: &str) {
    if abilities.iter().any(|ability| ability.name == there && ability.state == State::Yes) {
        for ability in abilities.iter_mut().filter(|ability| ability.name == other) {
            if matches!(ability.state, State::No { .. }) {
                ability.state = State::NotNeeded { because: there.to_owned() };
            }
        }
    }
}

fn trials(scratch: &Path) -> Vec<Trial<'_>> {
    let in_user_namespace = |flags: UnshareFlags| {
        move || -> io::Result<()> {
            identity::user_namespaces()?;
            sys::unshare(flags)
        }
    };
    vec![
        ("user namespace", None, Box::new(|| sys::unshare(UnshareFlags::NEWUSER))),
        ("id map", None, Box::new(identity::user_namespaces)),
        ("mount namespace", None, Box::new(mount_namespace)),
        ("pid namespace", None, Box::new(in_user_namespace(UnshareFlags::NEWPID))),
        ("network namespace", None, Box::new(network)),
        ("ipc namespace", None, Box::new(in_user_namespace(UnshareFlags::NEWIPC))),
        ("uts namespace", None, Box::new(host_name)),
        ("cgroup namespace", None, Box::new(in_user_namespace(UnshareFlags::NEWCGROUP))),
        (OVERLAY_TMPFS, None, Box::new(|| overlay(None))),
        (OVERLAY_DISK, None, Box::new(move || overlay(Some(scratch)))),
        ("fresh /proc", Some(Relaxation::Proc), Box::new(|| in_pid_namespace(|| Ok(())))),
        ("fixed addresses", Some(Relaxation::Aslr), Box::new(sys::fix_addresses)),
        ("seccomp filter", None, Box::new(|| seccomp(false))),
        ("seccomp listener", None, Box::new(|| seccomp(true))),
        (PID_MAX, None, Box::new(|| in_pid_namespace(|| fs::write("sys/kernel/pid_max", "4397")))),
        (CGROUP, None, Box::new(cgroup)),
    ]
}

/// Runs a trial in a child.
fn attempt(trial: &dyn Fn() -> io::Result<()>) -> State {
    match in_child(trial) {
        Ok(()) => State::Yes,
        Err(error) => State::No { errno: errno(&error), detail: crate::error::errno_text(errno(&error)) },
    }
}

fn in_child(work: &dyn Fn() -> io::Result<()>) -> io::Result<()> {
    let code = ask_child(&|| work().map_or_else(|error| errno(&error), |()| 0).to_le_bytes().to_vec())?;
    // A child that was killed wrote nothing.
    match code.try_into().map(i32::from_le_bytes) {
        Ok(0) => Ok(()),
        Ok(code) => Err(io::Error::from_raw_os_error(code)),
        Err(_) => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// What a child of its own finds out.
fn ask_child(work: &dyn Fn() -> Vec<u8>) -> io::Result<Vec<u8>> {
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    match sys::fork()? {
        None => {
            drop(read);
            let _ = File::from(write).write_all(&work());
            sys::exit_now(0);
        }
        Some(child) => {
            drop(write);
            let mut answer = Vec::new();
            let read = File::from(read).read_to_end(&mut answer);
            rustix::process::waitpid(Some(child), WaitOptions::empty())?;
            read?;
            Ok(answer)
        }
    }
}

fn mount_namespace() -> io::Result<()> {
    identity::user_namespaces()?;
    staging().map(|_| ())
}

/// A mount namespace with a tmpfs as the working folder.
fn staging() -> io::Result<&'static str> {
    sys::unshare(UnshareFlags::NEWNS)?;
    rustix::mount::mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    let place = mounts::staging_place().ok_or(io::ErrorKind::NotFound)?;
    rustix::mount::mount("tmpfs", place, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, c"size=1m")?;
    rustix::process::chdir(place)?;
    Ok(place)
}

fn network() -> io::Result<()> {
    identity::user_namespaces()?;
    sys::unshare(UnshareFlags::NEWNET)?;
    sys::loopback_up()
}

/// Container filters that allow the namespace still refuse the call that makes use of it.
fn host_name() -> io::Result<()> {
    identity::user_namespaces()?;
    sys::unshare(UnshareFlags::NEWUTS)?;
    rustix::system::sethostname(b"probe")?;
    Ok(rustix::system::setdomainname(b"(none)")?)
}

fn overlay(disk: Option<&Path>) -> io::Result<()> {
    identity::user_namespaces()?;
    staging()?;
    for folder in ["l", "r"] {
        rustix::fs::mkdir(folder, Mode::from_raw_mode(0o755))?;
    }
    let scratch = disk.map(|disk| disk.join(format!("selfsame-probe-{}", std::process::id())));
    match &scratch {
        Some(scratch) => {
            fs::create_dir(scratch)?;
            symlink(scratch, "x")?;
        }
        None => {
            rustix::fs::setxattr("r", "user.overlay.probe", b"y", XattrFlags::empty())?;
            rustix::fs::mkdir("x", Mode::from_raw_mode(0o755))?;
        }
    }
    let mount = || -> io::Result<()> {
        fs::create_dir("x/u")?;
        fs::create_dir("x/w")?;
        mounts::mount_overlay("l")?;
        // Writing is what takes the attributes and the work folder.
        fs::write("r/file", "")?;
        fs::remove_file("r/file")?;
        Ok(rustix::mount::unmount("r", rustix::mount::UnmountFlags::DETACH)?)
    };
    let result = mount();
    if let Some(scratch) = scratch {
        crate::run::remove_scratch(&scratch);
    }
    result
}

/// Does something in the fresh `/proc` of a new pid namespace, which is the working folder then.
fn in_pid_namespace(work: fn() -> io::Result<()>) -> io::Result<()> {
    identity::user_namespaces()?;
    sys::unshare(UnshareFlags::NEWPID)?;
    in_child(&|| {
        staging()?;
        rustix::fs::mkdir("p", Mode::from_raw_mode(0o755))?;
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        rustix::mount::mount("proc", "p", "proc", flags, None)?;
        rustix::process::chdir("p")?;
        work()
    })
}

fn seccomp(listen: bool) -> io::Result<()> {
    rustix::thread::set_no_new_privs(true)?;
    let rules = if listen { observe::rules() } else { deny_list() };
    sys::install_filter(&assemble(rules), listen).map(|_| ())
}

fn cgroup() -> io::Result<()> {
    let limits = Limits { timeout_ms: 0, tasks: Limits::TASKS, memory_bytes: Some(1 << 30) };
    let cgroup = Cgroup::create(&limits, &format!("selfsame-probe-{}", std::process::id()));
    let cgroup = cgroup.ok_or_else(|| io::Error::from_raw_os_error(libc::EACCES))?;
    cgroup.remove();
    match cgroup.tasks {
        Some(_) => Ok(()),
        None => Err(io::Error::from_raw_os_error(libc::EACCES)),
    }
}
