//! Debian's etcd in a namespace of its own, a cable from there to each host, and daemons that are nodes of a cluster.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{IpAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{Daemon, Namespace, until};

/// Where all members listen; each has a port of its own.
const ADDRESS: &str = "192.0.2.100";

/// What the keys of the tests' clusters begin with.
pub const PREFIX: &str = "/test";

/// Members of one etcd.
pub struct Etcd {
    /// Where they are: a bridge, to which hosts are connected.
    pub place: Namespace,
    /// Their data, certificates if there are some.
    pub folder: TempDir,
    members: Vec<Option<Child>>,
    tls: bool,
}

impl Etcd {
    /// So many members, which have elected a leader.
    pub fn start(members: usize) -> Self {
        Self::started(members, false)
    }

    /// One that speaks TLS, and wants a certificate of whoever asks: `client.pem` and `client-key.pem` in its folder.
    pub fn with_tls() -> Self {
        Self::started(1, true)
    }

    fn started(members: usize, tls: bool) -> Self {
        let place = Namespace::new("etcd");
        for line in ["ip link add sw type bridge", &format!("ip address add {ADDRESS}/24 dev sw"), "ip link set sw up"]
        {
            place.run(line);
        }
        let folder = tempfile::Builder::new().prefix("pontoon-test-").tempdir().unwrap();
        if tls {
            make_certificates(folder.path());
        }
        let mut etcd = Self { place, folder, members: (0..members).map(|_| None).collect(), tls };
        (0..members).for_each(|member| etcd.run(member));
        etcd.await_leader();
        etcd
    }

    /// Starts a member.
    pub fn run(&mut self, member: usize) {
        let program = crate::target().join("etcd/usr/bin/etcd");
        assert!(program.exists(), "{} is missing: tests/setup unpacks it", program.display());
        let scheme = if self.tls { "https" } else { "http" };
        let (client, peer) =
            (format!("{scheme}://{ADDRESS}:{}", port(member)), format!("http://{ADDRESS}:{}", port(member) + 1));
        let all = (0..self.members.len()).map(|m| format!("m{m}=http://{ADDRESS}:{}", port(m) + 1));
        let all = all.collect::<Vec<_>>().join(",");
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.place.text())).arg("--").arg(program);
        command
            .args(["--name", &format!("m{member}"), "--data-dir"])
            .arg(self.folder.path().join(format!("m{member}")));
        command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
        command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
        command.args(["--initial-cluster", &all, "--heartbeat-interval", "50", "--election-timeout", "500"]);
        if self.tls {
            for (flag, file) in [("cert", "server.pem"), ("key", "server-key.pem"), ("trusted-ca", "authority.pem")] {
                command.arg(format!("--{flag}-file")).arg(self.folder.path().join(file));
            }
            command.arg("--client-cert-auth");
        }
        let log = std::fs::File::create(self.folder.path().join(format!("log{member}"))).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        self.members[member] = Some(command.spawn().unwrap());
    }

    /// Kills a member.
    pub fn kill(&mut self, member: usize) {
        if let Some(mut child) = self.members[member].take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Has a member hang, which takes connections and answers nothing, or go on.
    pub fn hang(&self, member: usize, hangs: bool) {
        let pid = rustix::process::Pid::from_child(self.members[member].as_ref().unwrap());
        let signal = if hangs { rustix::process::Signal::STOP } else { rustix::process::Signal::CONT };
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// The members that run.
    pub fn running(&self) -> Vec<usize> {
        (0..self.members.len()).filter(|member| self.members[*member].is_some()).collect()
    }

    /// Waits until it can be written to.
    pub fn await_leader(&self) {
        if self.tls {
            let address = format!("{ADDRESS}:{}", port(0));
            until("etcd to listen", || {
                let address = address.clone();
                self.place.enter(move || TcpStream::connect(address).is_ok()).join().unwrap()
            });
            return;
        }
        until("etcd to have a leader", || {
            self.running().iter().all(|member| self.try_ask(*member, "kv/put", &put("ready", b"")).is_some())
        });
    }

    /// The member that leads.
    pub fn leader(&self) -> usize {
        let leads = |member: &usize| {
            let status = self.ask(*member, "maintenance/status", &json!({}));
            status["leader"] == status["header"]["member_id"]
        };
        self.running().into_iter().find(leads).unwrap()
    }

    /// Asks a member.
    pub fn ask(&self, member: usize, path: &str, body: &Value) -> Value {
        self.try_ask(member, path, body).unwrap_or_else(|| panic!("etcd does not answer {path}"))
    }

    /// The answer, if it is one.
    pub fn try_ask(&self, member: usize, path: &str, body: &Value) -> Option<Value> {
        let (status, answer) = self.say(member, path, body)?;
        (status == 200).then_some(answer)
    }

    /// Asks a member; status and answer.
    pub fn say(&self, member: usize, path: &str, body: &Value) -> Option<(u16, Value)> {
        let (path, body) = (path.to_owned(), body.clone());
        self.place.enter(move || say_here(member, &path, &body, Duration::from_secs(8))).join().unwrap()
    }

    /// All keys below the prefix, without it, and their values as text.
    pub fn keys(&self) -> Vec<(String, String)> {
        let prefix = format!("{PREFIX}/");
        let range = json!({ "key": STANDARD.encode(&prefix), "range_end": STANDARD.encode(format!("{PREFIX}0")) });
        let member = self.running()[0];
        let answer = self.ask(member, "kv/range", &range);
        let text = |value: &Value| {
            let bytes = STANDARD.decode(value.as_str().unwrap_or_default()).unwrap();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let all = answer["kvs"].as_array().cloned().unwrap_or_default();
        all.iter().map(|kv| (text(&kv["key"])[prefix.len()..].to_owned(), text(&kv["value"]))).collect()
    }

    /// Those whose names contain this.
    pub fn named(&self, part: &str) -> Vec<String> {
        self.keys().into_iter().map(|(key, _)| key).filter(|key| key.contains(part)).collect()
    }

    /// Puts a key below the prefix, as another node would, or an operator.
    pub fn put(&self, key: &str, value: &[u8]) {
        self.ask(self.running()[0], "kv/put", &put(&format!("{PREFIX}/{key}"), value));
    }

    /// Puts many at once.
    pub fn put_all(&self, all: &[(String, String)]) {
        for some in all.chunks(100) {
            let ops = some
                .iter()
                .map(|(key, value)| json!({"request_put": put(&format!("{PREFIX}/{key}"), value.as_bytes())}));
            let ops: Vec<_> = ops.collect();
            self.ask(self.running()[0], "kv/txn", &json!({ "success": ops }));
        }
    }

    /// Removes a key below the prefix.
    pub fn remove(&self, key: &str) {
        let key = STANDARD.encode(format!("{PREFIX}/{key}"));
        self.ask(self.running()[0], "kv/deleterange", &json!({ "key": key }));
    }

    /// Forgets all revisions before now.
    pub fn compact(&self) {
        let now = self.ask(self.running()[0], "kv/range", &json!({ "key": STANDARD.encode("x") }));
        let body = json!({ "revision": now["header"]["revision"], "physical": true });
        self.ask(self.running()[0], "kv/compaction", &body);
    }

    /// A daemon that has yet to start, with a cable to here: its address is 192.0.2.NUMBER. `more`: lines of its `[cluster]`.
    pub fn node(&self, name: &str, number: u8, more: &str) -> Daemon {
        let daemon = Daemon::stopped();
        self.connect(&daemon.host, number);
        std::fs::write(daemon.file("config.toml"), self.settings(name, number, more)).unwrap();
        daemon
    }

    /// The configuration of a node.
    pub fn settings(&self, name: &str, number: u8, more: &str) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        let endpoints = (0..self.members.len()).map(|member| format!("'{scheme}://{ADDRESS}:{}'", port(member)));
        let endpoints = endpoints.collect::<Vec<_>>().join(", ");
        let mut text = format!("[cluster]\nendpoints = [{endpoints}]\nprefix = '{PREFIX}'\nnode = '{name}'\n");
        writeln!(text, "address = '192.0.2.{number}'").unwrap();
        if !more.contains("ttl") {
            text += "ttl = 3\n";
        }
        text + more
    }

    /// Some that run, each with the probe: `a`, `b`, …
    pub fn nodes<const N: usize>(&self) -> [Daemon; N] {
        std::array::from_fn(|index| {
            let number = u8::try_from(index).unwrap();
            let mut node = self.node(&char::from(b'a' + number).to_string(), number + 1, "");
            node.run();
            node.load("test/probe");
            node
        })
    }

    /// Lays the cable of a host that has a namespace anew.
    pub fn connect(&self, host: &Namespace, number: u8) {
        let cable = format!("c{number}");
        let _ = self.place.try_run(&format!("ip link del {cable}"));
        self.place.run(&format!("ip link add {cable} type veth peer name cable netns {}", host.text()));
        self.place.run(&format!("ip link set {cable} master sw up"));
        host.run(&format!("ip address add 192.0.2.{number}/24 dev cable"));
        host.run("ip link set cable up");
    }

    /// Cuts a host off, or mends that.
    pub fn cut(&self, number: u8, off: bool) {
        self.place.run(&format!("ip link set c{number} {}", if off { "down" } else { "up" }));
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        (0..self.members.len()).for_each(|member| self.kill(member));
    }
}

/// Asks a member from the namespace of this thread; status and answer.
fn say_here(member: usize, path: &str, body: &Value, most: Duration) -> Option<(u16, Value)> {
    let address = (ADDRESS.parse::<IpAddr>().unwrap(), port(member)).into();
    let mut stream = TcpStream::connect_timeout(&address, most.min(Duration::from_secs(2))).ok()?;
    let _ = stream.set_read_timeout(Some(most));
    let body = body.to_string();
    // 1.0: the answer ends with the connection.
    let head = format!("POST /v3/{path} HTTP/1.0\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all((head + &body).as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, serde_json::from_str(body).unwrap_or_default()))
}

/// What a key has now by the word of a majority, asked for from the namespace of this thread; none: no member of so many answers.
pub fn read_here(members: usize, key: &str) -> Option<Option<Vec<u8>>> {
    let body = json!({ "key": STANDARD.encode(key) });
    let say = |member| say_here(member, "kv/range", &body, Duration::from_secs(2)).filter(|(status, _)| *status == 200);
    let (_, answer) = (0..members).find_map(say)?;
    Some(answer["kvs"][0]["value"].as_str().map(|value| STANDARD.decode(value).unwrap()))
}

fn port(member: usize) -> u16 {
    2379 + 10 * u16::try_from(member).unwrap()
}

fn put(key: &str, value: &[u8]) -> Value {
    json!({ "key": STANDARD.encode(key), "value": STANDARD.encode(value) })
}

/// An authority, a certificate of etcd's and one of a client's.
fn make_certificates(folder: &Path) {
    let one = |name: &str, key: &str| {
        format!(
            "openssl ecparam -name prime256v1 -genkey -noout -out {key} \
             && openssl req -new -key {key} -subj /CN={name} -out {name}.csr \
             && printf 'subjectAltName=IP:{ADDRESS}\\nextendedKeyUsage=serverAuth,clientAuth\\n' >extension \
             && openssl x509 -req -in {name}.csr -CA authority.pem -CAkey authority.key -CAcreateserial -days 2 -extfile extension -out {name}.pem"
        )
    };
    let script = format!(
        "openssl ecparam -name prime256v1 -genkey -noout -out authority.key \
         && openssl req -x509 -new -key authority.key -subj /CN=authority -days 2 -out authority.pem && {} && {}",
        one("server", "server-key.pem"),
        one("client", "client-key.pem")
    );
    let made = Command::new("sh").args(["-c", &script]).current_dir(folder).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}
