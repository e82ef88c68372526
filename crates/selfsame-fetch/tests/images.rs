//! Images that other people's tools wrote, and what these make of them: umoci, skopeo, podman, a real registry.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use selfsame_core::{Digest, Platform, SourceEpoch};
use selfsame_definition::{InputSpec, OciSpec};
use selfsame_fetch::{Context, Environment, Silent, describe_input, input_image, input_tree, resolve_input};
use selfsame_http::{Client, Options};
use selfsame_lock::{Day, Part};
use selfsame_store::Store;
use selfsame_testing::{Tier, require};
use selfsame_tree::{Kind, Tree};

/// A folder with layouts and archives, and a store.
struct World {
    folder: tempfile::TempDir,
    store: Store,
    environment: Environment,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        let mut environment = Environment::default();
        environment.variables.insert("HOME".into(), folder.path().join("home").into());
        Self { folder, store, environment }
    }

    fn at(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn with<T>(&self, work: impl FnOnce(&Context<'_>) -> T) -> T {
        let platform = Platform::native();
        let http = Client::new(&self.environment, Options::default()).unwrap();
        work(&Context {
            folder: self.folder.path(),
            environment: &self.environment,
            http: &http,
            store: &self.store,
            platform: &platform,
            platforms: &[],
            offline: false,
            today: Day::of(SourceEpoch::new(1_795_132_800).unwrap()),
            progress: &Silent,
        })
    }

    #[track_caller]
    fn resolve(&self, spec: OciSpec) -> (Vec<Part>, Tree) {
        let spec = InputSpec::Oci(spec);
        self.with(|cx| {
            let mut parts = resolve_input("base", &spec, cx).unwrap();
            parts.sort_unstable();
            let tree = input_tree("base", &spec, &parts, cx).unwrap();
            let image = input_image("base", &spec, &parts, cx).unwrap().unwrap();
            assert_eq!(image.layers.len(), image.config.diff_ids.len());
            describe_input("base", &spec, &parts, cx).unwrap();
            (parts, tree)
        })
    }

    #[track_caller]
    fn run(&self, program: &str, arguments: &[&str]) -> String {
        let output = Command::new(program).args(arguments).current_dir(self.folder.path()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{program} {arguments:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn skopeo(&self, from: &str, to: &str, more: &[&str]) {
        self.run("skopeo", &[&["--insecure-policy", "copy", "-q"], more, &[from, to]].concat());
    }

    /// A layout by umoci: three layers, the second replaces a file and takes others away, the third makes a folder of a
    /// file.
    fn umoci(&self) {
        let root = self.folder.path().join("bundle/rootfs");
        let write = |name: &str, text: &str| {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let umoci = |arguments: &[&str]| self.run("umoci", arguments);
        umoci(&["init", "--layout", "layout"]);
        umoci(&["new", "--image", "layout:1"]);
        umoci(&["unpack", "--rootless", "--image", "layout:1", "bundle"]);
        let repack = || umoci(&["repack", "--refresh-bundle", "--image", "layout:1", "bundle"]);
        write("bin/tool", "#!/bin/sh\n");
        fs::set_permissions(root.join("bin/tool"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::hard_link(root.join("bin/tool"), root.join("bin/twin")).unwrap();
        std::os::unix::fs::symlink("bin/tool", root.join("link")).unwrap();
        for (name, text) in [("etc/hosts", "first"), ("etc/gone", "x"), ("opt/a", "a"), ("opt/b/c", "c"), ("kind", "k")]
        {
            write(name, text);
        }
        repack();
        write("etc/hosts", "second, longer");
        fs::remove_file(root.join("etc/gone")).unwrap();
        fs::remove_dir_all(root.join("opt")).unwrap();
        write("opt/d", "d");
        repack();
        fs::remove_file(root.join("kind")).unwrap();
        write("kind/inside", "i");
        repack();
        umoci(&["config", "--image", "layout:1", "--config.env", "A=b", "--config.cmd", "tool"]);
    }
}

fn layout(path: &str, tag: &str) -> OciSpec {
    OciSpec::Layout { path: path.to_owned(), tag: Some(tag.to_owned()) }
}

fn archive(path: &str, name: &str) -> OciSpec {
    OciSpec::DockerArchive { path: path.to_owned(), name: Some(name.to_owned()) }
}

/// Whether the tools are there and answer.
fn tools(names: &[&str]) -> bool {
    let ability = names.iter().try_for_each(|name| match Command::new(name).arg("--version").output() {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("`{name}` cannot be started: {error}")),
    });
    require(Tier::Foreign, ability)
}

/// What a folder holds: path to digest of the content, text of the link, or nothing for a folder.
fn unpacked(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(here) = folders.pop() {
        for entry in fs::read_dir(&here).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            let metadata = fs::symlink_metadata(&path).unwrap();
            let what = if metadata.is_dir() {
                folders.push(path);
                String::new()
            } else if metadata.is_symlink() {
                fs::read_link(&path).unwrap().to_str().unwrap().to_owned()
            } else {
                let mode = metadata.permissions().mode() & 0o7777;
                format!("{mode:o} {}", Digest::of(&fs::read(&path).unwrap()))
            };
            found.insert(name, what);
        }
    }
    found
}

/// The same of a tree.
fn held(tree: &Tree) -> BTreeMap<String, String> {
    let what = |(path, entry): (&selfsame_core::RelPath, &selfsame_tree::Entry)| {
        let what = match &entry.kind {
            Kind::Directory => String::new(),
            Kind::Symlink { target } => target.clone(),
            Kind::File { .. } | Kind::HardLink { .. } => {
                format!("{:o} {}", entry.mode, tree.content(path.as_str()).unwrap().0)
            }
        };
        (path.to_string(), what)
    };
    tree.iter().filter(|(path, _)| !path.is_root()).map(what).collect()
}

#[test]
fn layers_flatten_as_umoci_unpacks_them() {
    if !tools(&["umoci"]) {
        return;
    }
    let world = World::new();
    world.umoci();
    let (parts, tree) = world.resolve(layout("layout", "1"));
    assert_eq!(parts.iter().filter(|part| part.role.as_deref() == Some("layer")).count(), 3);
    world.run("umoci", &["unpack", "--rootless", "--image", "layout:1", "again"]);
    let theirs = unpacked(&world.folder.path().join("again/rootfs"));
    assert_eq!(held(&tree), theirs);
    assert!(theirs.contains_key("kind/inside") && !theirs.contains_key("opt/a") && !theirs.contains_key("etc/gone"));
    assert!(tree.iter().any(|(_, entry)| matches!(entry.kind, Kind::HardLink { .. })));
}

#[test]
fn what_skopeo_copies_is_the_same_image_in_every_form() {
    if !tools(&["umoci", "skopeo"]) {
        return;
    }
    let world = World::new();
    world.umoci();
    let (parts, tree) = world.resolve(layout("layout", "1"));
    world.skopeo("oci:layout:1", "oci-archive:layout.tar:team/app:1", &[]);
    let (same, again) = world.resolve(layout("layout.tar", "1"));
    let digests = |parts: &[Part]| parts.iter().map(|part| part.sha256).collect::<std::collections::BTreeSet<_>>();
    assert_eq!((digests(&same), &again), (digests(&parts), &tree));
    world.skopeo("oci:layout:1", "docker-archive:saved.tar:localhost/team/app:1", &[]);
    let (saved, again) = world.resolve(archive("saved.tar", "team/app:1"));
    assert_eq!(again, tree);
    assert_ne!(digests(&saved), digests(&parts), "layers are uncompressed there");
    let config = |parts: &[Part]| parts.iter().find(|part| part.role.as_deref() == Some("config")).unwrap().sha256;
    assert_eq!(config(&saved), config(&parts));
    world.skopeo("docker-archive:saved.tar", "oci:zstd:1", &["--dest-compress-format", "zstd"]);
    let (zstd, again) = world.resolve(layout("zstd", "1"));
    assert_eq!(again, tree);
    assert_ne!(digests(&zstd), digests(&parts));
}

#[test]
fn what_podman_saves_is_read() {
    if !tools(&["umoci", "skopeo", "podman"]) {
        return;
    }
    let world = World::new();
    world.umoci();
    let (_, tree) = world.resolve(layout("layout", "1"));
    let (root, run) = (world.at("storage"), world.at("run"));
    let own = ["--root", &root, "--runroot", &run, "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs"];
    let podman = |arguments: &[&str]| world.run("podman", &[&own[..], arguments].concat());
    world.skopeo("oci:layout:1", "docker-archive:saved.tar:localhost/app:1", &[]);
    podman(&["load", "-q", "-i", "saved.tar"]);
    for (format, path) in [("docker-archive", "podman.tar"), ("oci-archive", "podman-oci.tar")] {
        podman(&["save", "-q", "--format", format, "-o", path, "localhost/app:1"]);
        let spec = if format == "docker-archive" { archive(path, "app:1") } else { layout(path, "app:1") };
        assert_eq!(world.resolve(spec).1, tree, "{format}");
    }
    podman(&["rmi", "localhost/app:1"]);
}

/// A registry that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn what_a_real_registry_has_is_the_same_image() {
    if !tools(&["umoci", "skopeo", "docker-registry"]) {
        return;
    }
    let world = World::new();
    world.umoci();
    let (parts, tree) = world.resolve(layout("layout", "1"));
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = format!(
        "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: 127.0.0.1:{port}\n",
        world.at("registry")
    );
    fs::write(world.at("registry.yml"), config).unwrap();
    let mut registry = Command::new("docker-registry");
    registry.args(["serve", &world.at("registry.yml")]).stdout(Stdio::null()).stderr(Stdio::null());
    let _running = Running(registry.spawn().unwrap());
    let begun = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    assert!(begun, "docker-registry does not answer");
    let name = format!("127.0.0.1:{port}/team/app:1");
    world.skopeo("oci:layout:1", &format!("docker://{name}"), &["--dest-tls-verify=false"]);
    let other = World::new();
    let (pulled, again) = other.resolve(OciSpec::Registry { reference: name.clone() });
    assert_eq!(again, tree);
    let digests = |parts: &[Part]| parts.iter().map(|part| part.sha256).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(digests(&pulled), digests(&parts));
    let said =
        world.run("skopeo", &["inspect", "--tls-verify=false", "--format", "{{.Digest}}", &format!("docker://{name}")]);
    let manifest = pulled.iter().find(|part| part.role.as_deref() == Some("manifest")).unwrap();
    assert_eq!(said.trim(), manifest.sha256.to_string());
}
