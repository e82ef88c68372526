//! What somebody meets in the first days: slips in settings, questions asked the wrong way, and what is said then.

use std::fs;
use std::net::TcpListener;

use selfsame_testing::server::{Answer, Server};

use crate::push_world::{Registry, push, released};
use crate::world::{DEV_KEY, build, define, definition, empty, recorded, sandboxed};

const DEB_ONLY: &str = r#"name = "probe"
version = "1.0.0"
license = "MIT"

[source]
epoch = 1700000000

[toolchain.gcc]
deb = ["gcc", "libc6-dev"]

[[action]]
name = "make"
run = ["gcc", "--version"]
outputs = ["out"]

[image]
entrypoint = ["/out"]

[[image.file]]
from = "make:out"
to = "/out"
"#;

#[test]
fn toolchains_of_packages_are_listed_without_a_recorded_one() {
    let env = empty();
    env.write("selfsame.toml", DEB_ONLY);
    let list = env.selfsame(["toolchain", "list"]);
    assert_eq!(list.succeeds().stdout, "gcc  deb  not in selfsame.lock: `selfsame lock` chooses\n");
    env.write(
        "selfsame.lock",
        "version = 1\nprofile = 1\n\n[[input]]\nname = \"gcc\"\nkind = \"deb\"\nasked = \"gcc libc6-dev; unpacked\"\nas_of = \"2026-01-01\"\nparts = [\n  \
         { purl = \"pkg:deb/debian/gcc@4:12.2.0-3?arch=amd64\", sha256 = \"1111111111111111111111111111111111111111111111111111111111111111\", size = 2048, claim = \"signed-release\" },\n]\n",
    );
    let list = env.selfsame(["toolchain", "list"]);
    assert_eq!(list.succeeds().stdout, "gcc  deb  1 file in selfsame.lock, 2.0 KiB\n");
    let json = env.selfsame(["toolchain", "list", "--json"]).succeeds().json();
    assert_eq!((&json["inputs"][0]["name"], &json["inputs"][0]["files"]), (&"gcc".into(), &1.into()));
    assert_eq!(json["toolchains"], serde_json::json!([]));
}

#[test]
fn origins_that_are_none_are_told_and_dev_null_is_none() {
    let mut env = empty();
    fs::write(env.at("data.bin"), "x").expect("a file");
    env.write(
        "selfsame.toml",
        definition("script = \"true\"\noutputs = [\"out\"]") + "\n[input.data]\nfile = \"../data.bin\"\n",
    );
    let origins = env.at("origins.toml");
    fs::write(&origins, "[origin.debain]\nupstream = \"https://a.example/debian\"\n").expect("a file");
    env.set("SELFSAME_ORIGINS", origins.clone());
    env.selfsame(["lock"]).succeeds().says("nothing is asked of `[origin.debain]`: did you mean `[origin.debian]`?");
    fs::write(&origins, "").expect("a file");
    assert!(!env.selfsame(["lock"]).succeeds().stderr.contains("warning"));
    env.set("SELFSAME_ORIGINS", "/dev/null");
    assert!(!env.selfsame(["lock"]).succeeds().stderr.contains("warning"));
}

#[test]
fn ages_belong_to_check() {
    let env = empty();
    env.write("selfsame.toml", DEB_ONLY);
    let output = env.selfsame(["lock", "--outdated", "--max-age", "30d"]);
    output.exits(2).says("'--outdated' cannot be used with '--max-age <AGE>'");
}

#[test]
fn choosing_offline_says_who_may_choose() {
    let env = empty();
    env.write("selfsame.toml", DEB_ONLY.replace("deb = [\"gcc\", \"libc6-dev\"]", "pypi = [\"pear==1.0\"]"));
    let output = env.selfsame(["lock", "--offline"]);
    output.exits(2).says("hint: choosing inputs asks the network: run `selfsame lock` without `--offline`");
    assert!(!output.stderr.contains("selfsame fetch"), "{}", output.stderr);
}

#[test]
fn a_source_archive_in_place_of_wheels_is_told() {
    let server = Server::http(|asked| match asked.path() {
        "/simple/pear/" => Answer::ok(
            "<a href=\"/pear-1.0-cp39-cp39-win_amd64.whl\">pear-1.0-cp39-cp39-win_amd64.whl</a>\
             <a href=\"/pear-1.0.tar.gz\">pear-1.0.tar.gz</a>",
        )
        .header("content-type", "text/html"),
        "/pear-1.0.tar.gz" => Answer::ok("an archive"),
        _ => Answer::status(404),
    });
    let mut env = empty();
    env.set("PIP_INDEX_URL", server.url("/simple")).set("PIP_CONFIG_FILE", "/dev/null");
    env.write(
        "selfsame.toml",
        definition("script = \"true\"\noutputs = [\"out\"]")
            + "\n[input.w]\npypi = [\"pear==1.0\"]\npython = \"3.11\"\n",
    );
    env.selfsame(["lock"])
        .succeeds()
        .says("pear==1.0 is a source archive, `pear-1.0.tar.gz`: none of its wheels (1) is for Python 3.11 on linux/");
}

#[test]
fn sandbox_a_log_that_was_just_shown_is_not_shown_again() {
    let Some(env) = recorded() else { return };
    define(&env, "echo it cannot be done >&2; exit 7", "");
    let loud = build(&env, &[]);
    assert_eq!(loud.exits(1).stderr.matches("| it cannot be done").count(), 1, "{}", loud.stderr);
    let quiet = build(&env, &["--progress", "quiet"]);
    assert_eq!(quiet.exits(1).stderr.matches("| it cannot be done").count(), 1, "{}", quiet.stderr);
    let json = build(&env, &["--progress", "quiet", "--json"]);
    assert!(json.exits(1).stdout.contains("it cannot be done"), "{}", json.stdout);
}

#[test]
fn sandbox_nobody_listens_where_a_release_is_pushed() {
    let Some(env) = released() else { return };
    let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port();
    let output = push(&env, &format!("127.0.0.1:{port}/team/app:1.0"), &[]);
    output.exits(3).says("hint: nothing listens there: look at the port, or start the registry");
}

#[test]
fn sandbox_a_release_without_its_capsule_says_how_it_gets_one() {
    let Some(env) = released() else { return };
    let registry = Registry::new();
    let reference = registry.reference("1.0");
    push(&env, &reference, &[]).succeeds();
    fs::remove_dir_all(env.store()).expect("the store");
    let key = env.at(DEV_KEY).display().to_string();
    let wanted = format!("hint: it was pushed without its capsule: `selfsame push RELEASE {reference} --with-capsule`");
    let rebuilt = env.selfsame(["rebuild-verify", &reference, "--key", &key]);
    rebuilt.exits(2).says(&wanted);
    assert!(!rebuilt.stderr.contains("selfsame fetch"), "it would not help: {}", rebuilt.stderr);
    env.selfsame(["fetch", &reference]).exits(2).says(&wanted);
    push(&env, &reference, &["--with-capsule"]).succeeds();
    env.selfsame(["rebuild-verify", &reference, "--key", &key]).succeeds();
}

/// An action that leaves other files in each run, and many of them.
#[test]
fn sandbox_a_rebuild_that_differs_in_everything_says_so_in_few_lines() {
    let Some(env) = sandboxed() else { return };
    let script = "mkdir out; n=0; while test $n -lt 300; do date +%N%s$n > out/$n; n=$((n+1)); done";
    define(&env, script, "");
    build(&env, &["--no-check"]).succeeds();
    let key = env.at(DEV_KEY).display().to_string();
    let release = env.at(crate::world::RELEASE).display().to_string();
    let output = env.selfsame(["rebuild-verify", &release, "--key", &key]);
    output.exits(1).says("hint: `--json` has all; `-o DIR` keeps what was rebuilt");
    let lines = output.stdout.lines().count();
    assert!(lines < 90 && output.stdout.contains(" more lines"), "{lines} lines");
    let json = env.selfsame(["rebuild-verify", &release, "--key", &key, "--json"]).exits(1).json();
    assert_eq!(json["explanation"]["layers"][0]["changes"].as_array().map(Vec::len), Some(300));
}
