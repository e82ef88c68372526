//! Input that is wrong: each ends with the right exit code and one clear error, and leaves nothing in part.

use std::fs;
use std::os::unix::net::UnixListener;

use selfsame_testing::{Filter, flip_bit, picture};

use crate::world::{
    RELEASE, assert_nothing_left, assert_store_intact, build, can_be, define, definition, empty, files_below,
    on_a_machine, one_error, recorded, shown, verify,
};

#[test]
fn an_unknown_key_is_refused_with_its_line_and_a_suggestion() {
    let env = empty();
    define(&env, "true", "timeuot = 3");
    insta::assert_snapshot!(build(&env, &[]).transcript(Filter::NONE), @r"
    exit 2
    --- stderr
           key a development key was made for this machine; releases by it are for trying out
    error: unknown key `timeuot` in `action[0]`
      at  ./selfsame.toml:17:1
         |
      17 | timeuot = 3
         | ^^^^^^^ did you mean `timeout`?
      Nothing was built.
    ");
    env.write("selfsame.toml", definition("run = [\"true\"]\nscript = \"true\"\noutputs = [\"out\"]"));
    one_error(build(&env, &[]).exits(2));
    env.write("selfsame.toml", "name = \"x");
    one_error(build(&env, &[]).exits(2));
    env.write("selfsame.toml", [0xff, 0xfe, b'\n']);
    one_error(build(&env, &[]).exits(2));
    assert_nothing_left(&env);
}

#[test]
fn a_missing_definition_is_named() {
    let env = empty();
    insta::assert_snapshot!(build(&env, &[]).transcript(Filter::NONE), @r"
    exit 2
    --- stderr
           key a development key was made for this machine; releases by it are for trying out
    error: there is no `./selfsame.toml`

    hint: `selfsame init .` writes a first one
    ");
    fs::create_dir(env.project().join("selfsame.toml")).expect("a folder");
    one_error(build(&env, &[]).exits(2));
    assert_nothing_left(&env);
}

#[test]
fn sandbox_a_missing_file_is_named() {
    let Some(env) = recorded() else { return };
    let text = env.read("project/selfsame.toml");
    env.write("selfsame.toml", text.replace("from = \"make:out\"", "from = \"source:nothing\""));
    insta::assert_snapshot!(shown(&build(&env, &[])), @r"
    exit 2
    --- stderr
        source 2 files, [N] bytes, epoch [TIME]
           ran make in [TIME]
    error: image file `source:nothing` is not in what the action left
      Nothing was published.
    ");
    env.write("selfsame.toml", text.replace("from = \"make:out\"", "from = \"mkae:out\""));
    assert!(one_error(build(&env, &[]).exits(2)).contains("mkae"));
    env.write("selfsame.toml", text.replace("epoch = 1700000000", "path = \"nowhere\"\nepoch = 1700000000"));
    assert!(one_error(build(&env, &[]).exits(2)).contains("nowhere"));
    assert_nothing_left(&env);
}

#[test]
fn sandbox_a_socket_is_no_source() {
    let Some(env) = recorded() else { return };
    let _socket = UnixListener::bind(env.project().join("socket")).expect("a socket");
    insta::assert_snapshot!(shown(&build(&env, &[])), @r"
    exit 2
    --- stderr
    error: `socket` in the source is a socket; only files and links can be built from
      Nothing was built.
    ");
    assert_nothing_left(&env);
}

#[test]
fn sandbox_a_lock_that_is_stale_or_edited_is_no_answer() {
    let Some(env) = recorded() else { return };
    for name in ["one", "two"] {
        let mut archive =
            tar::Builder::new(fs::File::create(env.project().join(format!("{name}.tar"))).expect("a tar"));
        let mut header = tar::Header::new_ustar();
        header.set_size(5);
        header.set_mode(0o644);
        header.set_cksum();
        archive.append_data(&mut header, "top/seed", &b"seed\n"[..]).expect("an entry");
        archive.into_inner().expect("a tar");
    }
    let locked = |name: &str| {
        let text = definition("script = \"cat seed > out\"\noutputs = [\"out\"]");
        env.write("selfsame.toml", text.replace("[source]\n", &format!("[source]\narchive = \"{name}.tar\"\n")));
    };
    locked("one");
    build(&env, &["--locked"]).exits(2).says("--locked");
    build(&env, &[]).succeeds();
    let lock = env.read("project/selfsame.lock");
    fs::remove_dir_all(env.at(RELEASE)).expect("the release");

    locked("two");
    insta::assert_snapshot!(shown(&build(&env, &[])), @r"
    exit 2
    --- stderr
    error: `selfsame.lock` does not answer `selfsame.toml`
      source  the definition has archive pkg:generic/two, locked is archive pkg:generic/one
      Nothing was built.

    hint: run `selfsame lock`, review the change, then commit both files
    ");
    env.selfsame(["lock", "--check"]).exits(1);
    locked("one");
    env.selfsame(["lock", "--check"]).succeeds();

    let digest = lock.split('"').find(|word| word.len() >= 64 && word.ends_with(|c: char| c.is_ascii_hexdigit()));
    let digest = digest.expect("a digest in the lock");
    let last = if digest.ends_with('0') { "1" } else { "0" };
    let edited = lock.replace(digest, &format!("{}{last}", &digest[..digest.len() - 1]));
    env.write("selfsame.lock", &edited);
    insta::assert_snapshot!(shown(&build(&env, &[])), @r"
    exit 2
    --- stderr
    error: input `source` is not the file that was locked
      locked  sha256:[DIGEST]
      found   sha256:[DIGEST]
      in      `one.tar`
      The bytes were discarded; the store is unchanged.

    hint: to accept another file, run `selfsame lock --update source` and review the change of selfsame.lock
    ");
    assert_eq!(env.read("project/selfsame.lock"), edited, "an edited lock was written over");
    env.selfsame(["lock", "--update", "source"]).succeeds();
    assert_eq!(env.read("project/selfsame.lock"), lock, "what the hint says is no way out");

    env.write("selfsame.lock", lock.replace("version = 1", "version = 99"));
    assert!(one_error(build(&env, &[]).exits(2)).contains("99"));
    env.write("selfsame.lock", "not a lock\n");
    one_error(build(&env, &[]).exits(2));
    fs::remove_file(env.project().join("selfsame.lock")).expect("the lock");

    let host = env.read("project/selfsame.host.lock");
    env.write("selfsame.host.lock", host.replacen("kind = ", "kidn = ", 1));
    insta::assert_snapshot!(shown(&build(&env, &[])), @r#"
    exit 2
    --- stderr
          lock ./selfsame.lock written: commit it
        source 1 files, [N] bytes, epoch [TIME]
    error: unknown key `kidn` in `toolchain[0]`
      at  ./selfsame.host.lock:6:1
        |
      6 | kidn = "captured"
        | ^^^^ did you mean `kind`?
      Nothing was built.
    "#);
    assert_nothing_left(&env);
}

#[test]
fn sandbox_a_damaged_store_is_found_out_and_healed() {
    let Some(env) = recorded() else { return };
    // The largest files: programs and libraries of the recorded toolchain.
    let mut blobs = files_below(&env.store().join("blobs"));
    blobs.sort_by_key(|path| std::cmp::Reverse(path.metadata().map(|metadata| metadata.len()).unwrap_or(0)));
    for blob in &blobs[..3] {
        flip_bit(blob, 100);
    }
    let check = env.selfsame(["store", "check"]);
    check.exits(1);
    for blob in &blobs[..3] {
        let name = blob.file_stem().expect("a name").to_string_lossy().into_owned();
        assert!(check.stdout.contains(&name), "{name} is not named in {}", check.stdout);
    }
    // Set aside, so the toolchain is not whole and is recorded anew.
    build(&env, &["--no-cache"]).succeeds().says("record ");
    verify(&env, RELEASE).succeeds();
    assert_store_intact(&env);
}

/// Every kind of blob that an action reads, damaged as a disk does it: in place, with the same size.
#[test]
fn sandbox_a_damaged_blob_is_never_built_from() {
    let Some(env) = recorded() else { return };
    let two = "[[action]]
name = \"again\"
script = 'cat /inputs/make/out seed > twice'
inputs = [\"source\", \"make\"]
outputs = [\"twice\"]
";
    env.write("seed", "a seed of its own\n");
    define(&env, "tr a-z A-Z < seed > out; cat out | tee /dev/null", two);
    let text = env.read("project/selfsame.toml").replace("from = \"make:out\"", "from = \"again:twice\"");
    env.write("selfsame.toml", &text);
    build(&env, &[]).succeeds();
    let good = picture(&env.at(RELEASE).join("blobs"));
    let blob = |content: &[u8]| {
        let hex = selfsame_core::Digest::of(content).hex();
        env.store().join("blobs/sha256").join(&hex[..2]).join(&hex)
    };
    let source = blob(b"a seed of its own\n");
    let output = blob(b"A SEED OF ITS OWN\n");
    for (name, blob, arguments) in [("source", source, &["--no-cache"][..]), ("output", output, &[])] {
        // The second action runs, and reads what the first one left in the store.
        env.write("selfsame.toml", text.replace("> twice'", &format!("> twice # {name}'")));
        flip_bit(&blob, 3);
        let refused = build(&env, arguments);
        assert!(one_error(refused.exits(2)).contains("is damaged in the store"), "{name}: {}", refused.stderr);
        refused.says("hint: ");
        // What was damaged is set aside, so it is had anew.
        build(&env, arguments).succeeds();
        env.write("selfsame.toml", &text);
        build(&env, arguments).succeeds();
        assert_eq!(picture(&env.at(RELEASE).join("blobs")), good, "{name}: something else was built");
        assert_store_intact(&env);
    }
}

#[test]
fn keys_that_cannot_sign_are_refused_before_anything_is_built() {
    let env = empty();
    define(&env, "true", "");
    let vectors = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/attest/keys");
    let mut said = String::new();
    for name in ["rsa.pem", "p384.pem", "ed25519.pem", "certificate.pem", "p256.pub", "rsa.pub"] {
        fs::copy(vectors.join(name), env.project().join(name)).expect("a key of the vectors");
        let output = env.selfsame(["build", "--key", name]);
        said += &format!("{}\n", one_error(output.exits(2)));
    }
    env.write("empty.key", "");
    env.write("long.key", vec![b'a'; 1 << 20]);
    for name in ["empty.key", "long.key", "missing.key", "."] {
        said += &format!("{}\n", one_error(env.selfsame(["build", "--key", name]).exits(2)));
    }
    insta::assert_snapshot!(said, @r"
    key `rsa.pem` cannot be used: the `PRIVATE KEY` block holds a key for RSA; ECDSA P-256 is wanted
    key `p384.pem` cannot be used: the `PRIVATE KEY` block holds a key for ECDSA P-384; ECDSA P-256 is wanted
    key `ed25519.pem` cannot be used: the `PRIVATE KEY` block holds a key for Ed25519; ECDSA P-256 is wanted
    key `certificate.pem` cannot be used: the key file holds a `CERTIFICATE` block; a `PRIVATE KEY` block is wanted
    key `p256.pub` cannot be used: the key file holds a `PUBLIC KEY` block; a `PRIVATE KEY` block is wanted
    key `rsa.pub` cannot be used: the key file holds a `PUBLIC KEY` block; a `PRIVATE KEY` block is wanted
    key `empty.key` cannot be used: the key file is empty
    key `long.key` cannot be used: the key file has a line before its block that begins `aaaaaaaaaaaa`; only `selfsame-builder-id: URI` may stand there
    cannot read key `missing.key`: No such file or directory (os error 2)
    cannot read key `.`: Is a directory (os error 21)
    ");
    let mut said = String::new();
    for name in ["rsa.pub", "certificate.pem", "rsa.pem", "missing.pub"] {
        said += &format!("{}\n", one_error(env.selfsame(["verify", "nothing", "--key", name]).exits(2)));
    }
    insta::assert_snapshot!(said, @r"
    `rsa.pub` is not a public key: the `PUBLIC KEY` block holds a key for RSA; ECDSA P-256 is wanted
    `certificate.pem` is not a public key: the key file holds a `CERTIFICATE` block; a `PUBLIC KEY` block is wanted
    `rsa.pem` is not a public key: the key file holds a `PRIVATE KEY` block; a `PUBLIC KEY` block is wanted
    cannot read key `missing.pub`: No such file or directory (os error 2)
    ");
    assert!(!env.project().join("selfsame.host.lock").exists(), "something was built");
    assert_nothing_left(&env);
}

/// Machines on which no user namespace can be made.
#[test]
fn sandbox_without_user_namespaces_nothing_is_built() {
    let Some(env) = recorded() else { return };
    let script = "echo 0 > /proc/sys/user/max_user_namespaces; exec \"$@\"";
    if !can_be(script) {
        return;
    }
    let output = on_a_machine(&env, script, &["build", "--dev-key", "--no-cache"]);
    insta::assert_snapshot!(shown(&output), @r"
    exit 2
    --- stderr
        source 2 files, [N] bytes, epoch [TIME]
    error: no sandbox at level `normalized`: the host refuses a user namespace: no space left on device
      Nothing was built: a weaker sandbox is never taken in silence.

    hint: `selfsame doctor` says what this machine needs for level `normalized`, line by line
    ");
    let doctor = on_a_machine(&env, script, &["doctor"]);
    assert!(doctor.exits(1).stdout.contains("user.max_user_namespaces is 0"), "{}", doctor.stdout);
    on_a_machine(&env, script, &["doctor", "--ci"]).exits(2);
    assert_nothing_left(&env);
}

/// Outside of what is compared and closed: a release may come without it, and a wrong one is not used.
const RUN_RECORD: &str = "run-record.sigstore.json";

#[test]
fn sandbox_a_release_with_any_file_changed_is_not_verified() {
    let Some(env) = recorded() else { return };
    build(&env, &[]).succeeds();
    for file in files_below(&env.at(RELEASE)) {
        let name = file.strip_prefix(env.at(RELEASE)).expect("below it").display().to_string();
        let size = usize::try_from(file.metadata().expect("its size").len()).expect("a small file");
        for offset in [0, size / 2, size - 1] {
            flip_bit(&file, offset);
            let verdict = verify(&env, RELEASE);
            if name == RUN_RECORD {
                verdict.succeeds();
                assert!(verdict.stdout.contains(": not used: run-record"), "{offset}: {}", verdict.stdout);
            } else {
                verdict.exits(1);
                assert!(verdict.stdout.starts_with("not verified: "), "{name} at {offset}: {}", verdict.stdout);
            }
            flip_bit(&file, offset);
        }
        let aside = env.at("aside");
        fs::rename(&file, &aside).expect("a file of the release");
        let verdict = verify(&env, RELEASE);
        if name == RUN_RECORD {
            verdict.succeeds();
        } else {
            assert!(matches!(verdict.code, 1 | 2), "{name} missing: {}", verdict.stdout);
        }
        fs::rename(&aside, &file).expect("a file of the release");
    }
    fs::write(env.at(RELEASE).join("stray"), "x").expect("a stray file");
    verify(&env, RELEASE).exits(1);
    fs::remove_file(env.at(RELEASE).join("stray")).expect("the stray file");
    verify(&env, RELEASE).succeeds();
}

#[test]
fn sandbox_secrets_are_not_built_into_signed_documents() {
    let Some(env) = recorded() else { return };
    let token = "ghp_0123456789abcdefghijABCDEFGHIJ456789";
    define(&env, "echo made > out", &format!("env = {{ DEPLOY_TOKEN = \"{token}\" }}"));
    let output = build(&env, &[]);
    one_error(output.exits(2));
    assert!(!output.stderr.contains(token), "the secret was printed: {}", output.stderr);
    insta::assert_snapshot!(shown(&output), @r"
    exit 2
    --- stderr
        source 2 files, [N] bytes, epoch [TIME]
    error: action make, env DEPLOY_TOKEN looks like a secret: its name says so
      Nothing was built: provenance is public and signed for good.

    hint: an action needs no credentials: fetch what it needs beforehand, as a locked input
    ");
    assert_nothing_left(&env);
}
