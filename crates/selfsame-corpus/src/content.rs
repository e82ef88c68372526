//! What the signed documents say: forms are good, the right key signed, and the content contradicts the release.

use std::borrow::Borrow;

use selfsame_attest::{DigestSet, Provenance, Statement};
use selfsame_core::{Digest, uri};
use serde_json::{Map, Value, json};

use crate::attack::Answer::No;
use crate::attack::{Attack, attack, release_case};
use crate::case::Grounds::Content;
use crate::case::{Case, Class};
use crate::release::{DATA, HELLO, Parts, file_component};

/// Attacks on provenance alone, which a bundle about a file can carry, too.
pub(crate) fn attacks() -> Vec<Attack> {
    let parameters = |because: &'static str| [No("parameters", because); 2];
    let with = |change: fn(&mut Map<String, Value>)| {
        move |source: &crate::attack::Source| source.changed(|it| change(&mut it.predicate))
    };
    vec![
        attack(
            49,
            "unknown-parameter",
            "a request with a field that nobody reads",
            Content,
            parameters("unknown field `sources`"),
            with(|it| it["buildDefinition"]["externalParameters"]["sources"] = json!(["elsewhere"])),
        ),
        attack(
            49,
            "unknown-field-of-the-source",
            "a source with a field that nobody reads",
            Content,
            parameters("`source` has the unknown field `ref`"),
            with(|it| it["buildDefinition"]["externalParameters"]["source"]["ref"] = json!("main")),
        ),
        attack(
            49,
            "parameter-missing",
            "a request that names no source",
            Content,
            parameters("`source` is missing"),
            {
                with(|it| {
                    let fields = it["buildDefinition"]["externalParameters"].as_object_mut();
                    fields.and_then(|fields| fields.remove("source"));
                })
            },
        ),
        attack(
            49,
            "parameter-of-another-kind",
            "a version that is a number",
            Content,
            parameters("`version` is not a text"),
            with(|it| it["buildDefinition"]["externalParameters"]["version"] = json!(1)),
        ),
        attack(
            49,
            "another-build-type",
            "another build type",
            Content,
            [
                No("build-type", "the build type is neither selfsame's nor one that was expected"),
                No("build-type", "the build type is another one than selfsame's"),
            ],
            with(|it| it["buildDefinition"]["buildType"] = json!("https://example.com/build/v1")),
        ),
        attack(
            49,
            "another-builder",
            "another builder, which the key does not speak for",
            Content,
            [No("builder", "does not speak for"); 2],
            with(|it| it["runDetails"]["builder"]["id"] = json!("https://example.com/builder")),
        ),
        attack(
            49,
            "a-builder-with-a-suffix",
            "the builder's id goes on where the right one ends",
            Content,
            [No("builder", "does not speak for"); 2],
            with(|it| it["runDetails"]["builder"]["id"] = json!(format!("{}/2", uri::BUILDER_LOCAL))),
        ),
        attack(
            49,
            "a-development-builder",
            "a builder of development builds",
            Content,
            [No("builder", "does not speak for"); 2],
            with(|it| it["runDetails"]["builder"]["id"] = json!(uri::BUILDER_DEV)),
        ),
        attack(
            49,
            "a-relaxed-build",
            "a build without a protection, which nobody expects",
            Content,
            [No("relaxations", "other relaxations than those accepted"); 2],
            with(|it| {
                it["buildDefinition"]["externalParameters"]["relaxations"] = json!({"aslr": "a test needs it"});
                it["runDetails"]["builder"]["id"] = json!(format!("{}/relaxed", uri::BUILDER_LOCAL));
            }),
        ),
        attack(
            49,
            "a-relaxed-build-by-its-builder-alone",
            "the builder of relaxed builds, and no relaxation",
            Content,
            [No("builder", "does not speak for"); 2],
            with(|it| it["runDetails"]["builder"]["id"] = json!(format!("{}/relaxed", uri::BUILDER_LOCAL))),
        ),
        attack(
            49,
            "a-silent-relaxation",
            "a build that went without a protection that nobody named",
            Content,
            [No("relaxations", "`aslr`, which nobody asked for"); 2],
            with(|it| it["buildDefinition"]["internalParameters"]["sandbox"]["relaxed"] = json!("aslr")),
        ),
    ]
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = provenances();
    cases.extend(sboms());
    cases.extend(files());
    cases
}

fn case(item: u8, name: &str, says: &str, [row, because]: [&'static str; 2], parts: impl Borrow<Parts>) -> Case {
    release_case(item, Class::Content, name, says, Content, No(row, because), parts.borrow().release())
}

fn provenances() -> Vec<Case> {
    let with = |change: &dyn Fn(&mut Provenance)| {
        let mut parts = Parts::good();
        change(&mut parts.provenance);
        parts
    };
    let digest = |set: DigestSet| with(&|it| it.build_definition.resolved_dependencies[2].digest = set.clone());
    let unformed = ["inputs", "has no well-formed sha256 or gitCommit"];
    let internal = |name: &str, value: Value| {
        with(&|it| drop(it.build_definition.internal_parameters.insert(name.to_owned(), value.clone())))
    };
    vec![
        case(
            48,
            "input-omitted",
            "the provenance does not name an input that the SBOM has",
            ["components", "`memchr` is no input"],
            with(&|it| drop(it.build_definition.resolved_dependencies.pop())),
        ),
        case(
            48,
            "input-of-other-bytes",
            "the provenance names an input by another digest than the SBOM",
            ["components", "`memchr` is no input"],
            digest(Digest::of(b"other").into()),
        ),
        case(48, "input-without-a-digest", "an input has no digest", unformed, digest(DigestSet::default())),
        case(48, "input-by-sha1", "an input has a SHA-1 alone", unformed, {
            digest(DigestSet::git("sha1", "5b45fdae09d05e75ef6a3fc09dcd1dbfea4ccfce"))
        }),
        case(48, "input-by-a-branch", "an input's commit is the name of a branch", unformed, {
            digest(DigestSet::git("gitCommit", "main"))
        }),
        case(
            48,
            "source-omitted",
            "the source that was asked for is no input",
            ["inputs", "the source of the external parameters is not among the inputs"],
            with(&|it| drop(it.build_definition.resolved_dependencies.remove(1))),
        ),
        case(
            48,
            "definition-omitted",
            "the definition that was asked for is no input",
            ["inputs", "the definition of the external parameters is not among the inputs"],
            with(&|it| drop(it.build_definition.resolved_dependencies.remove(0))),
        ),
        case(
            49,
            "another-platform",
            "the provenance is for another platform than the image",
            ["parameters", "for different platforms"],
            with(&|it| {
                it.build_definition.external_parameters.insert("platform".to_owned(), json!("linux/arm64"));
            }),
        ),
        case(
            49,
            "less-than-asked",
            "the build hid less than was asked for",
            ["parameters", "achieved a lower level than was asked for"],
            internal("level", json!("isolated")),
        ),
        case(
            49,
            "unknown-profile",
            "a profile that nobody knows decided the bytes",
            ["profile", "is not one that this version knows"],
            internal("profile", json!(7)),
        ),
        case(
            47,
            "another-version-signed",
            "filed under a newer version than the one that is signed",
            ["names", "another name than the signed one"],
            {
                let mut parts = with(&|it| {
                    it.build_definition.external_parameters.insert("version".to_owned(), json!("0.9.0"));
                });
                parts.sbom["metadata"]["component"]["version"] = json!("0.9.0");
                parts
            },
        ),
    ]
}

fn sboms() -> Vec<Case> {
    let with = |change: &dyn Fn(&mut Map<String, Value>)| {
        let mut parts = Parts::good();
        change(&mut parts.sbom);
        parts
    };
    // The body of provenance where the SBOM belongs, which the provenance names and the inventory lists.
    let mut swapped = Parts::good();
    swapped.sbom = Statement::new(Vec::new(), &swapped.provenance).predicate;
    vec![
        case(
            17,
            "provenance-under-the-type-of-an-sbom",
            "the content of provenance under the type of an SBOM",
            ["components", "`bomFormat` is not"],
            &swapped,
        ),
        case(
            44,
            "sbom-of-another-version",
            "the SBOM describes another version",
            ["names", "the SBOM describes something else"],
            with(&|sbom| sbom["metadata"]["component"]["version"] = json!("2.0.0")),
        ),
        case(
            48,
            "component-of-another-version",
            "the SBOM names another version of an input than was built from",
            ["components", "`memchr` is no input"],
            with(&|sbom| sbom["components"][2]["purl"] = json!("pkg:cargo/memchr@2.7.5")),
        ),
        case(
            48,
            "component-disguised",
            "an input is said to be locked by nothing",
            ["components", "is marked as locked by nothing and is an input"],
            with(&|sbom| {
                sbom["components"][2]["properties"] = json!([{"name": "selfsame:unlocked", "value": "true"}]);
            }),
        ),
    ]
}

fn files() -> Vec<Case> {
    let with = |change: &dyn Fn(&mut Vec<Value>)| {
        let mut parts = Parts::good();
        change(parts.sbom["components"].as_array_mut().expect("components"));
        parts
    };
    let not_there = "is in the SBOM and not in the image";
    vec![
        case(
            44,
            "file-not-in-the-sbom",
            "a file of the image is not in the SBOM",
            ["files", "`/etc/data` is in the image and not in the SBOM"],
            with(&|it| drop(it.remove(1))),
        ),
        case(44, "file-not-in-the-image", "a file of the SBOM is not in the image", ["files", not_there], {
            with(&|it| it.push(file_component("/bin/ghost", b"")))
        }),
        case(
            44,
            "file-of-other-bytes",
            "a file has other bytes than the SBOM says",
            ["files", "has another content"],
            with(&|it| it[0] = file_component("/bin/hello", b"other")),
        ),
        case(44, "file-twice", "the SBOM has a file twice", ["files", "has `/etc/data` twice"], {
            with(&|it| it.push(file_component("/etc/data", DATA)))
        }),
        case(
            34,
            "file-that-looks-alike",
            "the SBOM names a file with a letter of another alphabet",
            ["files", "`/bin/hello` is in the image and not in the SBOM"],
            with(&|it| it[0] = file_component("/bin/h\u{435}llo", HELLO)),
        ),
        case(34, "file-with-a-nul", "the SBOM names a file with a NUL in its name", ["files", not_there], {
            with(&|it| it.push(file_component("/bin/hello\0.txt", HELLO)))
        }),
        case(
            34,
            "file-decomposed",
            "the SBOM names a file with an accent that the image has not",
            ["files", "`/etc/data` is in the image"],
            with(&|it| it[1] = file_component("/etc/da\u{301}ta", DATA)),
        ),
        case(
            67,
            "words-that-act",
            "a name with commands to a terminal, in what is signed",
            ["parameters", "unknown field"],
            {
                let mut parts = Parts::good();
                parts.parameter("\u{1b}]0;verified\u{7}\u{9b}2J\u{202e}", json!("\u{1b}[2J\u{1b}[1;1Hverified\r"));
                parts
            },
        ),
    ]
}
