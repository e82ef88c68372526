//! Signers in another program, as a key service would be one: what they may do, and that their failure leaves no
//! release.

use std::fs;

use selfsame_testing::{Filter, Output, TestEnv, Tier, picture, require};

use crate::world::{RELEASE, assert_ended, assert_nothing_left, files_below, recorded, shown};

/// A signer as docs/keys.md has it, `public-key` and `sign`, that counts its calls. `$HOME/mode` says what is wrong with
/// it, and `$HOME/from` at which signature that begins.
const SIGNER: &str = r#"#!/bin/sh -eu
cd "$HOME"
echo "$1" >> calls
mode=$(cat mode 2> /dev/null || echo good)
number=$(grep -c sign calls || true)
[ "$1" = sign ] && [ "$number" -lt "$(cat from 2> /dev/null || echo 0)" ] && mode=good
case "$1 $mode" in
"public-key no-key") echo "not a key" ;;
"public-key two-keys") cat release.pub other.pub ;;
"public-key private-key") cat release.key ;;
"public-key hangs") exec sleep 86402 ;;
"public-key "*) cat release.pub ;;
"sign good") openssl dgst -sha256 -sign release.key ;;
"sign away") echo "the key service is away" >&2; exit 7 ;;
"sign exit-after-signature") openssl dgst -sha256 -sign release.key; exit 1 ;;
"sign hangs-before-reading") sleep 86403; openssl dgst -sha256 -sign release.key ;;
"sign hangs-after-signature") openssl dgst -sha256 -sign release.key; exec > /dev/null; sleep 86404 ;;
"sign holds-its-output") openssl dgst -sha256 -sign release.key; sleep 30 & ;;
"sign killed") kill -9 $$ ;;
"sign nothing") cat > /dev/null ;;
"sign garbage") echo "not a signature" ;;
"sign base64") openssl dgst -sha256 -sign release.key | base64 ;;
"sign newline") openssl dgst -sha256 -sign release.key; echo ;;
"sign other-key") openssl dgst -sha256 -sign other.key ;;
"sign other-hash") openssl dgst -sha512 -sign release.key ;;
"sign other-message") echo "something else" | openssl dgst -sha256 -sign release.key ;;
"sign first-again") [ -e first ] || openssl dgst -sha256 -sign release.key > first; cat first ;;
"sign too-much") cat /dev/zero ;;
"sign talks") printf 'touch \033]0;owned\007\033[2Jthe token\nPIN 86406\n' >&2; yes 'more' | head -n 9000 >&2
    openssl dgst -sha256 -sign release.key ;;
"sign high-s" | "sign low-s") cat > message
    while :; do
        openssl dgst -sha256 -sign release.key message > signature
        r=$(od -An -tu1 -j3 -N1 signature); s=$(od -An -tu1 -j$((5 + r)) -N1 signature)
        [ $((s)) -eq 33 ] && found=high-s || found=low-s
        [ "sign $found" != "sign $mode" ] || break
    done
    cat signature ;;
*) exit 2 ;;
esac
"#;

/// A recorded project, two keys of it in the home folder, and the signer.
struct World {
    env: TestEnv,
    key: String,
}

impl World {
    fn new() -> Option<Self> {
        let mut env = recorded()?;
        let openssl = std::process::Command::new("openssl").arg("version").output();
        let ability = openssl.map(|_| ()).map_err(|error| format!("no `openssl`: {error}"));
        if !require(Tier::Foreign, ability) {
            return None;
        }
        env.selfsame(["keygen", "-o", "../home/release"]).succeeds();
        env.selfsame(["keygen", "-o", "../home/other"]).succeeds();
        env.set("SELFSAME_SIGNER_SECONDS", "60");
        let key = format!("exec:{}", env.write_executable("../home/signer", SIGNER).display());
        Some(Self { env, key })
    }

    fn build(&self, mode: &str, from: usize) -> Output {
        let _ = fs::remove_file(self.env.at("home/calls"));
        let _ = fs::remove_file(self.env.at("home/first"));
        fs::write(self.env.at("home/mode"), mode).expect("the mode");
        fs::write(self.env.at("home/from"), from.to_string()).expect("the number");
        self.env.selfsame(["build", "--no-check", "--key", &self.key])
    }

    fn verify(&self) -> Output {
        self.env.selfsame(["verify", "probe-1.0.0.release", "--key", "../home/release.pub"])
    }

    fn calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.env.at("home/calls")).expect("the calls");
        calls.lines().map(str::to_owned).collect()
    }
}

/// Each document is signed once, and the key is asked for once: services count, bill and log each request.
#[test]
fn sandbox_another_program_signs_each_document_once_or_nothing_is_released() {
    let Some(world) = World::new() else { return };
    let env = &world.env;
    world.build("good", 0).succeeds();
    world.verify().succeeds();
    let is_bundle = |file: &std::path::PathBuf| fs::read(file).expect("a file").starts_with(b"{\"dsseEnvelope\"");
    let bundles = files_below(&env.at(RELEASE)).iter().filter(|file| is_bundle(file)).count();
    let calls = world.calls();
    assert_eq!(calls[0], "public-key");
    assert!(calls[1..].iter().all(|call| call == "sign"), "{calls:?}");
    assert_eq!((calls.len() - 1, bundles), (5, 5), "{calls:?}");

    let before = picture(&env.at(RELEASE));
    env.write("seed", "another seed\n");
    insta::assert_snapshot!(shown(&world.build("away", 0)), @r"
    exit 2
    --- stderr
        source 2 files, [N] bytes, epoch [TIME]
           ran make in [TIME]
      assemble image from [N] bytes
          sign provenance, SBOM, image, inventory
    signer: the key service is away
    error: the signer did not sign: `sign` ended with exit status: 7
      Nothing was published.
    ");
    assert_eq!(picture(&env.at(RELEASE)), before, "a release was touched");
    fs::remove_dir_all(env.at(RELEASE)).expect("the release");
    // At whichever document it fails, it is asked no more, and nothing is left.
    for number in 1..=bundles {
        world.build("away", number).exits(2).says("`sign` ended with exit status: 7");
        assert_eq!(world.calls().len(), 1 + number);
        assert_nothing_left(env);
    }
    env.selfsame(["build", "--no-check", "--key", "exec:/nowhere/signer --pin 86407"])
        .exits(2)
        .says("key `exec:/nowhere/signer …` cannot be used: ")
        .says("`public-key` ended with exit status: 127");
}

#[test]
fn sandbox_a_faulty_signer_is_named_by_its_fault_and_leaves_no_release() {
    let Some(mut world) = World::new() else { return };
    let faults = [
        ("no-key", "its public key: the key file has a line before its block that begins `not a key`"),
        ("two-keys", "its public key: the key file holds something behind its block"),
        ("private-key", "its public key: the key file holds a `PRIVATE KEY` block"),
        ("exit-after-signature", "`sign` ended with exit status: 1"),
        ("killed", "`sign` ended with exit status: 137"),
        ("nothing", "`sign` printed nothing"),
        ("garbage", "does not verify: "),
        ("base64", "does not verify: "),
        ("newline", "does not verify: "),
        ("other-key", "does not verify: "),
        ("other-hash", "does not verify: "),
        ("other-message", "does not verify: "),
        ("first-again", "does not verify: "),
        ("too-much", "`sign` printed more than 65536 bytes"),
    ];
    for (mode, fault) in faults {
        world.build(mode, 0).exits(2).says(fault);
        assert_nothing_left(&world.env);
    }
    // A signature that does not verify is one for which another was asked: nobody tries again.
    world.build("garbage", 2).exits(2).says("does not verify: ");
    assert_eq!(world.calls(), ["public-key", "sign", "sign"]);

    world.env.set("SELFSAME_SIGNER_SECONDS", "2");
    for (mode, call) in [
        ("hangs", "public-key"),
        ("hangs-before-reading", "sign"),
        ("hangs-after-signature", "sign"),
        ("holds-its-output", "sign"),
    ] {
        world.build(mode, 0).exits(2).says(&format!("`{call}` did not end within 2 s"));
        assert_nothing_left(&world.env);
    }
    for seconds in ["86402", "86403", "86404"] {
        assert_ended(seconds);
    }
    world.env.set("SELFSAME_SIGNER_SECONDS", "0");
    world.build("good", 0).exits(2).says("`SELFSAME_SIGNER_SECONDS` is `0`");
    assert_nothing_left(&world.env);
}

/// Services give either twin of a signature, and both are valid.
#[test]
fn sandbox_signatures_with_high_and_low_s_are_taken() {
    let Some(world) = World::new() else { return };
    for mode in ["high-s", "low-s"] {
        world.build(mode, 0).succeeds();
        world.verify().succeeds();
        world.env.selfsame(["rebuild-verify", "probe-1.0.0.release", "--key", "../home/release.pub"]).succeeds();
        fs::remove_dir_all(world.env.at(RELEASE)).expect("the release");
    }
}

/// What a signer says is shown so that it cannot act, in bounds, and kept nowhere.
#[test]
fn sandbox_what_a_signer_says_is_shown_without_force_and_not_kept() {
    let Some(world) = World::new() else { return };
    let built = world.build("talks", 0);
    built.succeeds().says("signer: touch \\u{1b}]0;owned\\u{7}\\u{1b}[2Jthe token\nsigner: PIN 86406\n");
    built.says("signer: … (it says more than is shown)");
    assert!(!built.stderr.contains('\u{1b}') && !built.stderr.contains('\u{7}'), "{}", built.transcript(Filter::NONE));
    assert!(built.stderr.len() < 300_000, "{} bytes", built.stderr.len());
    world.verify().succeeds();
    for file in files_below(world.env.root()) {
        let text = fs::read(&file).unwrap_or_default();
        let kept = text.windows(9).any(|window| window == b"PIN 86406");
        assert!(!kept || file.ends_with("home/signer"), "kept in {}", file.display());
    }
}
