//! A stored layer becomes its tar: decompressed and hashed on two threads while the caller's thread reads members.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SyncSender};
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
    thread::scope(|scope| {
        let inflater = scope.spawn(move || {
            let stored = BufReader::with_capacity(BLOCK_BYTES, Hashing::new(reader));
            let stored = match encoding {
                Encoding::Plain => send_all(stored, &to_parser, &to_hasher)?,
                Encoding::Gzip => {
                    let mut stored = send_all(GzDecoder::new(stored), &to_parser, &to_hasher)?.into_inner();
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
                    send_all(tar, &to_parser, &to_hasher)?.finish()
                }
            };
            Ok(stored.into_inner().hasher.finish())
        });
        let hasher = scope.spawn(move || {
            let mut hasher = Hasher::new();
            hashed.iter().for_each(|block| hasher.update(&block));
            hasher.finish()
        });
        // The reader of blocks goes with `parse`: an inflater that still has some to send then stops.
        let parsed = parse(&mut Tar { blocks, current: None, at: 0 });
        let stored = inflater.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let diff = hasher.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok((parsed?, Sums { diff, stored: stored? }))
    })
}

const BLOCK_BYTES: usize = 256 << 10;
/// The largest zstd window: 2^27 bytes, what zstd's own tools take unasked.
const MAX_WINDOW_LOG: u32 = 27;
const IN_FLIGHT: usize = 4;

type Block = Arc<Vec<u8>>;

/// Everything that `tar` gives, to both; the reader itself when it is over.
fn send_all<R: Read>(
    mut tar: R,
    to_parser: &SyncSender<io::Result<Block>>,
    to_hasher: &SyncSender<Block>,
) -> Result<R, ReadError> {
    loop {
        let mut block = Vec::with_capacity(BLOCK_BYTES);
        let read = tar.by_ref().take(BLOCK_BYTES as u64).read_to_end(&mut block);
        let block = Arc::new(block);
        let failed = read.is_err();
        if !block.is_empty() {
            let hashed = to_hasher.send(Arc::clone(&block)).is_ok();
            if !hashed || to_parser.send(Ok(Arc::clone(&block))).is_err() {
                return Err(ReadError::Stopped);
            }
        }
        if let Err(error) = read {
            // The parser meets the fault where it stands, and reports it.
            let _ = to_parser.send(Err(error));
        }
        if failed {
            return Err(ReadError::Stopped);
        }
        if block.is_empty() {
            return Ok(tar);
        }
    }
}

/// The blocks as one stream.
struct Tar {
    blocks: Receiver<io::Result<Block>>,
    current: Option<Block>,
    at: usize,
}

impl Read for Tar {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(block) = &self.current {
                let rest = &block[self.at..];
                if !rest.is_empty() || buffer.is_empty() {
                    let now = rest.len().min(buffer.len());
                    buffer[..now].copy_from_slice(&rest[..now]);
                    self.at += now;
                    return Ok(now);
                }
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
