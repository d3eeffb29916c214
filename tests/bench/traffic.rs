//! Packets: what containers send and receive each second, and how long an answer and a connection take. On a bridge of the kernel's alone, on
//! Pontoon's and on dockerd's own, with one port published and with many, in turn.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use pontoon_tests::{Daemon, Machine, Namespace, Report, Table, interleaved, is_short, median, outside, rounds};
use serde_json::json;

const ROUNDS: usize = 10;
/// How long is sent for one figure.
const SENDING: Duration = Duration::from_millis(300);
const BLOCK: usize = 128 << 10;
/// Answers, and connections, for one figure.
const ANSWERS: u32 = 2_000;
const CONNECTIONS: u32 = 300;
/// What a server gives its clients: it takes all that they send, sends every byte back, or says one and hangs up.
const TAKES: u8 = b't';
const ECHOES: u8 = b'e';
const GREETS: u8 = b'g';
/// Ports from here are published; the server listens on the middle one.
const FIRST_PORT: u16 = 10_000;
const MANY: u16 = 5_000;
/// Ports that one endpoint publishes at most.
const AT_ONCE: usize = 500;
/// Where the outside is.
const OUTSIDE: &str = "192.0.2.2";
const HOST: &str = "192.0.2.1";

const COLUMNS: [&str; 6] =
    ["Gbit/s: inside", "out", "in by port", "answer us: inside", "in by port", "connect us: in by port"];

/// Two containers on a host, and the outside.
struct Site {
    name: String,
    a: Namespace,
    /// Where `b` is for `a`.
    inside: SocketAddr,
    /// Where the outside is for `a`.
    out: SocketAddr,
    /// Where `b` is for the outside.
    by_port: SocketAddr,
    outside: Namespace,
    /// For each column, a figure of each round.
    seen: [Vec<f64>; 6],
    _kept: Box<dyn std::any::Any>,
}

pub fn run() {
    let many = if is_short() { 100 } else { MANY };
    let mut sites = [plain(), pontoons(1), dockers(1), pontoons(many), dockers(many)];
    let order = sites.each_ref().map(|site| site.name.clone());
    // The first finds nothing warm.
    interleaved(1, &mut sites, Site::look);
    sites.iter_mut().for_each(|site| site.seen = Default::default());
    interleaved(rounds(ROUNDS), &mut sites, Site::look);
    let mut table = Table::new(&format!("packets (median of {})", rounds(ROUNDS)), &COLUMNS);
    let mut report = Report::of("traffic");
    sites.sort_by_key(|site| order.iter().position(|name| *name == site.name));
    sites.iter().for_each(|site| table.row(&site.name, &site.medians()));
    report.table(table);
    let bars = |column: usize| sites.iter().map(|site| (site.name.clone(), site.medians()[column])).collect::<Vec<_>>();
    report.bars("throughput", "From outside by a published port (median)", "Gbit/s", &bars(2));
    report.bars("connect", "A connection by a published port (median)", "us", &bars(5));
    let find = |name: String| sites.iter().find(|site| site.name == name).unwrap().medians();
    let (one, all) = (find(name("Pontoon", 1)), find(name("Pontoon", many)));
    report.at_most(&format!("an answer by a published port with {many}, times with one"), all[4] / one[4], 1.05);
    report.at_most(&format!("a connection by a published port with {many}, times with one"), all[5] / one[5], 1.05);
    report.save();
}

fn name(whose: &str, ports: u16) -> String {
    format!("{whose}, {ports} port{}", if ports == 1 { "" } else { "s" })
}

fn middle(number: u16) -> u16 {
    FIRST_PORT + number / 2
}

/// A bridge without a firewall: what comes in is routed.
fn plain() -> Site {
    let (host, [a, b]) = (Namespace::new("host"), ["a", "b"].map(Namespace::new));
    let outside = outside(&host);
    host.run("sysctl -q net.ipv4.ip_forward=1");
    host.run("ip link add br0 type bridge");
    host.run("ip address add 10.30.0.1/24 dev br0");
    host.run("ip link set br0 up");
    for (number, container) in [(2, &a), (3, &b)] {
        host.run(&format!("ip link add v{number} master br0 type veth peer name eth0 netns {}", container.text()));
        host.run(&format!("ip link set v{number} up"));
        container.run(&format!("ip address add 10.30.0.{number}/24 dev eth0"));
        container.run("ip link set eth0 up");
        container.run("ip route add default via 10.30.0.1");
    }
    outside.run("ip route add 10.30.0.0/24 via 192.0.2.1");
    let server = at("10.30.0.3", FIRST_PORT);
    Site::new("the kernel alone".to_owned(), [a, b], outside, [server, server], Box::new(host))
}

/// Each port by itself: all lead to one port of a container, so they form no ranges, which would be one rule each. `b` has the middle one, and
/// no endpoint has more than [`AT_ONCE`].
fn pontoons(number: u16) -> Site {
    let (daemon, a) = (Daemon::start(), Namespace::new("a"));
    let outside = outside(&daemon.host);
    daemon.load("bridge");
    daemon.ok("network create --subnet 10.30.0.0/24 n");
    daemon.ok(&format!("endpoint attach n {}", a.text()));
    let (all, port): (Vec<u16>, u16) = ((FIRST_PORT..FIRST_PORT + number).collect(), middle(number));
    let (mut b, mut others) = (None, Vec::new());
    for (at, some) in all.chunks(AT_ONCE).enumerate() {
        let container = Namespace::new(&format!("b{at}"));
        let one = |host_port| json!({"protocol": "tcp", "container_port": port, "host_port": host_port});
        let ports = some.iter().map(one);
        let body = json!({"namespace": container.text(), "ports": ports.collect::<Vec<_>>()});
        daemon.ask("POST /networks/n/endpoints", &body.to_string());
        if some.contains(&port) { b = Some(container) } else { others.push(container) }
    }
    let b = b.unwrap();
    let line = b.run("ip -4 -o address show dev eth0");
    let inside = at(line.split_whitespace().nth(3).unwrap().split('/').next().unwrap(), port);
    Site::new(name("Pontoon", number), [a, b], outside, [inside, at(HOST, port)], Box::new((daemon, others)))
}

/// dockerd publishes one port. What it would do for the others, one by one for minutes, is written into its chains at once: as many rules before
/// those for that port as after them.
fn dockers(number: u16) -> Site {
    let mut machine = Machine::new("26.1");
    // A process for each port would come in the way of both.
    machine.run_dockerd(&["--userland-proxy=false"]);
    let port = middle(number);
    let outside = outside(&machine.host);
    machine.docker("network create --subnet 10.30.0.0/24 n");
    machine.docker("run -d --network n --name box-a bb:1 sleep 100000");
    machine.docker(&format!("run -d --network n --name box-b -p {port}:{port} bb:1 sleep 100000"));
    let inside = at(&machine.address("box-b", "n", "IPAddress"), port);
    let mut restored = String::new();
    for table in ["nat", "filter"] {
        restored += &format!("*{table}\n");
        let saved = machine.host.run(&format!("iptables-save -t {table}"));
        let number_of_it = format!("--dport {port} ");
        for rule in saved.lines().filter(|line| (line.to_string() + " ").contains(&number_of_it)) {
            for other in (FIRST_PORT..FIRST_PORT + number).filter(|other| *other != port) {
                let rule = rule.replace(&port.to_string(), &other.to_string());
                restored += &if other < port { rule.replacen("-A ", "-I ", 1) } else { rule };
                restored += "\n";
            }
        }
        restored += "COMMIT\n";
    }
    let file = machine.file("rules");
    std::fs::write(&file, restored).unwrap();
    machine.host.run(&format!("iptables-restore --noflush {}", file.display()));
    let containers = ["box-a", "box-b"].map(|name| machine.container(name));
    Site::new(name("dockerd's bridge", number), containers, outside, [inside, at(HOST, port)], Box::new(machine))
}

fn at(address: &str, port: u16) -> SocketAddr {
    SocketAddr::new(address.parse().unwrap(), port)
}

impl Site {
    fn new(
        name: String,
        [a, b]: [Namespace; 2],
        outside: Namespace,
        [inside, by_port]: [SocketAddr; 2],
        kept: Box<dyn std::any::Any>,
    ) -> Self {
        serve(&b, inside.port());
        serve(&outside, inside.port());
        let out = at(OUTSIDE, inside.port());
        // A container that stays has its namespace kept by the server in it.
        Self { name, a, inside, out, by_port, outside, seen: Default::default(), _kept: Box::new((kept, b)) }
    }

    /// A figure more for each column.
    fn look(&mut self) {
        let (a, outside) = (&self.a, &self.outside);
        let figures = [
            sending(a, self.inside),
            sending(a, self.out),
            sending(outside, self.by_port),
            answering(a, self.inside),
            answering(outside, self.by_port),
            connecting(outside, self.by_port),
        ];
        self.seen.iter_mut().zip(figures).for_each(|(seen, figure)| seen.push(figure));
    }

    fn medians(&self) -> [f64; 6] {
        self.seen.each_ref().map(|figures| median(figures))
    }
}

/// A server in a namespace, until this process ends.
fn serve(namespace: &Namespace, port: u16) {
    let (ready, begun) = mpsc::channel();
    namespace.enter(move || {
        let listener = TcpListener::bind(("0.0.0.0", port)).unwrap();
        ready.send(()).unwrap();
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            std::thread::spawn(move || drop(give(stream)));
        }
    });
    begun.recv().unwrap();
}

fn give(mut stream: TcpStream) -> std::io::Result<()> {
    let mut wanted = [0];
    stream.read_exact(&mut wanted)?;
    stream.set_nodelay(true)?;
    match wanted[0] {
        GREETS => stream.write_all(b"x"),
        ECHOES => loop {
            stream.read_exact(&mut wanted)?;
            stream.write_all(&wanted)?;
        },
        _ => {
            let (mut block, mut taken) = (vec![0; BLOCK], 0_u64);
            loop {
                match stream.read(&mut block)? {
                    0 => return stream.write_all(&taken.to_be_bytes()),
                    length => taken += length as u64,
                }
            }
        }
    }
}

/// Gbit a second that arrive.
fn sending(from: &Namespace, to: SocketAddr) -> f64 {
    let send = move || {
        let mut stream = connect(to, TAKES);
        let (block, begin, mut taken) = (vec![0; BLOCK], Instant::now(), [0; 8]);
        while begin.elapsed() < SENDING {
            stream.write_all(&block).unwrap();
        }
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        stream.read_exact(&mut taken).unwrap();
        u64::from_be_bytes(taken) as f64 * 8.0 / begin.elapsed().as_secs_f64() / 1e9
    };
    from.enter(send).join().unwrap()
}

/// Microseconds until one byte is back.
fn answering(from: &Namespace, to: SocketAddr) -> f64 {
    let ask = move || {
        let (mut stream, mut byte) = (connect(to, ECHOES), [0]);
        let begin = Instant::now();
        for _ in 0..ANSWERS {
            stream.write_all(&byte).unwrap();
            stream.read_exact(&mut byte).unwrap();
        }
        begin.elapsed().as_secs_f64() * 1e6 / f64::from(ANSWERS)
    };
    from.enter(ask).join().unwrap()
}

/// Microseconds from nothing to a server's first byte.
fn connecting(from: &Namespace, to: SocketAddr) -> f64 {
    let ask = move || {
        let begin = Instant::now();
        for _ in 0..CONNECTIONS {
            connect(to, GREETS).read_exact(&mut [0]).unwrap();
        }
        begin.elapsed().as_secs_f64() * 1e6 / f64::from(CONNECTIONS)
    };
    from.enter(ask).join().unwrap()
}

fn connect(to: SocketAddr, wanted: u8) -> TcpStream {
    let mut stream = TcpStream::connect_timeout(&to, Duration::from_secs(5)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.write_all(&[wanted]).unwrap();
    stream
}
