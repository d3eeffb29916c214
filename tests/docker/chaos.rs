//! A host that is changed all the while: firewalls are flushed and reloaded, both daemons restart, the way out loses its address and gets it
//! again, bridge-nf goes on and off, a bridge goes down or is deleted; and containers come and go. In the end everything answers, and nothing is left over.
//!
//! Meanwhile packets are sent a thousand times a second where none may arrive, and a published port is asked all the time: the longest opening
//! and the longest outage are printed.
//!
//! `make chaos` does it for half an hour; `PONTOON_CHAOS=SECONDS` for as long as that, `PONTOON_SEED=N` with other numbers.

use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use fastrand::Rng;
use pontoon_tests::{Machine, Namespace, fetch, listen_tcp, outside, until};

/// In an ordinary test run.
const SECONDS: u64 = 120;
/// Arrivals with a longer pause between them are two openings.
const PAUSE: Duration = Duration::from_millis(20);

/// Packets that must not arrive, one a millisecond.
struct Probe {
    name: &'static str,
    stop: Arc<AtomicBool>,
    threads: [JoinHandle<Vec<Instant>>; 2],
}

impl Probe {
    fn start(name: &'static str, from: &Namespace, to: &Namespace, address: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stop_sending, stop_receiving) = (stop.clone(), stop.clone());
        let address: SocketAddr = format!("{address}:9000").parse().unwrap();
        let receiver = to.enter(|| UdpSocket::bind("0.0.0.0:9000").unwrap()).join().unwrap();
        receiver.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let sender = from.enter(|| UdpSocket::bind("0.0.0.0:0").unwrap()).join().unwrap();
        let send = move || {
            while !stop_sending.load(Ordering::Relaxed) {
                let _ = sender.send_to(b"x", address);
                std::thread::sleep(Duration::from_millis(1));
            }
            Vec::new()
        };
        let receive = move || {
            let mut arrived = Vec::new();
            while !stop_receiving.load(Ordering::Relaxed) {
                if receiver.recv_from(&mut [0; 9]).is_ok() {
                    arrived.push(Instant::now());
                }
            }
            arrived
        };
        Self { name, stop, threads: [std::thread::spawn(send), std::thread::spawn(receive)] }
    }

    /// How long packets arrived each time, shortest first, and when the longest time began.
    fn end(self) -> (Vec<Duration>, Option<Instant>) {
        self.stop.store(true, Ordering::Relaxed);
        let arrived: Vec<Instant> = self.threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        let openings = arrived.chunk_by(|one, next| *next - *one < PAUSE);
        let mut openings: Vec<_> = openings.map(|o| (o[o.len() - 1] - o[0] + Duration::from_millis(1), o[0])).collect();
        openings.sort_unstable();
        let began = openings.last().map(|(_, began)| *began);
        (openings.into_iter().map(|(opening, _)| opening).collect(), began)
    }
}

/// Asks a published port as often as it answers. Its end answers the longest time without an answer.
fn ask(from: &Namespace, stop: Arc<AtomicBool>) -> JoinHandle<Duration> {
    from.enter(move || {
        let address = "192.0.2.1:8080".parse().unwrap();
        let (mut last, mut longest) = (Instant::now(), Duration::ZERO);
        while !stop.load(Ordering::Relaxed) {
            if TcpStream::connect_timeout(&address, Duration::from_millis(100)).is_ok() {
                longest = longest.max(last.elapsed());
                last = Instant::now();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        longest.max(last.elapsed())
    })
}

/// What firewalld does at a reload: its table goes, and comes back in one step.
const RELOAD: &str = "nft -f - <<END
table inet firewalld
delete table inet firewalld
table inet firewalld {
  chain filter_FORWARD { type filter hook forward priority 10; policy accept; ct state established,related accept; }
}
END";

/// One blow, and its name. What has to be put back by whoever did it is put back.
fn blow(machine: &mut Machine, bridge: &str, random: &mut Rng) -> &'static str {
    let pause = Duration::from_millis(random.u64(0..300));
    match random.u8(0..9) {
        0 | 1 => {
            machine.host.run("nft flush ruleset");
            "nft flush ruleset"
        }
        2 => {
            assert!(machine.host.try_run_script(RELOAD).status.success());
            "a reload of firewalld"
        }
        3 => {
            machine.end_dockerd("TERM");
            std::thread::sleep(pause);
            machine.run_dockerd(&["--live-restore"]);
            "a restart of dockerd"
        }
        4 => {
            machine.restart_pontoon(if random.bool() { "TERM" } else { "KILL" });
            "a restart of Pontoon"
        }
        5 => {
            machine.host.run("ip address del 192.0.2.1/24 dev eth0");
            std::thread::sleep(pause);
            machine.host.run("ip address add 192.0.2.1/24 dev eth0");
            "the way out without its address"
        }
        6 => {
            let on = u8::from(random.bool());
            machine.host.run(&format!("sysctl -q net.bridge.bridge-nf-call-iptables={on}"));
            "bridge-nf"
        }
        7 => {
            machine.host.run(&format!("ip link set {bridge} down"));
            "a bridge that is down"
        }
        _ => {
            machine.host.run(&format!("ip link del {bridge}"));
            "a bridge that is deleted"
        }
    }
}

#[test]
fn a_host_that_is_changed_all_the_while() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().unwrap());
    let (seconds, seed) = (number("PONTOON_CHAOS").unwrap_or(SECONDS), number("PONTOON_SEED").unwrap_or(1));
    let mut random = Rng::with_seed(seed);
    let mut machine = Machine::new("26.1");
    machine.prepare();
    machine.run_dockerd(&["--live-restore"]);
    let outside = outside(&machine.host);
    outside.run("ip route add 10.64.0.0/10 via 192.0.2.1");
    machine.docker("network create -d pontoon-bridge --subnet 10.71.0.0/24 -o com.docker.network.bridge.name=br71 n");
    machine.docker("network create -d pontoon-bridge --subnet 10.72.0.0/24 m");
    machine.docker("network create -d pontoon-bridge --subnet 10.73.0.0/24 --internal shut");
    for (name, network, port) in [("c1", "n", "-p 8080:80"), ("c2", "m", ""), ("c3", "shut", "")] {
        machine.docker(&format!("run -d --name {name} --network {network} {port} bb:1 sleep 1d"));
    }
    let [c1, c2, c3] = ["c1", "c2", "c3"].map(|name| machine.container(name));
    listen_tcp(&c1, 80, "hello");
    let address = machine.address("c1", "n", "IPAddress");
    c3.run("ip route replace default via 10.73.0.1");
    let probes = [
        Probe::start("from outside into a network", &outside, &c1, &address),
        Probe::start("out of an internal network", &c3, &outside, "192.0.2.2"),
        Probe::start("from one network to another", &c1, &c2, &machine.address("c2", "m", "IPAddress")),
    ];
    let stop = Arc::new(AtomicBool::new(false));
    let asking = ask(&outside, stop.clone());
    let (begin, mut blows, mut containers) = (Instant::now(), Vec::new(), 0);
    while begin.elapsed() < Duration::from_secs(seconds) {
        let before = Instant::now();
        let what = blow(&mut machine, "br71", &mut random);
        blows.push((before, what));
        // What a container engine is told while its daemons restart is its own business.
        if machine.try_docker("run -d --name c9 --network n -p 9090:80 bb:1 sleep 1d").is_ok() {
            containers += 1;
        }
        let _ = machine.try_docker("rm -f c9");
        until(what, || fetch(&outside, "192.0.2.1:8080") == "hello");
    }
    stop.store(true, Ordering::Relaxed);
    println!("{} blows, {containers} containers in {:?}; seed {seed}", blows.len(), begin.elapsed());
    println!("the published port: longest outage {:?}", asking.join().unwrap());
    for probe in probes {
        let name = probe.name;
        let (openings, began) = probe.end();
        let blow = blows.iter().rev().find(|(at, _)| Some(*at) <= began).map_or("nothing", |(_, what)| what);
        let [median, longest] = [openings.len() / 2, openings.len().saturating_sub(1)]
            .map(|at| openings.get(at).copied().unwrap_or_default());
        let count = openings.len();
        println!("{name}: {count} openings, median {median:?}, longest {longest:?}, after {blow}");
        assert!(longest < Duration::from_secs(1), "{name} was open for {longest:?}");
    }
    let collected = machine.pontoon_json("gc");
    assert_eq!(collected["objects"], serde_json::json!([]), "what no record owns: {collected}");
    machine.agree();
    machine.remove("c1 c2 c3");
    ["n", "m", "shut"].iter().for_each(|network| drop(machine.docker(&format!("network rm {network}"))));
    let left = || machine.host.run("nft list tables").matches("pontoon-").count();
    // The host's own table says which of its links stay closed, as long as it forwards for Pontoon.
    until("no rule is left", || left() <= 1);
}
