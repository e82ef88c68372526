//! The `foreign` tier: cyclonedx-python-lib reads what is written here. Other people's tool, so it may be missing; then
//! this says so, and fails where `SELFSAME_REQUIRE` names the tier.
#![expect(clippy::disallowed_methods, clippy::print_stderr, reason = "tests of the foreign tier ask the environment")]

use std::path::Path;
use std::process::Command;

use super::fixtures::{c_like, minimal, rust_like};
use crate::{bytes, document};

fn required() -> bool {
    std::env::var("SELFSAME_REQUIRE").is_ok_and(|tiers| tiers.split(',').any(|tier| tier.trim() == "foreign"))
}

/// The Python that has the package: `SELFSAME_PYTHON`, or `python3`.
fn python() -> String {
    std::env::var("SELFSAME_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

#[test]
fn foreign_cyclonedx_python_lib_accepts_the_documents() {
    let folder = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    let mut without_publisher = minimal();
    without_publisher.publisher = crate::Publisher::default();
    let documents = [
        ("minimal.json", minimal()),
        ("without-publisher.json", without_publisher),
        ("rust-like.json", rust_like(50)),
        ("c-like.json", c_like()),
    ];
    let mut paths = Vec::new();
    for (name, facts) in documents {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes(&document(&facts).unwrap())).unwrap();
        paths.push(path);
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/foreign/validate_cyclonedx.py");
    let output = match Command::new(python()).arg(script).args(&paths).output() {
        Ok(output) if output.status.code() != Some(2) => output,
        missing => {
            let why =
                missing.map_or_else(|error| error.to_string(), |out| String::from_utf8_lossy(&out.stderr).into_owned());
            assert!(!required(), "SELFSAME_REQUIRE names `foreign`, and cyclonedx-python-lib cannot run: {why}");
            eprintln!("skipped: cyclonedx-python-lib cannot run: {}", why.trim());
            return;
        }
    };
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said.lines().filter(|line| line.ends_with(": valid")).count(), paths.len(), "{said}");
}
