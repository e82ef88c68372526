//! Work that may fall, in a process of its own: bounded memory, processor time and stack, no network, no files, no
//! programs. Questions go in, answers come out; a process that ends, hangs or says too much is a fault and no answer.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, setrlimit};

use crate::offline::give_up_the_network;

/// The hidden first argument by which a program knows that it is to be confined: call [`confined_main`] then.
pub const CONFINED_ARG: &str = "__selfsame-confined";

/// All addresses of a confined process, its program and stacks with it.
pub const CONFINED_MEMORY_BYTES: u64 = 2 << 30;
/// Its stack, which is taken as it is used.
pub const CONFINED_STACK_BYTES: usize = 256 << 20;
/// Its processor time for one question.
pub const CONFINED_CPU_SECONDS: u64 = 20;
/// How long one answer may take on the wall.
pub const CONFINED_PATIENCE: Duration = Duration::from_secs(60);
/// The largest question.
pub const CONFINED_QUESTION_BYTES: usize = 256 << 20;

/// The status of a process that could not be confined, or was told no question.
const LOST: u8 = 70;

/// A confined process, seen from outside. Dropping it ends it.
#[derive(Debug)]
pub struct Confined {
    child: Child,
    to: ChildStdin,
    from: ChildStdout,
    /// How it ended; nothing is asked of it any more.
    over: Option<ConfinedError>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfinedError {
    /// Killed by the kernel for its processor time.
    #[error("it took more than {CONFINED_CPU_SECONDS} s of processor time")]
    Cpu,
    /// Its stack or its memory did not suffice, or it broke otherwise.
    #[error("the process that it ran in broke off with signal {signal}: out of stack ({stack} MiB) or memory ({memory} MiB)", stack = CONFINED_STACK_BYTES >> 20, memory = CONFINED_MEMORY_BYTES >> 20)]
    Signal {
        /// Which one.
        signal: i32,
    },
    /// It ended without an answer.
    #[error("the process that it ran in ended with status {status} and gave no answer")]
    Ended {
        /// Its exit code.
        status: i32,
    },
    /// No answer in time.
    #[error("it gave no answer within {} s", CONFINED_PATIENCE.as_secs())]
    TimedOut,
    /// More than may be asked or answered.
    #[error("{what} has more than {most} bytes")]
    Long {
        /// `the question` or `the answer`.
        what: &'static str,
        /// The bound.
        most: usize,
    },
    /// The pipes broke.
    #[error("talking to the process that it runs in: {fault}")]
    Io {
        /// The kernel's word.
        fault: String,
    },
}

impl From<io::Error> for ConfinedError {
    fn from(error: io::Error) -> Self {
        Self::Io { fault: error.to_string() }
    }
}

impl From<Errno> for ConfinedError {
    fn from(error: Errno) -> Self {
        io::Error::from(error).into()
    }
}

impl Confined {
    /// Starts this program again, confined. To be called before programs are given up.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start() -> io::Result<Self> {
        let mut child = Command::new(Path::new("/proc/self/exe"))
            .arg(CONFINED_ARG)
            .env_clear()
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (to, from) = pipes.ok_or_else(|| io::Error::other("a process without pipes"))?;
        let confined = Self { child, to, from, over: None };
        for pipe in [confined.to.as_fd(), confined.from.as_fd()] {
            rustix::io::ioctl_fionbio(pipe, true)?;
        }
        Ok(confined)
    }

    /// Puts a question and waits for the answer, which has at most so many bytes.
    ///
    /// # Errors
    /// There is no answer. It is the same for every question that follows.
    pub fn ask(&mut self, question: &[u8], most: usize) -> Result<Vec<u8>, ConfinedError> {
        if question.len() > CONFINED_QUESTION_BYTES {
            return Err(ConfinedError::Long { what: "the question", most: CONFINED_QUESTION_BYTES });
        }
        if let Some(fault) = &self.over {
            return Err(fault.clone());
        }
        self.exchange(question, most).map_err(|fault| {
            let fault = self.ended(fault);
            self.over = Some(fault.clone());
            fault
        })
    }

    fn exchange(&mut self, question: &[u8], most: usize) -> Result<Vec<u8>, ConfinedError> {
        let deadline = Instant::now() + CONFINED_PATIENCE;
        let length = u32::try_from(question.len()).unwrap_or(u32::MAX).to_le_bytes();
        for mut piece in [&length[..], question] {
            while !piece.is_empty() {
                wait(self.to.as_fd(), PollFlags::OUT, deadline)?;
                match self.to.write(piece) {
                    Ok(written) => piece = &piece[written..],
                    Err(error) if is_passing(&error) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        let length = self.read(4, deadline)?;
        let length = length.try_into().map(u32::from_le_bytes).unwrap_or(u32::MAX) as usize;
        if length > most {
            return Err(ConfinedError::Long { what: "the answer", most });
        }
        self.read(length, deadline)
    }

    fn read(&mut self, length: usize, deadline: Instant) -> Result<Vec<u8>, ConfinedError> {
        let mut bytes = vec![0; length];
        let mut had = 0;
        while had < length {
            wait(self.from.as_fd(), PollFlags::IN, deadline)?;
            match self.from.read(&mut bytes[had..]) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                Ok(read) => had += read,
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(bytes)
    }

    /// What a fault was: how the process ended says more than a pipe that broke.
    fn ended(&mut self, fault: ConfinedError) -> ConfinedError {
        if !matches!(fault, ConfinedError::Io { .. }) {
            self.stop();
            return fault;
        }
        // A pipe breaks where the process is about to be gone, or is.
        let deadline = Instant::now() + Duration::from_secs(5);
        let status = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(2)),
                _ => {
                    self.stop();
                    return fault;
                }
            }
        };
        const SIGXCPU: i32 = libc::SIGXCPU;
        match (status.signal(), status.code()) {
            (Some(SIGXCPU), _) => ConfinedError::Cpu,
            (Some(signal), _) => ConfinedError::Signal { signal },
            (None, status) => ConfinedError::Ended { status: status.unwrap_or(-1) },
        }
    }

    fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Confined {
    fn drop(&mut self) {
        self.stop();
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

fn wait(pipe: BorrowedFd<'_>, flags: PollFlags, deadline: Instant) -> Result<(), ConfinedError> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ConfinedError::TimedOut);
        }
        let left = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
        match poll(&mut [PollFd::from_borrowed_fd(pipe, flags)], Some(&left)) {
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// What a program does instead of everything else when its first argument is [`CONFINED_ARG`]: gives everything up, then
/// answers the questions on standard input until there are none.
pub fn confined_main(work: impl FnMut(&[u8]) -> Vec<u8> + Send) -> ExitCode {
    match confine().and_then(|()| serve(work)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(LOST),
    }
}

/// Limits first, so that nothing is read without them.
fn confine() -> io::Result<()> {
    let limits = [
        (Resource::Core, 0, 0),
        // Of no file is anything written, and none can be opened beside those that are open.
        (Resource::Fsize, 0, 0),
        (Resource::Nofile, 0, 0),
        (Resource::As, CONFINED_MEMORY_BYTES, CONFINED_MEMORY_BYTES),
    ];
    for (resource, current, maximum) in limits {
        // A limit that is lower already stays: it cannot be raised.
        let there = rustix::process::getrlimit(resource).maximum.unwrap_or(u64::MAX);
        let (current, maximum) = (current.min(there), maximum.min(there));
        setrlimit(resource, Rlimit { current: Some(current), maximum: Some(maximum) })?;
    }
    // Where the host refuses a filter, the limits are there all the same, and the work has no call for a socket.
    let _ = give_up_the_network();
    Ok(())
}

/// As much as one question may take from now on: the kernel ends the process behind it.
fn allow_processor_time() -> io::Result<()> {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime).tv_sec;
    let most = u64::try_from(used).unwrap_or(0) + 1 + CONFINED_CPU_SECONDS;
    let maximum = rustix::process::getrlimit(Resource::Cpu).maximum;
    let current = maximum.map_or(most, |maximum| most.min(maximum));
    Ok(setrlimit(Resource::Cpu, Rlimit { current: Some(current), maximum })?)
}

fn serve(mut work: impl FnMut(&[u8]) -> Vec<u8> + Send) -> io::Result<()> {
    let answer = move || -> io::Result<()> {
        let (mut from, mut to) = (io::stdin().lock(), io::stdout().lock());
        let mut length = [0; 4];
        loop {
            match from.read_exact(&mut length) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                read => read?,
            }
            let length = u32::from_le_bytes(length) as usize;
            if length > CONFINED_QUESTION_BYTES {
                return Err(io::ErrorKind::InvalidData.into());
            }
            allow_processor_time()?;
            let mut question = Vec::new();
            from.by_ref().take(length as u64).read_to_end(&mut question)?;
            let answer = work(&question);
            let length = u32::try_from(answer.len()).map_err(io::Error::other)?;
            to.write_all(&length.to_le_bytes())?;
            to.write_all(&answer)?;
            to.flush()?;
        }
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(CONFINED_STACK_BYTES).spawn_scoped(scope, answer)?;
        thread.join().unwrap_or_else(|_| Err(io::Error::other("it panicked")))
    })
}
