//! The compiler of this machine: recorded from what it says it uses, then run where nothing else is.
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "measures, and asks where rustup is")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use selfsame_store::Store;
use selfsame_testing::{Tier, require};
use selfsame_toolchain::{Host, capture, close_over_libraries, recapture, rustup_toolchain};
use selfsame_tree::{Kind, Tree};

/// What a run of `cc -O2 -static -o hello hello.c` names, asked of the compiler itself.
fn observed(source: &Path) -> Option<BTreeSet<String>> {
    let ask = |arguments: &[&str]| {
        let answer = Command::new("cc").args(arguments).env("LC_ALL", "C").output().ok()?;
        answer.status.success().then(|| String::from_utf8_lossy(&answer.stdout).trim().to_owned())
    };
    let mut paths = BTreeSet::from(["/usr/bin/cc".to_owned(), "/etc/ld.so.cache".to_owned()]);
    for program in ["cc1", "collect2", "as", "ld"] {
        let path = ask(&[&format!("-print-prog-name={program}")])?;
        paths.insert(if path.contains('/') { path } else { format!("/usr/bin/{path}") });
    }
    for file in ["crt1.o", "crti.o", "crtn.o", "crtbeginT.o", "crtend.o", "libc.a", "libgcc.a", "libgcc_eh.a"] {
        paths.insert(ask(&[&format!("-print-file-name={file}")])?);
    }
    let rule = ask(&["-M", source.to_str()?])?;
    paths.extend(rule.split([' ', '\n', '\\']).filter(|word| word.starts_with('/')).map(str::to_owned));
    Some(paths)
}

/// The tree as folders and files that may be written to.
fn unpack(tree: &Tree, store: &Store, root: &Path) {
    for (path, entry) in tree.iter() {
        let place = root.join(path.as_str());
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        match &entry.kind {
            Kind::Directory => fs::create_dir_all(&place).unwrap(),
            Kind::File { digest, .. } => {
                let blob = store.blob_path(digest, entry.mode & 0o111 != 0).unwrap().unwrap();
                fs::hard_link(blob, &place).unwrap();
            }
            Kind::Symlink { target } => std::os::unix::fs::symlink(target, &place).unwrap(),
            Kind::HardLink { .. } => panic!("a captured tree has no hard links"),
        }
    }
    for folder in ["build", "proc", "tmp"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
}

/// A new `/proc`, since loaders and linkers ask it where they are.
const NAMESPACES: [&str; 6] = ["--user", "--map-root-user", "--net", "--pid", "--fork", "--mount-proc"];

/// A command where only `root` is.
fn inside(root: &Path, argv: &[&str]) -> Command {
    let mut command = Command::new("/usr/bin/unshare");
    command.args(NAMESPACES).arg("--wd=/build").arg(format!("--root={}", root.display()));
    command.args(argv).env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C.UTF-8").env("CARGO_HOME", "/tmp");
    command
}

fn can_unshare() -> Result<(), String> {
    let answer = Command::new("/usr/bin/unshare").args(NAMESPACES).arg("true").output();
    match answer {
        Ok(answer) if answer.status.success() => Ok(()),
        Ok(answer) => Err(String::from_utf8_lossy(&answer.stderr).trim().to_owned()),
        Err(error) => Err(format!("unshare: {error}")),
    }
}

#[track_caller]
fn succeed(mut command: Command) -> String {
    let answer = command.output().unwrap();
    assert!(answer.status.success(), "{command:?}: {}", String::from_utf8_lossy(&answer.stderr));
    String::from_utf8(answer.stdout).unwrap()
}

const HELLO: &str = "#include <stdio.h>\nint main(void) { puts(\"hello\"); return 0; }\n";

/// Headers and libraries that [`HELLO`] does not touch.
const NEXT: &str = "#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
static void *root_of_two(void *to) { *(double *)to = sqrt(2.0 + errno); return NULL; }
int main(void) {
    double root;
    pthread_t thread;
    pthread_create(&thread, NULL, root_of_two, &root);
    pthread_join(thread, NULL);
    printf(\"%.3f %d\\n\", root, ENOENT);
    return 0;
}
";

#[test]
fn the_recorded_compiler_compiles_more_than_it_was_seen_to() {
    let scratch = tempfile::tempdir().unwrap();
    let at = |name: &str| scratch.path().join(name);
    fs::write(at("hello.c"), HELLO).unwrap();
    let compiler = if Path::new("/usr/bin/cc").exists() { Ok(()) } else { Err("there is no /usr/bin/cc".to_owned()) };
    if !require(Tier::Sandbox, compiler.and_then(|()| can_unshare())) {
        return;
    }
    let observed = observed(&at("hello.c")).expect("the compiler says what it uses");

    let store = Store::open(&at("store")).unwrap();
    let start = Instant::now();
    let captured = capture(&observed, &Host::new("/"), &store).unwrap();
    let took = start.elapsed();
    let (entries, megabytes) = (captured.tree.len(), captured.tree.size_bytes() / 1_000_000);
    println!("{entries} entries, {megabytes} MB, {} packages, {took:.1?}", captured.packages.len());
    assert_eq!(store.missing(&captured.tree).unwrap(), []);
    for (path, entry) in captured.tree.iter() {
        assert!(matches!(entry.mode, 0o644 | 0o755 | 0o777), "{path}");
        assert!(!path.as_str().starts_with("usr/share/doc") && !path.as_str().starts_with("usr/share/man"), "{path}");
    }
    assert_eq!(recapture(&captured.tree, &Host::new("/"), &Store::open(&at("other")).unwrap()).unwrap(), []);

    let root = at("root");
    unpack(&captured.tree, &store, &root);
    fs::write(root.join("build/hello.c"), HELLO).unwrap();
    fs::write(root.join("build/next.c"), NEXT).unwrap();
    succeed(inside(&root, &["cc", "-O2", "-static", "-o", "hello", "hello.c"]));
    assert_eq!(succeed(inside(&root, &["./hello"])), "hello\n");
    for linkage in [&["-static"][..], &[], &["-flto"], &["-shared", "-fPIC"]] {
        let mut argv = vec!["cc", "-O2", "-g", "-o", "next", "next.c", "-lm", "-lpthread"];
        argv.extend(linkage);
        succeed(inside(&root, &argv));
        if linkage != ["-shared", "-fPIC"] {
            assert_eq!(succeed(inside(&root, &["./next"])), "1.414 2\n", "{linkage:?}");
        }
    }

    // The same bits as with the whole host around.
    let mut outside = Command::new("cc");
    outside.args(["-O2", "-static", "-o", "hello", "hello.c"]).current_dir(scratch.path()).env("LC_ALL", "C.UTF-8");
    succeed(outside);
    assert_eq!(fs::read(at("hello")).unwrap(), fs::read(root.join("build/hello")).unwrap());
}

/// `RUSTUP_HOME`, where this machine has rustup.
fn rustup_home() -> Result<std::path::PathBuf, String> {
    let home = std::env::var_os("RUSTUP_HOME").map(std::path::PathBuf::from);
    let home = home.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".rustup")));
    home.filter(|home| home.join("toolchains").is_dir()).ok_or_else(|| "there is no rustup".to_owned())
}

#[test]
fn the_recorded_rust_compiles_from_another_place() {
    let ability = can_unshare().and_then(|()| rustup_home()).and_then(|home| {
        let found = Path::new("/usr/bin/cc").exists();
        if found { Ok(home) } else { Err("there is no /usr/bin/cc".to_owned()) }
    });
    if !require(Tier::Foreign, ability.clone().map(drop)) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let at = |name: &str| scratch.path().join(name);
    fs::write(at("hello.c"), HELLO).unwrap();
    let store = Store::open(&at("store")).unwrap();
    let components = ["rustc", "cargo", "rust-std"].map(str::to_owned);
    let start = Instant::now();
    let rust = rustup_toolchain(env!("CARGO_PKG_RUST_VERSION"), "rust", &ability.unwrap(), &components, &store)
        .or_else(|_| rustup_toolchain("stable", "rust", &rustup_home().unwrap(), &components, &store))
        .unwrap();
    let megabytes = rust.tree.size_bytes() / 1_000_000;
    println!("rust {}: {} entries, {megabytes} MB, {:.1?}", rust.version, rust.tree.len(), start.elapsed());

    let host = Host::new("/");
    let (libraries, missing) = close_over_libraries(&rust.needs, &host, &store).unwrap();
    assert!(missing.is_empty(), "{missing:?}");
    let only_libraries = rust.tree.clone().union(&libraries.tree).unwrap();
    unpack(&only_libraries, &store, &at("rustc"));
    let version = succeed(inside(&at("rustc"), &["/toolchain/rust/bin/rustc", "--version"]));
    assert!(version.starts_with(&format!("rustc {}", rust.version)), "{version}");
    assert!(succeed(inside(&at("rustc"), &["/toolchain/rust/bin/cargo", "--version"])).starts_with("cargo "));

    let mut named = observed(&at("hello.c")).unwrap();
    named.extend(libraries.tree.iter().map(|(path, _)| format!("/{path}")));
    let cc = capture(&named, &host, &store).unwrap();
    let root = at("root");
    unpack(&rust.tree.union(&cc.tree).unwrap(), &store, &root);
    fs::write(root.join("build/hello.rs"), "fn main() { println!(\"hello\"); }\n").unwrap();
    succeed(inside(&root, &["/toolchain/rust/bin/rustc", "-O", "hello.rs"]));
    assert_eq!(succeed(inside(&root, &["./hello"])), "hello\n");
}

#[test]
fn the_loader_cache_names_only_what_is_recorded() {
    let scratch = tempfile::tempdir().unwrap();
    let store = Store::open(&scratch.path().join("store")).unwrap();
    let has_cache = Path::new("/etc/ld.so.cache").exists() && Path::new("/usr/bin/ld").exists();
    let reason = "there is no /etc/ld.so.cache or no /usr/bin/ld".to_owned();
    if !require(Tier::Sandbox, if has_cache { Ok(()) } else { Err(reason) }) {
        return;
    }
    let tree = capture(&BTreeSet::from(["/usr/bin/ld".to_owned()]), &Host::new("/"), &store).unwrap().tree;
    let (digest, size) = tree.content("etc/ld.so.cache").expect("a cache for the libraries of ld");
    let bytes = store.read_blob(&digest, size).unwrap();
    let paths: Vec<&str> = bytes
        .split(|byte| *byte == 0)
        .filter_map(|text| std::str::from_utf8(text).ok())
        .filter(|text| text.starts_with('/'))
        .collect();
    assert!(paths.iter().any(|path| path.contains("libc.so")), "{paths:?}");
    for path in paths {
        let name = path.rsplit('/').next().unwrap();
        assert!(tree.iter().any(|(place, _)| place.file_name() == name), "{path} is not recorded");
    }
}
