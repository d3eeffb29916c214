//! `pontoon serve` in a namespace of its own, and its command line.

use std::io::{Read, Write};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::bench::objects;
use crate::{Namespace, Process, Role, command, pontoon, until};

/// How long a daemon may take to start or to stop. It is for a machine under load; a start takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// A daemon with folders and a host's namespace of its own.
pub struct Daemon {
    /// The host that it works in.
    pub host: Namespace,
    folder: TempDir,
    child: Option<Child>,
}

/// What a command line answered.
#[derive(Debug)]
pub struct Ran {
    /// The exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Ran {
    /// Runs a command.
    pub fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Daemon {
    /// A daemon that has started.
    pub fn start() -> Self {
        let mut daemon = Self::stopped();
        daemon.run();
        daemon
    }

    /// One that has yet to start.
    pub fn stopped() -> Self {
        let folder = tempfile::Builder::new().prefix("pontoon-test-").tempdir().unwrap();
        Self { host: Namespace::new("host"), folder, child: None }
    }

    /// A file in its folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Its admin socket.
    pub fn socket(&self) -> PathBuf {
        self.file("run/pontoon.sock")
    }

    /// The command that runs it, to be changed by a test.
    pub fn serve(&self) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.host.text())).arg("--").arg(pontoon()).arg("serve");
        for folder in ["state", "run", "plugins", "drivers", "docker"] {
            command.arg(format!("--{folder}")).arg(self.file(folder));
        }
        command.arg("--socket").arg(self.socket()).args(["--log", "warn"]);
        let config = self.file("config.toml");
        if config.exists() {
            command.arg("--config").arg(config);
        }
        command
    }

    /// Starts it and waits until it is ready.
    pub fn run(&mut self) {
        self.run_as(self.serve());
    }

    /// Starts it by this command, made by [`Self::serve`].
    pub fn run_as(&mut self, mut serve: Command) {
        assert!(self.child.is_none(), "it runs already");
        let mut child = serve.stdin(Stdio::null()).spawn().unwrap();
        let begin = Instant::now();
        while !self.answers() {
            assert!(begin.elapsed() < PATIENCE, "the daemon does not answer");
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "the daemon ended: {}", ended.unwrap());
            std::thread::sleep(Duration::from_millis(5));
        }
        self.child = Some(child);
    }

    fn answers(&self) -> bool {
        let is_socket = std::fs::metadata(self.socket()).is_ok_and(|m| m.file_type().is_socket());
        is_socket && self.cli("version").out.contains("daemon")
    }

    /// Stops it as systemd does.
    pub fn stop(&mut self) {
        let status = self.signal(Signal::TERM);
        assert!(status.success(), "the daemon ended with {status}");
    }

    /// Kills it.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
    }

    /// Stops it and starts it again.
    pub fn restart(&mut self) {
        self.stop();
        self.run();
    }

    /// The command that takes its place, to be changed by a test.
    pub fn successor(&self) -> Command {
        let mut successor = self.serve();
        successor.arg("--replace").stdin(Stdio::null());
        successor
    }

    /// Puts another daemon in its place, while it runs.
    pub fn replace(&mut self) {
        let mut successor = self.successor().spawn().unwrap();
        let mut status = None;
        until("the end of the daemon that is replaced", || {
            let failed = successor.try_wait().unwrap();
            assert!(failed.is_none(), "its successor ended: {failed:?}");
            status = self.has_ended();
            status.is_some()
        });
        self.child = Some(successor);
        assert!(status.is_some_and(|status| status.success()), "the daemon ended: {status:?}");
    }

    /// Whether it has ended by itself, and how.
    pub fn has_ended(&mut self) -> Option<std::process::ExitStatus> {
        let status = self.child.as_mut()?.try_wait().unwrap();
        self.child.take_if(|_| status.is_some());
        status
    }

    /// This process is the daemon from now on.
    pub fn is_now(&mut self, child: Child) {
        assert!(self.child.is_none(), "another one runs");
        self.child = Some(child);
    }

    /// Its process id; that of `nsenter`, which became it.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// Its processes that run.
    pub fn processes(&self) -> Vec<Process> {
        Process::all(self.folder.path())
    }

    /// MB of memory that all its processes have together.
    pub fn memory(&self) -> f64 {
        self.processes().iter().map(|process| crate::memory(&process.number.to_string())).sum()
    }

    /// Those that are for this.
    pub fn those(&self, role: Role) -> Vec<Process> {
        self.processes().into_iter().filter(|process| process.role == role).collect()
    }

    /// A reboot, as far as Pontoon can tell: the state folder is the same, the kernel's namespace and the run folder are new.
    pub fn reboot(&mut self) {
        self.kill();
        self.host = Namespace::new("host");
        let _ = std::fs::remove_dir_all(self.file("run"));
    }

    /// Waits until it ends by itself.
    pub fn ended(&mut self) -> std::process::ExitStatus {
        let (child, mut status) = (self.child.as_mut().expect("it runs"), None);
        until("the daemon's end", || {
            status = child.try_wait().unwrap();
            status.is_some()
        });
        self.child = None;
        status.unwrap()
    }

    fn signal(&mut self, signal: Signal) -> std::process::ExitStatus {
        let mut child = self.child.take().expect("it runs");
        kill_process(Pid::from_child(&child), signal).unwrap();
        child.wait().unwrap()
    }

    /// Runs a command line against it. Words are split at white space.
    pub fn cli(&self, line: &str) -> Ran {
        let mut command = command(pontoon());
        command.env("PONTOON_SOCKET", self.socket()).args(line.split_whitespace());
        Ran::of(command.stdin(Stdio::null()))
    }

    /// Starts command lines, all at the same time.
    pub fn ask_in_background(&self, lines: impl IntoIterator<Item = String>) -> Vec<Child> {
        let start = |line: String| {
            let mut command = command(pontoon());
            command.env("PONTOON_SOCKET", self.socket()).args(line.split_whitespace());
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        };
        lines.into_iter().map(start).collect()
    }

    /// Runs a command line that has to succeed, and gives back its standard output.
    pub fn ok(&self, line: &str) -> String {
        let ran = self.cli(line);
        assert_eq!(ran.code, 0, "pontoon {line}: {ran:?}");
        ran.out
    }

    /// Runs a command line that has to succeed, and gives back its answer for programs.
    pub fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.ok(&format!("--output json {line}"))).unwrap()
    }

    /// Runs a command line that has to fail with this exit code, in one line, and gives that line back.
    pub fn refused(&self, code: i32, line: &str) -> String {
        let ran = self.cli(line);
        assert_eq!(ran.code, code, "pontoon {line}: {ran:?}");
        assert_eq!(ran.err.trim_end().lines().count(), 1, "pontoon {line}: {ran:?}");
        ran.err
    }

    /// Asks over the socket, as a client that is no process of its own does. It has to succeed.
    pub fn ask(&self, line: &str, body: &str) {
        let answer = self.try_ask(line, body).unwrap();
        assert!(answer.starts_with("HTTP/1.1 20"), "{line}: {answer}");
    }

    fn try_ask(&self, line: &str, body: &str) -> std::io::Result<String> {
        let mut stream = UnixStream::connect(self.socket())?;
        let length = body.len();
        write!(
            stream,
            "{line} HTTP/1.1\r\nHost: p\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// Starts it. Answers how long it took until it answered over its socket.
    pub fn run_timed(&mut self) -> Duration {
        assert!(self.child.is_none(), "it runs already");
        let begin = Instant::now();
        self.child = Some(self.serve().stdin(Stdio::null()).spawn().unwrap());
        while !self.try_ask("GET /version", "").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
            assert!(begin.elapsed() < PATIENCE, "the daemon does not answer");
            std::thread::sleep(Duration::from_micros(500));
        }
        begin.elapsed()
    }

    /// The objects that its store has.
    pub fn objects(&self) -> Vec<Value> {
        objects(&self.file("state/pontoon.db"))
    }

    /// All that its store holds, row by row.
    pub fn stored(&self) -> String {
        crate::bench::stored(&self.file("state/pontoon.db"))
    }

    /// Loads a driver that was built.
    pub fn load(&self, name: &str) {
        self.ok(&format!("driver load {}", crate::driver(name).display()));
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill();
        }
        // Namespaces that drivers made are bound below the run folder.
        for entry in std::fs::read_dir(self.file("run/netns")).into_iter().flatten().flatten() {
            let _ = rustix::mount::unmount(entry.path(), rustix::mount::UnmountFlags::DETACH);
        }
    }
}
