//! The command's own process: from the fork to `execve`.

use std::ffi::CString;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;

use rustix::fs::Mode;
use rustix::process::{DumpableBehavior, Resource, Rlimit};
use rustix::thread::{CapabilitySet, CapabilitySets};

use crate::filter::{assemble, deny_list_of};
use crate::observe;
use crate::spec::{Identity, Level, Relaxation, Spec};
use crate::sys;
use crate::wire::{Failure, errno};

/// Resource limits of profile 1: soft, hard. Lowered only; what a host has less of is reported.
pub(crate) const RLIMITS: &[(&str, Resource, Option<u64>, Option<u64>)] = &[
    ("core", Resource::Core, Some(0), Some(0)),
    ("nofile", Resource::Nofile, Some(1024), Some(4096)),
    ("stack", Resource::Stack, Some(8 << 20), None),
    ("memlock", Resource::Memlock, Some(64 << 10), Some(64 << 10)),
];

/// What the command's process has from its parent.
pub(crate) struct Handles<'a> {
    /// Standard output and error of the caller.
    pub(crate) stdout: &'a OwnedFd,
    pub(crate) stderr: &'a OwnedFd,
    /// Where the observer waits for the listener.
    pub(crate) listener: Option<&'a crate::wire::Channel>,
}

/// The limits that cannot be had here, by name.
pub(crate) fn missing_rlimits() -> Vec<String> {
    let missing = RLIMITS.iter().filter(|(_, resource, soft, hard)| {
        let now = rustix::process::getrlimit(*resource);
        below(now.maximum, *soft) || below(now.maximum, *hard)
    });
    missing.map(|(name, ..)| (*name).to_owned()).collect()
}

/// Whether a limit that is set is lower than a wanted one. No limit is the highest.
fn below(set: Option<u64>, wanted: Option<u64>) -> bool {
    match (set, wanted) {
        (Some(set), Some(wanted)) => set < wanted,
        (Some(_), None) | (None, _) => false,
    }
}

/// Whether addresses could be fixed, tried before anything is started.
pub(crate) fn fix_addresses(spec: &Spec) -> Result<bool, Failure> {
    if spec.level == Level::Isolated {
        return Ok(false);
    }
    match sys::fix_addresses() {
        Ok(()) => Ok(true),
        Err(_) if spec.relax.contains(&Relaxation::Aslr) => Ok(false),
        Err(error) => Err(Failure::Refused {
            operation: "fixed addresses (personality)".to_owned(),
            errno: errno(&error),
            relaxation: Some(Relaxation::Aslr),
        }),
    }
}

/// Becomes the command. Comes back only with a failure.
pub(crate) fn become_command(spec: &Spec, handles: &Handles<'_>) -> Failure {
    match prepare(spec, handles) {
        Ok((programs, argv, env)) => {
            let mut error = io::Error::from_raw_os_error(libc::ENOENT);
            for program in &programs {
                let tried = sys::execve(program, &argv, &env);
                // As execvp(3): a name that is there and may not be executed is the one worth telling.
                if error.raw_os_error() == Some(libc::ENOENT) {
                    error = tried;
                }
            }
            Failure::Exec { errno: errno(&error) }
        }
        Err(failure) => failure,
    }
}

type Words = Vec<CString>;

fn prepare(spec: &Spec, handles: &Handles<'_>) -> Result<(Words, Words, Words), Failure> {
    let refused = |operation: &'static str| move |error: rustix::io::Errno| Failure::refused(operation)(error.into());
    if handles.listener.is_some() {
        // Until `execve` this process is as hidden as init, of which it is a copy, and the observer could not read
        // the name of the first program.
        let dumpable = rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable);
        dumpable.map_err(refused("a process that can be observed"))?;
    }
    rustix::process::setsid().map_err(refused("a session"))?;
    rustix::process::umask(Mode::from_raw_mode(0o022));
    rustix::process::chdir(spec.cwd.as_str()).map_err(|e| Failure::setup("entering", &spec.cwd)(e.into()))?;
    let stdin = OpenOptions::new().read(true).open("/dev/null").map_err(Failure::setup("opening", "/dev/null"))?;
    let stdio = || -> io::Result<()> {
        sys::dup_to(stdin.as_fd(), 0)?;
        sys::dup_to(handles.stdout.as_fd(), 1)?;
        sys::dup_to(handles.stderr.as_fd(), 2)
    };
    stdio().map_err(Failure::refused("standard streams"))?;
    if let Some(path) = &spec.stdout_to {
        let flags = libc::O_NOFOLLOW;
        let file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).custom_flags(flags).open(path);
        let file = file.map_err(Failure::setup("opening", path))?;
        sys::dup_to(file.as_fd(), 1).map_err(Failure::refused("standard streams"))?;
    }
    limit(spec);
    sys::reset_signals();
    drop_privileges(spec.identity).map_err(refused("dropping capabilities"))?;

    let argv = spec.argv.iter().map(|word| word_of(word)).collect();
    let env = spec.env.iter().map(|(name, value)| word_of(&format!("{name}={value}"))).collect();
    let programs = programs(spec);

    sys::install_filter(&assemble(deny_list_of(spec.identity)), false).map_err(Failure::refused("a seccomp filter"))?;
    if let Some(observer) = handles.listener {
        let hand_over = || -> io::Result<()> {
            let listener = sys::install_filter(&assemble(observe::rules()), true)?;
            let listener = listener.ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))?;
            observer.send_bytes(b"L", &[listener.as_fd()])
        };
        hand_over().map_err(Failure::refused("a seccomp listener"))?;
    }
    sys::cloexec_from(3).map_err(Failure::refused("close_range"))?;
    Ok((programs, argv, env))
}

/// Resource limits and CPUs. Each is a matter of what the host has, reported elsewhere, so none of them fails here.
fn limit(spec: &Spec) {
    for (_, resource, soft, hard) in RLIMITS {
        let now = rustix::process::getrlimit(*resource);
        let maximum = lower(*hard, now.maximum);
        let _ = rustix::process::setrlimit(*resource, Rlimit { current: lower(*soft, maximum), maximum });
    }
    let now = rustix::process::getrlimit(Resource::Nproc);
    let tasks = lower(Some(spec.limits.tasks.into()), now.maximum);
    let _ = rustix::process::setrlimit(Resource::Nproc, Rlimit { current: tasks, maximum: tasks });
    if let (Some(wanted), Ok(allowed)) = (spec.variation.cpus, rustix::thread::sched_getaffinity(None)) {
        let mut chosen = rustix::thread::CpuSet::new();
        let usable = (0..rustix::thread::CpuSet::MAX_CPU).rev().filter(|cpu| allowed.is_set(*cpu));
        usable.take(wanted.max(1)).for_each(|cpu| chosen.set(cpu));
        let _ = rustix::thread::sched_setaffinity(None, &chosen);
    }
}

/// The lower of two limits, where none is the highest.
fn lower(wanted: Option<u64>, allowed: Option<u64>) -> Option<u64> {
    match (wanted, allowed) {
        (Some(wanted), Some(allowed)) => Some(wanted.min(allowed)),
        (one, other) => one.or(other),
    }
}

/// What root of a system may do: to files and processes of the ids of its namespace, and nothing to the namespaces.
const OF_ROOT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::DAC_READ_SEARCH)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::SETFCAP)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SYS_CHROOT);

fn drop_privileges(identity: Identity) -> rustix::io::Result<()> {
    let left = match identity {
        Identity::Build => CapabilitySet::empty(),
        Identity::System => OF_ROOT,
    };
    rustix::thread::clear_ambient_capability_set()?;
    for capability in (0..64).filter(|capability| left.bits() & 1 << capability == 0) {
        match rustix::thread::remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << capability)) {
            // The first number that this kernel does not have.
            Err(rustix::io::Errno::INVAL) => break,
            result => result?,
        }
    }
    rustix::thread::set_no_new_privs(true)?;
    let sets = CapabilitySets { effective: left, permitted: left, inheritable: CapabilitySet::empty() };
    rustix::thread::set_capabilities(None, sets)
}

/// Where the command may be, in the order of `PATH`.
fn programs(spec: &Spec) -> Words {
    let name = &spec.argv[0];
    if name.contains('/') {
        return vec![word_of(name)];
    }
    let path = spec.env.get("PATH").map_or("", String::as_str);
    path.split(':').filter(|folder| !folder.is_empty()).map(|folder| word_of(&format!("{folder}/{name}"))).collect()
}

fn word_of(text: &str) -> CString {
    CString::new(text).expect("the specification was checked for NUL bytes")
}
