//! Whether a key counts for something that it signed.

use std::collections::BTreeSet;

use selfsame_core::{Day, Digest};

/// What a trust file says of a key's life, and the day on which it is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The day on which it is asked; `None` for a key without a file, of whose life nothing is known.
    pub(super) at: Option<Day>,
    /// The first day on which it counts.
    pub(super) from: Option<Day>,
    /// The last day on which it counts as one in use.
    pub(super) until: Option<Day>,
    /// The day from which on it signs nothing new.
    pub(super) retired: Option<Day>,
    /// The day from which on somebody else may sign with it.
    pub(super) compromised: Option<Day>,
    /// What stays good after retirement, by release id.
    pub(super) accepted: BTreeSet<Digest>,
    /// Why it does not count at all, as the rest of a sentence.
    pub(super) broken: Option<String>,
}

/// How long ago something was signed, as far as that is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signed {
    /// The release that it belongs to, once that is known.
    pub release: Option<Digest>,
    /// The day on which a trusted log or time stamp saw it, the earliest.
    pub by: Option<Day>,
}

impl Standing {
    /// Of a key without a file: it counts because it was given.
    pub(super) fn always() -> Self {
        Self::default()
    }

    /// Whether the key counts for this: why it does, or why not.
    ///
    /// Compromise is asked for first and whatever the day: a date that somebody chose says nothing about when a thief
    /// signed, and neither does a list that the thief could have signed.
    pub(crate) fn counts(&self, signed: Signed) -> Result<String, String> {
        let Some(at) = self.at else { return Ok("given by itself: nothing says since or until when".to_owned()) };
        if let Some(broken) = &self.broken {
            return Err(broken.clone());
        }
        // Seen before the compromise is not enough: all else is asked as well, so that it never gives anything back.
        let before = match (self.compromised, signed.by) {
            (None, _) => String::new(),
            (Some(since), Some(by)) if by < since => {
                format!(", and seen on {by}, before the key was compromised on {since}")
            }
            (Some(since), Some(by)) => return Err(format!("is compromised since {since}, and this was seen on {by}")),
            (Some(since), None) => {
                return Err(format!("is compromised since {since}, and nothing shows that this was signed before"));
            }
        };
        if let Some(from) = self.from.filter(|from| at < *from) {
            return Err(format!("counts from {from} on, and it is asked on {at}"));
        }
        let retired = self.retired.filter(|since| *since <= at).map(|since| format!("is retired since {since}"));
        let expired = self.until.filter(|until| *until < at).map(|until| format!("counted until {until}"));
        let Some(over) = retired.or(expired) else { return Ok(format!("in use on {at}{before}")) };
        let in_time =
            |by: Day| self.retired.is_none_or(|since| by < since) && self.until.is_none_or(|until| by <= until);
        match signed.by {
            Some(by) if in_time(by) => return Ok(format!("{over}; seen on {by}, before that{before}")),
            _ => {}
        }
        // A list that a thief could have signed is none.
        if self.compromised.is_none() && signed.release.is_some_and(|release| self.accepted.contains(&release)) {
            return Ok(format!("{over}; the release is on the list that it signed when it was retired"));
        }
        Err(format!("{over}, and nothing shows that it signed this before"))
    }

    /// One word for a list of keys: `active`, `not-yet`, `expired`, `retired`, `compromised` or `broken`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        let at = |day: Option<Day>| day.zip(self.at);
        match () {
            () if self.broken.is_some() => "broken",
            () if self.compromised.is_some() => "compromised",
            () if at(self.from).is_some_and(|(from, at)| at < from) => "not-yet",
            () if at(self.retired).is_some_and(|(since, at)| since <= at) => "retired",
            () if at(self.until).is_some_and(|(until, at)| until < at) => "expired",
            () => "active",
        }
    }

    /// Why the key does not count at all, if it does not.
    #[must_use]
    pub fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    /// How many releases stay good after retirement.
    #[must_use]
    pub fn accepted(&self) -> usize {
        if self.compromised.is_some() { 0 } else { self.accepted.len() }
    }
}
