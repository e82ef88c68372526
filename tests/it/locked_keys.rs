//! Release keys under a passphrase: made, taken over from others, used to sign, and refused for the right reason.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use selfsame_testing::{TestEnv, Tier, require};

use crate::world::{assert_nothing_left, empty, recorded};

const PASSPHRASE: &str = "correct horse";

/// An empty project with a passphrase in `$PASS` and in a file.
fn world() -> TestEnv {
    let mut env = empty();
    with_passphrase(&mut env);
    env
}

fn with_passphrase(env: &mut TestEnv) {
    env.set("PASS", PASSPHRASE);
    env.write("../home/passphrase", format!("{PASSPHRASE}\n"));
    env.write("../home/wrong", "wrong horse\n");
}

/// A file of the project.
fn read(env: &TestEnv, name: &str) -> String {
    env.read(format!("project/{name}"))
}

fn openssl() -> bool {
    let openssl = Command::new("openssl").arg("version").output();
    require(Tier::Foreign, openssl.map(|_| ()).map_err(|error| format!("no `openssl`: {error}")))
}

/// What OpenSSL prints, in the project's folder; it has to succeed.
#[track_caller]
fn openssl_says(env: &TestEnv, arguments: &[&str]) -> String {
    let mut command = Command::new("openssl");
    let output = command.args(arguments).current_dir(env.project()).stdin(Stdio::null()).output().expect("openssl");
    assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("PEM")
}

#[test]
fn a_key_is_locked_by_a_file_or_a_variable_and_never_by_an_empty_passphrase() {
    let mut env = world();
    for (name, source) in [("by-file", "../home/passphrase"), ("by-variable", "env:PASS")] {
        env.selfsame(["keygen", "-o", name, "--passphrase-from", source]).succeeds();
        let file = env.project().join(format!("{name}.key"));
        assert!(fs::read_to_string(&file).expect("the key").starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
        assert_eq!(fs::metadata(&file).expect("the key").permissions().mode() & 0o777, 0o600);
        // Out again, which only the right passphrase does.
        let (file, plain) = (format!("{name}.key"), format!("{name}-plain"));
        let import = ["keygen", "import", &file, "-o", &plain, "--no-passphrase", "--passphrase-from"];
        env.selfsame(import.iter().chain(&["../home/wrong"]))
            .exits(2)
            .says("cannot be used: the passphrase is wrong, or the key file is damaged");
        env.selfsame(import.iter().chain(&["env:PASS"])).succeeds();
        assert!(read(&env, &format!("{plain}.key")).starts_with("-----BEGIN PRIVATE KEY-----\n"));
        assert_eq!(read(&env, &format!("{plain}.pub")), read(&env, &format!("{name}.pub")));
    }
    env.set("EMPTY", "");
    env.write("../home/two-lines", "one\ntwo\n");
    for (source, fault) in [
        ("env:EMPTY", "no key was made: the passphrase is empty"),
        ("env:UNSET", "the variable `UNSET` is not set"),
        ("../home/nowhere", "cannot read the passphrase in `../home/nowhere`"),
        ("../home/two-lines", "`../home/two-lines` holds more than one line"),
    ] {
        env.selfsame(["keygen", "-o", "refused", "--passphrase-from", source]).exits(2).says(fault);
        assert!(!env.project().join("refused.key").exists() && !env.project().join("refused.pub").exists());
    }
    // A key that exists is never replaced, and nobody is asked for anything.
    env.selfsame(["keygen", "-o", "by-file", "--passphrase-from", "env:UNSET"]).exits(2).says("is never replaced");
}

#[test]
fn sandbox_a_locked_key_signs_and_a_wrong_passphrase_leaves_no_release() {
    let Some(mut env) = recorded() else { return };
    with_passphrase(&mut env);
    env.selfsame(["keygen", "-o", "../home/release", "--passphrase-from", "env:PASS"]).succeeds();
    let build = ["build", "--no-check", "--key", "../home/release.key"];
    for (source, fault) in [
        (
            "../home/wrong",
            "key `../home/release.key` cannot be used: the passphrase is wrong, or the key file is damaged",
        ),
        ("env:UNSET", "the variable `UNSET` is not set"),
    ] {
        env.set("SELFSAME_PASSPHRASE_FROM", source);
        env.selfsame(build).exits(2).says(fault);
        assert_nothing_left(&env);
    }
    env.set("SELFSAME_PASSPHRASE_FROM", "../home/passphrase");
    let built = env.selfsame(build);
    built.succeeds();
    assert!(!built.stdout.contains(PASSPHRASE) && !built.stderr.contains(PASSPHRASE), "the passphrase was printed");
    env.selfsame(["verify", "probe-1.0.0.release", "--key", "../home/release.pub"]).succeeds();
}

/// Damage and hostile costs are seen before anybody is asked for a passphrase: its source is not there.
#[test]
fn a_damaged_or_hostile_key_is_refused_before_a_passphrase_is_asked_for() {
    let env = world();
    let vectors = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../selfsame-passphrase/tests/keys");
    let refused = |fault: &str| {
        let import = ["keygen", "import", "broken.key", "-o", "new", "--passphrase-from", "env:UNSET"];
        env.selfsame(import).exits(2).says(fault);
    };
    env.write("broken.key", fs::read(vectors.join("pbes1.pem")).expect("the vector"));
    refused("is not PKCS#8 under a passphrase with PBES2");
    let pem = fs::read_to_string(vectors.join("pbkdf2.pem")).expect("the vector");
    // 600,000 iterations, 02 03 09 27 c0 with the bytes beside it, become more than eight million.
    let costly = selfsame_attest::pem::parse(pem.as_bytes(), "ENCRYPTED PRIVATE KEY").expect("PEM");
    let mut der = costly.der.to_vec();
    let at = der.windows(5).position(|window| window == [0x02, 0x03, 0x09, 0x27, 0xc0]).expect("the iterations");
    der[at + 2] = 0x7f;
    env.write("broken.key", selfsame_attest::pem::print_block("ENCRYPTED PRIVATE KEY", &der).as_bytes());
    refused("the key asks for PBKDF2 with 8333248 iterations before it opens");
    env.write("broken.key", &pem[..pem.len() - 20]);
    refused("the `ENCRYPTED PRIVATE KEY` block has no end line");
    assert!(!env.project().join("new.key").exists());
}

#[test]
fn keys_of_cosign_are_taken_over() {
    let env = world();
    let vectors = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../selfsame-passphrase/tests/keys");
    env.write("cosign.key", fs::read(vectors.join("cosign.pem")).expect("the vector"));
    env.write("../home/cosign", "passphrase");
    let import = |more: &[&str]| env.selfsame(["keygen", "import", "cosign.key"].iter().chain(more));
    import(&["-o", "no", "--passphrase-from", "../home/wrong"]).exits(2).says("the passphrase is wrong");
    let builder = "https://example.com/builder";
    import(&["-o", "same", "--passphrase-from", "../home/cosign", "--builder-id", builder]).succeeds();
    assert!(read(&env, "same.key").contains("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
    assert!(read(&env, "same.pub").starts_with(&format!("selfsame-builder-id: {builder}\n")));
    import(&["-o", "new", "--passphrase-from", "../home/cosign", "--new-passphrase-from", "env:PASS"]).succeeds();
    let again = ["keygen", "import", "new.key", "-o", "plain", "--no-passphrase", "--passphrase-from"];
    env.selfsame(again.iter().chain(&["../home/cosign"])).exits(2).says("the passphrase is wrong");
    env.selfsame(again.iter().chain(&["env:PASS"])).succeeds();
    let plain = fs::read_to_string(vectors.join("plain.pem")).expect("the vector");
    let key = |pem: &str| selfsame_attest::SigningKey::parse(pem.as_bytes()).expect("a key").public().key_id();
    assert_eq!(key(&read(&env, "plain.key")), key(&plain));
}

#[test]
fn foreign_openssl_opens_what_is_locked_and_locks_what_opens() {
    let env = world();
    if !openssl() {
        return;
    }
    env.selfsame(["keygen", "-o", "ours", "--passphrase-from", "env:PASS"]).succeeds();
    let pass = format!("pass:{PASSPHRASE}");
    let public = openssl_says(&env, &["pkey", "-in", "ours.key", "-passin", &pass, "-pubout"]);
    assert_eq!(public, read(&env, "ours.pub"));
    openssl_says(&env, &["pkcs8", "-in", "ours.key", "-passin", &pass, "-out", "plain.pem"]);
    let forms: [&[&str]; 4] = [
        &["-scrypt"],
        &["-v2", "aes-256-cbc"],
        &["-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA512", "-iter", "100000"],
        &["-v2", "aes-192-cbc", "-v2prf", "hmacWithSHA384"],
    ];
    for (number, form) in forms.iter().enumerate() {
        let (file, prefix) = (format!("theirs{number}.key"), format!("taken{number}"));
        let lock = ["pkcs8", "-topk8", "-in", "plain.pem", "-passout", &pass, "-out", &file];
        openssl_says(&env, &lock.iter().chain(*form).copied().collect::<Vec<_>>());
        env.selfsame(["keygen", "import", &file, "-o", &prefix, "--passphrase-from", "env:PASS"]).succeeds();
        assert_eq!(read(&env, &format!("{prefix}.pub")), read(&env, "ours.pub"));
    }
}

/// A session without a terminal, as in CI.
#[test]
fn without_a_terminal_another_source_is_named() {
    let env = world();
    env.selfsame(["keygen", "-o", "ours", "--passphrase-from", "env:PASS"]).succeeds();
    let import = ["keygen", "import", "ours.key", "-o", "plain", "--no-passphrase"];
    let program = env.command(&selfsame_testing::Variation::default(), import);
    let mut alone = Command::new("setsid");
    alone.arg("-w").arg(program.get_program()).args(program.get_args());
    alone.env_clear().envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    alone.current_dir(env.project()).stdin(Stdio::null());
    env.run(alone).exits(2).says("wants a passphrase, and there is no terminal to ask at");
}

/// A second implementation of cosign's form, by Python's standard library, locks a key each time anew.
#[test]
fn foreign_a_second_implementation_locks_as_cosign_does() {
    let env = world();
    let python = Command::new("python3").arg("--version").output();
    if !require(Tier::Foreign, python.map(|_| ()).map_err(|error| format!("no `python3`: {error}"))) {
        return;
    }
    env.selfsame(["keygen", "-o", "plain"]).succeeds();
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/foreign/cosign_key.py");
    env.write("../home/cosign", PASSPHRASE);
    let mut command = Command::new("python3");
    command.arg(script).arg("lock").arg(env.at("home/cosign"));
    command.stdin(fs::File::open(env.project().join("plain.key")).expect("the key"));
    let locked = command.output().expect("python3");
    assert!(locked.status.success(), "{}", String::from_utf8_lossy(&locked.stderr));
    env.write("cosign.key", &locked.stdout);
    env.selfsame(["keygen", "import", "cosign.key", "-o", "taken", "--passphrase-from", "env:PASS"]).succeeds();
    assert_eq!(read(&env, "taken.pub"), read(&env, "plain.pub"));
}
