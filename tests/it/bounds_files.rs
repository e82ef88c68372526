//! Files that are no files, files without end, and files that nest without end: each ends at once, with one clear line and
//! never with a good verdict.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use selfsame_core::Digest;
use selfsame_testing::{Filter, Output, TestEnv};
use serde_json::Value;

use crate::trust::world;
use crate::world::{bounded, one_error};

/// Of everything that the program may have in its address space, in KiB. The binary, its threads and a document of 64 MiB
/// as text and as values need less than half of it.
const ADDRESSES_KIB: u64 = 2_000_000;
/// What none of this may take, on a machine that does something else, too.
const SOON: Duration = Duration::from_secs(30);

/// Runs the program with a bound on its memory, and fails if it takes long.
#[track_caller]
fn soon(env: &TestEnv, arguments: &[&str]) -> Output {
    let begin = Instant::now();
    let output = bounded(env, ADDRESSES_KIB, arguments);
    assert!(begin.elapsed() < SOON, "{arguments:?} took {:?}", begin.elapsed());
    output
}

/// A verdict on a release that something is wrong with, or the word that there is none.
#[track_caller]
fn not_verified(env: &TestEnv, release: &str, what: &str) -> String {
    let output = soon(env, &["verify", release, "--trust", "t.toml"]);
    let all = output.transcript(Filter::NONE);
    assert!(matches!(output.code, 1 | 2), "{what}: {all}");
    assert!(!output.stdout.starts_with("verified"), "{what}: {all}");
    let line = output.stdout.lines().chain(output.stderr.lines()).next().unwrap_or_default().to_owned();
    assert!(line.starts_with("not ") || line.starts_with("error: "), "{what}: {all}");
    line
}

/// Every file of the release, by its name.
fn names(env: &TestEnv) -> Vec<String> {
    let root = env.project().join("one.release");
    let files = crate::world::files_below(&root);
    files.iter().map(|file| file.strip_prefix(&root).expect("below it").display().to_string()).collect()
}

/// What may be in the place of a file, and is none.
const STAND_INS: [&str; 7] =
    ["a link to it", "a link in a circle", "a pipe", "a folder", "a device", "a socket", "a link to a device"];

/// Puts it there; `aside` is where the file itself is now. Nothing where this machine does not let us.
fn stand_in(kind: &str, place: &Path, aside: &Path) -> Option<Box<dyn std::any::Any>> {
    let made = |word: &str, more: &[&str]| {
        let done = Command::new(word).arg(place).args(more).output().expect("a command of every machine");
        done.status.success().then(|| Box::new(()) as Box<dyn std::any::Any>)
    };
    match kind {
        "a link to it" => symlink(aside, place).expect("a link"),
        "a link in a circle" => symlink(place, place).expect("a link"),
        "a pipe" => return made("mkfifo", &[]),
        "a folder" => fs::create_dir(place).expect("a folder"),
        "a device" => return made("mknod", &["c", "1", "5"]),
        "a link to a device" => symlink("/dev/zero", place).expect("a link"),
        _ => return Some(Box::new(UnixListener::bind(place).expect("a socket"))),
    }
    Some(Box::new(()))
}

/// Takes it away again.
fn remove(place: &Path) {
    match place.symlink_metadata().expect("it is there").is_dir() {
        true => fs::remove_dir(place).expect("an empty folder"),
        false => fs::remove_file(place).expect("a file"),
    }
}

#[test]
fn what_is_no_file_in_a_release_is_named_and_never_waited_for() {
    let env = world();
    let aside = env.at("aside");
    for name in names(&env) {
        let place = env.project().join("one.release").join(&name);
        fs::rename(&place, &aside).expect("a file of the release");
        // A socket's path has 108 bytes at most.
        for kind in STAND_INS.into_iter().filter(|kind| *kind != "a socket" || place.as_os_str().len() < 108) {
            let Some(_kept) = stand_in(kind, &place, &aside) else { continue };
            if name == "run-record.sigstore.json" {
                let output = soon(&env, &["verify", "one.release", "--trust", "t.toml"]);
                output.succeeds().says_nothing_else_than("verified", &name);
            } else {
                let line = not_verified(&env, "one.release", &format!("{kind} for {name}"));
                let short = name.rsplit('/').next().expect("a name");
                assert!(line.contains(short) || line.contains("nothing names"), "{kind} for {name}: {line}");
            }
            remove(&place);
        }
        fs::rename(&aside, &place).expect("the file");
    }
    soon(&env, &["verify", "one.release", "--trust", "t.toml"]).succeeds();
}

trait Says {
    fn says_nothing_else_than(&self, headline: &str, unused: &str);
}

impl Says for Output {
    /// The verdict is this, and the file was not used.
    fn says_nothing_else_than(&self, headline: &str, unused: &str) {
        assert!(self.stdout.starts_with(headline), "{}", self.stdout);
        assert!(self.stdout.contains("not used") && self.stdout.contains(unused), "{}", self.stdout);
    }
}

/// Whoever names a link means what it leads to, and a shell's `<(...)` is a pipe. Everything else is refused.
#[test]
fn what_is_no_file_on_the_command_line_is_named_and_never_waited_for() {
    let env = world();
    let bundle = bundle(&env).display().to_string();
    let commands: [(&str, &[&str]); 5] = [
        ("old.pub", &["verify", "one.release", "--key", "old.pub"]),
        ("t.toml", &["verify", "one.release", "--trust", "t.toml"]),
        (&bundle, &["verify-file", "src/a", "--bundle", &bundle, "--key", "old.pub"]),
        ("src/a", &["verify-file", "src/a", "--bundle", &bundle, "--key", "old.pub"]),
        ("old.key", &["build", "--key", "old.key", "-o", "new.release"]),
    ];
    for (name, arguments) in commands {
        let place = env.project().join(name);
        let aside = env.at("aside");
        fs::rename(&place, &aside).expect("a file");
        for kind in STAND_INS.into_iter().filter(|kind| *kind != "a socket" || place.as_os_str().len() < 108) {
            let Some(_kept) = stand_in(kind, &place, &aside) else { continue };
            let output = soon(&env, arguments);
            if kind != "a link to it" {
                let line = one_error(output.exits(2));
                let short = place.file_name().expect("a name").to_string_lossy().into_owned();
                assert!(line.contains(&short), "{kind} for {name}: {line}");
            }
            remove(&place);
            let built = fs::remove_dir_all(env.project().join("new.release")).is_ok();
            assert!(!built || kind == "a link to it", "{kind} for {name}");
        }
        fs::rename(&aside, &place).expect("the file");
    }
    // A pipe that somebody writes to is a file like others.
    let key = env.read("project/old.pub");
    let pipe = env.project().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    let writer = std::thread::spawn(move || fs::write(pipe, key).expect("a reader"));
    soon(&env, &["verify", "one.release", "--key", "pipe"]).succeeds();
    writer.join().expect("it wrote");
}

/// The bundle of the provenance.
fn bundle(env: &TestEnv) -> PathBuf {
    let root = env.project().join("one.release");
    let is_provenance = |path: &PathBuf| {
        let text = fs::read_to_string(path).unwrap_or_default();
        text.contains("dsseEnvelope") && text.len() > 3000
    };
    crate::world::files_below(&root).into_iter().find(is_provenance).expect("a bundle")
}

/// A file of this length that takes no room.
fn sparse(path: &Path, bytes: u64) {
    File::create(path).and_then(|file| file.set_len(bytes)).expect("a sparse file");
}

#[test]
fn a_gigabyte_in_any_place_is_not_read() {
    let env = world();
    let aside = env.at("aside");
    for name in names(&env) {
        let place = env.project().join("one.release").join(&name);
        fs::rename(&place, &aside).expect("a file of the release");
        sparse(&place, 1 << 30);
        if name == "run-record.sigstore.json" {
            let output = soon(&env, &["verify", "one.release", "--trust", "t.toml"]);
            output.succeeds().says_nothing_else_than("verified", &name);
        } else {
            let line = not_verified(&env, "one.release", &name);
            assert!(line.contains("longer than") || line.contains("more than"), "{name}: {line}");
        }
        fs::rename(&aside, &place).expect("the file");
    }
    for name in ["rebuild-x.sigstore.json", "vsa-x.dsse.json"] {
        let place = env.project().join("one.release").join(name);
        sparse(&place, 1 << 30);
        let output = soon(&env, &["verify", "one.release", "--trust", "t.toml"]);
        output.succeeds().says_nothing_else_than("verified", name);
        fs::remove_file(place).expect("the file");
    }
    let big = env.project().join("big");
    sparse(&big, 1 << 30);
    let bundle = bundle(&env).display().to_string();
    let cases: [(&[&str], i32); 7] = [
        (&["verify", "one.release", "--key", "big"], 2),
        (&["verify", "one.release", "--trust", "big"], 2),
        (&["verify", "one.release", "--key", "old.pub", "--log-key", "big"], 2),
        (&["verify-file", "src/a", "--bundle", "big", "--key", "old.pub"], 1),
        (&["verify", "big", "--key", "old.pub"], 2),
        (&["build", "--key", "big"], 2),
        (&["trust", "show", "big"], 2),
    ];
    for (arguments, code) in cases {
        one_error(soon(&env, arguments).exits(code));
    }
    fs::rename(env.project().join("selfsame.toml"), &aside).expect("the definition");
    fs::rename(&big, env.project().join("selfsame.toml")).expect("a big one");
    one_error(soon(&env, &["build", "--key", "old.key"]).exits(2));
    fs::rename(&aside, env.project().join("selfsame.toml")).expect("the definition");
    sparse(&env.project().join("selfsame.lock"), 1 << 30);
    one_error(soon(&env, &["build", "--key", "old.key", "-o", "new.release"]).exits(2));
    assert!(bundle.contains("blobs"), "{bundle}");
}

/// White space that never ends, out of a pipe: no size says beforehand how much it is.
#[test]
fn a_pipe_without_end_is_read_to_a_bound() {
    let env = world();
    let pipe = env.project().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    let cases: [(&[&str], u64, i32); 4] = [
        (&["verify-file", "src/a", "--bundle", "pipe", "--key", "old.pub"], 65 << 20, 1),
        (&["verify", "one.release", "--key", "pipe"], 1 << 20, 2),
        (&["verify", "one.release", "--trust", "pipe"], 3 << 20, 2),
        (&["verify", "one.release", "--key", "old.pub", "--log-key", "pipe"], 1 << 20, 2),
    ];
    for (arguments, most_bytes, code) in cases {
        let to = pipe.clone();
        let writer = std::thread::spawn(move || {
            let mut file = File::options().write(true).open(to).expect("a reader");
            let spaces = vec![b' '; 64 << 10];
            let mut written = 0;
            while written < 1 << 30 && file.write_all(&spaces).is_ok() {
                written += spaces.len() as u64;
            }
            written
        });
        one_error(soon(&env, arguments).exits(code));
        let written = writer.join().expect("the writer");
        assert!(written <= most_bytes, "{arguments:?} took {written} bytes");
    }
}

/// Bytes that some reader or other took for a document once, or that brought it down.
fn documents() -> Vec<(&'static str, Vec<u8>)> {
    const DEEP: usize = 200_000;
    let utf16 = |text: &str| -> Vec<u8> {
        [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
    };
    vec![
        ("deep lists", "[".repeat(DEEP).into_bytes()),
        ("deep lists that end", ("[".repeat(DEEP) + &"]".repeat(DEEP)).into_bytes()),
        ("deep objects", "{\"a\":".repeat(DEEP).into_bytes()),
        ("deep objects that end", ("{\"a\":".repeat(DEEP) + "1" + &"}".repeat(DEEP)).into_bytes()),
        ("UTF-16", utf16("{\"schemaVersion\":2}")),
        ("a byte order mark", "\u{feff}{}".as_bytes().to_vec()),
        ("two documents", b"{}{}".to_vec()),
        ("nothing", Vec::new()),
        ("bytes that are no text", vec![0xff; 1000]),
        (
            "a million keys",
            format!("{{{}}}", (0..1_000_000).map(|key| format!("\"{key}\":0")).collect::<Vec<_>>().join(","))
                .into_bytes(),
        ),
        ("a number without end", ["1".repeat(1_000_000), "e".to_owned(), "9".repeat(1000)].concat().into_bytes()),
        ("a text without end", format!("\"{}", "\\ud800".repeat(100_000)).into_bytes()),
    ]
}

/// Puts other bytes in the place of a blob, and makes everything that names it name them: digests are no defence against
/// whoever makes the whole release.
fn exchange(release: &Path, blob: Digest, bytes: &[u8]) {
    let path = |digest: Digest| release.join(format!("blobs/sha256/{}", digest.hex()));
    fs::remove_file(path(blob)).expect("the blob");
    let new = Digest::of(bytes);
    fs::write(path(new), bytes).expect("a blob");
    for file in crate::world::files_below(release) {
        let Ok(mut value) = serde_json::from_slice::<Value>(&fs::read(&file).unwrap_or_default()) else { continue };
        if renamed(&mut value, &blob.to_string(), &new.to_string(), bytes.len()) {
            let text = value.to_string().into_bytes();
            match file.file_name().and_then(|name| format!("sha256:{}", name.to_string_lossy()).parse().ok()) {
                Some(digest) => exchange(release, digest, &text),
                None => fs::write(&file, text).expect("index.json"),
            }
        }
    }
}

fn renamed(value: &mut Value, old: &str, new: &str, size: usize) -> bool {
    let here = value["digest"] == old;
    if here {
        value["digest"] = new.into();
        value["size"] = size.into();
    }
    let below: Vec<bool> = match value {
        Value::Object(fields) => {
            fields.values_mut().filter(|it| !it.is_null()).map(|it| renamed(it, old, new, size)).collect()
        }
        Value::Array(items) => items.iter_mut().map(|it| renamed(it, old, new, size)).collect(),
        _ => Vec::new(),
    };
    here || below.contains(&true)
}

/// The blobs of a release by what they are.
fn blobs(env: &TestEnv) -> Vec<(&'static str, Digest)> {
    let root = env.project().join("one.release");
    let read =
        |name: &str| -> Value { serde_json::from_slice(&fs::read(root.join(name)).expect("a file")).expect("JSON") };
    let digest =
        |value: &Value| -> Digest { value["digest"].as_str().and_then(|it| it.parse().ok()).expect("a digest") };
    let blob = |digest: Digest| read(&format!("blobs/sha256/{}", digest.hex()));
    let index = read("index.json");
    let (image, referrer) = (digest(&index["manifests"][0]), digest(&index["manifests"][1]));
    vec![
        ("image manifest", image),
        ("config", digest(&blob(image)["config"])),
        ("referrer's manifest", referrer),
        ("bundle", digest(&blob(referrer)["layers"][0])),
    ]
}

#[test]
fn documents_that_bring_readers_down_do_not_bring_this_one_down() {
    let env = world();
    let project = env.project();
    let copy = || {
        let _ = fs::remove_dir_all(project.join("bad.release"));
        let done =
            Command::new("cp").arg("-r").args([project.join("one.release"), project.join("bad.release")]).status();
        assert!(done.expect("cp").success());
    };
    for (what, bytes) in documents() {
        for name in ["index.json", "oci-layout"] {
            copy();
            fs::write(project.join("bad.release").join(name), &bytes).expect("a file");
            let line = not_verified(&env, "bad.release", what);
            assert!(line.len() < 400, "{what} as {name}: {} bytes of reason", line.len());
        }
        for (name, digest) in blobs(&env) {
            copy();
            exchange(&project.join("bad.release"), digest, &bytes);
            let line = not_verified(&env, "bad.release", &format!("{what} as {name}"));
            assert!(line.len() < 400, "{what} as {name}: {line}");
            // Whoever looks or moves reads the same.
            for arguments in [["inspect", "bad.release"], ["check", "bad.release"]] {
                let output = soon(&env, &arguments);
                assert!(matches!(output.code, 0..=2), "{what} as {name}: {}", output.transcript(Filter::NONE));
            }
        }
        for name in ["rebuild-x.sigstore.json", "vsa-x.dsse.json", "run-record.sigstore.json"] {
            copy();
            fs::write(project.join("bad.release").join(name), &bytes).expect("a file");
            soon(&env, &["verify", "bad.release", "--trust", "t.toml"])
                .succeeds()
                .says_nothing_else_than("verified", name);
        }
        // A release as one tar, a bundle, a key.
        env.write("bad", &bytes);
        one_error(soon(&env, &["verify", "bad", "--key", "old.pub"]).exits(2));
        let verdict = soon(&env, &["verify-file", "src/a", "--bundle", "bad", "--key", "old.pub"]);
        assert!(verdict.exits(1).stdout.starts_with("not verified"), "{what}: {}", verdict.stdout);
        one_error(soon(&env, &["verify", "one.release", "--key", "bad"]).exits(2));
    }
}

/// What people write is TOML, and so is what strangers send them.
#[test]
fn texts_that_nest_without_end_are_refused_with_their_line() {
    const DEEP: usize = 200_000;
    let env = world();
    let texts = [
        ("lists", format!("a = {}", "[".repeat(DEEP))),
        ("lists that end", format!("a = {}{}", "[".repeat(DEEP), "]".repeat(DEEP))),
        ("tables", format!("a = {}", "{ a = ".repeat(DEEP))),
        ("dotted keys", format!("{} = 1", ["a"; DEEP].join("."))),
        ("a header", format!("[{}]\nb = 1", ["a"; DEEP].join("."))),
        ("lists of tables", format!("[[{}]]\nb = 1", ["a"; DEEP].join("."))),
    ];
    for (what, text) in texts {
        let lock = env.project().join("selfsame.lock");
        for name in ["selfsame.toml", "selfsame.lock", "selfsame.host.lock", "bad.toml"] {
            let place = env.project().join(name);
            let before = fs::read(&place).ok();
            env.write(name, &text);
            let arguments: &[&str] = match name {
                "bad.toml" => &["verify", "one.release", "--trust", "bad.toml"],
                _ => &["build", "--key", "old.key", "-o", "new.release"],
            };
            let output = soon(&env, arguments);
            if output.code != 0 || name != "selfsame.host.lock" {
                let line = one_error(output.exits(2));
                assert!(line.len() < 400, "{what} in {name}: {} bytes", line.len());
            }
            let _ = fs::remove_dir_all(env.project().join("new.release"));
            match before {
                Some(before) => fs::write(&place, before).expect("the file"),
                None => fs::remove_file(&place).expect("the file"),
            }
        }
        assert!(!lock.exists(), "nothing wrote a lock");
    }
}

/// An allocation that fails ends the process, and a thread that cannot be made is a panic: whatever the machine lacks, only
/// a verdict that was reached is told as one.
#[test]
fn without_memory_there_is_no_good_verdict() {
    let env = world();
    let (mut verified, mut broke) = (0, 0);
    // From what no program starts in up to what is enough; small steps, so that it breaks in many places.
    for addresses_kib in (1..60).map(|step| step * 1500).chain((1..30).map(|step| 90_000 + step * 20_000)) {
        for depth in ["evidence", "content"] {
            let output =
                bounded(&env, addresses_kib, &["verify", "one.release", "--trust", "t.toml", "--depth", depth]);
            let said = output.stdout.starts_with("verified: ");
            assert_eq!(output.code == 0, said, "{addresses_kib} KiB: {}", output.transcript(Filter::NONE));
            verified += u32::from(said);
            broke += u32::from(!said);
        }
    }
    assert!(verified > 0 && broke > 5, "{verified} verified, {broke} broke: the steps say nothing");
    // The same for the stack.
    for stack_kib in [16, 64, 128, 256, 1024] {
        let program =
            env.command(&selfsame_testing::Variation::default(), ["verify", "one.release", "--trust", "t.toml"]);
        let mut command = Command::new("sh");
        command.args(["-euc", "ulimit -s \"$0\"; exec \"$@\""]).arg(stack_kib.to_string());
        command.arg(program.get_program()).args(program.get_args());
        command.env_clear().envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(env.project());
        let output = env.run(command);
        assert_eq!(output.code == 0, output.stdout.starts_with("verified: "), "{stack_kib} KiB: {}", output.stderr);
    }
}

/// An empty answer to the question whom to believe is no answer.
#[test]
fn an_empty_key_or_trust_file_believes_nobody() {
    let env = world();
    for text in ["", "\n", " ", "\u{feff}", "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"] {
        env.write("empty", text);
        one_error(env.selfsame(["verify", "one.release", "--key", "empty"]).exits(2));
        one_error(env.selfsame(["verify", "one.release", "--key", "old.pub", "--log-key", "empty"]).exits(2));
        let bundle = bundle(&env).display().to_string();
        one_error(env.selfsame(["verify-file", "src/a", "--bundle", &bundle, "--key", "empty"]).exits(2));
        one_error(env.selfsame(["rebuild-verify", "one.release", "--key", "empty"]).exits(2));
        let trusted = env.selfsame(["verify", "one.release", "--trust", "empty"]);
        assert!(
            matches!(trusted.code, 1 | 2) && !trusted.stdout.starts_with("verified"),
            "{:?}: {}",
            text,
            trusted.stdout
        );
    }
    let nobody = env.selfsame(["verify", "one.release"]);
    assert!(!nobody.exits(2).stdout.starts_with("verified"), "{}", nobody.stdout);
}

/// A page that an earlier run wrote does not speak for one that could not answer; and nothing else that is there goes.
#[test]
fn an_earlier_page_does_not_outlive_a_question_without_an_answer() {
    let env = world();
    let page = env.project().join("page.html");
    let ask = |release: &str, trust: &str| env.selfsame(["verify", release, "--trust", trust, "--report", "page.html"]);
    for (release, trust) in [("absent.release", "t.toml"), ("one.release", "absent.toml"), ("src", "t.toml")] {
        ask("one.release", "t.toml").succeeds();
        assert!(fs::read_to_string(&page).expect("a page").contains("verified"));
        let output = ask(release, trust);
        assert_ne!(output.code, 0);
        let left = fs::read_to_string(&page).unwrap_or_default();
        assert!(left.is_empty() || release == "src" && left.contains("not "), "{release}: {left}");
    }
    env.write("page.html", "a letter");
    ask("one.release", "absent.toml").exits(2);
    assert_eq!(env.read("project/page.html"), "a letter");
    let file = |trust: &str| {
        let bundle = bundle(&env).display().to_string();
        env.selfsame(["verify-file", "src/a", "--bundle", &bundle, "--trust", trust, "--report", "page.html"])
    };
    file("t.toml").exits(1);
    assert!(env.read("project/page.html").starts_with("<!DOCTYPE html>"));
    file("absent.toml").exits(2);
    assert!(!page.exists());
}

/// Whoever shows what is refused does it more than once, in whatever file.
#[test]
fn a_copy_that_was_tampered_with_is_replaced_by_another() {
    let env = world();
    for name in ["index.json", "oci-layout", "index.json"] {
        env.selfsame(["tamper", "one.release", "-o", "bad", "--file", name]).succeeds();
        env.selfsame(["verify", "bad", "--trust", "t.toml"]).exits(1);
    }
    env.selfsame(["tamper", "one.release", "-o", "bad"]).succeeds();
    env.write("bad/more", "something of mine");
    env.selfsame(["tamper", "one.release", "-o", "bad", "--file", "index.json"]).exits(2);
    assert_eq!(env.read("project/bad/more"), "something of mine");
}
