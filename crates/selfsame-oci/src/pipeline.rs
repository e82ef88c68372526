//! From a producer of bytes to a writer of blocks, over several threads, in order and in bounded memory.
//!
//! ```text
//! producer ──blocks──┬─► hasher: diffID, CRC                    (one thread)
//!                    └─► coders: compress                       (`threads` threads)
//!                              └──in order──► writer: digest, out   (the caller's thread)
//! ```
//!
//! The producer pushes the place of each block's result into one queue before the block itself goes to whichever
//! coder is free; the writer takes the results from that queue. So order needs no numbers, and the queue's length
//! bounds what is in flight.

use std::io::{self, Read, Write};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::sync::{Arc, Mutex};
use std::thread;

use selfsame_core::{Digest, Hasher};

use crate::gzip::{self, BLOCK_BYTES, BlockCompressor};
use crate::layer::{Compression, Layer, LayerError};

/// Runs `produce` and writes what it pushes to `out`.
pub(crate) fn run(
    out: &mut impl Write,
    compression: Compression,
    threads: usize,
    produce: impl FnOnce(&mut Blocks) -> Result<(), LayerError> + Send,
) -> Result<Layer, LayerError> {
    let threads = threads.clamp(1, 256);
    let in_flight = threads * 2 + 2;
    let (to_coders, jobs) = mpsc::channel::<Job>();
    let jobs = Mutex::new(jobs);
    let (to_writer, results) = mpsc::sync_channel(in_flight);
    let (to_hasher, hashed) = mpsc::sync_channel::<Arc<Vec<u8>>>(in_flight);
    thread::scope(|scope| {
        let hasher = scope.spawn(move || hash(&hashed));
        for _ in 0..threads {
            scope.spawn(|| code(&jobs, compression));
        }
        let producer = scope.spawn(move || {
            let mut blocks = Blocks { current: Vec::new(), to_coders, to_writer, to_hasher };
            produce(&mut blocks)?;
            blocks.send()
        });
        let written = write(out, compression, results);
        // A writer that failed has dropped its queue: the producer then stops at its next block.
        let produced = producer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let sums = hasher.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let mut written = written?;
        produced?;
        if compression == Compression::Gzip {
            written.put(&gzip::trailer(sums.crc, sums.size))?;
        }
        written.out.flush().map_err(|source| LayerError::Write { source })?;
        let (digest, size) = written.hasher.finish();
        Ok(Layer { diff_id: sums.digest, diff_size: sums.size, digest, size, media_type: compression.media_type() })
    })
}

/// Where the producer puts its bytes: they leave in blocks of [`BLOCK_BYTES`].
pub(crate) struct Blocks {
    current: Vec<u8>,
    to_coders: Sender<Job>,
    to_writer: SyncSender<Receiver<Option<Coded>>>,
    to_hasher: SyncSender<Arc<Vec<u8>>>,
}

struct Job {
    block: Arc<Vec<u8>>,
    reply: SyncSender<Option<Coded>>,
}

enum Coded {
    Same(Arc<Vec<u8>>),
    Compressed(Vec<u8>),
}

impl Blocks {
    pub(crate) fn push(&mut self, mut bytes: &[u8]) -> Result<(), LayerError> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(self.room()));
            self.current.extend_from_slice(now);
            bytes = later;
            self.send_if_full()?;
        }
        Ok(())
    }

    pub(crate) fn push_zeros(&mut self, count: usize) -> Result<(), LayerError> {
        const ZEROS: [u8; 1024] = [0; 1024];
        self.push(&ZEROS[..count])
    }

    /// Moves at most `limit` bytes from `content`, hashing them; how many came (0 at its end).
    pub(crate) fn pull(&mut self, content: &mut dyn Read, limit: u64, hasher: &mut Hasher) -> Result<u64, PullError> {
        let start = self.current.len();
        let room = self.room().min(usize::try_from(limit).unwrap_or(usize::MAX));
        self.current.resize(start + room, 0);
        let mut end = start;
        let result = loop {
            if end == self.current.len() {
                break Ok(());
            }
            match content.read(&mut self.current[end..]) {
                Ok(0) => break Ok(()),
                Ok(read) => end = (end + read).min(self.current.len()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(PullError::Content(error)),
            }
        };
        self.current.truncate(end);
        hasher.update(&self.current[start..]);
        result?;
        self.send_if_full().map_err(PullError::Layer)?;
        Ok((end - start) as u64)
    }

    fn room(&self) -> usize {
        BLOCK_BYTES - self.current.len()
    }

    fn send_if_full(&mut self) -> Result<(), LayerError> {
        if self.room() == 0 { self.send() } else { Ok(()) }
    }

    fn send(&mut self) -> Result<(), LayerError> {
        if self.current.is_empty() {
            return Ok(());
        }
        let block = Arc::new(std::mem::replace(&mut self.current, Vec::with_capacity(BLOCK_BYTES)));
        let (reply, result) = mpsc::sync_channel(1);
        let hashed = self.to_hasher.send(Arc::clone(&block)).is_ok();
        let ordered = hashed && self.to_writer.send(result).is_ok();
        let coded = ordered && self.to_coders.send(Job { block, reply }).is_ok();
        if coded { Ok(()) } else { Err(LayerError::Stopped) }
    }
}

/// Why [`Blocks::pull`] stopped.
pub(crate) enum PullError {
    /// The content could not be read.
    Content(io::Error),
    /// The pipeline is over.
    Layer(LayerError),
}

struct Sums {
    digest: Digest,
    size: u64,
    crc: u32,
}

fn hash(blocks: &Receiver<Arc<Vec<u8>>>) -> Sums {
    let (mut hasher, mut crc) = (Hasher::new(), libdeflater::Crc::new());
    for block in blocks {
        hasher.update(&block);
        crc.update(&block);
    }
    let (digest, size) = hasher.finish();
    Sums { digest, size, crc: crc.sum() }
}

fn code(jobs: &Mutex<Receiver<Job>>, compression: Compression) {
    let mut compressor = BlockCompressor::new();
    loop {
        let job = match jobs.lock() {
            Ok(jobs) => jobs.recv(),
            Err(_) => return,
        };
        let Ok(Job { block, reply }) = job else { return };
        let coded = match compression {
            Compression::None => Some(Coded::Same(block)),
            Compression::Gzip => compressor.compress(&block).map(Coded::Compressed),
        };
        // Nobody waits any more when the writer has failed.
        let _ = reply.send(coded);
    }
}

struct Written<'a, W> {
    out: &'a mut W,
    hasher: Hasher,
}

impl<W: Write> Written<'_, W> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), LayerError> {
        self.hasher.update(bytes);
        self.out.write_all(bytes).map_err(|source| LayerError::Write { source })
    }
}

fn write<W: Write>(
    out: &mut W,
    compression: Compression,
    results: Receiver<Receiver<Option<Coded>>>,
) -> Result<Written<'_, W>, LayerError> {
    let mut written = Written { out, hasher: Hasher::new() };
    if compression == Compression::Gzip {
        written.put(&gzip::HEADER)?;
    }
    for result in results {
        match result.recv() {
            Ok(Some(Coded::Same(block))) => written.put(&block)?,
            Ok(Some(Coded::Compressed(bytes))) => written.put(&bytes)?,
            Ok(None) => return Err(LayerError::Compressor),
            Err(_) => return Err(LayerError::Stopped),
        }
    }
    Ok(written)
}
