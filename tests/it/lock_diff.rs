//! `selfsame lock diff`: for people, for merge requests, for programs.

use std::sync::{Arc, Mutex};

use selfsame_testing::TestEnv;
use selfsame_testing::server::{Answer, Server};

use crate::world::{empty, one_error, shown};

const GCC: &str = "4:12.2.0-3";

/// A lock as `selfsame lock` would have written it elsewhere.
fn lock(gcc: (&str, char, &str), more: &str) -> String {
    let (version, digit, claim) = gcc;
    let sha256 = digit.to_string().repeat(64);
    let jq = "1".repeat(64);
    format!(
        "version = 1\nprofile = 1\n\n[[input]]\nname = \"tools\"\nkind = \"deb\"\nasked = \"gcc\"\nas_of = \"2026-01-01\"\n\
         parts = [\n  {{ purl = \"pkg:deb/debian/gcc@{version}?arch=amd64\", sha256 = \"{sha256}\", size = 5216, \
         claim = \"{claim}\" }},\n  {{ purl = \"pkg:deb/debian/jq@1.6-2.1?arch=amd64\", sha256 = \"{jq}\", size = 64000, \
         claim = \"signed-release\" }},\n]\n{more}"
    )
}

fn define(env: &TestEnv, more: &str) {
    let text = format!(
        "name = \"probe\"\nversion = \"1.0.0\"\n\n[source]\nepoch = 1700000000\n\n[toolchain.tools]\ndeb = [\"gcc\"]\n{more}\n\
         [image]\nentrypoint = [\"/x\"]\n\n[[image.file]]\nfrom = \"source:seed\"\nto = \"/x\"\n"
    );
    env.write("seed", "seed\n");
    env.write("selfsame.toml", text);
}

const NEW_INPUT: &str = "\n[[input]]\nname = \"web\"\nkind = \"file\"\nasked = \"page|`x`.html\"\nas_of = \"2026-02-01\"\nparts = \
     [\n  { purl = \"pkg:generic/page.html\", sha256 = \"2222222222222222222222222222222222222222222222222222222222222222\", \
     size = 7, claim = \"tls-only\" },\n]\n";

fn project() -> TestEnv {
    let env = empty();
    define(&env, "");
    env.write("selfsame.lock", lock((GCC, 'a', "signed-release"), ""));
    env.git_commit("first");
    env
}

#[test]
fn a_change_of_every_sort_for_people_pages_and_programs() {
    let env = project();
    env.selfsame(["lock", "diff", "HEAD"]).succeeds().says("no difference");
    let same = env.selfsame(["lock", "diff", "HEAD", "--json"]);
    assert_eq!(same.succeeds().json()["class"], "same");

    define(&env, "\n[input.web]\nfile = \"https://mirror.example/page.html\"\n");
    env.write("selfsame.lock", lock(("4:12.3.0-1", 'b', "signed-release"), NEW_INPUT));
    insta::assert_snapshot!(shown(&env.selfsame(["lock", "diff", "HEAD"])), @r"
    exit 0
    --- stdout
    ~ tools: deb gcc, of 2026-01-01
        ~ gcc amd64  4:12.2.0-3 -> 4:12.3.0-1  signed-release, [N] KiB
          1 file unchanged
    + web: file page|`x`.html, of 2026-02-01, [N] bytes
        + page.html  sha256:222222222222  tls-only, [N] bytes
    new host mirror.example: web
    files: 1 added, 1 changed, 1 that nobody vouched for
    ");
    insta::assert_snapshot!(shown(&env.selfsame(["lock", "diff", "HEAD", "--markdown"])), @r"
    exit 0
    --- stdout
    ### selfsame.lock

    files: 1 added, 1 changed, 1 that nobody vouched for

    **new host** `mirror.example`: `web`

    #### changed `tools`

    `deb gcc, of 2026-01-01`

    | | what | | who vouched |
    |---|---|---|---|
    | changed | `gcc amd64` | `4:12.2.0-3 -> 4:12.3.0-1` | `signed-release, [N] KiB` |

    1 file unchanged

    #### added `web`

    `file page\|'x'.html, of 2026-02-01, [N] bytes`

    | | what | | who vouched |
    |---|---|---|---|
    | added | `page.html` | `sha256:222222222222` | `tls-only, [N] bytes` |
    ");
    let json = env.selfsame(["lock", "diff", "HEAD", "--json"]);
    assert!(json.stdout.starts_with("{\n  \"schema\": \"https://selfsame.dev/lock-diff/v1\",\n"), "{}", json.stdout);
    let json = json.json();
    assert_eq!((&json["class"], &json["newHosts"][0]["host"]), (&"changed".into(), &"mirror.example".into()));
    assert_eq!(json["inputs"][0]["parts"][0]["after"]["purl"], "pkg:deb/debian/gcc@4:12.3.0-1?arch=amd64");
    assert_eq!((&json["counts"]["added"], &json["counts"]["changed"]), (&1.into(), &1.into()));

    // What an honest publisher does not do.
    env.write("selfsame.lock", lock((GCC, 'c', "tls-only"), ""));
    insta::assert_snapshot!(shown(&env.selfsame(["lock", "diff", "HEAD"])), @r"
    exit 0
    --- stdout
    ~ tools: deb gcc, of 2026-01-01
        ~ gcc amd64  sha256:aaaaaaaaaaaa -> sha256:cccccccccccc  signed-release -> tls-only
          ! other content under the same name
          ! vouched for by less than before
          1 file unchanged
    new host mirror.example: web
    files: 1 changed, 1 with other content under the same name, 1 vouched for by less than before, 1 that nobody vouched for
    ");
}

#[test]
fn the_other_side_may_be_a_file_a_commit_or_nothing() {
    let env = project();
    env.write("old/selfsame.lock", lock((GCC, 'd', "signed-release"), ""));
    for base in ["old/selfsame.lock", "old"] {
        let output = env.selfsame(["lock", "diff", base, "--json"]);
        assert_eq!(output.succeeds().json()["counts"]["republished"], 1, "{base}");
    }
    // A commit before there was a lock: everything is new. A project below the root of its repository is found there.
    env.write("below/selfsame.toml", env.read("project/selfsame.toml"));
    env.write("below/selfsame.lock", lock((GCC, 'e', "signed-release"), ""));
    let output = env.selfsame(["lock", "diff", "HEAD", "below", "--json"]);
    assert_eq!(output.succeeds().json()["inputs"][0]["change"], "added");
    env.git_commit("second");
    let output = env.selfsame(["lock", "diff", "HEAD", "below", "--json"]);
    assert_eq!(output.succeeds().json()["class"], "same");
    // The lock is gone: everything is removed.
    std::fs::remove_file(env.at("project/below/selfsame.lock")).expect("a lock");
    let output = env.selfsame(["lock", "diff", "HEAD", "below", "--json"]);
    assert_eq!(output.succeeds().json()["inputs"][0]["change"], "removed");
    let neither = env.selfsame(["lock", "diff", "HEAD~1", "below"]);
    assert!(one_error(neither.exits(2)).starts_with("there is no `below/selfsame.lock`"), "{}", neither.stderr);
}

#[test]
fn what_is_neither_a_file_nor_a_commit() {
    let env = project();
    for base in ["origin/main", "-x", "--output=stolen", "HEAD:selfsame.lock", "", "a b"] {
        let output = env.selfsame(["lock", "diff", "--", base]);
        assert_eq!(one_error(output.exits(2)), format!("`{base}` is neither a file nor a commit"));
    }
    assert!(!env.at("project/stolen").exists());
    env.write("broken.lock", "nonsense");
    let output = env.selfsame(["lock", "diff", "broken.lock"]);
    output.exits(2).says("broken.lock:1:");
    // A commit whose lock a merge damaged.
    env.write("selfsame.lock", "<<<<<<< ours\n");
    env.git_commit("damaged");
    env.write("selfsame.lock", lock((GCC, 'a', "signed-release"), ""));
    env.selfsame(["lock", "diff", "HEAD"]).exits(2).says("HEAD:selfsame.lock:1:").says("a merge left both sides in it");
}

/// The steps of docs/lock/upkeep.md, as they stand there: a branch with one commit where something changed, nothing where
/// nothing did, and a failed job where nobody answered.
#[test]
fn the_scheduled_update_of_the_page() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/lock/upkeep.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let script = page.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next()).expect("the steps").to_owned();
    for line in script.lines() {
        assert!(page.matches(line).count() >= 3, "GitLab's or GitHub's steps have no `{line}`");
    }
    let content = Arc::new(Mutex::new(Answer::ok("first\n")));
    let given = Arc::clone(&content);
    let server = Server::http(move |_| given.lock().expect("content").clone());
    let env = empty();
    let input = format!("\n[input.web]\nfile = \"{}\"\n", server.url("/page.html"));
    define(&env, &input);
    let text = env.read("project/selfsame.toml").replace("[toolchain.tools]\ndeb = [\"gcc\"]\n", "");
    env.write("selfsame.toml", text);
    env.selfsame(["lock"]).succeeds();
    let first = env.git_commit("first");
    let run = || {
        let mut command = std::process::Command::new("sh");
        command.args(["-euc", &format!("selfsame() {{ \"$PROGRAM\" \"$@\"; }}\n{script}")]);
        let program = env.command(&selfsame_testing::Variation::default(), ["lock"]);
        command.env_clear().envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("PROGRAM", crate::world::SELFSAME);
        for role in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{role}_NAME"), "bot").env(format!("GIT_{role}_EMAIL"), "bot@example.com");
        }
        command.current_dir(env.project());
        env.run(command)
    };
    let head = || env.read("project/.git/HEAD").trim().to_owned();
    let before = head();
    run().succeeds();
    assert_eq!(head(), before, "nothing changed, and a branch was made");

    *content.lock().expect("content") = Answer::status(503);
    run().exits(3);
    assert_eq!(head(), before);

    *content.lock().expect("content") = Answer::ok("second\n");
    run().succeeds();
    assert_eq!(head(), "ref: refs/heads/selfsame-lock");
    assert!(env.read("project/change.md").contains("**other content under the same name**"));
    env.selfsame(["lock", "diff", &first, "--json"]).succeeds();
    let clean = env.selfsame(["lock", "diff", "HEAD"]);
    clean.succeeds().says("no difference");
}
