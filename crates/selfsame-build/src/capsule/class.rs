//! Whose the parts of a capsule are: what may be given away, and what everybody can have from elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use selfsame_core::{Digest, media};
use selfsame_definition::{Definition, Name};
use selfsame_lock::{Claim, Lock};

use super::{Holds, Part};
use crate::provenance::SOURCE_ARCHIVE;
use crate::request::Request;

/// Whose a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Anybody can have it from where the author had it, and check it.
    Public,
    /// What only the author has: the definition, locks, the source, the lists of what was used.
    OwnSource,
    /// Everything else: the files of captured toolchains, what came from a folder, a URL or a repository, crates of a
    /// registry of one's own.
    Private,
}

impl Class {
    /// All of them, the freest first.
    pub const ALL: [Self; 3] = [Self::Public, Self::OwnSource, Self::Private];

    /// `public`, `own-source` or `private`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::OwnSource => "own-source",
            Self::Private => "private",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no class.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is none of own-source, private, public", text.escape_debug())]
pub struct ClassError {
    text: String,
}

impl FromStr for Class {
    type Err = ClassError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|class| class.name() == text);
        found.ok_or_else(|| ClassError { text: text.chars().take(80).collect() })
    }
}

/// The types of package URL that name content of a public index.
const PUBLIC_TYPES: [&str; 6] = ["deb", "cargo", "pypi", "npm", "golang", "oci"];

/// What decides the classes of one release's parts.
pub struct Classes<'a> {
    request: &'a Request,
    definition: &'a Definition,
    /// Of each content of an input, whether everybody can ask for it again.
    public: BTreeMap<(&'a str, Digest), bool>,
}

impl<'a> Classes<'a> {
    /// By the definition and the lock that the release names.
    #[must_use]
    pub fn new(request: &'a Request, definition: &'a Definition, lock: Option<&'a Lock>) -> Self {
        let mut public = BTreeMap::new();
        let parts = || lock.iter().flat_map(|lock| lock.parts());
        // A manifest is vouched for by whoever named it, and had from where its layers are.
        let images: BTreeSet<(&Name, &str)> = parts()
            .filter(|(_, part)| part.claim == Claim::ManifestDigest)
            .map(|(name, part)| (name, part.purl.as_str()))
            .collect();
        for (name, part) in parts() {
            let goes_with_layers = matches!(part.claim, Claim::Definition | Claim::TlsOnly)
                && part.role.as_deref() == Some("manifest")
                && images.contains(&(name, part.purl.as_str()));
            // Of two claims for one content the weaker counts.
            *public.entry((name.as_str(), part.sha256)).or_insert(true) &= is_public(part.claim) || goes_with_layers;
        }
        Self { request, definition, public }
    }

    /// Whose this part is.
    #[must_use]
    pub fn of(&self, part: &Part) -> Class {
        match part.holds {
            Holds::List => Class::OwnSource,
            Holds::Files if part.digest == self.request.source.tree => Class::OwnSource,
            Holds::Files => Class::Private,
            Holds::Blob if part.media_type != media::INPUT => Class::OwnSource,
            Holds::Blob => {
                let of_package = part.uri.strip_prefix("pkg:").and_then(|rest| rest.split('/').next());
                let public = of_package.is_some_and(|of| PUBLIC_TYPES.contains(&of)) && self.is_vouched(part);
                if public { Class::Public } else { Class::Private }
            }
        }
    }

    /// Whether somebody vouched for it whom everybody can ask; not where the author keeps it, or the lock does not have it.
    fn is_vouched(&self, part: &Part) -> bool {
        let Some(input) = part.input.as_deref() else {
            if self.request.crates.iter().any(|krate| krate.is_private && krate.sha256 == part.digest) {
                return false;
            }
            // Of what is no input's, the source's archive is locked, and Cargo.lock pins the rest.
            return part.name != SOURCE_ARCHIVE || self.is_public("source", part);
        };
        let kept = self.definition.private.iter().any(|name| name.as_str() == input);
        let pinned = self.definition.input(input).is_some_and(|spec| spec.pins().is_some());
        !kept && (pinned || self.is_public(input, part))
    }

    fn is_public(&self, input: &str, part: &Part) -> bool {
        self.public.get(&(input, part.digest)).copied().unwrap_or(false)
    }

    /// The licence of what the author wrote.
    #[must_use]
    pub fn own_license(&self, part: &Part) -> Option<&'a str> {
        let is_source = part.digest == self.request.source.tree && part.holds == Holds::Files;
        let is_definition = part.media_type == media::DEFINITION;
        self.definition.license.as_deref().filter(|_| is_source || is_definition)
    }
}

/// Whether the claim is one that everybody can ask for again.
const fn is_public(claim: Claim) -> bool {
    match claim {
        Claim::EcosystemLock
        | Claim::SignedRelease
        | Claim::RegistryChecksum
        | Claim::IndexHash
        | Claim::ManifestDigest => true,
        Claim::Definition | Claim::GitCommit | Claim::TlsOnly | Claim::Plaintext | Claim::LocalFile => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use selfsame_core::{Level, Platform, Profile, SourceEpoch};

    use super::super::{Extent, parts};
    use super::*;
    use crate::request::{CrateInput, InputPart, InputSet, Origin, Source, ToolchainInput, ToolchainKind};

    const DEFINITION: &str = r#"
name = "app"
version = "1.0.0"
license = "MIT"
[toolchain.cc]
host = true
[toolchain.gcc]
deb = ["gcc"]
[input.wheels]
pypi = "requirements.txt"
[input.kept]
private = true
npm = "package-lock.json"
[input.data]
file = "https://example.com/data"
[input.base]
oci = "debian:12"
[input.layout]
oci = "oci:base"
[input.repo]
git = "https://example.com/repo"
tag = "v1"
[image]
[[image.file]]
from = "source:a"
to = "/a"
"#;

    fn digest(text: &str) -> Digest {
        Digest::of(text.as_bytes())
    }

    fn set(kind: &str, purls: &[&str]) -> InputSet {
        let part =
            |purl: &&str| InputPart { purl: (*purl).to_owned(), sha256: digest(purl), role: None, platform: None };
        InputSet {
            kind: kind.to_owned(),
            tree: digest(kind),
            configured: None,
            parts: purls.iter().map(part).collect(),
        }
    }

    fn request() -> Request {
        Request {
            name: "app".to_owned(),
            version: "1.0.0".to_owned(),
            definition: digest("definition"),
            lock: Some(digest("lock")),
            host_lock: Some(digest("host lock")),
            source: Source { tree: digest("source"), origin: Origin::Path { commit: None, dirty: false } },
            toolchains: BTreeMap::from([(
                "cc".to_owned(),
                ToolchainInput { tree: digest("cc"), kind: ToolchainKind::Captured },
            )]),
            inputs: BTreeMap::from([
                ("gcc".to_owned(), set("deb", &["pkg:deb/debian/gcc@12?arch=amd64", "pkg:deb/debian/odd@1?arch=all"])),
                ("wheels".to_owned(), set("pypi", &["pkg:pypi/flask@3.1.3", "pkg:generic/wheel@1"])),
                ("kept".to_owned(), set("npm", &["pkg:npm/secret@1.0.0"])),
                ("data".to_owned(), set("file", &["pkg:generic/data"])),
                ("base".to_owned(), set("oci", &["pkg:oci/debian@sha256:ab", "pkg:oci/debian@sha256:cd"])),
                ("layout".to_owned(), set("oci-layout", &["pkg:oci/local@sha256:ef"])),
                ("repo".to_owned(), set("git", &["pkg:generic/repo@v1"])),
            ]),
            crates: vec![
                CrateInput {
                    name: "memchr".to_owned(),
                    version: "2.7.4".to_owned(),
                    sha256: digest("memchr"),
                    is_private: false,
                },
                CrateInput {
                    name: "own".to_owned(),
                    version: "1.0.0".to_owned(),
                    sha256: digest("own"),
                    is_private: true,
                },
            ],
            epoch: SourceEpoch::new(7).expect("a second"),
            profile: Profile::CURRENT,
            level: Level::Normalized,
            platform: Platform::native(),
            platforms: Vec::new(),
            build_platform: Platform::native(),
            relaxations: BTreeMap::new(),
            builder_id: "https://example.com/builder".to_owned(),
        }
    }

    fn lock() -> Lock {
        let input = |name: &str, kind: &str, parts: &[(&str, &str)]| {
            let lines: Vec<String> = parts
                .iter()
                .map(|(purl, claim)| {
                    let hex = digest(purl).hex();
                    format!("{{ purl = \"{purl}\", sha256 = \"{hex}\", size = 1, claim = \"{claim}\" }},")
                })
                .collect();
            let lines = lines.join("\n");
            format!(
                "[[input]]\nname = \"{name}\"\nkind = \"{kind}\"\nasked = \"x\"\nas_of = \"2026-11-20\"\nparts = [\n{lines}\n]\n"
            )
        };
        let text = [
            "version = 1\nprofile = 1\n".to_owned(),
            input("data", "file", &[("pkg:generic/data", "definition")]),
            input(
                "gcc",
                "deb",
                &[
                    ("pkg:deb/debian/gcc@12?arch=amd64", "signed-release"),
                    ("pkg:deb/debian/odd@1?arch=all", "plaintext"),
                ],
            ),
            input("layout", "oci", &[("pkg:oci/local@sha256:ef", "local-file")]),
            input("repo", "git", &[("pkg:generic/repo@v1", "git-commit")]),
        ];
        let line = |sha256: &str, claim: &str, role: &str| {
            let hex = digest(sha256).hex();
            format!(
                "{{ purl = \"pkg:oci/debian@sha256:ab\", sha256 = \"{hex}\", size = 1, claim = \"{claim}\", role = \"{role}\" }},"
            )
        };
        // The manifest was named by a tag, its layers by the manifest.
        let mut lines = [
            line("pkg:oci/debian@sha256:ab", "tls-only", "manifest"),
            line("pkg:oci/debian@sha256:cd", "manifest-digest", "layer"),
        ];
        lines.sort();
        let base = format!(
            "[[input]]\nname = \"base\"\nkind = \"oci\"\nasked = \"x\"\nas_of = \"2026-11-20\"\nparts = [\n{}\n]\n",
            lines.join("\n")
        );
        Lock::parse(&(text.concat() + &base)).expect("a lock")
    }

    /// Each part of a full capsule with its class, as lines.
    fn classes(lock: Option<&Lock>) -> Vec<String> {
        let (request, definition) = (request(), Definition::parse(DEFINITION).expect("a definition"));
        let classes = Classes::new(&request, &definition, lock);
        parts(&request, Extent::Full).iter().map(|part| format!("{} {}", classes.of(part), part.name)).collect()
    }

    #[test]
    fn every_part_has_a_class() {
        insta::assert_snapshot!(classes(Some(&lock())).join("\n"), @r"
        own-source selfsame.toml
        own-source selfsame.lock
        own-source selfsame.host.lock
        own-source source.tree
        own-source source.tar.gz
        own-source toolchain cc.tree
        private toolchain cc.tar.gz
        own-source input base.tree
        public debian@sha256:ab
        public debian@sha256:cd
        own-source input data.tree
        private data
        own-source input gcc.tree
        public gcc@12
        private odd@1
        own-source input kept.tree
        private secret@1.0.0
        own-source input layout.tree
        private local@sha256:ef
        own-source input repo.tree
        private repo@v1
        own-source input wheels.tree
        public flask@3.1.3
        private wheel@1
        public memchr-2.7.4.crate
        private own-1.0.0.crate
        ");
    }

    #[test]
    fn what_no_lock_vouches_for_is_private() {
        let all = classes(None);
        assert!(all.contains(&"private gcc@12".to_owned()), "{all:?}");
        assert!(all.contains(&"public flask@3.1.3".to_owned()), "{all:?}");
    }

    #[test]
    fn classes_by_name() {
        for class in Class::ALL {
            assert_eq!(class.name().parse(), Ok(class));
        }
        assert!("publik".parse::<Class>().is_err());
    }
}
