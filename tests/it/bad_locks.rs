//! Locks of other ecosystems that somebody made to hurt: refused by name, soon, and in little memory.

use std::time::{Duration, Instant};

use selfsame_testing::TestEnv;

use crate::world::{assert_store_intact, bounded, empty, one_error};

/// What the program may have in its address space, in KiB. Threads take most of it.
const ADDRESSES_KIB: u64 = 1_500_000;
/// Tests are not optimised, and machines are busy.
const SOON: Duration = Duration::from_secs(60);
const HASH: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// Asserts that `fetch` of a project with this lock ends with one error about it.
#[track_caller]
fn refused(env: &TestEnv, kind: &str, name: &str, text: &str, because: &str) {
    let project = format!(
        "name = \"probe\"\nversion = \"1.0.0\"\nlicense = \"MIT\"\n\n[source]\nepoch = 1700000000\n\n[input.deps]\n{kind} = \"{name}\"\n{}\n\
         [image]\nentrypoint = [\"/x\"]\n\n[[image.file]]\nfrom = \"source:seed\"\nto = \"/x\"\n",
        if kind == "pypi" { "python = \"3.11\"\n" } else { "" }
    );
    env.write("selfsame.toml", project);
    env.write("seed", "x");
    env.write(name, text);
    let began = Instant::now();
    let output = bounded(env, ADDRESSES_KIB, &["fetch"]);
    assert_eq!(output.code, 2, "{because}: {}", output.stderr);
    let headline = one_error(&output);
    assert!(headline.contains(&format!("`{name}`")) && headline.contains(because), "not `{because}`: {headline}");
    assert!(headline.len() < 2000, "{} bytes of {because}", headline.len());
    assert!(began.elapsed() < SOON, "{:?} for {because}", began.elapsed());
    std::fs::remove_file(env.project().join(name)).expect("the lock");
}

#[test]
fn requirements_that_hurt() {
    let env = empty();
    let hash = format!("--hash=sha256:{HASH}");
    let refused = |text: String, because: &str| refused(&env, "pypi", "requirements.txt", &text, because);
    refused(format!("a==1 ; {}\n {hash}\n", "(".repeat(100_000)), "a marker of more than 8192 bytes");
    refused(format!("a==1 {}\n", format!("{hash} ").repeat(250_000)), "more than 16777216 bytes");
    refused("a==1 \\\n".repeat(3_000_000), "more than 16777216 bytes");
    refused(format!("a=={}1 {hash}\n", "1.".repeat(1_000_000)), "line 1");
    refused(format!("a==1 {hash}\na==1 --hash=sha256:{HASH}b\n"), "line 2");
    for place in ["file:///etc/passwd", "git+ssh://host/x", "../a.whl", "https://host.example/a.whl"] {
        refused(format!("a @ {place} {hash}\n"), "names an address or a path");
    }
    for place in ["../../../etc/passwd", "/etc/passwd", "https://host.example/more.txt"] {
        refused(format!("-r {place}\n"), "which is no file of the source");
    }
    refused("a==1\n".to_owned(), "line 1");
    assert_store_intact(&env);
}

#[test]
fn uv_locks_that_hurt() {
    let env = empty();
    let refused =
        |text: &str, because: &str| refused(&env, "pypi", "uv.lock", &format!("version = 1\n{text}"), because);
    refused(&format!("x = {}", "[".repeat(1_000_000)), "recur");
    refused(&format!("x{} = 1\n", ".a".repeat(1_000_000)), "recur");
    refused("[[package]]\nname = \"a\"\nname = \"b\"\n", "duplicate key");
    let package = "[[package]]\nname = \"a\"\nversion = \"1\"\nsource = { registry = \"x\" }\n";
    refused(&package.repeat(30_000), "more than 20000 packages");
    refused(&package.repeat(300_000), "more than 16777216 bytes");
    let git = "[[package]]\nname = \"a\"\nversion = \"1\"\nsource = { git = \"ssh://host/x\" }\n";
    let root = "[[package]]\nname = \"root\"\nversion = \"0\"\nsource = { virtual = \".\" }\ndependencies = [{ name = \"a\" }]\n";
    refused(&format!("{root}{git}"), "`a`");
    assert_store_intact(&env);
}

#[test]
fn package_locks_that_hurt() {
    let env = empty();
    let refused = |text: &str, because: &str| refused(&env, "npm", "package-lock.json", text, because);
    refused(&"[".repeat(1_000_000), "recursion limit");
    refused("{\"lockfileVersion\":3,\"lockfileVersion\":3,\"packages\":{}}", "duplicate key");
    let objects = "{\"a\":1},".repeat(1_000_000);
    refused(&format!("{{\"lockfileVersion\":3,\"packages\":{{}},\"x\":[{objects}1]}}"), "more values than are read");
    let packages: String =
        (0..60_000).map(|number| format!("\"node_modules/a{number}\":{{\"version\":\"1.0.0\"}},")).collect();
    refused(&format!("{{\"lockfileVersion\":3,\"packages\":{{{packages}\"\":{{}}}}}}"), "more than 50000 packages");
    let package = |place: &str, rest: &str| {
        format!("{{\"lockfileVersion\":3,\"packages\":{{\"node_modules/{place}\":{{\"version\":\"1.0.0\",{rest}}}}}}}")
    };
    let sound = format!("\"integrity\":\"sha512-{}==\"", "A".repeat(86));
    for (resolved, because) in [
        ("file:../../etc/passwd", "comes from a file"),
        ("git+ssh://git@host/x.git#abc", "comes from git"),
        ("ftp://host/x.tgz", "an address that is no registry's"),
    ] {
        refused(&package("a", &format!("\"resolved\":\"{resolved}\",{sound}")), because);
    }
    refused(&package("../../a", &sound), "a name that is none of a package");
    refused(&package("a", "\"integrity\":\"sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=\""), "node_modules/a");
    refused(&package("a", "\"link\":false"), "has no integrity");
    let other = format!("\"sha512-{}==\"", "B".repeat(86).replace("BBBBBB", "AAAAAA"));
    let twice = format!(
        "{{\"lockfileVersion\":3,\"packages\":{{\"node_modules/a\":{{\"version\":\"1.0.0\",{sound}}},\"node_modules/b/node_modules/a\":{{\"version\":\"1.0.0\",\"integrity\":{other}}}}}}}"
    );
    refused(&twice, "node_modules/b/node_modules/a");
    assert_store_intact(&env);
}

#[test]
fn sums_of_go_that_hurt() {
    let env = empty();
    let refused = |text: &str, because: &str| refused(&env, "go", "go.sum", text, because);
    let hash = |letter: &str| format!("h1:{}=", letter.repeat(43));
    refused(&format!("example.com/../../x v1.0.0 {}\n", hash("A")), "which is no module");
    refused(&format!("example.com/{} v1.0.0 {}\n", "a".repeat(20_000_000), hash("A")), "line 1");
    refused(&format!("example.com/x v1.0.0/../../y {}\n", hash("A")), "line 1");
    let first = format!("example.com/x v1.0.0 {}\n", hash("A"));
    refused(&format!("{first}example.com/x v1.0.0 h1:{}E=\n", "A".repeat(42)), "line 2");
    let many: String = (0..900_000).map(|number| format!("example.com/m{number} v1.0.0 {}\n", hash("A"))).collect();
    refused(&many, "at most 67108864 are read");
    assert_store_intact(&env);
}
