//! A lock over time: what stays, what is chosen anew, what is old, and what a person gets to read about it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use selfsame_testing::server::{Answer, Fault, Server};
use selfsame_testing::{Output, TestEnv};

use crate::world::{assert_store_intact, empty, one_error, shown, start, wait_until};

/// A server whose files can be changed under a lock's feet.
struct Forge {
    server: Server,
    content: Arc<Mutex<&'static str>>,
}

impl Forge {
    fn new() -> Self {
        let content = Arc::new(Mutex::new("first\n"));
        let given = Arc::clone(&content);
        let server = Server::http(move |_| Answer::ok(*given.lock().expect("content")));
        Self { server, content }
    }

    fn publish(&self, content: &'static str) {
        *self.content.lock().expect("content") = content;
    }

    fn asked(&self) -> usize {
        self.server.asked().len()
    }

    /// What was printed, without the server's port and without how long it took.
    fn shown(&self, output: &Output) -> String {
        let text = shown(output).replace(&self.server.address().to_string(), "[SERVER]");
        let lines = text.lines().map(|line| match line.split_once("/s, from ") {
            Some((before, from)) => {
                format!("{}[RATE], from {from}", &before[..before.rfind(", ").map_or(0, |at| at + 2)])
            }
            None => line.to_owned(),
        });
        lines.map(|line| without_days(&line)).collect::<Vec<_>>().join("\n")
    }
}

/// `2026-11-20` is today, whatever that is.
fn without_days(line: &str) -> String {
    let words = line.split(' ').map(|word| {
        let end = word.trim_end_matches([',', '"']);
        let day = end.len() == 10
            && end.bytes().enumerate().all(|(at, byte)| match at {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        if day && end.starts_with("20") { word.replace(end, "[DAY]") } else { word.to_owned() }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn define(env: &TestEnv, inputs: &str) {
    let head = "name = \"probe\"\nversion = \"1.0.0\"\nlicense = \"MIT\"\n\n[source]\nepoch = 1700000000\n";
    let tail = "\n[image]\nentrypoint = [\"/x\"]\n\n[[image.file]]\nfrom = \"source:seed\"\nto = \"/x\"\n";
    env.write("seed", "seed\n");
    env.write("selfsame.toml", format!("{head}{inputs}{tail}"));
}

fn away(forge: &Forge) -> String {
    format!("\n[input.away]\nfile = \"{}\"\n", forge.server.url("/away-1.0.bin"))
}

const HERE: &str = "\n[input.here]\nfile = \"here.bin\"\n";

fn lock_of(env: &TestEnv) -> String {
    env.read("project/selfsame.lock")
}

#[test]
fn what_is_locked_stays_until_it_is_chosen_anew() {
    let (env, forge) = (empty(), Forge::new());
    env.write("here.bin", "of this machine\n");
    define(&env, &(away(&forge) + HERE));
    insta::assert_snapshot!(forge.shown(&env.selfsame(["lock"])), @r"
    exit 0
    --- stdout
    + away: file away-1.0.bin, of [DAY], [N] bytes
        + away-1.0.bin  sha256:b640e840b19d  plaintext, [N] bytes
    + here: file here.bin, of [DAY], [N] bytes
        + here.bin  sha256:62a61a043f72  local-file, [N] bytes
    new host [SERVER]: away
    files: 2 added, 2 that nobody vouched for
    --- stderr
         fetch away-1.0.bin: 1 file, [N] bytes, [RATE], from 127.0.0.1
    `./selfsame.lock` written: commit it
    2 inputs, 2 files, [N] bytes
    obtainable elsewhere: 1 of 2; the other one exists only here
    ");
    assert_eq!(forge.asked(), 1);

    // The same again asks nobody and changes nothing, not even the file's time.
    let (text, modified) = (lock_of(&env), env.at("project/selfsame.lock").metadata().unwrap().modified().unwrap());
    insta::assert_snapshot!(forge.shown(&env.selfsame(["lock"])), @r"
    exit 0
    --- stderr
    `./selfsame.lock` unchanged
    2 inputs, 2 files, [N] bytes
    obtainable elsewhere: 1 of 2; the other one exists only here
    ");
    assert_eq!((forge.asked(), lock_of(&env)), (1, text.clone()));
    assert_eq!(env.at("project/selfsame.lock").metadata().unwrap().modified().unwrap(), modified);

    // Somebody publishes other bytes: they are looked at, and not taken.
    forge.publish("second, and longer\n");
    env.selfsame(["lock"]).succeeds();
    assert_eq!(lock_of(&env), text);
    insta::assert_snapshot!(forge.shown(&env.selfsame(["lock", "--outdated"])), @r"
    exit 1
    --- stdout
    ~ away: file away-1.0.bin, of [DAY]
        ~ away-1.0.bin  sha256:b640e840b19d -> sha256:9b7056f690fa  plaintext, [N] bytes
          ! other content under the same name
    files: 1 changed, 1 with other content under the same name, 1 that nobody vouched for
    --- stderr
         fetch away-1.0.bin: 1 file, [N] bytes, [RATE], from 127.0.0.1
    outdated: `selfsame lock --update NAME` or `--all` takes this into the lock
    ");
    assert_eq!(lock_of(&env), text);
    env.selfsame(["lock", "--update", "here"]).succeeds();
    assert_eq!(lock_of(&env), text, "another input moved");

    // An input that nobody named moves where the definition asks for another, and that is said.
    define(&env, &(away(&forge) + &HERE.replace("here.bin", "there.bin")));
    env.write("there.bin", "another file\n");
    insta::assert_snapshot!(forge.shown(&env.selfsame(["lock", "--update", "away"])), @r"
    exit 0
    --- stdout
    ~ away: file away-1.0.bin, of [DAY]
        ~ away-1.0.bin  sha256:b640e840b19d -> sha256:9b7056f690fa  plaintext, [N] bytes
          ! other content under the same name
    ~ here: file here.bin -> file there.bin, of [DAY]
        - here.bin   sha256:62a61a043f72  local-file, [N] bytes
        + there.bin  sha256:bd4ef5a0775f  local-file, [N] bytes
    files: 1 added, 1 changed, 1 removed, 1 with other content under the same name, 2 that nobody vouched for
    --- stderr
         fetch away-1.0.bin: 1 file, [N] bytes, [RATE], from 127.0.0.1
    also changed: `here`, for which the definition asks otherwise than was locked
    `./selfsame.lock` changed: review and commit it
    2 inputs, 2 files, [N] bytes
    obtainable elsewhere: 1 of 2; the other one exists only here
    ");
    assert_ne!(lock_of(&env), text);
    env.selfsame(["lock", "--outdated"]).succeeds();

    define(&env, "");
    insta::assert_snapshot!(forge.shown(&env.selfsame(["lock"])), @r"
    exit 0
    --- stdout
    - away: file away-1.0.bin, of [DAY], [N] bytes
        - away-1.0.bin  sha256:9b7056f690fa  plaintext, [N] bytes
    - here: file there.bin, of [DAY], [N] bytes
        - there.bin  sha256:bd4ef5a0775f  local-file, [N] bytes
    files: 2 removed
    --- stderr
    `./selfsame.lock` changed: review and commit it
    0 inputs, 0 files, [N] bytes
    ");
}

#[test]
fn choosing_again_confirms_with_a_new_day() {
    let env = empty();
    env.write("here.bin", "of this machine\n");
    define(&env, HERE);
    env.selfsame(["lock"]).succeeds();
    let today = lock_of(&env);
    let day = today.split("as_of = \"").nth(1).expect("a day").split('"').next().expect("a day").to_owned();
    env.write("selfsame.lock", today.replace(&day, "2020-02-29"));
    env.selfsame(["lock", "--check"]).succeeds();
    env.selfsame(["lock", "--outdated"]).succeeds();

    let old = env.selfsame(["lock", "--check", "--max-age", "30d"]);
    assert_eq!(one_error(old.exits(1)), "`./selfsame.lock` is older than 30 days");
    old.says("here  chosen on 2020-02-29, ").says("hint: run `selfsame lock --all`");
    let json = env.selfsame(["lock", "--check", "--max-age", "4w", "--json"]);
    let json = json.exits(1).json();
    assert_eq!((json["class"].as_str(), json["aged"][0]["asOf"].as_str()), (Some("stale"), Some("2020-02-29")));
    assert!(json["aged"][0]["days"].as_u64().expect("days") > 2000);
    env.selfsame(["lock", "--check", "--max-age", "100000d"]).succeeds();

    // A day that no clock wrote would never be old.
    env.write("selfsame.lock", today.replace(&day, "9999-12-31"));
    let ahead = env.selfsame(["lock", "--check", "--max-age", "30d"]);
    ahead.exits(1).says("chosen on 9999-12-31, which has not come yet");

    env.write("selfsame.lock", today.replace(&day, "2020-02-29"));
    let confirmed = env.selfsame(["lock", "--all"]);
    confirmed.succeeds().says("confirmed as of today, with the same content");
    assert!(confirmed.stdout.starts_with("= here: file here.bin, of 2020-02-29 -> "), "{}", confirmed.stdout);
    assert_eq!(lock_of(&env), today);
    env.selfsame(["lock", "--check", "--max-age", "1"]).succeeds();
}

#[test]
fn names_that_can_not_be_updated() {
    let env = empty();
    env.write("here.bin", "of this machine\n");
    define(&env, HERE);
    let refused = |words: &[&str]| shown(&env.selfsame(["lock"].iter().chain(words)));
    env.selfsame(["lock"]).succeeds();
    let text = lock_of(&env);
    insta::assert_snapshot!(refused(&["--update", "hare"]), @r"
    exit 2
    --- stderr
    error: no locked input is called `hare`
      Nothing was changed.

    hint: did you mean `here`?
    ");
    insta::assert_snapshot!(refused(&["--update", "base"]), @r"
    exit 2
    --- stderr
    error: the image stands on nothing: its base is `scratch`
      Nothing was changed.
    ");
    insta::assert_snapshot!(refused(&["--check", "--all"]).lines().next().unwrap_or_default(), @"exit 2");
    insta::assert_snapshot!(refused(&["--max-age", "soon", "--check"]), @r"
    exit 2
    --- stderr
    error: invalid value 'soon' for '--max-age <AGE>': days or weeks are wanted: `30d`, `4w`

    For more information, try '--help'.
    ");
    env.write("package-lock.json", "{}");
    define(&env, &format!("{HERE}\n[input.web]\nnpm = \"package-lock.json\"\n"));
    insta::assert_snapshot!(refused(&["--update", "web"]), @r"
    exit 2
    --- stderr
    error: input `web` is pinned by `package-lock.json` of the source, not by selfsame.lock
      Nothing was changed.

    hint: update it there: `npm update --package-lock-only`
    ");
    let json = env.selfsame(["lock", "--outdated", "--json"]);
    let json = json.succeeds().json();
    assert_eq!(
        (json["class"].as_str(), json["pins"][0]["file"].as_str()),
        (Some("current"), Some("package-lock.json"))
    );
    assert_eq!(lock_of(&env), text);
}

/// Each edit with what comes of it: the exit codes of `lock --check`, `lock` and `fetch`, and what is said.
#[test]
fn locks_edited_by_hand_are_told_and_never_written_over() {
    let (env, forge) = (empty(), Forge::new());
    env.write("here.bin", "of this machine\n");
    define(&env, &(away(&forge) + HERE));
    env.selfsame(["lock"]).succeeds();
    let good = lock_of(&env);
    let digest = good.split("sha256 = \"").nth(1).expect("a digest")[..64].to_owned();
    let other = if digest.starts_with('0') { "1" } else { "0" }.to_owned() + &digest[1..];
    let conflict = format!("<<<<<<< ours\n{good}=======\n{good}>>>>>>> theirs\n");
    let cases: Vec<(String, i32, i32, &str)> = vec![
        (conflict, 2, 2, "a merge left both sides in it"),
        (good.replace("version = 1", "version = 2"), 2, 2, "reads version 1"),
        (good.replace("size = 6", "size = -6"), 2, 2, "size"),
        (good.replace("claim = \"plaintext\"", "claim = \"trust-me\""), 2, 2, "trust-me"),
        (good.replace(&digest, &digest[1..]), 2, 2, "64 lowercase hex digits"),
        (good.replace("as_of = \"2", "as_of = \"x2"), 2, 2, "is not a day"),
        (format!("{good}url = \"http://mirror.example\"\n"), 2, 2, "url"),
        (String::new(), 2, 2, "version"),
        ("\u{0}".repeat(100), 2, 2, ":1:1"),
        // What can be read and does not answer is made to.
        (good.replace("asked = \"here.bin\"", "asked = \"there.bin\""), 1, 0, "locked is file there.bin"),
        (good.split("\n[[input]]\nname = \"here\"").next().expect("a half").to_owned(), 1, 0, "nothing is locked"),
    ];
    for (text, check, lock, said) in cases {
        env.write("selfsame.lock", &text);
        env.selfsame(["lock", "--check"]).exits(check).says(said);
        let locked = env.selfsame(["lock"]);
        locked.exits(lock);
        if lock == 2 {
            locked.says(said);
            assert_eq!(lock_of(&env), text, "written over");
            for words in [&["lock", "--all"][..], &["lock", "--outdated"], &["fetch"], &["build", "--dev-key"]] {
                env.selfsame(words).exits(2);
            }
            assert_eq!(lock_of(&env), text, "written over");
        } else {
            assert_eq!(lock_of(&env), good);
        }
    }

    // Another digest reads well; the bytes do not come, and the way out is named.
    let edited = good.replace(&digest, &other);
    env.write("selfsame.lock", &edited);
    env.selfsame(["lock", "--check"]).succeeds();
    env.selfsame(["fetch"]).exits(2).says("is not the file that was locked").says("`selfsame lock --update away`");
    env.selfsame(["lock", "--update", "away"]).succeeds();
    assert_eq!(lock_of(&env), good);

    // Another spelling of the same is no difference, and is made ours.
    env.write("selfsame.lock", format!("# mine\n{good}"));
    env.selfsame(["lock"]).succeeds().says("written in its one spelling");
    assert_eq!(lock_of(&env), good);

    std::fs::remove_file(env.at("project/selfsame.lock")).expect("the lock");
    env.selfsame(["lock", "--check"]).exits(1).says("there is no `./selfsame.lock`").says("run `selfsame lock`");
    env.selfsame(["lock", "--outdated"]).exits(2).says("nothing is locked");
    env.selfsame(["build", "--dev-key", "--locked"]).exits(2).says("--locked");
    assert!(!env.at("project/selfsame.lock").exists(), "--locked wrote a lock");
}

/// A server that is away now is no reason to change a lock, and is told apart from one that refuses.
#[test]
fn what_cannot_be_had_leaves_the_lock_as_it_is() {
    let (env, forge) = (empty(), Forge::new());
    define(&env, &away(&forge));
    env.selfsame(["lock"]).succeeds();
    let text = lock_of(&env);
    for (status, exit) in [(404, 2), (403, 2), (500, 3), (429, 3)] {
        let server = Server::http(move |_| Answer::status(status));
        define(&env, &format!("\n[input.away]\nfile = \"{}\"\n", server.url("/away-1.0.bin")));
        for words in [&["lock", "--all"][..], &["lock", "--outdated"]] {
            let output = env.selfsame(words);
            assert!(one_error(output.exits(exit)).contains(&status.to_string()), "{}", output.stderr);
        }
        assert_eq!(lock_of(&env), text);
        // What is locked and here needs nobody.
        env.selfsame(["fetch"]).succeeds();
    }
    env.selfsame(["--offline", "lock", "--all"]).exits(2).says("the network may not be used");
}

#[test]
fn a_fetch_says_what_comes_and_quietly_nothing_of_it() {
    let (env, forge) = (empty(), Forge::new());
    define(&env, &away(&forge));
    env.selfsame(["lock"]).succeeds();
    let anew = || std::fs::remove_dir_all(env.store()).expect("the store");
    anew();
    insta::assert_snapshot!(forge.shown(&env.selfsame(["fetch"])), @r"
    exit 0
    --- stderr
         fetch away-1.0.bin: 1 file, [N] bytes, [RATE], from 127.0.0.1
    1 input is in the store
    ");
    anew();
    insta::assert_snapshot!(forge.shown(&env.selfsame(["fetch", "--progress", "quiet"])), @r"
    exit 0
    --- stderr
    1 input is in the store
    ");
    // Nothing is missing: nothing comes.
    let asked = forge.asked();
    insta::assert_snapshot!(forge.shown(&env.selfsame(["fetch"])), @r"
    exit 0
    --- stderr
    1 input is in the store
    ");
    assert_eq!(forge.asked(), asked);
}

/// Ctrl-C while one of two files drips: what came stays, and the next run asks for the other alone. `--progress tty` shows
/// a line that is written over.
#[test]
fn a_fetch_that_is_interrupted_goes_on_where_it_was() {
    let dripping = Arc::new(AtomicBool::new(false));
    let drips = Arc::clone(&dripping);
    let server = Server::http(move |asked| match asked.path() {
        "/slow.bin" if drips.load(Ordering::SeqCst) => {
            Answer::ok(vec![7; 100_000]).fault(Fault::Drip(Duration::from_millis(2)))
        }
        "/slow.bin" => Answer::ok(vec![7; 100_000]),
        _ => Answer::ok("quick\n"),
    });
    let env = empty();
    let inputs = [("a-quick", "/quick.bin"), ("b-slow", "/slow.bin")];
    let inputs = inputs.map(|(name, path)| format!("\n[input.{name}]\nfile = \"{}\"\n", server.url(path)));
    define(&env, &inputs.concat());
    env.selfsame(["lock"]).succeeds();
    std::fs::remove_dir_all(env.store()).expect("the store");
    dripping.store(true, Ordering::SeqCst);
    let text = lock_of(&env);
    for words in [&["fetch", "--progress", "tty"][..], &["lock", "--all", "--progress", "tty"]] {
        let mut child = start(&env, words);
        // Drawn once a tenth of a second, so this much of it has come.
        // Both are counted together where both were begun before one was there.
        let alone = ["slow.bin: ", "inputs: 1 of 2 files"].map(|line| format!("\r\u{1b}[K     fetch {line}"));
        wait_until("the slow file alone is under way", || alone.iter().any(|line| env.read("talk").contains(line)));
        kill_process(Pid::from_child(&child), Signal::INT).expect("a signal to the program");
        let status = child.wait().expect("the program ends");
        assert_eq!(status.code(), Some(3), "{}", env.read("talk"));
        assert!(
            env.read("talk").contains("\r\u{1b}[Kerror: interrupted\n  No lock was changed."),
            "{}",
            env.read("talk")
        );
        assert_store_intact(&env);
        assert_eq!(lock_of(&env), text);
    }

    dripping.store(false, Ordering::SeqCst);
    let before = server.asked().len();
    env.selfsame(["fetch"]).succeeds();
    let asked: Vec<String> = server.asked()[before..].iter().map(|asked| asked.target.clone()).collect();
    assert_eq!(asked, ["/slow.bin"]);
}

/// Each of six files is given only when all six are asked for: one after the other, none would ever come.
#[test]
fn files_are_fetched_at_once() {
    let waiting = Arc::new((Mutex::new(0), Condvar::new()));
    let together = Arc::new(AtomicBool::new(false));
    let (all, at_once) = (Arc::clone(&waiting), Arc::clone(&together));
    let server = Server::http(move |asked| {
        if at_once.load(Ordering::SeqCst) {
            let (count, changed) = &*all;
            let mut count = count.lock().expect("a count");
            *count += 1;
            changed.notify_all();
            let long = Duration::from_secs(60);
            let (count, timeout) = changed.wait_timeout_while(count, long, |count| *count < 6).expect("a count");
            drop(count);
            if timeout.timed_out() {
                return Answer::status(404);
            }
        }
        Answer::ok(asked.target.clone())
    });
    let env = empty();
    let input = |n: u32| format!("\n[input.file-{n}]\nfile = \"{}\"\n", server.url(&format!("/{n}.bin")));
    define(&env, &(0..6).map(input).collect::<String>());
    env.selfsame(["lock"]).succeeds();
    std::fs::remove_dir_all(env.store()).expect("the store");
    together.store(true, Ordering::SeqCst);
    let output = env.selfsame(["fetch"]);
    output.succeeds().says("6 files, 36 bytes").says("6 inputs are in the store");
    assert_eq!(*waiting.0.lock().expect("a count"), 6);
}
