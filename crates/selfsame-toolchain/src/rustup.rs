//! A rustup toolchain: its real binaries, never the proxies in `CARGO_HOME/bin`, by the lists of its components.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use selfsame_core::{Digest, RelPath};
use selfsame_store::Store;
use selfsame_tree::{Entry, Tree};

use crate::ToolchainError;
use crate::channel::Channel;
use crate::elf::Elf;
use crate::record::store_each_once;

/// Folders followed below one `dir:` line.
const MAX_FOLDERS: usize = 100_000;

/// A rustup toolchain recorded from a host.
#[derive(Clone, Debug)]
pub struct RustupToolchain {
    /// Its files below `toolchain/NAME`; all of their content is in the store.
    pub tree: Tree,
    /// Its folder on the host, links resolved.
    pub folder: PathBuf,
    /// The version of rustc: `1.95.0`.
    pub version: String,
    /// What it runs on: `x86_64-unknown-linux-gnu`.
    pub host: String,
    /// What it is made of, sorted by name.
    pub components: Vec<Component>,
    /// Shared libraries and the loader that its programs need and that are not in it, by name or path: the affair of
    /// a captured toolchain, or of [`crate::close_over_libraries`].
    pub needs: BTreeSet<String>,
}

/// A component of a rustup toolchain, by the archive that its channel manifest names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Component {
    /// As asked for: `rustc`, `rust-std`, `rust-std-wasm32-unknown-unknown`.
    pub name: String,
    /// Its version: cargo's is not rustc's.
    pub version: String,
    /// Where the channel manifest says its archive lies.
    pub url: String,
    /// That archive's digest, by the manifest.
    pub sha256: Digest,
}

/// Records the rustup toolchain `channel` (a toolchain's name, or a version that one has) of `home` (`RUSTUP_HOME`)
/// below `toolchain/NAME`, of the components asked for and nothing else, without papers.
///
/// A linked toolchain is refused: no channel says what it is. A folder that is a link to another toolchain of the same
/// `home` is that toolchain.
pub fn rustup_toolchain(
    channel: &str,
    name: &str,
    home: &Path,
    components: &[String],
    store: &Store,
) -> Result<RustupToolchain, ToolchainError> {
    let place = RelPath::new(format!("toolchain/{name}"))
        .ok()
        .filter(|_| !name.contains('/'))
        .ok_or_else(|| ToolchainError::Name { name: name.to_owned() })?;
    let folder = rustup_folder(channel, home)?;
    let manifest = Channel::read(&folder)?;
    let (installed, host) = installed(&folder)?;

    let mut files = BTreeSet::new();
    let mut found = BTreeMap::new();
    for wanted in components {
        let chosen = choose(wanted, &manifest, &installed, &host);
        let chosen = chosen.ok_or_else(|| ToolchainError::NoComponent {
            component: wanted.clone(),
            name: channel.to_owned(),
            found: installed.iter().map(|line| short(line, &host)).collect(),
        })?;
        files.extend(listed(&folder, &chosen.line)?);
        found.insert(wanted.clone(), chosen.component);
    }
    files.retain(|path| !is_left_out(path));

    let (entries, needs) = record(&folder, &files, store)?;
    Ok(RustupToolchain {
        tree: Tree::from_entries(entries)?.below(&place)?,
        folder,
        version: manifest.rustc_version().unwrap_or_default().to_owned(),
        host,
        components: found.into_values().collect(),
        needs,
    })
}

/// The folder of a rustup toolchain: of this name, else one whose compiler has this version.
pub fn rustup_folder(channel: &str, home: &Path) -> Result<PathBuf, ToolchainError> {
    let toolchains = home.join("toolchains");
    let mut names: Vec<String> = fs::read_dir(&toolchains)
        .map_err(|source| ToolchainError::Read { path: toolchains.clone(), source })?
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();

    let of_this_machine = |rest: &str| architectures().iter().any(|arch| rest.starts_with(&format!("{arch}-")));
    let is_named = |name: &&String| {
        let rest = name.strip_prefix(channel);
        rest.is_some_and(|rest| rest.is_empty() || rest.strip_prefix('-').is_some_and(of_this_machine))
    };
    if let Some(name) = names.iter().find(is_named) {
        let folder = real_folder(&toolchains, name)?;
        // A folder named after a version holds that version.
        let version = Channel::read(&folder)?.rustc_version().unwrap_or_default().to_owned();
        if is_version(channel) && version != channel {
            return Err(ToolchainError::Version { name: channel.to_owned(), version });
        }
        return Ok(folder);
    }
    if is_version(channel) {
        for name in &names {
            let Ok(folder) = real_folder(&toolchains, name) else { continue };
            if Channel::read(&folder).is_ok_and(|manifest| manifest.rustc_version() == Some(channel)) {
                return Ok(folder);
            }
        }
    }
    Err(ToolchainError::NoToolchain { name: channel.to_owned(), home: home.to_owned(), found: names })
}

/// The beginnings of the host triples that run on this machine.
fn architectures() -> &'static [&'static str] {
    match std::env::consts::ARCH {
        "x86" => &["i686", "i586"],
        "arm" => &["armv7", "arm"],
        "x86_64" => &["x86_64"],
        "aarch64" => &["aarch64"],
        "riscv64" => &["riscv64gc"],
        "powerpc64" => &["powerpc64le", "powerpc64"],
        "s390x" => &["s390x"],
        "loongarch64" => &["loongarch64"],
        _ => &[],
    }
}

/// Whether a name is a version of rustc: `1.95.0`.
fn is_version(name: &str) -> bool {
    let parts: Vec<&str> = name.split('.').collect();
    parts.len() == 3 && parts.iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A toolchain's folder. A link to a sibling is an alias; a link to elsewhere is `rustup toolchain link`.
fn real_folder(toolchains: &Path, name: &str) -> Result<PathBuf, ToolchainError> {
    let path = toolchains.join(name);
    let unread = |source| ToolchainError::Read { path: path.clone(), source };
    let real = path.canonicalize().map_err(unread)?;
    if fs::symlink_metadata(&path).map_err(unread)?.is_symlink() {
        let siblings = toolchains.canonicalize().map_err(unread)?;
        if real.parent() != Some(&siblings) {
            return Err(ToolchainError::Linked { name: name.to_owned(), target: real });
        }
    }
    Ok(real)
}

/// The lines of `lib/rustlib/components`, sorted, and the target that its `rustc` is for.
fn installed(folder: &Path) -> Result<(BTreeSet<String>, String), ToolchainError> {
    let path = folder.join("lib/rustlib/components");
    let text = fs::read_to_string(&path).map_err(|source| ToolchainError::Read { path: path.clone(), source })?;
    let lines: BTreeSet<String> = text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
    let hosts = lines.iter().filter_map(|line| line.strip_prefix("rustc-"));
    let host = hosts.filter(|rest| architectures().iter().any(|arch| rest.starts_with(&format!("{arch}-")))).min();
    match host.map(str::to_owned) {
        Some(host) => Ok((lines, host)),
        None => Err(ToolchainError::Malformed { path, fault: "names no rustc for this machine".to_owned() }),
    }
}

struct Chosen {
    /// Its line in `components`, and the end of its list's name.
    line: String,
    component: Component,
}

/// The installed component that a name means: for the host, for all targets (`rust-src`), or with its target in the
/// name.
fn choose(wanted: &str, manifest: &Channel, installed: &BTreeSet<String>, host: &str) -> Option<Chosen> {
    let mut meanings =
        vec![(manifest.renamed(wanted).to_owned(), Some(host)), (manifest.renamed(wanted).to_owned(), None)];
    for (at, _) in wanted.match_indices('-') {
        let (package, target) = (&wanted[..at], &wanted[at + 1..]);
        meanings.push((manifest.renamed(package).to_owned(), Some(target)));
    }
    meanings.into_iter().filter(|(package, _)| manifest.has(package)).find_map(|(package, target)| {
        let line = target.map_or_else(|| package.clone(), |target| format!("{package}-{target}"));
        let archive = manifest.archive(&package, target.unwrap_or("*"))?;
        installed.contains(&line).then(|| Chosen {
            line,
            component: Component {
                name: wanted.to_owned(),
                version: manifest.version(&package).unwrap_or_default().to_owned(),
                url: archive.url,
                sha256: archive.sha256,
            },
        })
    })
}

fn short(line: &str, host: &str) -> String {
    line.strip_suffix(host).and_then(|line| line.strip_suffix('-')).unwrap_or(line).to_owned()
}

/// The files of a component: `file:PATH` and `dir:PATH` lines of its list.
fn listed(folder: &Path, line: &str) -> Result<BTreeSet<RelPath>, ToolchainError> {
    let path = folder.join("lib/rustlib").join(format!("manifest-{line}"));
    let text = fs::read_to_string(&path).map_err(|source| ToolchainError::Read { path: path.clone(), source })?;
    let malformed = |line: &str| ToolchainError::Malformed {
        path: path.clone(),
        fault: format!("has the line `{}`; `file:PATH` or `dir:PATH` is wanted", line.escape_debug()),
    };
    let mut files = BTreeSet::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let (kind, place) = line.split_once(':').ok_or_else(|| malformed(line))?;
        let place = RelPath::new(place).map_err(|_| malformed(line))?;
        match kind {
            _ if is_left_out(&place) => {}
            "file" => {
                files.insert(place);
            }
            "dir" => below(folder, place, &mut files)?,
            _ => return Err(malformed(line)),
        }
    }
    Ok(files)
}

fn below(folder: &Path, top: RelPath, files: &mut BTreeSet<RelPath>) -> Result<(), ToolchainError> {
    let (mut ahead, mut count) = (vec![top], 0);
    while let Some(place) = ahead.pop() {
        count += 1;
        if count > MAX_FOLDERS {
            return Err(ToolchainError::TooMany { folder: place.to_string(), limit: MAX_FOLDERS });
        }
        let path = folder.join(place.as_str());
        let unread = |source| ToolchainError::Read { path: path.clone(), source };
        for entry in fs::read_dir(&path).map_err(unread)? {
            let entry = entry.map_err(unread)?;
            let name = entry.file_name().into_string().ok().and_then(|name| RelPath::new(name).ok());
            let inside = name.and_then(|name| place.join(&name).ok()).ok_or_else(|| ToolchainError::Malformed {
                path: entry.path(),
                fault: "has a name that cannot stand in a tree".to_owned(),
            })?;
            if is_left_out(&inside) {
                continue;
            }
            if entry.file_type().map_err(unread)?.is_dir() {
                ahead.push(inside);
            } else {
                files.insert(inside);
            }
        }
    }
    Ok(())
}

/// Papers, completions, and what only rustup's own uninstaller reads.
fn is_left_out(place: &RelPath) -> bool {
    const FOLDERS: [&str; 4] = ["share/doc", "share/man", "share/zsh", "etc/bash_completion.d"];
    const FILES: [&str; 2] = ["lib/rustlib/uninstall.sh", "lib/rustlib/install.log"];
    let place = place.as_str();
    FILES.contains(&place)
        || FOLDERS
            .iter()
            .any(|folder| place.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

type Entries = Vec<(RelPath, Entry)>;

/// Stores the files; their entries, and what their programs need from outside.
fn record(
    folder: &Path,
    files: &BTreeSet<RelPath>,
    store: &Store,
) -> Result<(Entries, BTreeSet<String>), ToolchainError> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    let (mut entries, mut regular) = (Vec::new(), Vec::new());
    let (mut needs, mut own) = (BTreeSet::new(), BTreeSet::new());
    for place in files {
        let path = folder.join(place.as_str());
        let unread = |source| ToolchainError::Read { path: path.clone(), source };
        let found = fs::symlink_metadata(&path).map_err(unread)?;
        own.insert(place.file_name());
        if found.is_symlink() {
            let target = fs::read_link(&path).map_err(unread)?.into_os_string().into_string();
            let target = target.ok().filter(|target| !target.starts_with('/'));
            let target = target.ok_or_else(|| ToolchainError::Malformed {
                path: path.clone(),
                fault: "is a link out of its toolchain".to_owned(),
            })?;
            entries.push((place.clone(), Entry::symlink(target)));
        } else if found.is_file() {
            let mut file = fs::File::open(&path).map_err(unread)?;
            if let Some(elf) = Elf::read(&mut file).map_err(unread)?
                // Objects for other machines are there to be linked, not started.
                && elf.machine == crate::elf::Machine::native()
            {
                needs.extend(elf.needed);
                needs.extend(elf.interpreter);
            }
            let executable = found.permissions().mode() & 0o111 != 0;
            regular.push((place, path, executable, (found.dev(), found.ino())));
        } else {
            return Err(ToolchainError::Malformed { path, fault: "is neither a file nor a link".to_owned() });
        }
    }
    let stored =
        store_each_once(regular.iter().map(|(_, path, executable, inode)| (path, *executable, *inode)), store)?;
    for ((place, _, executable, _), (digest, size)) in regular.into_iter().zip(stored) {
        entries.push((place.clone(), Entry::file(digest, size, executable)));
    }
    needs.retain(|name| !own.contains(name.as_str()));
    Ok((entries, needs))
}
