//! The daemon and its helpers have given up what they don't need, and everything works all the same. (That it does, the other scenarios show: each
//! daemon in them is confined.)

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use pontoon_tests::{Daemon, KilledAtEnd, Namespace, Process, Role, children, status, until};
use rustix::process::{Pid, Signal, kill_process};

/// CAP_NET_BIND_SERVICE, CAP_NET_ADMIN, CAP_SYS_ADMIN.
const DAEMON: u64 = 1 << 10 | 1 << 12 | 1 << 21;
/// CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE, CAP_SYS_ADMIN.
const KEYHOLDER: u64 = 1 << 2 | 1 << 19 | 1 << 21;
/// CAP_KILL, CAP_SETGID, CAP_SETUID, CAP_SETPCAP.
const LAUNCHER: u64 = 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8;

/// Whether every thread of a process has these capabilities and no others, filtered system calls, and gains nothing by starting programs.
pub fn is_confined(process: u32, capabilities: u64) {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    for thread in threads.map(|entry| entry.unwrap().path()) {
        let status = status(&format!("{}/status", thread.display()));
        let set = |name: &str| u64::from_str_radix(&status[name], 16).unwrap();
        assert_eq!(["CapPrm", "CapEff", "CapBnd"].map(set), [capabilities; 3], "{status:#?}");
        assert_eq!(["CapInh", "CapAmb"].map(set), [0; 2], "{status:#?}");
        assert_eq!((status["NoNewPrivs"].as_str(), status["Seccomp"].as_str()), ("1", "2"), "{status:#?}");
    }
}

#[test]
fn the_daemon_and_its_helpers_have_given_up_the_rest() {
    let daemon = Daemon::start();
    daemon.load("bridge");
    daemon.ok("network create n");
    for (role, capabilities) in
        [(Role::Daemon, DAEMON), (Role::Keyholder, KEYHOLDER), (Role::Launcher, LAUNCHER), (Role::Engine, 0)]
    {
        let [process] = daemon.those(role)[..] else { panic!("one {role:?}: {:?}", daemon.processes()) };
        is_confined(process.number, capabilities);
    }
    // Landlock shows itself only to who tries: the daemon does.
    let findings = daemon.json("doctor");
    let about = |check: &str| findings.as_array().unwrap().iter().find(|f| f["check"] == check).unwrap().clone();
    for check in ["capabilities", "system calls", "files", "keyholder", "launcher", "engine"] {
        assert_eq!(about(&format!("process {check}"))["status"], "ok", "{findings:#}");
    }
    let engines = about("process engine")["found"].as_str().unwrap().to_owned();
    assert!(engines.starts_with("1 run: 0 capabilities, ") && engines.ends_with("a user of its own"), "{engines}");
}

#[test]
fn the_daemon_and_its_helpers_end_with_each_other() {
    let mut daemon = Daemon::start();
    daemon.load("bridge");
    daemon.ok("network create n");
    let all_end = |daemon: &Daemon, processes: &[Process]| {
        until("the others' end", || !processes.iter().any(|process| process.runs()));
        assert_eq!(daemon.processes(), []);
    };
    let before = daemon.processes();
    assert_eq!(before.len(), 4, "{before:?}");
    daemon.kill();
    all_end(&daemon, &before);
    for role in [Role::Keyholder, Role::Launcher] {
        daemon.run();
        daemon.ok("network ls");
        let before = daemon.processes();
        let helper = before.iter().find(|process| process.role == role).unwrap();
        helper.kill();
        // A failure, so that the service manager starts all of them again.
        assert_eq!(daemon.ended().code(), Some(9));
        assert!(!helper.is_there(), "it is no zombie");
        all_end(&daemon, &before);
    }
    daemon.run();
    let a = Namespace::new("a");
    daemon.ok(&format!("endpoint attach n {}", a.text()));
}

#[test]
fn what_the_daemon_inherited_does_not_reach_its_helpers() {
    let mut daemon = Daemon::stopped();
    let secret = daemon.file("secret");
    std::fs::write(&secret, "secret").unwrap();
    let mut serve = Command::new("bash");
    serve.args(["-c", r#"exec 7<"$0" 9<"$0"; exec "$@""#]).arg(&secret);
    let plain = daemon.serve();
    serve.arg(plain.get_program()).args(plain.get_args());
    daemon.run_as(serve);
    let open = |process: u32| {
        let files = std::fs::read_dir(format!("/proc/{process}/fd")).unwrap().flatten();
        files.filter_map(|file| std::fs::read_link(file.path()).ok()).collect::<Vec<_>>()
    };
    assert!(open(daemon.pid()).contains(&secret), "it was inherited");
    let helpers = children(daemon.pid());
    assert_eq!(helpers.len(), 2);
    for helper in helpers {
        assert!(!open(helper).contains(&secret), "{:?}", open(helper));
    }
    // The compiler child waits for a component on its standard input.
    let mut compiler = Command::new("bash");
    compiler.args(["-c", r#"exec 7<"$0" 9<"$0"; exec "$1" compile"#]).arg(&secret).arg(pontoon_tests::pontoon());
    let mut compiler = compiler.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let has_begun = || status(&format!("/proc/{}/status", compiler.id()))["Seccomp"] == "2";
    until("the compiler to be confined", has_begun);
    let files = open(compiler.id());
    compiler.kill().unwrap();
    compiler.wait().unwrap();
    assert_eq!(files.len(), 3, "{files:?}");
}

#[test]
fn what_is_no_regular_file_holds_up_no_start() {
    let mut daemon = Daemon::stopped();
    let drivers = daemon.file("drivers");
    std::fs::create_dir(&drivers).unwrap();
    let fifo = |name: &str| {
        let made = Command::new("mkfifo").arg(drivers.join(name)).status().unwrap();
        assert!(made.success());
    };
    fifo("a.wasm");
    std::os::unix::fs::symlink("/dev/zero", drivers.join("b.wasm")).unwrap();
    std::fs::create_dir(drivers.join("c.wasm")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(drivers.join("d.wasm")).unwrap();
    std::fs::File::create(drivers.join("e.wasm")).unwrap().set_len(1 << 40).unwrap();
    std::fs::copy(pontoon_tests::driver("bridge"), drivers.join("f.wasm")).unwrap();
    fifo("f.grant.toml");
    let bridge = pontoon_tests::driver("bridge");
    std::fs::copy(&bridge, drivers.join("g.wasm")).unwrap();
    std::fs::copy(bridge.with_extension("grant.toml"), drivers.join("g.grant.toml")).unwrap();
    let begin = Instant::now();
    daemon.run();
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    let loaded = daemon.json("driver ls");
    let names: Vec<_> = loaded.as_array().unwrap().iter().map(|d| d["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["g"], "{loaded:#}");
    daemon.stop();
    // What the daemon itself reads and locks at its start.
    std::fs::write(daemon.file("pontoon.toml"), "").unwrap();
    for file in ["state/lock", "state/pontoon.db-wal", "run/pontoon.sock.lock", "pontoon.toml"] {
        let (path, aside) = (daemon.file(file), daemon.file("aside"));
        let was_there = std::fs::rename(&path, &aside).is_ok();
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        let mut serve = daemon.serve();
        serve.arg("--config").arg(daemon.file("pontoon.toml"));
        let begin = Instant::now();
        let ran = pontoon_tests::Ran::of(serve.stdin(Stdio::null()));
        assert!(begin.elapsed() < Duration::from_secs(10), "{file}: {:?}", begin.elapsed());
        assert!(ran.code != 0 && ran.err.contains("regular file"), "{file}: {ran:?}");
        std::fs::remove_file(&path).unwrap();
        if was_there {
            std::fs::rename(&aside, &path).unwrap();
        }
    }
}

/// It is asked to while it compiles a component of the drivers folder.
#[test]
fn a_daemon_that_starts_ends_in_time() {
    let daemon = Daemon::stopped();
    let drivers = daemon.file("drivers");
    std::fs::create_dir(&drivers).unwrap();
    std::fs::write(drivers.join("bomb.wasm"), crate::limits::bomb()).unwrap();
    let mut process = KilledAtEnd(daemon.serve().stdin(Stdio::null()).spawn().unwrap());
    let process = &mut process.0;
    let compilers = || children(process.id()).into_iter().flat_map(children);
    until("the compiler", || compilers().count() == 1);
    let (compiler, begin) = (compilers().next().unwrap(), Instant::now());
    let file = format!("/proc/{compiler}/status");
    until("it to be somebody else", || status(&file).get("Uid").is_some_and(|user| !user.starts_with("0\t")));
    for capabilities in ["CapPrm", "CapEff", "CapInh", "CapBnd", "CapAmb"] {
        until(capabilities, || status(&file).get(capabilities).is_some_and(|none| none == "0000000000000000"));
    }
    assert_eq!((&*status(&file)["NoNewPrivs"], &*status(&file)["Seccomp"]), ("1", "2"));
    kill_process(Pid::from_child(process), Signal::TERM).unwrap();
    let status = process.wait().unwrap();
    assert!(status.success() && begin.elapsed() < Duration::from_secs(13), "{status} after {:?}", begin.elapsed());
    until("the compiler's end", || !Path::new(&format!("/proc/{compiler}")).exists());
}

#[test]
fn namespaces_of_processes_and_of_drivers() {
    let daemon = Daemon::start();
    daemon.load("bridge");
    daemon.load("test/probe");
    daemon.ok("network create n -d bridge");
    // A process with more rights than the daemon, which only the keyholder may look into.
    let mut process = Command::new("unshare").args(["--net", "sleep", "1000"]).stdin(Stdio::null()).spawn().unwrap();
    let (path, own) = (format!("/proc/{}/ns/net", process.id()), std::fs::read_link("/proc/self/ns/net").unwrap());
    until("a namespace", || std::fs::read_link(&path).is_ok_and(|theirs| theirs != own));
    daemon.ok(&format!("endpoint attach n {path} --name p"));
    let inside = Namespace::at(&path).run("ip -o link show eth0");
    assert!(inside.contains("eth0"), "{inside}");
    daemon.ok("endpoint detach n p");
    process.kill().unwrap();
    process.wait().unwrap();
    // One that a driver makes is bound in the run folder, and unbound again.
    let bound = || std::fs::read_dir(daemon.file("run/netns")).unwrap().count();
    daemon.ok("network create m -d probe -o probe.do=namespaces");
    assert!(bound() > 0);
    daemon.ok("network rm m");
    until("the driver's namespaces to go", || bound() == 0);
}

#[test]
fn whoever_is_neither_root_nor_in_the_group_is_refused() {
    let mut daemon = Daemon::stopped();
    let log = daemon.file("log");
    let mut serve = daemon.serve();
    serve.stderr(std::fs::File::create(&log).unwrap());
    daemon.run_as(serve);
    daemon.ok(&format!("driver load {} --name mine", pontoon_tests::driver("bridge").display()));
    let (admin, plugin) = (daemon.socket(), daemon.file("plugins/mine.sock"));
    for folder in ["", "run", "plugins"] {
        set_permissions(daemon.file(folder), Permissions::from_mode(0o755)).unwrap();
    }
    let ask = |socket: &Path, groups: &str| {
        let mut shell = Command::new("setpriv");
        shell.args(["--reuid=65534", "--regid=65534", groups, "--", "socat", "-t", "0.1", "-"]);
        shell.arg(format!("UNIX-CONNECT:{}", socket.display()));
        let request = "POST /Plugin.Activate HTTP/1.0\r\ncontent-length: 0\r\n\r\n";
        let mut child = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // One that can't connect reads nothing. It stays open: to the daemon, a client that closes has gone.
        let _ = std::io::Write::write_all(&mut stdin, request.as_bytes());
        let output = child.wait_with_output().unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    for socket in [&admin, &plugin] {
        let file = std::fs::metadata(socket).unwrap();
        assert_eq!((file.permissions().mode() & 0o777, file.uid(), file.gid()), (0o660, 0, 0));
        let said = ask(socket, "--clear-groups");
        assert!(said.contains("Permission denied"), "the file's mode: {said}");
        // Somebody opens it to everybody.
        set_permissions(socket, Permissions::from_mode(0o666)).unwrap();
        let said = ask(socket, "--clear-groups");
        assert!(said.starts_with("HTTP/1.0 403") && said.contains("the user 65534 is neither root nor"), "{said}");
        assert!(said.contains(r#""Err":"#) && said.contains(r#""kind":"forbidden""#), "{said}");
        // A group that may, which the user is in beside its own.
        chown(socket, None, Some(12345)).unwrap();
        let said = ask(socket, "--groups=12345");
        assert!(said.starts_with("HTTP/1.0") && !said.contains(" 403 "), "{said}");
        assert!(ask(socket, "--groups=12346").contains(" 403 "));
    }
    let text = std::fs::read_to_string(&log).unwrap();
    assert_eq!(text.matches("a client is refused: the user 65534 is neither root nor").count(), 4, "{text}");
}

#[test]
fn the_unit_can_be_read_and_leaves_what_is_needed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/dist");
    let own = tempfile::tempdir().unwrap();
    for unit in ["pontoon.service", "pontoon.socket"] {
        let text = std::fs::read_to_string(folder.join(unit)).unwrap();
        let text = text.replace("/usr/bin/pontoon", pontoon_tests::pontoon().canonicalize().unwrap().to_str().unwrap());
        std::fs::write(own.path().join(unit), text).unwrap();
    }
    // What the processes give up by themselves, and nothing that makes a mount namespace.
    let service = std::fs::read_to_string(folder.join("pontoon.service")).unwrap();
    for line in [
        "NoNewPrivileges=yes",
        "CapabilityBoundingSet=CAP_NET_ADMIN CAP_SYS_ADMIN CAP_NET_BIND_SERVICE CAP_SYS_PTRACE CAP_DAC_READ_SEARCH CAP_SETPCAP CAP_SETUID CAP_SETGID CAP_KILL",
        "RestrictNamespaces=net mnt ipc uts",
        "RestrictAddressFamilies=AF_UNIX AF_NETLINK AF_INET AF_INET6",
    ] {
        assert!(service.lines().any(|set| set == line), "{line}");
    }
    assert!(!service.lines().any(|set| set.starts_with("Private") || set.starts_with("Protect")), "{service}");
    let units = ["pontoon.service", "pontoon.socket"].map(|unit| own.path().join(unit));
    let output = Command::new("systemd-analyze").arg("verify").args(units).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    // Other units of the machine may have mistakes.
    let ours: Vec<_> = said.lines().filter(|line| line.contains("pontoon")).collect();
    assert!(output.status.success() && ours.is_empty(), "{said}");
}

#[test]
fn the_units_capabilities_are_enough() {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/dist/pontoon.service");
    let unit = std::fs::read_to_string(unit).unwrap();
    let set = unit.lines().find_map(|line| line.strip_prefix("CapabilityBoundingSet=")).unwrap();
    let kept: String = set.split_whitespace().map(|name| format!(",+{}", name[4..].to_lowercase())).collect();
    let mut daemon = Daemon::stopped();
    let log = daemon.file("log");
    let mut serve = Command::new("setpriv");
    serve.arg(format!("--bounding-set=-all{kept}")).args(["--no-new-privs", "--"]);
    let plain = daemon.serve();
    serve.arg(plain.get_program()).args(plain.get_args()).stderr(std::fs::File::create(&log).unwrap());
    daemon.run_as(serve);
    daemon.load("bridge");
    daemon.ok("network create n");
    let a = Namespace::new("a");
    daemon.ok(&format!("endpoint attach n {}", a.text()));
    let said = std::fs::read_to_string(&log).unwrap();
    assert!(!said.contains("not confined"), "{said}");
    assert_eq!(daemon.processes().len(), 4, "{:?}", daemon.processes());
}
