//! Real tools, where they are installed: what they write is explained by its right cause.
#![expect(clippy::print_stderr, reason = "a skip is printed")]

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{caused, explained};
use selfsame_core::Level;

use crate::{Cause, ContentDifference};

/// Runs a shell script in a fresh folder; nothing where one of its tools is missing.
fn made(tools: &[&str], script: &str, output: &str) -> Option<Vec<u8>> {
    let present = |tool: &&str| {
        Command::new("sh").args(["-c", &format!("command -v {tool}")]).output().is_ok_and(|o| o.status.success())
    };
    if let Some(missing) = tools.iter().find(|tool| !present(tool)) {
        eprintln!("skipped: `{missing}` is not installed");
        return None;
    }
    let folder = tempfile::tempdir_in(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
    let run = Command::new("sh").args(["-euc", script]).current_dir(folder.path()).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    Some(fs::read(folder.path().join(output)).unwrap())
}

fn pair(tools: &[&str], [a, b]: [&str; 2], output: &str) -> Option<ContentDifference> {
    let (a, b) = (made(tools, a, output)?, made(tools, b, output)?);
    assert_ne!(a, b, "the tool wrote the same twice");
    Some(explained(output, &a, &b))
}

#[test]
fn cc_with_two_build_ids() {
    let script = |id: char| {
        format!("echo 'int main(void){{return 0;}}' > m.c; cc -o m m.c -Wl,--build-id=0x{}", id.to_string().repeat(32))
    };
    let Some(found) = pair(&["cc"], [&script('1'), &script('2')], "m") else { return };
    assert_eq!(found.kind, "ELF");
    caused(&found, Cause::BuildId, Some(Level::Deterministic));
}

#[test]
fn cc_with_a_time_in_the_program() {
    let script = |epoch: u32| {
        format!(
            "echo 'const char *t(void){{return __DATE__ \" \" __TIME__;}}' > m.c; SOURCE_DATE_EPOCH={epoch} cc -c m.c -o m.o"
        )
    };
    let Some(found) = pair(&["cc"], [&script(1_700_000_000), &script(1_700_003_700)], "m.o") else { return };
    caused(&found, Cause::Timestamp, Some(Level::Normalized));
}

#[test]
fn cc_with_a_path_in_debug_information() {
    // The folder that the test runs in has a random name, which is another cause.
    let script = |path: &str| {
        format!("echo 'int f(void){{return 1;}}' > m.c; cc -g -fdebug-prefix-map=\"$PWD\"={path} -c m.c -o m.o")
    };
    let Some(found) = pair(&["cc"], [&script("/home/ann/src"), &script("/builds/42/src")], "m.o") else { return };
    assert_eq!(found.guess().cause, Cause::BuildPath, "{found:#?}");
}

#[test]
fn ar_with_times() {
    let script = |time: &str| format!("echo x > x.o; touch -d {time} x.o; ar rcU x.a x.o");
    let Some(found) = pair(&["ar"], [&script("@1700000000"), &script("@1700000100")], "x.a") else { return };
    assert_eq!(found.kind, "ar archive");
    caused(&found, Cause::Timestamp, Some(Level::Deterministic));
}

#[test]
fn gzip_with_times_and_names() {
    let script = |time: &str| format!("echo some text > x; touch -d {time} x; gzip x");
    let Some(found) = pair(&["gzip"], [&script("@1700000000"), &script("@1700000100")], "x.gz") else { return };
    assert_eq!(found.summary, "only the header; the content is equal");
    caused(&found, Cause::Timestamp, Some(Level::Deterministic));
}

#[test]
fn tar_with_umasks() {
    let script = |mask: &str| format!("umask {mask}; echo x > x; touch -d @1700000000 x; tar cf x.tar x");
    let Some(found) = pair(&["tar"], [&script("022"), &script("077")], "x.tar") else { return };
    caused(&found, Cause::FileMode, Some(Level::Isolated));
}

#[test]
fn python_bytecode_with_times() {
    let script = |time: &str| {
        format!(
            "echo 'A = 1' > m.py; touch -d {time} m.py; python3 -c \"import py_compile; py_compile.compile('m.py', 'm.pyc', 'm.py')\""
        )
    };
    let Some(found) = pair(&["python3"], [&script("@1700000000"), &script("@1700000100")], "m.pyc") else { return };
    assert_eq!(found.kind, "Python bytecode");
    caused(&found, Cause::Timestamp, Some(Level::Normalized));
}
