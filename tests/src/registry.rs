//! Debian's docker-registry in the namespace of a daemon, and a command line there with an environment of its own.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tempfile::TempDir;

use crate::{Daemon, Namespace, Ran, Tokens, pontoon, until};

/// Who may ask a registry that wants a password.
pub const USER: &str = "alice";

/// And by which.
pub const PASSWORD: &str = "secret";

/// It, as `htpasswd -B` writes it.
const HASHED: &str = "$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a";

/// A registry at 127.0.0.1:5000 of a daemon's namespace.
pub struct Registry {
    /// Its folder, with `certificate.pem` and `key.pem` where it speaks TLS; the user's is in it, too.
    pub folder: TempDir,
    host: PathBuf,
    child: Option<Child>,
    environment: Vec<(String, PathBuf)>,
    tokens: Option<Tokens>,
}

/// What it wants of whoever asks.
enum Wants {
    Nothing,
    Password,
    Token,
}

/// What a program in a registry's way has seen.
#[derive(Clone, Default)]
pub struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    /// The heads of the requests.
    pub fn heads(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Registry {
    /// One without TLS, for everybody.
    pub fn start(daemon: &Daemon) -> Self {
        Self::started(daemon, false, Wants::Nothing)
    }

    /// One with TLS, by a certificate of nobody's that anybody knows, and with a password if it is said.
    pub fn with_tls(daemon: &Daemon, wants_password: bool) -> Self {
        Self::started(daemon, true, if wants_password { Wants::Password } else { Wants::Nothing })
    }

    /// One that wants a token, and the server, without TLS, that it sends for that.
    pub fn with_tokens(daemon: &Daemon, tls: bool) -> (Self, Tokens) {
        let registry = Self::started(daemon, tls, Wants::Token);
        let tokens = registry.tokens.clone().unwrap();
        (registry, tokens)
    }

    fn started(daemon: &Daemon, tls: bool, wants: Wants) -> Self {
        let folder = tempfile::Builder::new().prefix("pontoon-test-").tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let mut http = "http: { addr: '127.0.0.1:5000', secret: x".to_owned();
        if tls {
            make_certificate(folder.path());
            let (certificate, key) = (at("certificate.pem"), at("key.pem"));
            http += &format!(", tls: {{ certificate: {}, key: {} }}", certificate.display(), key.display());
        }
        let mut configuration = format!(
            "version: 0.1\nlog: {{ level: error, accesslog: {{ disabled: true }} }}\nstorage: {{ filesystem: {{ rootdirectory: {} }} }}\n{http} }}\n",
            at("data").display()
        );
        let mut tokens = None;
        match wants {
            Wants::Nothing => {}
            Wants::Password => {
                std::fs::write(at("htpasswd"), format!("{USER}:{HASHED}\n")).unwrap();
                let path = at("htpasswd");
                configuration += &format!("auth: {{ htpasswd: {{ realm: test, path: {} }} }}\n", path.display());
            }
            Wants::Token => {
                configuration += &Tokens::configuration(folder.path());
                tokens = Some(Tokens::start(folder.path(), daemon.host.path()));
            }
        }
        std::fs::write(at("configuration.yml"), configuration).unwrap();
        let own = [("XDG_CACHE_HOME", "cache"), ("DOCKER_CONFIG", "docker")];
        let environment = own.map(|(name, path)| (name.to_owned(), at(path))).to_vec();
        std::fs::create_dir(at("docker")).unwrap();
        let host = daemon.host.path().to_owned();
        let mut registry = Self { folder, host, child: None, environment, tokens };
        registry.run();
        registry
    }

    /// Starts it.
    pub fn run(&mut self) {
        let program = crate::target().join("registry/usr/bin/docker-registry");
        assert!(program.exists(), "{} is missing: tests/setup unpacks it", program.display());
        let mut serve = self.enter(&program);
        serve.arg("serve").arg(self.folder.path().join("configuration.yml"));
        let log = std::fs::File::create(self.folder.path().join("log")).unwrap();
        self.child = Some(serve.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap());
        let host = Namespace::at(&self.host);
        until("the registry to listen", || host.enter(|| TcpStream::connect("127.0.0.1:5000").is_ok()).join().unwrap());
    }

    /// Ends it.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// A variable of the command line's environment.
    pub fn set(&mut self, name: &str, value: PathBuf) {
        self.environment.retain(|(had, _)| had != name);
        self.environment.push((name.to_owned(), value));
    }

    fn enter(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.host.display())).arg("--").arg(program);
        command
    }

    /// Runs a command line where the registry is. Words are split at white space.
    pub fn cli(&self, daemon: &Daemon, line: &str) -> Ran {
        let mut command = self.enter(&pontoon());
        command.env("PONTOON_SOCKET", daemon.socket()).envs(self.environment.iter().cloned());
        Ran::of(command.args(line.split_whitespace()).stdin(Stdio::null()))
    }

    /// Runs a command line that has to succeed, and gives back its standard output without the line's end.
    pub fn ok(&self, daemon: &Daemon, line: &str) -> String {
        let ran = self.cli(daemon, line);
        assert_eq!(ran.code, 0, "pontoon {line}: {ran:?}");
        ran.out.trim_end().to_owned()
    }

    /// Runs a command line that has to fail with this exit code, in one line, and gives that line back.
    pub fn refused(&self, daemon: &Daemon, code: i32, line: &str) -> String {
        let ran = self.cli(daemon, line);
        assert_eq!(ran.code, code, "pontoon {line}: {ran:?}");
        let complaints = ran.err.lines().filter(|line| line.starts_with("pontoon: ")).count();
        assert_eq!(complaints, 1, "pontoon {line}: {ran:?}");
        ran.err
    }

    /// The file in which it has a blob, by its digest.
    pub fn blob(&self, digest: &str) -> PathBuf {
        let hex = digest.strip_prefix("sha256:").unwrap();
        let blobs = self.folder.path().join("data/docker/registry/v2/blobs/sha256");
        blobs.join(&hex[..2]).join(hex).join("data")
    }

    /// Asks it as no library does, without TLS. Answers the status, the head and the body.
    pub fn ask(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> (u16, String, Vec<u8>) {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:5000\r\nConnection: close\r\nAccept: application/vnd.oci.image.manifest.v1+json\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let request = [head.as_bytes(), body].concat();
        let ask = move || {
            let mut stream = TcpStream::connect("127.0.0.1:5000").unwrap();
            stream.write_all(&request).unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).unwrap();
            answer
        };
        let answer = Namespace::at(&self.host).enter(ask).join().unwrap();
        let end = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(answer[..end].to_vec()).unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), head, answer[end + 4..].to_vec())
    }

    /// A document that it has.
    pub fn json(&self, path: &str) -> Value {
        let (status, head, body) = self.ask("GET", path, "text/plain", b"");
        assert_eq!(status, 200, "{path}: {head}");
        serde_json::from_slice(&body).unwrap()
    }

    /// Puts a blob into one of its repositories, and answers its digest.
    pub fn put_blob(&self, repository: &str, bytes: &[u8]) -> String {
        let (_, head, _) = self.ask("POST", &format!("/v2/{repository}/blobs/uploads/"), "text/plain", b"");
        let location = head.lines().find_map(|line| line.strip_prefix("Location: ")).unwrap();
        let path = &location[location.find("/v2/").unwrap()..];
        let digest = format!("sha256:{}", words::file::digest(bytes));
        let (status, head, _) = self.ask("PUT", &format!("{path}&digest={digest}"), "application/octet-stream", bytes);
        assert_eq!(status, 201, "{head}");
        digest
    }

    /// Puts a manifest under a tag, and answers its digest.
    pub fn put_manifest(&self, repository: &str, tag: &str, manifest: &Value) -> String {
        let (path, bytes) = (format!("/v2/{repository}/manifests/{tag}"), manifest.to_string().into_bytes());
        let (status, head, body) = self.ask("PUT", &path, "application/vnd.oci.image.manifest.v1+json", &bytes);
        assert_eq!(status, 201, "{head}\n{}", String::from_utf8_lossy(&body));
        format!("sha256:{}", words::file::digest(&bytes))
    }

    /// A program at 127.0.0.1:5001 that stands in its way: of so many answers to requests for blobs it passes only so many bytes on. With
    /// `vanishes` nobody listens there after the first of them. It ends with the test's process.
    pub fn in_its_way(&self, times: usize, bytes: usize, vanishes: bool) -> Seen {
        let (seen, left) = (Seen::default(), AtomicUsize::new(times));
        let heads = seen.clone();
        let listening = Namespace::at(&self.host).enter(|| TcpListener::bind("127.0.0.1:5001").unwrap());
        let listener = listening.join().unwrap();
        drop(Namespace::at(&self.host).enter(move || {
            for client in listener.incoming() {
                let Ok(mut client) = client else { return };
                let Some(head) = head(&mut client) else { continue };
                let is_blob = head.starts_with("GET") && head.contains("/blobs/");
                heads.0.lock().unwrap().push(head.clone());
                let mut server = TcpStream::connect("127.0.0.1:5000").unwrap();
                server.write_all(head.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
                let mut answer = Vec::new();
                server.read_to_end(&mut answer).unwrap();
                let is_cut = is_blob && answer.len() > bytes && left.load(Ordering::Relaxed) > 0;
                if is_cut {
                    left.fetch_sub(1, Ordering::Relaxed);
                    let end = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
                    answer.truncate(end + bytes);
                }
                // The client may be gone.
                let _ = client.write_all(&answer);
                if is_cut && vanishes {
                    return;
                }
            }
        }));
        seen
    }
}

/// Reads a request that has no body.
pub(crate) fn head(client: &mut TcpStream) -> Option<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        if client.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}

/// A certificate for 127.0.0.1, signed by an authority of its own, `authority.pem`.
fn make_certificate(folder: &Path) {
    let script = "openssl ecparam -name prime256v1 -genkey -noout -out authority.key \
        && openssl req -x509 -new -key authority.key -subj /CN=authority -days 2 -out authority.pem \
        && openssl ecparam -name prime256v1 -genkey -noout -out key.pem \
        && openssl req -new -key key.pem -subj /CN=registry -out request.pem \
        && printf 'subjectAltName=IP:127.0.0.1\\n' >extension \
        && openssl x509 -req -in request.pem -CA authority.pem -CAkey authority.key -CAcreateserial -days 2 -extfile extension -out certificate.pem";
    let made = Command::new("sh").args(["-c", script]).current_dir(folder).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.stop();
    }
}
