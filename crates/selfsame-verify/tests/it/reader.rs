//! The reader in Python judges what this suite judges: every release in memory that any test here asks about at depth
//! `content`, with one key given. The two share no code, so each can show the other's fault.

use std::ffi::OsStr;
use std::fs;
use std::path::{Component, Path};
use std::process::Command;

use selfsame_core::Digest;
use selfsame_testing::{Tier, require};
use selfsame_verify::Verdict;

use crate::{Files, fake};

/// Where the suite leaves what it judged, while it is run by [`foreign_the_reader_agrees_about_every_release`].
const FOLDER: &str = "SELFSAME_TEST_RELEASES";

/// Leaves a release on disk, named for the verdict on it, if somebody asks for that.
#[expect(clippy::disallowed_methods, reason = "a test tells the suite, which is another process, where to")]
pub(crate) fn keep(files: &Files, verdict: &Verdict) {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    // What no folder can hold is not for a reader of folders.
    let plain = |name: &String| {
        let fine = |part: Component<'_>| matches!(part, Component::Normal(part) if part.len() < 200);
        !name.contains('\0') && Path::new(name).components().all(fine) && !name.ends_with('/')
    };
    if !files.keys().all(plain) {
        return;
    }
    let whole: String = files.iter().map(|(name, bytes)| format!("{name} {}\n", Digest::of(bytes))).collect();
    let first = verdict.failed().next().map_or("good", |check| check.id.as_str());
    let release = Path::new(&folder).join(format!("{first}-{}", &Digest::of(whole.as_bytes()).hex()[..16]));
    for (name, bytes) in files {
        let path = release.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, bytes).expect("a file");
    }
}

#[test]
fn foreign_the_reader_agrees_about_every_release() {
    let ability = Command::new("python3").arg("--version").output().map(drop).map_err(|error| error.to_string());
    if !require(Tier::Foreign, ability) {
        return;
    }
    let scratch = tempfile::tempdir().expect("a folder");
    let releases = scratch.path().join("releases");
    fs::create_dir(&releases).expect("a folder");
    let own = std::env::current_exe().expect("this program");
    let suite = Command::new(own)
        .args(["--skip", "fuzz", "--skip", "escapes", "--skip", "hostile", "--skip", "foreign_"])
        .env(FOLDER, &releases)
        .output()
        .expect("the suite");
    assert!(suite.status.success(), "{}", String::from_utf8_lossy(&suite.stdout));
    let key = scratch.path().join("key.pub");
    fs::write(&key, fake::key("signer").public().to_pem()).expect("a key");

    let mut folders: Vec<_> = fs::read_dir(&releases).expect("releases").map(|it| it.expect("one").path()).collect();
    folders.sort();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/reader/selfsame_reader.py");
    let output = Command::new("python3").arg("-B").arg(script).args(&folders).arg(&key).output().expect("python3");
    let said = String::from_utf8_lossy(&output.stdout);
    let mut other = Vec::new();
    let (mut good, mut bad) = (0, 0);
    for (folder, line) in folders.iter().zip(said.lines()) {
        let name = folder.file_name().and_then(OsStr::to_str).expect("a name");
        let (check, _) = name.rsplit_once('-').expect("check and digest");
        let ours = check == "good";
        let its = line.starts_with("verified: ");
        good += usize::from(ours);
        bad += usize::from(!ours);
        if ours != its {
            other.push(format!("{name}: {line}"));
        }
    }
    assert_eq!(said.lines().count(), folders.len(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(other.is_empty(), "{} of {}:\n{}", other.len(), folders.len(), other.join("\n"));
    assert!(good > 3 && bad > 50, "only {good} good and {bad} bad");
}
