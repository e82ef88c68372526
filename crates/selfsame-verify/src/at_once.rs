//! Work shared between threads, with results that do not depend on which was first.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Less than this is done before another thread has begun.
const WORTH_A_THREAD_BYTES: usize = 256 << 10;

/// Whether work on so many bytes is shared between threads.
pub(crate) fn is_worth_it(threads: NonZeroUsize, bytes: usize) -> bool {
    threads.get() > 1 && bytes >= WORTH_A_THREAD_BYTES
}

/// What `work` makes of each of the jobs, in their order; `threads` of them are done at a time, those that take longest
/// first.
pub(crate) fn each<J: Sync, R: Send>(
    threads: NonZeroUsize,
    jobs: &[J],
    size_bytes: impl Fn(&J) -> u64,
    work: impl Fn(&J) -> R + Sync,
) -> Vec<R> {
    let mut queue: Vec<usize> = (0..jobs.len()).collect();
    queue.sort_by_key(|at| (std::cmp::Reverse(size_bytes(&jobs[*at])), *at));
    let (next, done) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    let worker = || {
        while let Some(&at) = queue.get(next.fetch_add(1, Ordering::Relaxed)) {
            let result = work(&jobs[at]);
            done.lock().unwrap_or_else(PoisonError::into_inner).insert(at, result);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.get().min(queue.len()) {
            scope.spawn(worker);
        }
        worker();
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect()
}

/// Both results. Which is there first changes nothing.
pub(crate) fn both<A: Send, B>(one: impl FnOnce() -> A + Send, other: impl FnOnce() -> B) -> (A, B) {
    std::thread::scope(|scope| {
        let one = scope.spawn(one);
        let other = other();
        (one.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), other)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_jobs() {
        let jobs: Vec<u64> = (0..200).map(|at| at * 7919 % 101).collect();
        for threads in [1, 2, 7, 300] {
            let threads = NonZeroUsize::new(threads).unwrap();
            assert_eq!(
                each(threads, &jobs, |job| *job, |job| job + 1),
                jobs.iter().map(|job| job + 1).collect::<Vec<_>>()
            );
        }
        assert_eq!(each(NonZeroUsize::MIN, &[], |_: &u64| 0, |_| ()), []);
    }
}
