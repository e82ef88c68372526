//! The test environment itself, with ordinary programs in the place of the binary.

use std::time::Duration;

use selfsame_testing::{Ext4Disk, Filter, TestEnv, Tier, Variation, flip_bit, picture, require};

#[test]
fn the_environment_is_cleared_and_the_folders_are_its_own() {
    let env = TestEnv::new("/usr/bin/env");
    let output = env.selfsame(["-0"]);
    output.succeeds();
    let mut names: Vec<_> = output.stdout.split('\0').filter_map(|line| line.split_once('=')).map(|(n, _)| n).collect();
    names.sort_unstable();
    assert_eq!(names, ["HOME", "LC_ALL", "NO_COLOR", "PATH", "SELFSAME_STORE", "TMPDIR", "TZ"]);
    assert!(output.transcript(Filter::NONE).contains("SELFSAME_STORE=[STORE]\0"));
    assert!(output.transcript(Filter::NONE).contains("HOME=[TMP]/home\0"));
}

#[test]
fn transcripts_hold_both_streams_and_the_code() {
    let env = TestEnv::new("/bin/sh");
    let text = "pwd; printf unfinished; echo 'error: in 1.5 s' >&2; exit 3";
    let output = env.selfsame(["-c", text]);
    output.exits(3).says("error: in");
    let expected = "exit 3\n--- stdout\n[TMP]/project\nunfinished[no newline]\n--- stderr\nerror: in [TIME]\n";
    assert_eq!(output.transcript(Filter::TIMES), expected);
    assert_eq!(env.selfsame(["-c", "kill -9 $$"]).code, 137);
    assert_eq!(env.selfsame(["-c", "echo '{\"a\": 1}'"]).json()["a"], 1);
}

#[test]
fn large_output_on_both_streams_is_read_whole() {
    let env = TestEnv::new("/bin/sh");
    let text = "i=0; while [ $i -lt 40000 ]; do echo 0123456789; echo 0123456789 >&2; i=$((i + 1)); done";
    let output = env.selfsame(["-c", text]);
    assert_eq!((output.stdout.len(), output.stderr.len()), (440_000, 440_000));
}

#[test]
#[should_panic(expected = "did not end in time")]
fn a_program_that_does_not_end_is_killed() {
    let mut env = TestEnv::new("/bin/sh");
    env.set_deadline(Duration::from_millis(200));
    env.selfsame(["-c", "exec sleep 1000"]);
}

#[test]
#[should_panic(expected = "something that it started holds its output open")]
fn a_daemon_left_behind_is_a_failure() {
    let mut env = TestEnv::new("/bin/sh");
    env.set_deadline(Duration::from_millis(300));
    env.selfsame(["-c", "sleep 2 & exit 0"]);
}

#[test]
fn commits_have_the_same_name_everywhere() {
    let commit = || {
        let env = TestEnv::new("/bin/true");
        env.write("src/a.c", "int a;\n");
        env.write_executable("build.sh", "#!/bin/sh\n");
        env.git_commit("first")
    };
    assert_eq!(commit(), "37bc10ffb683cc58d667593b56978c243d823ce6");
}

#[test]
fn variations_reach_the_program() {
    let env = TestEnv::new("/bin/sh");
    let variation = Variation {
        umask: Some(0o077),
        time_zone: Some("Asia/Tokyo".to_owned()),
        locale: Some("tr_TR.UTF-8".to_owned()),
        cpus: Some(1),
        variable: Some(("EXTRA".to_owned(), "1".to_owned())),
        host_name: None,
    };
    let output = env.selfsame_under(&variation, ["-c", "umask; nproc; echo $TZ $LC_ALL $LANG $EXTRA"]);
    assert_eq!(output.stdout, "0077\n1\nAsia/Tokyo tr_TR.UTF-8 tr_TR.UTF-8 1\n");
    let output = env.selfsame(["-c", "umask; echo $TZ $EXTRA"]);
    assert!(output.stdout.ends_with("UTC\n"));
}

#[test]
fn sandbox_another_user_and_host_name() {
    let mut env = TestEnv::new("/bin/sh");
    let root = env.selfsame(["-c", "test $(id -u) = 0 && unshare --uts true"]).code == 0;
    if !require(Tier::Sandbox, if root { Ok(()) } else { Err("root is needed to become another user".to_owned()) }) {
        return;
    }
    env.give_to(4242);
    let variation = Variation { host_name: Some("elsewhere".to_owned()), ..Variation::default() };
    let output = env.selfsame_under(&variation, ["-c", "id -u; hostname; : > made; stat -c %u made \"$HOME\""]);
    assert_eq!(output.stdout, "4242\nelsewhere\n4242\n4242\n");
}

#[test]
fn pictures_show_a_flipped_bit_and_copies_are_alike() {
    let env = TestEnv::new("/bin/true");
    env.write("a/b", "hello");
    std::os::unix::fs::symlink("b", env.project().join("a/link")).unwrap();
    env.git_commit("first");
    let before = picture(&env.project().join("a"));
    let copy = TestEnv::new("/bin/true");
    copy.copy_into_project(&env.project());
    assert_eq!(picture(&copy.project().join("a")), before);
    assert!(!copy.project().join(".git").exists());
    flip_bit(&env.project().join("a/b"), 4);
    assert_ne!(picture(&env.project().join("a")), before);
    assert_eq!(picture(&env.at("nowhere")), "(nothing)\n");
}

#[test]
fn sandbox_differently_seeded_disks_list_in_other_orders() {
    let disks = [1, 0xfeed_beef].map(|seed| Ext4Disk::new(16, seed));
    let [first, second] = match disks {
        [Ok(first), Ok(second)] => [first, second],
        [Err(why), _] | [_, Err(why)] => {
            assert!(!require(Tier::Sandbox, Err(why)));
            return;
        }
    };
    let order = |disk: &Ext4Disk| {
        let folder = disk.path().join("folder");
        std::fs::create_dir(&folder).unwrap();
        for number in 0..100 {
            std::fs::write(folder.join(number.to_string()), "").unwrap();
        }
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>()
    };
    let (one, other) = (order(&first), order(&second));
    assert_eq!(one.len(), other.len());
    assert_ne!(one, other);
    let mounted = first.path();
    drop(first);
    assert!(!mounted.exists(), "the disk is still there");
}
