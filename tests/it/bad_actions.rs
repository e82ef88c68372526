//! Actions that go wrong: each ends with the right exit code, the mechanism by its name, and no process left.

use selfsame_testing::Filter;

use crate::world::{
    RELEASE, assert_ended, assert_nothing_left, assert_store_intact, build, define, definition, one_error, recorded,
    shown, verify,
};

#[test]
fn sandbox_what_is_written_beside_the_outputs_goes_nowhere() {
    let Some(env) = recorded() else { return };
    let script = "for place in /usr/bin /etc /tmp /build /inputs /var/tmp $HOME /; do
    echo leak > $place/leak-by-a-test || true
done
rm -f /usr/bin/cat /bin/cat || true
echo made > out";
    let second = "[[action]]
name = \"look\"
script = '''
for place in /usr/bin /etc /tmp /build /var/tmp /; do
    if test -e $place/leak-by-a-test; then exit 9; fi
done
cat /inputs/make/out > seen; ls /inputs/make >> seen
'''
inputs = [\"source\", \"make\"]
outputs = [\"seen\"]
";
    define(&env, script, second);
    let text = env.read("project/selfsame.toml");
    env.write("selfsame.toml", text.replace("from = \"make:out\"", "from = \"look:seen\""));
    build(&env, &[]).succeeds();
    verify(&env, RELEASE).succeeds();
    for place in ["/usr/bin", "/etc", "/tmp", "/var/tmp", "/"] {
        assert!(!std::path::Path::new(place).join("leak-by-a-test").exists(), "{place} of the host was written to");
    }
    assert!(!env.project().join("leak-by-a-test").exists());
    // The toolchain's own files lie in the store, and the action removed and wrote over them in its view only.
    assert_store_intact(&env);
    define(&env, "cat seed > out", "");
    build(&env, &["--no-cache"]).succeeds();
}

#[test]
fn sandbox_a_fork_bomb_ends() {
    let Some(env) = recorded() else { return };
    let bomb = "bomb() { bomb 2>/dev/null | bomb 2>/dev/null & sleep 93.4471; }; bomb & exec sleep 93.4471";
    define(&env, bomb, "timeout = 4");
    let output = build(&env, &[]);
    let headline = one_error(output.exits(1)).to_owned();
    assert!(headline.contains("`make`"), "{headline}");
    let named =
        output.stderr.contains("  by    task limit: more than") || output.stderr.contains("  by    its timeout");
    assert!(named, "{}", output.transcript(Filter::NONE));
    assert_ended("93.4471");
    assert_nothing_left(&env);
}

#[test]
fn sandbox_a_full_scratch_is_named() {
    let Some(env) = recorded() else { return };
    define(&env, "head -c 64000000 /dev/zero > out 2> /dev/null", "scratch = \"16MiB\"");
    insta::assert_snapshot!(shown(&build(&env, &[])), @r#"
    exit 1
    --- stderr
        source 2 files, [N] bytes, epoch [TIME]
    error: action `make` exited with status 1
      argv  sh -eu -c head -c 64000000 /dev/zero > out 2> /dev/null\n
      by    scratch full: more than [N] bytes were written
      log   [STORE]/blobs/sha256/[RANDOM]/[DIGEST]
      Nothing was published.

    hint: raise `scratch` of the action, for example `scratch = "16GiB"`
    "#);
    assert_nothing_left(&env);
}

#[test]
fn sandbox_an_action_that_never_ends_is_ended() {
    let Some(env) = recorded() else { return };
    define(&env, "echo working; exec sleep 93.4472", "timeout = 2");
    insta::assert_snapshot!(shown(&build(&env, &[])), @r"
    exit 1
    --- stderr
        source 2 files, [N] bytes, epoch [TIME]
          make | working
    error: action `make` was stopped after 2 seconds
      argv  sh -eu -c echo working; exec sleep 93.4472\n
      by    its timeout
      log   [STORE]/blobs/sha256/[RANDOM]/[DIGEST]
      Nothing was published.

    hint: raise `timeout` of the action, in seconds
    ");
    assert_ended("93.4472");
    assert_nothing_left(&env);
}

#[test]
fn sandbox_a_daemon_does_not_outlive_its_action() {
    let Some(env) = recorded() else { return };
    define(&env, "(sleep 93.4473 >/dev/null 2>&1 </dev/null &)\necho made > out", "");
    build(&env, &[]).succeeds();
    assert_ended("93.4473");
    verify(&env, RELEASE).succeeds();
    assert_store_intact(&env);
}

#[test]
fn sandbox_a_failing_action_shows_what_it_said() {
    let Some(env) = recorded() else { return };
    define(&env, r#"printf "cannot do that: \\033[31mno\n" >&2; exit 7"#, "");
    insta::assert_snapshot!(shown(&build(&env, &[])), @r#"
    exit 1
    --- stderr
        source 2 files, [N] bytes, epoch [TIME]
          make | cannot do that: \u{1b}[31mno
    error: action `make` exited with status 7
      argv  sh -eu -c printf "cannot do that: \\033[31mno\n" >&2; exit 7\n
      log   [STORE]/blobs/sha256/[RANDOM]/[DIGEST]
      Nothing was published.
    "#);
    define(&env, "kill -SEGV $$", "");
    let killed = build(&env, &[]);
    assert!(one_error(killed.exits(1)).contains("SIGSEGV"), "{}", killed.stderr);
    define(&env, "", "");
    env.write("selfsame.toml", definition("run = [\"no-such-tool\"]\noutputs = [\"out\"]"));
    let missing = build(&env, &[]);
    one_error(missing.exits(1));
    missing.says("no-such-tool");
    missing.says("hint: ");
    assert_nothing_left(&env);
}

#[test]
fn sandbox_outputs_that_cannot_be_shipped_are_refused() {
    let Some(env) = recorded() else { return };
    let table = [
        ("true", "out"),
        ("mkfifo out", "FIFO"),
        ("ln -s ../../../etc/passwd out", "out"),
        ("mkdir out; ln -s ../../seed out/link", "`link`"),
        // What an overlay takes for a removed file.
        ("mknod out c 0 0", "out"),
    ];
    let mut said = String::new();
    for (script, names) in table {
        define(&env, script, "");
        let output = build(&env, &[]);
        let headline = one_error(output.exits(1)).to_owned();
        assert!(headline.contains(names), "{script}: {}", output.transcript(Filter::NONE));
        said += &format!("{script}: {headline}\n");
        assert!(!env.at(RELEASE).exists());
    }
    insta::assert_snapshot!(said, @r"
    true: action `make`: output `out`: is missing
    mkfifo out: action `make`: output `out`: `.` is a FIFO; outputs are files, folders and symbolic links
    ln -s ../../../etc/passwd out: action `make`: output `out`: `.` is a symbolic link to `../../../etc/passwd`, which leaves the output
    mkdir out; ln -s ../../seed out/link: action `make`: output `out`: `link` is a symbolic link to `../../seed`, which leaves the output
    mknod out c 0 0: action `make`: output `out`: `.` is a device; outputs are files, folders and symbolic links
    ");
    assert_nothing_left(&env);
}

#[test]
fn sandbox_an_action_that_gives_two_results_is_not_signed() {
    let Some(env) = recorded() else { return };
    define(&env, "date +%N > out", "");
    let output = shown(&build(&env, &["--check"]));
    let nanoseconds = output.lines().filter_map(|line| line.split_once(" - ").map(|(_, number)| number));
    let other = output.lines().filter_map(|line| line.split_once(" + ").map(|(_, number)| number));
    let output = nanoseconds.chain(other).fold(output.clone(), |text, number| text.replace(number, "[NANOSECONDS]"));
    insta::assert_snapshot!(output, @r"
    exit 1
    --- stderr
        source 2 files, [N] bytes, epoch [TIME]
         check make, a second time under variation
    error: action `make` is not reproducible at level `normalized`: a second run left other bytes
      differs  out
        |   the layers' content differs
        |   layer 1 of 1   1 of 1 entries differs
        |     out
        |       text: lines: 1 changed; 0 equal at both ends
        |         line 1
        |           - [NANOSECONDS]
        |           + [NANOSECONDS]
        |         cause: unknown (`[NANOSECONDS]` and `[NANOSECONDS]`: nothing tells what wrote them)
      Nothing was signed.

    hint: make the action independent of what differs (`selfsame help levels` says what level `normalized` leaves open), or build with --no-check, which the signed inventory then says
    ");
    assert_nothing_left(&env);
    // With a release key it is checked unasked.
    env.selfsame(["keygen", "-o", "../release"]).succeeds();
    env.git_commit("first");
    env.selfsame(["build", "--key", "../release.key"]).exits(1).says("Nothing was signed.");
    assert_nothing_left(&env);
    env.selfsame(["build", "--key", "../release.key", "--no-check"]).succeeds();
    let public = "../release.pub";
    env.selfsame(["verify", "probe-1.0.0.release", "--key", public]).succeeds();
    let rebuilt = env.selfsame(["rebuild-verify", "probe-1.0.0.release", "--key", public]);
    assert!(rebuilt.exits(1).stdout.starts_with("differs: "), "{}", rebuilt.stdout);
    assert_store_intact(&env);
}
