//! Other people's tools, which read what we write: that they are there, and where.
#![expect(clippy::disallowed_methods, reason = "a Python of the caller's is taken from SELFSAME_PYTHON")]

use std::path::{Path, PathBuf};

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
    ("strace", "strace"),
    ("umoci", "umoci"),
];

/// Folders with the exact packages and hashes of what is installed for Python and for Node.
const PYTHON: &str = "tests/foreign/python";
const NODE: &str = "tests/foreign/node";

/// The folder of the program around Sigstore's verifier in Rust, which pins it; and the program.
const SIGSTORE_RUST: (&str, &str) = ("tests/foreign/sigstore-rust", "sigstore-rust-judge");

/// The crate of a registry with lists of referrers, its program, and its version.
const REGISTRY: (&str, &str) = ("ferro-oci-server", "=1.0.0");

/// Says what is missing; installs it if it is `required` and can be. Gives the variables by which tests find it.
pub(crate) fn prepare(required: bool) -> Result<Vec<(&'static str, String)>, String> {
    tools(required)?;
    let mut found = python(required)?;
    found.extend(registry(required)?);
    found.extend(node(required)?);
    found.extend(sigstore_rust(required)?);
    Ok(found)
}

fn node(required: bool) -> Result<Option<(&'static str, String)>, String> {
    const VARIABLE: &str = "SELFSAME_SIGSTORE_JS";
    if std::env::var_os(VARIABLE).is_some() {
        return Ok(None);
    }
    let folder = root().join("target/foreign-npm");
    let text = folder.display().to_string();
    let pins = Pins::of(NODE, "package-lock.json", &folder)?;
    if required && !pins.are_installed() {
        eprintln!("xtask: tier `foreign` is required; installing {NODE}/package-lock.json into {text}");
        copy(&root().join(NODE).join("package.json"), &folder.join("package.json"))?;
        copy(&root().join(NODE).join("package-lock.json"), &folder.join("package-lock.json"))?;
        // Not `ci`: it insists on optional packages of other systems. Hashes are those of the lock here as there.
        let arguments = ["install", "--prefix", &text, "--no-save", "--no-audit", "--no-fund", "--silent"];
        run("npm", &[arguments.as_slice(), &["--ignore-scripts", "--omit=optional"]].concat())?;
        pins.installed()?;
    }
    if !pins.are_installed() {
        eprintln!("xtask: not on this machine, so tests that need it are skipped: {NODE}");
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
    if required {
        // Also where it is there: it may be of an older source.
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
    let folder = root().join("target/foreign-python");
    let python = folder.join("bin/python3");
    let pins = Pins::of(PYTHON, "requirements.txt", &folder)?;
    if required && !pins.are_installed() {
        python_environment(&folder, &python)?;
        pins.installed()?;
    }
    if !pins.are_installed() {
        eprintln!("xtask: not on this machine, so tests that need it are skipped: {PYTHON}");
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

fn python_environment(folder: &Path, python: &Path) -> Result<(), String> {
    let text = folder.display().to_string();
    let requirements = root().join(PYTHON).join("requirements.txt").display().to_string();
    eprintln!("xtask: tier `foreign` is required; installing {requirements} into {text}");
    if run("python3", &["-m", "venv", "--clear", &text]).is_err() {
        // Debian has venv in a package of its own.
        install(&[("python3 -m venv", "python3-venv")], &["python3 -m venv"])?;
        run("python3", &["-m", "venv", "--clear", &text])?;
    }
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    run(
        &python.display().to_string(),
        &[pip.as_slice(), &["--require-hashes", "--requirement", &requirements]].concat(),
    )
}

/// A file with the packages that a folder is to have, and a copy of it there once it has them: other pins are installed
/// anew.
struct Pins {
    text: String,
    stamp: PathBuf,
}

impl Pins {
    fn of(source: &str, name: &str, folder: &Path) -> Result<Self, String> {
        let path = root().join(source).join(name);
        let text =
            std::fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        Ok(Self { text, stamp: folder.join("installed") })
    }

    fn are_installed(&self) -> bool {
        std::fs::read_to_string(&self.stamp).is_ok_and(|found| found == self.text)
    }

    fn installed(&self) -> Result<(), String> {
        std::fs::write(&self.stamp, &self.text)
            .map_err(|error| format!("cannot write {}: {error}", self.stamp.display()))
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let made = to.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::copy(from, to));
    made.map(drop).map_err(|error| format!("cannot copy {} to {}: {error}", from.display(), to.display()))
}

fn is_there(program: &str) -> bool {
    succeeds("sh", &["-c", &format!("command -v {program}")])
}
