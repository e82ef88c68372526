//! The outer process: makes the namespaces, starts init in them, watches over both sides, observes.

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::Mode;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions};
use rustix::thread::UnshareFlags;

use crate::cgroup::Cgroup;
use crate::identity::{self, NotWhole};
use crate::init;
use crate::observe::Observer;
use crate::oom::OomKills;
use crate::outcome::SupplementaryGroups;
use crate::probe::{self, PROBE};
use crate::spec::{HOSTNAME, Identity};
use crate::subordinate::NoIds;
use crate::sys;
use crate::wire::{Channel, Failure, Frame, Wire};

/// The status of a helper that could not even read its specification.
const LOST: u8 = 70;

/// What a program does instead of everything else when its first argument is [`crate::HELPER_ARG`].
///
/// Standard input is the channel to the caller, standard output and error are those of the command. A program that
/// was given the argument by hand has no such channel: this returns at once, with status 70.
#[must_use]
pub fn helper_main() -> ExitCode {
    match outer() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(LOST),
    }
}

fn outer() -> io::Result<()> {
    let channel = take_channel()?;
    let mut word = Vec::new();
    let mut fds = channel.receive_bytes(&mut word)?.ok_or(io::ErrorKind::UnexpectedEof)?.into_iter();
    if word == PROBE {
        return probe::answer(&channel, fds.next().as_ref());
    }
    let wire = read_wire(fds.next())?;
    let random = fds.next();
    tie(wire.spec.identity)?;
    let parent = rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get());
    if u32::try_from(parent) != Ok(wire.caller) {
        return Err(io::ErrorKind::BrokenPipe.into());
    }
    rustix::process::umask(Mode::from_raw_mode(0o022));
    // A command may take all memory there is. When the kernel then looks for somebody to kill, it shall be one of these.
    // Raising needs no right; where there is no such file nothing is lost but that.
    let _ = fs::write("/proc/self/oom_score_adj", "1000");
    if let Err(failure) = supervise(&wire, &channel, random) {
        channel.send(&Frame::Failed(failure), None)?;
        channel.send(&Frame::Done { tasks_refused: 0, oom_kills: 0 }, None)?;
    }
    Ok(())
}

/// Standard input is the channel; nothing but it and the two outputs stays open.
fn take_channel() -> io::Result<Channel> {
    let stdin = sys::inherited(0);
    sys::close_from(3)?;
    let socket = rustix::io::fcntl_dupfd_cloexec(&stdin, 3)?;
    drop(stdin);
    // The first free number, so descriptor 0 again.
    let _: i32 = std::os::fd::IntoRawFd::into_raw_fd(File::open("/dev/null")?);
    Ok(Channel::new(socket))
}

fn read_wire(file: Option<OwnedFd>) -> io::Result<Wire> {
    let mut file = File::from(file.ok_or(io::ErrorKind::UnexpectedEof)?);
    file.rewind()?;
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

/// Whether this is root of the host, whom `RLIMIT_NPROC` does not bind, and not just root of a user namespace.
pub(crate) fn is_host_root() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let root_is_root = map.lines().any(|line| line.split_whitespace().take(2).eq(["0", "0"]));
    rustix::process::geteuid().is_root() && root_is_root
}

/// This process dies with its caller. Not so for root of a system: only here can be removed what belongs to others of its
/// ids, so this process hears its caller hang up, kills everything, cleans up and ends.
fn tie(identity: Identity) -> rustix::io::Result<()> {
    match identity {
        Identity::Build => rustix::process::set_parent_process_death_signal(Some(Signal::KILL)),
        Identity::System => Ok(()),
    }
}

fn supervise(wire: &Wire, channel: &Channel, random: Option<OwnedFd>) -> Result<(), Failure> {
    let spec = &wire.spec;
    let rlimit_binds = !is_host_root();
    // A limit that also binds root: the pid namespace's own where the kernel has it, else a cgroup's.
    let cgroup = (spec.limits.memory_bytes.is_some() || !has_namespaced_pid_max())
        .then(|| Cgroup::create(&spec.limits, &wire.scratch_name))
        .flatten();
    let result = namespaces(spec.identity).and_then(|groups| {
        let mut started = start(wire, channel, random, groups, rlimit_binds, cgroup.as_ref())?;
        let success = watch(channel, &mut started);
        if spec.identity == Identity::System {
            // What belongs to others of its ids, only somebody who is root over them can remove.
            crate::run::remove_scratch(&spec.scratch_dir.join(&wire.scratch_name));
        }
        finish(channel, started, cgroup.as_ref(), success);
        Ok(())
    });
    if let Some(cgroup) = &cgroup {
        cgroup.remove();
    }
    result
}

/// User namespaces, then the others. The same for root. Gives what became of the other groups.
fn namespaces(identity: Identity) -> Result<SupplementaryGroups, Failure> {
    let groups = match identity {
        Identity::Build => one_user()?,
        Identity::System => {
            identity::enter_whole().map_err(|why| match why {
                NotWhole::Ids(NoIds { because, line }) => Failure::Ids { because, line },
                NotWhole::Refused(operation, error) => Failure::refused(operation)(error),
            })?;
            SupplementaryGroups::Dropped
        }
    };
    // A change of credentials clears it.
    tie(identity).map_err(|e| Failure::refused("a parent death signal")(e.into()))?;
    let others = UnshareFlags::NEWPID | UnshareFlags::NEWNET | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS;
    sys::unshare(others).map_err(Failure::refused("pid, network, ipc and uts namespaces"))?;
    let name = || -> rustix::io::Result<()> {
        rustix::system::sethostname(HOSTNAME.as_bytes())?;
        rustix::system::setdomainname(b"(none)")
    };
    name().map_err(|e| Failure::refused("a host name")(e.into()))?;
    Ok(groups)
}

/// User namespaces with one user and one group.
fn one_user() -> Result<SupplementaryGroups, Failure> {
    let before = fs::read_link("/proc/self/ns/user").ok();
    identity::enter().map_err(|error| {
        // Which of the two it was decides what helps.
        let entered = fs::read_link("/proc/self/ns/user").ok() != before;
        Failure::refused(if entered { "an id map for the user namespace" } else { "a user namespace" })(error)
    })
}

/// `kernel.pid_max` is a value of the pid namespace since Linux 6.14.
fn has_namespaced_pid_max() -> bool {
    let release = rustix::system::uname();
    let release = release.release().to_string_lossy();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse::<u32>().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(6), Some(14))
}

struct Started {
    init: Pid,
    /// Its other end is init's: hangs up there when this process is gone.
    _life: OwnedFd,
    observer: Option<Observer>,
    oom_kills: OomKills,
}

fn start(
    wire: &Wire,
    channel: &Channel,
    random: Option<OwnedFd>,
    groups: SupplementaryGroups,
    rlimit_binds: bool,
    cgroup: Option<&Cgroup>,
) -> Result<Started, Failure> {
    let refused = |operation: &'static str| move |error: rustix::io::Errno| Failure::refused(operation)(error.into());
    let oom_kills = OomKills::watch();
    let (life, our_life) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(refused("a pipe"))?;
    let pair = || socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None);
    let (ours, theirs) = match wire.spec.observe {
        true => pair().map(|(ours, theirs)| (Some(Channel::new(ours)), Some(Channel::new(theirs)))),
        false => Ok((None, None)),
    }
    .map_err(refused("a socket pair"))?;
    let procs =
        cgroup.into_iter().flat_map(|cgroup| &cgroup.procs).map(File::try_clone).collect::<io::Result<Vec<_>>>();
    let procs = procs.map_err(Failure::refused("a descriptor"))?;
    let streams = || -> io::Result<_> {
        Ok((rustix::io::fcntl_dupfd_cloexec(io::stdout(), 3)?, rustix::io::fcntl_dupfd_cloexec(io::stderr(), 3)?))
    };
    let (stdout, stderr) = streams().map_err(Failure::refused("a descriptor"))?;
    // Neither this process nor init may keep the command's outputs open.
    let null = File::options().write(true).open("/dev/null").map_err(Failure::setup("opening", "/dev/null"))?;
    for number in [1, 2] {
        sys::dup_to(null.as_fd(), number).map_err(Failure::refused("a descriptor"))?;
    }
    match sys::fork().map_err(Failure::refused("a process"))? {
        None => {
            drop((our_life, ours));
            let success = init::run(init::Inherited {
                wire,
                channel,
                random,
                stdout,
                stderr,
                life,
                observer: theirs,
                cgroup: procs,
                cgroup_tasks: cgroup.and_then(|cgroup| cgroup.tasks),
                rlimit_binds,
                memory_limit: cgroup.is_some_and(|cgroup| cgroup.memory),
                groups,
            });
            sys::exit_now(i32::from(!success));
        }
        Some(init) => {
            drop((stdout, stderr, life, theirs));
            let observer = ours.map(Observer::new);
            Ok(Started { init, _life: our_life, observer, oom_kills })
        }
    }
}

/// Waits for init, and with it for every process of its namespace, and observes meanwhile; kills it when the caller is
/// gone. All in one thread: a process that has made a pid namespace for its children can start no other. Gives whether the command did what it was to do.
fn watch(channel: &Channel, started: &mut Started) -> bool {
    let init = rustix::process::pidfd_open(started.init, PidfdFlags::empty());
    if let Ok(init) = &init {
        loop {
            // Words of the caller are for init; here only its hanging up counts.
            let mut fds = vec![PollFd::new(init, PollFlags::IN), PollFd::new(channel, PollFlags::empty())];
            let observed = started.observer.as_ref().and_then(Observer::source);
            fds.extend(observed.map(|source| PollFd::from_borrowed_fd(source, PollFlags::IN)));
            match poll(&mut fds, None) {
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(_) => break,
            }
            let events: Vec<_> = fds.iter().map(PollFd::revents).collect();
            if !events[0].is_empty() {
                break;
            }
            if !events[1].is_empty() {
                let _ = rustix::process::pidfd_send_signal(init, Signal::KILL);
                break;
            }
            if let (Some(observer), Some(events)) = (&mut started.observer, events.get(2))
                && !events.is_empty()
            {
                observer.serve(*events);
            }
        }
    }
    loop {
        match rustix::process::waitpid(Some(started.init), WaitOptions::empty()) {
            Err(rustix::io::Errno::INTR) => {}
            waited => return waited.is_ok_and(|init| init.is_some_and(|(_, status)| status.exit_status() == Some(0))),
        }
    }
}

/// Says what only this process knows.
fn finish(channel: &Channel, started: Started, cgroup: Option<&Cgroup>, success: bool) {
    const PATHS_PER_FRAME: usize = 4;
    let say = || -> io::Result<()> {
        if let Some(observer) = started.observer {
            let observed: Vec<_> = observer.into_paths().into_iter().collect();
            for paths in observed.chunks(PATHS_PER_FRAME) {
                channel.send(&Frame::Observed(paths.to_vec()), None)?;
            }
        }
        let (tasks_refused, in_cgroup) = cgroup.map_or((0, 0), Cgroup::events);
        // Of no use behind a success.
        let around = if success { 0 } else { started.oom_kills.since() };
        channel.send(&Frame::Done { tasks_refused, oom_kills: in_cgroup.max(around) }, None)
    };
    // Fails only when the caller is gone.
    let _ = say();
}
