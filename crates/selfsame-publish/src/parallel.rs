//! Several things at once, with the same end in every run; and who is told how far they are.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// How many connections are open at once.
const CONNECTIONS: usize = 4;

/// Is told how far it is, by several threads at once.
pub trait Progress: Sync {
    /// So many blobs of so many bytes together are to be there in the end.
    fn expect(&self, blobs: u64, bytes: u64) {
        _ = (blobs, bytes);
    }
    /// One of them is there; whether it had to be sent or fetched.
    fn done(&self, bytes: u64, moved: bool) {
        _ = (bytes, moved);
    }
    /// Something that is passed over, which a person should know.
    fn passed_over(&self, what: &str) {
        _ = what;
    }
}

/// Nobody listens.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {}

/// Does `work` for each item, some at once, begun in their order. What was begun is ended. Gives the results in the order
/// of the items, or the failure of the first one that failed.
pub(crate) fn each<T: Sync, R: Send, E: Send>(
    items: &[T],
    work: impl Fn(&T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let ended = Mutex::new(Vec::with_capacity(items.len()));
    std::thread::scope(|scope| {
        for _ in 0..CONNECTIONS.min(items.len()) {
            scope.spawn(|| {
                while !failed.load(Ordering::Relaxed) {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index) else { break };
                    let result = work(item);
                    if result.is_err() {
                        failed.store(true, Ordering::Relaxed);
                    }
                    ended.lock().unwrap_or_else(PoisonError::into_inner).push((index, result));
                }
            });
        }
    });
    let mut ended = ended.into_inner().unwrap_or_else(PoisonError::into_inner);
    ended.sort_unstable_by_key(|(index, _)| *index);
    ended.into_iter().map(|(_, result)| result).collect()
}
