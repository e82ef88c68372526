//! A folder as text, to be compared before and after.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use selfsame_core::{Digest, Hasher};

/// Everything below a folder, a line each, by path: mode, kind, and a file's size and digest or a link's text. Times and
/// owners are left out. Of a missing folder, one line that says so.
#[must_use]
pub fn picture(folder: &Path) -> String {
    let mut lines = Vec::new();
    match folder.symlink_metadata() {
        Err(_) => return "(nothing)\n".to_owned(),
        Ok(metadata) if metadata.is_dir() => add(folder, folder, &mut lines),
        Ok(_) => lines.push(line(folder, ".")),
    }
    lines.sort();
    lines.concat()
}

fn add(root: &Path, folder: &Path, lines: &mut Vec<String>) {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("cannot read {}: {error}", folder.display()));
    for entry in entries {
        let path = entry.expect("an entry of a folder that is read").path();
        let below = path.strip_prefix(root).expect("a path below its root").display().to_string();
        lines.push(line(&path, &below));
        if path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
            add(root, &path, lines);
        }
    }
}

fn line(path: &Path, name: &str) -> String {
    let failed = |error: std::io::Error| -> ! { panic!("cannot read {}: {error}", path.display()) };
    let metadata = path.symlink_metadata().unwrap_or_else(|error| failed(error));
    let mode = metadata.permissions().mode() & 0o7777;
    if metadata.is_dir() {
        return format!("{name} {mode:04o} dir\n");
    }
    if metadata.is_symlink() {
        let text = std::fs::read_link(path).unwrap_or_else(|error| failed(error));
        return format!("{name} {mode:04o} symlink {}\n", text.display());
    }
    if !metadata.is_file() {
        return format!("{name} {mode:04o} device, pipe or socket\n");
    }
    let file = std::fs::File::open(path).unwrap_or_else(|error| failed(error));
    let (digest, size): (Digest, u64) = Hasher::of_reader(file).unwrap_or_else(|error| failed(error));
    format!("{name} {mode:04o} file {size} {digest}\n")
}

/// Flips the lowest bit of one byte of a file, whose size stays.
pub fn flip_bit(path: &Path, offset: usize) {
    let mut bytes = std::fs::read(path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    assert!(offset < bytes.len(), "{} has {} bytes, none at {offset}", path.display(), bytes.len());
    bytes[offset] ^= 1;
    std::fs::write(path, bytes).unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
}
