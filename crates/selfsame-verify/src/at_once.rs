//! Two halves of the work on one document at the same time.

use std::num::NonZeroUsize;

/// Less than this is done before another thread has begun.
const WORTH_A_THREAD_BYTES: usize = 256 << 10;

/// Whether work on so many bytes is shared between threads.
pub(crate) fn is_worth_it(threads: NonZeroUsize, bytes: usize) -> bool {
    threads.get() > 1 && bytes >= WORTH_A_THREAD_BYTES
}

/// Both results. Which is there first changes nothing.
pub(crate) fn both<A: Send, B>(one: impl FnOnce() -> A + Send, other: impl FnOnce() -> B) -> (A, B) {
    std::thread::scope(|scope| {
        let one = scope.spawn(one);
        let other = other();
        (one.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), other)
    })
}
