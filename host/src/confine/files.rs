//! Landlock: which files a process can reach. It forbids all mounts, too, and to look into or signal processes that are not its own children.

use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, NetPort, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr,
    RulesetError, RulesetStatus, Scope, path_beneath_rules,
};

use crate::config::Config;
use crate::config::cluster::Cluster;

/// The newest version whose every restriction is wanted: the one after it also stands between the daemon and dockerd's socket. On an older
/// kernel, what that has.
const VERSION: ABI = ABI::V6;

/// What the kernel tells of itself and of this process; how many processors a control group may use; where engines bind namespaces. (Those that
/// are elsewhere the keyholder opens.)
const READ: [&str; 4] = ["/proc", "/sys/fs/cgroup", "/dev/urandom", "/run"];

/// The daemon reaches its own folders, settings of the network, and nothing else. It connects to etcd's TCP ports, where it has an etcd, and to
/// no other.
pub(super) fn only_those_of_the_daemon(config: &Config) -> Result<(), String> {
    let rules = || {
        let write = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::Truncate | AccessFs::ReadDir;
        let folder = write | AccessFs::MakeReg | AccessFs::MakeSock | AccessFs::MakeDir | AccessFs::RemoveFile;
        let socket = config.socket.parent().unwrap_or(&config.run);
        // Its folder: whoever writes the policy anew makes another file of it.
        let policy = config.signatures.as_deref().and_then(Path::parent);
        let ports =
            config.cluster.iter().flat_map(Cluster::ports).map(|port| NetPort::new(port, AccessNet::ConnectTcp));
        ruleset()?
            .add_rules(ports.map(Ok::<_, RulesetError>))?
            .add_rules(path_beneath_rules([&*config.state, &config.run, socket, &config.plugins], folder))?
            .add_rules(path_beneath_rules([&config.drivers], AccessFs::ReadFile | AccessFs::ReadDir))?
            .add_rules(path_beneath_rules(policy, AccessFs::ReadFile))?
            .add_rules(path_beneath_rules(READ, AccessFs::ReadFile | AccessFs::ReadDir))?
            .add_rules(path_beneath_rules(["/proc/sys/net", "/dev/null"], write))
    };
    restrict(rules)
}

/// No file at all.
pub(super) fn none() -> Result<(), String> {
    restrict(ruleset)
}

/// Everything that Landlock can forbid.
fn ruleset() -> Result<RulesetCreated, RulesetError> {
    let all: BitFlags<AccessFs> = AccessFs::from_all(VERSION);
    // A port of the host is held by a socket that is bound.
    Ruleset::default()
        .handle_access(all)?
        .handle_access(AccessNet::ConnectTcp)?
        .scope(Scope::from_all(VERSION))?
        .create()
}

fn restrict(rules: impl FnOnce() -> Result<RulesetCreated, RulesetError>) -> Result<(), String> {
    let status = rules().and_then(RulesetCreated::restrict_self).map_err(|e| e.to_string())?;
    match status.ruleset {
        RulesetStatus::NotEnforced => Err("this kernel has none, or it is switched off (lsm=)".to_owned()),
        // An older kernel restricts what it can.
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{File, write};
    use std::io::ErrorKind::PermissionDenied;
    use std::net::{TcpListener, TcpStream};

    use landlock::{CompatLevel, Compatible};
    use rustix::io::Errno;
    use rustix::process::{Pid, test_kill_process};

    use super::*;
    use crate::config::Written;

    /// A daemon's folders.
    fn config(folder: &std::path::Path) -> Config {
        let path = |name: &str| {
            let path = folder.join(name);
            std::fs::create_dir_all(&path).unwrap();
            Some(path)
        };
        let written = Written { state: path("s"), run: path("r"), plugins: path("p"), ..Written::default() };
        Config::meaning(Written { drivers: path("d"), ..written }).unwrap()
    }

    /// Landlock holds for a thread and what it starts.
    fn on_thread(work: impl FnOnce() + Send + 'static) {
        std::thread::spawn(work).join().unwrap();
    }

    #[test]
    fn the_daemon_reaches_its_own_files_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let (config, outside) = (config(folder.path()), folder.path().join("outside"));
        write(&outside, "").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut other = std::process::Command::new("sleep").arg("100").spawn().unwrap();
        let (number, process) = (other.id(), Pid::from_child(&other));
        on_thread(move || {
            only_those_of_the_daemon(&config).unwrap();
            let denied = |e: std::io::Error| e.kind() == PermissionDenied;
            assert!(File::open(&outside).is_err_and(denied) && File::open("/etc/passwd").is_err_and(denied));
            assert!(write(config.drivers.join("d.wasm"), "").is_err_and(denied), "drivers are read");
            assert!(TcpStream::connect(listener.local_addr().unwrap()).is_err_and(denied));
            let mounted = rustix::mount::mount_bind(&config.state, &config.run);
            assert_eq!(mounted, Err(Errno::PERM));
            // Its environment can be read: newer kernels let CAP_SYS_ADMIN, whatever Landlock says.
            assert!(File::open(format!("/proc/{number}/mem")).is_err_and(denied), "no memory of another process");
            assert!(
                std::fs::read_link(format!("/proc/{number}/root")).is_err_and(denied),
                "no files of another process"
            );
            // Since Linux 6.12.
            let ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
            if ruleset.scope(Scope::from_all(VERSION)).is_ok() {
                assert_eq!(test_kill_process(process), Err(Errno::PERM), "no signal to another process");
            }
            for folder in [&config.state, &config.run, &config.plugins] {
                write(folder.join("a"), "a").unwrap();
                std::fs::rename(folder.join("a"), folder.join("b")).unwrap();
                std::fs::remove_file(folder.join("b")).unwrap();
            }
            drop(std::os::unix::net::UnixListener::bind(config.plugins.join("p.sock")).unwrap());
            std::fs::read_dir(&config.drivers).unwrap();
            File::options().write(true).open("/proc/sys/net/ipv4/ip_forward").unwrap();
            assert!(
                std::process::Command::new("/proc/self/exe").arg("--list").output().is_err_and(denied),
                "no program"
            );
        });
        other.kill().unwrap();
        other.wait().unwrap();
    }

    #[test]
    fn a_node_of_a_cluster_connects_to_etcds_ports_alone() {
        let folder = tempfile::tempdir().unwrap();
        let listeners = [0; 2].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
        let [etcd, other] = listeners.each_ref().map(|listener| listener.local_addr().unwrap());
        let text = format!("endpoints = ['http://{etcd}']\nnode = 'a'\naddress = '192.0.2.1'");
        let cluster = words::file::from_toml("f", &text).unwrap();
        let config = Config { cluster: Some(cluster), ..config(folder.path()) };
        on_thread(move || {
            only_those_of_the_daemon(&config).unwrap();
            TcpStream::connect(etcd).unwrap();
            assert!(TcpStream::connect(other).is_err_and(|e| e.kind() == PermissionDenied));
        });
    }

    #[test]
    fn the_compiler_reaches_none() {
        on_thread(|| {
            none().unwrap();
            assert!(File::open("/dev/null").is_err_and(|e| e.kind() == PermissionDenied));
        });
    }

    #[test]
    fn a_kernel_that_has_none_is_told() {
        on_thread(|| {
            let unknown = seccompiler::SeccompAction::Errno(libc::ENOSYS as u32);
            let calls = [(libc::SYS_landlock_create_ruleset, Vec::new())].into_iter().collect();
            let architecture = std::env::consts::ARCH.try_into().unwrap();
            let filter =
                seccompiler::SeccompFilter::new(calls, seccompiler::SeccompAction::Allow, unknown, architecture);
            seccompiler::apply_filter(&seccompiler::BpfProgram::try_from(filter.unwrap()).unwrap()).unwrap();
            assert!(none().unwrap_err().contains("this kernel has none"));
            File::open("/dev/null").unwrap();
        });
    }
}
