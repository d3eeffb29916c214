//! Under a service manager: it holds the sockets, or is told which process serves.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pontoon_tests::{Daemon, KilledAtEnd, Ran, Role, pontoon, until};
use rustix::process::{Pid, Signal, kill_process};

use super::clients::{Client, Waits};
use super::{StopAtEnd, stage};

/// The socket on which it hears of a service (sd_notify(3)).
struct Manager(UnixDatagram);

impl Manager {
    /// One at this path.
    fn at(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self(socket)
    }

    /// What it was told since the last time.
    fn told(&self) -> Vec<String> {
        let mut bytes = [0; 4096];
        let told = std::iter::from_fn(|| self.0.recv(&mut bytes).ok().map(|count| bytes[..count].to_vec()));
        let lines: Vec<_> = told.map(|bytes| String::from_utf8(bytes).unwrap()).collect();
        lines.iter().flat_map(|told| told.lines()).map(str::to_owned).collect()
    }
}

/// By the daemon that was the service so far: the manager hears nobody else. A successor that is refused is not told of.
#[test]
fn it_is_told_which_process_is_the_service() {
    let mut daemon = Daemon::stopped();
    let paths = ["first", "second"].map(|name| daemon.file(name));
    let managers = [0, 1].map(|number| Manager::at(&paths[number]));
    let mut serve = daemon.serve();
    serve.env("NOTIFY_SOCKET", &paths[0]);
    daemon.run_as(serve);
    until("the first word", || managers[0].told() == ["READY=1"]);
    let mut unfit = daemon.successor();
    assert_ne!(Ran::of(unfit.args(["--log", "a=b=c"])).code, 0);
    let mut successor = daemon.successor();
    let mut successor = successor.env("NOTIFY_SOCKET", &paths[1]).spawn().unwrap();
    until("the end of the first daemon", || {
        assert!(successor.try_wait().unwrap().is_none(), "the successor has ended");
        daemon.has_ended().is_some()
    });
    assert_eq!(managers[0].told(), [format!("MAINPID={}", successor.id())]);
    until("the successor's first word", || managers[1].told() == ["READY=1"]);
    daemon.is_now(successor);
    daemon.stop();
    assert_eq!(managers.map(|manager| manager.told()), [vec![], vec!["STOPPING=1".to_owned()]]);
}

/// Kills what a reload has started, which is no child of the test's.
struct Ends<'a>(&'a Daemon);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.those(Role::Daemon).into_iter().for_each(|process| process.kill());
        let begin = Instant::now();
        while !self.0.processes().is_empty() && begin.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// What `systemctl reload` runs, as the unit says it: it ends when the new daemon serves, and fails if the old one goes on.
#[test]
fn a_reload_puts_another_daemon_in_its_place() {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/dist/pontoon.service");
    let unit = std::fs::read_to_string(unit).unwrap();
    let reload = unit.lines().find_map(|line| line.strip_prefix("ExecReload=/bin/sh -c '")).unwrap();
    let reload = reload.strip_suffix('\'').unwrap().replace("$$", "$");
    let mut daemon = Daemon::start();
    daemon.ok("version");
    let words = |command: &Command| {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        words.map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    };
    let run = |serve: &str, pid: u32| {
        let script = reload.replace("/usr/bin/pontoon serve --replace", serve);
        assert!(script.starts_with(serve), "{reload}");
        let mut sh = Command::new("sh");
        sh.args(["-c", &script]).env("MAINPID", pid.to_string()).stdin(Stdio::null());
        sh
    };
    let (serve, pid) = (words(&daemon.successor()), daemon.pid());
    assert_ne!(Ran::of(&mut run(&format!("{serve} --log a=b=c"), pid)).code, 0);
    assert_eq!(daemon.those(Role::Daemon)[0].number, pid);
    let mut reloading = KilledAtEnd(run(&serve, pid).stderr(Stdio::inherit()).spawn().unwrap());
    until("the end of the first daemon", || daemon.has_ended().is_some());
    let _ends = Ends(&daemon);
    assert!(reloading.0.wait().unwrap().success());
    daemon.ok("version");
    let [now] = daemon.those(Role::Daemon)[..] else { panic!("one: {:?}", daemon.processes()) };
    assert!(now.number != pid && now.runs());
}

/// Whoever waits for a driver's calls is answered at once when the daemon is to hand over, and not when the time is up.
#[test]
fn who_waits_for_calls_holds_nobody_up() {
    let mut stage = stage();
    let begin = Instant::now();
    let mut waits = UnixStream::connect(stage.daemon.socket()).unwrap();
    waits.write_all(b"GET /drivers/d/recordings?after=0&wait=5 HTTP/1.1\r\nHost: p\r\n\r\n").unwrap();
    std::thread::sleep(Duration::from_millis(100));
    let answered = std::thread::spawn(move || {
        let mut answer = String::new();
        waits.read_to_string(&mut answer).unwrap();
        (answer, begin.elapsed())
    });
    stage.daemon.replace();
    let (answer, elapsed) = answered.join().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("[]"), "{answer}");
    assert!(elapsed < Duration::from_secs(5), "{elapsed:?}");
    // In the daemon that serves now somebody may wait again.
    let begin = Instant::now();
    stage.daemon.json("driver ls");
    stage.daemon.ask("GET /drivers/d/recordings?after=0&wait=1", "");
    assert!(begin.elapsed() >= Duration::from_secs(1));
}

/// As systemd has it with host/dist/pontoon.socket: it keeps the sockets, and starts the daemon anew.
#[test]
fn sockets_of_the_service_manager_refuse_nobody_while_the_daemon_restarts() {
    let daemon = Daemon::stopped();
    let path = daemon.file("admin.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let serve = || {
        // sd_listen_fds(3): the first is 3, and they are for this process.
        let script = "exec 3<&0 </dev/null; exec env LISTEN_PID=$$ LISTEN_FDS=1 \"$@\"";
        let mut serve = Command::new("sh");
        serve.args(["-c", script, "sh", "nsenter"]).arg(format!("--net={}", daemon.host.text())).arg("--");
        serve.arg(pontoon()).args(["serve", "--log", "warn", "--socket"]).arg(&path);
        for folder in ["state", "run", "plugins", "drivers", "docker"] {
            serve.arg(format!("--{folder}")).arg(daemon.file(folder));
        }
        serve.stdin(Stdio::from(OwnedFd::from(listener.try_clone().unwrap()))).spawn().unwrap()
    };
    let mut child = KilledAtEnd(serve());
    let (done, waits) = (AtomicBool::new(false), Waits::default());
    std::thread::scope(|scope| {
        let ends = StopAtEnd(&done);
        for _ in 0..3 {
            let mut client = Client::new(&path, false);
            let (done, waits) = (&done, &waits);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    client.ok("GET /version", "", waits);
                }
            });
        }
        for _ in 0..4 {
            // By now it is the daemon, and not what becomes it, that hears the signal.
            Client::new(&path, false).ok("GET /version", "", &waits);
            std::thread::sleep(Duration::from_millis(500));
            kill_process(Pid::from_child(&child.0), Signal::TERM).unwrap();
            let status = child.0.wait().unwrap();
            assert!(status.success(), "{status}");
            child = KilledAtEnd(serve());
        }
        std::thread::sleep(Duration::from_millis(500));
        drop(ends);
    });
    println!("{}", Waits::default().beside(&waits));
    assert!(path.exists(), "it is not the daemon's to remove");
}
