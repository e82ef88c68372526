//! A process that needs no network any more gives it up for good.

use std::io;

use crate::filter::{Answer, Rule, assemble};
use crate::sys;

/// Makes the kernel refuse this process, its threads and its children, from now on and for good, every new socket, messages
/// over those that it has, and the ways to those of others. Programs cannot be started any more either.
///
/// A socket that is open can still be read and written as a file is, with `read` and `write`: to close it is up to the caller.
///
/// # Errors
/// The kernel, or who started this process, does not allow it; nothing was given up then.
pub fn give_up_the_network() -> io::Result<()> {
    rustix::thread::set_no_new_privs(true)?;
    sys::install_filter_everywhere(&assemble(rules()))?;
    // What is said to be refused is tried.
    match rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None) {
        Err(rustix::io::Errno::ACCESS) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => Err(io::Error::other("the kernel took the filter and opens sockets all the same")),
    }
}

fn rules() -> Vec<Rule> {
    let calls = [
        libc::SYS_socket,
        libc::SYS_socketpair,
        libc::SYS_connect,
        libc::SYS_bind,
        libc::SYS_listen,
        libc::SYS_accept,
        libc::SYS_accept4,
        libc::SYS_sendto,
        libc::SYS_sendmsg,
        libc::SYS_sendmmsg,
        libc::SYS_recvfrom,
        libc::SYS_recvmsg,
        libc::SYS_recvmmsg,
        // Ways to the sockets of others, and past this list.
        libc::SYS_pidfd_getfd,
        libc::SYS_ptrace,
        libc::SYS_process_vm_writev,
        libc::SYS_io_uring_setup,
        libc::SYS_io_uring_enter,
        libc::SYS_execve,
        libc::SYS_execveat,
    ];
    calls.into_iter().map(|number| Rule::always(number, Answer::Errno(libc::EACCES))).collect()
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::process::Command;

    /// In a process of its own: what is given up does not come back.
    #[test]
    fn nothing_is_reached_afterwards() {
        if std::env::var_os("SELFSAME_TEST_OFFLINE").is_none() {
            let name = "offline::tests::nothing_is_reached_afterwards";
            let test = std::env::current_exe().expect("this test");
            let output = Command::new(test)
                .args([name, "--exact", "--nocapture"])
                .env("SELFSAME_TEST_OFFLINE", "1")
                .output()
                .expect("the test, again");
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(
                output.status.success() && said.contains("1 passed"),
                "{said}{}",
                String::from_utf8_lossy(&output.stderr)
            );
            return;
        }
        let listener = TcpListener::bind("127.0.0.1:0").expect("a socket before");
        let address = listener.local_addr().expect("its address");
        let elsewhere = std::thread::spawn(move || {
            // A thread that was there before is closed in, too.
            std::thread::sleep(std::time::Duration::from_millis(300));
            TcpStream::connect(address).map(drop).map_err(|error| error.kind())
        });
        super::give_up_the_network().expect("a kernel with seccomp");
        let denied = std::io::ErrorKind::PermissionDenied;
        assert_eq!(TcpStream::connect(address).map(drop).map_err(|error| error.kind()), Err(denied));
        assert_eq!(TcpListener::bind("127.0.0.1:0").map(drop).map_err(|error| error.kind()), Err(denied));
        assert_eq!(listener.accept().map(drop).map_err(|error| error.kind()), Err(denied));
        assert_eq!(elsewhere.join().expect("a thread"), Err(denied));
        assert_eq!(Command::new("/bin/true").status().map(drop).map_err(|error| error.kind()), Err(denied));
        assert!(std::fs::read("/proc/self/status").is_ok(), "files can be read");
    }
}
