//! The release folder against stock tools: what other people's programs read, load, run and check by themselves.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use selfsame_core::Digest;
use selfsame_testing::{TestEnv, Tier, require, skip};
use serde_json::Value;

use crate::examples::root;
use crate::world::{DEV_KEY, sandboxed};

/// What the example is called in its layout.
const NAME: &str = "hello:1.0.0";

/// `hello-c`, built with all that a release can have.
struct Hello {
    env: TestEnv,
    folder: PathBuf,
    archive: PathBuf,
    image: Digest,
}

/// Builds it, where the tools and the sandbox are there.
#[track_caller]
fn hello(tools: &[&str]) -> Option<Hello> {
    if !require(Tier::Foreign, there(tools)) {
        return None;
    }
    let env = sandboxed()?;
    let example = root().join("examples/hello-c");
    for name in ["hello.c", "selfsame.toml"] {
        env.write(name, fs::read(example.join(name)).expect("the example"));
    }
    let (folder, archive) = (env.at("hello.release"), env.at("hello.tar"));
    let words: [&OsStr; 8] = [
        "build".as_ref(),
        "--dev-key".as_ref(),
        "--json".as_ref(),
        "--capsule".as_ref(),
        "--archive".as_ref(),
        archive.as_ref(),
        "-o".as_ref(),
        folder.as_ref(),
    ];
    let built = env.selfsame(words).succeeds().json();
    let image = built["image"].as_str().and_then(|text| text.parse().ok()).expect("a digest");
    Some(Hello { env, folder, archive, image })
}

/// Whether these programs are there.
pub(crate) fn there(tools: &[&str]) -> Result<(), String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let has = |tool: &&&str| !std::env::split_paths(&path).any(|folder| folder.join(tool).is_file());
    match tools.iter().find(has) {
        Some(tool) => Err(format!("no `{tool}`")),
        None => Ok(()),
    }
}

fn is_root() -> Result<(), String> {
    let owner = fs::metadata("/proc/self").map_err(|error| error.to_string())?;
    if std::os::unix::fs::MetadataExt::uid(&owner) == 0 { Ok(()) } else { Err("root is wanted".to_owned()) }
}

fn output(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"))
}

/// What a command prints; it must succeed.
#[track_caller]
pub(crate) fn prints(command: &mut Command) -> String {
    let output = output(command);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}: {}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

fn json(text: &[u8]) -> Value {
    serde_json::from_slice(text).expect("JSON")
}

/// A blob of a release, of a digest as documents write it.
fn blob(release: &Path, digest: &Value) -> Vec<u8> {
    let hex = digest.as_str().and_then(|text| text.strip_prefix("sha256:")).expect("a digest");
    fs::read(release.join("blobs/sha256").join(hex)).expect("a blob")
}

/// Holds a release's SBOM against the strict schema and model of cyclonedx-python-lib.
#[track_caller]
pub(crate) fn validate_sbom(env: &TestEnv, release: &Path) {
    let python = std::env::var_os("SELFSAME_PYTHON");
    let ability = python.as_ref().map(|_| ()).ok_or_else(|| "SELFSAME_PYTHON names no Python".to_owned());
    if !require(Tier::Foreign, ability) {
        return;
    }
    let folder = env.at("sboms");
    let words = [OsStr::new("sbom"), release.as_os_str(), OsStr::new("-o"), folder.as_os_str()];
    let written = env.selfsame(words).succeeds().stdout.clone();
    let python = python.expect("required above");
    let script = root().join("tests/foreign/validate_cyclonedx.py");
    for file in written.lines() {
        let said = prints(Command::new(&python).arg(&script).arg(file));
        assert!(said.trim_end().ends_with(": valid"), "{said}");
    }
}

/// Unpacks a release's image with umoci and runs a program in it, in the environment that the image asks for: standard
/// output, or nothing where that cannot be.
#[track_caller]
pub(crate) fn run_image(env: &TestEnv, release: &Path, name: &str, argv: &[&str]) -> Option<String> {
    let unpacked = unpack_image(env, release, name)?;
    let bundle = unpacked.path().join("bundle");
    let config = json(&fs::read(bundle.join("config.json")).expect("umoci's runtime config"));
    let variables = config["process"]["env"].as_array().expect("an environment").iter().map(|variable| {
        let variable = variable.as_str().expect("a text");
        variable.split_once('=').expect("NAME=VALUE")
    });
    // By its whole path: the image's PATH is not this machine's.
    let path = std::env::var_os("PATH").unwrap_or_default();
    let chroot = std::env::split_paths(&path).map(|folder| folder.join("chroot")).find(|program| program.is_file());
    let chroot = chroot.expect("unpack_image asked for it");
    Some(prints(Command::new(chroot).arg(bundle.join("rootfs")).args(argv).env_clear().envs(variables)))
}

/// One platform of a release for several, as skopeo copies it out; nothing where there is no skopeo.
#[track_caller]
pub(crate) fn one_platform(env: &TestEnv, release: &Path, name: &str, arch: &str) -> Option<PathBuf> {
    if !require(Tier::Foreign, there(&["skopeo"])) {
        return None;
    }
    let folder = env.at(format!("only-{arch}"));
    let mut skopeo = Command::new("skopeo");
    skopeo.args(["--insecure-policy", "--override-arch", arch, "copy", "--quiet"]);
    prints(skopeo.arg(reference("oci:", release, name)).arg(reference("oci:", &folder, name)));
    Some(folder)
}

/// A release's image as umoci unpacks it, at `bundle/rootfs`; nothing where that cannot be.
#[track_caller]
pub(crate) fn unpack_image(env: &TestEnv, release: &Path, name: &str) -> Option<tempfile::TempDir> {
    if !require(Tier::Foreign, there(&["umoci", "chroot"]).and_then(|()| is_root())) {
        return None;
    }
    let folder = tempfile::tempdir_in(env.root()).expect("a folder for the image");
    let bundle = folder.path().join("bundle");
    prints(Command::new("umoci").args(["unpack", "--image"]).arg(reference("", release, name)).arg(&bundle));
    Some(folder)
}

/// The config of a release's image.
pub(crate) fn image_config(release: &Path) -> Value {
    let index = json(&fs::read(release.join("index.json")).expect("an index"));
    let manifest = json(&blob(release, &index["manifests"][0]["digest"]));
    json(&blob(release, &manifest["config"]["digest"]))
}

/// `PREFIXpath:name`.
fn reference(prefix: &str, path: &Path, name: &str) -> String {
    format!("{prefix}{}:{name}", path.display())
}

#[test]
fn foreign_skopeo_reads_layout_and_archive() {
    let Some(hello) = hello(&["skopeo"]) else { return };
    let inspect = |reference: String| json(prints(Command::new("skopeo").args(["inspect", &reference])).as_bytes());
    for reference in [reference("oci:", &hello.folder, NAME), reference("oci-archive:", &hello.archive, NAME)] {
        let seen = inspect(reference);
        assert_eq!(seen["Digest"], hello.image.to_string());
        assert_eq!((&seen["Os"], &seen["Architecture"]), (&"linux".into(), &std_architecture().into()));
        assert_eq!(seen["Created"], "2023-11-14T22:13:20Z");
    }
    // Docker's own form has another manifest, and so another digest; its layers are the same.
    let of = |value: &Value| value["Layers"].as_array().map(Vec::len);
    let docker = inspect(reference("docker-archive:", &hello.archive, NAME));
    assert_eq!(of(&docker), Some(1));
    // Before it stands the registry that skopeo takes for a name without one.
    assert!(docker["Name"].as_str().is_some_and(|name| name.ends_with("/library/hello")), "{}", docker["Name"]);

    let copy = hello.env.at("copy");
    prints(
        Command::new("skopeo")
            .args(["copy", "--quiet"])
            .args([reference("oci:", &hello.folder, NAME), reference("oci:", &copy, NAME)]),
    );
    let index = json(&fs::read(copy.join("index.json")).expect("the copy's index"));
    assert_eq!(index["manifests"][0]["digest"], hello.image.to_string(), "a copy keeps the image's digest");
}

/// As images call this machine.
fn std_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[test]
fn foreign_podman_pulls_loads_and_runs() {
    let Some(hello) = hello(&["podman"]) else { return };
    if !require(Tier::Foreign, is_root()) {
        return;
    }
    let podman = |words: &[&str]| {
        let mut command = Command::new("podman");
        command.args(["--storage-driver", "vfs", "--cgroup-manager", "cgroupfs"]);
        command.arg("--root").arg(hello.env.at("podman")).arg("--runroot").arg(hello.env.at("podman-run")).args(words);
        // podman names what it pulls after the path, and a name has no capitals, which a temporary folder's may have.
        command.current_dir(hello.env.root());
        command
    };
    let config = json(&blob(&hello.folder, &hello.image.to_string().into()))["config"]["digest"].clone();
    let id = config.as_str().and_then(|text| text.strip_prefix("sha256:")).expect("a digest");
    let pulled = prints(&mut podman(&["pull", "--quiet", &reference("oci:", Path::new("hello.release"), NAME)]));
    assert_eq!(pulled.trim(), id);
    let loaded = prints(&mut podman(&["load", "--input", &hello.archive.to_string_lossy()]));
    assert!(loaded.contains("localhost/hello:1.0.0"), "{loaded}");
    assert_eq!(prints(&mut podman(&["images", "--quiet", "--no-trunc", NAME])).trim(), format!("sha256:{id}"));

    // Its default runtime may ask for more than a machine in a machine allows; runc with modest limits is the other way.
    let runtimes: [&[&str]; 2] = [&[], &["--runtime", "runc"]];
    let limits = ["--ulimit", "nofile=1024:4096", "--ulimit", "nproc=1000:1000"];
    let runs = runtimes.map(|runtime| {
        let words = [runtime, &["run", "--rm", "--network", "none"], &limits, &["localhost/hello:1.0.0"]].concat();
        output(&mut podman(&words))
    });
    let said: Vec<_> = runs.iter().map(|run| String::from_utf8_lossy(&run.stderr)).collect();
    let ran = runs.iter().find(|run| run.status.success());
    let ran = ran.unwrap_or_else(|| panic!("podman runs the image in neither way: {said:#?}"));
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "hello, world\n");
    prints(&mut podman(&["rmi", "--all", "--force"]));
}

/// Not required anywhere: a daemon that answers is the affair of the machine.
#[test]
fn foreign_docker_loads() {
    let answers = Command::new("docker").arg("info").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !answers.is_ok_and(|status| status.success()) {
        skip("no docker daemon answers");
        return;
    }
    let Some(hello) = hello(&["docker"]) else { return };
    let loaded = prints(Command::new("docker").args(["load", "--input"]).arg(&hello.archive));
    assert!(loaded.contains(NAME), "{loaded}");
    let said = prints(Command::new("docker").args(["run", "--rm", "--network", "none", NAME]));
    assert_eq!(said, "hello, world\n");
    prints(Command::new("docker").args(["rmi", NAME]));
}

#[test]
fn foreign_umoci_unpacks_and_the_image_runs() {
    let Some(hello) = hello(&["umoci"]) else { return };
    let Some(said) = run_image(&hello.env, &hello.folder, NAME, &["/hello"]) else { return };
    assert_eq!(said, "hello, world\n");
}

#[test]
fn foreign_an_archive_is_a_layout_for_tar() {
    let Some(hello) = hello(&["tar", "diff"]) else { return };
    let unpacked = hello.env.at("unpacked");
    fs::create_dir(&unpacked).expect("a new folder");
    prints(Command::new("tar").arg("-C").arg(&unpacked).arg("-xf").arg(&hello.archive));
    // Docker's manifest.json is only in the archive, the run record only beside the folder's layout.
    let mut command = Command::new("diff");
    command.args(["-r", "-x", "manifest.json", "-x", "run-record.sigstore.json"]);
    assert_eq!(prints(command.arg(&hello.folder).arg(&unpacked)), "");
}

#[test]
fn foreign_openssl_checks_a_signature_and_sha256sum_the_blobs() {
    let Some(hello) = hello(&["openssl", "sha256sum"]) else { return };
    let index = json(&fs::read(hello.folder.join("index.json")).expect("the index"));
    let mut checked = 0;
    for referrer in index["manifests"].as_array().expect("a list").iter().skip(1) {
        if referrer["artifactType"] != "application/vnd.dev.sigstore.bundle.v0.3+json" {
            continue;
        }
        let manifest = json(&blob(&hello.folder, &referrer["digest"]));
        let bundle = json(&blob(&hello.folder, &manifest["layers"][0]["digest"]));
        let envelope = &bundle["dsseEnvelope"];
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let payload = base64(&hello.env, &text(&envelope["payload"]));
        let kind = text(&envelope["payloadType"]);
        // DSSE's pre-authentication encoding, by its specification.
        let mut signed = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
        signed.extend(&payload);
        let (message, signature) = (hello.env.at("message"), hello.env.at("signature"));
        fs::write(&message, &signed).expect("a file");
        fs::write(&signature, base64(&hello.env, &text(&envelope["signatures"][0]["sig"]))).expect("a file");
        let verify = || {
            let mut command = Command::new("openssl");
            command.args(["dgst", "-sha256", "-verify"]).arg(hello.env.at(DEV_KEY));
            command.arg("-signature").arg(&signature).arg(&message);
            command
        };
        assert_eq!(prints(&mut verify()), "Verified OK\n");
        *signed.last_mut().expect("a payload") ^= 1;
        fs::write(&message, &signed).expect("a file");
        assert!(!output(&mut verify()).status.success(), "openssl believes a changed message");
        checked += 1;
    }
    assert_eq!(checked, 4, "provenance, SBOM, signature and inventory");

    let blobs = hello.folder.join("blobs/sha256");
    let names: Vec<_> =
        fs::read_dir(&blobs).expect("blobs").map(|entry| entry.expect("an entry").file_name()).collect();
    let sums = prints(Command::new("sha256sum").args(&names).current_dir(&blobs));
    for line in sums.lines() {
        let (sum, name) = line.split_once("  ").expect("a sum and a name");
        assert_eq!(sum, name);
    }
    assert_eq!(sums.lines().count(), names.len());
}

fn base64(env: &TestEnv, text: &str) -> Vec<u8> {
    let file = env.at("base64");
    fs::write(&file, text).expect("a file");
    let decoded = output(Command::new("openssl").args(["base64", "-d", "-A", "-in"]).arg(&file));
    assert!(decoded.status.success());
    decoded.stdout
}

/// What cosign and other readers of the referrers API look for, without asking a program.
#[test]
fn sandbox_referrers_are_shaped_as_cosign_shapes_them() {
    let Some(hello) = hello(&[]) else { return };
    let index = json(&fs::read(hello.folder.join("index.json")).expect("the index"));
    let manifests = index["manifests"].as_array().expect("a list");
    assert_eq!(manifests[0]["digest"], hello.image.to_string());
    assert_eq!(manifests[0]["annotations"]["org.opencontainers.image.ref.name"], NAME);
    let mut kinds = Vec::new();
    for referrer in &manifests[1..] {
        let manifest = json(&blob(&hello.folder, &referrer["digest"]));
        assert_eq!(manifest["subject"]["digest"], hello.image.to_string());
        assert_eq!(manifest["artifactType"], referrer["artifactType"]);
        assert_eq!(manifest["annotations"], referrer["annotations"], "the index says what the manifest says");
        assert!(
            referrer["annotations"].get("org.opencontainers.image.ref.name").is_none(),
            "only the image has a name"
        );
        assert_eq!(manifest["config"]["mediaType"], "application/vnd.oci.empty.v1+json");
        assert_eq!(referrer["annotations"]["org.opencontainers.image.created"], "2023-11-14T22:13:20Z");
        if referrer["artifactType"] == "application/vnd.dev.sigstore.bundle.v0.3+json" {
            assert_eq!(referrer["annotations"]["dev.sigstore.bundle.content"], "dsse-envelope");
            assert_eq!(manifest["layers"][0]["mediaType"], referrer["artifactType"]);
            kinds.push(referrer["annotations"]["dev.sigstore.bundle.predicateType"].as_str().expect("a text"));
        }
    }
    let wanted = [
        "https://slsa.dev/provenance/v1",
        "https://cyclonedx.org/bom",
        "https://sigstore.dev/cosign/sign/v1",
        "https://selfsame.dev/inventory/v1",
    ];
    assert_eq!(kinds, wanted);
}
