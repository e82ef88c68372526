//! `selfsame lock diff`: for people, for merge requests, for programs.

use selfsame_testing::TestEnv;

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
        ~ pkg:deb/debian/gcc amd64  4:12.2.0-3 -> 4:12.3.0-1  signed-release, [N] KiB
          1 file unchanged
    + web: file page|`x`.html, of 2026-02-01, [N] bytes
        + pkg:generic/page.html  sha256:222222222222  tls-only, [N] bytes
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
    | changed | `pkg:deb/debian/gcc amd64` | `4:12.2.0-3 -> 4:12.3.0-1` | `signed-release, [N] KiB` |

    1 file unchanged

    #### added `web`

    `file page\|'x'.html, of 2026-02-01, [N] bytes`

    | | what | | who vouched |
    |---|---|---|---|
    | added | `pkg:generic/page.html` | `sha256:222222222222` | `tls-only, [N] bytes` |
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
        ~ pkg:deb/debian/gcc amd64  sha256:aaaaaaaaaaaa -> sha256:cccccccccccc  signed-release -> tls-only
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
