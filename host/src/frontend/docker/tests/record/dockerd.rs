//! A dockerd in a machine of its own, both gone with the value.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long a machine or a daemon may take to come up.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Dockerd {
    version: String,
    // In this order they end: the machine takes the daemon with it.
    _machine: Killed,
    _daemon: Killed,
    folder: tempfile::TempDir,
}

/// A process that ends with the value, by SIGTERM: the machine cleans up behind it.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        if let Some(process) = Pid::from_raw(self.0.id().cast_signed()) {
            let _ = kill_process(process, Signal::TERM);
        }
        drop(self.0.wait());
    }
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/dockerd")
}

/// Where `tests/dockerd/fetch` put what it unpacked.
fn cache() -> PathBuf {
    std::env::var_os("PONTOON_DOCKERD").map_or_else(|| scripts().join("../../target/dockerd"), PathBuf::from)
}

impl Dockerd {
    pub fn start(version: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("pontoon-dockerd-").tempdir().unwrap();
        let machine = Killed(Command::new(scripts().join("machine")).arg(folder.path()).spawn().unwrap());
        until(|| folder.path().join("machine").exists());
        let log = File::create(folder.path().join("log")).unwrap();
        let mut dockerd = Command::new(scripts().join("dockerd"));
        dockerd.arg(version).arg(folder.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let daemon = Killed(dockerd.spawn().unwrap());
        let dockerd = Self { version: version.to_owned(), _machine: machine, _daemon: daemon, folder };
        until(|| dockerd.try_docker(&["version"]).is_ok());
        let image = cache().join("busybox.tar");
        dockerd.docker(&["import", image.to_str().unwrap(), "bb:1"]);
        dockerd
    }

    /// Where plugin sockets go.
    pub fn plugins(&self) -> PathBuf {
        self.folder.path().join("plugins")
    }

    /// Runs a command in the machine.
    pub fn enter(&self) -> Command {
        let mut enter = Command::new(scripts().join("enter"));
        enter.arg(self.folder.path());
        enter
    }

    /// Runs `docker`, which has to succeed, and gives back what it printed.
    pub fn docker(&self, arguments: &[&str]) -> String {
        self.try_docker(arguments).unwrap_or_else(|error| {
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            let tail: Vec<_> = log.lines().rev().take(20).collect();
            panic!("docker {}: {error}\n{}", arguments.join(" "), tail.into_iter().rev().collect::<Vec<_>>().join("\n"))
        })
    }

    /// Asks the API, which has to do it.
    pub fn post(&self, path: &str, body: &str) {
        let mut stream = UnixStream::connect(self.folder.path().join("docker.sock")).unwrap();
        let head =
            format!("POST {path} HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all((head + body).as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(
            answer.split_whitespace().nth(1).is_some_and(|status| status.starts_with('2')),
            "{path} {body}: {answer}"
        );
    }

    pub fn try_docker(&self, arguments: &[&str]) -> Result<String, String> {
        let socket = format!("unix://{}", self.folder.path().join("docker.sock").display());
        let mut docker = Command::new(cache().join(&self.version).join("root/usr/bin/docker"));
        docker.env("HOME", self.folder.path()).args(["--host", &socket]).args(arguments);
        let output = docker.output().unwrap();
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }
}

fn until(mut ready: impl FnMut() -> bool) {
    let start = Instant::now();
    while !ready() {
        assert!(start.elapsed() < PATIENCE, "it did not come up");
        std::thread::sleep(Duration::from_millis(50));
    }
}
