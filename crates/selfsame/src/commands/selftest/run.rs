//! One program, run within bounds of time and memory.

use std::io::{self, Read};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// As much of what a program says is kept.
const MOST_OUTPUT: u64 = 4 << 20;
/// How often a running program is looked at.
const STEP: Duration = Duration::from_millis(2);

/// What a program may use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) time: Duration,
    /// Of the process itself, as the kernel counts what it had at most at once.
    pub(super) memory_bytes: u64,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// By itself.
    Code(i32),
    /// By this signal, as programs end that break.
    Signal(i32),
    /// It had to be stopped: it took too long.
    TooLong,
    /// It had to be stopped: it took too much memory.
    TooLarge,
}

/// What came of it.
#[derive(Clone, Debug)]
pub(super) struct Ran {
    pub(super) ended: Ended,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
    pub(super) took: Duration,
    /// As far as it was seen; a program that ends at once has been seen with nothing.
    pub(super) memory_bytes: u64,
}

/// Runs a program to its end, or to the end of what it may use; with it what it started.
#[expect(clippy::disallowed_methods, reason = "what it took is what is asked for")]
pub(super) fn run(command: &mut Command, limits: Limits, stop: &AtomicBool) -> io::Result<Ran> {
    let started = Instant::now();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn()?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let (mut memory_bytes, mut stopped) = (0, None);
    std::thread::scope(|scope| {
        let stdout = scope.spawn(|| stdout.map(kept).unwrap_or_default());
        let stderr = scope.spawn(|| stderr.map(kept).unwrap_or_default());
        let status = loop {
            memory_bytes = peak(child.id()).unwrap_or(0).max(memory_bytes);
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if stopped.is_none() {
                stopped = match () {
                    () if memory_bytes > limits.memory_bytes => Some(Ended::TooLarge),
                    () if started.elapsed() > limits.time || stop.load(Ordering::Relaxed) => Some(Ended::TooLong),
                    () => None,
                };
                if stopped.is_some() {
                    let _ = group.map(|group| kill_process_group(group, Signal::KILL));
                }
            }
            std::thread::sleep(STEP);
        };
        // What it left running would hold the pipes.
        let _ = group.map(|group| kill_process_group(group, Signal::KILL));
        let ended = stopped.unwrap_or(match (status.code(), status.signal()) {
            (Some(code), _) => Ended::Code(code),
            (None, signal) => Ended::Signal(signal.unwrap_or(0)),
        });
        let joined = |thread: std::thread::ScopedJoinHandle<'_, Vec<u8>>| thread.join().unwrap_or_default();
        let took = started.elapsed();
        Ok(Ran { ended, stdout: joined(stdout), stderr: joined(stderr), took, memory_bytes })
    })
}

/// The beginning of what is said; the rest is read and forgotten, so that nobody waits for a reader.
fn kept(mut from: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = from.by_ref().take(MOST_OUTPUT).read_to_end(&mut bytes);
    let _ = io::copy(&mut from, &mut io::sink());
    bytes
}

/// The most memory that a process had, where the kernel says so.
fn peak(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limits: Limits) -> Ran {
        run(Command::new("/bin/sh").args(["-c", script]), limits, &AtomicBool::new(false)).expect("a shell")
    }

    const WIDE: Limits = Limits { time: Duration::from_secs(20), memory_bytes: 1 << 30 };

    #[test]
    fn a_program_ends_by_itself_or_is_stopped() {
        let ran = shell("echo out; echo err >&2; exit 7", WIDE);
        assert_eq!((ran.ended, &ran.stdout[..], &ran.stderr[..]), (Ended::Code(7), &b"out\n"[..], &b"err\n"[..]));
        assert_eq!(shell("kill -SEGV $$", WIDE).ended, Ended::Signal(11));
        let short = Limits { time: Duration::from_millis(100), ..WIDE };
        let ran = shell("sleep 30 & sleep 30", short);
        assert!(ran.ended == Ended::TooLong && ran.took < Duration::from_secs(10), "{ran:?}");
        assert_eq!(shell("sleep 30", Limits { memory_bytes: 1, ..WIDE }).ended, Ended::TooLarge);
        assert!(run(&mut Command::new("/nonexistent"), WIDE, &AtomicBool::new(false)).is_err());
    }

    #[test]
    fn what_is_said_without_end_is_not_kept() {
        let ran = shell("head -c 20000000 /dev/zero; exit 3", WIDE);
        assert_eq!((ran.ended, ran.stdout.len() as u64), (Ended::Code(3), MOST_OUTPUT));
    }
}
