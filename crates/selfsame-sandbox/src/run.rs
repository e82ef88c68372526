//! The caller's side: starts the helper, feeds it, listens to it, and puts the outcome together.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, SealFlags};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use crate::error::SandboxError;
use crate::fixed;
use crate::outcome::{Achieved, End, HostFacts, Outcome, OutputEntry, OutputSink, Pressure, Stream};
use crate::spec::{HELPER_ARG, Identity, Spec};
use crate::wire::{Channel, Entry, Frame, STOP_CANCELLED, STOP_TIMED_OUT, Wire};

/// How often `cancel` is looked at.
const TICK: Duration = Duration::from_millis(50);
/// How long init may take to kill everything before it is killed itself.
const GRACE: Duration = Duration::from_secs(10);

/// Runs one command to its end. When this returns, no process of it is left and no mount.
///
/// `log` gets what the command writes, in pieces as they come; the two streams are in order each, and about in order
/// to one another. `outputs` gets what it made, if it exited with 0. Setting `cancel` kills everything; so does the
/// death of this process, at any moment.
///
/// A command that fails, times out or is cancelled is an [`Outcome`]; an error means that it could not be started as
/// asked, or that its outputs cannot be taken.
pub fn run(
    spec: &Spec,
    log: &mut dyn FnMut(Stream, &[u8]),
    outputs: &mut dyn OutputSink,
    cancel: &AtomicBool,
) -> Result<Outcome, SandboxError> {
    if let Some(fault) = spec.fault() {
        return Err(SandboxError::Spec { fault });
    }
    let mut helper = Helper::start(spec)?;
    let mut conversation = Conversation { spec, log, outputs, said: Said::default() };
    let talked = helper.listen(&mut conversation, cancel);
    // Whatever happened: wait until all is gone, then clean up.
    let status = helper.end(talked.is_err())?;
    let stopped_late = talked?;
    conversation.said.outcome(stopped_late, status)
}

/// The helper process, and what it may leave on the disk.
struct Helper {
    child: Child,
    channel: Channel,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    scratch: PathBuf,
    /// Whether it removes itself what it wrote to the disk, because only it can.
    cleans_up: bool,
    over: bool,
}

impl Helper {
    fn start(spec: &Spec) -> Result<Self, SandboxError> {
        static RUNS: AtomicU64 = AtomicU64::new(0);
        let caller = std::process::id();
        let scratch_name = format!("selfsame-{caller}-{}", RUNS.fetch_add(1, Ordering::Relaxed));
        let wire = Wire { spec: spec.clone(), caller, scratch_name };
        let text = serde_json::to_vec(&wire).map_err(|error| SandboxError::Spec { fault: error.to_string() })?;
        let specification = memory_file(&text)?;

        let pair = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None);
        let (ours, theirs) = pair.map_err(io::Error::from)?;
        let child = Command::new(&spec.program)
            .arg(HELPER_ARG)
            .env_clear()
            .current_dir("/")
            // A terminal's Ctrl-C goes to a whole process group. It is the caller who decides what it means.
            .process_group(0)
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = child.map_err(|source| SandboxError::Spawn { program: spec.program.clone(), source })?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let scratch = spec.scratch_dir.join(&wire.scratch_name);
        let helper = Self {
            child,
            channel: Channel::new(ours),
            stdout,
            stderr,
            scratch,
            cleans_up: spec.identity == Identity::System,
            over: false,
        };

        let random = spec.has_fixed_randomness().then(random_file).transpose()?;
        let fds: Vec<_> = [specification.as_fd()].into_iter().chain(random).collect();
        // A helper that has died already says why by its status.
        match helper.channel.send_bytes(b"S", &fds) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
            _ => Ok(helper),
        }
    }

    /// Listens until the helper has nothing more to say. Gives how it was stopped, if it did not say so itself.
    fn listen(
        &mut self,
        conversation: &mut Conversation<'_>,
        cancel: &AtomicBool,
    ) -> Result<Option<End>, SandboxError> {
        let mut message = Vec::new();
        let mut stop: Option<(End, Instant)> = None;
        let mut deadline = None;
        let mut open = true;
        let mut buffer = vec![0; 64 * 1024];
        while open || self.stdout.is_some() || self.stderr.is_some() {
            let now = Instant::now();
            if let Some((end, since)) = &stop {
                if now.duration_since(*since) > GRACE {
                    return Ok(Some(end.clone()));
                }
            } else if open {
                let end = match deadline {
                    _ if cancel.load(Ordering::Relaxed) => Some((End::Cancelled, STOP_CANCELLED)),
                    Some(deadline) if now >= deadline => Some((End::TimedOut, STOP_TIMED_OUT)),
                    _ => None,
                };
                if let Some((end, word)) = end {
                    if conversation.said.achieved.is_none() || conversation.said.end.is_some() {
                        // Not started yet, or handing outputs over: nobody there listens to words.
                        return Ok(Some(end));
                    }
                    let _ = self.channel.send_bytes(word, &[]);
                    stop = Some((end, now));
                }
            }

            let (stdout, stderr, words) = self.wait(open)?;
            if stdout && forward(&mut self.stdout, &mut buffer)? {
                (conversation.log)(Stream::Stdout, &buffer);
            }
            if stderr && forward(&mut self.stderr, &mut buffer)? {
                (conversation.log)(Stream::Stderr, &buffer);
            }
            if words {
                match self.channel.receive(&mut message)? {
                    Some((frame, file)) => {
                        if matches!(frame, Frame::Started { .. }) {
                            deadline = now.checked_add(Duration::from_millis(conversation.spec.limits.timeout_ms));
                        }
                        if matches!(frame, Frame::Ended { .. }) {
                            deadline = None;
                        }
                        conversation.hear(frame, file)?;
                    }
                    None => open = false,
                }
            }
        }
        Ok(None)
    }

    /// Which of standard output, standard error and channel have something, after a tick at most.
    fn wait(&self, open: bool) -> io::Result<(bool, bool, bool)> {
        let streams = [self.stdout.as_ref().map(AsFd::as_fd), self.stderr.as_ref().map(AsFd::as_fd)];
        let sources = streams.into_iter().chain([open.then(|| self.channel.as_fd())]);
        let mut fds: Vec<_> = sources.clone().flatten().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
        let tick = Timespec { tv_sec: 0, tv_nsec: i64::from(TICK.subsec_nanos()) };
        match poll(&mut fds, Some(&tick)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut events = fds.iter().map(|fd| !fd.revents().is_empty());
        let mut ready = sources.map(|source| source.is_some() && events.next() == Some(true));
        let mut next = || ready.next() == Some(true);
        Ok((next(), next(), next()))
    }

    /// Gives a helper that has to clean up itself the time for it.
    fn hang_up(&mut self) {
        self.channel.shut_down();
        let since = Instant::now();
        while since.elapsed() < GRACE && self.child.try_wait().is_ok_and(|status| status.is_none()) {
            std::thread::sleep(TICK);
        }
    }

    /// Waits until the helper is gone, and with it everything it started. Kills it first if there was trouble.
    fn end(&mut self, kill: bool) -> io::Result<std::process::ExitStatus> {
        if kill || self.stdout.is_some() || self.stderr.is_some() {
            if self.cleans_up {
                self.hang_up();
            }
            let _ = self.child.kill();
        }
        self.stdout = None;
        self.stderr = None;
        let status = self.child.wait()?;
        // Init dies with the helper, but not in the same moment; its end of the channel goes with it.
        let mut message = Vec::new();
        while self.channel.receive_bytes(&mut message).is_ok_and(|fds| fds.is_some()) {}
        self.over = true;
        remove_scratch(&self.scratch);
        Ok(status)
    }
}

impl Drop for Helper {
    /// Also when a callback of the caller's panics, nothing stays behind.
    fn drop(&mut self) {
        if !self.over {
            let _ = self.end(true);
        }
    }
}

/// The caller's interests, and what the helper has said.
struct Conversation<'a> {
    spec: &'a Spec,
    log: &'a mut dyn FnMut(Stream, &[u8]),
    outputs: &'a mut dyn OutputSink,
    said: Said,
}

#[derive(Default)]
struct Said {
    achieved: Option<(Achieved, HostFacts)>,
    end: Option<End>,
    pressure: Pressure,
    leftovers: u32,
    observed: BTreeSet<String>,
    error: Option<SandboxError>,
    oom_kills: u64,
}

impl Conversation<'_> {
    fn hear(&mut self, frame: Frame, file: Option<OwnedFd>) -> Result<(), SandboxError> {
        let said = &mut self.said;
        match frame {
            Frame::Failed(failure) => {
                let command = self.spec.argv.first().map_or("", String::as_str);
                said.error.get_or_insert(failure.into_error(command));
            }
            Frame::Started { achieved, host } => said.achieved = Some((achieved, host)),
            Frame::Ended { end, pressure, leftovers } => {
                (said.end, said.pressure, said.leftovers) = (Some(end), pressure, leftovers);
            }
            Frame::Fault { output, fault } => {
                let output = self.spec.outputs.get(output).cloned().unwrap_or_else(|| "/".to_owned());
                said.error.get_or_insert(SandboxError::Output { output, fault });
            }
            Frame::Entry(entry) => {
                let entry = output_entry(entry)?;
                let mut content: Box<dyn Read> = match file {
                    Some(file) => Box::new(File::from(file)),
                    None => Box::new(io::empty()),
                };
                self.outputs.entry(entry, &mut content).map_err(SandboxError::Sink)?;
            }
            Frame::Observed(paths) => said.observed.extend(paths),
            Frame::Done { tasks_refused, oom_kills } => {
                said.pressure.tasks_limit |= tasks_refused > 0;
                said.oom_kills = oom_kills;
            }
        }
        Ok(())
    }
}

impl Said {
    fn outcome(mut self, stopped: Option<End>, status: std::process::ExitStatus) -> Result<Outcome, SandboxError> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let lost = || SandboxError::Helper { detail: status.to_string() };
        let (achieved, host) = match self.achieved.take() {
            Some(facts) => facts,
            None if stopped == Some(End::Cancelled) => return Err(SandboxError::Cancelled),
            None => return Err(lost()),
        };
        let killed = matches!(self.end, Some(End::Signaled { signal: libc::SIGKILL, .. }) | None);
        let end = match (stopped, self.end) {
            (Some(stopped), _) => stopped,
            // Nobody of ours sends SIGKILL unless time is up or the caller wants it, and then the end says so.
            (None, _) if killed && self.oom_kills > 0 => End::OutOfMemory,
            (None, Some(end)) => end,
            (None, None) => return Err(lost()),
        };
        if !end.is_success() || host.memory_limit {
            self.pressure.oom_kills = self.oom_kills;
        }
        let Self { pressure, leftovers, observed, .. } = self;
        Ok(Outcome { end, achieved, host, pressure, leftovers, observed })
    }
}

fn output_entry(entry: Entry) -> Result<OutputEntry, SandboxError> {
    let Entry { output, path, kind, mode, owner, xattrs } = entry;
    let xattrs = xattrs.into_iter().map(|(name, value)| Some((name, unhex(&value)?)));
    let xattrs = xattrs.collect::<Option<BTreeMap<_, _>>>();
    let xattrs = xattrs.ok_or_else(|| SandboxError::Helper { detail: "an attribute is not hex".to_owned() })?;
    Ok(OutputEntry { output, path, kind, mode, owner, xattrs })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// Reads what is there into the buffer, which gets its length. Closes the stream at its end.
fn forward<S: Read>(stream: &mut Option<S>, buffer: &mut Vec<u8>) -> io::Result<bool> {
    buffer.resize(64 * 1024, 0);
    let Some(source) = stream else { return Ok(false) };
    match source.read(buffer) {
        Ok(0) => *stream = None,
        Ok(read) => {
            buffer.truncate(read);
            return Ok(true);
        }
        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
        Err(error) => return Err(error),
    }
    Ok(false)
}

fn memory_file(content: &[u8]) -> io::Result<File> {
    let file = rustix::fs::memfd_create("selfsame", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let mut file = File::from(file);
    file.write_all(content)?;
    rustix::fs::fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
    Ok(file)
}

/// The content of the random devices, made once.
fn random_file() -> io::Result<std::os::fd::BorrowedFd<'static>> {
    static FILE: OnceLock<File> = OnceLock::new();
    if FILE.get().is_none() {
        let made = memory_file(&fixed::random_bytes())?;
        // Another thread may have been faster; then ours is dropped.
        let _ = FILE.set(made);
    }
    Ok(FILE.get().expect("just set").as_fd())
}

/// Removes what an overlay wrote to the disk. A command may have left folders without any permission.
pub(crate) fn remove_scratch(folder: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        if fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).is_err() {
            continue;
        }
        let entries = fs::read_dir(&folder).into_iter().flatten().filter_map(Result::ok);
        folders.extend(entries.filter(|e| e.file_type().is_ok_and(|kind| kind.is_dir())).map(|e| e.path()));
    }
    let _ = fs::remove_dir_all(folder);
}
