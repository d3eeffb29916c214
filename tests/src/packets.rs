//! Packets: servers that answer, and pings that go on while something else happens.

use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::Namespace;

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
