//! The first process of the sandbox's pid namespace: prepares, starts the command, reaps, kills, hands outputs back.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{DumpableBehavior, Pid, Signal, WaitOptions, WaitStatus};
use rustix::thread::UnshareFlags;

use crate::changes;
use crate::command::{self, Handles};
use crate::mounts;
use crate::outcome::{Achieved, End, HostFacts, Pressure, SupplementaryGroups, TaskLimit};
use crate::outputs;
use crate::place;
use crate::spec::{Identity, Level, Relaxation, Spec};
use crate::sys;
use crate::wire::{Channel, Failure, Frame, STOP_CANCELLED, Wire};

/// What init has from the outer process.
pub(crate) struct Inherited<'a> {
    pub(crate) wire: &'a Wire,
    pub(crate) channel: &'a Channel,
    pub(crate) random: Option<OwnedFd>,
    pub(crate) stdout: OwnedFd,
    pub(crate) stderr: OwnedFd,
    /// Hangs up when the outer process is gone.
    pub(crate) life: OwnedFd,
    pub(crate) observer: Option<Channel>,
    /// To be joined: `cgroup.procs`.
    pub(crate) cgroup: Vec<File>,
    pub(crate) cgroup_tasks: Option<TaskLimit>,
    pub(crate) memory_limit: bool,
    /// Whether `RLIMIT_NPROC` means anything for this user.
    pub(crate) rlimit_binds: bool,
    pub(crate) groups: SupplementaryGroups,
}

/// How often the scratch space and the number of processes are looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Runs to the end. What went wrong before the command started has been said on the channel. Gives whether the command
/// did what it was to do.
pub(crate) fn run(mut inherited: Inherited<'_>) -> bool {
    let (wire, channel) = (inherited.wire, inherited.channel);
    match start(&mut inherited) {
        Ok((command, changes)) => {
            // Only the command holds these now, so that their readers see the end when it and its children are gone.
            drop((inherited.stdout, inherited.stderr, inherited.observer));
            let mut watch = Watch { spec: &wire.spec, channel, life: inherited.life, pressure: Pressure::default() };
            let Ok((end, leftovers)) = watch.wait(command) else { return false };
            let takes = end.is_success();
            let ended = Frame::Ended { end, pressure: watch.pressure, leftovers };
            if channel.send(&ended, None).is_ok() && takes {
                // Fails only when the caller is gone, and then there is nobody to tell.
                let _ = match &changes {
                    Some(changes) => changes::send(&wire.spec, changes, channel),
                    None => outputs::send(&wire.spec, channel),
                };
            }
            takes
        }
        Err(failure) => {
            let _ = channel.send(&Frame::Failed(failure), None);
            false
        }
    }
}

fn start(inherited: &mut Inherited<'_>) -> Result<(Pid, Option<OwnedFd>), Failure> {
    let spec = &inherited.wire.spec;
    let refused = |operation: &'static str| move |error: rustix::io::Errno| Failure::refused(operation)(error.into());
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(refused("a parent death signal"))?;
    rustix::thread::set_name(c"init").map_err(refused("a process name"))?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(refused("a hidden init"))?;
    for procs in inherited.cgroup.drain(..) {
        io::Write::write_all(&mut &procs, b"0").map_err(Failure::refused("joining its cgroup"))?;
    }
    // Behind joining, so that the cgroup of this run is the root that the command sees.
    sys::unshare(UnshareFlags::NEWCGROUP).map_err(Failure::refused("a cgroup namespace"))?;
    sys::loopback_up().map_err(Failure::refused("a loopback interface"))?;

    let root = mounts::prepare(inherited.wire, inherited.random.as_ref())?;
    if spec.identity == Identity::System {
        place::owners(&root.folder, spec)?;
    }
    place::all(&root.folder, spec)?;
    let missing = command::missing_rlimits();
    root.enter()?;
    let fixed_addresses = command::fix_addresses(spec)?;

    burn_pids(spec.variation.pid_offset).map_err(Failure::refused("a process"))?;
    if spec.variation.start_after_next_second {
        sleep_into_next_second();
    }
    let command = fork_command(inherited)?;

    let mut relaxed = spec.relax.clone();
    relaxed.retain(|relaxation| match relaxation {
        Relaxation::Proc => !root.own_proc,
        Relaxation::Aslr => spec.level == Level::Normalized && !fixed_addresses,
    });
    let namespaces = ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"];
    let achieved = Achieved {
        level: spec.level,
        namespaces: namespaces.map(str::to_owned).to_vec(),
        network: false,
        seccomp: true,
        unprivileged: spec.identity == Identity::Build,
        fixed_addresses,
        own_proc: root.own_proc,
        relaxed,
        landlock: false,
    };
    let mut task_limits: Vec<_> = root.pid_max.then_some(TaskLimit::PidMax).into_iter().collect();
    task_limits.extend(inherited.cgroup_tasks);
    task_limits.extend(inherited.rlimit_binds.then_some(TaskLimit::Rlimit));
    let host = HostFacts {
        kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
        upper: root.upper,
        supplementary_groups: inherited.groups.clone(),
        task_limits,
        memory_limit: inherited.memory_limit,
        rlimits_missing: missing,
    };
    inherited
        .channel
        .send(&Frame::Started { achieved, host }, None)
        .map_err(Failure::setup("telling", "the caller"))?;
    Ok((command, root.changes))
}

/// Starts the command and waits until it is executing, or why not.
fn fork_command(inherited: &Inherited<'_>) -> Result<Pid, Failure> {
    let spec = &inherited.wire.spec;
    let (ready, report) =
        rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(|e| Failure::refused("a pipe")(e.into()))?;
    match sys::fork().map_err(Failure::refused("a process for the command"))? {
        None => {
            drop(ready);
            let handles =
                Handles { stdout: &inherited.stdout, stderr: &inherited.stderr, listener: inherited.observer.as_ref() };
            let failure = command::become_command(spec, &handles);
            let text = serde_json::to_vec(&failure).unwrap_or_default();
            let _ = io::Write::write_all(&mut File::from(report), &text);
            sys::exit_now(127);
        }
        Some(command) => {
            drop(report);
            let mut text = Vec::new();
            File::from(ready).read_to_end(&mut text).map_err(Failure::refused("a pipe"))?;
            if text.is_empty() {
                return Ok(command);
            }
            let _ = rustix::process::waitpid(Some(command), WaitOptions::empty());
            Err(serde_json::from_slice(&text).unwrap_or(Failure::Exec { errno: libc::EIO }))
        }
    }
}

/// Uses up process ids, one short-lived child after the other.
fn burn_pids(count: u32) -> io::Result<()> {
    for _ in 0..count.min(4000) {
        match sys::fork()? {
            None => sys::exit_now(0),
            Some(child) => {
                rustix::process::waitpid(Some(child), WaitOptions::empty())?;
            }
        }
    }
    Ok(())
}

/// `time(2)` and the times of files follow a clock that lags by up to a tick of the kernel, which is 10 ms at most.
const LAG_NANOS: u64 = 20_000_000;

fn sleep_into_next_second() {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    std::thread::sleep(Duration::from_nanos(1_000_000_000 - now.tv_nsec as u64 + LAG_NANOS));
}

/// Waiting for the end, whoever brings it.
struct Watch<'a> {
    spec: &'a Spec,
    channel: &'a Channel,
    life: OwnedFd,
    pressure: Pressure,
}

impl Watch<'_> {
    /// How the command ended and how many processes had to be killed behind it. An error when nobody listens any more.
    fn wait(&mut self, command: Pid) -> io::Result<(End, u32)> {
        let signals = sys::child_signals()?;
        let tick = Timespec { tv_sec: 0, tv_nsec: i64::from(LOOK.subsec_nanos()) };
        let mut stopped = None;
        let mut looked = Instant::now();
        let status = loop {
            if let Some(status) = self.reap(command)? {
                break status;
            }
            let mut fds = [
                PollFd::new(&signals, PollFlags::IN),
                PollFd::new(self.channel, PollFlags::IN),
                PollFd::new(&self.life, PollFlags::IN),
            ];
            let polled = poll(&mut fds, Some(&tick));
            let [signal, word, life] = fds.map(|fd| fd.revents());
            match polled {
                Ok(_) if looked.elapsed() >= LOOK => {
                    self.look();
                    looked = Instant::now();
                }
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            if !signal.is_empty() {
                let mut drain = [0; 128];
                while rustix::io::read(&signals, &mut drain).is_ok_and(|read| read > 0) {}
            }
            if !life.is_empty() {
                sys::signal_all_others(libc::SIGKILL);
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            if !word.is_empty() && stopped.is_none() {
                let mut message = Vec::new();
                if self.channel.receive_bytes(&mut message)?.is_none() {
                    sys::signal_all_others(libc::SIGKILL);
                    return Err(io::ErrorKind::BrokenPipe.into());
                }
                stopped = Some(if message == STOP_CANCELLED { End::Cancelled } else { End::TimedOut });
                self.pressure.tasks_limit |= nothing_forks();
                sys::signal_all_others(libc::SIGKILL);
            }
        };
        self.look();
        let leftovers = kill_rest()?;
        Ok((stopped.unwrap_or_else(|| end_of(status)), leftovers))
    }

    /// Collects processes that have ended; the command's status when it is among them. Not more than some at once:
    /// while a fork bomb goes on there is always another, and nobody would look at anything else.
    fn reap(&mut self, command: Pid) -> io::Result<Option<WaitStatus>> {
        for _ in 0..64 {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid == command => return Ok(Some(status)),
                Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
                Ok(None) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
        // What is left over shows itself by the next tick, or by the next one that ends.
        Ok(None)
    }

    /// Notes limits that are met just now.
    fn look(&mut self) {
        for path in self.spec.scratch_dirs.iter().map(String::as_str).chain(["/dev/shm"]) {
            if let Ok(space) = rustix::fs::statvfs(path) {
                let full = space.f_blocks > 0 && space.f_bavail <= space.f_blocks / 4096;
                self.pressure.scratch_full |= full || (space.f_files > 0 && space.f_favail == 0);
            }
        }
        if !self.pressure.tasks_limit {
            let processes = std::fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
            let numbered = processes.filter(|entry| entry.file_name().as_encoded_bytes()[0].is_ascii_digit()).count();
            // Near is as good as met: our own processes count too, threads are not seen, and a look is a sample.
            let limit = self.spec.limits.tasks as usize;
            self.pressure.tasks_limit = numbered >= limit - limit / 16;
        }
    }
}

/// Whether a process is refused just now.
fn nothing_forks() -> bool {
    match sys::fork() {
        Ok(None) => sys::exit_now(0),
        Ok(Some(_)) => false,
        Err(error) => error.raw_os_error() == Some(libc::EAGAIN),
    }
}

/// Kills and reaps all that is left. Gives the number of processes that died of it.
fn kill_rest() -> io::Result<u32> {
    let mut killed = 0;
    let mut options = WaitOptions::NOHANG;
    sys::signal_all_others(libc::SIGKILL);
    loop {
        match rustix::process::wait(options) {
            Ok(Some((_, status))) => {
                killed += u32::from(status.terminating_signal() == Some(libc::SIGKILL));
                options = WaitOptions::NOHANG;
            }
            // All that were dead are gone; the others take a moment. Once more, for what began while they died.
            Ok(None) => {
                sys::signal_all_others(libc::SIGKILL);
                options = WaitOptions::empty();
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::CHILD) => return Ok(killed),
            Err(error) => return Err(error.into()),
        }
    }
}

fn end_of(status: WaitStatus) -> End {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(status), _) => End::Exited(status),
        (None, signal) => {
            let signal = signal.unwrap_or(0);
            End::Signaled { signal, name: signal_name(signal) }
        }
    }
}

fn signal_name(signal: i32) -> String {
    let names = [
        "SIGHUP",
        "SIGINT",
        "SIGQUIT",
        "SIGILL",
        "SIGTRAP",
        "SIGABRT",
        "SIGBUS",
        "SIGFPE",
        "SIGKILL",
        "SIGUSR1",
        "SIGSEGV",
        "SIGUSR2",
        "SIGPIPE",
        "SIGALRM",
        "SIGTERM",
        "SIGSTKFLT",
        "SIGCHLD",
        "SIGCONT",
        "SIGSTOP",
        "SIGTSTP",
        "SIGTTIN",
        "SIGTTOU",
        "SIGURG",
        "SIGXCPU",
        "SIGXFSZ",
        "SIGVTALRM",
        "SIGPROF",
        "SIGWINCH",
        "SIGIO",
        "SIGPWR",
        "SIGSYS",
    ];
    let name = usize::try_from(signal - 1).ok().and_then(|index| names.get(index));
    name.map_or_else(|| format!("signal {signal}"), |name| (*name).to_owned())
}
