//! seccomp: the system calls of each process. All others answer EPERM, so that a library that tries one goes on without it; in an engine
//! process they end it.
//!
//! The lists are what the tests' daemons were seen to call, and what the same functions of libc call on other versions and machines.

use std::collections::BTreeMap;

use libc::*;
use seccompiler::SeccompCmpArgLen::Dword;
use seccompiler::SeccompCmpOp::{Eq, MaskedEq};
use seccompiler::{
    BackendError, BpfProgram, Error, SeccompAction, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter_all_threads,
};

/// System calls by number. No rule: with any arguments.
type Calls = BTreeMap<i64, Vec<SeccompRule>>;

/// linux/nsfs.h: which kind of namespace it is.
const NS_GET_NSTYPE: u64 = 0xb703;

/// asm-generic/ioctls.h: TCGETS, FIONBIO, FIOCLEX. Whether a file is a terminal, and how one waits.
const CONTROLS: [u64; 4] = [0x5401, 0x5421, 0x5451, NS_GET_NSTYPE];

/// Every kind of namespace that clone(2) can make.
const NEW_NAMESPACES: u64 =
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET) as u64;

/// Memory, threads' locks, time and the end.
#[rustfmt::skip]
const BASE: &[c_long] = &[
    SYS_read, SYS_write, SYS_writev, SYS_close, SYS_fstat, SYS_newfstatat, SYS_statx, SYS_lseek, SYS_fcntl, SYS_mmap,
    SYS_munmap, SYS_mprotect, SYS_mremap, SYS_madvise, SYS_brk, SYS_futex, SYS_sched_yield, SYS_sched_getaffinity,
    SYS_set_robust_list, SYS_rseq, SYS_membarrier, SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn,
    SYS_sigaltstack, SYS_restart_syscall, SYS_tgkill, SYS_clock_gettime, SYS_clock_nanosleep, SYS_nanosleep,
    SYS_getrandom, SYS_getpid, SYS_gettid, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid, SYS_exit,
    SYS_exit_group,
];

/// Files, sockets, waiting. It starts no program, and no memory of it becomes code: what is foreign is run and compiled elsewhere.
#[rustfmt::skip]
const DAEMON: &[c_long] = &[
    SYS_openat, SYS_readv, SYS_pread64, SYS_pwrite64, SYS_ftruncate, SYS_fallocate, SYS_fsync, SYS_fdatasync,
    SYS_flock, SYS_getdents64, SYS_getcwd, SYS_readlinkat, SYS_faccessat, SYS_faccessat2, SYS_statfs, SYS_fstatfs,
    SYS_mkdirat, SYS_unlinkat, SYS_renameat, SYS_renameat2, SYS_fchmod, SYS_fchmodat, SYS_fchown, SYS_umask,
    SYS_memfd_create, SYS_dup, SYS_dup3, SYS_pipe2, SYS_eventfd2, SYS_ppoll, SYS_pselect6, SYS_epoll_create1,
    SYS_epoll_ctl, SYS_epoll_pwait, SYS_epoll_pwait2, SYS_socketpair, SYS_bind, SYS_listen, SYS_accept, SYS_accept4,
    SYS_connect, SYS_shutdown, SYS_getsockname, SYS_getpeername, SYS_getsockopt, SYS_setsockopt, SYS_sendto,
    SYS_inotify_init1, SYS_inotify_add_watch,
    SYS_sendmsg, SYS_recvfrom, SYS_recvmsg, SYS_wait4, SYS_waitid, SYS_getppid, SYS_uname, SYS_sysinfo, SYS_prlimit64,
];

/// Opening a path, mounting, passing files over a socket.
const KEYHOLDER: &[c_long] =
    &[SYS_openat, SYS_mkdirat, SYS_fstatfs, SYS_statfs, SYS_readlinkat, SYS_umount2, SYS_recvmsg, SYS_sendmsg];

/// Making engine processes, taking their rights, ending them; files pass through.
#[rustfmt::skip]
const LAUNCHER: &[c_long] = &[
    SYS_recvmsg, SYS_sendmsg, SYS_wait4, SYS_waitid, SYS_kill, SYS_getppid, SYS_setgroups, SYS_setresgid, SYS_setresuid,
    SYS_capget, SYS_capset, SYS_prlimit64, SYS_dup3, SYS_seccomp, SYS_set_tid_address,
];

/// Running compiled code: memory, its lines, threads' locks, time and the end. Threads are there already.
#[rustfmt::skip]
const ENGINE: &[c_long] = &[
    SYS_sendto, SYS_recvfrom, SYS_close, SYS_mmap, SYS_munmap, SYS_mprotect, SYS_mremap,
    SYS_madvise, SYS_brk, SYS_futex, SYS_sched_yield, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_sigaltstack,
    SYS_restart_syscall, SYS_clock_gettime, SYS_clock_nanosleep, SYS_getrandom, SYS_exit, SYS_exit_group,
];

/// Reading code, copying it, giving the rest of the rights up.
#[rustfmt::skip]
const LOADING: &[c_long] = &[
    SYS_pread64, SYS_lseek, SYS_memfd_create, SYS_ftruncate, SYS_write, SYS_fcntl, SYS_membarrier, SYS_seccomp,
];

/// What newer machines have no number for.
#[cfg(target_arch = "x86_64")]
mod old {
    use libc::*;

    pub const BASE: &[c_long] = &[SYS_time, SYS_arch_prctl];
    #[rustfmt::skip]
    pub const DAEMON: &[c_long] = &[
        SYS_open, SYS_stat, SYS_lstat, SYS_access, SYS_readlink, SYS_mkdir, SYS_unlink, SYS_rmdir, SYS_rename,
        SYS_chmod, SYS_dup2, SYS_pipe, SYS_poll, SYS_select, SYS_epoll_wait, SYS_getrlimit,
    ];
    pub const KEYHOLDER: &[c_long] = &[SYS_open, SYS_stat, SYS_lstat, SYS_mkdir, SYS_readlink, SYS_poll];
    pub const LAUNCHER: &[c_long] = &[SYS_dup2, SYS_fork, SYS_getrlimit, SYS_setrlimit];
}
#[cfg(not(target_arch = "x86_64"))]
mod old {
    use libc::c_long;

    pub const BASE: &[c_long] = &[];
    pub const DAEMON: &[c_long] = &[];
    pub const KEYHOLDER: &[c_long] = &[];
    pub const LAUNCHER: &[c_long] = &[];
}

/// The daemon's. It enters and makes network namespaces and no others, and mounts nothing.
pub(super) fn daemon() -> Result<Calls, BackendError> {
    let domains = [AF_UNIX, AF_NETLINK, AF_INET, AF_INET6].map(|domain| domain as u64);
    let mut calls = plain(&[BASE, old::BASE, DAEMON, old::DAEMON]);
    calls.insert(SYS_socket, any_of(0, domains)?);
    calls.insert(SYS_ioctl, any_of(1, CONTROLS)?);
    calls.insert(SYS_setns, any_of(1, [CLONE_NEWNET as u64])?);
    calls.insert(SYS_unshare, any_of(0, [CLONE_NEWNET as u64])?);
    calls.insert(SYS_clone, vec![only(0, MaskedEq(CLONE_THREAD as u64), CLONE_THREAD as u64)?]);
    calls.insert(SYS_prctl, any_of(0, [PR_SET_NAME as u64])?);
    for call in [SYS_mmap, SYS_mprotect] {
        calls.insert(call, vec![SeccompRule::new(vec![no_code()?])?]);
    }
    Ok(calls)
}

/// The compiler child's: no file, no socket, no thread, no child.
pub(super) fn compiler() -> Result<Calls, BackendError> {
    Ok(plain(&[BASE, old::BASE]))
}

/// The keyholder's: of mounts, only bindings.
pub(super) fn keyholder() -> Result<Calls, BackendError> {
    let mut calls = plain(&[BASE, old::BASE, KEYHOLDER, old::KEYHOLDER]);
    calls.insert(SYS_ioctl, any_of(1, [NS_GET_NSTYPE])?);
    calls.insert(SYS_mount, any_of(3, [MS_BIND])?);
    calls.insert(SYS_clone, threads_and_children()?);
    calls.insert(SYS_prctl, any_of(0, [PR_SET_NAME as u64])?);
    Ok(calls)
}

/// The launcher's, and so all that its engines could have.
pub(super) fn launcher() -> Result<Calls, BackendError> {
    let mut calls = plain(&[BASE, old::BASE, LAUNCHER, old::LAUNCHER, ENGINE, LOADING]);
    calls.insert(SYS_clone, threads_and_children()?);
    let more = [PR_SET_PDEATHSIG, PR_SET_DUMPABLE].map(|n| n as u64);
    calls.insert(SYS_prctl, any_of(0, prctls().into_iter().chain(more))?);
    Ok(calls)
}

/// An engine process's while it loads code. It may go on to less.
pub(super) fn loading() -> Result<Calls, BackendError> {
    let mut calls = plain(&[ENGINE, LOADING]);
    speak(&mut calls)?;
    calls.insert(SYS_mmap, vec![SeccompRule::new(vec![counted()?])?]);
    calls.insert(SYS_prctl, any_of(0, [PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP].map(|n| n as u64))?);
    Ok(calls)
}

/// An engine process's while a driver's code runs. It may say to nobody (standard error) why it panics.
pub(super) fn running() -> Result<Calls, BackendError> {
    let mut calls = plain(&[ENGINE]);
    speak(&mut calls)?;
    calls.insert(SYS_write, any_of(0, [2])?);
    calls.insert(SYS_mmap, vec![SeccompRule::new(vec![no_code()?, counted()?])?]);
    calls.insert(SYS_mprotect, vec![SeccompRule::new(vec![no_code()?])?]);
    Ok(calls)
}

/// On its lines, in the ways that it does: others have had holes.
fn speak(calls: &mut Calls) -> Result<(), BackendError> {
    calls.insert(SYS_sendto, any_of(3, [MSG_NOSIGNAL as u64])?);
    calls.insert(SYS_recvfrom, any_of(3, [0])?);
    Ok(())
}

/// Memory does not become code.
fn no_code() -> Result<SeccompCondition, BackendError> {
    condition(2, MaskedEq(PROT_EXEC as u64), 0)
}

/// New memory is this process's own, and counts against its limit: what is shared, grows like a stack or is of huge pages does not.
fn counted() -> Result<SeccompCondition, BackendError> {
    condition(3, MaskedEq((MAP_TYPE | MAP_GROWSDOWN | MAP_HUGETLB) as u64), MAP_PRIVATE as u64)
}

/// Lets all threads of this process make these system calls and no others.
pub(super) fn allow(calls: Result<Calls, BackendError>, others: SeccompAction) -> Result<(), Error> {
    let architecture = std::env::consts::ARCH.try_into()?;
    let filter = |calls, others: SeccompAction, these: SeccompAction| -> Result<BpfProgram, Error> {
        Ok(SeccompFilter::new(calls, others, these, architecture)?.try_into()?)
    };
    // Its flags are out of a filter's sight. libc takes the older clone where it is told that there is no newer one.
    let newer = filter(plain(&[&[SYS_clone3]]), SeccompAction::Allow, SeccompAction::Errno(ENOSYS as u32))?;
    let mut calls = calls?;
    calls.insert(SYS_clone3, Vec::new());
    let all = filter(calls, others, SeccompAction::Allow)?;
    apply_filter_all_threads(&newer)?;
    apply_filter_all_threads(&all)
}

fn plain(lists: &[&[c_long]]) -> Calls {
    lists.iter().flat_map(|list| list.iter()).map(|number| (*number, Vec::new())).collect()
}

/// The argument at this place is one of these.
fn any_of(place: u8, values: impl IntoIterator<Item = u64>) -> Result<Vec<SeccompRule>, BackendError> {
    values.into_iter().map(|value| only(place, Eq, value)).collect()
}

fn only(place: u8, operator: SeccompCmpOp, value: u64) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(vec![condition(place, operator, value)?])
}

fn condition(place: u8, operator: SeccompCmpOp, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(place, Dword, operator, value)
}

/// clone(2) without a new namespace.
fn threads_and_children() -> Result<Vec<SeccompRule>, BackendError> {
    Ok(vec![only(0, MaskedEq(NEW_NAMESPACES), 0)?])
}

/// A thread's name, and what a child needs to confine itself.
fn prctls() -> [u64; 6] {
    [PR_SET_NAME, PR_SET_NO_NEW_PRIVS, PR_CAPBSET_READ, PR_CAPBSET_DROP, PR_CAP_AMBIENT, PR_SET_SECCOMP]
        .map(|n| n as u64)
}

#[cfg(test)]
mod tests {
    use std::io::{Error as IoError, ErrorKind};
    use std::net::{TcpListener, UdpSocket};
    use std::os::fd::AsFd;

    use super::*;

    /// Runs `work` on a thread that may make these calls only: filters hold for a thread and its children.
    fn under<T: Send + 'static>(calls: Result<Calls, BackendError>, work: impl FnOnce() -> T + Send + 'static) -> T {
        let limited = move || {
            let filter = SeccompFilter::new(
                calls.unwrap(),
                SeccompAction::Errno(EPERM as u32),
                SeccompAction::Allow,
                std::env::consts::ARCH.try_into().unwrap(),
            );
            seccompiler::apply_filter(&BpfProgram::try_from(filter.unwrap()).unwrap()).unwrap();
            work()
        };
        std::thread::spawn(limited).join().unwrap()
    }

    fn refused<T>(result: Result<T, rustix::io::Errno>) -> bool {
        result.err() == Some(rustix::io::Errno::PERM)
    }

    #[test]
    fn the_daemon_enters_network_namespaces_and_no_others() {
        use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
        under(daemon(), || {
            let enter = |name: &str, kind| {
                let file = std::fs::File::open(format!("/proc/thread-self/ns/{name}")).unwrap();
                move_into_link_name_space(file.as_fd(), Some(kind))
            };
            enter("net", LinkNameSpaceType::Network).unwrap();
            assert!(refused(enter("mnt", LinkNameSpaceType::Mount)));
            assert!(refused(rustix::mount::mount_bind("/proc", "/proc")));
            assert!(refused(rustix::process::chroot("/")));
            UdpSocket::bind("127.0.0.1:0").unwrap();
            assert!(
                std::process::Command::new("true").status().is_err_and(|e| e.kind() == ErrorKind::PermissionDenied)
            );
            // SAFETY: fresh memory, which nobody uses.
            #[expect(unsafe_code, reason = "rustix can't map memory safely either")]
            let code = |rights| unsafe {
                mmap(std::ptr::null_mut(), 4096, PROT_READ | rights, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
            };
            assert!(code(PROT_EXEC) == MAP_FAILED && code(PROT_WRITE) != MAP_FAILED);
            let packets = rustix::net::socket(rustix::net::AddressFamily::PACKET, rustix::net::SocketType::DGRAM, None);
            assert!(refused(packets));
        });
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn they_are_as_many_as_the_document_says() {
        let [daemon, keyholder, compiler] = [daemon(), keyholder(), compiler()].map(Result::unwrap);
        let [launcher, loading, running] = [launcher(), loading(), running()].map(Result::unwrap);
        let about = |calls: &Calls| (calls.len() + 5) / 10 * 10;
        assert_eq!([&daemon, &keyholder, &compiler].map(about), [120, 60, 40]);
        assert_eq!(([&launcher, &loading].map(about), running.len()), ([70, 30], 21));
        let never = [
            SYS_mount,
            SYS_umount2,
            SYS_pivot_root,
            SYS_move_mount,
            SYS_open_tree,
            SYS_fsopen,
            SYS_fsmount,
            SYS_ptrace,
            SYS_process_vm_readv,
            SYS_process_vm_writev,
            SYS_bpf,
            SYS_perf_event_open,
            SYS_init_module,
            SYS_finit_module,
            SYS_delete_module,
            SYS_kexec_load,
            SYS_add_key,
            SYS_request_key,
            SYS_keyctl,
        ];
        let of = |calls: &Calls, these: &[c_long]| these.iter().any(|number| calls.contains_key(number));
        assert!(!of(&daemon, &never) && !of(&daemon, &[SYS_execve, SYS_execveat, SYS_fork, SYS_vfork, SYS_kill]));
        assert!(!of(&keyholder, &[SYS_socket, SYS_execve, SYS_execveat, SYS_setns, SYS_unshare]));
        let nothing = [SYS_openat, SYS_open, SYS_socket, SYS_connect, SYS_kill, SYS_execve, SYS_setns, SYS_unshare];
        assert!(!of(&launcher, &nothing[..4]) && !of(&launcher, &nothing[5..]));
        assert!(
            !of(&loading, &nothing) && !of(&running, &nothing) && !of(&running, &[SYS_clone, SYS_prctl, SYS_ioctl])
        );
        assert!(!of(&compiler, &[SYS_openat, SYS_open, SYS_socket, SYS_clone, SYS_fork, SYS_vfork, SYS_execve]));
    }

    #[test]
    fn the_compiler_has_no_files_no_sockets_and_no_children() {
        let denied = |e: IoError| e.kind() == ErrorKind::PermissionDenied;
        under(compiler(), move || {
            assert!(std::fs::File::open("/dev/null").is_err_and(denied));
            assert!(TcpListener::bind("127.0.0.1:0").is_err_and(denied));
            assert!(std::process::Command::new("true").status().is_err_and(denied));
        });
    }

    #[test]
    fn the_keyholder_binds_and_mounts_nothing_else() {
        under(keyholder(), || {
            std::fs::File::open("/dev/null").unwrap();
            assert!(refused(rustix::mount::mount(
                "none",
                "/nonexistent",
                "tmpfs",
                rustix::mount::MountFlags::empty(),
                None
            )));
            assert_eq!(rustix::mount::mount_bind("/nonexistent", "/nonexistent"), Err(rustix::io::Errno::NOENT));
            assert!(UdpSocket::bind("127.0.0.1:0").is_err());
            let own = std::fs::File::open("/proc/self/ns/net").unwrap();
            let network = rustix::thread::LinkNameSpaceType::Network;
            assert!(refused(rustix::thread::move_into_link_name_space(own.as_fd(), Some(network))));
        });
    }
}
