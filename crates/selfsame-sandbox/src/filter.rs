//! Seccomp filters: a small assembler and the deny list that every command runs under.
//!
//! A filter is a search tree over system call numbers, so that the hundred rules cost six comparisons. The deny list
//! is a program of its own: an observer's (or a later level's) notifications come from a second filter on top of it,
//! and the kernel lets the stricter answer win.

use libc::sock_filter;

use crate::spec::Identity;

const LOAD: u16 = 0x20;
const JUMP: u16 = 0x05;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_AT_LEAST: u16 = 0x35;
const JUMP_ANY_BITS: u16 = 0x45;
const RETURN: u16 = 0x06;

/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

#[cfg(target_arch = "x86_64")]
const OUR_ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const OUR_ARCHITECTURE: u32 = 0xc000_00b7;

/// The answer to a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Allow,
    Errno(i32),
    Notify,
    Kill,
}

impl Answer {
    const fn code(self) -> u32 {
        match self {
            Self::Allow => libc::SECCOMP_RET_ALLOW,
            Self::Errno(errno) => libc::SECCOMP_RET_ERRNO | errno as u32,
            Self::Notify => libc::SECCOMP_RET_USER_NOTIF,
            Self::Kill => libc::SECCOMP_RET_KILL_PROCESS,
        }
    }
}

/// A condition on the low half of an argument; every argument tested here is an `int`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Test {
    Equals(u8, u32),
    AnyBits(u8, u32),
}

/// What to answer one system call: the first case whose tests all hold, else `otherwise`.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) number: u32,
    pub(crate) cases: Vec<(Vec<Test>, Answer)>,
    pub(crate) otherwise: Answer,
}

impl Rule {
    pub(crate) fn always(number: libc::c_long, answer: Answer) -> Self {
        Self { number: number as u32, cases: Vec::new(), otherwise: answer }
    }

    fn when(number: libc::c_long, tests: Vec<Test>, answer: Answer) -> Self {
        Self { number: number as u32, cases: vec![(tests, answer)], otherwise: Answer::Allow }
    }
}

/// The program for some rules; what they do not name is allowed, and calls of a foreign architecture kill.
pub(crate) fn assemble(mut rules: Vec<Rule>) -> Vec<sock_filter> {
    rules.sort_by_key(|rule| rule.number);
    let mut program = vec![
        statement(LOAD, ARCHITECTURE),
        jump(JUMP_EQUAL, OUR_ARCHITECTURE, 1, 0),
        statement(RETURN, Answer::Kill.code()),
        statement(LOAD, NUMBER),
    ];
    if cfg!(target_arch = "x86_64") {
        // The x32 calls have the same architecture and other numbers.
        program.push(jump(JUMP_AT_LEAST, 0x4000_0000, 0, 1));
        program.push(statement(RETURN, Answer::Kill.code()));
    }
    branch(&rules, &mut program);
    program
}

fn branch(rules: &[Rule], program: &mut Vec<sock_filter>) {
    if rules.len() <= 2 {
        for rule in rules {
            let body = body(rule);
            program.push(jump(JUMP_EQUAL, rule.number, 0, short(body.len())));
            program.extend(body);
        }
        program.push(statement(RETURN, Answer::Allow.code()));
        return;
    }
    let (left, right) = rules.split_at(rules.len() / 2);
    program.push(jump(JUMP_AT_LEAST, right[0].number, 0, 1));
    let far = program.len();
    program.push(statement(JUMP, 0));
    branch(left, program);
    program[far].k = (program.len() - far - 1) as u32;
    branch(right, program);
}

fn body(rule: &Rule) -> Vec<sock_filter> {
    let mut body = Vec::new();
    for (tests, answer) in &rule.cases {
        for (index, test) in tests.iter().enumerate() {
            // Behind this test: the others, two instructions each, and the return.
            let over = short((tests.len() - index - 1) * 2 + 1);
            let (argument, test) = match *test {
                Test::Equals(argument, value) => (argument, jump(JUMP_EQUAL, value, 0, over)),
                Test::AnyBits(argument, bits) => (argument, jump(JUMP_ANY_BITS, bits, 0, over)),
            };
            body.push(statement(LOAD, ARGUMENTS + 8 * u32::from(argument)));
            body.push(test);
        }
        body.push(statement(RETURN, answer.code()));
    }
    body.push(statement(RETURN, rule.otherwise.code()));
    body
}

const fn statement(code: u16, k: u32) -> sock_filter {
    sock_filter { code, jt: 0, jf: 0, k }
}

const fn jump(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

fn short(length: usize) -> u8 {
    u8::try_from(length).expect("a rule of a few tests")
}

/// The same for root of a system, who may set any bit of a mode and change the root of a process: neither reaches further
/// than ids and files of its own namespaces.
pub(crate) fn deny_list_of(identity: Identity) -> Vec<Rule> {
    let mut rules = deny_list();
    if identity == Identity::System {
        rules.retain(|rule| !FOR_ROOT.contains(&libc::c_long::from(rule.number as i32)));
    }
    rules
}

/// Calls that only root of a system has a use for.
const FOR_ROOT: &[libc::c_long] = &[
    libc::SYS_chroot,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    SYS_FCHMODAT2,
    libc::SYS_mknodat,
    libc::SYS_openat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chmod,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_creat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_mknod,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
];

/// What no command needs that builds something, or what would undo the sandbox.
pub(crate) fn deny_list() -> Vec<Rule> {
    use Answer::{Allow, Errno};
    use Test::{AnyBits, Equals};
    const PERMISSION: Answer = Errno(libc::EPERM);
    const NO_SUCH_CALL: Answer = Errno(libc::ENOSYS);
    const SET_ID: u32 = 0o6000;
    const CREATES: u32 = (libc::O_CREAT | (libc::O_TMPFILE & !libc::O_DIRECTORY)) as u32;
    const NEW_NAMESPACE: u32 = 0x7e02_0000;

    let denied = [
        libc::SYS_acct,
        libc::SYS_add_key,
        libc::SYS_adjtimex,
        libc::SYS_bpf,
        libc::SYS_chroot,
        libc::SYS_clock_adjtime,
        libc::SYS_clock_settime,
        libc::SYS_delete_module,
        libc::SYS_fanotify_init,
        libc::SYS_finit_module,
        libc::SYS_fsconfig,
        libc::SYS_fsmount,
        libc::SYS_fsopen,
        libc::SYS_fspick,
        libc::SYS_init_module,
        libc::SYS_kcmp,
        libc::SYS_kexec_file_load,
        libc::SYS_kexec_load,
        libc::SYS_keyctl,
        libc::SYS_migrate_pages,
        libc::SYS_mount,
        libc::SYS_mount_setattr,
        libc::SYS_move_mount,
        libc::SYS_open_by_handle_at,
        libc::SYS_open_tree,
        libc::SYS_perf_event_open,
        libc::SYS_pidfd_getfd,
        libc::SYS_pivot_root,
        libc::SYS_process_madvise,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_ptrace,
        libc::SYS_quotactl,
        libc::SYS_quotactl_fd,
        libc::SYS_reboot,
        libc::SYS_request_key,
        libc::SYS_setdomainname,
        libc::SYS_sethostname,
        libc::SYS_setns,
        libc::SYS_settimeofday,
        libc::SYS_swapoff,
        libc::SYS_swapon,
        libc::SYS_syslog,
        libc::SYS_umount2,
        libc::SYS_userfaultfd,
        libc::SYS_vhangup,
        SYS_OPEN_TREE_ATTR,
    ];
    let mut rules: Vec<_> = denied.into_iter().map(|number| Rule::always(number, PERMISSION)).collect();
    // Programs have another way where these do not exist: clone with its flags in a register, plain reads and writes.
    let absent = [libc::SYS_clone3, libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register];
    rules.extend(absent.into_iter().map(|number| Rule::always(number, NO_SUCH_CALL)));
    rules.extend([
        Rule::when(libc::SYS_clone, vec![AnyBits(0, NEW_NAMESPACE)], PERMISSION),
        Rule::when(libc::SYS_unshare, vec![AnyBits(0, NEW_NAMESPACE | libc::CLONE_NEWTIME as u32)], PERMISSION),
        Rule::when(libc::SYS_fchmod, vec![AnyBits(1, SET_ID)], PERMISSION),
        Rule::when(libc::SYS_fchmodat, vec![AnyBits(2, SET_ID)], PERMISSION),
        Rule::when(SYS_FCHMODAT2, vec![AnyBits(2, SET_ID)], PERMISSION),
        Rule::when(libc::SYS_mknodat, vec![AnyBits(2, SET_ID)], PERMISSION),
        Rule::when(libc::SYS_openat, vec![AnyBits(2, CREATES), AnyBits(3, SET_ID)], PERMISSION),
        // Asking, and asking for what is set already.
        Rule {
            number: libc::SYS_personality as u32,
            cases: vec![(vec![Equals(0, u32::MAX)], Allow), (vec![Equals(0, libc::ADDR_NO_RANDOMIZE as u32)], Allow)],
            otherwise: PERMISSION,
        },
        // Limits of others: init has the same user and must not be squeezed.
        Rule { number: libc::SYS_prlimit64 as u32, cases: vec![(vec![Equals(0, 0)], Allow)], otherwise: PERMISSION },
        Rule {
            number: libc::SYS_socket as u32,
            cases: vec![
                (vec![Equals(0, libc::AF_UNIX as u32)], Allow),
                (vec![Equals(0, libc::AF_INET as u32)], Allow),
                (vec![Equals(0, libc::AF_INET6 as u32)], Allow),
                (vec![Equals(0, libc::AF_NETLINK as u32), Equals(2, libc::NETLINK_ROUTE as u32)], Allow),
            ],
            otherwise: Errno(libc::EAFNOSUPPORT),
        },
    ]);
    #[cfg(target_arch = "x86_64")]
    rules.extend([
        Rule::always(libc::SYS_ioperm, PERMISSION),
        Rule::always(libc::SYS_iopl, PERMISSION),
        Rule::always(libc::SYS_uselib, NO_SUCH_CALL),
        Rule::when(libc::SYS_chmod, vec![AnyBits(1, SET_ID)], PERMISSION),
        Rule::when(libc::SYS_creat, vec![AnyBits(1, SET_ID)], PERMISSION),
        Rule::when(libc::SYS_mknod, vec![AnyBits(1, SET_ID)], PERMISSION),
        Rule::when(libc::SYS_open, vec![AnyBits(1, CREATES), AnyBits(2, SET_ID)], PERMISSION),
    ]);
    rules
}

const SYS_FCHMODAT2: libc::c_long = 452;
const SYS_OPEN_TREE_ATTR: libc::c_long = 467;

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a program as the kernel does.
    fn answer(program: &[sock_filter], architecture: u32, number: u32, args: [u64; 6]) -> u32 {
        let (mut at, mut accumulator) = (0, 0);
        loop {
            let sock_filter { code, jt, jf, k } = program[at];
            at += 1;
            let holds = match code {
                LOAD => {
                    accumulator = match k {
                        NUMBER => number,
                        ARCHITECTURE => architecture,
                        offset => {
                            assert_eq!((offset - ARGUMENTS) % 8, 0);
                            args[((offset - ARGUMENTS) / 8) as usize] as u32
                        }
                    };
                    continue;
                }
                JUMP => {
                    at += k as usize;
                    continue;
                }
                RETURN => return k,
                JUMP_EQUAL => accumulator == k,
                JUMP_AT_LEAST => accumulator >= k,
                JUMP_ANY_BITS => accumulator & k != 0,
                other => panic!("instruction {other:#x}"),
            };
            at += usize::from(if holds { jt } else { jf });
        }
    }

    #[test]
    fn every_rule_is_found_and_nothing_else() {
        let rules = deny_list();
        let program = assemble(rules.clone());
        assert!(program.len() < 4096);
        for number in 0..1000 {
            let found = answer(&program, OUR_ARCHITECTURE, number, [0; 6]);
            let expected = rules.iter().find(|rule| rule.number == number).map_or(Answer::Allow, |rule| {
                let all_zero = |test: &Test| matches!(test, Test::Equals(_, 0));
                let case = rule.cases.iter().find(|(tests, _)| tests.iter().all(all_zero));
                case.map_or(rule.otherwise, |(_, answer)| *answer)
            });
            assert_eq!(found, expected.code(), "system call {number}");
        }
        let mut numbers: Vec<_> = rules.iter().map(|rule| rule.number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), rules.len(), "two rules for one call");
    }

    #[test]
    fn root_of_a_system_sets_modes_and_mounts_nothing() {
        let program = assemble(deny_list_of(Identity::System));
        let ask = |number: libc::c_long, args| answer(&program, OUR_ARCHITECTURE, number as u32, args);
        assert_eq!(ask(libc::SYS_fchmodat, [0, 0, 0o4755, 0, 0, 0]), Answer::Allow.code());
        assert_eq!(ask(libc::SYS_chroot, [0; 6]), Answer::Allow.code());
        for denied in [libc::SYS_mount, libc::SYS_setns, libc::SYS_keyctl, libc::SYS_ptrace, libc::SYS_bpf] {
            assert_eq!(ask(denied, [0; 6]), Answer::Errno(libc::EPERM).code());
        }
        let unshare = ask(libc::SYS_unshare, [libc::CLONE_NEWUSER as u64, 0, 0, 0, 0, 0]);
        assert_eq!(unshare, Answer::Errno(libc::EPERM).code());
        assert_eq!(deny_list().len() - deny_list_of(Identity::System).len(), FOR_ROOT.len());
    }

    #[test]
    fn foreign_calls_kill() {
        let program = assemble(deny_list());
        assert_eq!(answer(&program, 0x4000_0003, 1, [0; 6]), Answer::Kill.code());
        if cfg!(target_arch = "x86_64") {
            assert_eq!(answer(&program, OUR_ARCHITECTURE, 0x4000_0001, [0; 6]), Answer::Kill.code());
        }
    }

    #[test]
    fn arguments_decide() {
        let program = assemble(deny_list());
        let permission = Answer::Errno(libc::EPERM).code();
        let allow = Answer::Allow.code();
        let ask = |number: libc::c_long, args| answer(&program, OUR_ARCHITECTURE, number as u32, args);
        assert_eq!(ask(libc::SYS_clone, [libc::CLONE_VM as u64, 0, 0, 0, 0, 0]), allow);
        for flag in [libc::CLONE_NEWUSER, libc::CLONE_NEWNS, libc::CLONE_NEWNET, libc::CLONE_NEWPID] {
            assert_eq!(ask(libc::SYS_clone, [flag as u64, 0, 0, 0, 0, 0]), permission);
            assert_eq!(ask(libc::SYS_unshare, [flag as u64, 0, 0, 0, 0, 0]), permission);
        }
        assert_eq!(ask(libc::SYS_fchmodat, [0, 0, 0o755, 0, 0, 0]), allow);
        assert_eq!(ask(libc::SYS_fchmodat, [0, 0, 0o4755, 0, 0, 0]), permission);
        let create = libc::O_CREAT as u64;
        assert_eq!(ask(libc::SYS_openat, [0, 0, create, 0o644, 0, 0]), allow);
        assert_eq!(ask(libc::SYS_openat, [0, 0, create, 0o2644, 0, 0]), permission);
        assert_eq!(ask(libc::SYS_openat, [0, 0, 0, 0o2644, 0, 0]), allow, "mode is garbage without O_CREAT");
        let family = |family: i32, protocol| ask(libc::SYS_socket, [family as u64, 0, protocol, 0, 0, 0]);
        assert_eq!(family(libc::AF_UNIX, 0), allow);
        assert_eq!(family(libc::AF_NETLINK, 0), allow);
        assert_eq!(family(libc::AF_NETLINK, 9), Answer::Errno(libc::EAFNOSUPPORT).code());
        assert_eq!(family(libc::AF_VSOCK, 0), Answer::Errno(libc::EAFNOSUPPORT).code());
        assert_eq!(ask(libc::SYS_personality, [0xffff_ffff, 0, 0, 0, 0, 0]), allow);
        assert_eq!(ask(libc::SYS_personality, [0, 0, 0, 0, 0, 0]), permission);
        assert_eq!(ask(libc::SYS_prlimit64, [0, 7, 0, 0, 0, 0]), allow);
        assert_eq!(ask(libc::SYS_prlimit64, [1, 7, 0, 0, 0, 0]), permission);
    }
}
