//! `kill -9` at random moments of a mixed load: native attaches and networks, Docker's requests, and a driver that changes everything that a
//! driver can change, all at the same time, on the real kernel. The daemon is killed, its launcher, its keyholder and a driver's engine process
//! in turn.
//!
//! With a helper or the daemon all of its processes end, and another daemon starts; without an engine the same one goes on, and so does the load.
//! After that, kernel and store agree, what was answered is there, and what nobody owns is not. Pings between containers that were
//! attached before, native ones and Docker's, go on all the while. In the end all is as it was in the beginning.
//!
//! `make crash` kills 200 times; `PONTOON_KILLS=N` other times, `PONTOON_SEED=N` with other numbers.

mod agree;
mod client;
mod docker;
mod load;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fastrand::Rng;
use pontoon_tests::{Daemon, Namespace, Pinging, Role, same_at_last, until};

pub use agree::agree;
use client::Outcome;
pub use client::Sockets;
use docker::{Container, Docker};
pub use load::Known;
use load::{Endpoints, Networks, Worker};

/// Kills in an ordinary test run.
const KILLS: usize = 12;
/// Who is killed, one after the other.
const VICTIMS: [Role; 4] = [Role::Daemon, Role::Launcher, Role::Keyholder, Role::Engine];
/// A daemon that lost a helper ends within this, as after SIGTERM, and all its processes with it.
const END: Duration = Duration::from_secs(13);
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
    let (cut, mut slowest) = (AtomicUsize::new(0), Duration::ZERO);
    for number in 0..kills {
        let victim = VICTIMS[number % VICTIMS.len()];
        let (of, answers, moment) =
            (random.usize(..workers.len()), random.usize(..ANSWERS), MOMENT.mul_f64(random.f64()));
        let (stop, answered): (_, Vec<_>) =
            (AtomicBool::new(false), workers.iter().map(|_| AtomicUsize::new(0)).collect());
        std::thread::scope(|scope| {
            let _stop = Stop(&stop);
            for (worker, answered) in workers.iter_mut().zip(&answered) {
                let mut random = Rng::with_seed(seed << 32 | number as u64);
                let (sockets, stop, cut) = (&sockets, &stop, &cut);
                scope.spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        match worker.step(sockets, &mut random) {
                            Outcome::Done => {}
                            Outcome::Cut => drop(cut.fetch_add(1, Ordering::Relaxed)),
                            Outcome::Unknown => return,
                        }
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            until("the load", || answered[of].load(Ordering::Relaxed) >= answers);
            std::thread::sleep(moment);
            match victim {
                Role::Engine => kill_an_engine(&daemon, &answered, &mut random),
                _ => slowest = slowest.max(kill(&mut daemon, victim)),
            }
        });
        if victim != Role::Engine {
            while random.u32(..4) == 0 {
                killed_at_its_start(&daemon, START.mul_f64(random.f64()));
            }
            daemon.run();
        }
        let when =
            format!("seed {seed}, kill {number}, of {victim:?}, {moment:?} after {answers} answers of worker {of}");
        agree(&daemon, &steady.moved, &when);
        for worker in &mut workers {
            worker.check(&daemon, &sockets);
        }
    }
    workers.iter_mut().for_each(|worker| worker.tidy(&sockets));
    same_at_last(|| daemon.host.dump(), &empty);
    agree(&daemon, &steady.moved, "after the last");
    let counts: Vec<String> = workers.iter().map(|worker| worker.tell()).collect();
    let cut = cut.into_inner();
    eprintln!("{}; {}; {cut} requests cut; all ended in {slowest:?} at most", steady.end(), counts.join(", "));
}

/// Ends the load, also when the test fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Kills the daemon or a helper, with which all its processes end. Answers how long that took.
fn kill(daemon: &mut Daemon, victim: Role) -> Duration {
    let (before, begin) = (daemon.processes(), Instant::now());
    if victim == Role::Daemon {
        daemon.kill();
    } else {
        before.iter().find(|process| process.role == victim).unwrap().kill();
        // A failure, so that the service manager starts it again.
        assert_eq!(daemon.ended().code(), Some(9));
    }
    until("all its processes to end", || daemon.processes().is_empty() && !before.iter().any(|process| process.runs()));
    assert!(begin.elapsed() < END, "{victim:?}: {:?}", begin.elapsed());
    begin.elapsed()
}

/// Kills an engine process. All of the load goes on with other ones.
fn kill_an_engine(daemon: &Daemon, answered: &[AtomicUsize], random: &mut Rng) {
    let mut engines = Vec::new();
    until("an engine process", || {
        engines = daemon.those(Role::Engine);
        !engines.is_empty()
    });
    let engine = random.choice(engines).unwrap();
    engine.kill();
    let count = || answered.iter().map(|count| count.load(Ordering::Relaxed)).collect::<Vec<_>>();
    let before = count();
    until("the load to go on", || count().iter().zip(&before).all(|(now, before)| now > before));
    until("somebody to ask how it ended", || !engine.is_there());
}

fn killed_at_its_start(daemon: &Daemon, moment: Duration) {
    let mut child = daemon.serve().stdin(std::process::Stdio::null()).spawn().unwrap();
    std::thread::sleep(moment);
    child.kill().unwrap();
    child.wait().unwrap();
    until("the processes that it had started to end", || daemon.processes().is_empty());
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
