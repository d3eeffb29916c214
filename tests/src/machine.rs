//! A machine for a container engine: namespaces of its own for network, mounts and processes, with a dockerd and a Pontoon in it.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::{Namespace, Ran, command, pontoon, same_at_last};

/// How long a machine or a daemon may take to come up or to go. It is for a machine under load.
const PATIENCE: Duration = Duration::from_secs(120);

/// Garbage collection leaves alone what is younger: dockerd may not have written it down yet.
pub const OLD_ENOUGH: Duration = Duration::from_secs(10);

/// It stays on when networks go.
const FORWARDING: &str =
    "sysctl -q net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv6.conf.default.forwarding=1";

/// Everything that runs in it is gone with this value.
pub struct Machine {
    /// Its network namespace.
    pub host: Namespace,
    version: String,
    machine: Child,
    dockerd: Option<Child>,
    pontoon: Option<Child>,
    folder: TempDir,
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("dockerd")
}

/// Where `tests/dockerd/fetch` put what it unpacked.
fn unpacked() -> PathBuf {
    std::env::var_os("PONTOON_DOCKERD").map_or_else(|| scripts().join("../../target/dockerd"), PathBuf::from)
}

impl Machine {
    /// A machine in which nothing runs yet. `version` is that of its dockerd: 20.10 or 26.1.
    pub fn new(version: &str) -> Self {
        assert!(unpacked().join("complete").exists(), "the dockerds are not there: run `tests/dockerd/fetch`");
        let folder = tempfile::Builder::new().prefix("pontoon-dockerd-").tempdir().unwrap();
        let (machine, host) = boot(folder.path());
        Self { host, version: version.to_owned(), machine, dockerd: None, pontoon: None, folder }
    }

    /// A machine with a dockerd, a Pontoon, and the driver `pontoon-bridge` between them.
    pub fn start(version: &str) -> Self {
        let mut machine = Self::new(version);
        machine.prepare();
        machine.run_dockerd(&[]);
        machine
    }

    /// All but dockerd.
    pub fn prepare(&mut self) {
        self.host.run(FORWARDING);
        self.run_pontoon_with_bridge();
    }

    /// Starts Pontoon, and gives it the driver `pontoon-bridge`.
    pub fn run_pontoon_with_bridge(&mut self) {
        self.run_pontoon();
        self.pontoon(&format!("driver load {} --name pontoon-bridge", crate::driver("bridge").display()));
    }

    /// Everything that runs in it ends at once, and it starts again without what was in `/run`, and without a dockerd and a Pontoon.
    pub fn reboot(&mut self) {
        self.halt();
        for gone in ["run", "plugins"] {
            let _ = std::fs::remove_dir_all(self.file(gone));
        }
        for gone in ["machine", "docker.pid", "docker.sock", "pontoon.pid", "pontoon.sock"] {
            let _ = std::fs::remove_file(self.file(gone));
        }
        (self.machine, self.host) = boot(self.folder.path());
        self.host.run(FORWARDING);
    }

    /// Ends all that runs in it.
    fn halt(&mut self) {
        // It takes all that runs in it along, and cleans up behind its containers.
        if let Some(process) = Pid::from_raw(self.machine.id().cast_signed()) {
            let _ = kill_process(process, Signal::TERM);
        }
        let _ = self.machine.wait();
        for mut child in self.dockerd.take().into_iter().chain(self.pontoon.take()) {
            let _ = child.wait();
        }
    }

    /// A file in its folder, which is the same inside and outside.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A plugin's socket.
    pub fn plugin(&self, name: &str) -> PathBuf {
        self.file("plugins").join(format!("{name}.sock"))
    }

    /// Runs a command in it.
    pub fn enter(&self) -> Command {
        let mut enter = Command::new(scripts().join("enter"));
        enter.arg(self.folder.path()).stdin(Stdio::null());
        enter
    }

    /// Starts dockerd, and waits until it answers.
    pub fn run_dockerd(&mut self, arguments: &[&str]) {
        self.begin_dockerd(arguments);
        self.await_dockerd();
    }

    /// Starts dockerd.
    pub fn begin_dockerd(&mut self, arguments: &[&str]) {
        assert!(self.dockerd.is_none(), "it runs already");
        let log = File::options().create(true).append(true).open(self.file("dockerd.log")).unwrap();
        let mut dockerd = Command::new(scripts().join("dockerd"));
        dockerd.arg(&self.version).arg(self.folder.path()).args(arguments);
        self.dockerd = Some(dockerd.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap());
    }

    /// Waits until dockerd answers, and gives it the image `bb:1`.
    pub fn await_dockerd(&self) {
        until("dockerd", || self.try_docker("version").is_ok());
        if self.try_docker("image inspect bb:1").is_err() {
            self.docker(&format!("import {} bb:1", unpacked().join("busybox.tar").display()));
        }
    }

    /// Ends dockerd by a signal.
    pub fn end_dockerd(&mut self, signal: &str) {
        let child = self.dockerd.take();
        self.end(child, "docker.pid", signal);
        // Its containerd, if that outlives it, is asked for by the next one.
    }

    /// Starts Pontoon, and waits until it answers.
    pub fn run_pontoon(&mut self) {
        let pontoon = self.serve();
        self.run_pontoon_as(pontoon);
    }

    /// The command that runs Pontoon, to be changed by a test.
    pub fn serve(&self) -> Command {
        self.serve_by("")
    }

    /// The same, run by another program, which becomes it.
    fn serve_by(&self, program: &str) -> Command {
        let mut serve = self.enter();
        let script = format!(r#"echo $$ >"$0/pontoon.pid"; exec {program}"$@""#);
        serve.args(["sh", "-c", &script]).arg(self.folder.path()).arg(pontoon()).arg("serve");
        serve.arg("--state").arg(self.file("state")).arg("--run").arg(self.file("run"));
        serve.arg("--drivers").arg(self.file("drivers")).arg("--socket").arg(self.file("pontoon.sock"));
        serve.arg("--docker").arg(self.file("docker.sock"));
        serve
    }

    /// Starts Pontoon by this command, made by [`Self::serve`].
    pub fn run_pontoon_as(&mut self, serve: Command) {
        self.spawn_pontoon(serve);
        until("pontoon", || self.try_pontoon("version").out.contains("daemon"));
    }

    fn spawn_pontoon(&mut self, mut serve: Command) {
        assert!(self.pontoon.is_none(), "it runs already");
        let log = File::options().create(true).append(true).open(self.file("pontoon.log")).unwrap();
        self.pontoon = Some(serve.stdout(Stdio::null()).stderr(log).spawn().unwrap());
    }

    /// Binds the admin socket and these drivers' plugin sockets as systemd does, which starts Pontoon with the first connection.
    pub fn begin_pontoon_with_sockets(&mut self, drivers: &[&str]) {
        let admin = self.file("pontoon.sock").display().to_string();
        let plugins = drivers.iter().map(|name| format!("/run/docker/plugins/{name}.sock"));
        let sockets: String = plugins.chain([admin]).map(|path| format!("--listen={path} ")).collect();
        self.spawn_pontoon(self.serve_by(&format!("systemd-socket-activate {sockets}")));
        until("the sockets", || self.file("pontoon.sock").exists());
    }

    /// Whether the process that is to become Pontoon is it by now.
    pub fn has_begun_pontoon(&self) -> bool {
        let program = std::fs::read(self.file("pontoon.pid")).unwrap_or_default();
        let pid = String::from_utf8_lossy(&program).trim().to_owned();
        let name = self.enter().args(["cat", &format!("/proc/{pid}/comm")]).output().unwrap();
        String::from_utf8_lossy(&name.stdout).trim() == "pontoon"
    }

    /// Ends Pontoon by a signal: TERM or KILL.
    pub fn end_pontoon(&mut self, signal: &str) {
        let child = self.pontoon.take();
        self.end(child, "pontoon.pid", signal);
    }

    /// Ends Pontoon by a signal and starts it again.
    pub fn restart_pontoon(&mut self, signal: &str) {
        self.end_pontoon(signal);
        self.run_pontoon();
    }

    /// Puts another Pontoon in the place of the one that runs.
    pub fn replace_pontoon(&mut self) {
        let mut old = self.pontoon.take().expect("it runs");
        let mut successor = self.serve();
        successor.arg("--replace");
        self.spawn_pontoon(successor);
        let status = old.wait().unwrap();
        assert!(status.success(), "the Pontoon that was replaced ended with {status}");
    }

    /// Pontoon's process, seen from inside.
    pub fn pontoon_pid(&self) -> String {
        std::fs::read_to_string(self.file("pontoon.pid")).unwrap().trim().to_owned()
    }

    fn end(&self, child: Option<Child>, file: &str, signal: &str) {
        let pid = std::fs::read_to_string(self.file(file)).unwrap();
        let killed = self.enter().args(["kill", "-s", signal, pid.trim()]).status().unwrap();
        assert!(killed.success(), "kill -s {signal} {pid}");
        child.expect("it runs").wait().unwrap();
    }

    /// Runs a `docker` command line, which has to succeed, and gives back what it printed. Words are split at white space.
    pub fn docker(&self, line: &str) -> String {
        self.try_docker(line).unwrap_or_else(|error| {
            let tail = |name: &str| {
                let log = std::fs::read_to_string(self.file(name)).unwrap_or_default();
                let lines: Vec<_> = log.lines().rev().take(20).map(str::to_owned).collect();
                lines.into_iter().rev().collect::<Vec<_>>().join("\n")
            };
            panic!("docker {line}: {error}\n-- dockerd:\n{}\n-- pontoon:\n{}", tail("dockerd.log"), tail("pontoon.log"))
        })
    }

    /// Runs a `docker` command line: what it printed, or its complaint.
    pub fn try_docker(&self, line: &str) -> Result<String, String> {
        let output = self.docker_command(line).output().unwrap();
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    /// A `docker` command line, to be started.
    pub fn docker_command(&self, line: &str) -> Command {
        let mut docker = Command::new(unpacked().join(&self.version).join("root/usr/bin/docker"));
        let socket = format!("unix://{}", self.file("docker.sock").display());
        docker.env("HOME", self.folder.path()).args(["--host", &socket]).args(line.split_whitespace());
        docker.stdin(Stdio::null());
        docker
    }

    /// Removes containers, one after the other. `docker rm` removes several at the same time, and of two endpoints that it then takes off a
    /// network's count dockerd may lose one, whatever the driver (`atomicIncDecEpCnt` of libnetwork, moby/moby#42119).
    pub fn remove(&self, containers: &str) {
        containers.split(' ').for_each(|container| drop(self.docker(&format!("rm -f {container}"))));
    }

    /// Asks dockerd's API, which has to do it.
    pub fn post(&self, path: &str, body: &str) {
        let mut stream = UnixStream::connect(self.file("docker.sock")).unwrap();
        let length = body.len();
        let head =
            format!("POST {path} HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n");
        stream.write_all((head + body).as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split_whitespace().nth(1).unwrap_or_default();
        assert!(status.starts_with('2'), "{path} {body}: {answer}");
    }

    /// What an `inspect` command line says of one thing.
    pub fn inspect(&self, line: &str) -> Value {
        let all: Value = serde_json::from_str(&self.docker(line)).unwrap();
        all[0].clone()
    }

    /// A container's network namespace.
    pub fn container(&self, name: &str) -> Namespace {
        let details = self.inspect(&format!("inspect {name}"));
        let key = details["NetworkSettings"]["SandboxKey"].as_str().unwrap().to_owned();
        // /var/run is an absolute link, which would lead out again.
        let key = key.strip_prefix("/var").unwrap_or(&key).to_owned();
        let first = std::fs::read_to_string(self.file("machine")).unwrap();
        Namespace::at(format!("/proc/{}/root{key}", first.trim()))
    }

    /// An address of a container on a network: `IPAddress` or `GlobalIPv6Address`.
    pub fn address(&self, container: &str, network: &str, key: &str) -> String {
        let details = self.inspect(&format!("inspect {container}"));
        details["NetworkSettings"]["Networks"][network][key].as_str().unwrap().to_owned()
    }

    /// Runs a `pontoon` command line.
    pub fn try_pontoon(&self, line: &str) -> Ran {
        let mut command = command(pontoon());
        command.env("PONTOON_SOCKET", self.file("pontoon.sock")).args(line.split_whitespace());
        Ran::of(command.stdin(Stdio::null()))
    }

    /// Runs a `pontoon` command line that has to succeed, and gives back its standard output.
    pub fn pontoon(&self, line: &str) -> String {
        let ran = self.try_pontoon(line);
        assert_eq!(ran.code, 0, "pontoon {line}: {ran:?}");
        ran.out
    }

    /// Runs a `pontoon` command line that has to succeed, and gives back its answer for programs.
    pub fn pontoon_json(&self, line: &str) -> Value {
        serde_json::from_str(&self.pontoon(&format!("--output json {line}"))).unwrap()
    }

    /// Ids of the networks and endpoints that dockerd has of a driver, and those that Pontoon has: both in order.
    pub fn known(&self, driver: &str) -> [Vec<String>; 2] {
        let listed = self.docker(&format!("network ls --no-trunc -q --filter driver={driver}"));
        let mut docker = Vec::new();
        for id in listed.lines() {
            docker.push(id.to_owned());
            let containers = self.inspect(&format!("network inspect {id}"))["Containers"].clone();
            let endpoints = containers.as_object().into_iter().flatten().map(|(_, c)| c["EndpointID"].clone());
            docker.extend(endpoints.map(|id| id.as_str().unwrap().to_owned()));
        }
        let networks = self.pontoon_json("network ls");
        let ids = |values: &Value| -> Vec<String> {
            values.as_array().unwrap().iter().map(|v| v["id"].as_str().unwrap().to_owned()).collect()
        };
        let mut ours = Vec::new();
        for network in networks.as_array().unwrap().iter().filter(|n| n["driver"] == driver) {
            let id = network["id"].as_str().unwrap();
            ours.push(id.to_owned());
            ours.extend(ids(&self.pontoon_json(&format!("endpoint ls {id}"))));
        }
        docker.sort();
        ours.sort();
        [docker, ours]
    }

    /// dockerd and Pontoon know of the same networks and endpoints.
    pub fn agree(&self) {
        for driver in self.pontoon_json("driver ls").as_array().unwrap() {
            let [docker, ours] = self.known(driver["name"].as_str().unwrap());
            assert_eq!(docker, ours, "left: dockerd's networks and endpoints, right: Pontoon's");
        }
    }

    /// Nothing is left: the kernel is as it was, and neither dockerd nor Pontoon has any network of a plugin's.
    pub fn is_clean(&self, before: &str) {
        same_at_last(|| self.host.dump(), &before.to_owned());
        self.agree();
        assert_eq!(self.pontoon_json("network ls"), serde_json::json!([]));
        let mounts = self.enter().args(["cat", "/proc/self/mounts"]).output().unwrap();
        let mounts = String::from_utf8_lossy(&mounts.stdout).into_owned();
        let bound = mounts.lines().filter(|l| l.contains("/docker/netns/") && !l.contains("/default "));
        assert_eq!(bound.collect::<Vec<_>>(), [""; 0], "no sandbox is left");
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.halt();
    }
}

/// A machine in this folder, and its network namespace.
fn boot(folder: &Path) -> (Child, Namespace) {
    let machine = Command::new(scripts().join("machine")).arg(folder).spawn().unwrap();
    until("the machine", || folder.join("machine").exists());
    let first = std::fs::read_to_string(folder.join("machine")).unwrap();
    (machine, Namespace::at(format!("/proc/{}/ns/net", first.trim())))
}

/// Waits for something that takes a while.
pub fn until(what: &str, mut ready: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !ready() {
        assert!(begin.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
