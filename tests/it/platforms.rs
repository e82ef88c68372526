//! One definition for several platforms: one release, as good as one for each, and everything that is done with one.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use selfsame_testing::{Output, TestEnv, Tier, require};
use serde_json::Value;

use crate::contract::{one_platform, prints, there};
use crate::push_world::Registry;
use crate::world::{DEV_KEY, build, definition, files_below, one_error, sandboxed};

const RELEASE: &str = "probe-1.0.0.release";
const BOTH: [&str; 2] = ["linux/amd64", "linux/arm64"];

/// What is built says what it is for; one action of two does not look.
const ACTION: &str = "script = \"cat seed > out; echo $TARGETPLATFORM >> out; ls > /dev/null\"\noutputs = [\"out\"]";

fn define(env: &TestEnv, platforms: &[&str]) {
    env.write("seed", "a seed\n");
    let list = platforms.iter().map(|platform| format!("\"{platform}\"")).collect::<Vec<_>>().join(", ");
    let text = definition(ACTION).replace("[image]\n", &format!("[image]\nplatforms = [{list}]\n"));
    env.write("selfsame.toml", text);
}

/// A world with a release for both, and what `build --json` says of it.
#[track_caller]
fn built(more: &[&str]) -> Option<(TestEnv, Value)> {
    let env = sandboxed()?;
    define(&env, &BOTH);
    let said = build(&env, &[&["--json"], more].concat()).succeeds().json();
    Some((env, said))
}

fn public(env: &TestEnv) -> String {
    env.at(DEV_KEY).display().to_string()
}

fn verify(env: &TestEnv, release: &str) -> Output {
    env.selfsame(["verify", release, "--key", &public(env), "--json"])
}

/// What is left of a folder, by name.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let name = |path: &Path| path.strip_prefix(folder).expect("below it").to_owned();
    files_below(folder).into_iter().map(|path| (name(&path), fs::read(&path).expect("a file"))).collect()
}

/// The checks that did not pass, first those of the whole.
fn failed(verdict: &Value) -> Vec<String> {
    let of = |checks: &Value| -> Vec<String> {
        let list = checks.as_array().into_iter().flatten();
        list.filter(|it| it["outcome"] == "failed").map(|it| it["id"].as_str().unwrap_or_default().to_owned()).collect()
    };
    let parts = verdict["parts"].as_array().into_iter().flatten();
    of(&verdict["checks"]).into_iter().chain(parts.flat_map(|part| of(&part["verdict"]["checks"]))).collect()
}

#[test]
fn sandbox_two_worlds_make_one_release_and_a_rebuild_the_same() {
    let Some((env, said)) = built(&[]) else { return };
    let platforms: Vec<&str> = said["platforms"].as_object().expect("platforms").keys().map(String::as_str).collect();
    assert_eq!(platforms, BOTH);
    let Some((_other, there)) = built(&["--no-cache"]) else { return };
    for field in ["image", "releaseId", "platforms"] {
        assert_eq!(said[field], there[field], "{field}");
    }
    let verdict = verify(&env, RELEASE).succeeds().json();
    assert_eq!((&verdict["class"], &verdict["image"]), (&"verified".into(), &said["image"]));
    let checks = verdict["checks"].as_array().expect("checks");
    let missed: Vec<&Value> = checks.iter().filter(|check| check["outcome"] != "passed").map(|it| &it["id"]).collect();
    assert_eq!(missed, ["log", "time-stamps"], "no log was given, and no authority");
    let again = env.selfsame(["rebuild-verify", RELEASE, "--key", &public(&env), "--json", "-o", "kept"]);
    let again = again.succeeds().json();
    assert_eq!((&again["class"], &again["releaseId"]), (&"same".into(), &said["releaseId"]));
    let compared: Vec<&str> =
        again["compared"].as_array().expect("a list").iter().filter_map(|pair| pair["name"].as_str()).collect();
    assert_eq!(compared.len(), 4 + 2 * 5);
    assert_eq!(&compared[..5], ["image", "provenance", "signature", "inventory", "linux/amd64 image"]);
    env.selfsame(["diff", RELEASE, "kept"]).succeeds();

    // The order of the list says nothing; what stands is not made again.
    let unchanged = build(&env, &[]);
    assert!(unchanged.succeeds().stderr.contains("unchanged"), "{}", unchanged.stderr);
    define(&env, &[BOTH[1], BOTH[0]]);
    let turned = build(&env, &["--json", "-o", "turned"]).succeeds().json();
    assert_eq!((&turned["image"], &turned["platforms"]), (&said["image"], &said["platforms"]));
    assert_ne!(turned["releaseId"], said["releaseId"], "the definition is another text");
}

#[test]
fn sandbox_whatever_is_done_to_a_file_of_it_is_seen() {
    let Some((env, _)) = built(&[]) else { return };
    let folder = env.project().join(RELEASE);
    for (name, bytes) in files(&folder) {
        let path = folder.join(&name);
        // Taking a run record away is nobody's loss.
        let record = name.as_os_str() == "run-record.sigstore.json";
        let mut changed = bytes.clone();
        let middle = changed.len() / 2;
        changed[middle] ^= 1;
        fs::write(&path, changed).expect("a file");
        let code = verify(&env, RELEASE).code;
        assert!(record || matches!(code, 1 | 2), "{} changed: exit {code}", name.display());
        fs::remove_file(&path).expect("a file");
        let code = verify(&env, RELEASE).code;
        assert!(record || matches!(code, 1 | 2), "{} removed: exit {code}", name.display());
        fs::write(&path, &bytes).expect("a file");
    }
    verify(&env, RELEASE).succeeds();
    env.selfsame(["tamper", RELEASE, "-o", "bad"]).succeeds();
    let verdict = verify(&env, "bad");
    assert_eq!(failed(&verdict.exits(1).json()), ["parts", "blobs"]);
}

/// What a part's documents say stands by itself, and nobody can make another whole of it.
#[test]
fn sandbox_a_platform_cannot_be_taken_away_or_joined_anew() {
    let Some((env, said)) = built(&[]) else { return };
    let folder = env.project().join(RELEASE);
    let index: Value = serde_json::from_slice(&fs::read(folder.join("index.json")).expect("the index")).expect("JSON");
    let listed = index["manifests"].as_array().expect("manifests");
    let subject = |item: &Value| -> Value {
        let hex = item["digest"].as_str().and_then(|text| text.strip_prefix("sha256:")).expect("a digest");
        let bytes = fs::read(folder.join("blobs/sha256").join(hex)).expect("a manifest");
        serde_json::from_slice::<Value>(&bytes).expect("JSON")["subject"]["digest"].clone()
    };
    // The part as a folder of its own, as whoever copies it by its digest has it.
    let arm = &said["platforms"][BOTH[1]];
    let hex = arm.as_str().and_then(|text| text.strip_prefix("sha256:")).expect("a digest");
    let size = fs::metadata(folder.join("blobs/sha256").join(hex)).expect("the manifest").len();
    let mut manifests = vec![serde_json::json!({
        "annotations": {"org.opencontainers.image.ref.name": "probe:1.0.0"},
        "digest": arm,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "platform": {"architecture": "arm64", "os": "linux"},
        "size": size,
    })];
    manifests.extend(listed[1..].iter().filter(|item| &subject(item) == arm).cloned());
    let alone = serde_json::json!({
        "manifests": manifests,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "schemaVersion": 2,
    });
    Command::new("cp").args(["-r", RELEASE, "alone"]).current_dir(env.project()).status().expect("cp");
    fs::write(env.project().join("alone/index.json"), alone.to_string()).expect("the index");
    let words = ["verify", "alone", "--depth", "evidence", "--json", "--key", &public(&env)];
    let verdict = env.selfsame(words).succeeds().json();
    assert_eq!(&verdict["image"], arm, "the part says what it is, and no more");
    let joined = env.selfsame([
        "index",
        "alone",
        "-o",
        "half",
        "--key",
        &public(&env),
        "--sign-as",
        &env.at("home/.local/share/selfsame/dev.key").display().to_string(),
    ]);
    // At depth `content` the files of the other platform are nobody's.
    one_error(joined.exits(1));
}

#[test]
fn sandbox_it_goes_through_a_registry_and_each_platform_is_there_by_its_digest() {
    let Some((env, said)) = built(&["--capsule"]) else { return };
    let registry = Registry::new();
    let reference = registry.reference("1.0");
    let pushed = env.selfsame(["push", RELEASE, &reference, "--with-capsule", "--json"]).succeeds().json();
    assert_eq!((&pushed["image"], &pushed["referrers"]), (&said["image"], &13.into()), "3 about the index, 5 of each");
    env.selfsame(["pull", &reference, "-o", "back", "--with-capsule"]).succeeds();
    let mut ours = files(&env.project().join(RELEASE));
    ours.remove(Path::new("run-record.sigstore.json"));
    assert_eq!(ours, files(&env.project().join("back")));
    assert_eq!(verify(&env, &reference).succeeds().json()["class"], "verified");
    env.selfsame(["check", &reference, "--key", &public(&env)]).succeeds();
    env.selfsame(["rebuild-verify", &reference, "--key", &public(&env), "--no-host"]).succeeds();

    // A cluster asks by the digest of its own platform.
    let (name, _) = reference.rsplit_once(':').expect("a tag");
    let arm = said["platforms"][BOTH[1]].as_str().expect("a digest");
    let by_digest = format!("{name}@{arm}");
    let verdict = verify(&env, &by_digest).succeeds().json();
    assert_eq!((verdict["class"].as_str(), verdict["image"].as_str()), (Some("verified"), Some(arm)));
    let expected = env.selfsame(["verify", &reference, "--key", &public(&env), "--expect", &format!("image={arm}")]);
    expected.succeeds();
    let stranger = format!("image=sha256:{}", "0".repeat(64));
    env.selfsame(["verify", &reference, "--key", &public(&env), "--expect", &stranger]).exits(1);
}

#[test]
fn sandbox_a_capsule_of_it_suffices() {
    let Some((env, said)) = built(&[]) else { return };
    env.selfsame(["capsule", "export", RELEASE, "-o", "all.tar"]).succeeds();
    env.selfsame(["capsule", "export", RELEASE, "-o", "again.tar"]).succeeds();
    let read = |name: &str| fs::read(env.project().join(name)).expect("a capsule");
    assert!(read("all.tar") == read("again.tar"), "one release, two capsules");
    let checked = env.selfsame(["capsule", "check", "all.tar", "--key", &public(&env), "--json"]).succeeds().json();
    assert_eq!((&checked["class"], &checked["releases"][0]["releaseId"]), (&"sufficient".into(), &said["releaseId"]));
    env.selfsame(["capsule", "import", "all.tar", "-o", "imported"]).succeeds();
    let imported = format!("imported/{RELEASE}");
    assert_eq!(verify(&env, &imported).succeeds().json()["image"], said["image"]);
    let without = env.selfsame(["capsule", "export", RELEASE, "-o", "less.tar", "--without", "private"]);
    assert!(without.succeeds().stdout.contains("absent"), "{}", without.stdout);
    env.selfsame(["capsule", "check", "less.tar", "--key", &public(&env)]).exits(2);
}

#[test]
fn sandbox_what_is_asked_of_one_platform_names_it() {
    let Some((env, said)) = built(&[]) else { return };
    let several = env.selfsame(["sbom", RELEASE]);
    assert!(one_error(several.exits(2)).contains("for several platforms"));
    let one = env.selfsame(["sbom", RELEASE, "--platform", BOTH[1]]);
    assert!(one.succeeds().stdout.contains("CycloneDX"));
    one_error(env.selfsame(["sbom", RELEASE, "--platform", "linux/riscv64"]).exits(2));
    env.selfsame(["sbom", RELEASE, "-o", "sboms"]).succeeds();
    let written: Vec<PathBuf> = files(&env.project().join("sboms")).into_keys().collect();
    assert_eq!(written, ["sbom-linux-amd64.cdx.json", "sbom-linux-arm64.cdx.json"].map(PathBuf::from));
    let read = fs::read_to_string(env.project().join("sboms/sbom-linux-arm64.cdx.json")).expect("an SBOM");
    assert_eq!(read, one.stdout);
    let inspected = env.selfsame(["inspect", RELEASE, "--json"]).succeeds().json();
    assert_eq!((&inspected["index"], inspected["platforms"].as_object().map(|of| of.len())), (&said["image"], Some(2)));

    define(&env, &["linux/arm64", "linux/s390x"]);
    let refused = build(&env, &["--load", "podman", "-o", "other"]);
    let native = selfsame_core::Platform::native().to_string();
    assert_eq!(native == "linux/arm64", refused.code != 2, "{}", refused.stderr);
    build(&env, &["-o", "other"]).succeeds();
    let diff = env.selfsame(["diff", RELEASE, "other", "--json"]).exits(1).json();
    let of = |platform: &str| diff["platforms"][platform].clone();
    assert_eq!((&of("linux/amd64")["only"], &of("linux/s390x")["only"]), (&"left".into(), &"right".into()));
    assert_eq!(of("linux/arm64")["class"], "same");
    env.selfsame(["diff", RELEASE, "other", "--platform", "linux/arm64"]).succeeds();
}

/// What is the same for all platforms is made once; what stands on an image for several stands on the one for its own.
#[test]
fn sandbox_each_platform_has_its_own_base_and_shares_what_knows_no_platform() {
    let Some((env, base)) = built(&[]) else { return };
    let text = fs::read_to_string(env.project().join("selfsame.toml")).expect("the definition");
    let text = text
        .replace("\"probe\"", "\"upper\"")
        .replace("[[action]]\n", "[input.base]\noci = \"oci:../project/probe-1.0.0.release\"\n\n[[action]]\nname = \"page\"\ntarget = false\nscript = \"echo ${TARGETARCH:-any} > page\"\noutputs = [\"page\"]\n\n[[action]]\n")
        .replace("[image]\n", "[image]\nbase = \"base\"\n")
        .replace("to = \"/out\"", "to = \"/upper\"")
        + "\n[[image.file]]\nfrom = \"page:page\"\nto = \"/page\"\n";
    let upper = env.at("upper");
    fs::create_dir(&upper).expect("a folder");
    fs::write(upper.join("selfsame.toml"), text).expect("a definition");
    fs::write(upper.join("seed"), "another seed\n").expect("a file");
    let release = env.at("upper.release");
    let words = ["build", "--dev-key", "-o"].map(PathBuf::from).into_iter().chain([release.clone(), upper]);
    let said = env.selfsame(words);
    let talk = &said.succeeds().stderr;
    assert_eq!(talk.matches("ran page").count(), 1, "{talk}");
    assert_eq!(talk.matches("ran make").count(), 2, "{talk}");
    let inspected = env.selfsame(["inspect".as_ref(), release.as_os_str(), "--json".as_ref()]).succeeds().json();
    for (platform, other) in [(BOTH[0], BOTH[1]), (BOTH[1], BOTH[0])] {
        let provenance = &inspected["platforms"][platform]["https://slsa.dev/provenance/v1"]["buildDefinition"];
        let inputs = provenance["resolvedDependencies"].to_string();
        let digest = |platform: &str| base["platforms"][platform].as_str().expect("a digest")[7..].to_owned();
        assert!(inputs.contains(&digest(platform)), "{platform} stands on its own base");
        assert!(!inputs.contains(&digest(other)), "{platform} names nothing of {other}");
    }
    let key = env.at(DEV_KEY);
    let again = ["rebuild-verify".as_ref(), release.as_os_str(), "--key".as_ref(), key.as_os_str()];
    env.selfsame(again).succeeds();
}

/// The platform of an image as skopeo sees it.
fn architecture(reference: &str, arch: &str) -> String {
    let config = prints(Command::new("skopeo").args(["--override-arch", arch, "inspect", "--config", reference]));
    let config: Value = serde_json::from_str(&config).expect("JSON");
    config["architecture"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn foreign_skopeo_copies_all_platforms_and_podman_takes_its_own() {
    if !require(Tier::Foreign, there(&["skopeo", "podman", "umoci"])) {
        return;
    }
    let Some((env, said)) = built(&["--archive", "probe.tar"]) else { return };
    let folder = env.project().join(RELEASE);
    let layout = format!("oci:{}:probe:1.0.0", folder.display());
    for arch in ["amd64", "arm64"] {
        assert_eq!(architecture(&layout, arch), arch);
    }
    let copy = env.at("copy");
    let target = format!("oci:{}:probe:1.0.0", copy.display());
    prints(Command::new("skopeo").args(["--insecure-policy", "copy", "--quiet", "--all", &layout, &target]));
    let copied: Value = serde_json::from_slice(&fs::read(copy.join("index.json")).expect("an index")).expect("JSON");
    assert_eq!(copied["manifests"][0]["digest"], said["image"], "byte for byte");
    env.selfsame(["diff".as_ref(), folder.as_os_str(), copy.as_os_str()]).succeeds();

    // umoci knows no platforms: one has to be taken out for it.
    let one = one_platform(&env, &folder, "probe:1.0.0", "arm64").expect("skopeo was there above");
    let image = format!("{}:probe:1.0.0", one.display());
    let bundle = env.at("bundle");
    prints(Command::new("umoci").args(["unpack", "--rootless", "--image", &image]).arg(&bundle));
    assert_eq!(fs::read_to_string(bundle.join("rootfs/out")).expect("a file"), "a seed\nlinux/arm64\n");

    let podman = |words: &[&str]| {
        let (root, run) = (env.at("podman"), env.at("podman-run"));
        let mut command = Command::new("podman");
        command.arg("--root").arg(root).arg("--runroot").arg(run).args(["--storage-driver", "vfs"]).args(words);
        // podman names what it pulls after the path, and a name has no capitals, which a temporary folder's may have.
        command.current_dir(env.project());
        prints(&mut command)
    };
    let id = podman(&["pull", "--quiet", &format!("oci:{RELEASE}:probe:1.0.0")]);
    let pulled: Value = serde_json::from_str(&podman(&["inspect", id.trim()])).expect("JSON");
    let native = selfsame_core::Platform::native();
    assert_eq!(pulled[0]["Architecture"], native.architecture, "podman takes the one of this machine");
    let loaded = podman(&["load", "--quiet", "-i", "probe.tar"]);
    for platform in ["linux-amd64", "linux-arm64"] {
        assert!(loaded.contains(&format!("probe:1.0.0-{platform}")), "{loaded}");
    }
    podman(&["rmi", "--all", "--force"]);
    assert_eq!(verify(&env, "probe.tar").succeeds().json()["image"], said["image"]);
}
