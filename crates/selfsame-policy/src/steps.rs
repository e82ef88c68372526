//! Steps in place of time: the engine's limit is one of a clock, and this clock goes on by one each time it is read.

use std::cell::Cell;
use std::num::NonZeroU32;
use std::sync::Once;
use std::time::Duration;

use regorus::utils::limits::{ExecutionTimerConfig, TimeSource, set_time_source};

/// How often the engine may look at the clock in one evaluation. Changing this changes which policies are answered.
const MOST_STEPS: u64 = 2_000_000;

struct Steps;

thread_local! {
    static TAKEN: Cell<u64> = const { Cell::new(0) };
}

impl TimeSource for Steps {
    fn now(&self) -> Option<Duration> {
        let taken = TAKEN.with(|taken| {
            taken.set(taken.get().saturating_add(1));
            taken.get()
        });
        Some(Duration::from_nanos(taken))
    }
}

/// The limit of one evaluation.
pub(crate) fn limit() -> ExecutionTimerConfig {
    static SOURCE: Once = Once::new();
    // Another source can only be there if another crate of this program sets one, and none does.
    SOURCE.call_once(|| set_time_source(&Steps).expect("nobody else sets a time source"));
    ExecutionTimerConfig { limit: Duration::from_nanos(MOST_STEPS), check_interval: NonZeroU32::MIN }
}
