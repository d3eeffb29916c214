//! Whatever becomes of the successor, one daemon serves afterwards, with the same networks; and nobody but root is handed anything.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use pontoon_tests::{Daemon, Namespace, Ran, until};
use rustix::process::{Pid, Signal, kill_process};

use super::{Stage, stage};

impl Stage {
    /// The daemon answers, its endpoints are those that there were, and others come and go.
    fn serves(&self) {
        self.is_whole();
        let c = Namespace::new("c");
        self.daemon.ok(&format!("endpoint attach n {}", c.text()));
        assert!(c.pings(&self.address(&self.a)));
        self.daemon.ok("endpoint detach n c");
        let taken = self.daemon.host.enter(|| std::net::TcpListener::bind("0.0.0.0:8080").is_err());
        assert!(taken.join().unwrap(), "the published port is held");
    }

    /// What a replacement takes, on this machine as it is now.
    fn replaced_within(&mut self) -> Duration {
        let begin = Instant::now();
        self.daemon.replace();
        begin.elapsed()
    }

    /// A successor ends with one line that says this, and the daemon goes on.
    fn refuses(&self, mut successor: Command, says: &str) {
        let ran = Ran::of(&mut successor);
        let complaints: Vec<_> = ran.err.lines().filter(|line| line.starts_with("pontoon: ")).collect();
        let [why] = complaints[..] else { panic!("{says}: {ran:?}") };
        assert!(ran.code != 0 && why.contains(says), "{says:?} is missing in {ran:?}");
        self.serves();
    }
}

fn with(daemon: &Daemon, flag: &str, value: impl AsRef<Path>) -> Command {
    // The last of two of the same flag would be a mistake of its own.
    let successor = daemon.successor();
    let words: Vec<_> = successor.get_args().collect();
    let mut changed = Command::new(successor.get_program());
    let mut is_value = false;
    for word in &words {
        if is_value {
            changed.arg(value.as_ref());
        } else if word.to_string_lossy().starts_with("--net=") && flag == "--net" {
            changed.arg(format!("--net={}", value.as_ref().display()));
        } else {
            changed.arg(word);
        }
        is_value = *word == flag;
    }
    if !flag.starts_with("--net") && !words.iter().any(|word| *word == flag) {
        changed.arg(flag).arg(value.as_ref());
    }
    changed.stdin(Stdio::null());
    changed
}

#[test]
fn a_successor_that_is_not_fit_changes_nothing() {
    let stage = stage();
    let (daemon, elsewhere) = (&stage.daemon, Namespace::new("elsewhere"));
    let pid = daemon.pid();
    stage.refuses(with(daemon, "--config", "/nonexistent.toml"), "there is no /nonexistent.toml");
    stage.refuses(with(daemon, "--log", "a=b=c"), "is no filter");
    stage.refuses(with(daemon, "--run", daemon.file("other")), "there is no daemon to replace");
    stage.refuses(with(daemon, "--state", daemon.file("other")), "--state has to be the same");
    stage.refuses(with(daemon, "--net", elsewhere.path()), "another network namespace");
    let component = std::fs::read_dir(daemon.file("state/components")).unwrap().next().unwrap().unwrap().path();
    let whole = std::fs::read(&component).unwrap();
    std::fs::write(&component, "damaged").unwrap();
    let damaged = Ran::of(&mut daemon.successor());
    std::fs::write(&component, whole).unwrap();
    assert!(damaged.code != 0 && damaged.err.contains("the component was changed"), "{damaged:?}");
    stage.serves();
    assert_eq!(daemon.pid(), pid);
    assert!(!daemon.file("other").exists());
}

#[test]
fn a_daemon_that_hangs_is_not_waited_for_for_ever() {
    let stage = stage();
    let old = Pid::from_raw(stage.daemon.pid().cast_signed()).unwrap();
    kill_process(old, Signal::STOP).unwrap();
    let begin = Instant::now();
    let ran = Ran::of(&mut stage.daemon.successor());
    kill_process(old, Signal::CONT).unwrap();
    assert!(ran.code != 0 && ran.err.contains("it does not answer"), "{ran:?}");
    assert!(begin.elapsed() < Duration::from_secs(20));
    stage.serves();
}

/// A client that takes longer than the daemon waits is not cut off: it has its answer, from the old daemon.
#[test]
fn a_request_that_does_not_end_keeps_the_daemon() {
    let stage = stage();
    let mut slow = UnixStream::connect(stage.daemon.socket()).unwrap();
    slow.write_all(
        b"POST /networks HTTP/1.1\r\nHost: p\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n",
    )
    .unwrap();
    std::thread::sleep(Duration::from_millis(100));
    stage.refuses(stage.daemon.successor(), "1 requests did not finish within 10 seconds");
    slow.write_all(b"{}").unwrap();
    slow.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 4") && answer.contains("connection: close"), "{answer}");
    let mut stage = stage;
    stage.daemon.replace();
    stage.serves();
}

#[test]
fn at_whichever_step_the_successor_is_killed_one_daemon_serves() {
    let mut stage = stage();
    let (step, mut took_over) = (stage.replaced_within() / 12, 0);
    for number in 0..16 {
        let mut successor = stage.daemon.successor().spawn().unwrap();
        std::thread::sleep(number * step);
        successor.kill().unwrap();
        successor.wait().unwrap();
        // The old one is about to end, or it opens the store again.
        std::thread::sleep(Duration::from_millis(100));
        if stage.daemon.has_ended().is_some() {
            took_over += 1;
            stage.daemon.run();
        }
        stage.serves();
    }
    println!("{took_over} of 16 had taken over");
    stage.daemon.replace();
    stage.serves();
}

#[test]
fn at_whichever_step_the_old_daemon_is_killed_one_daemon_serves() {
    let mut stage = stage();
    let (step, mut took_over) = (stage.replaced_within() / 10, 0);
    for number in 0..12 {
        let log = stage.daemon.file("successor.log");
        let mut successor = stage.daemon.successor();
        let mut successor = successor.stderr(std::fs::File::create(&log).unwrap()).spawn().unwrap();
        std::thread::sleep(number * step);
        if stage.daemon.has_ended().is_none() {
            stage.daemon.kill();
        }
        let mut ended = None;
        until("the successor to serve or to end", || {
            ended = successor.try_wait().unwrap();
            ended.is_some() || stage.daemon.cli("version").out.contains("daemon")
        });
        if let Some(status) = ended {
            let said = std::fs::read_to_string(&log).unwrap();
            let lines = said.lines().filter(|line| line.starts_with("pontoon: ")).count();
            assert!(!status.success() && lines == 1, "{status}: {said}");
            stage.daemon.run();
        } else {
            took_over += 1;
            stage.daemon.is_now(successor);
        }
        stage.serves();
    }
    println!("{took_over} of 12 had taken over");
}

/// Neither the group of the admin socket nor the mode of a file lets anybody have the sockets.
#[test]
fn a_stranger_is_handed_nothing() {
    let stage = stage();
    let daemon = &stage.daemon;
    let door = daemon.file("run/replace.sock");
    assert_eq!(std::fs::metadata(&door).unwrap().permissions().mode() & 0o777, 0o600);
    for (path, mode) in [(daemon.file(""), 0o755), (daemon.file("run"), 0o755), (door.clone(), 0o666)] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let group = std::os::unix::fs::MetadataExt::gid(&std::fs::metadata(daemon.socket()).unwrap());
    for groups in ["--clear-groups".to_owned(), format!("--groups={group}")] {
        let mut socat = Command::new("setpriv");
        socat.args(["--reuid=65534", "--regid=65534", &groups, "socat", "-t", "2", "-"]);
        socat.arg(format!("UNIX-CONNECT:{}", door.display())).stdin(Stdio::piped());
        let mut socat = socat.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let hello = br#"{"protocol":1,"version":"0","state":[0,0],"namespace":"net:[1]"}"#;
        let _ = socat.stdin.take().unwrap().write_all(hello);
        let output = socat.wait_with_output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.stdout.is_empty() && !err.contains("Permission denied"), "it got in and heard nothing: {err}");
    }
    stage.serves();
}
