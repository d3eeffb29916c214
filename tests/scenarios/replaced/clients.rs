//! Clients that ask all the while: on a connection of their own for each request, on one that they use again, or that is silent most of the time.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pontoon_tests::Namespace;

/// A client of one socket.
pub struct Client {
    socket: PathBuf,
    reuses: bool,
    connection: Option<BufReader<UnixStream>>,
}

impl Client {
    pub fn new(socket: &Path, reuses: bool) -> Self {
        Self { socket: socket.to_owned(), reuses, connection: None }
    }

    /// Asks. Nothing is tried again: whatever is refused, reset or not answered with success has failed.
    #[track_caller]
    pub fn ok(&mut self, line: &str, body: &str, waits: &Waits) -> String {
        let begin = Instant::now();
        let is_reused = self.connection.is_some();
        let (status, answer) = self.ask(line, body).unwrap_or_else(|error| {
            panic!("{line} after {:?}, on a connection that was there: {is_reused}: {error}", begin.elapsed())
        });
        waits.add(line, begin);
        assert!((200..300).contains(&status), "{line} {body}: {status} {answer}");
        answer
    }

    fn ask(&mut self, line: &str, body: &str) -> std::io::Result<(u16, String)> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let stream = UnixStream::connect(&self.socket)?;
                stream.set_read_timeout(Some(Duration::from_secs(60)))?;
                BufReader::new(stream)
            }
        };
        let (length, last) = (body.len(), if self.reuses { "" } else { "Connection: close\r\n" });
        let head = format!(
            "{line} HTTP/1.1\r\nHost: p\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{last}\r\n"
        );
        connection.get_mut().write_all((head + body).as_bytes())?;
        let (mut status, mut length, mut closes) = (None, 0, false);
        loop {
            let mut line = String::new();
            if connection.read_line(&mut line)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            status = status.or_else(|| line.split(' ').nth(1)?.parse().ok());
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.parse().unwrap();
            }
            closes |= line == "connection: close";
        }
        let mut answer = vec![0; length];
        connection.read_exact(&mut answer)?;
        if self.reuses && !closes {
            self.connection = Some(connection);
        }
        Ok((status.unwrap_or_default(), String::from_utf8_lossy(&answer).into_owned()))
    }
}

/// Attaches a namespace, and detaches it.
pub fn attach(client: &mut Client, name: &str, network: &str, done: &AtomicBool, waits: &Waits) {
    let namespace = Namespace::new(name);
    let body = format!("{{\"namespace\": \"{}\"}}", namespace.text());
    while !done.load(Ordering::Relaxed) {
        client.ok(&format!("POST /networks/{network}/endpoints"), &body, waits);
        client.ok(&format!("DELETE /networks/{network}/endpoints/{name}"), "", waits);
    }
}

/// Networks and endpoints as a dockerd asks for them.
pub fn ask_for_docker(client: &mut Client, done: &AtomicBool, waits: &Waits) {
    let mut ok = |method: &str, body: &str| client.ok(&format!("POST /NetworkDriver.{method}"), body, waits);
    while !done.load(Ordering::Relaxed) {
        ok("CreateNetwork", r#"{"NetworkID":"d1","IPv4Data":[{"Pool":"10.31.0.0/24","Gateway":"10.31.0.1/24"}]}"#);
        let endpoint = r#"{"NetworkID":"d1","EndpointID":"e1"}"#;
        for _ in 0..5 {
            let interface = r#"{"NetworkID":"d1","EndpointID":"e1","Interface":{"Address":"10.31.0.2/24"}}"#;
            ok("CreateEndpoint", interface);
            ok("Join", r#"{"NetworkID":"d1","EndpointID":"e1","SandboxKey":"/var/run/docker/netns/0123"}"#);
            ok("Leave", endpoint);
            ok("DeleteEndpoint", endpoint);
        }
        ok("DeleteNetwork", r#"{"NetworkID":"d1"}"#);
    }
}

/// Asks every few seconds.
pub fn seldom(client: &mut Client, done: &AtomicBool, waits: &Waits) {
    let line = if client.socket.ends_with("pontoon.sock") { "GET /version" } else { "POST /Plugin.Activate" };
    while !done.load(Ordering::Relaxed) {
        client.ok(line, "", waits);
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(3) && !done.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A program on the host that would take the published port if it were free.
pub fn wants_the_port(host: &Namespace, done: &AtomicBool) {
    while !done.load(Ordering::Relaxed) {
        let taken = host.enter(|| {
            let begin = Instant::now();
            // As fast as it can, for a while: a thread for each would be slow.
            while begin.elapsed() < Duration::from_millis(200) {
                if TcpListener::bind("0.0.0.0:8080").is_ok() {
                    return true;
                }
                std::thread::sleep(Duration::from_micros(200));
            }
            false
        });
        assert!(!taken.join().unwrap(), "the published port was free");
    }
}

/// A client of the published port, from outside.
pub fn fetches(outside: &Namespace, done: &AtomicBool) {
    while !done.load(Ordering::Relaxed) {
        let fetched = outside.enter(|| -> std::io::Result<String> {
            let address: SocketAddr = ([192, 0, 2, 1], 8080).into();
            let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
            let mut text = String::new();
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            stream.read_to_string(&mut text)?;
            Ok(text)
        });
        assert_eq!(fetched.join().unwrap().unwrap(), "hello", "the published port");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// How long requests took, and what went on meanwhile.
#[derive(Default)]
pub struct Waits {
    all: Mutex<Vec<Duration>>,
    slow: Mutex<Vec<Span>>,
    others: Mutex<Vec<Span>>,
}

/// Something that went on for a while.
struct Span {
    what: String,
    begin: Instant,
    end: Instant,
}

/// Longer ones are told of by name.
const SLOW: Duration = Duration::from_millis(500);

/// As many of them.
const TOLD: usize = 12;

/// Upper ends of the histogram's rows, in milliseconds.
const ROWS: [u64; 11] = [1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, u64::MAX];

impl Waits {
    /// A request that began then and has its answer.
    fn add(&self, what: &str, begin: Instant) {
        let span = Span { what: what.to_owned(), begin, end: Instant::now() };
        self.all.lock().unwrap().push(span.length());
        if span.length() >= SLOW {
            self.slow.lock().unwrap().push(span);
        }
    }

    /// Does what requests may have to wait for.
    pub fn beside_requests(&self, what: &str, work: impl FnOnce()) {
        let begin = Instant::now();
        work();
        self.others.lock().unwrap().push(Span { what: what.to_owned(), begin, end: Instant::now() });
    }

    /// The slowest requests, a line for each, with what went on at the same time.
    pub fn slowest(&self) -> String {
        let (mut slow, others) = (self.slow.lock().unwrap(), self.others.lock().unwrap());
        slow.sort_by_key(|span| std::cmp::Reverse(span.length()));
        let line = |span: &Span| {
            let meanwhile =
                others.iter().filter(|other| other.begin < span.end && span.begin < other.end).map(|other| {
                    let from = other.begin.saturating_duration_since(span.begin).as_millis();
                    format!("{} from {from} ms on, for {} ms", other.what, other.length().as_millis())
                });
            let meanwhile = meanwhile.collect::<Vec<_>>().join(", ");
            format!("{:>8} ms  {}; meanwhile: {meanwhile}\n", span.length().as_millis(), span.what)
        };
        slow.iter().take(TOLD).map(line).collect()
    }

    /// Two histograms beside each other, and the longest of each.
    pub fn beside(&self, other: &Self) -> String {
        let count = |waits: &Self, row: usize| {
            let from = if row == 0 { 0 } else { ROWS[row - 1] };
            let within = |wait: &&Duration| (from..ROWS[row]).contains(&(wait.as_millis() as u64));
            waits.all.lock().unwrap().iter().filter(within).count()
        };
        let longest = |waits: &Self| waits.all.lock().unwrap().iter().max().copied().unwrap_or_default().as_millis();
        let row = |row: usize| {
            let counts = [count(self, row), count(other, row)];
            let name = if ROWS[row] == u64::MAX { "longer".into() } else { format!("below {} ms", ROWS[row]) };
            (counts != [0, 0]).then(|| format!("{name:>22}{:>12}{:>12}\n", counts[0], counts[1]))
        };
        let rows: String = (0..ROWS.len()).filter_map(row).collect();
        format!("{rows}{:>22}{:>12}{:>12}", "the longest, ms", longest(self), longest(other))
    }
}

impl Span {
    fn length(&self) -> Duration {
        self.end - self.begin
    }
}
