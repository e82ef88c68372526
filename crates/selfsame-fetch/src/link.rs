//! Symbolic links of sources.

use selfsame_core::RelPath;

/// Whether a link at `path` to `target` stays below the root: not absolute, and never with more `..` than there are
/// folders. By its text: a link through another link is judged where that one stands.
pub(crate) fn stays_inside(path: &RelPath, target: &str) -> bool {
    if target.starts_with('/') {
        return false;
    }
    let mut depth = path.components().count().saturating_sub(1);
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." if depth == 0 => return false,
            ".." => depth -= 1,
            _ => depth += 1,
        }
    }
    true
}
