//! What the caller wants to know, and how thoroughly.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use selfsame_core::{Day, suggest};
use selfsame_policy::Ruler;

/// How much of a release is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// Manifests and signed documents.
    Evidence,
    /// That, and every blob's digest and size.
    Blobs,
    /// That, and what is in the layers.
    Content,
}

impl Depth {
    /// All of them, shallow to deep.
    pub const ALL: [Self; 3] = [Self::Evidence, Self::Blobs, Self::Content];

    /// `evidence`, `blobs` or `content`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Evidence => "evidence",
            Self::Blobs => "blobs",
            Self::Content => "content",
        }
    }
}

/// How to verify. There is no default: each caller shows what it chose.
#[derive(Clone, Debug)]
pub struct Options {
    /// How thoroughly.
    pub depth: Depth,
    /// What the release must say of itself.
    pub expect: Expectations,
    /// How many blobs are read at once. The verdict does not depend on it.
    pub threads: NonZeroUsize,
    /// The policies that all have to allow it: [`selfsame_policy::built_in`] where nobody gave one.
    pub policy: Arc<dyn Ruler>,
    /// The day for which it is asked, as policies see it.
    pub day: Option<Day>,
    /// Whether the verdict keeps all facts, also those that no policy reads.
    pub keep_facts: bool,
    /// The most bytes that the layers of an image may unpack to together: where a bomb stops.
    pub content_bytes: u64,
}

impl Options {
    /// What a caller who was told nothing else lets the layers unpack to: 64 GiB.
    pub const CONTENT_BYTES: u64 = 64 << 30;

    /// These, by the built-in policy and for no day.
    #[must_use]
    pub fn new(depth: Depth, expect: Expectations, threads: NonZeroUsize) -> Self {
        Self {
            depth,
            expect,
            threads,
            policy: selfsame_policy::built_in(),
            day: None,
            keep_facts: false,
            content_bytes: Self::CONTENT_BYTES,
        }
    }
}

/// Values that the signed provenance must have, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expectations(BTreeMap<&'static str, String>);

impl Expectations {
    /// The names that can be expected, each with what it is compared to.
    pub const NAMES: [(&'static str, &'static str); 13] = [
        ("name", "externalParameters.name"),
        ("version", "externalParameters.version"),
        ("platform", "externalParameters.platform"),
        ("level", "externalParameters.level"),
        ("source", "externalParameters.source.uri"),
        ("source-digest", "a digest in externalParameters.source.digest"),
        ("commit", "the source's commit: gitCommit in externalParameters.source.digest or of that input"),
        ("builder", "runDetails.builder.id"),
        ("build-type", "buildDefinition.buildType"),
        ("image", "the digest of the image, `sha256:` included"),
        ("release", "the release id, `sha256:` included"),
        ("checked", "the inventory's `checked`: true or false"),
        ("relaxations", "the names of the accepted relaxations, sorted, with commas between them"),
    ];

    /// Parses `NAME=VALUE` texts.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, ExpectError> {
        let mut expectations = BTreeMap::new();
        for text in texts {
            let (name, value) = text.split_once('=').ok_or_else(|| ExpectError::NoEquals { text: clip(text) })?;
            let names = || Self::NAMES.into_iter().map(|(name, _)| name);
            let known = names()
                .find(|known| *known == name)
                .ok_or_else(|| ExpectError::Unknown { name: clip(name), nearest: suggest::nearest(name, names()) })?;
            if expectations.insert(known, value.to_owned()).is_some() {
                return Err(ExpectError::Twice { name: known });
            }
        }
        Ok(Self(expectations))
    }

    /// What is expected under this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// What is expected of a release for several platforms or of one of its parts, and what of each part.
    pub(crate) fn of_joined(&self) -> (Vec<(&'static str, &str)>, Self) {
        let (whole, each): (Vec<_>, Vec<_>) =
            self.iter().partition(|(name, _)| matches!(*name, "image" | "platform" | "release"));
        (whole, Self(each.into_iter().map(|(name, value)| (name, value.to_owned())).collect()))
    }

    /// Names and values, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(name, value)| (*name, value.as_str()))
    }
}

/// Why a text is not an expectation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExpectError {
    /// No `=` in it.
    #[error("expectation `{text}` is not of the form NAME=VALUE")]
    NoEquals {
        /// The text.
        text: String,
    },
    /// A name that nothing can be expected under.
    #[error("nothing can be expected under the name `{name}`")]
    Unknown {
        /// The name.
        name: String,
        /// The name that was probably meant.
        nearest: Option<&'static str>,
    },
    /// One name with two values.
    #[error("`{name}` is expected twice")]
    Twice {
        /// The name.
        name: &'static str,
    },
}

fn clip(text: &str) -> String {
    text.chars().take(80).flat_map(char::escape_default).collect()
}
