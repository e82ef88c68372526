//! The source epoch: the one timestamp that a build may see (`SOURCE_DATE_EPOCH`).

use std::fmt;

/// Seconds since 1970-01-01T00:00:00Z, from 0 to the last second of year 9999. Never "now".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(transparent)]
pub struct SourceEpoch(u64);

impl SourceEpoch {
    /// The last second that RFC 3339 can write.
    pub const MAX: u64 = 253_402_300_799;

    /// An epoch, if a four-digit year can hold it.
    #[must_use]
    pub fn new(seconds: u64) -> Option<Self> {
        (seconds <= Self::MAX).then_some(Self(seconds))
    }

    /// Seconds since 1970.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.0
    }

    /// Reads what [`rfc3339`](Self::rfc3339) writes, and nothing else.
    #[must_use]
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<u64>().ok();
        let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
        let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
        if year < 1970 || !(1..=12).contains(&month) {
            return None;
        }
        // Days from civil: years begin in March, so that the leap day is the last.
        let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
        let day_of_year = (153 * month + 2) / 5 + day.checked_sub(1)?;
        let day_of_era = year % 400 * 365 + year % 400 / 4 - year % 400 / 100 + day_of_year;
        let days = (year / 400 * 146_097 + day_of_era).checked_sub(719_468)?;
        let epoch = Self::new(days * 86_400 + hour * 3_600 + minute * 60 + second)?;
        (epoch.rfc3339() == text).then_some(epoch)
    }

    /// `2023-11-14T22:13:20Z` (RFC 3339, UTC, whole seconds).
    #[must_use]
    pub fn rfc3339(self) -> String {
        self.to_string()
    }
}

impl fmt::Display for SourceEpoch {
    /// Proleptic Gregorian date by the days-from-civil algorithm, inverted.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second_of_day) = (self.0 / 86_400, self.0 % 86_400);
        let days = days + 719_468;
        let era = days / 146_097;
        let day_of_era = days % 146_097;
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year_of_era + era * 400 + u64::from(month <= 2);
        let (hour, minute, second) = (second_of_day / 3_600, second_of_day / 60 % 60, second_of_day % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

impl<'de> serde::Deserialize<'de> for SourceEpoch {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = u64::deserialize(deserializer)?;
        Self::new(seconds).ok_or_else(|| serde::de::Error::custom("an epoch after the year 9999"))
    }
}

#[cfg(test)]
mod tests {
    use super::SourceEpoch;

    #[test]
    fn writes_utc() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_700_000_000, "2023-11-14T22:13:20Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (SourceEpoch::MAX, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(SourceEpoch::new(seconds).unwrap().rfc3339(), text);
            assert_eq!(SourceEpoch::from_rfc3339(text).unwrap().seconds(), seconds);
        }
        for wrong in
            ["", "1969-12-31T23:59:59Z", "2023-02-30T00:00:00Z", "2023-11-14 22:13:20", "2023-11-14T22:13:20+00"]
        {
            assert!(SourceEpoch::from_rfc3339(wrong).is_none(), "{wrong}");
        }
        assert!(SourceEpoch::new(SourceEpoch::MAX + 1).is_none());
    }
}
