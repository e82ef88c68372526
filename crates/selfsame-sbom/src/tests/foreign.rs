//! The `foreign` tier: cyclonedx-python-lib reads what is written here. Other people's tool, so it may be missing.
#![expect(clippy::disallowed_methods, reason = "tests of the foreign tier ask the environment")]

use std::path::Path;
use std::process::Command;

use selfsame_testing::{Tier, require};

use super::fixtures::{c_like, minimal, rust_like};
use crate::{bytes, document};

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
    let output = Command::new(python()).arg(script).args(&paths).output();
    // By status 2 the script says that the library is not there.
    let output = match output {
        Ok(output) if output.status.code() == Some(2) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        output => output.map_err(|error| error.to_string()),
    };
    let ability = output.as_ref().map(|_| ()).map_err(|why| format!("cyclonedx-python-lib cannot run: {why}"));
    if !require(Tier::Foreign, ability) {
        return;
    }
    let output = output.expect("it could run");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said.lines().filter(|line| line.ends_with(": valid")).count(), paths.len(), "{said}");
}
