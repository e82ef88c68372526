//! What is different between two locks: inputs by name, and their parts by what they are called.

mod parts;

use std::collections::{BTreeMap, BTreeSet};

use selfsame_core::Profile;
use selfsame_definition::Name;

pub use self::parts::{PartDiff, PartTitle};
use crate::lock::{Claim, InputKind, Lock, Locked};
use selfsame_core::Day;

/// What is different between two locks. Empty for two locks that print equally, and for no others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockDiff {
    /// The profiles, where they are different.
    pub profile: Option<(Profile, Profile)>,
    /// The inputs that are different.
    pub inputs: BTreeMap<Name, InputDiff>,
}

/// What is different about one input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputDiff {
    /// As it was; nothing where there was none.
    pub before: Option<Standing>,
    /// As it is; nothing where there is none.
    pub after: Option<Standing>,
    /// The parts that are different, ordered by what they are called.
    pub parts: Vec<PartDiff>,
    /// How many parts are the same.
    pub same_parts: usize,
}

/// An input without its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its kind.
    pub kind: InputKind,
    /// What was asked for.
    pub asked: String,
    /// When it was chosen.
    pub as_of: Day,
    /// The bytes of its parts.
    pub size: u64,
}

/// What happened to an input or a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// It is new.
    Added,
    /// It is another one.
    Changed,
    /// It was chosen again, and nothing else came of it.
    Confirmed,
    /// It is gone.
    Removed,
}

/// How many parts were added, changed and removed, and how many are worth a second look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// New ones.
    pub added: usize,
    /// Other ones.
    pub changed: usize,
    /// Gone ones.
    pub removed: usize,
    /// Of the changed ones: other content under the same name.
    pub republished: usize,
    /// Of the changed ones: vouched for by less than before.
    pub vouched_less: usize,
    /// Of the new and the changed ones: vouched for by a connection, a file of one machine, or nobody.
    pub unvouched: usize,
}

impl LockDiff {
    /// What is different in `after`.
    #[must_use]
    pub fn between(before: &Lock, after: &Lock) -> Self {
        let profile = (before.profile != after.profile).then_some((before.profile, after.profile));
        let names: BTreeSet<&Name> = before.inputs.keys().chain(after.inputs.keys()).collect();
        let of = |name: &Name| {
            let (before, after) = (before.inputs.get(name), after.inputs.get(name));
            (before != after).then(|| (name.clone(), InputDiff::between(before, after)))
        };
        Self { profile, inputs: names.into_iter().filter_map(of).collect() }
    }

    /// Whether the locks are the same.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.profile.is_none() && self.inputs.is_empty()
    }

    /// Without inputs that were only chosen again: what would make other bytes, or was asked for otherwise.
    #[must_use]
    pub fn without_confirmed(mut self) -> Self {
        self.inputs.retain(|_, input| input.change() != Change::Confirmed);
        self
    }

    /// Sums over all parts.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for part in self.inputs.values().flat_map(|input| &input.parts) {
            match part.change() {
                Change::Added => counts.added += 1,
                Change::Removed => counts.removed += 1,
                Change::Changed | Change::Confirmed => counts.changed += 1,
            }
            counts.republished += usize::from(part.is_republished());
            counts.vouched_less += usize::from(part.is_vouched_less());
            counts.unvouched += usize::from(part.is_unvouched());
        }
        counts
    }
}

impl InputDiff {
    fn between(before: Option<&Locked>, after: Option<&Locked>) -> Self {
        let parts = |locked: Option<&Locked>| locked.map(|locked| locked.parts.clone()).unwrap_or_default();
        let (parts, same_parts) = parts::between(parts(before), parts(after));
        Self { before: before.map(Standing::of), after: after.map(Standing::of), parts, same_parts }
    }

    /// What happened to it.
    #[must_use]
    pub fn change(&self) -> Change {
        match (&self.before, &self.after) {
            (None, _) => Change::Added,
            (_, None) => Change::Removed,
            (Some(before), Some(after)) => {
                let asked_alike = (before.kind, &before.asked) == (after.kind, &after.asked);
                if asked_alike && self.parts.is_empty() { Change::Confirmed } else { Change::Changed }
            }
        }
    }
}

impl Standing {
    fn of(locked: &Locked) -> Self {
        Self { kind: locked.kind, asked: locked.asked.clone(), as_of: locked.as_of, size: locked.size() }
    }
}

impl Change {
    /// `added`
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Confirmed => "confirmed",
            Self::Removed => "removed",
        }
    }
}

impl Claim {
    /// How much it takes to forge it: 0 is an author's or a distribution's word, 3 is nobody's.
    const fn weakness(self) -> u8 {
        match self {
            Self::Definition | Self::EcosystemLock | Self::SignedRelease => 0,
            Self::RegistryChecksum | Self::IndexHash | Self::ManifestDigest | Self::GitCommit => 1,
            Self::TlsOnly | Self::LocalFile => 2,
            Self::Plaintext => 3,
        }
    }

    /// Whether nobody vouched for the bytes but the connection that they came by, or the machine where they lay.
    #[must_use]
    pub const fn is_unvouched(self) -> bool {
        self.weakness() >= 2
    }
}

/// An input that was chosen too long ago.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aged {
    /// Its name.
    pub input: Name,
    /// When it was chosen.
    pub as_of: Day,
    /// How many days ago; nothing for a day that has not come yet, which no clock wrote.
    pub days: Option<u32>,
}

/// The inputs that were chosen more than `max_days` before `today`, or after the day that follows it: clocks of two
/// machines may be a day apart.
#[must_use]
pub fn aged(lock: &Lock, today: Day, max_days: u32) -> Vec<Aged> {
    let of = |(name, input): (&Name, &Locked)| {
        let as_of = input.as_of;
        let days = match (today.since(as_of), as_of.since(today)) {
            (_, ahead) if ahead > 1 => None,
            (days, _) if days > max_days => Some(days),
            _ => return None,
        };
        Some(Aged { input: name.clone(), as_of, days })
    };
    lock.inputs.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests;
