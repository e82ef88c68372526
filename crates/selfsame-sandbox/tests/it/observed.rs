//! Observation: which paths a command names.

use std::path::Path;

use crate::world::{World, bind, go, skip, world};
use selfsame_sandbox::{PlacementKind, Spec};

/// A run that sees the host's tools.
fn observing(world: &World, argv: &[&str]) -> Spec {
    let mut spec = world.spec(argv);
    spec.observe = true;
    spec.lowers.clear();
    for folder in ["/usr", "/bin", "/sbin", "/lib", "/lib64", "/opt", "/etc/alternatives", "/etc/ld.so.cache"] {
        if Path::new(folder).exists() {
            spec.binds.push(bind(folder, folder));
        }
    }
    spec.env.insert("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned());
    spec
}

#[test]
fn sandbox_observes_a_compiler() {
    let Some(world) = world() else { return };
    if !Path::new("/usr/bin/cc").exists() {
        skip("there is no /usr/bin/cc");
        return;
    }
    let source = world.file("hello.c", "#include <stdio.h>\nint main(void) { puts(\"hello\"); return 0; }\n");
    let mut spec = observing(&world, &["sh", "-ec", "cc -o hello hello.c; ./hello"]);
    spec.placements =
        vec![crate::world::placement("build/hello.c", PlacementKind::File { from: source }, 0o644, 315_532_800)];
    spec.outputs = vec!["hello".to_owned()];
    let done = go(&spec);
    let outcome = done.ok();
    assert_eq!(done.stdout, "hello\n");
    assert_eq!(done.outputs.len(), 1);
    let seen = |end: &str| outcome.observed.iter().any(|path| path.ends_with(end));
    for end in ["/usr/bin/cc", "/cc1", "/stdio.h", "/libc.so.6", "crt1.o", "/build/hello.c", "/build/hello", "/ld"] {
        assert!(seen(end), "`{end}` is not among {} paths", outcome.observed.len());
    }
    assert!(outcome.observed.iter().any(|path| path.contains("/ld-linux") || path.contains("/ld-musl")), "no loader");
    assert!(outcome.observed.iter().all(|path| path.starts_with('/') && !path.contains("/./")));
}

#[test]
fn sandbox_observes_scripts_and_what_is_not_there() {
    let Some(world) = world() else { return };
    let script = world.file("tool", "#!/bin/sh -e\ncat nothing /usr/nothing/here 2>/dev/null || true\n");
    let mut spec = observing(&world, &["./tool"]);
    spec.placements = vec![crate::world::placement("build/tool", PlacementKind::File { from: script }, 0o755, 0)];
    let done = go(&spec);
    let outcome = done.ok();
    for path in ["/build/tool", "/bin/sh", "/build/nothing", "/usr/nothing/here"] {
        assert!(outcome.observed.contains(path), "`{path}` is not among {:?}", outcome.observed);
    }
}

#[test]
fn sandbox_observation_survives_parallel_jobs() {
    let Some(world) = world() else { return };
    let script = "for i in 1 2 3 4; do (for j in $(seq 60); do cat /usr/include/file-$i-$j 2>/dev/null; ls /usr >/dev/null; done) & done; wait";
    let done = go(&observing(&world, &["sh", "-c", script]));
    let outcome = done.ok();
    let named = outcome.observed.iter().filter(|path| path.starts_with("/usr/include/file-")).count();
    assert_eq!(named, 240);
}

#[test]
fn sandbox_observes_a_parallel_make() {
    let Some(world) = world() else { return };
    if !Path::new("/usr/bin/make").exists() || !Path::new("/usr/bin/cc").exists() {
        skip("there is no make or no cc");
        return;
    }
    let mut makefile = "all: prog\nOBJ =".to_owned();
    let mut spec = observing(&world, &["make", "-s", "-j4"]);
    let place = |spec: &mut Spec, name: &str, text: &str| {
        let from = world.file(&format!("project/{name}"), text);
        let path = format!("build/{name}");
        spec.placements.push(crate::world::placement(&path, PlacementKind::File { from }, 0o644, 315_532_800));
    };
    for unit in 0..24 {
        makefile.push_str(&format!(" unit{unit}.o"));
        let text = format!(
            "#include <stdio.h>\n#include <string.h>\n#include \"unit.h\"\nint f{unit}(void) {{ return {unit}; }}\n"
        );
        place(&mut spec, &format!("unit{unit}.c"), &text);
    }
    makefile.push_str("\nprog: $(OBJ) main.o\n\tcc -o $@ $^\n%.o: %.c unit.h\n\tcc -c -o $@ $<\n");
    place(&mut spec, "Makefile", &makefile);
    place(&mut spec, "main.c", "int f7(void);\nint main(void) { return f7() - 7; }\n");
    place(&mut spec, "unit.h", "#include <stdlib.h>\n");
    spec.placements.sort_by(|a, b| a.path.cmp(&b.path));
    spec.outputs = vec!["prog".to_owned()];
    let done = go(&spec);
    let outcome = done.ok();
    assert_eq!(done.outputs.len(), 1);
    for unit in 0..24 {
        assert!(outcome.observed.contains(&format!("/build/unit{unit}.c")));
    }
    assert!(outcome.observed.contains("/usr/include/stdlib.h"));
}

#[test]
fn sandbox_observes_cargo() {
    let Some(world) = world() else { return };
    let sysroot = std::process::Command::new("rustc").args(["--print", "sysroot"]).output();
    let Some(sysroot) = sysroot.ok().and_then(|output| String::from_utf8(output.stdout).ok()) else {
        skip("there is no rustc");
        return;
    };
    let sysroot = sysroot.trim();
    let mut spec = observing(&world, &["cargo", "build", "--offline"]);
    spec.binds.push(bind(sysroot, "/toolchain/rust"));
    spec.env.insert("PATH".to_owned(), "/toolchain/rust/bin:/usr/bin:/bin".to_owned());
    spec.env.insert("CARGO_HOME".to_owned(), "/tmp/cargo".to_owned());
    let manifest = "[package]\nname = \"hello\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n";
    for (name, text) in [
        ("Cargo.toml", manifest),
        ("build.rs", "fn main() { println!(\"cargo::rustc-env=WHAT=hello\"); }\n"),
        ("src/main.rs", "fn main() { println!(env!(\"WHAT\")); }\n"),
    ] {
        let from = world.file(&format!("crate/{name}"), text);
        let path = format!("build/{name}");
        spec.placements.push(crate::world::placement(&path, PlacementKind::File { from }, 0o644, 315_532_800));
    }
    spec.outputs = vec!["target/debug/hello".to_owned()];
    let done = go(&spec);
    let outcome = done.ok();
    assert_eq!(done.outputs.len(), 1);
    for path in ["/build/src/main.rs", "/toolchain/rust/bin/rustc", "/build/build.rs"] {
        assert!(outcome.observed.contains(path), "`{path}` is not among {} paths", outcome.observed.len());
    }
}
