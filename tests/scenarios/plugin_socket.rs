//! What reaches a plugin socket from somebody who is not dockerd: bounded memory, and the other drivers' sockets answer all the while.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pontoon_tests::Daemon;

/// More than dockerd ever opens, and more than a socket serves at a time.
const CONNECTIONS: usize = 2_000;
/// What the daemon may take of memory meanwhile, in KiB: the limits promise 120 MiB for decoded requests, and there are bodies on their way.
const GROWTH: usize = 400 << 10;

fn daemon() -> Daemon {
    let daemon = Daemon::start();
    for name in ["attacked", "other"] {
        daemon.ok(&format!("driver load {} --name {name}", pontoon_tests::driver("bridge").display()));
    }
    daemon
}

fn connect(daemon: &Daemon, name: &str) -> UnixStream {
    let stream = UnixStream::connect(daemon.file(&format!("plugins/{name}.sock"))).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

fn request(method: &str, body: &str) -> String {
    format!("POST /{method} HTTP/1.1\r\nHost: \r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// Asks for something, and gives back the answer's status and text.
pub fn ask(daemon: &Daemon, name: &str, method: &str, body: &str) -> (u16, String) {
    let mut stream = connect(daemon, name);
    // One that refuses may close before all is sent.
    let _ = stream.write_all(request(method, body).as_bytes());
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    let status = answer.split_whitespace().nth(1).and_then(|s| s.parse().ok());
    (status.unwrap_or_else(|| panic!("no answer to {method}: {answer:?}")), answer)
}

fn memory(daemon: &Daemon) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Attacks, while the other driver's socket is asked again and again; answers how long its slowest answer took.
fn under_attack(daemon: &Daemon, attack: impl FnOnce()) -> Duration {
    let over = AtomicBool::new(false);
    let before = memory(daemon);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut slowest = Duration::ZERO;
            while !over.load(Ordering::Relaxed) {
                let begin = Instant::now();
                assert_eq!(ask(daemon, "other", "NetworkDriver.DeleteNetwork", r#"{"NetworkID":"none"}"#).0, 200);
                slowest = slowest.max(begin.elapsed());
                let grown = memory(daemon).saturating_sub(before);
                assert!(grown < GROWTH, "the daemon has grown by {grown} KiB");
            }
            slowest
        });
        attack();
        over.store(true, Ordering::Relaxed);
        asking.join().unwrap()
    })
}

#[test]
fn wrong_requests_are_refused_one_by_one() {
    let daemon = daemon();
    let deep = format!(r#"{{"NetworkID":"n","Options":{}1{}}}"#, r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
    let long = "n".repeat(100_000);
    let table = [
        ("NetworkDriver.CreateNetwork", "", 400, "empty request body"),
        ("NetworkDriver.CreateNetwork", "null", 400, "NetworkID"),
        ("NetworkDriver.CreateNetwork", "[]", 400, "can't be read"),
        ("NetworkDriver.CreateNetwork", r#"{"NetworkID":7}"#, 400, "invalid type"),
        ("NetworkDriver.CreateNetwork", r#"{"NetworkID":"a/../b"}"#, 400, "is no id"),
        ("NetworkDriver.CreateNetwork", &format!(r#"{{"NetworkID":"{long}"}}"#), 400, "is no id"),
        ("NetworkDriver.CreateNetwork", &deep, 400, "recursion limit"),
        ("NetworkDriver.CreateNetwork", r#"{"NetworkID":"n","IPv4Data":[{"Pool":"10.0.0.0/99"}]}"#, 400, "Pool"),
        ("NetworkDriver.CreateEndpoint", r#"{"NetworkID":"none","EndpointID":"e"}"#, 500, "no network"),
        ("NetworkDriver.Join", r#"{"NetworkID":"none","EndpointID":"e","SandboxKey":"/a/../b"}"#, 400, "SandboxKey"),
        ("NetworkDriver.Join", r#"{"NetworkID":"none","EndpointID":"e","SandboxKey":"/a"}"#, 500, "no endpoint"),
        ("IpamDriver.RequestAddress", r#"{"PoolID":"none"}"#, 500, "no address pool"),
        ("IpamDriver.RequestPool", r#"{"Pool":"127.0.0.0/8"}"#, 500, "can't be a pool"),
        ("NetworkDriver.Nothing", "{}", 404, "no method"),
    ];
    for (method, body, status, part) in table {
        let (answered, answer) = ask(&daemon, "attacked", method, body);
        assert!(answered == status && answer.contains(part), "{method} {:.80}: {answer}", body);
    }
    assert_eq!(daemon.json("network ls"), serde_json::json!([]));
    for nothing in ["NetworkDriver.Leave", "NetworkDriver.DeleteEndpoint", "NetworkDriver.RevokeExternalConnectivity"] {
        let body = r#"{"NetworkID":"none","EndpointID":"e"}"#;
        assert_eq!(ask(&daemon, "attacked", nothing, body).0, 200, "{nothing} of what is not there");
    }
    assert_eq!(ask(&daemon, "attacked", "NetworkDriver.DeleteNetwork", r#"{"NetworkID":"none"}"#).0, 200);
}

#[test]
fn one_drivers_networks_are_not_anothers() {
    let daemon = daemon();
    let create = r#"{"NetworkID":"n1","IPv4Data":[{"Pool":"10.31.0.0/24","Gateway":"10.31.0.1/24"}]}"#;
    assert_eq!(ask(&daemon, "attacked", "NetworkDriver.CreateNetwork", create).0, 200);
    assert_eq!(ask(&daemon, "attacked", "NetworkDriver.CreateNetwork", create).0, 200, "its answer may have been lost");
    for (driver, other) in [("attacked", create.replace("10.31.", "10.32.")), ("other", create.to_owned())] {
        let (status, answer) = ask(&daemon, driver, "NetworkDriver.CreateNetwork", &other);
        assert!(status == 500 && answer.contains("there already"), "{driver}: {answer}");
    }
    let endpoint = r#"{"NetworkID":"n1","EndpointID":"e","Interface":{"Address":"10.31.0.2/24"}}"#;
    let (status, answer) = ask(&daemon, "other", "NetworkDriver.CreateEndpoint", endpoint);
    assert!(status == 500 && answer.contains("no network"), "{answer}");
    assert_eq!(ask(&daemon, "other", "NetworkDriver.DeleteNetwork", r#"{"NetworkID":"n1"}"#).0, 200);
    assert_eq!(daemon.json("network ls").as_array().unwrap().len(), 1, "it is not the other driver's to delete");
    let native = daemon.refused(6, "endpoint attach n1 /run/netns/none");
    assert!(native.contains("container engine's"), "{native}");
    assert_eq!(ask(&daemon, "attacked", "NetworkDriver.CreateEndpoint", endpoint).0, 200);
    assert_eq!(
        ask(&daemon, "attacked", "NetworkDriver.DeleteNetwork", r#"{"NetworkID":"n1"}"#).0,
        200,
        "with its endpoints"
    );
    assert_eq!(daemon.json("network ls"), serde_json::json!([]));
}

/// dockerd's retries, its crashes and its versions bring the removals in any order, more than once, or not at all.
#[test]
fn removals_come_in_any_order_and_twice() {
    let daemon = daemon();
    let ok = |method: &str, body: &str| {
        let (status, answer) = ask(&daemon, "attacked", &format!("NetworkDriver.{method}"), body);
        assert_eq!(status, 200, "{method}: {answer}");
        answer
    };
    let network = r#"{"NetworkID":"n1"}"#;
    let endpoint = r#"{"NetworkID":"n1","EndpointID":"e1"}"#;
    let removals = [
        ("RevokeExternalConnectivity", endpoint),
        ("Leave", endpoint),
        ("DeleteEndpoint", endpoint),
        ("DeleteNetwork", network),
    ];
    let cycle = |order: &[usize]| {
        ok("CreateNetwork", r#"{"NetworkID":"n1","IPv4Data":[{"Pool":"10.31.0.0/24","Gateway":"10.31.0.1/24"}]}"#);
        let interface = r#"{"NetworkID":"n1","EndpointID":"e1","Interface":{"Address":"10.31.0.2/24"}}"#;
        assert!(ok("CreateEndpoint", interface).contains("02:42:0a:1f:00:02"));
        let joined = ok("Join", r#"{"NetworkID":"n1","EndpointID":"e1","SandboxKey":"/var/run/docker/netns/0123"}"#);
        assert!(joined.contains(r#""Gateway":"10.31.0.1""#) && joined.contains("SrcName"), "{joined}");
        let ports = r#"{"NetworkID":"n1","EndpointID":"e1","Options":{"com.docker.network.portmap":[{"Proto":6,"Port":80,"HostPort":8080}]}}"#;
        ok("ProgramExternalConnectivity", ports);
        assert!(daemon.host.run("nft list ruleset").contains("8080"));
        for &index in order {
            let (method, body) = removals[index];
            ok(method, body);
            ok(method, body);
        }
    };
    cycle(&[0, 1, 2, 3]);
    let bare = daemon.host.dump();
    for order in permutations(4) {
        cycle(&order);
        assert_eq!(daemon.json("network ls"), serde_json::json!([]), "{order:?}");
        pontoon_tests::same_at_last(|| daemon.host.dump(), &bare);
    }
    for last in [&[3][..], &[2, 3], &[1, 3], &[0, 3]] {
        cycle(last);
        pontoon_tests::same_at_last(|| daemon.host.dump(), &bare);
    }
}

fn permutations(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let shorter = permutations(count - 1);
    let longer = |order: &Vec<usize>| {
        let order = order.clone();
        (0..count).map(move |place| [&order[..place], &[count - 1], &order[place..]].concat())
    };
    shorter.iter().flat_map(longer).collect()
}

#[test]
fn an_attack_takes_bounded_memory_and_no_other_drivers_time() {
    let daemon = daemon();
    let half = under_attack(&daemon, || {
        let mut held = Vec::new();
        for number in 0..CONNECTIONS {
            let path = daemon.file("plugins/attacked.sock");
            // Beyond the backlog nobody gets in, which is as good.
            let Ok(mut stream) = connect_now(&path) else { continue };
            let half = if number % 2 == 0 {
                "POST /NetworkDriver.Jo"
            } else {
                "POST /NetworkDriver.Join HTTP/1.1\r\nContent-Length: 9\r\n\r\n{"
            };
            let _ = stream.write_all(half.as_bytes());
            held.push(stream);
        }
        assert!(held.len() > 100);
        std::thread::sleep(Duration::from_millis(500));
    });
    let body = format!(
        r#"{{"NetworkID":"none","EndpointID":"e","Options":{{{}"z":1}}}}"#,
        r#""k":[[1,2],{"a":"b"}],"#.repeat(40_000)
    );
    assert!(body.len() < 1 << 20);
    let huge = under_attack(&daemon, || {
        std::thread::scope(|scope| {
            for _ in 0..100 {
                scope.spawn(|| {
                    let (status, _) = ask(&daemon, "attacked", "NetworkDriver.CreateEndpoint", &body);
                    assert!(status >= 400);
                });
            }
        });
    });
    let endless = under_attack(&daemon, || {
        let mut stream = connect(&daemon, "attacked");
        let head = "POST /NetworkDriver.Join HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
        // 64 MiB, of which the daemon reads one.
        let sent = (0..1024).take_while(|_| stream.write_all(chunk.as_bytes()).is_ok()).count();
        assert!(sent < 1024, "nobody stopped it");
    });
    let unread = under_attack(&daemon, || {
        let mut held = Vec::new();
        for _ in 0..100 {
            let mut stream = connect(&daemon, "attacked");
            stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
            let ask = "POST /Plugin.Activate HTTP/1.1\r\nHost: \r\nContent-Length: 0\r\n\r\n".repeat(100);
            // It asks and asks, and reads no answer.
            while stream.write_all(ask.as_bytes()).is_ok() {}
            held.push(stream);
        }
    });
    for (what, slowest) in
        [("half requests", half), ("huge bodies", huge), ("an endless body", endless), ("no reader", unread)]
    {
        assert!(slowest < Duration::from_secs(10), "with {what} the other driver's slowest answer took {slowest:?}");
    }
    let (status, answer) = ask(&daemon, "attacked", "Plugin.Activate", "");
    assert!(status == 200 && answer.contains("NetworkDriver"), "it is there when the attack is over: {answer}");
}

/// Connects, unless the backlog is full.
fn connect_now(path: &std::path::Path) -> std::io::Result<UnixStream> {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::NONBLOCK, None)?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(false)?;
    Ok(stream)
}

#[test]
fn a_head_that_is_begun_and_not_ended_ends_the_connection() {
    let daemon = daemon();
    let mut streams = [connect(&daemon, "attacked"), connect(&daemon, "attacked"), connect(&daemon, "attacked")];
    streams[1].write_all(b"POST /NetworkDriver.").unwrap();
    // After an answer, and a byte at a time.
    let activate = "POST /Plugin.Activate HTTP/1.1\r\nHost: \r\nContent-Length: 0\r\n\r\n";
    streams[2].write_all(activate.as_bytes()).unwrap();
    let mut answer = [0; 4096];
    assert!(streams[2].read(&mut answer).unwrap() > 0);
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(13) && streams[2].write_all(b"P").is_ok() {
        std::thread::sleep(Duration::from_millis(500));
    }
    // 10 seconds, where it was 90.
    assert!(begin.elapsed() < Duration::from_secs(12), "{:?}", begin.elapsed());
    for mut stream in streams {
        stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        // An answer that says so, or the end.
        assert!(!matches!(stream.read(&mut answer), Err(e) if e.kind() == std::io::ErrorKind::WouldBlock));
    }
}
