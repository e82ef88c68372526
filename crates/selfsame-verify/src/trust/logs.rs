//! Transparency logs that are trusted, and for how long each key is its log's.

use selfsame_core::Day;
use selfsame_log::LogKey;

use super::Standing;

/// A log of a trust file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Its name and key.
    pub key: LogKey,
    /// The first day on which the key is the log's.
    pub from: Option<Day>,
    /// The last day.
    pub until: Option<Day>,
}

impl LogLine {
    /// A log whose key is its own whenever it is asked.
    #[must_use]
    pub const fn new(key: LogKey) -> Self {
        Self { key, from: None, until: None }
    }
}

/// A log in which a document may be, on the day on which it is asked.
#[derive(Clone, Debug)]
pub struct TrustedLog {
    /// Its name and key.
    pub key: LogKey,
    standing: Standing,
}

impl TrustedLog {
    /// A log without a file around it.
    pub(super) fn new(key: LogKey) -> Self {
        Self { key, standing: Standing::always() }
    }

    /// A log of a file that is asked on a day.
    pub(super) fn at(line: &LogLine, day: Day) -> Self {
        let (from, until) = (line.from, line.until);
        Self { key: line.key.clone(), standing: Standing { at: Some(day), from, until, ..Standing::default() } }
    }

    /// Whether the log's key counts for a checkpoint that witnesses saw on the day `by`; none shows no time.
    ///
    /// A log says no time itself, so once its key's days are over only what was seen before is known to be of them.
    pub(crate) fn counts(&self, by: Option<Day>) -> Result<(), String> {
        let fault = |why: String| format!("the log's key {why}");
        if let Some((from, by)) = self.standing.from.zip(by).filter(|(from, by)| by < from) {
            return Err(fault(format!("counts from {from} on, and its checkpoint was seen on {by}")));
        }
        self.standing.counts(super::Signed { release: None, by }).map(drop).map_err(fault)
    }

    /// Its name as others see it on that day: `active`, `not-yet` or `expired`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        self.standing.word()
    }
}

/// Two of these keys that are of one log by its name. A log has one key: whoever begins another log, or goes on with a
/// new key, gives it a name of its own, as C2SP's logs and the shards of Rekor do.
pub fn shared_origin<'a>(keys: impl IntoIterator<Item = &'a LogKey>) -> Option<&'a str> {
    let mut seen = std::collections::BTreeSet::new();
    keys.into_iter().map(LogKey::origin).find(|origin| !seen.insert(*origin))
}
