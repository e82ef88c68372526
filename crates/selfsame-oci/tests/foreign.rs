//! What others make of our layouts and archives (design: the contract with stock tools).

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::process::Command;

use selfsame_core::{Digest, Platform, RelPath, SourceEpoch, media};
use selfsame_oci::layout::{INDEX_FILE, LAYOUT_FILE, blob_path, docker_file, index_file, layout_file};
use selfsame_oci::{
    Compression, Contents, Descriptor, ImageConfig, Limits, image_manifest, read_pack, referrer_manifest, with_parents,
    write_archive, write_layer,
};
use selfsame_testing::{Tier, require, skip};
use selfsame_tree::{Entry, Kind, Tree};

#[derive(Default)]
struct Blobs(BTreeMap<Digest, Vec<u8>>);

impl Contents for Blobs {
    fn open(&self, digest: &Digest, _: u64) -> io::Result<Box<dyn Read + Send + '_>> {
        let bytes = self.0.get(digest).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(bytes.as_slice()))
    }
}

impl Blobs {
    fn put(&mut self, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        self.0.insert(digest, bytes.to_vec());
        digest
    }
}

/// A layout with one image, `made:1`, and one referrer, and the same as an archive.
struct Made {
    folder: tempfile::TempDir,
    config: Digest,
    tree: Tree,
}

const NAME: &str = "made:1";

fn make() -> Made {
    let epoch = SourceEpoch::new(1_700_000_000).unwrap();
    let path = |text: &str| RelPath::new(text).unwrap();
    let mut contents = Blobs::default();
    let text: Vec<u8> = (0..300_000_u32).flat_map(|number| number.to_string().into_bytes()).collect();
    let file = |contents: &mut Blobs, bytes: &[u8], executable| {
        Entry::file(contents.put(bytes), bytes.len() as u64, executable)
    };
    let long = format!("deep/{}/{}", "a".repeat(120), "b".repeat(120));
    let tree = Tree::from_entries([
        (path("bin/tool"), file(&mut contents, b"#!/bin/sh\n", true)),
        (path("bin/twin"), Entry::new(Kind::HardLink { target: path("bin/tool") }, 0o755)),
        (path("etc/n\u{e4}me"), file(&mut contents, b"", false)),
        (path("lib"), Entry::symlink("usr/lib")),
        (path(&long), file(&mut contents, b"long", false)),
        (path("data"), file(&mut contents, &text, false)),
        (path("tmp"), Entry::new(Kind::Directory, 0o1777)),
    ]);
    let tree = with_parents(&tree.unwrap());
    let mut stored = Vec::new();
    let layer = write_layer(&tree, epoch, &contents, &mut stored, Compression::Gzip, 2).unwrap();

    let mut config = ImageConfig::new(Platform::native(), epoch);
    config.entrypoint = vec!["/bin/tool".to_owned()];
    config.env = vec!["PATH=/bin".to_owned()];
    config.push_layer(layer.diff_id, "selfsame");
    let config = config.document();
    let layers = [layer.descriptor()];
    let manifest = image_manifest(&config.descriptor, &layers, &BTreeMap::new());
    let bundle = Descriptor::of(media::BUNDLE, b"{}\n");
    let referrer = referrer_manifest(&manifest.descriptor, media::BUNDLE, &[bundle], &BTreeMap::new());
    let index = index_file(&manifest.descriptor, NAME, std::slice::from_ref(&referrer.descriptor));

    let mut blobs = Blobs::default();
    for bytes in [&stored, &config.bytes, &manifest.bytes, &referrer.bytes, &b"{}\n".to_vec(), &b"{}".to_vec()] {
        blobs.put(bytes);
    }
    let folder = tempfile::tempdir().unwrap();
    let layout = folder.path().join("layout");
    fs::create_dir_all(layout.join("blobs/sha256")).unwrap();
    fs::write(layout.join(LAYOUT_FILE), layout_file()).unwrap();
    fs::write(layout.join(INDEX_FILE), &index.bytes).unwrap();
    for (digest, bytes) in &blobs.0 {
        fs::write(layout.join(blob_path(*digest)), bytes).unwrap();
    }
    let sizes = blobs.0.iter().map(|(digest, bytes)| (*digest, bytes.len() as u64)).collect();
    let docker = docker_file(&config.descriptor, &layers, &[format!("localhost/{NAME}")]);
    let mut out = fs::File::create(folder.path().join("archive.tar")).unwrap();
    write_archive(&mut out, epoch, &index.bytes, Some(&docker), &sizes, &blobs).unwrap();
    Made { folder, config: config.descriptor.digest, tree }
}

impl Made {
    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }
}

/// Whether the tool is there and answers.
fn tool(name: &str, question: &[&str]) -> bool {
    let ability = match Command::new(name).args(question).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("`{name}` says: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => Err(format!("`{name}` cannot be started: {error}")),
    };
    require(Tier::Foreign, ability)
}

#[track_caller]
fn run(name: &str, arguments: &[&str]) -> String {
    run_in(Path::new("/"), name, arguments)
}

#[track_caller]
fn run_in(folder: &Path, name: &str, arguments: &[&str]) -> String {
    let output = Command::new(name).args(arguments).current_dir(folder).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{name} {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// The same files as in the tree, in a tar that somebody exported.
#[track_caller]
fn same_files(exported: &Path, tree: &Tree) {
    let read = read_pack(fs::File::open(exported).unwrap(), media::LAYER_TAR, Limits::LAYER, &mut ()).unwrap();
    for (path, entry) in tree.iter() {
        let found = read.tree.entry(path.as_str());
        let mode = found.map(|found| found.mode);
        assert_eq!(mode, Some(entry.mode), "{path}");
        assert_eq!(read.tree.content(path.as_str()), tree.content(path.as_str()), "{path}");
    }
}

#[test]
fn skopeo_copies_layout_and_archive() {
    if !tool("skopeo", &["--version"]) {
        return;
    }
    let made = make();
    let archive = format!("docker-archive:{}", made.path("archive.tar"));
    for (number, from) in [format!("oci:{}:{NAME}", made.path("layout")), archive].iter().enumerate() {
        let to = made.path(&format!("copy{number}"));
        run("skopeo", &["--insecure-policy", "copy", from, &format!("dir:{to}")]);
        let config = fs::read(Path::new(&to).join(made.config.hex())).unwrap();
        assert_eq!(Digest::of(&config), made.config);
    }
    let archive = format!("oci-archive:{}:{NAME}", made.path("archive.tar"));
    let inspected = run("skopeo", &["--insecure-policy", "inspect", "--config", &archive]);
    assert!(inspected.contains("/bin/tool"), "{inspected}");
}

#[test]
fn podman_loads_the_archive_and_pulls_the_layout() {
    if !tool("podman", &["--version"]) {
        return;
    }
    let made = make();
    let (root, runroot, exported) = (made.path("root"), made.path("runroot"), made.path("exported.tar"));
    let podman = |arguments: &[&str]| {
        let own = ["--root", &root, "--runroot", &runroot, "--storage-driver", "vfs"];
        run_in(made.folder.path(), "podman", &[&own[..], arguments].concat())
    };
    podman(&["load", "-q", "-i", &made.path("archive.tar")]);
    let id = podman(&["image", "inspect", "--format", "{{.Id}}", &format!("localhost/{NAME}")]);
    assert_eq!(id.trim(), made.config.hex(), "the image's id is the digest of our config");
    let container = podman(&["create", "--network", "none", &format!("localhost/{NAME}")]);
    podman(&["export", "-o", &exported, container.trim()]);
    podman(&["rm", container.trim()]);
    podman(&["rmi", id.trim()]);
    same_files(Path::new(&exported), &made.tree);
    // podman 4 makes a name of the folder's path, and refuses one with capitals: the path is a relative one here.
    let pulled = podman(&["pull", "-q", &format!("oci:layout:{NAME}")]);
    assert_eq!(pulled.trim(), made.config.hex());
    podman(&["rmi", pulled.trim()]);
}

/// Not required anywhere: a daemon that answers is the affair of the machine.
#[test]
fn docker_loads_the_archive() {
    if !Command::new("docker").arg("version").output().is_ok_and(|output| output.status.success()) {
        skip("no docker daemon answers");
        return;
    }
    let made = make();
    let said = run("docker", &["load", "-i", &made.path("archive.tar")]);
    assert!(said.contains(&format!("localhost/{NAME}")), "{said}");
    let container = run("docker", &["create", &format!("localhost/{NAME}")]);
    let exported = made.path("exported.tar");
    run("docker", &["export", "-o", &exported, container.trim()]);
    run("docker", &["rm", container.trim()]);
    run("docker", &["rmi", &format!("localhost/{NAME}")]);
    same_files(Path::new(&exported), &made.tree);
}

#[test]
fn umoci_unpacks_the_layout() {
    if !tool("umoci", &["--version"]) {
        return;
    }
    let made = make();
    let bundle = made.path("bundle");
    run("umoci", &["unpack", "--rootless", "--image", &format!("{}:{NAME}", made.path("layout")), &bundle]);
    for (path, entry) in made.tree.iter() {
        let found = Path::new(&bundle).join("rootfs").join(path.as_str());
        let metadata = fs::symlink_metadata(&found).unwrap();
        assert_eq!(metadata.is_dir(), entry.kind == Kind::Directory, "{path}");
        if let Some((digest, _)) = made.tree.content(path.as_str()) {
            assert_eq!(Digest::of(&fs::read(&found).unwrap()), digest, "{path}");
        }
    }
}

#[test]
fn gnu_tar_and_gzip_read_the_layer() {
    if !tool("tar", &["--version"]) || !tool("gzip", &["--version"]) {
        return;
    }
    let made = make();
    let layout = made.path("layout");
    let gzips = fs::read_dir(Path::new(&layout).join("blobs/sha256")).unwrap().map(|item| item.unwrap().path());
    let layer = gzips.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    let layer = layer.to_str().unwrap();
    run("gzip", &["--test", "--stdout", layer]);
    let listed = run("tar", &["--quoting-style=literal", "-tzf", layer]);
    let ours: Vec<_> = made.tree.iter().map(|(path, _)| path.to_string()).collect();
    assert_eq!(listed.lines().map(|line| line.trim_end_matches('/')).collect::<Vec<_>>(), ours);
}
