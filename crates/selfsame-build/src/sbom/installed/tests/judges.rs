//! What pip, npm and dpkg themselves say is installed in a folder, and what is found in it.

use std::fs;
use std::path::Path;
use std::process::Command;

use selfsame_testing::{Tier, require};
use serde_json::Value;

use super::*;

/// What a tool prints; nothing where there is no such tool.
fn prints(program: &str, arguments: &[&str], folder: &Path) -> Option<String> {
    let output = Command::new(program).args(arguments).current_dir(folder).output();
    let ability = output.as_ref().map(|_| ()).map_err(|error| format!("`{program}` does not start: {error}"));
    if !require(Tier::Foreign, ability) {
        return None;
    }
    // npm ends with 1 where something is superfluous, and lists it all the same.
    let output = output.ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!text.is_empty(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    Some(text)
}

fn read_in(folder: &Path, below: &Path, store: &Store, entries: &mut Vec<(RelPath, Entry)>) {
    for entry in fs::read_dir(below).expect("a folder") {
        let at = entry.expect("an entry").path();
        if at.is_dir() {
            read_in(folder, &at, store, entries);
        } else {
            let bytes = fs::read(&at).expect("a file");
            let digest = store.put_bytes(&bytes, false).expect("a store");
            let name = at.strip_prefix(folder).expect("below").to_str().expect("UTF-8");
            entries.push((path(name), Entry::file(digest, bytes.len() as u64, false)));
        }
    }
}

fn world_of(folder: &Path) -> World {
    let mut world = world(&[]);
    let mut entries = Vec::new();
    read_in(folder, folder, &world.store, &mut entries);
    world.tree = Tree::from_entries(entries).expect("a tree");
    world
}

fn names(found: &[Found]) -> BTreeSet<(String, String)> {
    found.iter().map(|package| (package.name.clone(), package.version.clone())).collect()
}

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (at, text) in files {
        let at = folder.join(at);
        fs::create_dir_all(at.parent().expect("a folder")).expect("a folder");
        fs::write(at, text).expect("a file");
    }
}

/// Makes a wheel with a program, as `NAME-VERSION-py3-none-any.whl`.
const WHEEL: &str = r#"
import sys, zipfile
for name, version, needs in (("Two_Words", "1.0.0", "three.words"), ("three.words", "2!1.0rc1", "")):
    folder = f"{name}-{version}.dist-info"
    files = {
        f"{name}/__init__.py": "def main(): pass\n",
        f"{folder}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n" + (f"Requires-Dist: {needs}\n" if needs else ""),
        f"{folder}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{folder}/entry_points.txt": f"[console_scripts]\n{name}-run = {name}:main\n",
    }
    files[f"{folder}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{folder}/RECORD"])
    with zipfile.ZipFile(f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
"#;

#[test]
fn foreign_pip_lists_what_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    let script = format!("{WHEEL}\nprint('made')");
    let Some(_) = prints("python3", &["-c", &script], at) else { return };
    let pip = ["-m", "pip", "--disable-pip-version-check", "--no-cache-dir"];
    let install = ["install", "--no-index", "--find-links=.", "--no-compile", "--target=image/site", "Two_Words"];
    let Some(_) = prints("python3", &[&pip[..], &install].concat(), at) else { return };
    let list = ["list", "--path", "image/site", "--format", "json"];
    let Some(listed) = prints("python3", &[&pip[..], &list].concat(), at) else { return };
    let listed: Vec<Value> = serde_json::from_str(&listed).expect("JSON");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let listed: BTreeSet<_> = listed.iter().map(|one| (text(&one["name"]), text(&one["version"]))).collect();
    let world = world_of(&at.join("image"));
    let found = world.languages(&[]);
    assert_eq!((names(&found), found.len()), (listed, 2));
    let files: BTreeSet<&RelPath> = found.iter().flat_map(|package| &package.files).collect();
    let all: BTreeSet<&RelPath> = world.tree.iter().map(|(path, _)| path).collect();
    assert_eq!(files, all, "every file that pip left is of a package, programs too");
    assert_eq!(found.iter().map(|package| package.needs.len()).sum::<usize>(), 1);
}

#[test]
fn foreign_npm_lists_what_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let package = |name: &str, version: &str, needs: &str| {
        format!("{{\"name\":\"{name}\",\"version\":\"{version}\",\"dependencies\":{{{needs}}}}}")
    };
    write(
        folder.path(),
        &[
            ("package.json", &package("app", "1.0.0", "\"a\":\"1\",\"@s/b\":\"1\"")),
            ("node_modules/a/package.json", &package("a", "1.2.3", "\"c\":\"1\"")),
            ("node_modules/a/esm/package.json", "{\"type\":\"module\"}"),
            ("node_modules/a/node_modules/c/package.json", &package("c", "1.0.0", "")),
            ("node_modules/@s/b/package.json", &package("@s/b", "1.0.0-rc.1", "\"c\":\"2\"")),
            ("node_modules/c/package.json", &package("c", "2.0.0", "")),
            ("node_modules/superfluous/package.json", &package("superfluous", "0.0.1", "")),
        ],
    );
    let Some(listed) = prints("npm", &["ls", "--all", "--json", "--offline"], folder.path()) else { return };
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    let (mut all, mut queue) = (BTreeSet::new(), vec![&listed]);
    while let Some(package) = queue.pop() {
        for (name, package) in package["dependencies"].as_object().into_iter().flatten() {
            all.insert((name.clone(), package["version"].as_str().unwrap_or("none").to_owned()));
            queue.push(package);
        }
    }
    let found = world_of(folder.path()).languages(&[]);
    assert_eq!((names(&found), found.len()), (all, 5));
}

#[test]
fn foreign_dpkg_lists_what_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let paragraph = |name: &str, state: &str, version: &str| {
        format!(
            "Package: {name}\nStatus: install ok {state}\nVersion: {version}\nArchitecture: amd64\nMaintainer: x\nDescription: x\n\n"
        )
    };
    let status = [paragraph("libx", "unpacked", "1:2-3+b1"), paragraph("x", "installed", "2~rc1")].concat();
    write(folder.path(), &[("var/lib/dpkg/status", &status), ("var/lib/dpkg/info/x.list", "/.\n")]);
    let arguments = ["--admindir=var/lib/dpkg", "-W", "-f", "${Package} ${Version}\n"];
    let Some(listed) = prints("dpkg-query", &arguments, folder.path()) else { return };
    let listed = listed.lines().filter_map(|line| line.split_once(' '));
    let listed: BTreeSet<_> = listed.map(|(name, version)| (name.to_owned(), version.to_owned())).collect();
    let world = world_of(folder.path());
    let found = of_debian(&mut Root::new(&world.tree, &world.store)).expect("packages");
    assert_eq!((names(&found), found.len()), (listed, 2));
}
