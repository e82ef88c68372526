//! What of a lock can be had from somebody else than the machine that wrote it.

use selfsame_definition::{ArchiveLocation, Definition, InputSpec, Name, OciSpec, SourceOrigin};
use selfsame_http::Share;
use selfsame_lock::{Claim, Lock, Part};

/// The last line of `selfsame lock`: how much of the lock another machine can get. Where that is in the shared store now,
/// `shared` says what is put there, and it counts.
pub(super) fn line(definition: &Definition, lock: &Lock, shared: Option<Share>) -> String {
    let all = lock.parts().count();
    let kept = only_here(definition, lock).filter(|(name, _)| is_private(definition, name)).count();
    let here = match shared {
        None => only_here(definition, lock).count(),
        Some(Share::OnlyHere) => kept,
        Some(Share::All) => 0,
    };
    let mut line = match here {
        0 => format!("obtainable elsewhere: all {all}"),
        1 => format!("obtainable elsewhere: {} of {all}; the other one exists only here", all - 1),
        _ => format!("obtainable elsewhere: {} of {all}; the other {here} exist only here", all - here),
    };
    if shared.is_some() && here > 0 {
        line += ": `private = true` is not shared but with `share = \"all\"`";
    }
    line
}

/// What of a lock is put into the shared store of a machine that is configured so. What the definition calls private goes
/// there only with everything else.
pub(crate) fn to_share<'a>(definition: &Definition, lock: &'a Lock, share: Share) -> Vec<&'a Part> {
    match share {
        Share::All => lock.parts().map(|(_, part)| part).collect(),
        Share::OnlyHere => {
            let parts = only_here(definition, lock).filter(|(name, _)| !is_private(definition, name));
            parts.map(|(_, part)| part).collect()
        }
    }
}

/// The parts that are gone with this machine: files of its own, or of a repository or image that lies on it.
fn only_here<'a>(definition: &Definition, lock: &'a Lock) -> impl Iterator<Item = (&'a Name, &'a Part)> {
    lock.inputs.iter().flat_map(|(name, locked)| {
        let local = is_local(definition, name.as_str());
        let parts = locked.parts.iter().filter(move |part| local || part.claim == Claim::LocalFile);
        parts.map(move |part| (name, part))
    })
}

/// Whether the definition has `private = true` beside an input.
fn is_private(definition: &Definition, name: &Name) -> bool {
    definition.private.contains(name)
}

/// Whether the definition takes an input from a path.
fn is_local(definition: &Definition, name: &str) -> bool {
    match definition.input(name) {
        Some(InputSpec::File(file)) => matches!(file.location, ArchiveLocation::Path(_)),
        Some(InputSpec::Git(git)) => super::hosts::of_url(&git.repository).is_none(),
        Some(InputSpec::Oci(oci)) => !matches!(oci, OciSpec::Registry { .. }),
        Some(_) => false,
        None => match &definition.source.origin {
            SourceOrigin::Archive { location, .. } => matches!(location, ArchiveLocation::Path(_)),
            SourceOrigin::Path { .. } | SourceOrigin::Crate { .. } => false,
        },
    }
}
