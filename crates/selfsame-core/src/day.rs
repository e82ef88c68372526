//! A day of the calendar, as locks and trust files have it.

use std::fmt;
use std::str::FromStr;

use crate::SourceEpoch;

/// A day in UTC, from 1970 to 9999, printed `2026-11-20`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(u32);

/// A text that is no day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a day like 2026-11-20")]
pub struct DayError {
    /// The beginning of the text.
    text: String,
}

impl Day {
    const SECONDS: u64 = 86_400;

    /// The day on which a second lies.
    #[must_use]
    pub fn of(time: SourceEpoch) -> Self {
        Self(u32::try_from(time.seconds() / Self::SECONDS).expect("the year 9999 ends on day 2 932 896"))
    }

    /// How many days passed since `earlier`; 0 if it is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u32 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = SourceEpoch::new(u64::from(self.0) * Self::SECONDS).expect("made from one");
        f.write_str(start.rfc3339().split('T').next().unwrap_or_default())
    }
}

impl FromStr for Day {
    type Err = DayError;

    fn from_str(text: &str) -> Result<Self, DayError> {
        let start = SourceEpoch::from_rfc3339(&format!("{text}T00:00:00Z"));
        let error = || DayError { text: text.chars().take(40).flat_map(char::escape_debug).collect() };
        start.map(Self::of).ok_or_else(error)
    }
}

#[cfg(test)]
mod tests {
    use super::Day;

    #[test]
    fn days() {
        for text in ["1970-01-01", "2000-02-29", "2026-11-20", "9999-12-31"] {
            assert_eq!(text.parse::<Day>().unwrap().to_string(), text);
        }
        for wrong in ["", "2026-02-29", "2026-1-1", "26-01-01", "2026-01-01T00:00:00Z"] {
            assert!(wrong.parse::<Day>().is_err(), "{wrong}");
        }
        let [early, late] = ["2026-02-28", "2026-03-01"].map(|text| text.parse::<Day>().unwrap());
        assert_eq!((late.since(early), early.since(late)), (1, 0));
    }
}
