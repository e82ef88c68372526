//! What provenance and SBOM claim, against each other and against the image. Every release here is signed anew.

use serde_json::{Map, Value, json};

use selfsame_attest::{DigestSet, Inventory, Provenance};
use selfsame_core::{Digest, media};
use selfsame_oci::Descriptor;
use selfsame_verify::{CheckId, Depth};

use crate::fake::{Parts, file_component, input, layer, signed};
use crate::{fails, verdict, verifies};

#[track_caller]
fn provenance(edit: impl Fn(&mut Provenance), id: CheckId, because: &str) {
    let mut parts = Parts::good();
    edit(&mut parts.provenance);
    fails(&parts.release(), id, because);
}

#[track_caller]
fn external(edit: impl Fn(&mut Map<String, Value>), because: &str) {
    provenance(|provenance| edit(&mut provenance.build_definition.external_parameters), CheckId::Parameters, because);
}

#[test]
fn build_type_and_profile() {
    let other = |provenance: &mut Provenance| provenance.build_definition.build_type += "2";
    provenance(other, CheckId::BuildType, "another one than selfsame's");
    for profile in [Value::Null, json!(0), json!(2), json!("1"), json!(-1), json!(1u64 << 33)] {
        let edit = |provenance: &mut Provenance| {
            provenance.build_definition.internal_parameters.insert("profile".into(), profile.clone());
        };
        provenance(edit, CheckId::Profile, "not one that this version knows");
    }
}

#[test]
fn external_parameters() {
    external(
        |parameters| drop(parameters.insert("sources".into(), json!(1))),
        "unknown field `sources`, near to `source`",
    );
    external(|parameters| drop(parameters.insert("\u{1b}[2J".into(), json!(1))), "unknown field `\\u{1b}[2J`");
    for name in ["definition", "level", "name", "platform", "source", "version"] {
        external(|parameters| drop(parameters.remove(name)), &format!("`{name}` is missing"));
        external(|parameters| drop(parameters.insert(name.into(), json!(7))), &format!("`{name}` is not"));
    }
    external(|parameters| drop(parameters.insert("relaxations".into(), json!(["proc"]))), "not an object of texts");
    external(|parameters| parameters["source"]["ref"] = json!("main"), "`source` has the unknown field `ref`");
    external(|parameters| parameters["source"]["uri"] = json!(7), "`source` has no `uri`");
    external(|parameters| parameters["source"]["digest"] = json!({}), "`source` has no `digest`");
    external(|parameters| parameters["level"] = json!("strict"), "`level` is none that this version knows");
    external(|parameters| parameters["platform"] = json!("linux/arm64"), "different platforms");
}

#[test]
fn the_level_achieved() {
    let achieved = |level: Value| {
        move |provenance: &mut Provenance| {
            provenance.build_definition.internal_parameters.insert("level".into(), level.clone());
        }
    };
    for level in [json!("isolated"), json!("none"), Value::Null, json!(7)] {
        provenance(achieved(level), CheckId::Parameters, "achieved a lower level than was asked for");
    }
    let mut parts = Parts::good();
    achieved(json!("deterministic"))(&mut parts.provenance);
    verifies(&verdict(&parts.release(), Depth::Content));
    let silent = |provenance: &mut Provenance| {
        provenance.build_definition.internal_parameters["sandbox"]["relaxed"] = json!(" or aslr");
    };
    provenance(silent, CheckId::Relaxations, "`aslr`, which nobody asked for");
}

#[test]
fn inputs() {
    let dependency = |digest: DigestSet| {
        move |provenance: &mut Provenance| provenance.build_definition.resolved_dependencies[2].digest = digest.clone()
    };
    for digest in [
        DigestSet::default(),
        DigestSet::git("sha1", &"0".repeat(40)),
        DigestSet::git("sha256", "00"),
        DigestSet::git("sha256", &"A".repeat(64)),
        DigestSet::git("gitCommit", "main"),
    ] {
        provenance(dependency(digest), CheckId::Inputs, "`memchr-2.7.4.crate` has no well-formed sha256 or gitCommit");
    }
    let nameless = |provenance: &mut Provenance| provenance.build_definition.resolved_dependencies[2].uri.clear();
    provenance(nameless, CheckId::Inputs, "has no URI");
    let no_source = |provenance: &mut Provenance| {
        provenance.build_definition.resolved_dependencies[1].digest = Digest::of(b"other source").into();
    };
    provenance(no_source, CheckId::Inputs, "the source of the external parameters is not among the inputs");
    let no_definition = |provenance: &mut Provenance| drop(provenance.build_definition.resolved_dependencies.remove(0));
    provenance(no_definition, CheckId::Inputs, "the definition of the external parameters is not among the inputs");
    // A commit alone names an input too.
    let mut parts = Parts::good();
    let mut git = input("git+https://example.com/x", "x", Digest::of(b""));
    git.digest = DigestSet::git("gitCommit", &"0".repeat(40));
    parts.provenance.build_definition.resolved_dependencies.push(git);
    verifies(&verdict(&parts.release(), Depth::Content));
}

#[test]
fn the_sbom_is_the_one_that_the_provenance_names() {
    let parts = Parts::good();
    let mut statements = parts.statements();
    statements.pop();
    statements[1].predicate.insert("version".into(), json!(2));
    statements.push(parts.inventory(&statements));
    fails(&parts.lay_out(&signed(&statements, "signer")), CheckId::SbomDigest, "another one than the provenance names");

    let byproduct = |digest: DigestSet| {
        move |provenance: &mut Provenance| {
            provenance.run_details.byproducts.push(selfsame_attest::ResourceDescriptor {
                name: "sbom.cdx.json".into(),
                digest: digest.clone(),
                ..Default::default()
            });
        }
    };
    provenance(byproduct(Digest::of(b"x").into()), CheckId::SbomDigest, "names 2 byproducts");
    let mut statements = parts.statements();
    statements.truncate(3);
    statements[0] = selfsame_attest::Statement::new(vec![parts.subject()], &parts.provenance);
    statements.push(parts.inventory(&statements));
    fails(&parts.lay_out(&signed(&statements, "signer")), CheckId::SbomDigest, "names 0 byproducts");
    // An SBOM signed in another spelling is still the one that its canonical form names.
    let mut statements = parts.statements();
    let payload = String::from_utf8(statements[1].to_payload()).unwrap().replace("{\"bomFormat\"", "{ \"bomFormat\"");
    let mut inventory: Inventory = statements.pop().unwrap().predicate_as().unwrap();
    inventory.documents[0].sha256 = Digest::of(payload.as_bytes());
    statements.push(selfsame_attest::Statement::new(vec![parts.subject()], &inventory));
    let mut bundles = signed(&statements, "signer");
    bundles[1].1 = crate::signatures::signed_as(media::IN_TOTO, payload.as_bytes());
    verifies(&verdict(&parts.lay_out(&bundles), Depth::Content));
    // A number that has no canonical form is an answer, not a crash.
    let payload = parts.statements()[1].to_payload();
    let text = String::from_utf8(payload).unwrap().replace("\"specVersion\":\"1.6\"", "\"specVersion\":1.6");
    let mut bundles = signed(&parts.statements(), "signer");
    bundles[1].1 = crate::signatures::signed_as(media::IN_TOTO, text.as_bytes());
    inventory.documents[0].sha256 = Digest::of(text.as_bytes());
    let inventory = selfsame_attest::Statement::new(vec![parts.subject()], &inventory);
    bundles[3] = signed(&[inventory], "signer").remove(0);
    fails(&parts.lay_out(&bundles), CheckId::SbomDigest, "the number 1.6 is not an integer");
}

#[track_caller]
fn sbom(edit: impl Fn(&mut Map<String, Value>), id: CheckId, because: &str) {
    let mut parts = Parts::good();
    edit(&mut parts.sbom);
    fails(&parts.release(), id, because);
}

#[test]
fn components_against_inputs() {
    const ID: CheckId = CheckId::Components;
    sbom(|sbom| drop(sbom.remove("bomFormat")), ID, "`bomFormat` is not");
    sbom(|sbom| sbom["components"][2]["purl"] = json!("pkg:cargo/memchr@2.7.5"), ID, "`memchr` is no input");
    sbom(|sbom| sbom["components"][2]["purl"] = Value::Null, ID, "`memchr` is marked as an input and has no purl");
    let other = json!([{"alg": "SHA-256", "content": Digest::of(b"other").hex()}]);
    sbom(|sbom| sbom["components"][2]["hashes"] = other.clone(), ID, "`memchr` is no input");
    sbom(|sbom| sbom["components"][2]["hashes"] = json!([]), ID, "has no SHA-256");
    let two = |sbom: &mut Map<String, Value>| {
        let hash = sbom["components"][2]["hashes"][0].clone();
        sbom["components"][2]["hashes"].as_array_mut().unwrap().push(hash);
    };
    sbom(two, ID, "has no SHA-256");
    let nested = |sbom: &mut Map<String, Value>| {
        let mut component = sbom["components"][2].clone();
        component["purl"] = json!("pkg:cargo/hidden@1.0.0");
        sbom["components"][3]["components"] = json!([{"type": "library", "components": [component]}]);
    };
    sbom(nested, ID, "`memchr` is no input");
    let build_input = |sbom: &mut Map<String, Value>| {
        sbom["formulation"][0]["components"][0]["properties"][0]["value"] = json!("selfsame:other");
    };
    sbom(build_input, ID, "`selfsame.toml` is no input");
    let unlocked = |sbom: &mut Map<String, Value>| {
        let properties = sbom["components"][2]["properties"].as_array_mut().unwrap();
        properties.push(json!({"name": "selfsame:unlocked", "value": "true"}));
    };
    sbom(unlocked, ID, "`memchr` is marked as locked by nothing and is an input");
    let disguised = |sbom: &mut Map<String, Value>| {
        sbom["components"][2]["properties"] = json!([{"name": "selfsame:unlocked", "value": "true"}]);
    };
    sbom(disguised, ID, "`memchr` is marked as locked by nothing and is an input");
    // An input dropped from the provenance is missed.
    let dropped = |provenance: &mut Provenance| drop(provenance.build_definition.resolved_dependencies.pop());
    provenance(dropped, ID, "`memchr` is no input");
}

#[test]
fn the_sbom_describes_this_release() {
    let version = |sbom: &mut Map<String, Value>| sbom["metadata"]["component"]["version"] = json!("2.0.0");
    sbom(version, CheckId::Names, "the SBOM describes something else");
    sbom(|sbom| drop(sbom.remove("metadata")), CheckId::Names, "the SBOM describes something else");
}

#[test]
fn files_both_ways() {
    const ID: CheckId = CheckId::Files;
    let components = |sbom: &mut Map<String, Value>| match sbom["components"].take() {
        Value::Array(components) => components,
        _ => unreachable!(),
    };
    let without = |sbom: &mut Map<String, Value>| {
        let mut list = components(sbom);
        list.remove(1);
        sbom["components"] = list.into();
    };
    sbom(without, ID, "`/etc/data` is in the image and not in the SBOM");
    let with = |more: Value| {
        move |sbom: &mut Map<String, Value>| {
            let mut list = components(sbom);
            list.push(more.clone());
            sbom["components"] = list.into();
        }
    };
    sbom(with(file_component("/bin/ghost", b"")), ID, "`/bin/ghost` is in the SBOM and not in the image");
    sbom(with(file_component("/etc/data", b"data\n")), ID, "has `/etc/data` twice");
    sbom(with(json!({"type": "file", "name": "/x"})), ID, "no one SHA-256 for `/x`");
    let other = json!([{"alg": "SHA-256", "content": Digest::of(b"other").hex()}]);
    sbom(|sbom| sbom["components"][0]["hashes"] = other.clone(), ID, "`/bin/hello` has another content");
}

/// The good release with another layer under the good config.
#[track_caller]
fn with_layer(bytes: &[u8], media_type: &str, id: CheckId, because: &str) {
    let mut parts = Parts::good();
    parts.blobs.remove(&parts.layers[0].digest.clone());
    parts.add(bytes);
    parts.layers = vec![Descriptor::of(media_type, bytes)];
    fails(&parts.release(), id, because);
}

#[test]
fn layers_are_what_the_config_says_and_safe() {
    const ID: CheckId = CheckId::Layers;
    let (other, _) = layer(&[("bin/hello", b"other")]);
    with_layer(&other, media::LAYER_GZIP, ID, "layer 1 has another diffID");
    with_layer(b"no layer", media::LAYER_GZIP, ID, "layer 1: ");
    with_layer(b"", media::LAYER_GZIP, ID, "layer 1: ");
    let (good, _) = layer(&[("bin/hello", b"\x7fELF hello"), ("etc/data", b"data\n")]);
    with_layer(&[&good[..], &good[..]].concat(), media::LAYER_GZIP, ID, "behind the gzip member");
    with_layer(&good[..good.len() - 9], media::LAYER_GZIP, ID, "layer 1: ");
    with_layer(&tar("../escape", b'0'), media::LAYER_TAR, ID, "`../escape`");
    with_layer(&tar("dev/null", b'3'), media::LAYER_TAR, ID, "`dev/null`");
}

/// A tar of one member of this kind.
fn tar(name: &str, kind: u8) -> Vec<u8> {
    let mut header = [0; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    for (at, text) in
        [(100, "0000644\0"), (108, "0000000\0"), (116, "0000000\0"), (124, "00000000000\0"), (136, "00000000000\0")]
    {
        header[at..at + text.len()].copy_from_slice(text.as_bytes());
    }
    header[156] = kind;
    header[257..265].copy_from_slice(b"ustar\x0000");
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    [&header[..], &[0; 1024]].concat()
}

/// Packages of the SBOM against the image: what leads where, and what nobody claims.
#[test]
fn packages_claim_files_that_are_there() {
    let with = |edges: serde_json::Value, place: &str| {
        let mut parts = Parts::good();
        parts.sbom.insert("dependencies".into(), edges);
        let components = parts.sbom["components"].as_array_mut().unwrap();
        let package = components.iter_mut().find(|it| it["name"] == "not-locked").unwrap();
        package["evidence"] = serde_json::json!({"occurrences": [{"location": place}, {"location": "Cargo.lock"}]});
        parts.release()
    };
    let claims = |file: &str| serde_json::json!([{"ref": "pkg:generic/x@1", "dependsOn": [file]}]);
    let told = |files: &crate::Files| {
        let verdict = crate::verdict(files, Depth::Content);
        crate::verifies(&verdict);
        let facts = verdict.check(CheckId::Claims).facts.iter();
        facts.map(|fact| format!("{}: {}", fact.label, fact.value)).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(told(&with(claims("file:/bin/hello"), "/etc/data")), @r"
    packages: 2
    traced to an input or a file: 2
    files: 2
    claimed by no package: 1 of 2 files, 33.3 % of the bytes
    unclaimed: /etc/data
    ");
    insta::assert_snapshot!(told(&with(claims("pkg:generic/y@1"), "/etc")), @r"
    packages: 2
    traced to an input or a file: 2
    files: 2
    claimed by no package: 2 of 2 files, 100.0 % of the bytes
    unclaimed: /bin/hello
    unclaimed: /etc/data
    ");
    fails(&with(claims("file:/bin/other"), "/etc"), CheckId::Claims, "claims `/bin/other`, which is not in the image");
    fails(&with(claims("file:/bin"), "/etc"), CheckId::Claims, "claims `/bin`, which is not in the image");
    fails(
        &with(claims("file:/bin/hello"), "/opt/x"),
        CheckId::Claims,
        "was found at `/opt/x`, which is not in the image",
    );
    // What the application needs is the list of files, and no claim.
    let application = serde_json::json!([{"ref": "app", "dependsOn": ["file:/bin/hello"]}]);
    assert!(told(&with(application, "/etc")).contains("2 of 2 files"));
}
