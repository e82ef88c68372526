//! The files of the project, as git would commit them.
#![expect(clippy::disallowed_methods, reason = "cargo says in the environment where the project is")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// The workspace's folder.
pub(crate) fn root() -> PathBuf {
    // At run time: checkouts that share a target folder share this program, too.
    let here = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs tests with CARGO_MANIFEST_DIR");
    Path::new(&here).join("../..").canonicalize().expect("the workspace's folder")
}

/// A text file: its path below the root, and its text.
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    pub(crate) fn is(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|found| found == extension)
    }

    /// `x.rs:3`, for a fault on a line counted from 0.
    pub(crate) fn at(&self, line: usize) -> String {
        format!("{}:{}", self.path, line + 1)
    }
}

/// Every text file of ours: all but test vectors, examples' programs, the licence and what tools write.
pub(crate) fn ours() -> Vec<File> {
    let texts = ["rs", "md", "toml", "py", "sh", "yml", "yaml"];
    let mut files = Vec::new();
    for path in listed() {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let name = path.to_str().expect("paths of ours are UTF-8");
        let foreign = name.starts_with("tests/vectors/") || name.starts_with("tests/golden/");
        let is_ours = texts.contains(&extension) || name.starts_with(".ci/");
        if foreign || !is_ours {
            continue;
        }
        // A file that another test or a person removes meanwhile is no file.
        if let Ok(text) = std::fs::read_to_string(root().join(&path)) {
            files.push(File { path: name.to_owned(), text });
        }
    }
    assert!(files.len() > 100, "found only {} files: the rules below would hold for nothing", files.len());
    files
}

/// Paths below the root: what git knows or would add; without git, all but build output.
fn listed() -> Vec<PathBuf> {
    let git = Command::new("git")
        .args(["-c", "core.quotePath=false", "ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output();
    if let Ok(output) = git
        && output.status.success()
        && !output.stdout.is_empty()
    {
        let text = String::from_utf8(output.stdout).expect("paths of ours are UTF-8");
        let mut paths: Vec<PathBuf> = text.split_terminator('\0').map(PathBuf::from).collect();
        paths.sort();
        paths.dedup();
        return paths;
    }
    let mut paths = Vec::new();
    walk(Path::new(""), &mut paths);
    paths.sort();
    paths
}

fn walk(below: &Path, paths: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(root().join(below)).expect("a folder of ours") {
        let entry = entry.expect("an entry of a folder of ours");
        let path = below.join(entry.file_name());
        let name = entry.file_name();
        if name == "target" || name == ".git" || name == "out" || name == ".selfsame" {
            continue;
        }
        if entry.file_type().expect("a type").is_dir() {
            walk(&path, paths);
        } else {
            paths.push(path);
        }
    }
}

/// Fails with every fault under a line that says the rule.
#[track_caller]
pub(crate) fn none(rule: &str, faults: Vec<String>) {
    assert!(faults.is_empty(), "{rule}\n  {}\n", faults.join("\n  "));
}
