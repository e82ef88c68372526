//! Whether the index of crates that this machine's cargo asks still lists what a lock pins.

use std::collections::BTreeMap;
use std::path::Path;

use selfsame_lock::Part;
use selfsame_store::Staging;

use super::{CRATES_IO, CratesError, pinning};
use crate::cargo::{self, CargoError};
use crate::cargo_lock::LockedCrate;
use crate::context::Context;
use crate::kinds::pinned::purl_parts;
use crate::obtainable::Obtainable;
use crate::resolve::FetchError;

/// How often cargo is run at most: each run says whether all of some crates are there.
const RUNS: u32 = 200;

/// A crate by name and version, and where its answer goes.
type Asked = ((String, String), LockedCrate, usize);

/// Lets cargo look all of them up at once, by name, version and checksum, in a lock of our own; where that fails, the
/// halves, until it is known which. No crate is downloaded. A version that was withdrawn is there: a lock may name it.
pub(crate) fn ask(parts: &[&Part], cx: &Context<'_>) -> Result<Vec<Obtainable>, FetchError> {
    let mut answers = vec![Obtainable::unknown("it has no name of a crate"); parts.len()];
    let mut all: Vec<Asked> = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        let Some(named) = purl_parts(part.purl.as_str()).filter(is_crate) else { continue };
        all.push((named, LockedCrate { sha256: part.sha256, registry: CRATES_IO.to_owned() }, at));
    }
    let mut open: Vec<&[Asked]> = if all.is_empty() { Vec::new() } else { vec![&all] };
    let mut runs = 0;
    while let Some(some) = open.pop() {
        if runs == RUNS {
            some.iter().for_each(|(.., at)| answers[*at] = Obtainable::unknown("too many others are missing"));
            continue;
        }
        runs += 1;
        let answer = match (look_up(some, cx), some) {
            (Ok(()), _) => Obtainable::Yes,
            (Err(CratesError::Cargo(error @ (CargoError::Network { .. } | CargoError::NoProgram))), _) => {
                return Err(error.into());
            }
            (Err(CratesError::Cargo(CargoError::Failed { message, .. })), [_]) => said(&message),
            (Err(CratesError::Cargo(CargoError::Failed { .. })), _) => {
                let (first, second) = some.split_at(some.len() / 2);
                open.extend([second, first]);
                continue;
            }
            (Err(error), _) => Obtainable::unknown(error.to_string()),
        };
        some.iter().for_each(|(.., at)| answers[*at] = answer.clone());
    }
    Ok(answers)
}

/// Cargo's words about one crate that it cannot take.
fn said(message: &str) -> Obtainable {
    if message.contains("changed between lock files") {
        return Obtainable::No { why: "the index has other bytes under that name".to_owned() };
    }
    let absent = ["failed to select a version", "no matching package"].iter().any(|words| message.contains(words));
    match absent {
        true => Obtainable::No { why: "the index that cargo asks does not list it any more".to_owned() },
        false => Obtainable::unknown(format!("cargo: {message}")),
    }
}

/// What stands in a manifest of ours has to be a name and a version.
fn is_crate((name, version): &(String, String)) -> bool {
    let name_fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let version_fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'+');
    !name.is_empty() && name.bytes().all(name_fits) && !version.is_empty() && version.bytes().all(version_fits)
}

fn look_up(crates: &[Asked], cx: &Context<'_>) -> Result<(), CratesError> {
    let staging =
        Staging::beside(&cx.store.root().join("tmp/cargo")).map_err(|source| CratesError::Folder { source })?;
    let folder = staging.create_dir().map_err(|source| CratesError::Folder { source })?;
    let pins: BTreeMap<&(String, String), &LockedCrate> =
        crates.iter().map(|(named, krate, _)| (named, krate)).collect();
    let (manifest, lock) = pinning(&pins);
    for (name, content) in [("Cargo.toml", manifest.as_str()), ("Cargo.lock", &lock), ("lib.rs", "")] {
        let path = folder.join(name);
        write(&path, content)?;
    }
    Ok(cargo::run(&folder, &["update", "--workspace"], cx.environment)?)
}

fn write(path: &Path, content: &str) -> Result<(), CratesError> {
    std::fs::write(path, content).map_err(|source| CratesError::Io {
        operation: "write",
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests;
