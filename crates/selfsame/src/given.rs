//! Files that the command line names: keys, trust files, bundles, what is verified. Whoever names them may mean a pipe, as
//! a shell's `<(...)` makes them; nobody means a device, and nobody means to wait for ever.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags};

use crate::settings::monotonic;

/// How long a pipe that nobody has opened for writing is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks at such a pipe.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Opens a regular file or a pipe. Links are followed: who names one means what it leads to.
pub(crate) fn open(path: &Path) -> io::Result<Given> {
    // NONBLOCK, so that a pipe without a writer is found out instead of waited for.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let kind = file.metadata()?.file_type();
    if kind.is_char_device() || kind.is_block_device() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a device, and no file"));
    }
    Ok(Given { file, waits_until: kind.is_fifo().then(|| monotonic() + PATIENCE) })
}

/// Reads such a file, of which more than `limit` bytes are too much.
pub(crate) fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    crate::files::read_bounded(open(path)?, limit)
}

/// A file that was named.
#[derive(Debug)]
pub(crate) struct Given {
    file: File,
    /// Of a pipe out of which nothing came yet: until when a writer is waited for.
    waits_until: Option<Instant>,
}

impl Read for Given {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.file.read(buffer) {
                // Nobody has it open for writing: not yet, or not any more.
                Ok(0) if !buffer.is_empty() => match self.waits_until {
                    Some(end) if monotonic() < end => std::thread::sleep(LOOK_AGAIN),
                    Some(_) => {
                        let fault = format!("it is a pipe, and nobody wrote into it for {} s", PATIENCE.as_secs());
                        return Err(io::Error::new(io::ErrorKind::TimedOut, fault));
                    }
                    None => return Ok(0),
                },
                Ok(read) => {
                    self.waits_until = None;
                    return Ok(read);
                }
                // Somebody has, and will write or close it.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    match poll(&mut [PollFd::new(&self.file, PollFlags::IN)], None) {
                        Ok(_) | Err(rustix::io::Errno::INTR) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pipe() -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        (folder, path)
    }

    #[test]
    fn a_pipe_is_read_to_its_end_however_slow_its_writer_is() {
        let (_folder, path) = pipe();
        let writer = path.clone();
        let writing = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            let mut file = File::options().write(true).open(writer).unwrap();
            for part in ["one ", "two ", "three"] {
                std::thread::sleep(Duration::from_millis(50));
                std::io::Write::write_all(&mut file, part.as_bytes()).unwrap();
            }
        });
        assert_eq!(read(&path, 100).unwrap(), b"one two three");
        writing.join().unwrap();
    }

    #[test]
    fn what_is_no_file_is_refused_and_not_waited_for() {
        let (folder, path) = pipe();
        assert_eq!(read(&path, 100).unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(read(Path::new("/dev/zero"), 100).unwrap_err().to_string().contains("a device"));
        assert!(read(folder.path(), 100).unwrap_err().to_string().contains("Is a directory"));
        let socket = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert!(read(&socket, 100).is_err());
        let link = folder.path().join("link");
        std::fs::write(folder.path().join("file"), "bytes").unwrap();
        std::os::unix::fs::symlink("file", &link).unwrap();
        assert_eq!(read(&link, 5).unwrap(), b"bytes");
        assert_eq!(read(&link, 4).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }
}
