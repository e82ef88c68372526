//! Id maps that somebody outside of a namespace writes: `newuidmap` and `newgidmap`, which may map subordinate ids of the
//! user and leave `setgroups` permitted, or a child that may do so itself.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, WaitOptions};

use crate::sys;

/// Where the programs may lie. Not by `PATH`: whoever sets that must not choose what becomes root.
const FOLDERS: [&str; 4] = ["/usr/bin", "/bin", "/usr/local/bin", "/run/wrappers/bin"];
/// Why there is no writer.
pub(crate) const NOT_INSTALLED: &str = "newgidmap is not installed";
/// The same.
pub(crate) const NO_RANGE: &str = "the user has no range in /etc/subgid";
/// As many ids as Debian's policy hands out, and as a line of `subuid(5)` usually has.
pub(crate) const IDS: u32 = 65_536;
/// The map of a whole system to the namespace around, where the first id may be another than the others.
pub(crate) const WHOLE: &str = "0 0 1\n1 1 65535\n";
/// Where the first range of a machine begins, by custom.
const FIRST_RANGE: u64 = 100_000;
/// It reads three files; where accounts come over a network that may take a while.
const PATIENCE: Duration = Duration::from_secs(10);
/// How much of its words is kept.
const WORDS_BYTES: usize = 200;

/// A child outside the namespace to be, waiting to write its map or to become the program that does.
#[derive(Debug)]
pub(crate) struct MapWriter {
    /// `newgidmap`, for what is said.
    name: &'static str,
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
        let program = program("newgidmap").ok_or(NOT_INSTALLED)?;
        let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getegid().as_raw());
        let spare = subordinate_group(uid, gid)?;
        // A second group is what makes the program leave setgroups permitted; nothing ever has it.
        Self::of_program("newgidmap", &program, &[(inside, gid, 1), (inside + 1, spare, 1)])
    }

    /// Both maps of a namespace that is to have all ids of a system: the caller's own as the first, then those of the
    /// user's ranges.
    pub(crate) fn whole() -> Result<Vec<Self>, NoIds> {
        let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getegid().as_raw());
        let text = |path: &str| fs::read(path).map(|it| String::from_utf8_lossy(&it).into_owned()).unwrap_or_default();
        let (passwd, subuid, subgid) = (text("/etc/passwd"), text("/etc/subuid"), text("/etc/subgid"));
        let lacking =
            |because: String| NoIds { because, line: line_to_add(uid, &passwd, &format!("{subuid}\n{subgid}")) };
        let mut writers = Vec::new();
        for (name, file, ranges, own) in
            [("newuidmap", "/etc/subuid", &subuid, uid), ("newgidmap", "/etc/subgid", &subgid, gid)]
        {
            let program = program(name).ok_or_else(|| lacking(format!("{name} is not installed")))?;
            let first = range_of(ranges, &passwd, uid, own, IDS - 1);
            let first = first.ok_or_else(|| lacking(format!("the user has no range of {IDS} ids in {file}")))?;
            let writer = Self::of_program(name, &program, &[(0, own, 1), (1, first, IDS - 1)]);
            writers.push(writer.map_err(&lacking)?);
        }
        Ok(writers)
    }

    fn of_program(name: &'static str, program: &str, map: &[(u32, u32, u32)]) -> Result<Self, String> {
        let mut argv = vec![c_string(program), c_string(&std::process::id().to_string())];
        for (inside, outside, count) in map {
            argv.extend([inside, outside, count].map(|number| c_string(&number.to_string())));
        }
        Self::spawn(name, move |say| {
            let streams = [1, 2].into_iter().all(|number| sys::dup_to(std::os::fd::AsFd::as_fd(say), number).is_ok());
            match streams {
                true => format!("cannot be executed: {}", sys::execve(&argv[0], &argv, &[])),
                false => "cannot be heard".to_owned(),
            }
        })
    }

    /// A child that has the right to write the maps itself, which are [`WHOLE`].
    pub(crate) fn direct() -> Result<Self, String> {
        let parent = std::process::id();
        Self::spawn("the id maps", move |_| {
            let write = |name: &str| fs::write(format!("/proc/{parent}/{name}"), WHOLE);
            match write("uid_map").and_then(|()| write("gid_map")) {
                Ok(()) => String::new(),
                Err(error) => crate::error::errno_text(crate::wire::errno(&error)),
            }
        })
    }

    /// A child that waits, then works; what its work gives is why it failed.
    fn spawn(name: &'static str, work: impl FnOnce(&OwnedFd) -> String) -> Result<Self, String> {
        let pipe = || pipe_with(PipeFlags::CLOEXEC).map_err(|error| format!("{name}: {error}"));
        let ((wait, go), (said, say)) = (pipe()?, pipe()?);
        match sys::fork().map_err(|error| format!("{name}: {error}"))? {
            None => {
                drop((go, said));
                let sent = File::from(wait).read(&mut [0]).is_ok_and(|read| read == 1);
                let because = if sent { work(&say) } else { "was not asked".to_owned() };
                let _ = File::from(say).write_all(because.as_bytes());
                sys::exit_now(if because.is_empty() { 0 } else { 127 });
            }
            Some(child) => Ok(Self { name, child, go: go.into(), said: said.into() }),
        }
    }

    /// To be called in the new namespace: has its map written. An error is a sentence, and no map is there then.
    pub(crate) fn write(mut self) -> Result<(), String> {
        let name = self.name;
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
            (_, None, _) => Err(format!("{name} did not end within {} seconds", PATIENCE.as_secs())),
            (_, Some(words), _) if !words.is_empty() => Err(format!("{name}: {words}")),
            _ => Err(format!("{name} failed")),
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
        let line = text.lines().next().unwrap_or_default().trim_start_matches(self.name).trim_start_matches(':').trim();
        Some(line.chars().filter(|c| c.is_ascii() && !c.is_ascii_control()).collect())
    }
}

/// Why there are no ids for a whole system.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct NoIds {
    /// In words.
    pub(crate) because: String,
    /// What `/etc/subuid` and `/etc/subgid` are to have: `ann:100000:65536`.
    pub(crate) line: String,
}

/// A program that may write maps, where it is installed.
fn program(name: &str) -> Option<String> {
    FOLDERS.into_iter().map(|folder| format!("{folder}/{name}")).find(|path| Path::new(path).is_file())
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
    let first = |(first, count): (u32, u32)| {
        // One group of the host stands in a map once.
        let (first, count) = if first == gid { (first.checked_add(1)?, count.checked_sub(1)?) } else { (first, count) };
        (count > 0 && first > 0).then_some(first)
    };
    ranges(subgid, passwd, uid).find_map(first)
}

/// The first id of a range of so many that a user has, without their own id.
fn range_of(text: &str, passwd: &str, uid: u32, own: u32, wanted: u32) -> Option<u32> {
    let fits = |(first, count): (u32, u32)| {
        let end = first.checked_add(wanted)?;
        (count >= wanted && first > 0 && !(first..end).contains(&own)).then_some(first)
    };
    ranges(text, passwd, uid).find_map(fits)
}

/// The ranges of a user: first and count.
fn ranges<'a>(text: &'a str, passwd: &'a str, uid: u32) -> impl Iterator<Item = (u32, u32)> + 'a {
    let number = uid.to_string();
    let name = name_of(uid, passwd);
    text.lines().filter_map(move |line| {
        let mut fields = line.trim().split(':');
        let owner = fields.next()?;
        let (first, count) = (fields.next()?.parse::<u32>().ok()?, fields.next()?.parse::<u32>().ok()?);
        (owner == number || Some(owner) == name).then_some((first, count))
    })
}

fn name_of(uid: u32, passwd: &str) -> Option<&str> {
    let number = uid.to_string();
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == number).then_some(name)
    })
}

/// A line for a user in `/etc/subuid` and `/etc/subgid` that takes nobody's ids.
fn line_to_add(uid: u32, passwd: &str, taken: &str) -> String {
    let end = |line: &str| {
        let mut fields = line.trim().split(':').skip(1);
        let (first, count) = (fields.next()?.parse::<u64>().ok()?, fields.next()?.parse::<u64>().ok()?);
        Some(first.saturating_add(count))
    };
    let first = taken.lines().filter_map(end).max().unwrap_or(0).max(FIRST_RANGE);
    let owner = name_of(uid, passwd).map_or_else(|| uid.to_string(), str::to_owned);
    format!("{owner}:{first}:{IDS}")
}

#[cfg(test)]
mod tests {
    use super::{first_of, line_to_add, range_of};

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
    #[test]
    fn a_whole_system_needs_a_whole_range() {
        let passwd = "ann:x:1001:1001::/:/bin/sh\n";
        let first = |text: &str| range_of(text, passwd, 1001, 1001, 65_535);
        assert_eq!(first("ann:100000:65536\n"), Some(100_000));
        assert_eq!(first("ann:100000:65534\n1001:300000:65535\n"), Some(300_000), "the first that is large enough");
        for none in ["", "bob:100000:65536", "ann:1000:65536", "ann:0:65536", "ann:4294967290:65536"] {
            assert_eq!(first(none), None, "{none:?}");
        }
    }

    #[test]
    fn a_line_to_add_takes_nobodys_ids() {
        let passwd = "ann:x:1001:1001::/:/bin/sh\n";
        assert_eq!(line_to_add(1001, passwd, ""), "ann:100000:65536");
        assert_eq!(line_to_add(7, passwd, "bob:100000:65536\nx:y:z\nbob:500:1\n"), "7:165536:65536");
    }
}
