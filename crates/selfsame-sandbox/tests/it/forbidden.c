/* Tries what a command must not be able to do; prints the error of each attempt. With an argument: a fork bomb. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static void say(const char *what, long result) {
    printf("%s: %s\n", what, result < 0 ? strerrorname_np(errno) : "DONE");
}

int main(int argc, char **argv) {
    (void)argv;
    while (argc > 1) if (fork() < 0) usleep(1000);
    char byte = 0;
    struct iovec mine = {&byte, 1}, theirs = {(void *)4096, 1};
    struct rlimit limit = {1, 1};
    struct timespec now = {1, 0};
    struct sockaddr_in far = {.sin_family = AF_INET, .sin_port = htons(53)};
    inet_aton("8.8.8.8", &far.sin_addr);

    say("ptrace init", ptrace(PTRACE_ATTACH, 1, 0, 0));
    say("ptrace self", ptrace(PTRACE_TRACEME, 0, 0, 0));
    say("process_vm_readv", process_vm_readv(1, &mine, 1, &theirs, 1, 0));
    say("prlimit init", prlimit(1, RLIMIT_NOFILE, &limit, 0));
    say("init memory", open("/proc/1/mem", O_RDWR));
    say("init root", open("/proc/1/root/etc/passwd", O_RDONLY));
    say("init environment", open("/proc/1/environ", O_RDONLY));
    say("kill init", syscall(SYS_kill, 1, 9));
    say("unshare user", unshare(CLONE_NEWUSER));
    say("unshare mount", unshare(CLONE_NEWNS));
    say("clone user", syscall(SYS_clone, CLONE_NEWUSER | 17, 0, 0, 0, 0));
    say("clone3", syscall(SYS_clone3, 0, 0));
    say("setns", setns(0, 0));
    say("mount", mount("none", "/tmp", "tmpfs", 0, 0));
    say("umount", umount2("/proc", MNT_DETACH));
    say("chroot", chroot("/tmp"));
    say("clock_settime", clock_settime(CLOCK_REALTIME, &now));
    say("sethostname", sethostname("x", 1));
    say("setuid 0", setuid(0));
    say("setgid 0", setgid(0));
    say("keyctl", syscall(SYS_keyctl, 0, 0, 0, 0, 0));
    say("bpf", syscall(SYS_bpf, 0, 0, 0));
    say("io_uring", syscall(SYS_io_uring_setup, 1, 0));
    say("perf", syscall(SYS_perf_event_open, 0, 0, 0, 0, 0));
    say("userfaultfd", syscall(SYS_userfaultfd, 0));
    say("open_by_handle_at", syscall(SYS_open_by_handle_at, 0, 0, 0));
    say("syslog", syscall(SYS_syslog, 3, 0, 0));
    say("personality", personality(PER_LINUX32));
    say("randomise", personality(PER_LINUX));
    say("set-id chmod", chmod("/tmp", 04755));
    say("set-id create", open("/tmp/set-id", O_CREAT | O_WRONLY, 04755));
    say("mknod", mknod("/tmp/disk", S_IFBLK | 0600, 0x800));
    say("vsock", socket(AF_VSOCK, SOCK_STREAM, 0));
    say("packet", socket(AF_PACKET, SOCK_RAW, 0));
    say("raw", socket(AF_INET, SOCK_RAW, 1));
    say("kernel netlink", socket(AF_NETLINK, SOCK_RAW, 15));
    int to = socket(AF_INET, SOCK_STREAM, 0);
    say("connect", connect(to, (void *)&far, sizeof far));
    say("sysrq", open("/proc/sysrq-trigger", O_WRONLY));
    say("core pattern", open("/proc/sys/kernel/core_pattern", O_WRONLY));
    say("kcore", read(open("/proc/kcore", O_RDONLY), &byte, 1) > 0 ? 0 : (errno = EIO, -1));
    say("capabilities", prctl(PR_CAPBSET_READ, 21, 0, 0, 0) ? 0 : (errno = EPERM, -1));
    say("no_new_privs", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? (errno = EPERM, -1) : 0);
    return 0;
}
