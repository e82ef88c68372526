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
