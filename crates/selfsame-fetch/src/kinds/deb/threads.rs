//! Work on many packages at once, one by one: they are few and of very different sizes.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Applies `work` to each item on so many threads, the items begun in their order. The results in the items' order, or
/// the failure of the first item in that order among those that were tried.
pub(super) fn try_each<T: Sync, R: Send, E: Send>(
    items: &[T],
    threads: usize,
    work: impl Fn(&T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let done: Mutex<Vec<(usize, Result<R, E>)>> = Mutex::new(Vec::with_capacity(items.len()));
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, items.len().max(1)) {
            scope.spawn(|| {
                while !failed.load(Ordering::Relaxed) {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index) else { break };
                    let result = work(item);
                    if result.is_err() {
                        failed.store(true, Ordering::Relaxed);
                    }
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((index, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::try_each;

    #[test]
    fn keeps_the_order_and_names_the_first_failure() {
        let items: Vec<u32> = (0..100).collect();
        assert_eq!(try_each(&items, 4, |n| Ok::<_, ()>(n * 2)), Ok(items.iter().map(|n| n * 2).collect()));
        assert_eq!(try_each(&items, 4, |&n| if n == 0 { Err(n) } else { Ok(n) }), Err(0));
        assert_eq!(try_each(&[] as &[u32], 4, |&n| Ok::<_, ()>(n)), Ok(vec![]));
    }
}
