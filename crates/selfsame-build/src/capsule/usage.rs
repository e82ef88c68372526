//! What releases take beside one another: a blob that several have is there once.

use std::collections::BTreeMap;

use selfsame_core::Digest;

use super::Class;

/// What a blob is to its release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Of the image: manifest, config, layers.
    Image,
    /// A signed document, or what lists it.
    Evidence,
    /// An input of the build.
    Input(Class),
    /// The program of selfsame, or the list of what is absent.
    Other,
}

impl Kind {
    /// `image`, `evidence`, `other`, or the name of the class.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Evidence => "evidence",
            Self::Input(class) => class.name(),
            Self::Other => "other",
        }
    }
}

/// A blob that a release holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// In bytes.
    pub size: u64,
    /// What it is to it.
    pub kind: Kind,
}

/// What all of them take.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Each blob once.
    pub bytes: u64,
    /// The number of blobs.
    pub blobs: usize,
    /// Of those bytes, what more than one release has.
    pub shared: u64,
    /// What the releases would take more if each stood alone.
    pub saved: u64,
    /// Each blob once, under the first kind that it has.
    pub by_kind: BTreeMap<&'static str, u64>,
    /// In the order given.
    pub releases: Vec<ReleaseUsage>,
}

/// What one of them takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReleaseUsage {
    /// All that it holds.
    pub bytes: u64,
    /// What nobody else here holds: what it adds, given the others.
    pub marginal: u64,
    /// Of all that it holds.
    pub by_kind: BTreeMap<&'static str, u64>,
}

/// Measures releases, and what belongs to none of them. What a digest's first holder says of its size counts.
#[must_use]
pub fn usage(releases: &[BTreeMap<Digest, Held>], others: &BTreeMap<Digest, Held>) -> Usage {
    let mut holders: BTreeMap<Digest, (Held, u32)> = BTreeMap::new();
    for (digest, held) in releases.iter().flatten() {
        let entry = holders.entry(*digest).or_insert((*held, 0));
        entry.0.kind = entry.0.kind.min(held.kind);
        entry.1 += 1;
    }
    for (digest, held) in others {
        holders.entry(*digest).or_insert((*held, 1));
    }
    let mut all = Usage { blobs: holders.len(), ..Usage::default() };
    for (held, count) in holders.values() {
        all.bytes = all.bytes.saturating_add(held.size);
        add(&mut all.by_kind, held);
        if *count > 1 {
            all.shared = all.shared.saturating_add(held.size);
            all.saved = all.saved.saturating_add(held.size.saturating_mul(u64::from(count - 1)));
        }
    }
    for release in releases {
        let mut one = ReleaseUsage::default();
        for (digest, held) in release {
            one.bytes = one.bytes.saturating_add(held.size);
            add(&mut one.by_kind, held);
            if holders[digest].1 == 1 {
                one.marginal = one.marginal.saturating_add(held.size);
            }
        }
        all.releases.push(one);
    }
    all
}

fn add(by_kind: &mut BTreeMap<&'static str, u64>, held: &Held) {
    let sum = by_kind.entry(held.kind.name()).or_default();
    *sum = sum.saturating_add(held.size);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(blobs: &[(&str, u64, Kind)]) -> BTreeMap<Digest, Held> {
        blobs
            .iter()
            .map(|(name, size, kind)| (Digest::of(name.as_bytes()), Held { size: *size, kind: *kind }))
            .collect()
    }

    #[test]
    fn shared_blobs_count_once_and_a_release_adds_what_only_it_has() {
        let private = Kind::Input(Class::Private);
        let one =
            release(&[("image one", 10, Kind::Image), ("toolchain", 100, private), ("signed one", 1, Kind::Evidence)]);
        let two = release(&[("image two", 20, Kind::Image), ("toolchain", 100, private)]);
        let three = release(&[("image two", 20, Kind::Image)]);
        let tool = release(&[("tool", 1000, Kind::Other)]);
        let all = usage(&[one, two, three], &tool);
        assert_eq!((all.bytes, all.blobs, all.shared, all.saved), (1131, 5, 120, 120));
        let kinds = [("evidence", 1), ("image", 30), ("other", 1000), ("private", 100)];
        assert_eq!(all.by_kind, BTreeMap::from(kinds));
        let marginal: Vec<_> = all.releases.iter().map(|release| (release.bytes, release.marginal)).collect();
        assert_eq!(marginal, [(111, 11), (120, 0), (20, 0)]);
        assert_eq!(all.releases[1].by_kind, BTreeMap::from([("image", 20), ("private", 100)]));
    }

    #[test]
    fn nothing_takes_nothing_and_sizes_of_strangers_do_not_overflow() {
        assert_eq!(usage(&[], &BTreeMap::new()), Usage::default());
        let huge = || release(&[("a", u64::MAX, Kind::Image), ("b", u64::MAX, Kind::Image)]);
        let all = usage(&[huge(), huge()], &BTreeMap::new());
        assert_eq!((all.bytes, all.saved, all.releases[0].marginal), (u64::MAX, u64::MAX, 0));
    }
}
