//! System calls that an engine process may not make. Each ends it.

use std::ffi::c_long;
use std::ptr::null;

use libc::{c_int, syscall};

/// What one of them is made with.
type Made = fn() -> c_long;

macro_rules! raw {
    ($number:expr $(, $argument:expr)*) => {
        // SAFETY: what is written to is this process's own, if anything.
        || unsafe { syscall($number $(, $argument)*) }
    };
}

const PAGE: usize = 4096;

pub(crate) const CALLS: &[(&str, Made)] = &[
    // Files.
    ("open-a-file", raw!(libc::SYS_openat, libc::AT_FDCWD, c"/etc/shadow".as_ptr(), libc::O_RDONLY)),
    ("open-its-own-memory", raw!(libc::SYS_openat, libc::AT_FDCWD, c"/proc/self/mem".as_ptr(), libc::O_RDWR)),
    ("open-the-host", raw!(libc::SYS_openat, libc::AT_FDCWD, c"/proc/1/root".as_ptr(), libc::O_PATH)),
    ("file-in-memory", raw!(libc::SYS_memfd_create, c"m".as_ptr(), 0)),
    ("copy-a-descriptor", raw!(libc::SYS_dup, 0)),
    ("control-a-descriptor", raw!(libc::SYS_fcntl, 3, libc::F_DUPFD, 100)),
    ("write-to-a-file", raw!(libc::SYS_write, 3, c"x".as_ptr(), 1usize)),
    ("read-the-code", raw!(libc::SYS_pread64, 3, 0usize, 0usize, 0usize)),
    // Others.
    ("socket", raw!(libc::SYS_socket, libc::AF_UNIX, libc::SOCK_STREAM, 0)),
    ("netlink-socket", raw!(libc::SYS_socket, libc::AF_NETLINK, libc::SOCK_RAW, 0)),
    ("connect-a-line", raw!(libc::SYS_connect, 4, null::<u8>(), 0)),
    ("shut-a-line", raw!(libc::SYS_shutdown, 4, libc::SHUT_RDWR)),
    ("pass-a-descriptor", raw!(libc::SYS_sendmsg, 4, null::<libc::msghdr>(), 0)),
    ("take-a-descriptor", raw!(libc::SYS_recvmsg, 4, null::<libc::msghdr>(), 0)),
    ("kill-everyone", raw!(libc::SYS_kill, -1, libc::SIGKILL)),
    ("kill-its-group", raw!(libc::SYS_kill, 0, libc::SIGKILL)),
    ("kill-the-first-process", raw!(libc::SYS_kill, 1, libc::SIGKILL)),
    ("kill-a-thread", raw!(libc::SYS_tgkill, 1, 1, libc::SIGKILL)),
    ("trace-another-process", raw!(libc::SYS_ptrace, libc::PTRACE_ATTACH, 1, 0, 0)),
    ("be-traced", raw!(libc::SYS_ptrace, libc::PTRACE_TRACEME, 0, 0, 0)),
    ("read-another-processs-memory", raw!(libc::SYS_process_vm_readv, 1, null::<u8>(), 0, null::<u8>(), 0, 0)),
    ("write-another-processs-memory", raw!(libc::SYS_process_vm_writev, 1, null::<u8>(), 0, null::<u8>(), 0, 0)),
    ("handle-of-another-process", raw!(libc::SYS_pidfd_open, 1, 0)),
    ("descriptor-of-another-process", raw!(libc::SYS_pidfd_getfd, 3, 0, 0)),
    // Processes, programs, memory that is code.
    ("clone-a-process", raw!(libc::SYS_clone, libc::SIGCHLD, 0usize, 0usize, 0usize, 0usize)),
    ("fork", || {
        // SAFETY: the child, if there is one, ends at once.
        match unsafe { libc::fork() } {
            0 => std::process::exit(0),
            child => c_long::from(child),
        }
    }),
    ("thread", || c_long::from(std::thread::Builder::new().spawn(|| {}).is_err())),
    ("start-a-program", raw!(libc::SYS_execve, c"/bin/sh".as_ptr(), null::<u8>(), null::<u8>())),
    ("new-code", raw!(libc::SYS_mmap, 0usize, PAGE, libc::PROT_EXEC | libc::PROT_WRITE, PRIVATE, -1, 0usize)),
    ("code-from-a-file", raw!(libc::SYS_mmap, 0usize, PAGE, libc::PROT_EXEC, libc::MAP_PRIVATE, 3, 0usize)),
    ("data-becomes-code", || {
        let page = [0u8; 2 * PAGE];
        let start = page.as_ptr().addr() & !(PAGE - 1);
        // SAFETY: nothing runs from there.
        unsafe { syscall(libc::SYS_mprotect, start, PAGE, libc::PROT_READ | libc::PROT_EXEC) }
    }),
    ("data-becomes-code-by-a-key", raw!(libc::SYS_pkey_mprotect, 0usize, PAGE, libc::PROT_EXEC, -1)),
    // Memory that no limit counts.
    ("shared-memory", raw!(libc::SYS_mmap, 0usize, PAGE, libc::PROT_WRITE, SHARED, -1, 0usize)),
    (
        "memory-as-a-stack",
        raw!(libc::SYS_mmap, 0usize, PAGE, libc::PROT_WRITE, PRIVATE | libc::MAP_GROWSDOWN, -1, 0usize),
    ),
    ("huge-pages", raw!(libc::SYS_mmap, 0usize, 2 << 20, libc::PROT_WRITE, PRIVATE | libc::MAP_HUGETLB, -1, 0usize)),
    ("system-v-memory", raw!(libc::SYS_shmget, libc::IPC_PRIVATE, PAGE, 0o600)),
    // Rights.
    ("become-root", raw!(libc::SYS_setresuid, 0, 0, 0)),
    ("take-capabilities", raw!(libc::SYS_capset, null::<u8>(), null::<u8>())),
    ("raise-a-limit", raw!(libc::SYS_prlimit64, 0, libc::RLIMIT_DATA, null::<u8>(), null::<u8>())),
    ("new-user-namespace", raw!(libc::SYS_unshare, libc::CLONE_NEWUSER)),
    ("enter-a-namespace", raw!(libc::SYS_setns, 3, 0)),
    ("mount", raw!(libc::SYS_mount, c"none".as_ptr(), c"/".as_ptr(), c"tmpfs".as_ptr(), 0, null::<u8>())),
    ("change-the-root", raw!(libc::SYS_chroot, c"/".as_ptr())),
    ("be-dumpable", raw!(libc::SYS_prctl, libc::PR_SET_DUMPABLE, 1, 0, 0, 0)),
    ("outlive-the-launcher", raw!(libc::SYS_prctl, libc::PR_SET_PDEATHSIG, 0, 0, 0, 0)),
    ("another-filter", raw!(libc::SYS_seccomp, 0, 0, null::<u8>())),
    // The kernel's further doors.
    ("bpf", raw!(libc::SYS_bpf, 0, null::<u8>(), 0)),
    ("io-uring", raw!(libc::SYS_io_uring_setup, 1, null::<u8>())),
    ("perf", raw!(libc::SYS_perf_event_open, null::<u8>(), 0, -1, -1, 0)),
    ("userfaultfd", raw!(libc::SYS_userfaultfd, 0)),
    ("keys", raw!(libc::SYS_keyctl, 0, 0, 0, 0, 0)),
    ("module", raw!(libc::SYS_init_module, null::<u8>(), 0usize, c"".as_ptr())),
    ("reboot", raw!(libc::SYS_reboot, 0, 0, 0, 0)),
    ("abort", || std::process::abort()),
    #[cfg(target_arch = "x86_64")]
    ("call-of-the-x32-interface", raw!(0x4000_0000 | libc::SYS_getpid)),
    #[cfg(target_arch = "x86_64")]
    ("call-of-a-32-bit-machine", || {
        let mut result: i64 = 20;
        // SAFETY: getpid, by the number that it has there.
        unsafe {
            std::arch::asm!("int 0x80", inlateout("rax") result, out("r8") _, out("r9") _, out("r10") _, out("r11") _)
        };
        result
    }),
];

const PRIVATE: c_int = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
const SHARED: c_int = libc::MAP_SHARED | libc::MAP_ANONYMOUS;

/// Makes one by its name here, or by its number with nothing. What it says, it says if it comes back.
pub(crate) fn make(name: &str) -> String {
    let result = match (CALLS.iter().find(|(known, _)| *known == name), name.parse::<c_long>()) {
        (Some((_, call)), _) => call(),
        // SAFETY: zero is no address, and no number of a call that goes by others.
        (None, Ok(number)) => unsafe { syscall(number, 0, 0, 0, 0, 0, 0) },
        (None, Err(_)) => return format!("there is no attack {name}"),
    };
    format!("came back with {result}")
}
