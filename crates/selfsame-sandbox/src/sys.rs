//! The calls that rustix does not wrap, each as small as it can be. All unsafe code of the workspace stands here.

use std::ffi::{CStr, CString};
use std::io;
use std::mem::{MaybeUninit, size_of, zeroed};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use rustix::process::Pid;
use rustix::thread::UnshareFlags;

/// `fork`: nothing in the child, the child's pid in the parent.
pub(crate) fn fork() -> io::Result<Option<Pid>> {
    // SAFETY: every caller is the helper before it starts its only other thread (the observer), or a probe child of
    // its own, so no other thread can hold a lock that the child then waits for.
    let pid = unsafe { libc::fork() };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        pid => Ok(Pid::from_raw(pid)),
    }
}

/// Leaves at once, without destructors and exit handlers, which belong to the parent of a fork.
pub(crate) fn exit_now(status: i32) -> ! {
    // SAFETY: `_exit` has no preconditions.
    unsafe { libc::_exit(status) }
}

/// `unshare` of namespaces only.
pub(crate) fn unshare(namespaces: UnshareFlags) -> io::Result<()> {
    debug_assert!(!namespaces.contains(UnshareFlags::FILES));
    // SAFETY: the one hazard that rustix names is a file table shared with threads (`FILES`), which is never asked for.
    Ok(unsafe { rustix::thread::unshare_unsafe(namespaces) }?)
}

/// Closes every descriptor from `first` on.
pub(crate) fn close_from(first: u32) -> io::Result<()> {
    close_range(first, 0)
}

/// Marks every descriptor from `first` on to be closed by `execve`.
pub(crate) fn cloexec_from(first: u32) -> io::Result<()> {
    close_range(first, libc::CLOSE_RANGE_CLOEXEC)
}

fn close_range(first: u32, flags: u32) -> io::Result<()> {
    // SAFETY: passes three integers. Callers own no descriptor from `first` on, or only mark it.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, flags) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Makes `fd` also the descriptor `number`, kept over `execve`.
pub(crate) fn dup_to(fd: BorrowedFd<'_>, number: RawFd) -> io::Result<()> {
    // SAFETY: passes two integers; what `number` was before is standard input, output or error, or not open, and no
    // owned descriptor of this process has that number.
    let result = unsafe { libc::dup2(fd.as_raw_fd(), number) };
    if result == number { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Takes over a descriptor that this process was started with.
pub(crate) fn inherited(number: RawFd) -> OwnedFd {
    // SAFETY: called once for each number, at the start of the helper, for a descriptor that its parent made for it.
    unsafe { OwnedFd::from_raw_fd(number) }
}

/// `execve`; comes back only when it fails.
pub(crate) fn execve(program: &CStr, argv: &[CString], env: &[CString]) -> io::Error {
    let argv: Vec<_> = argv.iter().map(|word| word.as_ptr()).chain([ptr::null()]).collect();
    let env: Vec<_> = env.iter().map(|word| word.as_ptr()).chain([ptr::null()]).collect();
    // SAFETY: both arrays end in a null pointer, and what they point to outlives the call.
    unsafe { libc::execve(program.as_ptr(), argv.as_ptr(), env.as_ptr()) };
    io::Error::last_os_error()
}

/// `personality(ADDR_NO_RANDOMIZE)` on top of what is set.
pub(crate) fn fix_addresses() -> io::Result<()> {
    // SAFETY: passes an integer; 0xffffffff asks and changes nothing.
    let now = unsafe { libc::personality(0xffff_ffff) };
    if now < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: as above.
    let result = unsafe { libc::personality((now | libc::ADDR_NO_RANDOMIZE) as libc::c_ulong) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Every signal back to its default action and unblocked, as a fresh process has them.
pub(crate) fn reset_signals() {
    for signal in 1..=64 {
        // SAFETY: sets a default action; the numbers that may not be set (9, 19, 32, 33) are refused, which is right.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // SAFETY: the set is initialised by `sigemptyset` before it is read.
    unsafe {
        let mut none = MaybeUninit::uninit();
        libc::sigemptyset(none.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), ptr::null_mut());
    }
}

/// Blocks `SIGCHLD` and gives a descriptor that is readable when one came.
pub(crate) fn child_signals() -> io::Result<OwnedFd> {
    // SAFETY: the set is initialised by `sigemptyset` before it is read; the descriptor is new and ours.
    unsafe {
        let mut set = MaybeUninit::uninit();
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGCHLD);
        libc::sigprocmask(libc::SIG_BLOCK, set.as_ptr(), ptr::null_mut());
        owned(libc::signalfd(-1, set.as_ptr(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK))
    }
}

/// Sends a signal to every process of the pid namespace but init, and to none elsewhere.
///
/// # Panics
/// When this process is not init: the same call would then reach every process of the user.
pub(crate) fn signal_all_others(signal: i32) {
    assert_eq!(std::process::id(), 1, "only the init of a pid namespace kills everything");
    // SAFETY: passes two integers.
    unsafe { libc::kill(-1, signal) };
}

/// Mount attributes over a mount or a whole tree of mounts.
pub(crate) fn set_mount_attributes(tree: BorrowedFd<'_>, recursive: bool, set: u64) -> io::Result<()> {
    /// `struct mount_attr` of linux/mount.h.
    #[repr(C)]
    struct Attributes {
        set: u64,
        clear: u64,
        propagation: u64,
        user_namespace: u64,
    }
    let attributes = Attributes { set, clear: 0, propagation: 0, user_namespace: 0 };
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is empty and ends in NUL, and the structure has the length that is passed.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attributes,
            size_of::<Attributes>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Brings the loopback interface of the network namespace up.
pub(crate) fn loopback_up() -> io::Result<()> {
    // SAFETY: the request is zeroed, a valid value for plain data, and its name ends in NUL; the socket is ours.
    unsafe {
        let socket = owned(libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0))?;
        let mut request: libc::ifreq = zeroed();
        request.ifr_name[0] = b'l' as libc::c_char;
        request.ifr_name[1] = b'o' as libc::c_char;
        request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
        match libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw const request) {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// Installs a seccomp filter on this thread. With `listen`, gives the descriptor that its notifications come from.
pub(crate) fn install_filter(program: &[libc::sock_filter], listen: bool) -> io::Result<Option<OwnedFd>> {
    let length = program.len().try_into().map_err(|_| io::Error::from_raw_os_error(libc::E2BIG))?;
    let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut() };
    let flags = if listen { libc::SECCOMP_FILTER_FLAG_NEW_LISTENER } else { 0 };
    // SAFETY: the kernel only reads the program, whose length is that of the slice; a listener is a new descriptor.
    unsafe {
        let result = libc::syscall(
            libc::SYS_seccomp,
            libc::c_long::from(libc::SECCOMP_SET_MODE_FILTER),
            flags,
            &raw const program,
        );
        match (result, listen) {
            (..0, _) => Err(io::Error::last_os_error()),
            (fd, true) => owned(fd as RawFd).map(Some),
            (_, false) => Ok(None),
        }
    }
}

/// Installs a seccomp filter on every thread of this process.
pub(crate) fn install_filter_everywhere(program: &[libc::sock_filter]) -> io::Result<()> {
    let length = program.len().try_into().map_err(|_| io::Error::from_raw_os_error(libc::E2BIG))?;
    let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut() };
    // SAFETY: the kernel only reads the program, whose length is that of the slice.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::c_long::from(libc::SECCOMP_SET_MODE_FILTER),
            libc::SECCOMP_FILTER_FLAG_TSYNC,
            &raw const program,
        )
    };
    match result {
        0 => Ok(()),
        ..0 => Err(io::Error::last_os_error()),
        // The number of a thread that could not be given the filter, and none was.
        _ => Err(io::Error::other("a thread of the process has another filter")),
    }
}

/// One notified system call.
pub(crate) struct Notification {
    /// To answer it with.
    pub(crate) id: u64,
    /// The calling thread, as this process numbers it.
    pub(crate) pid: u32,
    /// Number and arguments.
    pub(crate) nr: i32,
    /// The six arguments.
    pub(crate) args: [u64; 6],
}

/// Waits for a notification. An interrupted or outlived call is an error to try again after.
pub(crate) fn next_notification(listener: BorrowedFd<'_>) -> io::Result<Notification> {
    // SAFETY: the kernel wants a zeroed structure and fills it; all its fields are integers.
    unsafe {
        let mut notification: libc::seccomp_notif = zeroed();
        if libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV as _, &raw mut notification) < 0 {
            return Err(io::Error::last_os_error());
        }
        let data = notification.data;
        Ok(Notification { id: notification.id, pid: notification.pid, nr: data.nr, args: data.args })
    }
}

/// Whether the notified call is still waiting, so that what was read of its process was its own.
pub(crate) fn is_waiting(listener: BorrowedFd<'_>, id: u64) -> bool {
    // SAFETY: the kernel reads one 64-bit number.
    unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ID_VALID as _, &raw const id) == 0 }
}

/// Lets a notified call go on as if nobody had looked.
pub(crate) fn let_continue(listener: BorrowedFd<'_>, id: u64) -> io::Result<()> {
    let answer =
        libc::seccomp_notif_resp { id, val: 0, error: 0, flags: libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32 };
    // SAFETY: the kernel reads the structure that the request number names.
    let result = unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND as _, &raw const answer) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Asks the kernel to hand over between caller and listener on one CPU (Linux 6.6). Older kernels refuse, which costs
/// time and nothing else.
pub(crate) fn wake_synchronously(listener: BorrowedFd<'_>) {
    const SYNC_WAKE_UP: libc::c_ulong = 1;
    // SAFETY: passes two integers.
    unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS as _, SYNC_WAKE_UP) };
}

fn owned(fd: RawFd) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: every caller passes the result of a call that makes a new descriptor, and keeps no copy.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
