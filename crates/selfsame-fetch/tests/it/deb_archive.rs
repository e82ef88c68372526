//! An archive of packages on loopback, signed or not, honest or not, and apt as it is on this machine. Tier `foreign`.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use selfsame_core::{Digest, Platform, SourceEpoch};
use selfsame_definition::{DebSpec, InputSpec, Rootfs};
use selfsame_fetch::{
    Context, Environment, FetchError, Silent, describe_input, fetch_input, input_tree, resolve_input,
};
use selfsame_http::{Client, Options, Origins};
use selfsame_lock::{Day, Part};
use selfsame_store::Store;
use selfsame_testing::server::{Answer, Server};
use selfsame_testing::{Tier, require};
use tempfile::TempDir;

/// Whether apt and gpg are there.
#[track_caller]
fn wanted() -> bool {
    let works = |tool: &&str| {
        let status = Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    let missing = ["apt-get", "gpg"].into_iter().find(|tool| !works(tool));
    require(Tier::Foreign, missing.map_or(Ok(()), |tool| Err(format!("`{tool}` is not there"))))
}

type Files = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// A signed archive with packages, and a machine whose apt has it as its only source.
struct World {
    folder: TempDir,
    files: Files,
    server: Server,
    store: Store,
    environment: Environment,
    packages: Vec<(String, Vec<u8>)>,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files: Files = Arc::default();
        let served = Arc::clone(&files);
        let server = Server::http(move |asked| match served.lock().unwrap().get(&asked.path().replace("%2b", "+")) {
            Some(bytes) => Answer::file(asked, bytes, &Digest::of(bytes).hex()),
            None => Answer::status(404),
        });
        for name in ["etc/parts", "etc/sources", "gnupg"] {
            std::fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        let store = Store::open(&folder.path().join("store")).unwrap();
        let mut environment = Environment::default();
        environment.variables.insert("PATH".into(), std::env::var_os("PATH").unwrap());
        environment.variables.insert("APT_CONFIG".into(), folder.path().join("apt.conf").into());
        let world = Self { folder, files, server, store, environment, packages: Vec::new() };
        // A hook as some machines have it: it must not run.
        let path = |name: &str| world.path(name).display().to_string();
        let config = format!(
            "Dir::Etc::sourcelist \"{}\";\nDir::Etc::sourceparts \"{}\";\nDir::Etc::parts \"{}\";\n\
             Dir::Etc::main \"/dev/null\";\nAPT::Update::Post-Invoke {{ \"touch {}\"; }};\n\
             APT::Get::AllowUnauthenticated \"1\";\nAcquire::AllowInsecureRepositories \"1\";\n",
            path("etc/sources.list"),
            path("etc/sources"),
            path("etc/parts"),
            path("hook"),
        );
        std::fs::write(world.path("apt.conf"), config).unwrap();
        world.gpg(&["--quick-gen-key", "archive@example.org", "ed25519", "sign", "never"]);
        std::fs::write(world.path("key.gpg"), world.gpg(&["--export", "archive@example.org"])).unwrap();
        world.sources(&format!("signed-by={}", path("key.gpg")));
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn gpg(&self, arguments: &[&str]) -> Vec<u8> {
        let mut command = Command::new("gpg");
        command.args(["--batch", "--quiet", "--yes", "--passphrase", "", "--pinentry-mode", "loopback"]);
        let output = command.args(arguments).env("GNUPGHOME", self.path("gnupg")).output().unwrap();
        assert!(output.status.success(), "gpg: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    fn sources(&self, options: &str) {
        let text = format!("deb [{options}] {} bookworm main\ndeb file:/srv/nothing ./\n", self.server.url("/debian"));
        std::fs::write(self.path("etc/sources.list"), text).unwrap();
    }

    /// A package with one file, in the archive's pool from the next [`World::publish`] on.
    fn package(&mut self, name: &str, version: &str, fields: &str, content: &str) {
        let path = format!("main/{}/{name}/{name}_{version}_all.deb", &name[..1]);
        self.packages.push((path, deb(name, version, fields, content)));
    }

    /// Writes the lists, and signs them.
    fn publish(&self) {
        self.publish_with(|list| list);
    }

    /// The same, with a list that says something else.
    fn publish_with(&self, change: impl Fn(String) -> String) {
        let mut release = String::from(
            "Origin: Debian\nSuite: bookworm\nCodename: bookworm\nDate: Sat, 01 Nov 2025 00:00:00 UTC\n\
             Architectures: amd64 arm64 all\nComponents: main\nSHA256:\n",
        );
        let mut files = self.files.lock().unwrap();
        for architecture in ["amd64", "arm64"] {
            let mut list = String::new();
            for (path, bytes) in &self.packages {
                let control = selfsame_deb::read_control(&bytes[..]).unwrap().control;
                if control.architecture == "all" || control.architecture == architecture {
                    let (stanza, size, sha256) = (control.stanza, bytes.len(), Digest::of(bytes).hex());
                    list += &format!("{stanza}Filename: pool/{path}\nSize: {size}\nSHA256: {sha256}\n\n");
                }
                files.insert(format!("/debian/pool/{path}"), bytes.clone());
            }
            let list = change(list);
            let path = format!("main/binary-{architecture}/Packages");
            release += &format!(" {} {} {path}\n", Digest::of(list.as_bytes()).hex(), list.len());
            files.insert(format!("/debian/dists/bookworm/{path}"), list.into_bytes());
        }
        std::fs::write(self.path("Release"), release).unwrap();
        let signed = self.gpg(&["--clearsign", "--output", "-", &self.path("Release").display().to_string()]);
        files.insert("/debian/dists/bookworm/InRelease".to_owned(), signed);
    }

    fn set(&self, path: &str, bytes: Option<Vec<u8>>) {
        let mut files = self.files.lock().unwrap();
        match bytes {
            Some(bytes) => files.insert(path.to_owned(), bytes),
            None => files.remove(path),
        };
    }

    fn with<T>(&self, store: &Store, origins: Origins, work: impl FnOnce(&Context<'_>) -> T) -> T {
        self.with_platforms(&["linux/amd64"], store, origins, work)
    }

    /// For the first platform, out of all of them.
    fn with_platforms<T>(
        &self,
        platforms: &[&str],
        store: &Store,
        origins: Origins,
        work: impl FnOnce(&Context<'_>) -> T,
    ) -> T {
        let platforms: Vec<Platform> = platforms.iter().map(|platform| platform.parse().unwrap()).collect();
        let http = Client::new(&self.environment, Options { origins, ..Options::default() }).unwrap();
        work(&Context {
            folder: self.folder.path(),
            environment: &self.environment,
            http: &http,
            store,
            platform: &platforms[0],
            platforms: &platforms,
            offline: false,
            today: Day::of(SourceEpoch::new(1_795_132_800).unwrap()),
            progress: &Silent,
        })
    }

    fn resolve(&self, spec: &InputSpec) -> Result<Vec<Part>, FetchError> {
        self.with(&self.store, Origins::default(), |cx| resolve_input("root", spec, cx))
    }

    /// Why nothing is locked, with all causes.
    fn refused(&self, spec: &InputSpec) -> String {
        told(&self.resolve(spec).expect_err("nothing is locked"))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf").args(["--kill", "all"]).env("GNUPGHOME", self.path("gnupg")).status();
    }
}

fn told(error: &FetchError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text += &format!(": {error}");
        source = error.source();
    }
    text
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

/// A package as dpkg-deb would write it, with one file at `usr/share/NAME`.
fn deb(name: &str, version: &str, fields: &str, content: &str) -> Vec<u8> {
    let architecture = if fields.contains("Architecture:") { "" } else { "Architecture: all\n" };
    let control = format!(
        "Package: {name}\nVersion: {version}\n{architecture}Maintainer: A B <a@example.org>\n{fields}Description: test\n"
    );
    let copyright = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n\
        Files: *\nLicense: Expat\n";
    let data =
        tar(&[(format!("./usr/share/{name}"), content), (format!("./usr/share/doc/{name}/copyright"), copyright)]);
    let mut bytes = b"!<arch>\n".to_vec();
    let members = [
        ("debian-binary", b"2.0\n".to_vec()),
        ("control.tar", tar(&[("./control".to_owned(), &control)])),
        ("data.tar", data),
    ];
    for (member, content) in members {
        writeln!(bytes, "{member:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`", 0, 0, 0, 100_644, content.len()).unwrap();
        bytes.extend(&content);
        bytes.resize(bytes.len().next_multiple_of(2), b'\n');
    }
    bytes
}

fn tar(files: &[(String, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, content) in files {
        let mut header = [0_u8; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
        put(100, "0000644\x000000000\x000000000\0");
        put(124, &format!("{:011o}\x0000000000000\0        0", content.len()));
        put(257, "ustar  \0");
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        bytes.extend(header);
        bytes.extend(content.as_bytes());
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

#[test]
fn a_signed_archive_is_locked_and_brought_elsewhere_without_apt() {
    if !wanted() {
        return;
    }
    let mut world = World::new();
    world.package("app", "1.0-1", "Depends: library (>= 2), other | absent\n", "app");
    world.package("library", "1:2.0+x-1", "Source: libsource (3.0)\nRecommends: extra\n", "library");
    world.package("other", "1", "", "other");
    world.package("extra", "1", "", "extra");
    world.packages[1].0 = "main/libs/libsource/library_2.0+x-1_all.deb".to_owned();
    world.publish();
    let spec = spec(&["app"]);
    let parts = world.resolve(&spec).unwrap();
    let lines: Vec<String> = parts
        .iter()
        .map(|part| format!("{} {:?} {}", part.purl, part.claim, part.source.as_deref().unwrap()))
        .collect();
    assert_eq!(
        lines,
        [
            "pkg:deb/debian/app@1.0-1?arch=all SignedRelease app@1.0-1",
            "pkg:deb/debian/library@1:2.0%2Bx-1?arch=all SignedRelease libsource@3.0",
            "pkg:deb/debian/other@1?arch=all SignedRelease other@1",
        ]
    );
    assert!(!world.path("hook").exists(), "a hook of the machine's ran");
    let tree = world.with(&world.store, Origins::default(), |cx| input_tree("root", &spec, &parts, cx)).unwrap();
    for name in ["app", "library", "other"] {
        assert!(tree.content(&format!("usr/share/{name}")).is_some(), "{name}");
    }
    let described =
        world.with(&world.store, Origins::default(), |cx| describe_input("root", &spec, &parts, cx)).unwrap();
    assert_eq!(described[0].depends_on, [parts[1].purl.to_string(), parts[2].purl.to_string()]);
    assert_eq!(described[0].licenses, ["MIT"]);

    // A second lock asks for what may have changed, and for no package.
    let before = world.server.asked().len();
    assert_eq!(world.resolve(&spec).unwrap(), parts);
    let asked = world.server.asked();
    assert!(asked[before..].iter().all(|asked| !asked.path().ends_with(".deb")), "{:?}", &asked[before..]);

    // Another machine: no apt, a mirror of its own, and this lock.
    let mut other = World::new();
    other.environment.variables.insert("PATH".into(), "/nowhere".into());
    let origins = format!("[origin.debian]\nupstream = [\"{}\"]\n", world.server.url("/debian"));
    let origins = Origins::parse(&origins, Path::new("/")).unwrap();
    let fetch = |origins| other.with(&other.store, origins, |cx| fetch_input("root", &spec, &parts, cx));
    assert!(told(&fetch(Origins::default()).unwrap_err()).starts_with("there is no place to ask for `app"));
    fetch(origins).unwrap();
    assert_eq!(other.with(&other.store, Origins::default(), |cx| input_tree("root", &spec, &parts, cx)).unwrap(), tree);
    assert_eq!(other.refused(&spec), "`apt-get` is not on this machine, and it is what chooses packages for a lock");

    // A package that was published again with other bytes, and one that is gone.
    let path = "/debian/pool/main/o/other/other_1_all.deb";
    world.set(path, Some(deb("other", "1", "", "something else")));
    let empty = Store::open(&world.path("empty")).unwrap();
    let fetch = || world.with(&empty, Origins::default(), |cx| fetch_input("root", &spec, &parts, cx));
    world.set("/debian/pool/main/a/app/app_1.0-1_all.deb", Some(deb("app", "1.0-1", "", "something else")));
    let error = fetch().unwrap_err();
    assert!(matches!(error, FetchError::Mismatch { by: "locked", .. }), "{}", told(&error));
}

#[test]
fn a_lock_for_two_platforms_says_which_package_is_for_which() {
    if !wanted() {
        return;
    }
    let mut world = World::new();
    for (architecture, depends) in [("amd64", "common, only"), ("arm64", "common")] {
        let fields = format!("Architecture: {architecture}\nDepends: {depends}\n");
        world.package("app", "1", &fields, architecture);
        world.packages.last_mut().unwrap().0 = format!("main/a/app/app_1_{architecture}.deb");
    }
    world.package("common", "1", "", "common");
    world.package("only", "1", "", "only");
    world.publish();
    let spec = spec(&["app"]);
    let both = ["linux/amd64", "linux/arm64"];
    let parts =
        world.with_platforms(&both, &world.store, Origins::default(), |cx| resolve_input("root", &spec, cx)).unwrap();
    let line = |part: &Part| {
        let platform = part.platform.as_ref().map_or("-".to_owned(), ToString::to_string);
        format!("{} {platform}", part.purl)
    };
    assert_eq!(
        parts.iter().map(line).collect::<Vec<_>>(),
        [
            "pkg:deb/debian/app@1?arch=amd64 linux/amd64",
            "pkg:deb/debian/app@1?arch=arm64 linux/arm64",
            "pkg:deb/debian/common@1?arch=all -",
            "pkg:deb/debian/only@1?arch=all linux/amd64",
        ]
    );
    for (platform, content, only) in [("linux/amd64", "amd64", true), ("linux/arm64", "arm64", false)] {
        let tree = world
            .with_platforms(&[platform], &world.store, Origins::default(), |cx| input_tree("root", &spec, &parts, cx));
        let tree = tree.unwrap();
        assert_eq!(tree.content("usr/share/app").unwrap().0, Digest::of(content.as_bytes()));
        assert_eq!(tree.content("usr/share/only").is_some(), only);
    }
    // The other machine asks for what is for both.
    let empty = Store::open(&world.path("empty")).unwrap();
    world.with(&empty, Origins::default(), |cx| fetch_input("root", &spec, &parts, cx)).unwrap();
    assert!(parts.iter().all(|part| empty.has(&part.sha256)));
}

#[test]
fn packages_lie_where_the_lists_say_if_the_pool_is_laid_out_otherwise() {
    if !wanted() {
        return;
    }
    let mut world = World::new();
    world.package("app", "1", "", "app");
    world.packages[0].0 = "elsewhere/app.deb".to_owned();
    world.publish();
    let spec = spec(&["app=1"]);
    let parts = world.resolve(&spec).unwrap();
    let empty = Store::open(&world.path("empty")).unwrap();
    world.with(&empty, Origins::default(), |cx| fetch_input("root", &spec, &parts, cx)).unwrap();
    // And where nobody has it any more, that is said.
    world.set("/debian/pool/elsewhere/app.deb", None);
    let gone = Store::open(&world.path("gone")).unwrap();
    let error = world.with(&gone, Origins::default(), |cx| fetch_input("root", &spec, &parts, cx)).unwrap_err();
    assert!(told(&error).contains("(status 404)"), "{}", told(&error));
}

#[test]
fn lists_that_nobody_signed_are_refused_whatever_the_machine_allows() {
    if !wanted() {
        return;
    }
    let mut world = World::new();
    world.package("app", "1", "", "app");
    world.publish();
    let spec = spec(&["app"]);
    // Signed by another key than the source's.
    let stranger = World::new();
    world.sources(&format!("signed-by={}", stranger.path("key.gpg").display()));
    let text = world.refused(&spec);
    assert!(text.starts_with("apt-get update failed: ") && text.contains("is not signed"), "{text}");
    // Not signed at all, in a source that the machine's owner trusts.
    let release = std::fs::read(world.path("Release")).unwrap();
    world.set("/debian/dists/bookworm/InRelease", None);
    world.set("/debian/dists/bookworm/Release", Some(release));
    world.sources("trusted=yes allow-insecure=yes allow-weak=yes");
    let text = world.refused(&spec);
    assert!(text.contains("does not have a Release file") || text.contains("is not signed"), "{text}");
}

#[test]
fn lists_and_packages_that_were_changed_are_refused() {
    if !wanted() {
        return;
    }
    let mut world = World::new();
    world.package("app", "1", "", "app");
    world.publish();
    let spec = spec(&["app"]);
    // The package is another one than the list says.
    let path = "/debian/pool/main/a/app/app_1_all.deb";
    let good = world.packages[0].1.clone();
    let mut changed = good.clone();
    *changed.last_mut().unwrap() ^= 1;
    world.set(path, Some(changed));
    let error = world.resolve(&spec).unwrap_err();
    assert!(matches!(error, FetchError::Mismatch { by: "listed", .. }), "{}", told(&error));
    // It ends early.
    world.set(path, Some(good[..good.len() / 2].to_vec()));
    assert!(matches!(world.resolve(&spec), Err(FetchError::Mismatch { .. } | FetchError::Http(_))));
    // A page in its place.
    world.set(path, Some(b"<!DOCTYPE html><html><body>log in</body></html>".to_vec()));
    let text = world.refused(&spec);
    assert!(text.contains("web page"), "{text}");
    // It is another one than its own list says, though its bytes are the listed ones.
    world.publish_with(|list| list.replace("Version: 1", "Version: 2"));
    let text = world.refused(&spec);
    assert_eq!(text, "package `app 2` says of itself that it is `app 1 all`");
    // The list is another one than the signed file says.
    let list = "/debian/dists/bookworm/main/binary-amd64/Packages";
    world.publish();
    let text = String::from_utf8(world.files.lock().unwrap()[list].clone()).unwrap();
    world.set(list, Some(text.replace("Version: 1", "Version: 3").into_bytes()));
    let text = world.refused(&spec);
    assert!(text.starts_with("apt-get update failed: "), "{text}");
}

#[test]
fn what_apt_cannot_choose_is_said() {
    if !wanted() {
        return;
    }
    let mut world = World::new();
    world.package("app", "1", "Depends: absent\n", "app");
    world.package("python3x9", "1", "Provides: interpreter\n", "python");
    world.publish();
    let text = world.refused(&spec(&["nothing"]));
    assert_eq!(text, "apt-get install failed: Unable to locate package nothing");
    let text = world.refused(&spec(&["app"]));
    assert!(text.starts_with("apt-get install failed: "), "{text}");
    assert_eq!(world.resolve(&spec(&["interpreter"])).unwrap().len(), 1);
    // Apt would take the dot for any letter.
    let text = world.refused(&spec(&["python3.9"]));
    assert!(text.contains("python3.9"), "{text}");
    for name in ["app-", "-o=x=y", "App", "app/bookworm", "?essential", "app=1=2", "*"] {
        let text = world.refused(&spec(&[name]));
        let not_a_name = text.contains("is not NAME or NAME=VERSION of a package");
        // Apt takes the dash for a wish to remove.
        assert!(not_a_name || text == "apt chose no package `app-`", "{name}: {text}");
    }
    std::fs::write(world.path("etc/sources.list"), "deb file:/srv/nothing ./\n").unwrap();
    assert_eq!(world.refused(&spec(&["app"])), "apt on this machine names no source of packages over http or https");
}
