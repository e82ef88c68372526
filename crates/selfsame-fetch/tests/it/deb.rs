//! Debian's own packages, chosen by apt, brought, unpacked, and compared with what dpkg and tar make of them. Tier
//! `network`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use selfsame_core::{Digest, Platform, RelPath, SourceEpoch};
use selfsame_definition::{DebSpec, InputSpec, Rootfs};
use selfsame_fetch::{
    Context, Environment, FetchError, Silent, describe_input, fetch_input, input_tree, resolve_input,
};
use selfsame_lock::{Day, Part};
use selfsame_store::Store;
use selfsame_testing::{Tier, require};
use selfsame_tree::{Kind, Tree};
use tempfile::TempDir;

/// A store of one's own, and this machine's configuration.
struct World {
    _folder: TempDir,
    store: Store,
    environment: Environment,
    offline: bool,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        let environment = Environment { variables: std::env::vars_os().collect() };
        Self { _folder: folder, store, environment, offline: false }
    }

    fn with<T>(&self, work: impl FnOnce(&Context<'_>) -> T) -> T {
        let platform: Platform = "linux/amd64".parse().unwrap();
        let http = selfsame_http::Client::new(&self.environment, selfsame_http::Options::default()).unwrap();
        work(&Context {
            folder: self.store.root(),
            environment: &self.environment,
            http: &http,
            store: &self.store,
            platform: &platform,
            platforms: &[],
            offline: self.offline,
            today: Day::of(SourceEpoch::new(1_795_132_800).unwrap()),
            progress: &Silent,
        })
    }
}

fn spec(packages: &[&str]) -> InputSpec {
    InputSpec::Deb(DebSpec {
        packages: packages.iter().map(|name| (*name).to_owned()).collect(),
        suite: None,
        rootfs: Rootfs::Unpacked,
        essential: false,
        recommends: false,
    })
}

#[test]
fn a_base_with_everything_essential_needs_no_tool_that_merges_usr() {
    if !wanted() {
        return;
    }
    let world = World::new();
    let InputSpec::Deb(deb) = spec(&["base-files"]) else { unreachable!() };
    let spec = InputSpec::Deb(DebSpec { essential: true, suite: Some("bookworm".to_owned()), ..deb });
    let parts = world.with(|cx| resolve_input("base", &spec, cx)).unwrap();
    let names: Vec<&str> = parts
        .iter()
        .map(|part| part.purl.as_str().strip_prefix("pkg:deb/debian/").unwrap().split('@').next().unwrap())
        .collect();
    for (name, there) in [("dash", true), ("coreutils", true), ("dpkg", true), ("usrmerge", false), ("perl", false)] {
        assert_eq!(names.contains(&name), there, "{name} of {names:?}");
    }
    let tree = world.with(|cx| input_tree("base", &spec, &parts, cx)).unwrap();
    let entry = |path: &str| tree.entry(path).unwrap_or_else(|| panic!("{path} is there"));
    assert_eq!(entry("tmp").mode, 0o1777);
    assert_eq!(entry("usr/bin/su").mode, 0o4755);
    let passwd = world.store.read_blob(&tree.content("etc/passwd").unwrap().0, 1 << 20).unwrap();
    assert!(passwd.starts_with(b"root:*:0:0:root:/root:/bin/bash\n"), "{}", String::from_utf8_lossy(&passwd));
}

/// As the other tests of this tier have it: the network is asked where somebody said so.
fn wanted() -> bool {
    let required = std::env::var("SELFSAME_REQUIRE").unwrap_or_default();
    let asked = required.split(',').any(|word| matches!(word.trim(), "network" | "all"));
    let tools = || {
        let missing = ["apt-get", "dpkg", "dpkg-deb", "dpkg-query", "tar"].into_iter().find(|tool| {
            Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err()
        });
        missing.map_or(Ok(()), |tool| Err(format!("`{tool}` is not there")))
    };
    let ability = if asked { tools() } else { Err("SELFSAME_REQUIRE does not name it".to_owned()) };
    require(Tier::Network, ability)
}

#[test]
fn a_compiler_is_locked_brought_and_unpacked_as_dpkg_does_it() {
    if !wanted() {
        return;
    }
    let world = World::new();
    let spec = spec(&["gcc", "libc6-dev"]);
    let parts = world.with(|cx| resolve_input("gcc", &spec, cx)).unwrap();
    assert!(parts.len() > 30, "{} packages", parts.len());
    let gcc = parts.iter().find(|part| part.purl.as_str().starts_with("pkg:deb/debian/gcc@")).unwrap();
    assert!(gcc.source.as_deref().is_some_and(|source| source.starts_with("gcc-defaults@")), "{gcc:?}");
    let mut sorted = parts.clone();
    sorted.sort();
    assert_eq!(parts, sorted);
    let tree = world.with(|cx| input_tree("gcc", &spec, &parts, cx)).unwrap();
    assert_eq!(tree.content("usr/bin/cc"), None, "it is a link");
    let cc = |path: &str| match &tree.entry(path).expect(path).kind {
        Kind::Symlink { target } => target.clone(),
        other => panic!("{path} is {other:?}"),
    };
    assert_eq!(
        (cc("usr/bin/cc").as_str(), cc("etc/alternatives/cc").as_str()),
        ("/etc/alternatives/cc", "/usr/bin/gcc")
    );
    assert_eq!(cc("lib64"), "usr/lib64");
    compare_with_dpkg(&world, &parts, &tree);
    ask_dpkg(&world, &parts, &tree);

    // Without the network: the same parts and the same tree from another order.
    let offline = World { offline: true, ..world };
    assert_eq!(offline.with(|cx| resolve_input("gcc", &spec, cx)).unwrap(), parts);
    let mut reversed = parts.clone();
    reversed.reverse();
    assert_eq!(offline.with(|cx| input_tree("gcc", &spec, &reversed, cx)).unwrap(), tree);

    let described = offline.with(|cx| describe_input("gcc", &spec, &parts, cx)).unwrap();
    assert_eq!(described.len(), parts.len());
    let libc = described.iter().find(|package| package.name == "libc6-dev").unwrap();
    assert!(libc.depends_on.iter().any(|purl| purl.contains("/libc6@")), "{:?}", libc.depends_on);
    assert!(libc.files.contains(&RelPath::new("usr/include/stdio.h").unwrap()));
    assert!(libc.supplier.as_deref().is_some_and(|supplier| supplier.contains('@')), "{:?}", libc.supplier);

    // Another store, and nothing but the lock.
    let other = World::new();
    other.with(|cx| fetch_input("gcc", &spec, &parts, cx)).unwrap();
    assert_eq!(other.with(|cx| input_tree("gcc", &spec, &parts, cx)).unwrap(), tree);
    let mut republished = parts.clone();
    republished[0].sha256 = Digest::of(b"other bytes");
    let error = World::new().with(|cx| fetch_input("gcc", &spec, &republished[..1], cx)).unwrap_err();
    assert!(matches!(error, FetchError::Mismatch { .. }), "{error}");
}

/// What dpkg finds in the root is what was locked, and every file is what its package says.
fn ask_dpkg(world: &World, parts: &[Part], tree: &Tree) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    world.store.unpack(tree, &root, |_| 1_700_000_000).unwrap();
    let run = |command: &mut Command| {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let mut query = Command::new("dpkg-query");
    query.arg("--admindir").arg(root.join("var/lib/dpkg"));
    let found =
        run(query.args(["-W", "-f", "${Package} ${Version} ${Architecture} ${source:Package}@${source:Version}\n"]));
    let mut found: Vec<&str> = found.lines().collect();
    found.sort_unstable();
    let mut locked: Vec<String> = parts
        .iter()
        .map(|part| {
            let (name, rest) = part.purl.as_str().strip_prefix("pkg:deb/debian/").unwrap().split_once('@').unwrap();
            let (version, architecture) = rest.split_once("?arch=").unwrap();
            let source = part.source.as_deref().unwrap();
            format!("{name} {version} {architecture} {source}").replace("%2B", "+")
        })
        .collect();
    locked.sort_unstable();
    assert_eq!(found, locked);
    let verified = run(Command::new("dpkg").arg("--root").arg(&root).arg("--verify"));
    assert_eq!(verified, "", "dpkg --verify");
}

/// Unpacks with dpkg-deb and tar into a folder with a merged `/usr`, and compares every path.
fn compare_with_dpkg(world: &World, parts: &[Part], tree: &Tree) {
    let folder = tempfile::tempdir().unwrap();
    for name in ["bin", "sbin", "lib", "lib64", "lib32", "libx32"] {
        std::fs::create_dir_all(folder.path().join("usr").join(name)).unwrap();
        std::os::unix::fs::symlink(format!("usr/{name}"), folder.path().join(name)).unwrap();
    }
    for part in parts {
        let deb = world.store.blob_path(&part.sha256, false).unwrap().unwrap();
        let mut dpkg = Command::new("dpkg-deb").arg("--fsys-tarfile").arg(deb).stdout(Stdio::piped()).spawn().unwrap();
        let mut tar = Command::new("tar");
        tar.args(["-x", "--keep-directory-symlink", "--numeric-owner", "-p", "-C"]).arg(folder.path());
        let status = tar.stdin(dpkg.stdout.take().unwrap()).status().unwrap();
        assert!(status.success() && dpkg.wait().unwrap().success(), "{}", part.purl);
    }
    let mut theirs = BTreeMap::new();
    walk(folder.path(), Path::new(""), &mut theirs);
    let made = ["var/lib/dpkg/", "etc/alternatives/"];
    let mut compared = 0;
    for (path, entry) in tree.iter() {
        let text = path.as_str();
        let Some(found) = theirs.remove(text) else {
            let is_made = made.iter().any(|made| text.starts_with(made))
                || matches!(&entry.kind, Kind::Symlink { target } if target.starts_with("/etc/alternatives/"));
            assert!(is_made || entry.kind == Kind::Directory, "dpkg has no `{path}`");
            continue;
        };
        let mode = if matches!(entry.kind, Kind::Symlink { .. }) { 0o777 } else { entry.mode };
        let ours = match &entry.kind {
            Kind::Directory => format!("dir {mode:o}"),
            Kind::Symlink { target } => format!("link {target}"),
            Kind::File { .. } | Kind::HardLink { .. } => {
                format!("file {mode:o} {}", tree.content(text).expect("a file").0)
            }
        };
        assert_eq!(ours, found, "{path}");
        compared += 1;
    }
    let left: Vec<&String> = theirs.keys().collect();
    assert_eq!(left, ["lib32", "libx32", "usr/lib32", "usr/libx32"], "only dpkg has these, made above and empty");
    assert!(compared > 2000, "{compared} paths");
}

fn walk(root: &Path, below: &Path, found: &mut BTreeMap<String, String>) {
    use std::os::unix::fs::PermissionsExt;
    for entry in std::fs::read_dir(root.join(below)).unwrap() {
        let path: PathBuf = below.join(entry.unwrap().file_name());
        let metadata = std::fs::symlink_metadata(root.join(&path)).unwrap();
        let mode = metadata.permissions().mode() & 0o7777;
        let text = if metadata.is_symlink() {
            format!("link {}", std::fs::read_link(root.join(&path)).unwrap().display())
        } else if metadata.is_dir() {
            walk(root, &path, found);
            format!("dir {mode:o}")
        } else {
            format!("file {mode:o} {}", Digest::of(&std::fs::read(root.join(&path)).unwrap()))
        };
        found.insert(path.to_str().unwrap().to_owned(), text);
    }
}
