//! Who may depend on whom. ARCHITECTURE.md says why; here it is held.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::process::Command;

use serde_json::Value;

use crate::files::{none, root};

/// The layers, lowest first. A crate depends on crates of lower layers; on one of its own layer only by [`BESIDE`].
const LAYERS: &[&str] = &["words", "pure", "edge", "driver", "app"];

/// Dependencies within a layer: from, to. Adding one is a decision about the architecture.
const BESIDE: &[(&str, &str)] = &[
    ("selfsame-attest", "selfsame-core"),
    ("selfsame-definition", "selfsame-core"),
    ("selfsame-tree", "selfsame-core"),
    ("selfsame-action", "selfsame-lock"),
    ("selfsame-corpus", "selfsame-log"),
    ("selfsame-corpus", "selfsame-oci"),
    // Its tests alone: each case is put to the verifier as a library.
    ("selfsame-corpus", "selfsame-verify"),
    ("selfsame-deb", "selfsame-oci"),
    ("selfsame-packages", "selfsame-deb"),
    ("selfsame-packages", "selfsame-lock"),
    ("selfsame-verify", "selfsame-log"),
    ("selfsame-verify", "selfsame-oci"),
    ("selfsame-verify", "selfsame-policy"),
    ("selfsame-verify", "selfsame-timestamp"),
    ("selfsame-executor", "selfsame-sandbox"),
    ("selfsame-executor", "selfsame-store"),
    ("selfsame-fetch", "selfsame-http"),
    ("selfsame-fetch", "selfsame-registry"),
    ("selfsame-fetch", "selfsame-store"),
    ("selfsame-http", "selfsame-store"),
    ("selfsame-publish", "selfsame-http"),
    ("selfsame-publish", "selfsame-registry"),
    ("selfsame-publish", "selfsame-store"),
    ("selfsame-registry", "selfsame-http"),
    ("selfsame-registry", "selfsame-store"),
    ("selfsame-toolchain", "selfsame-store"),
];

/// The one edge that the driver knows by name; sandbox, network and host reach it as traits and values.
const DRIVERS_EDGE: &str = "selfsame-store";

/// Crates of others that open files or sockets, run an event loop, read a clock or draw randomness. None of them may be
/// below the IO line, at any distance.
const RIGHTS: &[&str] = &[
    "async-std",
    "attohttpc",
    "chrono",
    "curl",
    "fastrand",
    "getrandom",
    "git2",
    "gix",
    "h2",
    "hyper",
    "jiff",
    "mio",
    "native-tls",
    "nix",
    "openssl",
    "openssl-sys",
    "quinn",
    "rand",
    "reqwest",
    "ring",
    "rustix",
    "rustls",
    "signal-hook",
    "smol",
    "socket2",
    "tempfile",
    "time",
    "tokio",
    "tonic",
    "ureq",
    "walkdir",
];

/// Where `libc` may be below the IO line all the same: below which crate of ours (`*`: any), behind which of others.
const LIBC_BEHIND: &[(&str, &str)] = &[
    // Asks the processor what it can do, on some targets.
    ("*", "cpufeatures"),
    // The C library's allocator and error numbers; what it reads is lent to it.
    ("*", "liblzma-sys"),
    // Reads archives from a reader that it is lent; what could open files in it is never called.
    ("selfsame-diff", "filetime"),
    ("selfsame-diff", "tar"),
];

struct Package {
    id: String,
    name: String,
    /// For crates of ours.
    layer: Option<String>,
    /// Names of ours in `[dependencies]`, and in `[dev-dependencies]`.
    ours: BTreeSet<(String, Use)>,
    /// Ids behind `[dependencies]`, for this platform.
    normal: BTreeSet<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Use {
    Normal,
    Build,
    Dev,
}

fn packages() -> BTreeMap<String, Package> {
    let output = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--offline", "--filter-platform", &this_platform()])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let mut packages: BTreeMap<String, Package> = BTreeMap::new();
    for package in metadata["packages"].as_array().expect("packages") {
        let layer = package["metadata"]["selfsame"]["layer"].as_str().map(str::to_owned);
        let mut ours = BTreeSet::new();
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let kind = match dependency["kind"].as_str() {
                None => Use::Normal,
                Some("build") => Use::Build,
                Some(_) => Use::Dev,
            };
            if dependency["path"].is_string() {
                ours.insert((text(&dependency["name"]), kind));
            }
        }
        let (id, name) = (text(&package["id"]), text(&package["name"]));
        packages.insert(id.clone(), Package { id, name, layer, ours, normal: BTreeSet::new() });
    }
    for node in metadata["resolve"]["nodes"].as_array().expect("nodes") {
        let normal = node["deps"].as_array().expect("deps").iter().filter(|dependency| {
            let kinds = dependency["dep_kinds"].as_array().expect("kinds");
            kinds.iter().any(|kind| kind["kind"].is_null())
        });
        let ids = normal.map(|dependency| text(&dependency["pkg"])).collect();
        packages.get_mut(&text(&node["id"])).expect("a node is a package").normal = ids;
    }
    packages
}

/// Packages for other platforms need not have been downloaded.
fn this_platform() -> String {
    let output = Command::new("rustc").arg("-vV").output().expect("rustc runs");
    let text = String::from_utf8(output.stdout).expect("rustc writes UTF-8");
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.expect("rustc says its host").to_owned()
}

fn ours(packages: &BTreeMap<String, Package>) -> Vec<&Package> {
    let ours: Vec<_> = packages.values().filter(|package| package.id.starts_with("path+")).collect();
    assert!(ours.len() > 10, "found only {} crates of ours", ours.len());
    ours
}

#[test]
fn every_crate_depends_on_lower_layers_only() {
    let packages = packages();
    let mut faults = Vec::new();
    let layers: BTreeMap<&str, &str> = ours(&packages)
        .into_iter()
        .map(|package| (package.name.as_str(), package.layer.as_deref().unwrap_or("")))
        .collect();
    let rank = |layer: &str| LAYERS.iter().position(|known| *known == layer);
    for package in ours(&packages) {
        let name = package.name.as_str();
        let layer = layers[name];
        if rank(layer).is_none() && layer != "dev" {
            faults.push(format!(
                "{name}: `[package.metadata.selfsame] layer` is `{layer}`, not one of {LAYERS:?} or dev"
            ));
            continue;
        }
        for (other, kind) in &package.ours {
            let other = other.as_str();
            let target = layers[other];
            let fine = match (kind, target) {
                _ if layer == "dev" => true,
                // Tests may use the fixtures, and whatever the crate itself could use.
                (Use::Dev, "dev") => true,
                (_, "dev") => false,
                _ if layer == "driver" && target == "edge" => other == DRIVERS_EDGE,
                _ if rank(target) < rank(layer) => true,
                _ => rank(target) == rank(layer) && BESIDE.contains(&(name, other)),
            };
            if !fine {
                faults.push(format!("{name} ({layer}) depends on {other} ({target})"));
            }
        }
    }
    none(
        "a crate may depend on lower layers, and on its own as BESIDE in crates/xtask/tests/tidy/layers.rs lists:",
        faults,
    );
}

#[test]
fn the_list_of_same_layer_dependencies_is_in_use() {
    let packages = packages();
    let used: BTreeSet<(&str, &str)> = ours(&packages)
        .into_iter()
        .flat_map(|package| package.ours.iter().map(|(other, _)| (package.name.as_str(), other.as_str())))
        .collect();
    let stale = BESIDE.iter().filter(|pair| !used.contains(*pair));
    none("BESIDE allows what no crate does:", stale.map(|(from, to)| format!("{from} -> {to}")).collect());
}

#[test]
fn nothing_below_the_io_line_has_a_right_to_io() {
    let packages = packages();
    let below =
        ours(&packages).into_iter().filter(|package| matches!(package.layer.as_deref(), Some("words" | "pure")));
    let faults = below.filter_map(|package| path_to_a_right(package, &packages)).collect();
    none("words and pure crates open nothing, ask no clock and draw no randomness; these could:", faults);
}

/// A shortest path from a crate to one of [`RIGHTS`], as `a -> b -> c`.
fn path_to_a_right(from: &Package, packages: &BTreeMap<String, Package>) -> Option<String> {
    let mut before: BTreeMap<&str, &str> = BTreeMap::new();
    let mut queue = VecDeque::from([from.id.as_str()]);
    while let Some(id) = queue.pop_front() {
        let package = &packages[id];
        for next in &package.normal {
            let name = packages[next].name.as_str();
            let known = |(ours, other): &&(&str, &str)| (*ours == "*" || *ours == from.name) && *other == package.name;
            let libc = name == "libc" && !LIBC_BEHIND.iter().any(|pair| known(&pair));
            if next != &from.id && !before.contains_key(next.as_str()) {
                before.insert(next, id);
                queue.push_back(next);
            }
            if RIGHTS.contains(&name) || libc {
                let mut path = vec![name];
                let mut at = Some(id);
                while let Some(step) = at {
                    path.push(&packages[step].name);
                    at = before.get(step).copied();
                }
                path.reverse();
                return Some(path.join(" -> "));
            }
        }
    }
    None
}

#[test]
fn folder_and_crate_have_one_name() {
    let packages = packages();
    let mut faults = Vec::new();
    for package in ours(&packages) {
        if !root().join("crates").join(&package.name).join("Cargo.toml").is_file() {
            faults.push(format!("{} is not crates/{}", package.name, package.name));
        }
    }
    none("crates lie flat, each in a folder of its name:", faults);
}

#[test]
fn the_architecture_page_lists_every_crate() {
    let page = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let packages = packages();
    let mut faults = Vec::new();
    for package in ours(&packages) {
        let layer = package.layer.as_deref().unwrap_or("");
        let row = format!("| {layer} | `{}` |", package.name);
        if !page.contains(&row) {
            faults.push(format!("no row begins `{row}`"));
        }
    }
    none("ARCHITECTURE.md has a table of crates with their layers:", faults);
}
