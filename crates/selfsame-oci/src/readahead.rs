//! Small files are read and hashed by several threads ahead of the one that lays them into the layer.

use std::collections::VecDeque;
use std::io::Read;
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::thread::Scope;

use selfsame_core::{Digest, RelPath};

use crate::layer::{Contents, LayerError, content_fault};

/// Files up to this size are read whole and ahead.
pub(crate) const SMALL_BYTES: u64 = 256 << 10;
/// How many of them are held or being read at once: at most 16 MiB.
const AHEAD: usize = 64;

/// One file that is to be read.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) path: &'a RelPath,
    pub(crate) digest: Digest,
    pub(crate) size: u64,
}

/// Gives the files of a list, in its order, as they come from the readers.
pub(crate) struct ReadAhead<'a> {
    list: std::vec::IntoIter<Wanted<'a>>,
    pending: VecDeque<Receiver<Result<Vec<u8>, LayerError>>>,
    to_readers: Sender<Job<'a>>,
}

struct Job<'a> {
    wanted: Wanted<'a>,
    reply: SyncSender<Result<Vec<u8>, LayerError>>,
}

impl<'a> ReadAhead<'a> {
    /// Starts `threads` readers, which end when this value is dropped.
    pub(crate) fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        list: Vec<Wanted<'a>>,
        contents: &'a (dyn Contents + Sync),
        threads: usize,
    ) -> Self
    where
        'a: 'scope,
    {
        let (to_readers, jobs) = mpsc::channel::<Job<'a>>();
        let jobs = std::sync::Arc::new(Mutex::new(jobs));
        for _ in 0..threads {
            let jobs = std::sync::Arc::clone(&jobs);
            scope.spawn(move || {
                loop {
                    let job = match jobs.lock() {
                        Ok(jobs) => jobs.recv(),
                        Err(_) => return,
                    };
                    let Ok(Job { wanted, reply }) = job else { return };
                    // Nobody waits any more when the producer has failed.
                    let _ = reply.send(read(wanted, contents));
                }
            });
        }
        Self { list: list.into_iter(), pending: VecDeque::with_capacity(AHEAD), to_readers }
    }

    /// The next file's bytes, checked.
    pub(crate) fn next(&mut self) -> Result<Vec<u8>, LayerError> {
        while self.pending.len() < AHEAD
            && let Some(wanted) = self.list.next()
        {
            let (reply, result) = mpsc::sync_channel(1);
            self.to_readers.send(Job { wanted, reply }).map_err(|_| LayerError::Stopped)?;
            self.pending.push_back(result);
        }
        let result = self.pending.pop_front().ok_or(LayerError::Stopped)?;
        result.recv().map_err(|_| LayerError::Stopped)?
    }
}

/// The whole file, of exactly the size and digest that the tree names.
fn read(wanted: Wanted<'_>, contents: &dyn Contents) -> Result<Vec<u8>, LayerError> {
    let Wanted { path, digest, size } = wanted;
    let failed = |source| LayerError::Read { path: path.clone(), digest, source };
    let content = contents.open(&digest, size).map_err(failed)?;
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 1);
    content.take(size + 1).read_to_end(&mut bytes).map_err(failed)?;
    content_fault(wanted, bytes.len() as u64, || Digest::of(&bytes))?;
    Ok(bytes)
}
