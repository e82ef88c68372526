use proptest::prelude::*;
use selfsame_core::{Digest, RelPath};

use super::*;
use crate::action::RESERVED_ENV;

mod inputs;

const HEAD: &str = "name = \"hello\"\nversion = \"1.0.0\"\n";
const ACTION: &str = "[[action]]\nname = \"compile\"\nrun = [\"cc\"]\noutputs = [\"hello\", \"share\"]\n";
const IMAGE: &str = "[image]\n[[image.file]]\nfrom = \"source:hello\"\nto = \"/hello\"\n";

/// The error as a person sees it: place and message, then the line.
#[track_caller]
fn fault(text: &str) -> String {
    let error = Definition::parse(text).expect_err("the text has a fault");
    format!("{error}\n{}", error.excerpt())
}

/// A definition that is complete but for `lines`, which stand behind the head.
#[track_caller]
fn fault_in(lines: &str) -> String {
    fault(&format!("{HEAD}{lines}"))
}

#[track_caller]
fn refused(text: &str, because: &str) {
    let shown = &text[..text.len().min(400)];
    let error = Definition::parse(text).expect_err(shown).to_string();
    assert!(error.contains(because), "{shown}\n{error}");
}

#[track_caller]
fn refused_source(lines: &str, because: &str) {
    refused(&format!("{HEAD}[source]\n{lines}\n{IMAGE}"), because);
}

#[track_caller]
fn refused_action(lines: &str, because: &str) {
    refused(&format!("{HEAD}[toolchain.cc]\nhost = true\n[[action]]\n{lines}\n{IMAGE}"), because);
}

#[track_caller]
fn refused_image(lines: &str, because: &str) {
    refused(&format!("{HEAD}{ACTION}[image]\n{lines}\n"), because);
}

#[test]
fn reads_everything() {
    let text = r#"
name = "hello"
version = "1.0.0"
license = "MIT"
[publisher]
name = "Example Ltd"
url = "https://example.com"
email = "build@example.com"
security_contact = "security@example.com"
[source]
archive = "https://example.com/lua-5.4.7.tar.gz?mirror=1"
sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
strip = 2
epoch = 1700000000
[toolchain.cc]
host = true
[toolchain.rust]
rustup = "1.95.0"
[[action]]
name = "compile"
run = ["cc", ""]
toolchains = ["cc"]
outputs = ["hello", "share/doc"]
env = { CFLAGS = "-O2" }
timeout = 600
scratch = "512MiB"
[[action]]
name = "crate"
cargo = ["build", "--release", "--", "--locked"]
inputs = ["source", "compile"]
outputs = ["target/release/x"]
[image]
base = "scratch"
platforms = ["linux/amd64"]
env = { PATH = "/bin" }
entrypoint = ["/hello"]
cmd = ["-v"]
user = "65534:65534"
workdir = "/srv/"
labels = { "org.example" = "b" }
ports = ["8080/tcp", "53/udp", "9"]
[[image.file]]
from = "compile:share/doc/README"
to = "/doc"
mode = "0600"
owner = "1:2"
[[image.file]]
from = "source:."
to = "/"
"#;
    let definition = Definition::parse(text).unwrap();
    let SourceOrigin::Archive { location, sha256, strip: 2 } = &definition.source.origin else { panic!() };
    assert_eq!(location.file_name(), "lua-5.4.7.tar.gz");
    assert_eq!(*sha256, Some(Digest::of(b"hello")));
    assert_eq!(definition.publisher.security_contact.as_deref(), Some("security@example.com"));
    let rust = Toolchain::Rustup {
        channel: "1.95.0".to_owned(),
        components: ["rustc", "cargo", "rust-std"].map(str::to_owned).to_vec(),
    };
    assert_eq!(definition.toolchains["rust"], rust);
    let [compile, cargo] = &definition.actions[..] else { panic!() };
    assert_eq!((compile.timeout_secs, compile.scratch_bytes), (600, 512 << 20));
    assert_eq!((cargo.timeout_secs, cargo.scratch_bytes), (3600, 8 << 30));
    assert_eq!(compile.inputs, [ActionInput::Source]);
    assert!(compile.target && cargo.target);
    assert_eq!(cargo.inputs, [ActionInput::Source, ActionInput::Action("compile".parse().unwrap())]);
    assert_eq!(cargo.toolchains.iter().map(Name::as_str).collect::<Vec<_>>(), ["cc", "rust"]);
    assert_eq!(cargo.command, Command::Cargo(["build", "--release", "--", "--locked"].map(str::to_owned).to_vec()));
    let image = &definition.image;
    assert_eq!(image.workdir.as_deref(), Some("/srv"));
    assert_eq!(image.ports.iter().map(ToString::to_string).collect::<Vec<_>>(), ["9/tcp", "53/udp", "8080/tcp"]);
    assert_eq!(image.files[0].mode, Some(0o600));
    assert_eq!(image.files[0].to, RelPath::new("doc").unwrap());
    assert_eq!(image.files[0].owner.to_string(), "1:2");
    assert_eq!(image.files[0].from.to_string(), "compile:share/doc/README");
    assert!(image.files[1].to.is_root() && image.files[1].from.path.is_root());
}

#[test]
fn the_documented_example_is_a_definition() {
    let page = include_str!("../../../docs/definition/v1.md");
    let example = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let definition = Definition::parse(example).unwrap();
    assert_eq!(definition.image.files[0].from.to_string(), "compile:hello");
    for name in RESERVED_ENV {
        assert!(page.contains(&format!("`{name}`")), "{name} is reserved and not on the page");
    }
}

#[test]
fn a_minimal_definition_has_the_documented_defaults() {
    let definition = Definition::parse(&format!("{HEAD}{IMAGE}")).unwrap();
    assert_eq!(definition.source, Source { origin: SourceOrigin::Path { path: ".".to_owned() }, epoch: Epoch::Git });
    assert_eq!(definition.license, None);
    assert!(definition.image.platforms.is_empty() && definition.image.user.is_none());
    assert_eq!(definition.image.files[0].owner, Owner { uid: 0, gid: 0 });
}

#[test]
fn shows_the_line() {
    insta::assert_snapshot!(fault_in("licence = \"MIT\""), @r#"
    3:1: unknown key `licence`
      |
    3 | licence = "MIT"
      | ^^^^^^^ did you mean `license`?
    "#);
    insta::assert_snapshot!(fault_in("[publisher]\nemial = \"a@b.c\""), @r#"
    4:1: unknown key `emial` in `publisher`
      |
    4 | emial = "a@b.c"
      | ^^^^^ did you mean `email`?
    "#);
    insta::assert_snapshot!(fault_in("[image]\nbanana = 1"), @r"
    4:1: unknown key `banana` in `image`; known are base, platforms, env, entrypoint, cmd, user, workdir, labels, ports, file
      |
    4 | banana = 1
      | ^^^^^^
    ");
    insta::assert_snapshot!(fault("name = \"hello\nversion = 1"), @r#"
    1:14: not TOML: invalid basic string, expected `"`
      |
    1 | name = "hello
      |              ^
    "#);
    insta::assert_snapshot!(fault("name = \"a\"\nname = \"b\""), @r#"
    2:1: not TOML: duplicate key
      |
    2 | name = "b"
      | ^^^^
    "#);
    insta::assert_snapshot!(fault("version = \"1\""), @r#"
    1:1: `name` is missing
      |
    1 | version = "1"
      | ^
    "#);
    insta::assert_snapshot!(fault_in("[source]\r\n\tepoch = \"now\"\r\n"), @r#"
    4:10: `source.epoch` may not be "now": a build that reads the clock differs every time; "git" or seconds
      |
    4 |  epoch = "now"
      |          ^^^^^
    "#);
    insta::assert_snapshot!(
        fault_in(&format!("{ACTION}[[action]]\nname = \"b\"\nrun = [\"x\"]\ninputs = [\"comple\"]\noutputs = [\"y\"]")),
        @r#"
    10:11: no action `comple`; known here: source, compile
       |
    10 | inputs = ["comple"]
       |           ^^^^^^^^ did you mean `compile`?
    "#
    );
    insta::assert_snapshot!(
        fault_in(&format!("{ACTION}[image]\n[[image.file]]\nfrom = \"compile:helo\"\nto = \"/x\"")),
        @r#"
    9:8: action `compile` has no output `helo`; it leaves hello, share
      |
    9 | from = "compile:helo"
      |        ^^^^^^^^^^^^^^ did you mean `compile:hello`?
    "#
    );
    insta::assert_snapshot!(fault_in("image = { base = \"debian:12\" }"), @r#"
    3:18: no input `debian:12` to stand on; known here: scratch
      |
    3 | image = { base = "debian:12" }
      |                  ^^^^^^^^^^^
    "#);
    let labels: String = (0..30).map(|n| format!("\"\u{e9}{n}\" = \"\", ")).collect();
    let wide = format!("image = {{ labels = {{ {labels} }}, \"x\\u001b\" = 1 }}");
    insta::assert_snapshot!(fault_in(&wide), @r#"
    3:376: unknown key `x\u{1b}` in `image`; known are base, platforms, env, entrypoint, cmd, user, workdir, labels, ports, file
      |
    3 |  = "", "é26" = "", "é27" = "", "é28" = "", "é29" = "",  }, "x\u001b" = 1 }
      |                                                            ^^^^^^^^^
    "#);
}

#[test]
fn unknown_keys_are_refused_at_every_level() {
    for (lines, place) in [
        ("x = 1", "unknown key `x`;"),
        ("[publisher]\nx = 1", "in `publisher`"),
        ("[source]\nx = 1", "in `source`"),
        ("[toolchain.cc]\nhost = true\nx = 1", "in `toolchain.cc`"),
        ("[[action]]\nx = 1", "in `action[0]`"),
        ("[image]\nx = 1", "in `image`"),
        ("[image]\n[[image.file]]\nx = 1", "in `image.file[0]`"),
    ] {
        refused(&format!("{HEAD}{lines}"), place);
    }
}

#[test]
fn source_faults() {
    refused_source("path = \".\"\ncrate = \"a@1.0.0\"", "`source.crate` beside `source.path`");
    refused_source("crate = \"ripgrep@14.1.1\"", "`source.epoch` is missing");
    refused_source("archive = \"a.tar.gz\"", "`source.epoch` is missing");
    refused_source("archive = \"a.tar.gz\"\nepoch = \"git\"", "no git working tree");
    refused_source("epoch = \"now\"", "may not be \"now\"");
    refused_source("epoch = \"1700000000\"", "without quotes");
    refused_source("epoch = -1", "not from 0");
    refused_source("epoch = 253402300800", "after the year 9999");
    refused_source("epoch = 1.5", "is a float; a string is wanted");
    refused_source("crate = \"ripgrep\"\nepoch = 1", "has no version");
    refused_source("crate = \"ripgrep@14\"\nepoch = 1", "no exact version");
    refused_source("crate = \"ripgrep@^14.1.1\"\nepoch = 1", "no exact version");
    refused_source("crate = \"ripgrep@14.1.01\"\nepoch = 1", "no exact version");
    refused_source("crate = \"../x@1.0.0\"\nepoch = 1", "no proper crate name");
    refused_source("path = \"/etc\"", "is absolute");
    refused_source("path = \"\"", "is empty");
    refused_source("path = \".\"\nstrip = 1", "goes with `source.archive` only");
    refused_source("archive = \"https://user:pw@example.com/a.tar\"\nepoch = 1", "user name or password");
    refused_source("archive = \"ftp://example.com/a.tar\"\nepoch = 1", "scheme `ftp`");
    refused_source("archive = \"https:///a.tar\"\nepoch = 1", "not a URL");
    refused_source("archive = \"https://example.com/\"\nepoch = 1", "names no file");
    refused_source("archive = \"a.tar\"\nsha256 = \"ABC\"\nepoch = 1", "64 lowercase hex digits");
    refused_source("archive = \"a.tar\"\nstrip = 17\nepoch = 1", "more than 16");
}

#[test]
fn toolchain_faults() {
    let toolchain = |lines: &str, because| refused(&format!("{HEAD}[toolchain.t]\n{lines}\n{IMAGE}"), because);
    toolchain("", "needs `host = true`, `rustup = \"VERSION\"`, or one of deb");
    toolchain("host = false", "is false");
    toolchain("host = true\nrustup = \"1.95.0\"", "both `host` and `rustup`");
    toolchain("host = true\ncomponents = [\"rustc\"]", "goes with `rustup`");
    toolchain("rustup = \"stable\"", "moving channel");
    toolchain("rustup = \"../x\"", "not a toolchain name");
    toolchain("rustup = \"1.95.0\"\ncomponents = []", "is empty");
    toolchain("rustup = \"1.95.0\"\ncomponents = [\"rustc\", \"rustc\"]", "stands twice");
    toolchain("rustup = \"1.95.0\"\ncomponents = [\"../rustc\"]", "not a component name");
    refused(&format!("{HEAD}[toolchain.'C C']\nhost = true\n{IMAGE}"), "toolchain: `C C` is not a name");
}

#[test]
fn action_faults() {
    let rest = "run = [\"x\"]\noutputs = [\"y\"]\n";
    refused_action(&format!("name = \"a\"\n{rest}[[action]]\nname = \"a\"\n{rest}"), "action `a` stands twice");
    refused_action(&format!("name = \"source\"\n{rest}"), "may not be named `source`");
    refused_action(&format!("name = \"a\"\ntarget = \"no\"\n{rest}"), "target");
    let cargo = "name = \"a\"\ntarget = false\ncargo = [\"build\"]\noutputs = [\"o\"]\n";
    refused_action(cargo, "cargo is always told what it builds for");
    refused_action(&format!("name = \"cargo\"\n{rest}"), "may not be named `cargo`");
    refused_action(&format!("name = \"A\"\n{rest}"), "is not a name");
    refused_action(&format!("name = \"a\"\ninputs = [\"a\"]\n{rest}"), "reads its own output");
    let later = format!("name = \"a\"\ninputs = [\"b\"]\n{rest}[[action]]\nname = \"b\"\n{rest}");
    refused_action(&later, "reads `b`, which stands after it");
    refused_action(&format!("name = \"a\"\ninputs = [\"c\"]\n{rest}"), "no action `c`; known here: source");
    refused_action(&format!("name = \"a.metadata\"\n{rest}"), "may not be named `a.metadata`");
    refused_action("name = \"a\"\nrun = [\"x\"]\noutputs = [\".selfsame-stdout\"]\n", "may not be `.selfsame-stdout`");
    refused_action(&format!("name = \"a\"\ninputs = [\"source\", \"source\"]\n{rest}"), "input `source` stands twice");
    refused_action(
        &format!("name = \"a\"\ntoolchains = [\"rust\"]\n{rest}"),
        "toolchain `rust` is not defined; known: cc",
    );
    refused_action(&format!("name = \"a\"\ntoolchains = [\"cc\", \"cc\"]\n{rest}"), "toolchain `cc` stands twice");
    refused_action("name = \"a\"\noutputs = [\"y\"]", "none of run, script, cargo");
    refused_action("name = \"a\"\nrun = [\"x\"]\nscript = \"x\"\noutputs = [\"y\"]", "`action[0].script` beside");
    refused_action("name = \"a\"\nrun = []\noutputs = [\"y\"]", "names no program");
    refused_action("name = \"a\"\nrun = [\"\"]\noutputs = [\"y\"]", "names no program");
    refused_action("name = \"a\"\nrun = [\"a\\u0000\"]\noutputs = [\"y\"]", "NUL");
    refused_action("name = \"a\"\nrun = \"cc x\"\noutputs = [\"y\"]", "is a string; an array is wanted");
    refused_action("name = \"a\"\nscript = \" \\n\"\noutputs = [\"y\"]", "is empty");
    refused_action("name = \"a\"\ncargo = [\"test\"]\noutputs = [\"y\"]", "runs build or rustc");
    refused_action("name = \"a\"\ncargo = []\noutputs = [\"y\"]", "names no cargo command");
    refused_action("name = \"a\"\ncargo = [\"build\", \"--target=x\"]\noutputs = [\"y\"]", "selfsame sets itself");
    refused_action("name = \"a\"\nrun = [\"x\"]", "`action[0].outputs` is missing");
    refused_action("name = \"a\"\nrun = [\"x\"]\noutputs = []", "is empty");
    refused_action("name = \"a\"\nrun = [\"x\"]\noutputs = [\"../y\"]", "leaves its root");
    refused_action("name = \"a\"\nrun = [\"x\"]\noutputs = [\"/y\"]", "is absolute");
    refused_action("name = \"a\"\nrun = [\"x\"]\noutputs = [\".\"]", "whole working folder");
    refused_action("name = \"a\"\nrun = [\"x\"]\noutputs = [\"y\", \"y\"]", "stands twice");
    refused_action("name = \"a\"\nrun = [\"x\"]\noutputs = [\"y\", \"y/z\"]", "lie in one another");
    refused_action(&format!("name = \"a\"\ntimeout = 0\n{rest}"), "is 0");
    refused_action(&format!("name = \"a\"\ntimeout = 604801\n{rest}"), "more than a week");
    refused_action(&format!("name = \"a\"\nscratch = \"8GB\"\n{rest}"), "not a size");
    refused_action(&format!("name = \"a\"\nenv = {{ \"A=B\" = \"\" }}\n{rest}"), "not the name of a variable");
    refused_action(&format!("name = \"a\"\nenv = {{ \"A\\u0000\" = \"\" }}\n{rest}"), "not the name of a variable");
    refused_action(&format!("name = \"a\"\nenv = {{ A = \"\\u0000\" }}\n{rest}"), "NUL");
    for name in RESERVED_ENV {
        refused_action(&format!("name = \"a\"\nenv = {{ {name} = \"1\" }}\n{rest}"), "set by selfsame itself");
    }
}

#[test]
fn image_faults() {
    let file = "[[image.file]]\nfrom = \"compile:hello\"\nto = \"/a\"\n";
    refused(&format!("{HEAD}{ACTION}"), "`image` is missing");
    refused_image("", "has no `[[image.file]]`");
    refused_image(&format!("platforms = [\"linux/amd64\", \"linux/amd64\"]\n{file}"), "stands twice");
    refused_image(&format!("platforms = [\"windows/amd64\"]\n{file}"), "images for linux");
    refused_image(&format!("platforms = [\"amd64\"]\n{file}"), "not a platform");
    refused_image(&format!("platforms = []\n{file}"), "is empty");
    refused_image(&format!("{file}{file}"), "two files go to `/a`");
    refused_image("[[image.file]]\nfrom = \"compile:hello\"\nto = \"a\"", "not absolute");
    refused_image("[[image.file]]\nfrom = \"compile:hello\"\nto = \"/../a\"", "leaves its root");
    refused_image("[[image.file]]\nfrom = \"compile:hello\"\nto = \"/.\"", "`.` component");
    refused_image("[[image.file]]\nfrom = \"compile:hello\"\nto = \"\"", "not absolute");
    refused_image("[[image.file]]\nfrom = \"hello\"\nto = \"/a\"", "not `ACTION:PATH`");
    refused_image("[[image.file]]\nfrom = \"link:hello\"\nto = \"/a\"", "no action `link`");
    refused_image("[[image.file]]\nfrom = \"compile:other\"\nto = \"/a\"", "no output `other`; it leaves hello, share");
    refused_image("[[image.file]]\nfrom = \"compile:hell\"\nto = \"/a\"", "no output `hell`");
    refused_image("[[image.file]]\nfrom = \"compile:.\"\nto = \"/a\"", "no output `.`");
    refused_image("[[image.file]]\nfrom = \"source:../x\"\nto = \"/a\"", "leaves its root");
    refused_image(&format!("{file}mode = \"755x\""), "three or four octal digits");
    refused_image(&format!("{file}mode = 755"), "a string is wanted");
    refused_image(&format!("{file}owner = \"root\""), "uid:gid");
    refused_image(&format!("{file}owner = \"4294967295:0\""), "uid:gid");
    refused_image(&format!("user = \"01:0\"\n{file}"), "uid:gid");
    refused_image(&format!("workdir = \"srv\"\n{file}"), "not absolute");
    refused_image(&format!("ports = [\"0/tcp\"]\n{file}"), "not a port");
    refused_image(&format!("ports = [\"80/icmp\"]\n{file}"), "not a port");
    refused_image(&format!("ports = [\"80\", \"80/tcp\"]\n{file}"), "stands twice");
    refused_image(&format!("entrypoint = [\"\"]\n{file}"), "empty word");
    refused_image(&format!("env = {{ \"\" = \"x\" }}\n{file}"), "not the name of a variable");
}

#[test]
fn names_and_versions_are_those_of_images() {
    for good in ["a", "hello-c", "a.b_c__d--e", "0x"] {
        assert!(good.parse::<Name>().is_ok(), "{good}");
    }
    for wrong in ["", "-a", "a-", "a..b", "a___b", "a._b", "A", "a b", "a/b", "\u{e9}", "..", &"a".repeat(129)] {
        assert!(wrong.parse::<Name>().is_err(), "{wrong}");
    }
    refused(&format!("name = \"a\"\nversion = \"1.0+x\"\n{IMAGE}"), "not an image tag");
    refused(&format!("name = \"a\"\nversion = \".1\"\n{IMAGE}"), "not an image tag");
}

#[test]
fn is_bounded() {
    refused(&"#".repeat(document::LIMIT_BYTES + 1), "at most 1048576");
    refused(&format!("{HEAD}x = {}", "[".repeat(100_000)), "recurs");
    refused(&format!("{HEAD}x.{} = 1", "a.".repeat(100_000) + "a"), "recurs");
}

proptest! {
    #[test]
    fn never_panics_on_text(text in "\\PC{0,200}") {
        let _ = Definition::parse(&text).map_err(|error| error.excerpt());
    }

    #[test]
    fn never_panics_on_a_damaged_definition(at in 0_usize..600, with in "[\\[\\]\"'=.{},a-z0-9\\n\u{e9}\u{0}]{0,4}", cut in 0_usize..8) {
        let whole = format!(
            "{HEAD}[source]\nepoch = 7\n[toolchain.cc]\nhost = true\n{ACTION}env = {{ A = \"b\" }}\n{IMAGE}mode = \"0755\"\nowner = \"0:0\"\n"
        );
        let at = at % whole.len();
        let end = (at + cut).min(whole.len());
        let text = format!("{}{with}{}", &whole[..at], &whole[end..]);
        if let Err(error) = Definition::parse(&text) {
            prop_assert!(error.line >= 1 && error.column >= 1);
            prop_assert_eq!(error.excerpt().lines().count(), 3);
        }
    }
}
