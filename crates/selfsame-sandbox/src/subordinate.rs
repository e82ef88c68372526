//! A group map that a privileged program writes: `newgidmap`, which may map subordinate groups of the user, and then leaves
//! `setgroups` permitted in the namespace.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, WaitOptions};

use crate::sys;

/// Where it may lie. Not by `PATH`: whoever sets that must not choose what becomes root.
const PROGRAMS: [&str; 4] =
    ["/usr/bin/newgidmap", "/bin/newgidmap", "/usr/local/bin/newgidmap", "/run/wrappers/bin/newgidmap"];
/// Why there is no writer.
pub(crate) const NOT_INSTALLED: &str = "newgidmap is not installed";
/// The same.
pub(crate) const NO_RANGE: &str = "the user has no range in /etc/subgid";
/// It reads three files; where accounts come over a network that may take a while.
const PATIENCE: Duration = Duration::from_secs(10);
/// How much of its words is kept.
const WORDS_BYTES: usize = 200;

/// A child outside the namespace to be, waiting to become `newgidmap`.
#[derive(Debug)]
pub(crate) struct MapWriter {
    child: Pid,
    /// A byte sends it off; closed without one, it ends.
    go: File,
    /// What the program says.
    said: File,
}

impl MapWriter {
    /// To be called before the namespace is made, in which the caller's own group is to be `inside`. An error is a
    /// sentence on what is missing.
    pub(crate) fn start(inside: u32) -> Result<Self, String> {
        let program = PROGRAMS.into_iter().find(|path| Path::new(path).is_file());
        let program = program.ok_or(NOT_INSTALLED)?;
        let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getegid().as_raw());
        let spare = subordinate_group(uid, gid)?;
        // A second group is what makes the program leave setgroups permitted; nothing ever has it.
        let words =
            [program, &std::process::id().to_string(), &inside.to_string(), &gid.to_string(), "1"].map(c_string);
        let spare = [&(inside + 1).to_string(), &spare.to_string(), "1"].map(c_string);
        let argv: Vec<_> = words.into_iter().chain(spare).collect();

        let pipe = || pipe_with(PipeFlags::CLOEXEC).map_err(|error| format!("newgidmap: {error}"));
        let ((wait, go), (said, say)) = (pipe()?, pipe()?);
        match sys::fork().map_err(|error| format!("newgidmap: {error}"))? {
            None => {
                drop((go, said));
                let sent = File::from(wait).read(&mut [0]).is_ok_and(|read| read == 1);
                let streams =
                    [1, 2].into_iter().all(|number| sys::dup_to(std::os::fd::AsFd::as_fd(&say), number).is_ok());
                if sent && streams {
                    let error = sys::execve(&argv[0], &argv, &[]);
                    let _ = write!(File::from(say), "cannot be executed: {error}");
                }
                sys::exit_now(127);
            }
            Some(child) => Ok(Self { child, go: go.into(), said: said.into() }),
        }
    }

    /// To be called in the new namespace: has its group map written. An error is a sentence, and no map is there then.
    pub(crate) fn write(mut self) -> Result<(), String> {
        let sent = self.go.write_all(b"g");
        let words = self.words();
        if words.is_none() {
            let _ = rustix::process::kill_process(self.child, Signal::KILL);
        }
        let status = loop {
            match rustix::process::waitpid(Some(self.child), WaitOptions::empty()) {
                Err(rustix::io::Errno::INTR) => {}
                waited => break waited.ok().flatten().and_then(|(_, status)| status.exit_status()),
            }
        };
        match (sent, words, status) {
            (Ok(()), Some(_), Some(0)) => Ok(()),
            (_, None, _) => Err(format!("newgidmap did not end within {} seconds", PATIENCE.as_secs())),
            (_, Some(words), _) if !words.is_empty() => Err(format!("newgidmap: {words}")),
            _ => Err("newgidmap failed".to_owned()),
        }
    }

    /// Its first line, plain characters only; nothing if it goes on for too long.
    fn words(&mut self) -> Option<String> {
        let end = Instant::now() + PATIENCE;
        let mut bytes = Vec::new();
        let mut buffer = [0; 256];
        loop {
            let left = end.checked_duration_since(Instant::now())?;
            let left = Timespec { tv_sec: left.as_secs().try_into().ok()?, tv_nsec: left.subsec_nanos().into() };
            match poll(&mut [PollFd::new(&self.said, PollFlags::IN)], Some(&left)) {
                Ok(0) => return None,
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(_) => break,
            }
            match self.said.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => bytes.extend_from_slice(&buffer[..read.min(WORDS_BYTES - bytes.len().min(WORDS_BYTES))]),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        let line = text.lines().next().unwrap_or_default().trim_start_matches("newgidmap:").trim();
        Some(line.chars().filter(|c| c.is_ascii() && !c.is_ascii_control()).collect())
    }
}

fn c_string(word: &str) -> std::ffi::CString {
    std::ffi::CString::new(word).expect("numbers and paths of ours hold no NUL")
}

/// The first subordinate group of a user that is not their own.
fn subordinate_group(uid: u32, gid: u32) -> Result<u32, String> {
    let text =
        |path: &str| fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    first_of(&text("/etc/subgid"), &text("/etc/passwd"), uid, gid).ok_or_else(|| NO_RANGE.to_owned())
}

/// The same in the text of `subgid(5)`, `OWNER:FIRST:COUNT` with a name or a number for the owner.
fn first_of(subgid: &str, passwd: &str, uid: u32, gid: u32) -> Option<u32> {
    let number = uid.to_string();
    let name = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == number).then_some(name)
    });
    let first = |line: &str| {
        let mut fields = line.trim().split(':');
        let owner = fields.next()?;
        let (first, count) = (fields.next()?.parse::<u32>().ok()?, fields.next()?.parse::<u32>().ok()?);
        let ours = owner == number || Some(owner) == name;
        // One group of the host stands in a map once.
        let (first, count) = if first == gid { (first.checked_add(1)?, count.checked_sub(1)?) } else { (first, count) };
        (ours && count > 0 && first > 0).then_some(first)
    };
    subgid.lines().find_map(first)
}

#[cfg(test)]
mod tests {
    use super::first_of;

    #[test]
    fn reads_ranges_by_name_and_by_number() {
        let passwd = "root:x:0:0::/root:/bin/sh\nann:x:1001:1001::/:/bin/sh\n";
        let first = |subgid: &str, uid| first_of(subgid, passwd, uid, 1001);
        assert_eq!(first("bob:100000:65536\nann:165536:65536\n", 1001), Some(165_536));
        assert_eq!(first("1001:7:1\n", 1001), Some(7));
        assert_eq!(first("77:300000:10\n", 77), Some(300_000), "a user without an entry, by number");
        assert_eq!(first("ann:165536:65536\n", 1002), None);
        assert_eq!(first("ann:1001:2\n", 1001), Some(1002), "beside the user's own group");
        let odd =
            ["", "ann\n", "ann:x:1\n", "ann:100000:0\n", "ann:1001:1\n", "ann:0:5\n", "ann:-1:5\n", "ann:4294967296:1"];
        for none in odd {
            assert_eq!(first(none, 1001), None, "{none:?}");
        }
    }
}
