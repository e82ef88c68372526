//! What caller and helper say to one another: one JSON value a message, at most one descriptor beside it, over a
//! `SOCK_SEQPACKET` pair.

use std::collections::BTreeMap;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use selfsame_core::RelPath;

use crate::error::{OutputFault, SandboxError};
use crate::outcome::{Achieved, End, HostFacts, OutputKind, Pressure};
use crate::spec::{Relaxation, Spec};

/// The longest message. Below the send buffer that Linux gives a socket by default (212,992 bytes).
const MESSAGE_BYTES: usize = 192 * 1024;

/// What the helper is given, in a memory file.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Wire {
    pub(crate) spec: Spec,
    /// The caller's pid, to see that it has not died before the helper could tie itself to it.
    pub(crate) caller: u32,
    /// Below `scratch_dir`, made only where it is needed.
    pub(crate) scratch_name: String,
}

/// What the helper says, in this order: `Failed`; or `Started`, `Ended`, then `Entry`s and `Fault` if the command
/// succeeded, then `Observed`s, then `Done`.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(crate) enum Frame {
    Failed(Failure),
    Started {
        achieved: Achieved,
        host: HostFacts,
    },
    Ended {
        end: End,
        pressure: Pressure,
        leftovers: u32,
    },
    Entry(Entry),
    Fault {
        output: usize,
        fault: OutputFault,
    },
    Observed(Vec<String>),
    /// What the outer process alone can see: processes refused by the cgroup, processes killed for want of memory.
    Done {
        tasks_refused: u64,
        oom_kills: u64,
    },
}

/// An output entry; its file comes as a descriptor.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Entry {
    pub(crate) output: usize,
    pub(crate) path: RelPath,
    pub(crate) kind: OutputKind,
    pub(crate) mode: u32,
    pub(crate) owner: (u32, u32),
    /// Values in hex.
    pub(crate) xattrs: BTreeMap<String, String>,
}

/// Why the command did not start.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(crate) enum Failure {
    Refused { operation: String, errno: i32, relaxation: Option<Relaxation> },
    Setup { step: String, path: String, errno: i32 },
    Exec { errno: i32 },
    Ids { because: String, line: String },
}

impl Failure {
    /// The host refuses something, and nothing can be done without it.
    pub(crate) fn refused(operation: &str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Refused { operation: operation.to_owned(), errno: errno(&error), relaxation: None }
    }

    /// A step failed on a path.
    pub(crate) fn setup(step: &str, path: impl AsRef<std::path::Path>) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Setup {
            step: step.to_owned(),
            path: path.as_ref().display().to_string(),
            errno: errno(&error),
        }
    }

    pub(crate) fn into_error(self, command: &str) -> SandboxError {
        match self {
            Self::Refused { operation, errno, relaxation } => SandboxError::Refused { operation, errno, relaxation },
            Self::Setup { step, path, errno } => SandboxError::Setup { step, path, errno },
            Self::Ids { because, line } => SandboxError::Ids { because, line },
            Self::Exec { errno } => SandboxError::Exec { command: command.to_owned(), errno },
        }
    }
}

/// The number behind an error; EIO where it has none.
pub(crate) fn errno(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO)
}

/// One end of the pair.
#[derive(Debug)]
pub(crate) struct Channel {
    socket: OwnedFd,
}

impl Channel {
    pub(crate) fn new(socket: OwnedFd) -> Self {
        Self { socket }
    }

    /// Hangs up; the other end sees it at once.
    pub(crate) fn shut_down(&self) {
        let _ = rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Both);
    }

    pub(crate) fn send(&self, frame: &Frame, fd: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let bytes = serde_json::to_vec(frame)?;
        self.send_bytes(&bytes, fd.as_slice())
    }

    pub(crate) fn send_bytes(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        if bytes.len() > MESSAGE_BYTES {
            return Err(io::Error::from_raw_os_error(libc::EMSGSIZE));
        }
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
            return Err(io::Error::from_raw_os_error(libc::EMSGSIZE));
        }
        loop {
            match sendmsg(&self.socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL) {
                Ok(_) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The next message and its descriptors; nothing when the other end is closed.
    pub(crate) fn receive_bytes(&self, buffer: &mut Vec<u8>) -> io::Result<Option<Vec<OwnedFd>>> {
        buffer.resize(MESSAGE_BYTES, 0);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let message = loop {
            match recvmsg(&self.socket, &mut [IoSliceMut::new(buffer)], &mut control, RecvFlags::CMSG_CLOEXEC) {
                Ok(message) => break message,
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::CONNRESET) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        };
        if message.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
            return Err(io::Error::from_raw_os_error(libc::EMSGSIZE));
        }
        buffer.truncate(message.bytes);
        let fds = control.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(fds) => Some(fds),
            _ => None,
        });
        let fds: Vec<_> = fds.flatten().collect();
        Ok((message.bytes > 0).then_some(fds))
    }

    pub(crate) fn receive(&self, buffer: &mut Vec<u8>) -> io::Result<Option<(Frame, Option<OwnedFd>)>> {
        let Some(fds) = self.receive_bytes(buffer)? else { return Ok(None) };
        Ok(Some((serde_json::from_slice(buffer)?, fds.into_iter().next())))
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Asks init to kill everything because time is up.
pub(crate) const STOP_TIMED_OUT: &[u8] = b"T";
/// Asks init to kill everything because the caller wants it.
pub(crate) const STOP_CANCELLED: &[u8] = b"C";
