//! Parts side by side: which became which.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::Change;
use crate::lock::Part;

/// A part that was added, removed, or became another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartDiff {
    /// As it was.
    before: Option<Part>,
    /// As it is.
    after: Option<Part>,
}

/// What a part is called apart from its version: two parts of one title are the same thing at different times.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartTitle {
    /// `pkg:deb/debian/gcc`: the package URL up to its version.
    name: String,
    /// `amd64`, by the package URL.
    arch: String,
    role: String,
    platform: String,
}

impl PartTitle {
    /// Of a part.
    #[must_use]
    pub fn of(part: &Part) -> Self {
        let (name, _, qualifiers) = split(part.purl.as_str());
        let arch = qualifiers.split('&').find_map(|pair| pair.strip_prefix("arch=")).unwrap_or_default().to_owned();
        let platform = part.platform.as_ref().map(ToString::to_string).unwrap_or_default();
        Self { name: name.to_owned(), arch, role: part.role.clone().unwrap_or_default(), platform }
    }
}

impl PartTitle {
    /// The same for people, who see the input's kind beside it: `gcc amd64`, `busybox layer linux/amd64`.
    #[must_use]
    pub fn plain(&self) -> String {
        let path = self.name.strip_prefix("pkg:").and_then(|rest| rest.split_once('/'));
        let name = match path {
            Some(("npm" | "golang", name)) => decoded(name),
            Some((_, path)) => decoded(path.rsplit('/').next().unwrap_or(path)),
            None => self.name.clone(),
        };
        let arch = if self.platform.is_empty() { self.arch.as_str() } else { "" };
        let more = [arch, &self.role, &self.platform];
        more.into_iter().filter(|more| !more.is_empty()).fold(name, |text, more| format!("{text} {more}"))
    }
}

impl fmt::Display for PartTitle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for more in [&self.arch, &self.role, &self.platform].into_iter().filter(|more| !more.is_empty()) {
            write!(f, " {more}")?;
        }
        Ok(())
    }
}

/// Name, version and qualifiers of a canonical package URL (purl specification, "Rules for each purl component"): `@`
/// and `?` in a name or version are percent-encoded.
fn split(purl: &str) -> (&str, &str, &str) {
    let purl = purl.split('#').next().unwrap_or_default();
    let (path, qualifiers) = purl.split_once('?').unwrap_or((purl, ""));
    let (name, version) = path.rsplit_once('@').unwrap_or((path, ""));
    (name, version, qualifiers)
}

/// `4%3A12.2.0-3` is `4:12.2.0-3`; what is no UTF-8 stays as it is.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        rest = match (first, tail) {
            (b'%', [high, low, tail @ ..]) if hex(*high).is_some() && hex(*low).is_some() => {
                bytes.push(hex(*high).unwrap_or(0) << 4 | hex(*low).unwrap_or(0));
                tail
            }
            _ => {
                bytes.push(*first);
                tail
            }
        };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

impl PartDiff {
    /// As it was; nothing for a new one.
    #[must_use]
    pub const fn before(&self) -> Option<&Part> {
        self.before.as_ref()
    }

    /// As it is; nothing for one that is gone.
    #[must_use]
    pub const fn after(&self) -> Option<&Part> {
        self.after.as_ref()
    }

    /// What happened to it.
    #[must_use]
    pub const fn change(&self) -> Change {
        match (&self.before, &self.after) {
            (None, _) => Change::Added,
            (_, None) => Change::Removed,
            (Some(_), Some(_)) => Change::Changed,
        }
    }

    /// What it is called.
    #[must_use]
    pub fn title(&self) -> PartTitle {
        let part = self.after.as_ref().or(self.before.as_ref());
        part.map_or_else(
            || PartTitle { name: String::new(), arch: String::new(), role: String::new(), platform: String::new() },
            PartTitle::of,
        )
    }

    /// The versions before and after, as people write them; empty where a package URL has none.
    #[must_use]
    pub fn versions(&self) -> (Option<String>, Option<String>) {
        let of = |part: &Option<Part>| part.as_ref().map(|part| decoded(split(part.purl.as_str()).1));
        (of(&self.before), of(&self.after))
    }

    /// Whether a name, with its version where it has one, has other content now: what an honest publisher does not do.
    /// Parts with a role have no name of their own.
    #[must_use]
    pub fn is_republished(&self) -> bool {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => {
                after.role.is_none() && before.purl == after.purl && before.sha256 != after.sha256
            }
            _ => false,
        }
    }

    /// Whether a weaker word stands for it than before.
    #[must_use]
    pub fn is_vouched_less(&self) -> bool {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => after.claim.weakness() > before.claim.weakness(),
            _ => false,
        }
    }

    /// Whether it is here, and nobody vouched for it.
    #[must_use]
    pub fn is_unvouched(&self) -> bool {
        self.after.as_ref().is_some_and(|part| part.claim.is_unvouched())
    }
}

/// The parts that are different, by title, and how many are the same.
///
/// Of one title, the one that was removed became the one that was added. Where there are more of either, nothing says
/// which became which: layers of an image, for one.
pub(super) fn between(before: Vec<Part>, after: Vec<Part>) -> (Vec<PartDiff>, usize) {
    let known: BTreeSet<&Part> = before.iter().collect();
    let here: BTreeSet<&Part> = after.iter().collect();
    let same = known.intersection(&here).count();
    let mut by_title: BTreeMap<PartTitle, (Vec<&Part>, Vec<&Part>)> = BTreeMap::new();
    for part in known.difference(&here) {
        by_title.entry(PartTitle::of(part)).or_default().0.push(part);
    }
    for part in here.difference(&known) {
        by_title.entry(PartTitle::of(part)).or_default().1.push(part);
    }
    let mut parts = Vec::new();
    for (gone, new) in by_title.into_values() {
        if let ([gone], [new]) = (gone.as_slice(), new.as_slice()) {
            parts.push(PartDiff { before: Some((*gone).clone()), after: Some((*new).clone()) });
            continue;
        }
        let removed = gone.into_iter().map(|part| PartDiff { before: Some(part.clone()), after: None });
        let added = new.into_iter().map(|part| PartDiff { before: None, after: Some(part.clone()) });
        parts.extend(removed.chain(added));
    }
    (parts, same)
}
