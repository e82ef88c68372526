//! The whole pipeline in a made world: an executor that runs nothing, a store in a temporary folder, a fixed key.

mod base;
mod capsules;
mod fuzz;
mod packages;
mod platforms;

use std::collections::BTreeMap;

use selfsame_action::{Action, Execution, ExecutionError, Executor, Variation};
use selfsame_attest::{Predicate as _, Provenance, RebuildVerdict, SigningKey};
use selfsame_core::{Digest, Level, Platform, Profile, RelPath, SourceEpoch, json, uri};
use selfsame_definition::Definition;
use selfsame_store::Store;
use selfsame_tree::{Entry, Tree};

use crate::provenance::{provenance_of, request_digest, request_from};
use crate::rebuild::{self, Original, actions_of};
use crate::request::{
    Component, CrateInput, InputPart, InputSet, Origin, Request, Source, ToolchainInput, ToolchainKind,
};
use crate::{BuildError, Built, Extent, Inputs, Mode, Quiet, build, capsule, lay_out, sign, statements};

const DEFINITION: &str = r#"
name = "hello"
version = "1.0.0"
license = "MIT"
[source]
epoch = 1700000000
[toolchain.cc]
host = true
[[action]]
name = "compile"
run = ["cc", "-o", "hello", "hello.c"]
outputs = ["hello", "share"]
[[action]]
name = "strip"
run = ["strip", "-o", "small", "/inputs/compile/hello"]
inputs = ["compile"]
outputs = ["small"]
[image]
entrypoint = ["/bin/hello"]
env = { B = "2", A = "1" }
labels = { "org.example" = "x" }
ports = ["8080/tcp"]
user = "1000:1000"
workdir = "/srv"
[[image.file]]
from = "strip:small"
to = "/bin/hello"
mode = "0755"
[[image.file]]
from = "compile:share"
to = "/usr/share"
owner = "0:5"
[[image.file]]
from = "source:hello.c"
to = "/usr/src/hello.c"
"#;

/// Leaves what its name says; nondeterministic on request.
struct Fake<'a> {
    store: &'a Store,
    /// What an output's content ends with when the action runs under variation.
    variation: &'a str,
}

impl Executor for Fake<'_> {
    fn run(&self, action: &Action, variation: Variation) -> Result<Execution, ExecutionError> {
        let suffix = if variation == Variation::Check { self.variation } else { "" };
        let mut entries = Vec::new();
        for output in &action.outputs {
            let content = format!("{} of {}{suffix}", output, action.name);
            let digest = self.store.put_bytes(content.as_bytes(), false).expect("a store");
            let file = Entry::file(digest, content.len() as u64, false);
            let path = if output.as_str() == "share" { path("share/doc/readme") } else { output.clone() };
            entries.push((path, file));
        }
        Ok(Execution {
            output: Tree::from_entries(entries).expect("a tree"),
            normalised: None,
            level: Level::Normalized,
            sandbox: BTreeMap::from([("network".to_owned(), "none".to_owned())]),
            host: BTreeMap::new(),
            log: Digest::of(b""),
            duration_millis: 1,
        })
    }
}

fn path(text: &str) -> RelPath {
    RelPath::new(text).expect("a path")
}

fn inputs(store: &Store) -> Inputs {
    let put = |text: &str| store.put_bytes(text.as_bytes(), false).expect("a store");
    let file = |text: &str| Entry::file(put(text), text.len() as u64, false);
    let source = Tree::from_entries([(path("hello.c"), file("int main(void){return 0;}\n"))]).expect("a tree");
    let cc = Tree::from_entries([(path("usr/bin/cc"), file("a compiler\n"))]).expect("a tree");
    let toolchain = ToolchainInput { tree: store.put_tree(&cc).expect("a store"), kind: ToolchainKind::Captured };
    Inputs {
        definition: Definition::parse(DEFINITION).expect("a definition"),
        request: Request {
            name: "hello".to_owned(),
            version: "1.0.0".to_owned(),
            definition: put(DEFINITION),
            lock: None,
            host_lock: Some(put("version = 1\n")),
            source: Source {
                tree: store.put_tree(&source).expect("a store"),
                origin: Origin::Path {
                    commit: Some("0123456789abcdef0123456789abcdef01234567".to_owned()),
                    dirty: false,
                },
            },
            toolchains: BTreeMap::from([("cc".to_owned(), toolchain)]),
            inputs: BTreeMap::new(),
            crates: Vec::new(),
            epoch: SourceEpoch::new(1_700_000_000).expect("an epoch"),
            profile: Profile::CURRENT,
            level: Level::Normalized,
            platform: "linux/amd64".parse::<Platform>().expect("a platform"),
            platforms: Vec::new(),
            build_platform: "linux/amd64".parse::<Platform>().expect("a platform"),
            relaxations: BTreeMap::new(),
            builder_id: uri::BUILDER_LOCAL.to_owned(),
        },
        source,
        toolchains: BTreeMap::from([("cc".to_owned(), cc)]),
        inputs: BTreeMap::new(),
        base: None,
        cargo: None,
        described: BTreeMap::new(),
        toolchain_packages: Vec::new(),
    }
}

fn world() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(&folder.path().join("store")).expect("a store");
    (folder, store)
}

const CHECKED: Mode = Mode { use_cache: true, check: true };
const COLD: Mode = Mode { use_cache: false, check: false };

fn built(store: &Store, mode: Mode) -> Built {
    build(&inputs(store), store, &Fake { store, variation: "" }, mode, 2, &Quiet).expect("a build")
}

fn key() -> SigningKey {
    SigningKey::generate(|seed: &mut [u8; 32]| {
        *seed = [7; 32];
        Ok(())
    })
    .expect("a key")
}

/// Golden: what profile 1 makes of this world. Another digest here is a new profile.
#[test]
fn a_release_is_a_function_of_its_request() {
    let (_folder, store) = world();
    let built = built(&store, CHECKED);
    assert!(built.checked);
    let evidence = sign(&statements(&built, None), &key()).expect("signatures");
    let request = &inputs(&store);
    let capsule = capsule::contents(request, Extent::Full, &store, 3).expect("a capsule");
    let release = lay_out(&built, &evidence, &capsule);
    let config = store.read_blob(&built.record.image.config.digest, 1 << 20).expect("a config");
    insta::assert_snapshot!(String::from_utf8(config).expect("text"), @r#"{"architecture":"amd64","config":{"Entrypoint":["/bin/hello"],"Env":["A=1","B=2"],"ExposedPorts":{"8080/tcp":{}},"Labels":{"org.example":"x"},"User":"1000:1000","WorkingDir":"/srv"},"created":"2023-11-14T22:13:20Z","history":[{"created":"2023-11-14T22:13:20Z","created_by":"selfsame build"}],"os":"linux","rootfs":{"diff_ids":["sha256:514c84613dce87d841541b3b72ab33ad41cdddc136617780b447755cfe17c4e9"],"type":"layers"}}"#);
    let manifest = store.read_blob(&built.record.image.manifest.digest, 1 << 20).expect("a manifest");
    insta::assert_snapshot!(String::from_utf8(manifest).expect("text"), @r#"{"annotations":{"org.opencontainers.image.created":"2023-11-14T22:13:20Z","org.opencontainers.image.title":"hello","org.opencontainers.image.version":"1.0.0"},"config":{"digest":"sha256:73ca3bab178a6cd650cd01edfd1f33ad239d3c52fa25b35d6ef59addf6c51b68","mediaType":"application/vnd.oci.image.config.v1+json","size":419},"layers":[{"digest":"sha256:23e32ba7103fe7fb3f4bf21b25e621c832c39aaaba412c574b3cd9e881921cd9","mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","size":293}],"mediaType":"application/vnd.oci.image.manifest.v1+json","schemaVersion":2}"#);
    let provenance = String::from_utf8(json::canonical(&provenance_of(&built.record))).expect("text");
    insta::assert_snapshot!(provenance, @r#"{"buildDefinition":{"buildType":"https://selfsame.dev/build/v1","externalParameters":{"definition":"selfsame:definition","level":"normalized","name":"hello","platform":"linux/amd64","source":{"digest":{"gitCommit":"0123456789abcdef0123456789abcdef01234567","sha256":"5dabb4f396a40b661033af148f044042d1830d51b90a53d7e37641cabc764474"},"uri":"selfsame:source"},"version":"1.0.0"},"internalParameters":{"actions":[{"actionDigest":{"sha256":"eb0360fad5ef85f2b4d5cb23edbaba16450b13b7ad38d60d9ff0dcbead74a0b9"},"name":"compile","outputTree":{"sha256":"723b4a9b7538f73e0cc4250a3c9e57e6d2f32d71938775d477e696bfe6ca06e5"}},{"actionDigest":{"sha256":"a4a32e48c3be1207e9b751a74e49d0ee3b9f5355a4e49f59a913acf3323d7d17"},"name":"strip","outputTree":{"sha256":"de5ef45b81c2ec0aa3c74bb1992de82a133a7fd4882e293b6367edbbc1f44176"}}],"epoch":1700000000,"level":"normalized","profile":1,"sandbox":{"network":"none"}},"resolvedDependencies":[{"digest":{"sha256":"9f8cf0d1c2a4d70addc53d18f09ef7df78951defdd35e294f6b7e0f3dca23c1c"},"mediaType":"application/vnd.selfsame.definition.v1+toml","name":"selfsame.toml","uri":"selfsame:definition"},{"digest":{"sha256":"dbab12665d98aef021ba64953c61b0ed8a908cfb56a1c01e2fcb4b052b71a2a1"},"mediaType":"application/vnd.selfsame.lock.v1+toml","name":"selfsame.host.lock","uri":"selfsame:host-lock"},{"annotations":{"dirty":false},"digest":{"gitCommit":"0123456789abcdef0123456789abcdef01234567","sha256":"5dabb4f396a40b661033af148f044042d1830d51b90a53d7e37641cabc764474"},"mediaType":"application/vnd.selfsame.tree.v1","name":"source","uri":"selfsame:source"},{"annotations":{"captured":true},"digest":{"sha256":"7e8609241689fc01c64fb750d2f76b8f19ba8c7ded1efa0f016b7c82f842f1ab"},"mediaType":"application/vnd.selfsame.tree.v1","name":"toolchain cc","uri":"selfsame:toolchain/cc"}]},"runDetails":{"builder":{"id":"https://selfsame.dev/builder/local"},"byproducts":[{"digest":{"sha256":"26d6c98d0a9705d2bd4abbcc224436193f85f2208106571dd1ff3bbe11dc73f6"},"mediaType":"application/vnd.cyclonedx+json","name":"sbom.cdx.json"}]}}"#);
    insta::assert_snapshot!(built.record.image.tree, @r#"
    selfsame-tree v1
    bin dir 0755 0:0 r0
    bin/hello file 0755 0:0 r0 14 sha256:13a9395ef9061b01a66c4338ea90b7862faa7c033afa91218d1fa1be9467b768
    usr dir 0755 0:0 r0
    usr/share dir 0755 0:0 r0
    usr/share/doc dir 0755 0:0 r0
    usr/share/doc/readme file 0644 0:5 r0 16 sha256:1d17aa0d78c88ecea8b806919c5da715887782a058d858839951899bb07776f6
    usr/src dir 0755 0:0 r0
    usr/src/hello.c file 0644 0:0 r0 26 sha256:86004d65c4f387c95467c6cee92bc1f1f8cb04d6650be09fbd1e359834a56766
    "#);
    let crate::Content::Bytes(index) = &release.files["index.json"] else { panic!("index.json is short") };
    insta::assert_snapshot!(format!("release {}\nindex {}", evidence.release_id, Digest::of(index)), @r#"
    release sha256:da7c55023efa4e28787d37a2fa217729d9619d08bea3c5fb97fcf8075bcd36e4
    index sha256:7d2ceed50cedea37658430c3262b6832fc528ad78e2ed36b85c398631abd3ce1
    "#);

    let (_other, other) = world();
    let again = self::built(&other, COLD);
    let evidence_again = sign(&statements(&again, None), &key()).expect("signatures");
    let bundles = |evidence: &crate::Evidence| evidence.bundles.iter().map(|b| b.bundle.clone()).collect::<Vec<_>>();
    assert_eq!(bundles(&evidence), bundles(&evidence_again));
}

#[test]
fn request_and_provenance_are_inverses() {
    let (_folder, store) = world();
    let mut record = built(&store, COLD).record;
    let locked =
        Origin::Locked { purl: "pkg:cargo/lz4-sys@1.11.1%2Blz4-1.10.0".to_owned(), sha256: Digest::of(b"crate") };
    let rustup = ToolchainKind::Rustup {
        components: vec![Component {
            name: "rustc".to_owned(),
            url: "https://example.com/rustc.tar.xz".to_owned(),
            sha256: Digest::of(b"rustc"),
        }],
    };
    for origin in [locked, Origin::Path { commit: None, dirty: true }, record.request.source.origin.clone()] {
        record.request.source.origin = origin;
        record.request.lock = Some(Digest::of(b"lock"));
        record.request.relaxations = BTreeMap::from([("proc".to_owned(), "a container".to_owned())]);
        let krate = |name: &str, version: &str| CrateInput {
            name: name.to_owned(),
            version: version.to_owned(),
            sha256: Digest::of(name.as_bytes()),
            is_private: false,
        };
        record.request.crates = vec![krate("libc", "0.2.1"), krate("libz-sys", "1.1.0+z1")];
        let rust = ToolchainInput { tree: Digest::of(b"rust"), kind: rustup.clone() };
        record.request.toolchains.insert("rust".to_owned(), rust);
        let part = |name: &str| InputPart {
            purl: format!("pkg:deb/debian/{name}@1"),
            sha256: Digest::of(name.as_bytes()),
            role: None,
            platform: None,
        };
        for (name, configured) in [
            ("base", Some(vec!["logs".to_owned(), "machine-id".to_owned()])),
            ("bare", Some(Vec::new())),
            ("plain", None),
        ] {
            let set = InputSet { kind: "deb".to_owned(), tree: Digest::of(b"t"), configured, parts: vec![part(name)] };
            record.request.inputs.insert(name.to_owned(), set);
        }
        // Through the bytes, as a reader has it.
        let predicate = provenance_of(&record).to_json();
        let read = Provenance::parse(&predicate).expect("provenance");
        assert_eq!(request_from(&read).expect("a request"), record.request);
    }
}

#[test]
fn a_request_has_another_identity_if_anything_in_it_differs() {
    type Change = fn(&mut Request);
    let other = Digest::of(b"other");
    let changes: [Change; 13] = [
        |_| {},
        |request| request.name.push('x'),
        |request| request.version.push('1'),
        |request| request.definition = Digest::of(b"other"),
        |request| request.lock = Some(Digest::of(b"other")),
        |request| request.host_lock = None,
        |request| request.source.tree = Digest::of(b"other"),
        |request| request.source.origin = Origin::Path { commit: None, dirty: true },
        |request| request.toolchains.clear(),
        |request| request.epoch = SourceEpoch::new(1).expect("an epoch"),
        |request| request.level = Level::Isolated,
        |request| request.relaxations = BTreeMap::from([("proc".to_owned(), "why".to_owned())]),
        |request| request.builder_id.push('x'),
    ];
    let (_folder, store) = world();
    let request = inputs(&store).request;
    let mut digests: Vec<Digest> = changes
        .iter()
        .map(|change| {
            let mut request = request.clone();
            change(&mut request);
            request_digest(&request)
        })
        .collect();
    let mut with_crate = request.clone();
    with_crate.crates =
        vec![CrateInput { name: "memchr".to_owned(), version: "2.7.4".to_owned(), sha256: other, is_private: false }];
    digests.push(request_digest(&with_crate));
    with_crate.crates[0].is_private = true;
    assert_eq!(crate::provenance::dependencies(&with_crate).last().unwrap().annotations["registry"], "private");
    with_crate.crates[0].sha256 = Digest::of(b"another");
    digests.push(request_digest(&with_crate));
    assert_eq!(request_digest(&request), digests[0]);
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), changes.len() + 2);
}

#[test]
fn provenance_without_a_part_is_refused_by_name() {
    let (_folder, store) = world();
    let whole = provenance_of(&built(&store, COLD).record);
    let fault = |change: &dyn Fn(&mut Provenance)| {
        let mut provenance = whole.clone();
        change(&mut provenance);
        request_from(&provenance).expect_err("a part is missing").to_string()
    };
    let drop =
        |uri: &'static str| move |p: &mut Provenance| p.build_definition.resolved_dependencies.retain(|d| d.uri != uri);
    assert!(fault(&drop("selfsame:source")).contains("names no source"));
    assert!(fault(&drop("selfsame:definition")).contains("names no definition"));
    assert!(fault(&|p| p.build_definition.build_type.push('x')).contains("buildType"));
    assert!(fault(&|p| _ = p.build_definition.external_parameters.remove("level")).contains("level"));
    assert!(fault(&|p| _ = p.build_definition.internal_parameters.insert("profile".into(), 99.into())).contains("99"));
    assert!(
        fault(&|p| p.build_definition.resolved_dependencies[0].digest = selfsame_attest::DigestSet::default())
            .contains("without a SHA-256")
    );
}

#[test]
fn what_differs_the_second_time_is_not_signed() {
    let (_folder, store) = world();
    let fake = Fake { store: &store, variation: " once more" };
    let error = build(&inputs(&store), &store, &fake, CHECKED, 1, &Quiet).expect_err("outputs differ");
    let BuildError::NotReproducible { action, paths, .. } = error else { panic!("{error}") };
    assert_eq!((action.as_str(), paths.len()), ("compile", 2));
    // Without the check nobody notices, and the result is not taken for a checked one later.
    let mode = Mode { use_cache: true, check: false };
    assert!(!build(&inputs(&store), &store, &fake, mode, 1, &Quiet).expect("a build").checked);
    assert!(build(&inputs(&store), &store, &fake, CHECKED, 1, &Quiet).is_err());
}

#[test]
fn a_checked_result_is_not_made_again() {
    struct Never;
    impl Executor for Never {
        fn run(&self, action: &Action, _: Variation) -> Result<Execution, ExecutionError> {
            panic!("{} ran", action.name)
        }
    }
    let (_folder, store) = world();
    let first = built(&store, CHECKED);
    let second = build(&inputs(&store), &store, &Never, CHECKED, 1, &Quiet).expect("a build");
    assert!(second.checked && second.record.steps.iter().all(|step| step.run.cached));
    assert_eq!(first.record.image.manifest, second.record.image.manifest);
}

#[test]
fn secrets_and_conflicts_stop_a_build() {
    let (_folder, store) = world();
    let fails = |definition: &str| {
        let mut inputs = inputs(&store);
        inputs.definition = Definition::parse(definition).expect("a definition");
        build(&inputs, &store, &Fake { store: &store, variation: "" }, COLD, 1, &Quiet)
            .expect_err("a fault")
            .to_string()
    };
    let secret = DEFINITION.replace("env = { B = \"2\"", "env = { API_TOKEN = \"0123456789\"");
    assert_eq!(fails(&secret), "image env API_TOKEN looks like a secret: its name says so");
    let missing = DEFINITION.replace("\"compile:share\"", "\"compile:share/nothing\"");
    assert_eq!(fails(&missing), "image file `compile:share/nothing` is not in what the action left");
    let mode = DEFINITION.replace("owner = \"0:5\"", "mode = \"0700\"");
    assert_eq!(fails(&mode), "image file `compile:share` is a folder, and `mode` is for files");
    let conflict = DEFINITION.replace("\"/usr/src/hello.c\"", "\"/usr/share/doc/readme\"");
    assert!(fails(&conflict).contains("`/usr/share/doc/readme`, where something else is"));
}

#[test]
fn toolchains_that_disagree_are_named() {
    let (_folder, store) = world();
    let mut inputs = inputs(&store);
    let text = DEFINITION
        .replace("[toolchain.cc]\nhost = true", "[toolchain.cc]\nhost = true\n[toolchain.other]\nhost = true");
    inputs.definition = Definition::parse(&text).expect("a definition");
    let digest = store.put_bytes(b"another compiler\n", false).expect("a store");
    let other = Tree::from_entries([(path("usr/bin/cc"), Entry::file(digest, 17, false))]).expect("a tree");
    let tree = store.put_tree(&other).expect("a store");
    inputs.request.toolchains.insert("other".to_owned(), ToolchainInput { tree, kind: ToolchainKind::Captured });
    inputs.toolchains.insert("other".to_owned(), other);
    let fake = Fake { store: &store, variation: "" };
    let error = build(&inputs, &store, &fake, COLD, 1, &Quiet).expect_err("a conflict").to_string();
    assert_eq!(error, "inputs `toolchain cc` and `toolchain other` of action `compile` both claim `/usr/bin/cc`");
}

#[test]
fn a_capsule_brings_every_input_back() {
    let (_folder, store) = world();
    let inputs = inputs(&store);
    let parts = capsule::contents(&inputs, Extent::Full, &store, 2).expect("a capsule");
    let (_other, other) = world();
    for part in &parts {
        let blob = store.read_blob(&part.digest, 1 << 20).expect("a part");
        capsule::import(part, &blob[..], &other).expect("an import");
    }
    for digest in [inputs.request.definition, inputs.request.source.tree, inputs.request.toolchains["cc"].tree] {
        assert!(other.has(&digest));
    }
    for tree in [&inputs.source, &inputs.toolchains["cc"]] {
        assert!(other.missing(tree).expect("a store").is_empty());
    }
    // A slim one lists the toolchain's files and leaves them out.
    let slim = capsule::contents(&inputs, Extent::Slim, &store, 2).expect("a capsule");
    assert_eq!(slim.len() + 1, parts.len());
}

#[test]
fn verdicts_of_a_rebuild() {
    let (_folder, store) = world();
    let first = built(&store, COLD);
    let original = |built: &Built| Original {
        image: built.record.image.manifest.digest,
        diff_ids: built.record.image.layers.iter().map(|layer| layer.diff_id).collect(),
        payloads: statements(built, None)
            .iter()
            .map(|statement| (statement.predicate_type.clone(), Digest::of(&statement.to_payload())))
            .collect(),
        actions: actions_of(&provenance_of(&built.record).build_definition.internal_parameters),
        not_checked_because: None,
    };
    let same = rebuild::compare(&original(&first), &first);
    assert_eq!((same.verdict, same.cause.as_str(), same.compared.len()), (RebuildVerdict::Same, "", 5));

    let mut evidence = original(&first);
    evidence.payloads.insert(uri::CYCLONEDX.to_owned(), Digest::of(b"another mapping"));
    let outcome = rebuild::compare(&evidence, &first);
    assert_eq!(outcome.verdict, RebuildVerdict::Equivalent);
    assert_eq!(outcome.cause, "the image is equal; the evidence differs in sbom");

    let mut compressor = original(&first);
    compressor.image = Digest::of(b"another compressor");
    assert_eq!(rebuild::compare(&compressor, &first).verdict, RebuildVerdict::Equivalent);

    let mut content = compressor;
    content.diff_ids = vec![Digest::of(b"another layer")];
    content.actions[0].output = Digest::of(b"another output");
    let outcome = rebuild::compare(&content, &first);
    assert_eq!(outcome.verdict, RebuildVerdict::Differs);
    assert_eq!(outcome.first_differing_action.as_deref(), Some("compile"));
}
