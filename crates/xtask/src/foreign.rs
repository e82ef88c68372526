//! Other people's tools, which read what we write: that they are there, and where.
#![expect(clippy::disallowed_methods, reason = "a Python of the caller's is taken from SELFSAME_PYTHON")]

use std::path::PathBuf;

use crate::command::{root, run, succeeds};

/// The program that a test calls, and the Debian and Ubuntu package that has it.
const TOOLS: &[(&str, &str)] = &[
    ("bwrap", "bubblewrap"),
    ("busybox", "busybox-static"),
    ("docker-registry", "docker-registry"),
    ("mkfs.ext4", "e2fsprogs"),
    ("newgidmap", "uidmap"),
    ("node", "nodejs"),
    ("npm", "npm"),
    ("openssl", "openssl"),
    ("pigz", "pigz"),
    ("podman", "podman"),
    ("python3", "python3"),
    ("skopeo", "skopeo"),
    ("umoci", "umoci"),
];

/// The Python package with CycloneDX's strict schemas.
const CYCLONEDX: &str = "cyclonedx-python-lib[json-validation]>=11,<12";

/// Sigstore's verifier in JavaScript and what it is called with, in exact versions: what it accepts is what is tested.
const SIGSTORE_JS: [&str; 3] = ["@sigstore/verify@4.1.3", "@sigstore/bundle@5.0.1", "@sigstore/protobuf-specs@0.5.2"];

/// The folder of the program around Sigstore's verifier in Rust, which pins it; and the program.
const SIGSTORE_RUST: (&str, &str) = ("tests/foreign/sigstore-rust", "sigstore-rust-judge");

/// The crate of a registry with lists of referrers, its program, and its version.
const REGISTRY: (&str, &str) = ("ferro-oci-server", "=1.0.0");

/// Says what is missing; installs it if it is `required` and can be. Gives the variables by which tests find it.
pub(crate) fn prepare(required: bool) -> Result<Vec<(&'static str, String)>, String> {
    tools(required)?;
    let mut found = python(required)?;
    found.extend(registry(required)?);
    found.extend(sigstore_js(required)?);
    found.extend(sigstore_rust(required)?);
    Ok(found)
}

fn sigstore_js(required: bool) -> Result<Option<(&'static str, String)>, String> {
    const VARIABLE: &str = "SELFSAME_SIGSTORE_JS";
    if std::env::var_os(VARIABLE).is_some() {
        return Ok(None);
    }
    let folder = root().join("target/foreign-npm");
    let text = folder.display().to_string();
    let is_there = || folder.join("node_modules/@sigstore/verify").is_dir();
    if required && !is_there() {
        eprintln!("xtask: tier `foreign` is required; installing {} into {text}", SIGSTORE_JS.join(", "));
        std::fs::create_dir_all(&folder).map_err(|error| format!("cannot create {text}: {error}"))?;
        let arguments = ["install", "--prefix", &text, "--no-save", "--no-audit", "--no-fund", "--silent"];
        run("npm", &[arguments.as_slice(), &SIGSTORE_JS].concat())?;
    }
    if !is_there() {
        eprintln!("xtask: not on this machine, so tests that need it are skipped: @sigstore/verify");
        return Ok(None);
    }
    Ok(Some((VARIABLE, text)))
}

fn sigstore_rust(required: bool) -> Result<Option<(&'static str, String)>, String> {
    const VARIABLE: &str = "SELFSAME_SIGSTORE_RUST";
    if std::env::var_os(VARIABLE).is_some() {
        return Ok(None);
    }
    let (source, name) = SIGSTORE_RUST;
    let build = root().join("target/foreign-cargo/build");
    let program = build.join("debug").join(name);
    if required && !program.is_file() {
        eprintln!("xtask: tier `foreign` is required; building {name}");
        // Outside of the workspace: what it is built from is none of the project's.
        let manifest = root().join(source).join("Cargo.toml").display().to_string();
        let target = build.display().to_string();
        run("cargo", &["build", "--quiet", "--locked", "--manifest-path", &manifest, "--target-dir", &target])?;
    }
    if !program.is_file() {
        eprintln!("xtask: not on this machine, so tests that need it are skipped: {name}");
        return Ok(None);
    }
    Ok(Some((VARIABLE, program.display().to_string())))
}

fn registry(required: bool) -> Result<Option<(&'static str, String)>, String> {
    let (name, version) = REGISTRY;
    let folder = root().join("target/foreign-cargo");
    let program = folder.join("bin").join(name);
    if std::env::var_os("SELFSAME_OCI_SERVER").is_some() {
        return Ok(None);
    }
    if required && !program.is_file() {
        let text = folder.display().to_string();
        eprintln!("xtask: tier `foreign` is required; installing {name} {version} into {text}");
        // Its own build folder: what it is built from is none of the project's.
        let build = folder.join("build").display().to_string();
        let arguments = ["install", name, "--version", version, "--locked", "--debug", "--quiet", "--root", &text];
        run("cargo", &[arguments.as_slice(), &["--target-dir", &build]].concat())?;
    }
    if !program.is_file() {
        eprintln!("xtask: not on this machine, so tests that need it are skipped: {name}");
        return Ok(None);
    }
    Ok(Some(("SELFSAME_OCI_SERVER", program.display().to_string())))
}

fn python(required: bool) -> Result<Vec<(&'static str, String)>, String> {
    if std::env::var_os("SELFSAME_PYTHON").is_some() {
        // Whoever set it knows what it has.
        return Ok(Vec::new());
    }
    let python = environment_folder().join("bin/python3");
    if required && !has_cyclonedx(&python) {
        python_environment(&python)?;
    }
    if !has_cyclonedx(&python) {
        return Ok(Vec::new());
    }
    Ok(vec![("SELFSAME_PYTHON", python.display().to_string())])
}

fn tools(required: bool) -> Result<(), String> {
    let missing: Vec<(&str, &str)> = TOOLS.iter().copied().filter(|(program, _)| !is_there(program)).collect();
    let names: Vec<&str> = missing.iter().map(|(program, _)| *program).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if required {
        return install(&missing, &names);
    }
    eprintln!("xtask: not on this machine, so tests that need them are skipped: {}", names.join(", "));
    Ok(())
}

fn install(missing: &[(&str, &str)], names: &[&str]) -> Result<(), String> {
    let packages: Vec<&str> = missing.iter().map(|(_, package)| *package).collect();
    let line = format!("apt-get install {}", packages.join(" "));
    let is_root = crate::command::output("id", &["-u"])?.trim() == "0";
    if !is_root || !is_there("apt-get") {
        let names = names.join(", ");
        return Err(format!("tier `foreign` is required and {names} are missing; on Debian or Ubuntu: sudo {line}"));
    }
    eprintln!("xtask: tier `foreign` is required; installing {}", packages.join(", "));
    run("apt-get", &["update", "--quiet"])?;
    let mut arguments = vec!["install", "--quiet", "--yes", "--no-install-recommends"];
    arguments.extend(packages);
    run("apt-get", &arguments)
}

fn python_environment(python: &std::path::Path) -> Result<(), String> {
    let folder = environment_folder();
    let text = folder.display().to_string();
    eprintln!("xtask: tier `foreign` is required; installing {CYCLONEDX} into {text}");
    if run("python3", &["-m", "venv", &text]).is_err() {
        // Debian has venv in a package of its own.
        install(&[("python3 -m venv", "python3-venv")], &["python3 -m venv"])?;
        run("python3", &["-m", "venv", "--clear", &text])?;
    }
    run(&python.display().to_string(), &["-m", "pip", "install", "--quiet", "--disable-pip-version-check", CYCLONEDX])
}

fn environment_folder() -> PathBuf {
    root().join("target/foreign-python")
}

fn has_cyclonedx(python: &std::path::Path) -> bool {
    let program = python.display().to_string();
    succeeds(&program, &["-c", "import cyclonedx.validation.json, jsonschema"])
}

fn is_there(program: &str) -> bool {
    succeeds("sh", &["-c", &format!("command -v {program}")])
}
