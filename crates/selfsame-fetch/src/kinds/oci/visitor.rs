//! Files of a layer go into the store on threads of their own, while the layer is read on.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Mutex, PoisonError};

use selfsame_core::RelPath;
use selfsame_oci::LayerVisitor;
use selfsame_store::{Store, StoreError};

/// Files up to this size are handed over whole; larger ones are stored as they are read.
const SMALL_BYTES: u64 = 1 << 20;
/// How many of them wait at most: 32 MiB.
const WAITING: usize = 32;
/// How many threads store them.
const THREADS: usize = 2;

/// Stores what it is shown.
pub(super) struct Storing<'a> {
    store: &'a Store,
    to_storers: SyncSender<(Vec<u8>, bool)>,
    executable: bool,
    times: BTreeMap<RelPath, i64>,
    failed: &'a Mutex<Option<StoreError>>,
}

impl Storing<'_> {
    /// Runs `read` with a visitor that stores all content, and gives the time of each member beside. The store's own
    /// failure comes before what it made of the reading.
    pub(super) fn run<T>(
        store: &Store,
        read: impl FnOnce(&mut dyn LayerVisitor) -> T,
    ) -> Result<(T, BTreeMap<RelPath, i64>), StoreError> {
        let failed = Mutex::new(None);
        let (to_storers, files) = mpsc::sync_channel(WAITING);
        let files = Mutex::new(files);
        let result = std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| store_all(store, &files, &failed));
            }
            let mut visitor = Storing { store, to_storers, executable: false, times: BTreeMap::new(), failed: &failed };
            // The visitor goes at the end of this closure, and the threads with it.
            let result = read(&mut visitor);
            (result, visitor.times)
        });
        match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None => Ok(result),
        }
    }

    fn stop(&self, error: StoreError) -> io::Error {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        io::Error::other("not stored")
    }
}

fn store_all(store: &Store, files: &Mutex<Receiver<(Vec<u8>, bool)>>, failed: &Mutex<Option<StoreError>>) {
    loop {
        let next = files.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((bytes, executable)) = next else { return };
        if let Err(error) = store.put_bytes(&bytes, executable) {
            failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
    }
}

impl LayerVisitor for Storing<'_> {
    fn header(&mut self, path: &RelPath, mtime: i64, _: &[u8], _: &[u8]) {
        self.times.insert(path.clone(), mtime);
    }

    fn mode(&mut self, _: &RelPath, mode: u32) {
        self.executable = mode & 0o111 != 0;
    }

    fn file(&mut self, _: &RelPath, size: u64, content: &mut dyn Read) -> io::Result<()> {
        if self.failed.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            return Err(io::Error::other("not stored"));
        }
        if size > SMALL_BYTES {
            return match self.store.put(content, self.executable) {
                Ok(_) => Ok(()),
                // What the layer's own reader said comes back through it.
                Err(StoreError::Source { source }) => Err(source),
                Err(error) => Err(self.stop(error)),
            };
        }
        let mut bytes = Vec::with_capacity(size as usize);
        content.read_to_end(&mut bytes)?;
        self.to_storers.send((bytes, self.executable)).map_err(|_| io::Error::other("not stored"))
    }
}
