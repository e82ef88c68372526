//! Records the paths that a command names. It sees system calls through a seccomp listener and lets every one go on:
//! a record, not a boundary.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;

use rustix::event::PollFlags;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};

use crate::filter::{Answer, Rule};
use crate::sys::{self, Notification};
use crate::wire::Channel;

/// Paths of one run.
const MAX_PATHS: usize = 4_000_000;
/// `PATH_MAX`, the terminating NUL included.
const PATH_BYTES: usize = 4096;
/// Interpreters of interpreters (`BINPRM_MAX_RECURSION` and the ELF one).
const MAX_INTERPRETERS: usize = 6;

/// A system call with a path: the argument that is the folder's descriptor, if there is one, and that of the path.
struct Call {
    number: libc::c_long,
    folder: Option<usize>,
    path: usize,
}

const fn at(number: libc::c_long) -> Call {
    Call { number, folder: Some(0), path: 1 }
}

const fn plain(number: libc::c_long) -> Call {
    Call { number, folder: None, path: 0 }
}

const CALLS: &[Call] = &[
    at(libc::SYS_execveat),
    at(libc::SYS_faccessat),
    at(libc::SYS_faccessat2),
    at(libc::SYS_newfstatat),
    at(libc::SYS_openat),
    at(libc::SYS_openat2),
    at(libc::SYS_readlinkat),
    at(libc::SYS_statx),
    plain(libc::SYS_chdir),
    plain(libc::SYS_execve),
    plain(libc::SYS_getxattr),
    plain(libc::SYS_lgetxattr),
    plain(libc::SYS_listxattr),
    plain(libc::SYS_llistxattr),
    plain(libc::SYS_statfs),
    #[cfg(target_arch = "x86_64")]
    plain(libc::SYS_access),
    #[cfg(target_arch = "x86_64")]
    plain(libc::SYS_lstat),
    #[cfg(target_arch = "x86_64")]
    plain(libc::SYS_open),
    #[cfg(target_arch = "x86_64")]
    plain(libc::SYS_readlink),
    #[cfg(target_arch = "x86_64")]
    plain(libc::SYS_stat),
];

/// The filter's rules: notify on each of these calls.
pub(crate) fn rules() -> Vec<Rule> {
    CALLS.iter().map(|call| Rule::always(call.number, Answer::Notify)).collect()
}

/// What has been seen, and where more comes from.
pub(crate) struct Observer {
    /// First the channel on which the command hands its listener over, then the listener, then nothing.
    source: Source,
    /// What has been looked at: an absolute path as it was named, and whether it was executed.
    named: BTreeSet<(String, bool)>,
    paths: BTreeSet<String>,
    /// The root of the sandbox, the same for all its processes.
    root: Option<OwnedFd>,
}

enum Source {
    Channel(Channel),
    Listener(OwnedFd),
    Gone,
}

impl Observer {
    pub(crate) fn new(channel: Channel) -> Self {
        Self { source: Source::Channel(channel), named: BTreeSet::new(), paths: BTreeSet::new(), root: None }
    }

    /// What to wait for.
    pub(crate) fn source(&self) -> Option<BorrowedFd<'_>> {
        match &self.source {
            Source::Channel(channel) => Some(channel.as_fd()),
            Source::Listener(listener) => Some(listener.as_fd()),
            Source::Gone => None,
        }
    }

    /// Does what there is to do when the source has these events.
    pub(crate) fn serve(&mut self, events: PollFlags) {
        match std::mem::replace(&mut self.source, Source::Gone) {
            Source::Channel(channel) => {
                let handed = channel.receive_bytes(&mut Vec::new());
                if let Some(listener) = handed.ok().flatten().and_then(|fds| fds.into_iter().next()) {
                    sys::wake_synchronously(listener.as_fd());
                    self.source = Source::Listener(listener);
                }
            }
            // Hung up otherwise: no process has the filter any more.
            Source::Listener(listener) if events.contains(PollFlags::IN) => {
                if self.answer(&listener) {
                    self.source = Source::Listener(listener);
                }
            }
            Source::Listener(_) | Source::Gone => {}
        }
    }

    /// All paths, sorted.
    pub(crate) fn into_paths(self) -> BTreeSet<String> {
        self.paths
    }

    /// Answers one call. False when the listener is of no use any more.
    fn answer(&mut self, listener: &OwnedFd) -> bool {
        match sys::next_notification(listener.as_fd()) {
            Ok(call) => {
                let named = self.named_by(&call).filter(|_| sys::is_waiting(listener.as_fd(), call.id));
                // A caller that was killed meanwhile takes no answer.
                let _ = sys::let_continue(listener.as_fd(), call.id);
                if let Some((path, executed)) = named {
                    self.record(path, executed);
                }
                true
            }
            // ENOENT: the caller was killed between poll and this.
            Err(error) => matches!(error.raw_os_error(), Some(libc::EINTR | libc::ENOENT)),
        }
    }

    /// The path that a call names, made absolute, and whether to execute it.
    fn named_by(&mut self, notified: &Notification) -> Option<(String, bool)> {
        let number = libc::c_long::from(notified.nr);
        let call = CALLS.iter().find(|call| call.number == number)?;
        let pid = notified.pid;
        if self.root.is_none() {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            self.root = rustix::fs::openat(CWD, format!("/proc/{pid}/root"), flags, Mode::empty()).ok();
        }
        let mut bytes = vec![0; PATH_BYTES];
        let memory = File::open(format!("/proc/{pid}/mem")).ok()?;
        let read = memory.read_at(&mut bytes, notified.args[call.path]).ok()?;
        let length = bytes[..read].iter().position(|byte| *byte == 0)?;
        let text = std::str::from_utf8(&bytes[..length]).ok().filter(|text| !text.is_empty())?;
        let executed = matches!(number, libc::SYS_execve | libc::SYS_execveat);
        if text.starts_with('/') {
            return Some((clean("", text), executed));
        }
        let descriptor = call.folder.map(|argument| notified.args[argument] as i32);
        let link = match descriptor {
            Some(fd) if fd != libc::AT_FDCWD => format!("/proc/{pid}/fd/{fd}"),
            _ => format!("/proc/{pid}/cwd"),
        };
        let base = fs::read_link(link).ok()?;
        let base = base.to_str().filter(|base| base.starts_with('/'))?;
        Some((clean(base, text), executed))
    }

    fn record(&mut self, path: String, executed: bool) {
        let mut next = Some(path);
        for _ in 0..MAX_INTERPRETERS {
            let Some(path) = next.take() else { return };
            if self.paths.len() >= MAX_PATHS || !self.named.insert((path.clone(), executed)) {
                return;
            }
            if let Some(root) = &self.root {
                if let Some(real) = real_path(root, &path) {
                    self.paths.insert(real);
                }
                if executed {
                    next = interpreter(root, &path).map(|interpreter| clean("", &interpreter));
                }
            }
            self.paths.insert(path);
        }
    }
}

/// Joins and removes empty and `.` parts. `..` stays: behind a link it means something else than the text before it.
fn clean(base: &str, text: &str) -> String {
    let mut path = String::with_capacity(base.len() + text.len() + 1);
    for part in base.split('/').chain(text.split('/')).filter(|part| !part.is_empty() && *part != ".") {
        path.push('/');
        path.push_str(part);
    }
    if path.is_empty() { "/".to_owned() } else { path }
}

const INSIDE: ResolveFlags = ResolveFlags::IN_ROOT.union(ResolveFlags::NO_MAGICLINKS);

/// Where a path leads to, if it exists.
fn real_path(root: &OwnedFd, path: &str) -> Option<String> {
    let found = rustix::fs::openat2(root, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), INSIDE).ok()?;
    let real = fs::read_link(format!("/proc/self/fd/{}", found.as_raw_fd())).ok()?;
    real.into_os_string().into_string().ok().filter(|real| real.starts_with('/'))
}

/// What the kernel opens by itself to execute a file: the `#!` program, or the dynamic loader.
fn interpreter(root: &OwnedFd, path: &str) -> Option<String> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::openat2(root, path, flags, Mode::empty(), INSIDE).ok()?);
    let mut head = Vec::new();
    io::Read::by_ref(&mut file).take(4096).read_to_end(&mut head).ok()?;
    if let Some(script) = head.strip_prefix(b"#!") {
        let line = script.split(|byte| *byte == b'\n').next()?;
        let mut words = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
        return words.next().map(str::to_owned);
    }
    loader(&head, |bytes, offset| file.read_exact_at(bytes, offset).ok())
}

/// `PT_INTERP` of a 64-bit little-endian ELF file, whose head is given; `read` fetches other parts.
fn loader(head: &[u8], read: impl Fn(&mut [u8], u64) -> Option<()>) -> Option<String> {
    const INTERPRETER: u32 = 3;
    if !head.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let word = |bytes: &[u8], at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    let half = |at: usize| Some(u16::from_le_bytes(head.get(at..at + 2)?.try_into().ok()?));
    let (table, size, count) = (word(head, 32)?, half(54)?, half(56)?);
    if size < 56 || count > 512 {
        return None;
    }
    for index in 0..count {
        let mut header = [0; 56];
        read(&mut header, table.checked_add(u64::from(index) * u64::from(size))?)?;
        if u32::from_le_bytes(header[..4].try_into().ok()?) == INTERPRETER {
            let (offset, length) = (word(&header, 8)?, word(&header, 32)?);
            let mut name = vec![0; usize::try_from(length).ok().filter(|length| *length <= PATH_BYTES)?];
            read(&mut name, offset)?;
            let end = name.iter().position(|byte| *byte == 0)?;
            name.truncate(end);
            return String::from_utf8(name).ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_made_absolute_and_keep_their_climbs() {
        for (base, text, expected) in [
            ("", "/usr//include/./a.h", "/usr/include/a.h"),
            ("/build", "src/a.c", "/build/src/a.c"),
            ("/build", "../usr/x", "/build/../usr/x"),
            ("/", ".", "/"),
        ] {
            assert_eq!(clean(base, text), expected);
        }
    }

    #[test]
    fn damaged_elf_files_have_no_loader() {
        let whole = fs::read("/proc/self/exe").unwrap();
        let from = |bytes: &[u8]| {
            let head = bytes[..bytes.len().min(4096)].to_vec();
            let bytes = bytes.to_vec();
            loader(&head, move |out, offset| {
                let offset = usize::try_from(offset).ok()?;
                out.copy_from_slice(bytes.get(offset..offset.checked_add(out.len())?)?);
                Some(())
            })
        };
        if let Some(loader) = from(&whole) {
            assert!(loader.starts_with('/'), "{loader}");
        }
        let head = &whole[..4096];
        for length in 0..256 {
            let _ = from(&head[..length]);
        }
        for at in 0..64 {
            let mut broken = head.to_vec();
            broken[at] = 0xff;
            let _ = from(&broken);
        }
        assert_eq!(from(b"\x7fELF\x01\x01"), None);
        assert_eq!(from(b""), None);
    }
}
