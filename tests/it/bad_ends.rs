//! Ends that nobody wished: memory that runs out, and a user who asks twice.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use selfsame_testing::{Filter, Output, TestEnv, Tier, Variation, require};

use crate::world::{
    RELEASE, assert_ended, assert_nothing_left, assert_store_intact, build, define, one_error, recorded, runs, shown,
    verify, wait_until,
};

/// A cgroup that holds whatever is started in it, and all cgroups that are made for it, to so much memory.
struct MemoryLimit {
    /// What has the limit, and below it what is joined: a sandbox may make cgroups of its own beside that.
    folders: Vec<PathBuf>,
}

impl MemoryLimit {
    fn new(bytes: u64) -> Result<Self, String> {
        let own = fs::read_to_string("/proc/self/cgroup").map_err(|error| error.to_string())?;
        let named = format!("selfsame-test-{}", std::process::id());
        let of_version_1 = own.lines().find_map(|line| line.split_once(":memory:"));
        let (parent, limit) = match of_version_1 {
            Some((_, path)) => {
                let parent = Path::new("/sys/fs/cgroup/memory").join(path.trim_start_matches('/'));
                (parent, "memory.limit_in_bytes")
            }
            None => (PathBuf::from("/sys/fs/cgroup"), "memory.max"),
        };
        let (outer, inner) = (parent.join(&named), parent.join(&named).join("run"));
        let made = Self { folders: vec![inner.clone(), outer.clone()] };
        let make = || {
            fs::create_dir(&outer)?;
            fs::write(outer.join(limit), bytes.to_string())?;
            // Without swap the limit is no mere slow-down. There may be no accounting of it.
            if of_version_1.is_some() {
                let _ = fs::write(outer.join("memory.memsw.limit_in_bytes"), bytes.to_string());
            } else {
                let _ = fs::write(outer.join("memory.swap.max"), "0");
                fs::write(outer.join("cgroup.subtree_control"), "+memory +pids")?;
            }
            fs::create_dir(&inner)
        };
        make().map(|()| made).map_err(|error: std::io::Error| format!("no cgroup with a limit on memory: {error}"))
    }

    /// The program with these arguments in it. Should the limit not hold, allocations fail long before the machine's
    /// memory is used up.
    fn run(&self, env: &TestEnv, arguments: &[&str]) -> Output {
        let program = env.command(&Variation::default(), arguments);
        let mut command = Command::new("sh");
        command.args(["-euc", "ulimit -v 6000000; echo $$ > \"$0/cgroup.procs\"; exec \"$@\""]).arg(&self.folders[0]);
        command.arg(program.get_program()).args(program.get_args());
        command.env_clear().envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(env.project()).stdin(Stdio::null());
        env.run(command)
    }
}

impl Drop for MemoryLimit {
    fn drop(&mut self) {
        for folder in &self.folders {
            let _ = fs::remove_dir(folder);
        }
    }
}

/// The definition has no limit on memory: what there is, is the machine's, or that of the job's own cgroup. The kernel
/// kills in the sandbox first.
#[test]
fn sandbox_out_of_memory_ends_the_action_alone() {
    let Some(env) = recorded() else { return };
    let limit = match MemoryLimit::new(512 << 20) {
        Ok(limit) => limit,
        Err(why) => {
            let _: bool = require(Tier::Sandbox, Err(why));
            return;
        }
    };
    define(&env, "(sleep 93.4476 &) ; exec tail /dev/zero", "");
    insta::assert_snapshot!(shown(&limit.run(&env, &["build", "--dev-key"])), @r"
    exit 1
    --- stderr
        source 2 files, [N] bytes, epoch [TIME]
    error: action `make` was killed by the kernel for want of memory
      argv  sh -eu -c (sleep 93.4476 &) ; exec tail /dev/zero\n
      by    out of memory
      log   [STORE]/blobs/sha256/[RANDOM]/[DIGEST]
      Nothing was published.

    hint: run fewer jobs at once, or build on a machine with more memory
    ");
    assert_ended("93.4476");
    assert_nothing_left(&env);

    // What is killed need not be the action's first process.
    define(&env, "tail /dev/zero > out", "");
    let output = limit.run(&env, &["build", "--dev-key"]);
    let headline = one_error(output.exits(1)).to_owned();
    assert!(headline.contains("exited with status 137"), "{headline}");
    assert!(output.stderr.contains("  by    out of memory\n"), "{}", output.transcript(Filter::NONE));
    assert_nothing_left(&env);

    define(&env, "cat seed > out", "");
    limit.run(&env, &["build", "--dev-key", "--no-cache"]).succeeds();
    verify(&env, RELEASE).succeeds();
}

/// Starts a build whose action sleeps, as a shell would: in a process group of its own.
fn building(env: &TestEnv, marker: &str) -> (Child, Pid) {
    let mut command = env.command(&Variation::default(), ["build", "--dev-key", "--no-cache"]);
    let talk = fs::File::create(env.at("talk")).expect("a file for what it says");
    let child = command.process_group(0).stdout(Stdio::null()).stderr(talk).spawn().expect("the program starts");
    wait_until("the action sleeps", || runs(marker));
    let pid = Pid::from_child(&child);
    (child, pid)
}

/// The only child of a process; nothing when there is none.
fn child_of(parent: Pid) -> Option<Pid> {
    let processes = fs::read_dir("/proc").expect("/proc").flatten();
    let mut numbers = processes.filter_map(|process| process.file_name().to_str()?.parse::<i32>().ok());
    let child = numbers.find(|number| {
        let stat = fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
        let parent_of = stat.rsplit_once(") ").and_then(|(_, fields)| fields.split(' ').nth(1));
        parent_of.is_some_and(|text| text == parent.as_raw_nonzero().to_string())
    });
    child.and_then(Pid::from_raw)
}

fn is_there(pid: Pid) -> bool {
    Path::new("/proc").join(pid.as_raw_nonzero().to_string()).exists()
}

/// The terminal's way: the signal goes to the whole group, and the sandbox is not in it.
#[test]
fn sandbox_ctrl_c_at_a_terminal_ends_in_order() {
    let Some(env) = recorded() else { return };
    define(&env, "(sleep 93.4477 &) ; exec sleep 93.4477", "");
    let (mut child, pid) = building(&env, "93.4477");
    kill_process_group(pid, Signal::INT).expect("a signal to a group");
    let status = child.wait().expect("the program ends");
    let talk = env.read("talk");
    assert_eq!(status.code(), Some(3), "{talk}");
    assert!(talk.contains("Nothing was published; no process is left."), "{talk}");
    assert!(!runs("93.4477"), "it said that no process is left");
    assert_nothing_left(&env);
}

/// A sandbox that does not answer would be waited for; whoever asks a second time does not want to wait.
#[test]
fn sandbox_a_second_ctrl_c_ends_at_once() {
    let Some(env) = recorded() else { return };
    define(&env, "(sleep 93.4478 &) ; exec sleep 93.4478", "");
    let (mut child, pid) = building(&env, "93.4478");
    let outer = child_of(pid).expect("the sandbox's outer process");
    let init = child_of(outer).expect("the sandbox's init");
    for process in [outer, init] {
        kill_process(process, Signal::STOP).expect("a signal to a process of the sandbox");
    }
    kill_process_group(pid, Signal::INT).expect("a signal to a group");
    // Were both on their way at the same time, they would be one.
    std::thread::sleep(Duration::from_millis(500));
    assert!(child.try_wait().expect("a status").is_none(), "the first one waits for the sandbox");
    let second = Instant::now();
    kill_process_group(pid, Signal::INT).expect("a signal to a group");
    let status = child.wait().expect("the program ends");
    assert_eq!(status.code(), Some(130), "{}", env.read("talk"));
    assert!(second.elapsed() < Duration::from_secs(3), "{:?}", second.elapsed());
    // Stopped processes die, too.
    assert_ended("93.4478");
    wait_until("the sandbox is gone", || !is_there(outer) && !is_there(init));

    assert!(!env.at(RELEASE).exists());
    env.selfsame(["store", "check"]).succeeds();
    define(&env, "cat seed > out", "");
    build(&env, &["--no-cache"]).succeeds();
    verify(&env, RELEASE).succeeds();
    assert_store_intact(&env);
}
