//! Time stamp authorities that are trusted.

use selfsame_core::Day;
use selfsame_timestamp::Authority;

/// An authority of a trust file, whose stamps show when something was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedAuthority {
    /// What a person calls it; unique in the file.
    pub name: String,
    /// Its certificate, and those behind it.
    pub authority: Authority,
    /// The first day of which its stamps count.
    pub from: Option<Day>,
    /// The last day.
    pub until: Option<Day>,
}

impl TrustedAuthority {
    /// Whether a stamp counts that is of these days: its time, and the latest that this may be.
    pub(crate) fn counts(&self, day: Day, latest: Day) -> Result<(), String> {
        match (self.from.filter(|from| day < *from), self.until.filter(|until| *until < latest)) {
            (Some(from), _) => Err(format!("counts from {from} on, and this is of {day}")),
            (None, Some(until)) => Err(format!("counted until {until}, and this is of {latest}")),
            (None, None) => Ok(()),
        }
    }
}
