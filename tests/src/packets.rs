//! Packets: an outside, clients and servers, and pings that go on while something else happens.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Namespace, until};

/// A namespace at the other end of a cable from the host: 192.0.2.1 and 2001:db8::1 are the host, .2 and ::2 the outside.
pub fn outside(host: &Namespace) -> Namespace {
    let outside = Namespace::new("outside");
    host.run("ip link add eth0 type veth peer name cable");
    let moved = format!("ip link set cable netns {}", outside.text());
    host.run(&moved);
    for (namespace, link, number) in [(host, "eth0", 1), (&outside, "cable", 2)] {
        namespace.run(&format!("sysctl -q net.ipv6.conf.{link}.accept_dad=0"));
        namespace.run(&format!("ip address add 192.0.2.{number}/24 dev {link}"));
        namespace.run(&format!("ip address add 2001:db8::{number}/64 dev {link} nodad"));
        namespace.run(&format!("ip link set {link} up"));
    }
    // The kernel notices a moment later that both ends are up, and a moment after that has no doubt of its own addresses.
    for (namespace, link) in [(host, "eth0"), (&outside, "cable")] {
        let addresses = || namespace.run(&format!("ip -o -6 address show dev {link}"));
        until("the cable", || addresses().contains("fe80") && !addresses().contains("tentative"));
    }
    outside
}

/// What a TCP client in a namespace reads from a server, or nothing.
pub fn fetch(from: &Namespace, address: &str) -> String {
    let output = from.try_run(&format!("socat -t 1 - TCP:{address},connect-timeout=2"));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What a UDP client gets back.
pub fn ask_udp(from: &Namespace, family: u8, address: &str) -> String {
    let script = format!("printf x | socat -t 1 - UDP{family}:{address}");
    let output = from.try_run_script(&script);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A TCP server in a namespace that greets every client with `greeting`, until the test's process ends.
pub fn listen_tcp(namespace: &Namespace, port: u16, greeting: &'static str) {
    let (sender, receiver) = std::sync::mpsc::channel();
    namespace.enter(move || {
        let listener = TcpListener::bind(("::", port)).unwrap();
        sender.send(()).unwrap();
        for stream in listener.incoming() {
            let _ = stream.unwrap().write_all(greeting.as_bytes());
        }
    });
    receiver.recv().unwrap();
}

/// A UDP server that answers every datagram with `answer`.
pub fn listen_udp(namespace: &Namespace, port: u16, answer: &'static str) {
    let (sender, receiver) = std::sync::mpsc::channel();
    namespace.enter(move || {
        let socket = UdpSocket::bind(("::", port)).unwrap();
        sender.send(()).unwrap();
        let mut buffer = [0; 100];
        while let Ok((_, from)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(answer.as_bytes(), from);
        }
    });
    receiver.recv().unwrap();
}

/// Sends so many bytes by TCP; both ends have to agree on them. Answers how long that took.
pub fn send(from: &Namespace, to: &Namespace, address: &str, bytes: usize) -> Duration {
    let (target, (sender, receiver)) = (format!("{address}:5000"), std::sync::mpsc::channel());
    let server = to.enter(move || {
        let listener = TcpListener::bind("[::]:5000").unwrap();
        sender.send(()).unwrap();
        let (mut stream, mut buffer, mut sum, mut count) = (listener.accept().unwrap().0, vec![0; 1 << 17], 0, 0);
        loop {
            match stream.read(&mut buffer).unwrap() {
                0 => return (count, sum),
                read => {
                    sum = checksum(sum, &buffer[..read]);
                    count += read;
                }
            }
        }
    });
    receiver.recv().unwrap();
    let client = from.enter(move || {
        let block: Vec<u8> = (0..1_u32 << 16).map(|byte| (byte.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let (mut stream, begin, mut sum) = (TcpStream::connect(target).unwrap(), Instant::now(), 0);
        for _ in 0..bytes.div_ceil(block.len()) {
            stream.write_all(&block).unwrap();
            sum = checksum(sum, &block);
        }
        drop(stream);
        (begin, sum)
    });
    let (begin, sent) = client.join().unwrap();
    let (count, received) = server.join().unwrap();
    assert!(count >= bytes && sent == received, "{address}: {count} bytes of {bytes}, {sent:x} became {received:x}");
    begin.elapsed()
}

/// Of a stream, whatever pieces it comes in.
fn checksum(sum: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(sum, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// What a host's kernel knows of the containers of other hosts, by the entries of its vxlan link: their hosts, and their addresses. In order.
pub fn peers(host: &Namespace) -> Vec<String> {
    let links = host.run("ip -o link show type vxlan");
    let Some(link) = links.split(": ").nth(1) else { return Vec::new() };
    let forwarding = host.run(&format!("bridge fdb show dev {link}"));
    let forwarding = forwarding.lines().filter_map(|line| line.split(" dst ").nth(1)?.split(' ').next());
    let neighbours = host.run(&format!("ip neighbour show nud permanent dev {link}"));
    let neighbours = neighbours.lines().filter(|line| line.contains("lladdr"));
    let mut known: Vec<String> =
        forwarding.chain(neighbours.filter_map(|line| line.split(' ').next())).map(str::to_owned).collect();
    known.sort();
    known
}

/// Pings that go out every 10 ms until they are stopped.
pub struct Pinging(Child);

impl Pinging {
    /// Begins.
    pub fn start(from: &Namespace, address: &str) -> Self {
        let mut ping = Command::new("nsenter");
        ping.arg(format!("--net={}", from.text())).args(["--", "ping", "-n", "-q", "-i", "0.01", "-W", "1", address]);
        Self(ping.stdout(Stdio::piped()).spawn().unwrap())
    }

    /// Ends them: how many were sent, and how many came back.
    pub fn stop(mut self) -> (u32, u32) {
        kill_process(Pid::from_child(&self.0), Signal::INT).unwrap();
        let mut text = String::new();
        self.0.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        self.0.wait().unwrap();
        let counts = text.lines().find(|l| l.contains("packets transmitted")).unwrap_or_else(|| panic!("{text}"));
        let mut numbers = counts.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok());
        (numbers.next().unwrap(), numbers.next().unwrap())
    }
}

impl Drop for Pinging {
    fn drop(&mut self) {
        // After a test that failed it goes on.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
