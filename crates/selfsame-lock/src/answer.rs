//! Whether a lock answers a definition: the same inputs, by the same names, with the digests that the author stated.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use selfsame_core::Digest;
use selfsame_definition::{Base, Definition, InputSpec, Name, SourceOrigin, Toolchain};

use crate::host::{HostLock, ToolchainKind};
use crate::lock::{InputKind, Lock, Locked};
use crate::purl::{Purl, PurlError};

/// An input that a definition asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// What it has to be.
    pub kind: InputKind,
    /// What is asked for, in one line.
    pub asked: String,
    /// How it is called, where the definition alone says so: an archive or crate that is the source. An archive's name
    /// comes from its file's, so that a change of mirror is no change of input.
    pub purl: Option<Purl>,
    /// What its one part has to be, if the author said.
    pub sha256: Option<Digest>,
}

impl Wanted {
    /// Whether `locked` is what is asked for.
    #[must_use]
    pub fn is(&self, locked: &Locked) -> bool {
        let stated = match (self.sha256, locked.parts.as_slice()) {
            (Some(sha256), [part]) => part.sha256 == sha256,
            (Some(_), _) => false,
            (None, _) => true,
        };
        let called = self.purl.as_ref().is_none_or(|purl| locked.parts.iter().all(|part| part.purl == *purl));
        stated && called && (self.kind, &self.asked) == (locked.kind, &locked.asked)
    }
}

/// One point in which a lock does not answer a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale {
    /// `source`, or `toolchain.rust`.
    pub what: String,
    /// What the definition asks for; nothing if it asks for no such thing.
    pub in_definition: Option<String>,
    /// What the lock holds; nothing if it has no such thing.
    pub in_lock: Option<String>,
}

impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, in_definition, in_lock } = self;
        match (in_definition, in_lock) {
            (Some(wanted), Some(locked)) => write!(f, "{what}: the definition has {wanted}, locked is {locked}"),
            (Some(wanted), None) => write!(f, "{what}: the definition has {wanted}, nothing is locked"),
            (None, Some(locked)) => write!(f, "{what}: locked is {locked}, the definition has nothing"),
            (None, None) => write!(f, "{what}"),
        }
    }
}

/// What a definition asks a lock for. Not a path source, which is bound when it is built, nor inputs that a file of the
/// source pins.
pub fn wanted(definition: &Definition) -> Result<BTreeMap<Name, Wanted>, PurlError> {
    let source = match &definition.source.origin {
        SourceOrigin::Path { .. } => None,
        SourceOrigin::Archive { location, sha256, .. } => {
            let (name, version) = name_and_version(location.file_name());
            let purl = Purl::generic(name, version)?;
            Some(Wanted { kind: InputKind::Archive, asked: purl.to_string(), purl: Some(purl), sha256: *sha256 })
        }
        SourceOrigin::Crate { name, version } => {
            let purl = Purl::cargo(name, version)?;
            Some(Wanted { kind: InputKind::Crate, asked: purl.to_string(), purl: Some(purl), sha256: None })
        }
    };
    let mut wanted: BTreeMap<Name, Wanted> = source.into_iter().map(|wanted| (source_name(), wanted)).collect();
    for (name, spec) in definition.all_inputs().filter(|(_, spec)| spec.pins().is_none()) {
        let mut asked = spec.asked();
        // A toolchain is for the machine that builds; everything else for what the image is for.
        let platforms = &definition.image.platforms;
        let is_base = definition.image.base == Base::Input(name.clone());
        if (is_base || !definition.toolchains.contains_key(name)) && !platforms.is_empty() {
            let mut platforms: Vec<String> = platforms.iter().map(ToString::to_string).collect();
            // Their order decides nothing about what is locked.
            platforms.sort_unstable();
            asked.push_str(&format!("; for {}", platforms.join(" ")));
        }
        let sha256 = match spec {
            InputSpec::File(file) => file.sha256,
            _ => None,
        };
        let kind = spec.kind().parse().expect("a kind of the definition is one of the lock");
        wanted.insert(name.clone(), Wanted { kind, asked, purl: None, sha256 });
    }
    Ok(wanted)
}

/// The input that a source of kind archive or crate is locked under.
pub(crate) fn source_name() -> Name {
    "source".parse().expect("`source` is a name")
}

/// Whether `lock` holds what `definition` asks for and nothing else; otherwise every point of difference.
pub fn answers(definition: &Definition, lock: &Lock) -> Result<(), Vec<Stale>> {
    let wanted = match wanted(definition) {
        Ok(wanted) => wanted,
        Err(error) => {
            let what = "source".to_owned();
            return Err(vec![Stale { what, in_definition: Some(error.to_string()), in_lock: None }]);
        }
    };
    let mut stale = Vec::new();
    let names: BTreeSet<&Name> = wanted.keys().chain(lock.inputs.keys()).collect();
    for name in names {
        let in_definition = wanted.get(name);
        let in_lock = lock.inputs.get(name);
        if let (Some(wanted), Some(locked)) = (in_definition, in_lock)
            && wanted.is(locked)
        {
            continue;
        }
        stale.push(Stale {
            what: name.to_string(),
            in_definition: in_definition.map(|wanted| described(wanted.kind, &wanted.asked, wanted.sha256)),
            in_lock: in_lock.map(|locked| {
                let stated = in_definition.and_then(|wanted| wanted.sha256);
                let found = locked.parts.first().map(|part| part.sha256).filter(|_| stated.is_some());
                described(locked.kind, &locked.asked, found)
            }),
        });
    }
    if stale.is_empty() { Ok(()) } else { Err(stale) }
}

fn described(kind: InputKind, asked: &str, sha256: Option<Digest>) -> String {
    let digest = sha256.map(|sha256| format!(" {sha256}")).unwrap_or_default();
    format!("{} {asked}{digest}", kind.name())
}

/// Whether every toolchain of `definition` was taken as the definition says. More toolchains than that are no fault:
/// one host lock serves a machine, not a release.
pub fn host_answers(definition: &Definition, lock: &HostLock) -> Result<(), Vec<Stale>> {
    let mut stale = Vec::new();
    for (name, toolchain) in &definition.toolchains {
        let locked = lock.toolchains.get(name);
        let wanted = match toolchain {
            Toolchain::Input(_) => continue,
            Toolchain::Host { root } => captured(root.as_deref()),
            Toolchain::Rustup { channel, components } => {
                let mut components: Vec<&str> = components.iter().map(String::as_str).collect();
                components.sort_unstable();
                format!("rustup {channel} with {}", components.join(", "))
            }
        };
        let found = locked.map(|locked| match (locked.kind, &locked.channel) {
            (ToolchainKind::Rustup, Some(channel)) => {
                let mut components: Vec<&str> = locked.components.iter().map(|part| part.name.as_str()).collect();
                components.sort_unstable();
                format!("rustup {channel} with {}", components.join(", "))
            }
            (ToolchainKind::Rustup, None) => locked.kind.name().to_owned(),
            (ToolchainKind::Captured, _) => captured(locked.root.as_deref()),
        });
        if found.as_ref() != Some(&wanted) {
            stale.push(Stale { what: format!("toolchain.{name}"), in_definition: Some(wanted), in_lock: found });
        }
    }
    if stale.is_empty() { Ok(()) } else { Err(stale) }
}

fn captured(root: Option<&str>) -> String {
    let name = ToolchainKind::Captured.name();
    root.map_or_else(|| name.to_owned(), |root| format!("{name} with `{root}`"))
}

/// `lua-5.4.7.tar.gz` is `lua` and `5.4.7`; what has no such form is a name without a version.
fn name_and_version(file_name: &str) -> (&str, Option<&str>) {
    const ENDINGS: [&str; 8] = [".tar.gz", ".tgz", ".tar", ".crate", ".tar.xz", ".tar.zst", ".tar.bz2", ".zip"];
    let stem = ENDINGS.iter().find_map(|ending| file_name.strip_suffix(ending)).unwrap_or(file_name);
    let stem = if stem.is_empty() { file_name } else { stem };
    let digit = |rest: &str| rest.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit());
    let split = stem.match_indices('-').find(|(at, _)| *at > 0 && digit(&stem[at + 1..]));
    match split {
        Some((at, _)) => (&stem[..at], Some(&stem[at + 1..])),
        None => (stem, None),
    }
}
