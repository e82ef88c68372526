//! Names of files that git, or another file system, could take for something else.

/// Why a name from a commit is refused, if it is: `.git` in any spelling that some file system takes for it. Git refuses
/// them when it checks a commit out (`verify_path`), and a tool that is run on the input might believe a repository there.
pub(super) fn fault(path: &str) -> Option<&'static str> {
    path.split('/').any(is_dot_git).then_some("is a name that file systems take for `.git`")
}

fn is_dot_git(name: &str) -> bool {
    // HFS+ passes over these when it compares names (git's utf8.c, `next_hfs_char`).
    let ignored =
        |c: char| matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}');
    let visible: String = name.chars().filter(|&c| !ignored(c)).collect();
    // NTFS ends a name at a colon (a stream's name follows), drops dots and spaces at the end, and takes a backslash for
    // a slash; `git~1` is the short name of `.git` (git's path.c, `is_ntfs_dotgit`).
    visible.split('\\').any(|part| {
        let part = part.split(':').next().unwrap_or_default().trim_end_matches(['.', ' ']);
        part.eq_ignore_ascii_case(".git") || part.eq_ignore_ascii_case("git~1")
    })
}

/// Whether a submodule's name, which is a folder below `modules/` in a clone, stays there (git's `check_submodule_name`).
pub(super) fn is_submodule_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(['/', '-'])
        && !name.contains(['\\', '\0'])
        && name.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// What is wrong with the name of a tag or branch, if something is (`git help check-ref-format`).
pub(super) fn reference_fault(name: &str) -> Option<&'static str> {
    if name.is_empty() || name.len() > 255 {
        return Some("is empty or too long");
    }
    if name.starts_with('-') {
        return Some("begins with a dash, which git may take for an option");
    }
    let strange = |c: char| c.is_control() || " ~^:?*[\\".contains(c);
    let part_fault = |part: &str| part.is_empty() || part.starts_with('.') || part.ends_with(".lock");
    let whole = name == "@" || name.contains("..") || name.contains("@{") || name.ends_with('.');
    (name.contains(strange) || whole || name.split('/').any(part_fault)).then_some("is no name that git allows")
}

/// Whether a text is a whole object id of git's, by SHA-1 or SHA-256.
pub(super) fn is_object_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_dot_git() {
        for name in [
            ".git",
            ".GIT",
            ".Git",
            "git~1",
            "GIT~1",
            ".git ",
            ".git...",
            ".git. .",
            ".git::$INDEX_ALLOCATION",
            ".git:x",
            ".g\u{200c}it",
            "\u{feff}.git",
            "a\\.git\\config",
            "a/.git/hooks/x",
            ".gIt\u{200d}/x",
        ] {
            assert!(fault(name).is_some(), "{name:?}");
        }
        for name in
            [".gitignore", ".gitmodules", ".gitattributes", "git", "a.git", "git~2", ".git-x", "...git", ".github/x"]
        {
            assert!(fault(name).is_none(), "{name:?}");
        }
    }

    #[test]
    fn names_of_submodules_and_references() {
        assert!(is_submodule_name("lib/zlib") && is_submodule_name("a..b"));
        for name in ["", "..", "../x", "a/../b", "/x", "a//b", "a/", "-x", "a\\b", "."] {
            assert!(!is_submodule_name(name), "{name}");
        }
        for name in ["v1.0", "release/1", "a-b", "ü"] {
            assert_eq!(reference_fault(name), None, "{name}");
        }
        for name in [
            "", "-x", "a..b", "a b", "a~1", "a^{}", "a:b", "*", ".a", "a/.b", "a.lock", "a.lock/b", "/a", "a/", "a.",
            "@", "a@{1}", "a\nb",
        ] {
            assert!(reference_fault(name).is_some(), "{name}");
        }
    }
}
