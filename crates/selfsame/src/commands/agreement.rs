//! Whether what a provenance claims is what its own definition, locks and source say. A signature makes a claim
//! somebody's; only this makes a rebuild prove it, since evidence repeats the claims and never looks at the files.

use std::fmt::Display;

use selfsame_build::request::{CrateInput, Origin, Request};
use selfsame_core::Platform;
use selfsame_definition::{Definition, Epoch, Name, SourceOrigin};
use selfsame_lock::{HostLock, Lock, answers};

use crate::prepare::{asked_together, host_toolchains, toolchain_input};
use crate::report::{Exit, Report};

/// A claim that the inputs do not bear out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Contradiction {
    /// `version`, `source`, `toolchain cc`, `crate serde 1.0.228`.
    pub(super) what: String,
    /// By the provenance.
    pub(super) claimed: String,
    /// By definition, lock or source.
    pub(super) bound: String,
}

impl From<Contradiction> for Box<Report> {
    fn from(Contradiction { what, claimed, bound }: Contradiction) -> Self {
        Report::new(Exit::No, format!("the provenance claims another {what} than its own inputs say"))
            .fact("claimed", claimed)
            .fact("inputs", bound)
            .consequence("Nothing was built: a rebuild could only repeat the claim.")
            .into()
    }
}

fn same(what: &str, claimed: impl Display, bound: impl Display) -> Result<(), Contradiction> {
    let (claimed, bound) = (claimed.to_string(), bound.to_string());
    if claimed == bound { Ok(()) } else { Err(Contradiction { what: what.to_owned(), claimed, bound }) }
}

/// Holds the request against the definition and the locks that it names.
pub(super) fn of_request(
    request: &Request,
    definition: &Definition,
    lock: Option<&Lock>,
    host_lock: Option<&HostLock>,
) -> Result<(), Contradiction> {
    same("name", &request.name, &definition.name)?;
    same("version", &request.version, &definition.version)?;
    if let Epoch::At(epoch) = definition.source.epoch {
        same("epoch", request.epoch.seconds(), epoch.seconds())?;
    }
    let names = |platforms: &[Platform]| platforms.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    same("platforms", names(&request.platforms), names(&asked_together(definition)))?;
    let stated = &definition.image.platforms;
    if !stated.is_empty() && !stated.contains(&request.platform) {
        same("platform", &request.platform, names(stated))?;
    }
    source(request, definition, lock)?;
    toolchains(request, definition, host_lock)
}

fn source(request: &Request, definition: &Definition, lock: Option<&Lock>) -> Result<(), Contradiction> {
    let empty = Lock::empty(request.profile);
    let lock = lock.unwrap_or(&empty);
    if let Err(stale) = answers(definition, lock) {
        let points: Vec<String> = stale.iter().map(ToString::to_string).collect();
        return same("selfsame.lock", "answers the definition", points.join("; "));
    }
    let part = lock.inputs.get("source").and_then(|input| input.parts.first());
    let bound = match (&definition.source.origin, part) {
        (SourceOrigin::Path { .. }, _) | (_, None) => "a folder".to_owned(),
        (_, Some(part)) => format!("{} {}", part.purl, part.sha256),
    };
    let claimed = match &request.source.origin {
        Origin::Path { .. } => "a folder".to_owned(),
        Origin::Locked { purl, sha256 } => format!("{purl} {sha256}"),
    };
    same("source", claimed, bound)
}

fn toolchains(request: &Request, definition: &Definition, lock: Option<&HostLock>) -> Result<(), Contradiction> {
    let claimed: Vec<&str> = request.toolchains.keys().map(String::as_str).collect();
    let bound: Vec<&str> = host_toolchains(definition).map(Name::as_str).collect();
    same("toolchains", claimed.join(", "), bound.join(", "))?;
    let claimed: Vec<&str> = request.inputs.keys().map(String::as_str).collect();
    let mut bound: Vec<&str> = definition.all_inputs().map(|(name, _)| name.as_str()).collect();
    bound.sort_unstable();
    same("inputs", claimed.join(", "), bound.join(", "))?;
    for name in host_toolchains(definition) {
        let claimed = &request.toolchains[name.as_str()];
        match lock.and_then(|lock| lock.toolchains.get(name)) {
            Some(locked) if toolchain_input(locked) == *claimed => {}
            Some(locked) => {
                let bound = format!("{} in {}, or other components", locked.tree, HostLock::FILE_NAME);
                return same(&format!("toolchain {name}"), claimed.tree, bound);
            }
            None => {
                let bound = format!("nothing in {}", HostLock::FILE_NAME);
                return same(&format!("toolchain {name}"), claimed.tree, bound);
            }
        }
    }
    Ok(())
}

/// Holds the crates of a request against those that the source's Cargo.lock pins.
pub(super) fn of_crates(request: &Request, pinned: &[CrateInput]) -> Result<(), Contradiction> {
    let text = |krate: Option<&CrateInput>| {
        krate.map_or_else(|| "nothing".to_owned(), |krate| format!("{} {} {}", krate.name, krate.version, krate.sha256))
    };
    let mut claimed = request.crates.clone();
    claimed.sort();
    let count = claimed.len().max(pinned.len());
    (0..count).try_for_each(|at| same("a crate of Cargo.lock", text(claimed.get(at)), text(pinned.get(at))))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use selfsame_build::request::{Source, ToolchainInput, ToolchainKind};
    use selfsame_core::{Digest, Level, Platform, Profile, SourceEpoch};

    use super::*;

    const DEFINITION: &str = "name = \"app\"\nversion = \"1.0.0\"\n[source]\ncrate = \"app@1.0.0\"\nepoch = 7\n\
                              [toolchain.cc]\nhost = true\n[[image.file]]\nfrom = \"source:a\"\nto = \"/a\"\n";

    fn lock(archive: &Digest) -> Lock {
        let text = format!(
            "version = 1\nprofile = 1\n[[input]]\nname = \"source\"\nkind = \"crate\"\nasked = \"pkg:cargo/app@1.0.0\"\n\
             as_of = \"2026-01-01\"\nparts = [{{ purl = \"pkg:cargo/app@1.0.0\", sha256 = \"{}\", size = 1, \
             claim = \"registry-checksum\" }}]\n",
            archive.hex()
        );
        Lock::parse(&text).unwrap()
    }

    fn host_lock(tree: &Digest) -> HostLock {
        let text = format!(
            "version = 1\n[[toolchain]]\nname = \"cc\"\nkind = \"captured\"\ntree = \"{tree}\"\nentries = 1\nsize = 1\n\
             platform = \"linux/amd64\"\n"
        );
        HostLock::parse(&text).unwrap()
    }

    fn request() -> Request {
        let digest = Digest::of(b"app.crate");
        Request {
            name: "app".to_owned(),
            version: "1.0.0".to_owned(),
            definition: Digest::of(DEFINITION.as_bytes()),
            lock: None,
            host_lock: None,
            source: Source {
                tree: Digest::of(b"tree"),
                origin: Origin::Locked { purl: "pkg:cargo/app@1.0.0".to_owned(), sha256: digest },
            },
            toolchains: BTreeMap::from([(
                "cc".to_owned(),
                ToolchainInput { tree: Digest::of(b"cc"), kind: ToolchainKind::Captured },
            )]),
            inputs: BTreeMap::new(),
            crates: Vec::new(),
            epoch: SourceEpoch::new(7).unwrap(),
            profile: Profile::CURRENT,
            level: Level::Normalized,
            platform: Platform::native(),
            platforms: Vec::new(),
            build_platform: Platform::native(),
            relaxations: BTreeMap::new(),
            builder_id: "https://example.com/builder".to_owned(),
        }
    }

    #[track_caller]
    fn contradicted(request: &Request, what: &str) {
        let definition = Definition::parse(DEFINITION).unwrap();
        let (lock, host) = (lock(&Digest::of(b"app.crate")), host_lock(&Digest::of(b"cc")));
        let found = of_request(request, &definition, Some(&lock), Some(&host)).expect_err(what);
        assert_eq!(found.what, what);
    }

    #[test]
    fn a_provenance_that_repeats_its_inputs_agrees() {
        let definition = Definition::parse(DEFINITION).unwrap();
        let (lock, host) = (lock(&Digest::of(b"app.crate")), host_lock(&Digest::of(b"cc")));
        assert_eq!(of_request(&request(), &definition, Some(&lock), Some(&host)), Ok(()));
        assert_eq!(of_request(&request(), &definition, None, Some(&host)).unwrap_err().what, "selfsame.lock");
        assert_eq!(of_request(&request(), &definition, Some(&lock), None).unwrap_err().what, "toolchain cc");
    }

    #[test]
    fn claims_beside_the_inputs_are_found() {
        contradicted(&Request { name: "nginx".to_owned(), ..request() }, "name");
        contradicted(&Request { version: "2.0.0".to_owned(), ..request() }, "version");
        contradicted(&Request { epoch: SourceEpoch::new(8).unwrap(), ..request() }, "epoch");
        let mut other = request();
        other.source.origin =
            Origin::Locked { purl: "pkg:cargo/app@1.0.0".to_owned(), sha256: Digest::of(b"evil.crate") };
        contradicted(&other, "source");
        other.source.origin = Origin::Path { commit: None, dirty: false };
        contradicted(&other, "source");
        let mut other = request();
        other.toolchains.get_mut("cc").unwrap().tree = Digest::of(b"trojan");
        contradicted(&other, "toolchain cc");
        other.toolchains.clear();
        contradicted(&other, "toolchains");
    }

    #[test]
    fn crates_that_the_source_does_not_pin_are_found() {
        let krate = |name: &str, content: &[u8]| CrateInput {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            sha256: Digest::of(content),
            is_private: false,
        };
        let claiming = |crates| Request { crates, ..request() };
        let pinned = [krate("a", b"a"), krate("b", b"b")];
        assert_eq!(of_crates(&claiming(pinned.to_vec()), &pinned), Ok(()));
        for crates in [vec![krate("a", b"a")], vec![krate("a", b"genuine"), krate("b", b"b")], Vec::new()] {
            of_crates(&claiming(crates), &pinned).unwrap_err();
        }
        of_crates(&claiming(pinned.to_vec()), &pinned[..1]).unwrap_err();
    }
}
