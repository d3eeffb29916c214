//! `kill -9` at random moments of a mixed load: native attaches and networks, Docker's requests, and a driver that changes everything that a
//! driver can change, all at the same time, on the real kernel.
//!
//! After each start, kernel and store agree, what was answered is there, and what nobody owns is not. Pings between containers that were
//! attached before, native ones and Docker's, go on all the while. In the end all is as it was in the beginning.
//!
//! `make crash` kills 200 times; `PONTOON_KILLS=N` other times, `PONTOON_SEED=N` with other numbers.

mod agree;
mod client;
mod docker;
mod load;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fastrand::Rng;
use pontoon_tests::{Daemon, Namespace, Pinging, same_at_last, until};

pub use agree::agree;
pub use client::Sockets;
use docker::{Container, Docker};
pub use load::Known;
use load::{Endpoints, Networks, Worker};

/// Kills in an ordinary test run.
const KILLS: usize = 12;
/// Of some part of the load, fewer than so many requests are answered before the kill,
const ANSWERS: usize = 4;
/// and it comes within this after the last of them.
const MOMENT: Duration = Duration::from_millis(40);
/// A start that is killed itself lives at most so long.
const START: Duration = Duration::from_millis(60);

#[test]
fn killed_at_random_moments() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().unwrap());
    let (kills, seed) = (number("PONTOON_KILLS").unwrap_or(KILLS), number("PONTOON_SEED").unwrap_or(1) as u64);
    eprintln!("{kills} kills, seed {seed}");
    let mut random = Rng::with_seed(seed);
    let mut daemon = Daemon::start();
    daemon.load("bridge");
    for (name, file) in [("docker", "bridge"), ("probe", "test/probe")] {
        daemon.ok(&format!("driver load {} --name {name}", pontoon_tests::driver(file).display()));
    }
    let steady = Steady::begin(&daemon);
    let mut workers: Vec<Box<dyn Worker>> = vec![
        Box::new(Endpoints::new(&daemon, "churn", 3)),
        Box::new(Networks::new("bridge", "")),
        Box::new(Networks::new(
            "probe",
            "store tables links addresses routes rules neighbours nftables sysctls namespaces",
        )),
        Box::new(Docker::new(0x100)),
        Box::new(Docker::new(0x200)),
    ];
    let sockets = Sockets::of(&daemon);
    let empty = daemon.host.settled();
    for number in 0..kills {
        let (of, answers, moment) =
            (random.usize(..workers.len()), random.usize(..ANSWERS), MOMENT.mul_f64(random.f64()));
        let answered: Vec<AtomicUsize> = workers.iter().map(|_| AtomicUsize::new(0)).collect();
        std::thread::scope(|scope| {
            for (worker, answered) in workers.iter_mut().zip(&answered) {
                let mut random = Rng::with_seed(seed << 32 | number as u64);
                let sockets = &sockets;
                scope.spawn(move || {
                    while worker.step(sockets, &mut random) {
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            until("the load", || answered[of].load(Ordering::Relaxed) >= answers);
            std::thread::sleep(moment);
            daemon.kill();
        });
        while random.u32(..4) == 0 {
            killed_at_its_start(&daemon, START.mul_f64(random.f64()));
        }
        daemon.run();
        agree(
            &daemon,
            &steady.moved,
            &format!("seed {seed}, kill {number}, {moment:?} after {answers} answers of worker {of}"),
        );
        for worker in &mut workers {
            worker.check(&daemon, &sockets);
        }
    }
    workers.iter_mut().for_each(|worker| worker.tidy(&sockets));
    same_at_last(|| daemon.host.dump(), &empty);
    agree(&daemon, &steady.moved, "after the last");
    let counts: Vec<String> = workers.iter().map(|worker| worker.tell()).collect();
    eprintln!("{}; {}", steady.end(), counts.join(", "));
}

fn killed_at_its_start(daemon: &Daemon, moment: Duration) {
    let mut child = daemon.serve().stdin(std::process::Stdio::null()).spawn().unwrap();
    std::thread::sleep(moment);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// What is there all the time: two pairs of containers that ping each other.
struct Steady {
    pinging: Vec<Pinging>,
    /// The links of Docker's.
    moved: Vec<u64>,
    _namespaces: Vec<Namespace>,
    _containers: Vec<Container>,
}

impl Steady {
    fn begin(daemon: &Daemon) -> Self {
        daemon.ok("network create --ipv6 steady");
        let namespaces = ["steady-a", "steady-b"].map(Namespace::new);
        for namespace in &namespaces {
            daemon.ok(&format!("endpoint attach steady {}", namespace.text()));
        }
        let sockets = Sockets::of(daemon);
        let containers = Container::pair(daemon, &sockets);
        let address = |key: &str| {
            let endpoints = daemon.json("endpoint ls steady");
            let endpoint = endpoints.as_array().unwrap().iter().find(|e| e["name"] == "steady-b").unwrap().clone();
            endpoint[key].as_str().unwrap().split('/').next().unwrap().to_owned()
        };
        let pinging = vec![
            Pinging::start(&namespaces[0], &address("address")),
            Pinging::start(&namespaces[0], &address("address_ipv6")),
            Pinging::start(&containers[0].namespace, &containers[1].address),
        ];
        let moved = containers.iter().map(|container| container.link).collect();
        Self { pinging, moved, _namespaces: namespaces.into(), _containers: containers }
    }

    fn end(self) -> String {
        let mut all = 0;
        for pinging in self.pinging {
            let (sent, received) = pinging.stop();
            assert!(sent > 0);
            assert!(sent - received <= 1, "{received} of {sent} pings came back; the last one may be on its way");
            all += received;
        }
        format!("{all} pings, none lost")
    }
}
