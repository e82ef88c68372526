//! Which file of a version is taken.

use std::collections::BTreeSet;

use selfsame_core::{Digest, Platform};
use selfsame_lock::Claim;
use selfsame_pins::marker::Target;
use selfsame_pins::pypi::{Formats, IndexFile, Pin};
use selfsame_pins::version::Version;
use selfsame_pins::wheel::{FileKind, FileName, Preference};
use selfsame_store::Store;

use super::index::{Index, told};
use crate::context::Context;
use crate::kinds::pinned::{self, PackagesError};

/// A file that was taken and is in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) file: String,
    pub(super) sha256: Digest,
    pub(super) size: u64,
    pub(super) claim: Claim,
}

/// How is chosen.
pub(super) struct Choice<'a> {
    pub(super) target: Target,
    pub(super) platform: &'a Platform,
    /// `--no-binary` and `--only-binary` of a requirements file.
    pub(super) formats: Option<[Formats; 2]>,
}

impl Choice<'_> {
    /// What was chosen for a pin before, if the store has it still.
    pub(super) fn recalled(&self, pin: &Pin, store: &Store) -> Result<Option<Chosen>, PackagesError> {
        let Some((sha256, size, file)) = pinned::recall(store, &self.key(pin))? else { return Ok(None) };
        // The note is trusted no further than the pin goes.
        if !pin.sha256.contains(&sha256) {
            return Ok(None);
        }
        Ok(Some(chosen(&pin.name, &pin.version, file, sha256, size, Claim::EcosystemLock)))
    }

    /// Whether a file of this name is one that may be taken here.
    pub(super) fn takes(&self, file: &str, name: &str) -> bool {
        let Some(parsed) = FileName::parse(file) else { return false };
        self.wants(&parsed, name) && Preference::of(&self.target).rank(&parsed).is_some()
    }

    /// Notes which file was taken for a pin.
    pub(super) fn note(&self, pin: &Pin, taken: (Digest, u64), file: &str, store: &Store) -> Result<(), PackagesError> {
        pinned::note(store, &self.key(pin), taken, file)
    }

    /// Whether the requirements file lets a file of this kind be taken.
    fn wants(&self, parsed: &FileName, name: &str) -> bool {
        let is_wheel = matches!(parsed.kind, FileKind::Wheel { .. });
        self.formats.as_ref().is_none_or(|[no_binary, only_binary]| {
            !(is_wheel && no_binary.contains(name) || !is_wheel && only_binary.contains(name))
        })
    }

    /// The best of a pin's files, from the index into the store.
    pub(super) fn pinned(&self, index: &Index, pin: &Pin, cx: &Context<'_>) -> Result<Chosen, PackagesError> {
        let package = format!("{}=={}", pin.name, pin.version);
        let (mut known, mut fitting) = (false, None);
        for url in index.urls() {
            let Some(page) = index.page(url, &pin.name)? else { continue };
            let offered = self.ranked(&page.files, &pin.name, &pin.version);
            known |= !offered.is_empty() || page.files.iter().any(|file| is_of(file, &pin.name, &pin.version));
            let is_pinned = |file: &&IndexFile| match file.sha256 {
                Some(sha256) => pin.sha256.contains(&sha256),
                // The index does not say: uv.lock may, and else the bytes will.
                None => pin.files.is_empty() || pin.files.iter().any(|pinned| pinned.name == file.name),
            };
            let Some(file) = offered.iter().copied().find(is_pinned) else {
                fitting = fitting.or_else(|| offered.first().map(|file| (*file).clone()));
                continue;
            };
            let named = pin.files.iter().find(|pinned| pinned.name == file.name);
            let size = file.size_bytes.or_else(|| named.and_then(|pinned| pinned.size_bytes));
            let sha256 = file.sha256.or_else(|| named.map(|pinned| pinned.sha256));
            self.tell_source_archive(&package, file, page.files.iter().filter(is_pinned), cx);
            let (found, size) = index.download(url, file, sha256.zip(size), cx)?;
            if sha256.is_some_and(|sha256| sha256 != found) || !pin.sha256.contains(&found) {
                return Err(mismatch(&package, pin, found, &file.url));
            }
            self.note(pin, (found, size), &file.name, cx.store)?;
            return Ok(chosen(&pin.name, &pin.version, file.name.clone(), found, size, Claim::EcosystemLock));
        }
        Err(match fitting {
            Some(IndexFile { sha256: Some(found), url, .. }) => mismatch(&package, pin, found, &url),
            _ if known => self.no_fit(package),
            _ => PackagesError::NotFound { package },
        })
    }

    /// The best file of a version that nothing pins yet. Of several indexes the first that has the project decides:
    /// otherwise a stranger could offer the same name elsewhere.
    pub(super) fn unpinned(
        &self,
        index: &Index,
        name: &str,
        version: &Version,
        cx: &Context<'_>,
    ) -> Result<Chosen, PackagesError> {
        let package = format!("{name}=={version}");
        for url in index.urls() {
            let Some(page) = index.page(url, name)? else { continue };
            let offered = self.ranked(&page.files, name, version);
            let Some(file) = offered.first().copied() else {
                let of_version = page.files.iter().any(|file| is_of(file, name, version));
                return Err(if of_version { self.no_fit(package) } else { PackagesError::NotFound { package } });
            };
            let of_version = page.files.iter().filter(|file| is_of(file, name, version));
            self.tell_source_archive(&package, file, of_version, cx);
            let (found, size) = index.download(url, file, file.sha256.zip(file.size_bytes), cx)?;
            if let Some(expected) = file.sha256.filter(|expected| *expected != found) {
                let (by, expected, found) = ("the index".to_owned(), expected.to_string(), found.to_string());
                return Err(PackagesError::Mismatch { package, by, expected, found, place: told(&file.url) });
            }
            let claim = match file.sha256 {
                Some(_) => Claim::IndexHash,
                None if file.url.starts_with("https://") => Claim::TlsOnly,
                None => Claim::Plaintext,
            };
            return Ok(chosen(name, version, file.name.clone(), found, size, claim));
        }
        Err(PackagesError::NotFound { package })
    }

    /// The files of a version that fit, the best first. A yanked one is taken where it is asked for by its version, and
    /// behind those that are not.
    fn ranked<'f>(&self, files: &'f [IndexFile], name: &str, version: &Version) -> Vec<&'f IndexFile> {
        let preference = Preference::of(&self.target);
        let mut ranked: Vec<_> = files
            .iter()
            .filter_map(|file| {
                let parsed = FileName::parse(&file.name)?;
                let wanted = self.wants(&parsed, name);
                let fits = file.requires_python.as_deref().is_none_or(|requires| self.target.fits_python(requires));
                let rank = preference.rank(&parsed)?;
                let found = parsed.name == name && parsed.version == *version && wanted && fits;
                found.then_some(((file.yanked, rank, &file.name), file))
            })
            .collect();
        ranked.sort_by(|one, other| one.0.cmp(&other.0));
        ranked.into_iter().map(|(_, file)| file).collect()
    }

    /// What a pin and a target decide together. Changing how is chosen changes this text.
    fn key(&self, pin: &Pin) -> Digest {
        let mut text = format!("selfsame-pypi-choice v1\n{:?}\n{:?}\n", self.target, self.formats);
        text.push_str(&format!("{}=={}\n", pin.name, pin.version));
        for sha256 in &pin.sha256 {
            text.push_str(&format!("{sha256}\n"));
        }
        Digest::of(text.as_bytes())
    }

    /// A source archive has to be built, which mostly surprises where there are wheels: then none of them fitted.
    fn tell_source_archive<'f>(
        &self,
        package: &str,
        chosen: &IndexFile,
        offered: impl Iterator<Item = &'f IndexFile>,
        cx: &Context<'_>,
    ) {
        let is_wheel = |file: &IndexFile| {
            FileName::parse(&file.name).is_some_and(|file| matches!(file.kind, FileKind::Wheel { .. }))
        };
        let wheels = offered.filter(|file| is_wheel(file)).count();
        if wheels > 0 && !is_wheel(chosen) {
            cx.progress.warn(&format!(
                "{package} is a source archive, `{}`: none of its wheels ({wheels}) is for {}",
                chosen.name,
                self.target_name()
            ));
        }
    }

    fn no_fit(&self, package: String) -> PackagesError {
        PackagesError::NoFit { package, target: self.target_name() }
    }

    fn target_name(&self) -> String {
        let python = match (self.target.python, self.target.micro) {
            (Some((major, minor)), Some(micro)) => format!("Python {major}.{minor}.{micro}"),
            (Some((major, minor)), None) => format!("Python {major}.{minor}"),
            (None, _) => "every Python 3".to_owned(),
        };
        format!("{python} on {}", self.platform)
    }
}

fn chosen(name: &str, version: &Version, file: String, sha256: Digest, size: u64, claim: Claim) -> Chosen {
    Chosen { name: name.to_owned(), version: version.to_string(), file, sha256, size, claim }
}

fn is_of(file: &IndexFile, name: &str, version: &Version) -> bool {
    FileName::parse(&file.name).is_some_and(|file| file.name == name && file.version == *version)
}

fn mismatch(package: &str, pin: &Pin, found: Digest, url: &str) -> PackagesError {
    let expected = match BTreeSet::len(&pin.sha256) {
        1 => pin.sha256.first().map(Digest::to_string).unwrap_or_default(),
        several => format!("one of {several} hashes"),
    };
    PackagesError::Mismatch {
        package: package.to_owned(),
        by: pin.place.clone(),
        expected,
        found: found.to_string(),
        place: told(url),
    }
}
