//! The same work on many items, on all cores.

use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// The most items that a thread takes at once: a single `lstat` is too little work to be handed out by itself.
const CHUNK: usize = 64;

/// Applies `work` to each item and gives the results in the items' order, or the failure of the first item in that
/// order among those that were tried.
pub(crate) fn try_map<T: Sync, R: Send, E: Send>(
    items: &[T],
    work: impl Fn(&T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let chunk_size = (items.len() / (cores * 8)).clamp(1, CHUNK);
    let chunks = items.len().div_ceil(chunk_size);
    let threads = cores.min(chunks);
    if threads <= 1 {
        return items.iter().map(work).collect();
    }
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let done = Mutex::new(Vec::with_capacity(chunks));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut mine: Vec<(usize, Result<Vec<R>, E>)> = Vec::new();
                while !failed.load(Ordering::Relaxed) {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(chunk) = items.chunks(chunk_size).nth(index) else { break };
                    let result = chunk.iter().map(&work).collect::<Result<Vec<R>, E>>();
                    if result.is_err() {
                        failed.store(true, Ordering::Relaxed);
                    }
                    mine.push((index, result));
                }
                done.lock().unwrap_or_else(PoisonError::into_inner).append(&mut mine);
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|(index, _)| *index);
    let mut results = Vec::with_capacity(items.len());
    for (_, chunk) in done {
        results.extend(chunk?);
    }
    Ok(results)
}

#[cfg(test)]
mod tests {
    use super::try_map;

    #[test]
    fn keeps_the_order_and_names_the_first_failure() {
        let items: Vec<u32> = (0..10_000).collect();
        assert_eq!(try_map(&items, |n| Ok::<_, ()>(n * 2)).unwrap(), items.iter().map(|n| n * 2).collect::<Vec<_>>());
        assert_eq!(try_map(&items, |&n| if n == 77 { Err(n) } else { Ok(n) }), Err(77));
        assert_eq!(try_map(&[] as &[u32], |&n| Ok::<_, ()>(n)), Ok(vec![]));
    }
}
