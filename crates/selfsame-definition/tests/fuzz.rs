//! `selfsame.toml`, from anybody.

use selfsame_definition::Definition;
use selfsame_testing::fuzz::{answer, fuzz};

const OWN: &str = include_str!("../../../selfsame.toml");
const INPUTS: &str = include_str!("../../../examples/python-service/selfsame.toml");
const MORE: &str = r#"
[input.image]
oci = "base:12"

[input.more]
file = "https://example.org/x.tar.gz"
sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
unpack = true
strip = 1

[input.repo]
git = "https://example.org/x.git"
tag = "v1"

[toolchain.compiler]
deb = ["gcc", "libc6-dev"]
rootfs = "configured"
"#;

#[test]
fn fuzz_definition() {
    let more = format!("{INPUTS}{MORE}");
    assert!(Definition::parse(&more).is_ok(), "{:?}", Definition::parse(&more));
    let words = [
        "[[action]]\n",
        "[input.x]\n",
        "[image]\n",
        "base = ",
        "\"\"\"",
        "pypi = ",
        "npm = ",
        "go = ",
        "epoch",
        "= [[",
        "oci:",
    ];
    fuzz("definition", &[OWN.as_bytes(), more.as_bytes()], &words, |bytes| {
        answer(Definition::parse(&String::from_utf8_lossy(bytes)))
    });
}
