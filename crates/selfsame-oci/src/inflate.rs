//! A stored layer becomes its tar: decompressed and hashed on two threads while the caller's thread reads members.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::thread;

use flate2::bufread::GzDecoder;
use selfsame_core::{Digest, Hasher};

use crate::layout::Encoding;
use crate::read::ReadError;

/// What was read, by digest and length.
pub(crate) struct Sums {
    /// Of the tar.
    pub(crate) diff: (Digest, u64),
    /// Of the bytes as stored.
    pub(crate) stored: (Digest, u64),
}

/// Gives the tar to `parse`, which must read it to its end, and sums up what went through.
pub(crate) fn through<T>(
    reader: impl Read + Send,
    encoding: Encoding,
    parse: impl FnOnce(&mut dyn Read) -> Result<T, ReadError>,
) -> Result<(T, Sums), ReadError> {
    let (to_parser, blocks) = mpsc::sync_channel(IN_FLIGHT);
    let (to_hasher, hashed) = mpsc::sync_channel::<Block>(IN_FLIGHT);
    let (used, free) = mpsc::channel();
    let used_by_hasher = used.clone();
    thread::scope(|scope| {
        let inflater = scope.spawn(move || {
            let mut to = Sinks { parser: to_parser, hasher: to_hasher, free };
            let stored = BufReader::with_capacity(BLOCK_BYTES, Hashing::new(reader));
            let stored = match encoding {
                Encoding::Plain => to.send_all(stored)?,
                Encoding::Gzip => {
                    let mut stored = to.send_all(GzDecoder::new(stored))?.into_inner();
                    // One member only: what a second one holds is seen by some readers and not by others.
                    let behind = stored.fill_buf().map_err(|source| ReadError::Stream { source })?;
                    if !behind.is_empty() {
                        return Err(ReadError::SecondMember);
                    }
                    stored
                }
                Encoding::Zstd => {
                    // Frames one behind another are one stream (RFC 8878, section 3), in every reader; windows larger
                    // than 128 MiB are refused.
                    let failed = |source| ReadError::Stream { source };
                    let mut tar = zstd::Decoder::with_buffer(stored).map_err(failed)?;
                    tar.window_log_max(MAX_WINDOW_LOG).map_err(failed)?;
                    to.send_all(tar)?.finish()
                }
            };
            Ok(stored.into_inner().hasher.finish())
        });
        let hasher = scope.spawn(move || {
            let mut hasher = Hasher::new();
            for block in hashed {
                hasher.update(block.filled());
                block.give_back(&used_by_hasher);
            }
            hasher.finish()
        });
        // The reader of blocks goes with `parse`: an inflater that still has some to send then stops.
        let parsed = parse(&mut Tar { blocks, current: None, at: 0, used });
        let stored = inflater.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let diff = hasher.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok((parsed?, Sums { diff, stored: stored? }))
    })
}

const BLOCK_BYTES: usize = 256 << 10;
/// The largest zstd window: 2^27 bytes, what zstd's own tools take unasked.
const MAX_WINDOW_LOG: u32 = 27;
const IN_FLIGHT: usize = 4;

/// A stretch of the tar, which two read at once. Whoever is the last to need its memory gives it back.
#[derive(Clone)]
struct Block {
    memory: Arc<Vec<u8>>,
    filled: usize,
}

impl Block {
    fn filled(&self) -> &[u8] {
        &self.memory[..self.filled]
    }

    fn give_back(self, used: &Sender<Vec<u8>>) {
        if let Some(memory) = Arc::into_inner(self.memory) {
            // Nobody wants it when everything is read.
            let _ = used.send(memory);
        }
    }
}

/// Where blocks go to, and their memory comes back from: to take and return memory for each costs more than to hash it.
struct Sinks {
    parser: SyncSender<io::Result<Block>>,
    hasher: SyncSender<Block>,
    free: Receiver<Vec<u8>>,
}

impl Sinks {
    /// Everything that `tar` gives, to both; the reader itself when it is over.
    fn send_all<R: Read>(&mut self, mut tar: R) -> Result<R, ReadError> {
        loop {
            let mut memory = self.free.try_recv().unwrap_or_else(|_| vec![0; BLOCK_BYTES]);
            let (filled, read) = fill(&mut tar, &mut memory);
            if filled > 0 {
                let block = Block { memory: Arc::new(memory), filled };
                let hashed = self.hasher.send(block.clone()).is_ok();
                if !hashed || self.parser.send(Ok(block)).is_err() {
                    return Err(ReadError::Stopped);
                }
            }
            if let Err(error) = read {
                // The parser meets the fault where it stands, and reports it.
                let _ = self.parser.send(Err(error));
                return Err(ReadError::Stopped);
            }
            if filled == 0 {
                return Ok(tar);
            }
        }
    }
}

/// Reads until the memory is full, the reader at its end or broken; how much there is in any case.
fn fill(reader: &mut impl Read, memory: &mut [u8]) -> (usize, io::Result<()>) {
    let mut filled = 0;
    while filled < memory.len() {
        match reader.read(&mut memory[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (filled, Err(error)),
        }
    }
    (filled, Ok(()))
}

/// The blocks as one stream.
struct Tar {
    blocks: Receiver<io::Result<Block>>,
    current: Option<Block>,
    at: usize,
    used: Sender<Vec<u8>>,
}

impl Read for Tar {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(block) = &self.current {
                let rest = &block.filled()[self.at..];
                if !rest.is_empty() || buffer.is_empty() {
                    let now = rest.len().min(buffer.len());
                    buffer[..now].copy_from_slice(&rest[..now]);
                    self.at += now;
                    return Ok(now);
                }
            }
            if let Some(block) = self.current.take() {
                block.give_back(&self.used);
            }
            match self.blocks.recv() {
                Ok(block) => (self.current, self.at) = (Some(block?), 0),
                Err(_) => return Ok(0),
            }
        }
    }
}

/// Hashes what is read through it.
pub(crate) struct Hashing<R> {
    inner: R,
    hasher: Hasher,
}

impl<R> Hashing<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self { inner, hasher: Hasher::new() }
    }

    /// Of what was read.
    pub(crate) fn finish(self) -> (Digest, u64) {
        self.hasher.finish()
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        Ok(read)
    }
}
