//! Packages of inputs that actions put into the image, through the whole pipeline.

use serde_json::Value;

use super::*;
use crate::InputPackage;
use crate::request::{InputPart, InputSet};

const INPUTS: &str = r#"
[toolchain.tools]
pypi = ["tools==1"]
[input.wheels]
pypi = "requirements.txt"
[[action]]
name = "install"
inputs = ["wheels"]
run = ["pip", "install"]
outputs = ["site"]
[image]
entrypoint = ["/run"]
[[image.file]]
from = "install:site"
to = "/srv/site"
"#;

/// Leaves what `pip install` would: one package of the lock, one of another version, and a tool.
struct Pip<'a>(&'a Store);

const TOOL: &str = "#!/bin/sh\nexec tool\n";

impl Executor for Pip<'_> {
    fn run(&self, action: &Action, variation: Variation) -> Result<Execution, ExecutionError> {
        let mut execution = Fake { store: self.0, variation: "" }.run(action, variation)?;
        let file = |text: &str| {
            let digest = self.0.put_bytes(text.as_bytes(), false).expect("a store");
            Entry::file(digest, text.len() as u64, false)
        };
        let files = [
            ("site/a-1.0.dist-info/METADATA", "Name: A\nVersion: 1.0\nRequires-Dist: b\n"),
            ("site/a-1.0.dist-info/RECORD", "a.py,,\n"),
            ("site/a.py", "a"),
            ("site/b-2.dist-info/METADATA", "Name: b\nVersion: 2\n"),
            ("site/bin/tool", TOOL),
            ("site/b-1.whl", "the wheel of b"),
        ];
        execution.output = Tree::from_entries(files.map(|(at, text)| (path(at), file(text)))).expect("a tree");
        Ok(execution)
    }
}

fn package(purl: &str, name: &str, version: &str) -> InputPackage {
    InputPackage {
        purl: purl.to_owned(),
        name: name.to_owned(),
        version: version.to_owned(),
        license: Some("MIT".to_owned()),
        supplier: Some("Somebody".to_owned()),
        files: Default::default(),
        depends_on: Default::default(),
    }
}

const A: &str = "pkg:pypi/a@1.0.0?file_name=a-1.0.0-py3-none-any.whl";
const B: &str = "pkg:pypi/b@1?file_name=b-1.whl";
const C: &str = "pkg:pypi/c@1?file_name=c-1.whl";
const TOOLS: &str = "pkg:pypi/tools@1?file_name=tools-1.whl";

fn sbom() -> Value {
    let (_folder, store) = world();
    let mut inputs = inputs(&store);
    let head = DEFINITION.split("[toolchain.cc]").next().expect("a head");
    inputs.definition = Definition::parse(&format!("{head}{INPUTS}")).expect("a definition");
    inputs.toolchains.clear();
    inputs.request.toolchains.clear();
    let put = |text: &str| store.put_bytes(text.as_bytes(), false).expect("a store");
    let part =
        |purl: &str, text: &str| InputPart { purl: purl.to_owned(), sha256: put(text), role: None, platform: None };
    let tool = Entry::file(put(TOOL), TOOL.len() as u64, true);
    let tools = Tree::from_entries([(path("toolchain/tools/bin/tool"), tool)]).expect("a tree");
    let sets = [
        ("wheels", Tree::new(), vec![part(A, "the wheel of a"), part(B, "the wheel of b"), part(C, "the wheel of c")]),
        ("tools", tools, vec![part(TOOLS, "the wheel of tools")]),
    ];
    for (name, tree, parts) in sets {
        let set = InputSet {
            kind: "pypi".to_owned(),
            tree: store.put_tree(&tree).expect("a store"),
            configured: None,
            parts,
        };
        inputs.request.inputs.insert(name.to_owned(), set);
        inputs.inputs.insert(name.to_owned(), tree);
    }
    let tools = inputs.inputs["tools"].clone();
    inputs.toolchains.insert("tools".to_owned(), tools);
    inputs.described = BTreeMap::from([
        ("wheels".to_owned(), vec![package(A, "A", "1.0.0"), package(B, "b", "1"), package(C, "c", "1")]),
        ("tools".to_owned(), vec![package(TOOLS, "tools", "1")]),
    ]);
    let built = build(&inputs, &store, &Pip(&store), COLD, 2, &Quiet).expect("a build");
    serde_json::from_slice(&built.sbom).expect("JSON")
}

fn one<'a>(components: &'a Value, reference: &str) -> Option<&'a Value> {
    components.as_array().expect("a list").iter().find(|component| component["bom-ref"] == reference)
}

fn has(component: Option<&Value>, property: &str) -> bool {
    let properties = component.expect("a component")["properties"].as_array().cloned().unwrap_or_default();
    properties.iter().any(|one| one["name"] == property && one["value"] == "true")
}

#[test]
fn what_is_in_the_image_is_shipped_once_and_the_rest_is_a_build_input() {
    let sbom = sbom();
    let (shipped, formula) = (&sbom["components"], &sbom["formulation"][0]["components"]);
    let needs = |of: &str| {
        let entry = sbom["dependencies"].as_array().expect("a list").iter().find(|entry| entry["ref"] == of);
        entry.expect("an entry")["dependsOn"].as_array().cloned().unwrap_or_default()
    };
    let a = one(shipped, A).expect("found, though its version is spelt otherwise");
    assert_eq!(a["hashes"][0]["content"], Digest::of(b"the wheel of a").hex());
    assert_eq!((&a["hashes"][1]["alg"], &a["supplier"]["name"]), (&"SHA-512".into(), &"Somebody".into()));
    let places: Vec<&Value> = a["evidence"]["occurrences"].as_array().expect("a list").iter().collect();
    assert_eq!(places.len(), 2, "in the image, and in the lock: {places:?}");
    assert!(has(Some(a), "selfsame:input") && !has(Some(a), "selfsame:unlocked"));
    let files = ["a-1.0.dist-info/METADATA", "a-1.0.dist-info/RECORD", "a.py"];
    let mut expected: Vec<Value> = files.map(|file| format!("file:/srv/site/{file}").into()).to_vec();
    expected.push("pkg:pypi/b@2".into());
    assert_eq!(needs(A), expected);

    let other = one(shipped, "pkg:pypi/b@2");
    assert!(has(other, "selfsame:unlocked") && !has(other, "selfsame:input"), "another version than the locked one");
    assert_eq!(needs(B), ["file:/srv/site/b-1.whl"], "a locked file that was copied");
    assert_eq!(needs(TOOLS), ["file:/srv/site/bin/tool"], "a program of a toolchain that was copied");

    assert!(has(one(formula, &format!("build:{C}")), "selfsame:input"), "locked, and not in the image");
    assert!(!has(one(formula, &format!("build:{C}")), "selfsame:captured"));
    for purl in [A, B, TOOLS] {
        assert!(one(shipped, purl).is_some() && one(formula, &format!("build:{purl}")).is_none(), "{purl}");
    }
    assert!(one(shipped, C).is_none());
    let bare = formula.as_array().expect("a list").iter().filter_map(|one| one["bom-ref"].as_str());
    assert!(!bare.into_iter().any(|reference| reference.starts_with("input:pkg:")), "no part twice");
}
