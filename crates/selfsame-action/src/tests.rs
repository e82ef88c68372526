use std::collections::BTreeMap;

use selfsame_core::{Digest, Level, Platform, Profile, SourceEpoch};
use selfsame_definition::Definition;

use crate::secret::secrets_in;
use crate::{Bound, Plan, PlanError};

const DEFINITION: &str = r#"
name = "hello"
version = "1.0.0"
[source]
epoch = 1700000000
[toolchain.cc]
host = true
[toolchain.rust]
rustup = "1.95.0"
[[action]]
name = "compile"
run = ["cc", "-o", "hello", "hello.c"]
toolchains = ["cc"]
env = { CFLAGS = "-O2" }
outputs = ["hello"]
[[action]]
name = "crate"
cargo = ["rustc", "--release", "--features", "x", "--", "-C", "opt-level=1"]
inputs = ["source", "compile"]
outputs = ["target/x86_64-unknown-linux-gnu/release/tool"]
[image]
[[image.file]]
from = "compile:hello"
to = "/hello"
"#;

fn bound() -> Bound {
    Bound {
        source: Digest::of(b"source"),
        epoch: SourceEpoch::new(1_700_000_000).unwrap(),
        toolchains: BTreeMap::from([("cc".to_owned(), Digest::of(b"cc")), ("rust".to_owned(), Digest::of(b"rust"))]),
        inputs: BTreeMap::new(),
        configured: BTreeMap::new(),
        cargo: Some(Digest::of(b"crates")),
        profile: Profile::CURRENT,
        level: Level::Normalized,
        platform: "linux/amd64".parse::<Platform>().unwrap(),
        target: "linux/amd64".parse::<Platform>().unwrap(),
        relaxations: ["aslr".to_owned()].into(),
    }
}

/// Golden: a change here changes every action digest, and is a new profile.
#[test]
fn canonical_form_of_an_action() {
    let plan = Plan::new(&Definition::parse(DEFINITION).unwrap(), &bound()).unwrap();
    let action = plan.steps[0].action(&BTreeMap::new());
    insta::assert_snapshot!(String::from_utf8(action.canonical()).unwrap(), @r#"{"action":"selfsame-action v1","argv":["cc","-o","hello","hello.c"],"environment":{"CFLAGS":"-O2","HOME":"/tmp","LANG":"C.UTF-8","LC_ALL":"C.UTF-8","LOGNAME":"build","PATH":"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin","PERL_HASH_SEED":"0","PERL_PERTURB_KEYS":"0","PYTHONHASHSEED":"0","SHELL":"/bin/sh","SOURCE_DATE_EPOCH":"1700000000","TERM":"dumb","TMPDIR":"/tmp","TZ":"UTC","USER":"build","ZERO_AR_DATE":"1"},"epoch":1700000000,"inputs":[{"at":"/","mount":"layer","tree":"sha256:355b1bbfc96725cdce8f4a2708fda310a80e6d13315aec4e5eed2a75fe8032ce"},{"at":"/build","mount":"placed","tree":"sha256:41cf6794ba4200b839c53531555f0f3998df4cbb01a4d5cb0b94e3ca5e23947d"}],"keepsStdout":false,"level":"normalized","outputs":["hello"],"platform":"linux/amd64","profile":1,"relaxations":["aslr"],"scratchBytes":8589934592}"#);
    insta::assert_snapshot!(action.digest(), @"sha256:aa45187ae4337de7432508d9ec819985be1a6a3d7abcd4ece2020243fc153f26");
}

#[test]
fn cargo_runs_offline_with_its_metadata_before_it() {
    let plan = Plan::new(&Definition::parse(DEFINITION).unwrap(), &bound()).unwrap();
    let names: Vec<&str> = plan.steps.iter().map(crate::Step::name).collect();
    assert_eq!(names, ["compile", "crate.metadata", "crate"]);
    let outputs = BTreeMap::from([("compile".to_owned(), Digest::of(b"out"))]);
    let metadata = plan.steps[1].action(&outputs);
    assert_eq!(metadata.argv[..4], ["cargo", "--config", "/inputs/cargo/config.toml", "metadata"]);
    assert_eq!(metadata.argv[metadata.argv.len() - 2..], ["--features", "x"]);
    let build = plan.steps[2].action(&outputs);
    insta::assert_snapshot!(
        build.argv.join(" "),
        @"cargo --config /inputs/cargo/config.toml rustc --release --features x --locked --offline --message-format=json-render-diagnostics -- -C opt-level=1"
    );
    assert!(build.environment["PATH"].starts_with("/toolchain/rust/bin:/usr/local/sbin"));
    let places: Vec<_> = build.inputs.iter().map(|input| format!("{} at /{}", input.name, input.at.as_str())).collect();
    assert_eq!(
        places,
        [
            "toolchain cc at /",
            "toolchain rust at /",
            "crates at /inputs/cargo",
            "source at /build",
            "action compile at /inputs/compile"
        ]
    );
}

/// Each tool is pointed at its input, and npm besides at the name that the answers in its cache are kept under.
#[test]
fn tools_of_ecosystems_are_told_where_their_packages_are() {
    let packages = "inputs = [\"source\", \"packages\"]\noutputs = [\"hello\"]";
    let inputs = "[input.packages]\nnpm = \"package-lock.json\"\n[[action]]\nname = \"compile\"";
    let text = DEFINITION.replacen("outputs = [\"hello\"]", packages, 1);
    let text = text.replacen("[[action]]\nname = \"compile\"", inputs, 1);
    let inputs = BTreeMap::from([("packages".to_owned(), Digest::of(b"packages"))]);
    let plan = Plan::new(&Definition::parse(&text).unwrap(), &Bound { inputs, ..bound() }).unwrap();
    let told = &plan.steps[0].action(&BTreeMap::new()).environment;
    assert_eq!(told["npm_config_cache"], "/inputs/packages");
    assert_eq!(told["npm_config_registry"], "http://npm.invalid/");
    assert_eq!(told["npm_config_offline"], "true");
}

#[test]
fn identity_is_all_that_decides_bytes_and_nothing_else() {
    let plan = Plan::new(&Definition::parse(DEFINITION).unwrap(), &bound()).unwrap();
    let action = plan.steps[0].action(&BTreeMap::new());
    let changed = |change: &dyn Fn(&mut crate::Action)| {
        let mut other = action.clone();
        change(&mut other);
        other.digest() != action.digest()
    };
    assert!(changed(&|a| a.argv.push("-g".into())));
    assert!(changed(&|a| _ = a.environment.insert("X".into(), "1".into())));
    assert!(changed(&|a| a.inputs[0].tree = Digest::of(b"other")));
    assert!(changed(&|a| a.level = Level::Isolated));
    assert!(changed(&|a| a.relaxations.clear()));
    assert!(changed(&|a| a.epoch = SourceEpoch::new(1).unwrap()));
    assert!(changed(&|a| a.scratch_bytes += 1));
    assert!(!changed(&|a| a.timeout_secs += 1));
    assert!(!changed(&|a| a.name.push('x')));
}

#[test]
fn what_was_not_bound_is_named() {
    let definition = Definition::parse(DEFINITION).unwrap();
    let mut without = bound();
    without.toolchains.remove("cc");
    assert_eq!(Plan::new(&definition, &without).unwrap_err(), PlanError::Toolchain { toolchain: "cc".to_owned() });
    let mut without = bound();
    without.cargo = None;
    assert_eq!(Plan::new(&definition, &without).unwrap_err(), PlanError::Cargo { action: "crate".to_owned() });
}

#[test]
fn secrets_are_seen_and_paths_are_not_secrets() {
    let with = |line: &str| DEFINITION.replace("CFLAGS = \"-O2\"", line);
    let places = |text: &str| {
        let definition = Definition::parse(text).unwrap();
        secrets_in(&definition).into_iter().map(|secret| secret.place).collect::<Vec<_>>()
    };
    assert!(places(DEFINITION).is_empty());
    assert_eq!(places(&with("DEPLOY_TOKEN = \"abcdef123456\"")), ["action compile, env DEPLOY_TOKEN"]);
    assert_eq!(places(&with("X = \"ghp_abcdefghijklmnopqrst\"")), ["action compile, env X"]);
    assert_eq!(places(&with("URL = \"https://me:pass@example.com/x\"")), ["action compile, env URL"]);
    assert!(places(&with("TOKEN = \"/run/secrets/token\"")).is_empty());
    assert!(places(&with("TOKEN_COUNT = \"1000000\"")).is_empty());
}

const CONFIGURED: &str = r#"
name = "service"
version = "1.0.0"
[source]
epoch = 1700000000
[toolchain.tools]
deb = ["gcc"]
rootfs = "configured"
[input.base]
deb = ["dbus"]
rootfs = "configured"
[[action]]
name = "compile"
run = ["cc", "-o", "hello", "hello.c"]
inputs = ["source", "base"]
outputs = ["hello"]
[[action]]
name = "next"
run = ["true"]
inputs = ["compile"]
outputs = ["x"]
[image]
base = "base"
"#;

fn bound_to_configure() -> Bound {
    let all = || selfsame_lock::Normaliser::ALL.to_vec();
    Bound {
        toolchains: BTreeMap::from([("tools".to_owned(), Digest::of(b"tools"))]),
        inputs: BTreeMap::from([("base".to_owned(), Digest::of(b"base"))]),
        configured: BTreeMap::from([("base".to_owned(), all()), ("tools".to_owned(), all())]),
        relaxations: [].into(),
        ..bound()
    }
}

/// Golden: a change here changes every configured root file system, and is a new profile.
#[test]
fn canonical_form_of_a_configuration() {
    let plan = Plan::new(&Definition::parse(CONFIGURED).unwrap(), &bound_to_configure()).unwrap();
    let action = plan.steps[0].action(&BTreeMap::new());
    let text = String::from_utf8(action.canonical()).unwrap();
    let script = serde_json::to_string(&action.argv[3]).unwrap();
    assert!(text.contains(&script) && script.contains("dpkg --audit"));
    insta::assert_snapshot!(text.replace(&script, "SCRIPT"), @r#"{"action":"selfsame-action v1","argv":["/bin/sh","-eu","-c",SCRIPT],"environment":{"DEBCONF_NONINTERACTIVE_SEEN":"true","DEBIAN_FRONTEND":"noninteractive","DPKG_COLORS":"never","HOME":"/root","LANG":"C.UTF-8","LC_ALL":"C.UTF-8","LOGNAME":"root","PATH":"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin","PERL_HASH_SEED":"0","PERL_PERTURB_KEYS":"0","PYTHONHASHSEED":"0","SHELL":"/bin/sh","SOURCE_DATE_EPOCH":"315532800","TERM":"dumb","TMPDIR":"/tmp","TZ":"UTC","USER":"root"},"epoch":315532800,"inputs":[{"at":"/","mount":"layer","tree":"sha256:cae662172fd450bb0cd710a769079c05bfc5d8e35efa6576edc7d0377afdd4a2"}],"keepsStdout":false,"level":"normalized","outputs":[],"platform":"linux/amd64","profile":1,"relaxations":[],"scratchBytes":8589934592,"system":{"normalisers":["apt-caches","debconf-backups","dpkg-backups","ldconfig-cache","logs","machine-id","man-indexes","random-seeds","run-files","server-keys"],"random":"fresh"}}"#);
    insta::assert_snapshot!(action.digest(), @"sha256:9c1cf7d1603de142444062c9adf9b1c1e435ef4311dcb7ab98ec3c9df45c8e82");
}

#[test]
fn what_is_configured_comes_first_and_is_what_actions_see() {
    let plan = Plan::new(&Definition::parse(CONFIGURED).unwrap(), &bound_to_configure()).unwrap();
    let steps: Vec<_> = plan.steps.iter().map(|step| format!("{} r{}", step.name(), step.rank)).collect();
    assert_eq!(steps, ["base.configure r0", "tools.configure r0", "compile r1", "next r2"]);
    let outputs = ["base.configure", "tools.configure", "compile"].map(|it| (it.to_owned(), Digest::of(it.as_bytes())));
    let outputs = BTreeMap::from(outputs);
    let seen: Vec<_> = plan.steps[2].action(&outputs).inputs;
    let tree = |name: &str| seen.iter().find(|input| input.name == name).unwrap().tree;
    assert_eq!(tree("input base"), Digest::of(b"base.configure"));
    assert_eq!(tree("toolchain tools"), Digest::of(b"tools.configure"));
    assert_eq!(tree("source"), Digest::of(b"source"));
}

#[test]
fn scripts_of_another_processor_do_not_run() {
    let foreign = Bound { target: "linux/arm64".parse().unwrap(), ..bound_to_configure() };
    let error = Plan::new(&Definition::parse(CONFIGURED).unwrap(), &foreign).unwrap_err();
    assert_eq!(
        error.to_string(),
        "input `base` is for linux/arm64, and its maintainer scripts cannot run on linux/amd64"
    );
}
