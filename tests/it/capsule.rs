//! Capsules: releases with every input as one file, what is left out of them, and what is no capsule.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use selfsame_core::Digest;
use selfsame_oci::layout::{self, REF_NAME};
use selfsame_oci::{Descriptor, artifact_manifest, referrer_manifest};
use selfsame_testing::{Filter, Output, TestEnv};
use serde_json::Value;

use crate::world::{DEV_KEY, assert_store_intact, build, empty, files_below, one_error, recorded};

/// Runs the program with paths and words alike.
fn selfsame(env: &TestEnv, words: &[&str]) -> Output {
    env.selfsame(words)
}

fn path(env: &TestEnv, name: &str) -> String {
    env.at(name).to_str().expect("UTF-8").to_owned()
}

/// Two releases of one project: one with every input, one slim, made at different times from different sources.
#[track_caller]
fn two() -> Option<TestEnv> {
    let env = recorded()?;
    build(&env, &["--capsule", "-o", "one.release"]).succeeds();
    env.write("seed", "another seed\n");
    let text = env.read("project/selfsame.toml");
    env.write("selfsame.toml", text.replace("1.0.0", "1.1.0").replace("1700000000", "1710000000"));
    build(&env, &["-o", "two.release"]).succeeds();
    Some(env)
}

/// The release index, the descriptors of the capsule's parts, by release.
fn parts(capsule: &Path) -> BTreeMap<String, Vec<Value>> {
    let json = |name: String| -> Value {
        serde_json::from_slice(&fs::read(capsule.join(name)).expect("a file")).expect("JSON")
    };
    let blob =
        |value: &Value| json(format!("blobs/sha256/{}", value["digest"].as_str().expect("a digest").split_at(7).1));
    let index = json("index.json".to_owned());
    let listed = index["manifests"].as_array().expect("a list").iter();
    let releases = listed.filter(|listed| listed["mediaType"] == "application/vnd.oci.image.index.v1+json");
    releases
        .map(|listed| {
            let name = listed["annotations"][REF_NAME].as_str().expect("a name").to_owned();
            let release = blob(listed);
            let of_capsule = |manifest: &&Value| manifest["artifactType"] == "application/vnd.selfsame.capsule.v1+json";
            let manifests = release["manifests"].as_array().expect("a list").iter().filter(of_capsule);
            let layers = manifests.flat_map(|manifest| blob(manifest)["layers"].as_array().expect("layers").clone());
            (name, layers.collect())
        })
        .collect()
}

fn with_title<'a>(parts: &'a [Value], title: &str) -> &'a Value {
    let titled = |part: &&Value| part["annotations"]["org.opencontainers.image.title"] == title;
    parts.iter().find(titled).unwrap_or_else(|| panic!("no part `{title}` in {parts:?}"))
}

#[test]
fn sandbox_releases_share_what_is_equal_and_rebuild_from_nothing_else() {
    let Some(env) = two() else { return };
    let key = path(&env, DEV_KEY);
    selfsame(&env, &["capsule", "export", "two.release", "one.release", "-o", "both"]).succeeds();

    // One toolchain, one pack, whenever the releases were made; classes as they are documented.
    let both = parts(&env.at("project/both"));
    assert_eq!(both.keys().collect::<Vec<_>>(), ["probe:1.0.0", "probe:1.1.0"]);
    let [one, two] = [&both["probe:1.0.0"], &both["probe:1.1.0"]];
    let pack = with_title(one, "toolchain sh.tar.gz");
    assert_eq!(pack, with_title(two, "toolchain sh.tar.gz"));
    assert_ne!(with_title(one, "source.tar.gz")["digest"], with_title(two, "source.tar.gz")["digest"]);
    for part in one.iter().chain(two) {
        let class = if part["digest"] == pack["digest"] { "private" } else { "own-source" };
        assert_eq!(part["annotations"]["dev.selfsame.class"], class, "{part}");
    }
    assert_eq!(with_title(one, "source.tar.gz")["annotations"]["dev.selfsame.license"], "MIT");

    // The same, in any order and from any form, is the same file.
    let export = |releases: &[&str], output: &str| {
        let words: Vec<&str> = ["capsule", "export"].iter().chain(releases).chain(&["-o", output]).copied().collect();
        selfsame(&env, &words).succeeds();
        fs::read(env.project().join(output)).expect("a tar")
    };
    let first = export(&["one.release", "two.release"], "first.tar");
    assert_eq!(first, export(&["two.release", "one.release", "one.release"], "second.tar"));
    assert_eq!(first, export(&["both"], "third.tar"));
    assert_eq!(first, export(&["both#probe:1.1.0", "first.tar#probe:1.0.0"], "fourth.tar"));

    // What each adds, given the other, leaves out what they share.
    let du = selfsame(&env, &["capsule", "du", "first.tar", "--json"]).succeeds().json();
    let bytes = |value: &Value| value.as_u64().expect("a number");
    let packed = bytes(&pack["size"]);
    assert!(bytes(&du["shared"]) >= packed && bytes(&du["saved"]) >= packed, "{du}");
    let releases = du["releases"].as_array().expect("a list");
    for release in releases {
        assert!(bytes(&release["marginal"]) + packed <= bytes(&release["bytes"]), "{du}");
        assert_eq!(bytes(&release["classes"]["private"]), packed);
    }
    let sum: u64 = releases.iter().map(|release| bytes(&release["bytes"])).sum();
    assert!(bytes(&du["bytes"]) < sum, "{du}");
    let beside = selfsame(&env, &["capsule", "du", "one.release", "two.release"]);
    assert!(beside.succeeds().stdout.contains("probe:1.1.0"), "{}", beside.stdout);

    // Each of its releases is one, and verifies as it did.
    for release in ["first.tar#probe:1.0.0", "both#probe:1.1.0"] {
        selfsame(&env, &["verify", release, "--key", &key]).succeeds().says("");
    }
    let which = selfsame(&env, &["verify", "first.tar", "--key", &key]);
    assert!(one_error(which.exits(2)).contains("a capsule of 2 releases"), "{}", which.stderr);
    selfsame(&env, &["inspect", "first.tar#probe:2"]).exits(2).says("has no release");

    // Elsewhere, with nothing but the file and the key.
    let cold = empty();
    fs::copy(env.at("project/first.tar"), cold.at("capsule.tar")).expect("a copy");
    fs::copy(env.at(DEV_KEY), cold.at("dev.pub")).expect("a copy");
    let (file, key) = (path(&cold, "capsule.tar"), path(&cold, "dev.pub"));
    drop(env);
    let check = selfsame(&cold, &["capsule", "check", &file, "--key", &key, "--json"]);
    let verdicts = check.succeeds().json();
    assert_eq!(verdicts["class"], "sufficient");
    let classes: Vec<_> = verdicts["releases"].as_array().expect("a list").iter().map(|it| &it["class"]).collect();
    assert_eq!(classes, ["same", "same"]);
    assert_store_intact(&cold);
    let text = selfsame(&cold, &["capsule", "check", &format!("{file}#probe:1.1.0"), "--key", &key]);
    assert_eq!(text.succeeds().stdout, "same: `probe:1.1.0`: every digest is equal\n");

    // And the releases as folders, which rebuild from the store that they came into.
    let out = path(&cold, "out");
    selfsame(&cold, &["capsule", "import", &file, "-o", &out]).succeeds();
    for release in ["out/probe-1.0.0.release", "out/probe-1.1.0.release"] {
        let release = path(&cold, release);
        selfsame(&cold, &["verify", &release, "--key", &key]).succeeds();
        selfsame(&cold, &["rebuild-verify", &release, "--key", &key, "--no-host", "--offline"]).succeeds();
    }
    selfsame(&cold, &["capsule", "import", &file, "-o", &out]).exits(2);
    assert_store_intact(&cold);
    // A capsule of what was imported is the capsule.
    let again = path(&cold, "again.tar");
    selfsame(
        &cold,
        &[
            "capsule",
            "export",
            &path(&cold, "out/probe-1.0.0.release"),
            &path(&cold, "out/probe-1.1.0.release"),
            "-o",
            &again,
        ],
    )
    .succeeds();
    assert_eq!(first, fs::read(again).expect("a tar"));
}

#[test]
fn sandbox_what_is_left_out_is_listed_and_the_rest_verifies() {
    let Some(env) = two() else { return };
    let key = path(&env, DEV_KEY);
    let given =
        selfsame(&env, &["capsule", "export", "one.release", "--without", "private", "--with-tool", "-o", "given"]);
    assert!(given.succeeds().stdout.contains("absent   1 parts"), "{}", given.stdout);
    selfsame(&env, &["verify", "given", "--key", &key]).succeeds();
    let titles: Vec<Value> = parts(&env.at("project/given"))["probe:1.0.0"].clone();
    assert!(titles.iter().all(|part| part["annotations"]["dev.selfsame.class"] == "own-source"), "{titles:?}");

    // The list, and the program, are there by digest.
    let index: Value = serde_json::from_str(&env.read("project/given/index.json")).expect("JSON");
    let single = |kind: &str| {
        let listed = index["manifests"].as_array().expect("a list").iter().find(|it| it["artifactType"] == kind);
        let digest: Digest = listed.expect("an artifact")["digest"].as_str().expect("text").parse().expect("a digest");
        let manifest: Value =
            serde_json::from_str(&env.read(format!("project/given/{}", layout::blob_path(digest)))).expect("JSON");
        let blob = manifest["layers"][0].clone();
        let digest: Digest = blob["digest"].as_str().expect("text").parse().expect("a digest");
        (blob, fs::read(env.at(format!("project/given/{}", layout::blob_path(digest)))).expect("a blob"))
    };
    let (_, absent) = single("application/vnd.selfsame.absent.v1+json");
    let absent: Value = serde_json::from_slice(&absent).expect("JSON");
    assert_eq!(
        (&absent["schema"], &absent["without"][0]),
        (&"https://selfsame.dev/capsule-absent/v1".into(), &"private".into())
    );
    let one = &absent["absent"][0];
    assert_eq!(
        (&one["class"], &one["holds"], &one["releases"][0]),
        (&"private".into(), &"files".into(), &"probe:1.0.0".into())
    );
    let (tool, program) = single("application/vnd.selfsame.tool.v1");
    assert_eq!(tool["annotations"]["dev.selfsame.profile"], "1");
    assert!(program == fs::read(crate::world::SELFSAME).expect("this program"));

    // It does not suffice where nothing of its machine is, and says so.
    let check = selfsame(&env, &["capsule", "check", "given", "--key", &key, "--json"]);
    let verdict = check.exits(2).json();
    assert_eq!(
        (&verdict["class"], &verdict["releases"][0]["class"]),
        (&"unanswered".into(), &"could-not-rebuild".into())
    );
    assert!(verdict["releases"][0]["missing"].as_array().is_some_and(|missing| !missing.is_empty()), "{verdict}");
    let stranger = selfsame(&env, &["keygen", "-o", "stranger"]);
    stranger.succeeds();
    let check = selfsame(&env, &["capsule", "check", "given", "--key", "stranger.pub", "--json"]);
    assert_eq!(check.json()["releases"][0]["class"], "not-verified", "{}", check.transcript(Filter::NONE));

    // Without the source it is still a release.
    selfsame(&env, &["capsule", "export", "one.release", "--without", "own-source,private", "-o", "bare.tar"])
        .succeeds();
    selfsame(&env, &["verify", "bare.tar", "--key", &key]).succeeds();
    let nothing = selfsame(&env, &["capsule", "export", "bare.tar", "-o", "full.tar"]);
    // This machine's store still has it all.
    nothing.succeeds();
    let refused = selfsame(&env, &["capsule", "export", "one.release", "--without", "publik", "-o", "x"]);
    refused.exits(2).says("none of own-source, private, public");

    // A slim release without its builder's store is not completed by anything; nothing is written.
    let cold = empty();
    let slim = path(&env, "project/two.release");
    let incomplete = selfsame(&cold, &["capsule", "export", &slim, "-o", "full.tar"]);
    assert!(one_error(incomplete.exits(2)).starts_with("the capsule would lack"), "{}", incomplete.stderr);
    assert!(incomplete.stderr.contains("toolchain sh"), "{}", incomplete.stderr);
    assert!(!cold.at("project/full.tar").exists());
    selfsame(&cold, &["capsule", "export", &slim, "--without", "private", "-o", "slim.tar"]).succeeds();
    assert_store_intact(&cold);
}

/// A part that the release's provenance does not name is refused before anything of the capsule is brought.
#[test]
fn sandbox_a_part_that_no_provenance_names_is_refused() {
    const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    let Some(env) = two() else { return };
    selfsame(&env, &["capsule", "export", "one.release", "-o", "capsule"]).succeeds();
    let folder = env.at("project/capsule");
    let read = |descriptor: &Descriptor| fs::read(folder.join(layout::blob_path(descriptor.digest))).expect("a blob");
    let put = |bytes: &[u8]| fs::write(folder.join(layout::blob_path(Digest::of(bytes))), bytes).expect("a blob");
    let index = |bytes: &[u8]| selfsame_oci::Index::parse(bytes, INDEX).expect("an index").manifests;
    let top = index(&fs::read(folder.join(layout::INDEX_FILE)).expect("an index"));
    let mut release = index(&read(&top[0]));
    let of_capsule = release.pop().expect("a capsule");
    let manifest = read(&of_capsule);
    let parsed = selfsame_oci::Manifest::parse(&manifest, &of_capsule.media_type).expect("a manifest");
    let mut parts = parsed.layers;
    let foreign = b"somebody else's";
    put(foreign);
    parts.push(Descriptor::of("application/octet-stream", foreign));
    let subject = parsed.subject.expect("an image");
    let kind = "application/vnd.selfsame.capsule.v1+json";
    let changed = referrer_manifest(&subject, kind, &parts, &parsed.annotations);
    put(&changed.bytes);
    release.push(changed.descriptor);
    let changed = selfsame_oci::index(&release, &BTreeMap::new());
    put(&changed.bytes);
    for descriptor in [&of_capsule, &top[0]] {
        fs::remove_file(folder.join(layout::blob_path(descriptor.digest))).expect("a blob");
    }
    let listed = listed(&changed.descriptor, "probe:1.0.0");
    fs::write(folder.join(layout::INDEX_FILE), selfsame_oci::index(&[listed], &BTreeMap::new()).bytes)
        .expect("an index");

    let cold = empty();
    let (capsule, out) = (path(&env, "project/capsule"), path(&cold, "out"));
    let import = selfsame(&cold, &["capsule", "import", &capsule, "-o", &out]);
    assert!(one_error(import.exits(2)).contains("no input of its release"), "{}", import.stderr);
    assert!(!cold.at("out").exists() && !cold.store().exists());
    let verdict = selfsame(&env, &["verify", "capsule", "--key", &path(&env, DEV_KEY), "--json"]);
    assert_eq!(verdict.exits(1).json()["class"], "not-verified");
    let check = selfsame(&env, &["capsule", "check", "capsule", "--key", &path(&env, DEV_KEY), "--json"]);
    assert_eq!(check.exits(1).json()["releases"][0]["class"], "not-verified");
}

/// The layers of a base are in the image, too: they stay. Its other parts are from a folder, and nobody else's to have.
#[test]
fn sandbox_what_the_image_holds_stays() {
    let Some(env) = two() else { return };
    let key = path(&env, DEV_KEY);
    env.write("over/seed", "over a base\n");
    env.write("over/extra", "a file\n");
    env.write(
        "over/selfsame.toml",
        "name = \"over\"\nversion = \"1.0.0\"\n[source]\nepoch = 1700000000\n[input.base]\noci = \"oci:../one.release\"\n\
         [input.extra]\nfile = \"extra\"\n[image]\nbase = \"base\"\n[[image.file]]\nfrom = \"source:seed\"\nto = \"/seed\"\n",
    );
    build(&env, &["over", "-o", "over.release"]).succeeds();
    let private = |releases: &[&str], output: &str| {
        let words = [&["capsule", "export", "--without", "private", "-o", output], releases].concat();
        selfsame(&env, &words).succeeds();
        let parts = &parts(&env.project().join(output))["over:1.0.0"];
        parts.iter().filter(|part| part["annotations"]["dev.selfsame.class"] == "private").count()
    };
    // Of manifest, config and layer of the base and of the file one is in the image; three are beside the other's.
    assert_eq!(private(&["over.release"], "alone"), 1);
    assert_eq!(private(&["one.release", "over.release"], "given"), 3);
    for release in ["given#over:1.0.0", "given#probe:1.0.0"] {
        selfsame(&env, &["verify", release, "--key", &key]).succeeds();
    }
    // What is shared is the base: the first release's own image.
    let du = selfsame(&env, &["capsule", "du", "one.release", "over.release", "--json"]).succeeds().json();
    assert!(du["shared"].as_u64() > Some(0), "{du}");
    let all = selfsame(&env, &["capsule", "export", "over.release", "-o", "over.tar"]);
    all.succeeds();
    selfsame(&env, &["capsule", "check", "over.tar", "--key", &key]).succeeds();
}

/// Bytes by name.
type Files = BTreeMap<String, Vec<u8>>;

/// A capsule: of nothing but documents, so that every fault can be made.
fn small() -> Files {
    let mut files = BTreeMap::new();
    let mut blob = |bytes: Vec<u8>| {
        files.insert(layout::blob_path(Digest::of(&bytes)), bytes);
    };
    let config = Descriptor::of("application/vnd.oci.image.config.v1+json", b"{\"config\":1}");
    blob(b"{\"config\":1}".to_vec());
    blob(b"{}".to_vec());
    let image = selfsame_oci::image_manifest(&config, &[], &BTreeMap::new());
    blob(image.bytes);
    let capsule =
        referrer_manifest(&image.descriptor, "application/vnd.selfsame.capsule.v1+json", &[], &BTreeMap::new());
    blob(capsule.bytes);
    let release = layout::index_file(&image.descriptor, "a:1", &[capsule.descriptor]);
    blob(release.bytes);
    let listed = listed(&release.descriptor, "a:1");
    files.insert(layout::LAYOUT_FILE.to_owned(), layout::layout_file());
    files.insert(layout::INDEX_FILE.to_owned(), selfsame_oci::index(&[listed], &BTreeMap::new()).bytes);
    files
}

fn listed(release: &Descriptor, name: &str) -> Descriptor {
    let mut listed = release.clone().annotated(REF_NAME, name);
    listed.artifact_type = Some("application/vnd.selfsame.release.v1".to_owned());
    listed
}

fn write(env: &TestEnv, name: &str, files: &Files) -> PathBuf {
    let folder = env.at(name);
    for (name, bytes) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, bytes).expect("a file");
    }
    folder
}

#[test]
fn what_is_no_capsule_is_refused_by_name() {
    let env = empty();
    let index = |manifests: &[Descriptor]| selfsame_oci::index(manifests, &BTreeMap::new());
    // As it is it is read; it only says nothing of where it came from.
    let whole = write(&env, "whole", &small());
    let (whole, out) = (whole.to_str().expect("UTF-8"), path(&env, "out"));
    selfsame(&env, &["capsule", "du", whole]).succeeds();
    let import = selfsame(&env, &["capsule", "import", whole, "-o", &out]);
    assert!(one_error(import.exits(2)).contains("has no provenance"), "{}", import.stderr);
    let mut number = 0;
    let mut refused = |change: &dyn Fn(&mut Files), because: &str| {
        let mut files = small();
        change(&mut files);
        number += 1;
        let folder = write(&env, &format!("bad-{number}"), &files);
        let out = path(&env, "out");
        for words in [&["import", "-o", &out][..], &["du"], &["export", "-o", &out]] {
            let words: Vec<&str> = [&["capsule"], words, &[folder.to_str().expect("UTF-8")]].concat();
            let output = env.selfsame(&words);
            let headline = one_error(output.exits(2));
            assert!(headline.contains(because), "{because}: {}", output.transcript(Filter::NONE));
            assert!(!env.at("out").exists());
        }
    };
    let add = |files: &mut Files, bytes: &[u8]| {
        files.insert(layout::blob_path(Digest::of(bytes)), bytes.to_vec());
    };
    let relist = |files: &mut Files, manifests: &[Descriptor]| {
        files.insert(layout::INDEX_FILE.to_owned(), index(manifests).bytes);
    };
    let config = layout::blob_path(Digest::of(b"{\"config\":1}"));

    refused(&|files| drop(files.remove(&config)), "is missing");
    refused(&|files| add(files, b"foreign"), "nothing names its file `blobs/sha256/");
    refused(&|files| drop(files.insert("README".to_owned(), b"x".to_vec())), "nothing names its file `README`");
    refused(
        &|files| drop(files.insert("manifest.json".to_owned(), b"[]".to_vec())),
        "nothing names its file `manifest.json`",
    );
    refused(&|files| drop(files.remove(layout::LAYOUT_FILE)), "oci-layout is missing");
    refused(&|files| files.get_mut(layout::INDEX_FILE).expect("a file").push(b' '), "not canonical");
    // An index that lists itself, or an index of indexes.
    refused(
        &|files| {
            let inner = index(&[]);
            add(files, &inner.bytes);
            let deeper = index(std::slice::from_ref(&inner.descriptor));
            add(files, &deeper.bytes);
            let outer = index(&[inner.descriptor.annotated(REF_NAME, "a:1"), deeper.descriptor]);
            add(files, &outer.bytes);
            relist(files, &[listed(&outer.descriptor, "a:1")]);
        },
        "which is not a manifest",
    );
    refused(
        &|files| {
            let leaf = index(&[]);
            add(files, &leaf.bytes);
            let inner = index(&[leaf.descriptor]);
            add(files, &inner.bytes);
            let outer = index(&[inner.descriptor.annotated(REF_NAME, "a:1")]);
            add(files, &outer.bytes);
            relist(files, &[listed(&outer.descriptor, "a:1")]);
        },
        "which is not an image",
    );
    refused(
        &|files| {
            let release = Digest::of(b"nowhere");
            relist(files, &[listed(&Descriptor::new("application/vnd.oci.image.index.v1+json", release, 7), "a:1")]);
        },
        "is missing",
    );
    refused(
        &|files| {
            let stranger = artifact_manifest("application/vnd.example.v1", &[]);
            add(files, &stranger.bytes);
            let mut all: Vec<Descriptor> =
                selfsame_oci::Index::parse(&files[layout::INDEX_FILE], "application/vnd.oci.image.index.v1+json")
                    .expect("an index")
                    .manifests;
            all.push(stranger.descriptor);
            relist(files, &all);
        },
        "which is nothing that a capsule has",
    );
    refused(
        &|files| {
            let manifests =
                selfsame_oci::Index::parse(&files[layout::INDEX_FILE], "application/vnd.oci.image.index.v1+json")
                    .expect("an index")
                    .manifests;
            relist(files, &[manifests[0].clone(), manifests[0].clone()]);
        },
        "twice or out of order",
    );
    assert_store_intact(&env);
}

#[test]
fn tars_that_are_cut_short_or_lead_elsewhere_are_refused() {
    let env = empty();
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in small() {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, bytes.as_slice()).expect("a member");
    }
    let whole = tar.into_inner().expect("a tar");
    let import = |name: &str, bytes: &[u8]| {
        fs::write(env.at(name), bytes).expect("a file");
        let output = selfsame(&env, &["capsule", "import", &path(&env, name), "-o", &path(&env, "out")]);
        assert!(!env.at("out").exists());
        one_error(output.exits(2)).to_owned()
    };
    // It is read; it only says nothing of where it came from.
    assert!(import("whole.tar", &whole).contains("has no provenance"));
    for length in [0, 100, 512, 700, 1536, whole.len() / 2] {
        import("cut.tar", &whole[..length]);
    }
    // A blob by an absolute path, or out of the folder, is nothing that anybody asks for.
    for name in ["/etc/passwd", "../../etc/passwd", "blobs/sha256/../../x"] {
        let mut header = tar::Header::new_ustar();
        header.set_size(1);
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        let mut member = [header.as_bytes().as_slice(), b"x"].concat();
        member.resize(1024, 0);
        let refused = import("elsewhere.tar", &[&member, whole.as_slice()].concat());
        assert!(refused.contains("nothing names its file"), "{refused}");
    }
    let mut link = tar::Header::new_ustar();
    link.set_entry_type(tar::EntryType::Symlink);
    link.set_path("index.json").expect("a name");
    link.set_link_name("/etc/passwd").expect("a name");
    link.set_size(0);
    link.set_cksum();
    import("link.tar", &[link.as_bytes().as_slice(), whole.as_slice()].concat());
    assert_store_intact(&env);
}

#[test]
fn sandbox_a_capsule_with_other_bytes_leaves_nothing() {
    let Some(env) = two() else { return };
    selfsame(&env, &["capsule", "export", "one.release", "-o", "capsule"]).succeeds();
    let pack = with_title(&parts(&env.at("project/capsule"))["probe:1.0.0"], "toolchain sh.tar.gz").clone();
    let file = env.at("project/capsule/blobs/sha256").join(pack["digest"].as_str().expect("text").split_at(7).1);
    let whole = fs::read(&file).expect("a pack");
    let cold = empty();
    let (capsule, out) = (path(&env, "project/capsule"), path(&cold, "out"));
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    for bytes in [&flipped[..], &whole[..middle], b"", &[&whole[..], b"more"].concat()] {
        fs::write(&file, bytes).expect("a pack");
        let output = selfsame(&cold, &["capsule", "import", &capsule, "-o", &out]);
        let headline = one_error(output.exits(2));
        assert!(headline.contains("pack ") || headline.contains("sha256:"), "{headline}");
        assert!(!cold.at("out").exists());
        assert_store_intact(&cold);
        // Nobody exports from it, either.
        selfsame(&cold, &["capsule", "export", &capsule, "-o", "x.tar"]).exits(2);
    }
    fs::write(&file, &whole).expect("a pack");
    selfsame(&cold, &["capsule", "import", &capsule]).succeeds();
    // What the store has is not read for it; what is written out is.
    fs::write(&file, &flipped).expect("a pack");
    let output = selfsame(&cold, &["capsule", "import", &capsule, "-o", &out]);
    assert!(one_error(output.exits(2)).starts_with("a blob is not what it is named for"), "{}", output.stderr);
    assert!(!cold.at("out").exists());
    fs::write(&file, whole).expect("a pack");
    selfsame(&cold, &["capsule", "import", &capsule, "-o", &out]).succeeds();
    assert!(files_below(&cold.at("out")).iter().any(|file| file.ends_with("index.json")));
}
