//! The daemon is replaced while clients ask and packets pass: no request fails, no endpoint is lost, no port is free. And whatever is wrong with the
//! successor, the old daemon serves.
//!
//! - `clients`: those who ask all the while, each in its own way
//! - `failing`: successors that don't come to serve, daemons that are killed, strangers
//! - `managed`: under a service manager, as the unit has it

mod clients;
mod failing;
mod managed;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pontoon_tests::{Daemon, Namespace, Pinging, Role, driver, listen_tcp, outside};

use clients::{Client, Waits, ask_for_docker, attach};

/// The bridge, another build of it, a network for each front end, and two that ping each other; the first publishes a port.
struct Stage {
    daemon: Daemon,
    builds: [String; 2],
    a: Namespace,
    b: Namespace,
    outside: Namespace,
}

/// What a load went through.
#[derive(Clone, Copy)]
struct Turns {
    upgrades: usize,
    replacements: usize,
}

fn stage() -> Stage {
    let daemon = Daemon::start();
    daemon.ok(&format!("driver load {} --name d", driver("bridge").display()));
    let builds = [1, 2].map(|number| {
        let file = daemon.file(&format!("{number}.wasm"));
        let section = [0, 7, 5, b'b', b'u', b'i', b'l', b'd', number];
        std::fs::write(&file, [std::fs::read(driver("bridge")).unwrap().as_slice(), &section].concat()).unwrap();
        file.display().to_string()
    });
    daemon.ok("network create n -d d");
    daemon.ok("network create m -d d");
    let outside = outside(&daemon.host);
    let [a, b] = ["a", "b"].map(Namespace::new);
    daemon.ok(&format!("endpoint attach n {} -p 8080:80", a.text()));
    daemon.ok(&format!("endpoint attach n {}", b.text()));
    listen_tcp(&a, 80, "hello");
    Stage { daemon, builds, a, b, outside }
}

impl Stage {
    /// Clients of every kind ask while this happens; answers how long each request took.
    fn under_load(&mut self, time: Duration, turns: Turns) -> Waits {
        let (done, waits) = (AtomicBool::new(false), Waits::default());
        let (admin, plugin) = (self.daemon.socket(), self.daemon.file("plugins/d.sock"));
        let (host, from) = (self.daemon.host.path().to_owned(), self.outside.path().to_owned());
        std::thread::scope(|scope| {
            let (done, waits) = (&done, &waits);
            let ends = StopAtEnd(done);
            for (number, (network, reuses)) in [("n", true), ("n", false), ("m", true)].into_iter().enumerate() {
                let mut client = Client::new(&admin, reuses);
                scope.spawn(move || attach(&mut client, &format!("c{number}"), network, done, waits));
            }
            let mut client = Client::new(&plugin, true);
            scope.spawn(move || ask_for_docker(&mut client, done, waits));
            // Silent most of the time: most replacements find these two idle.
            for path in [&admin, &plugin] {
                let mut client = Client::new(path, true);
                scope.spawn(move || clients::seldom(&mut client, done, waits));
            }
            scope.spawn(move || clients::wants_the_port(&Namespace::at(host), done));
            scope.spawn(move || clients::fetches(&Namespace::at(from), done));
            let pause = time / u32::try_from(turns.upgrades + turns.replacements + 1).unwrap();
            let each = turns.upgrades.checked_div(turns.replacements).unwrap_or_default();
            for upgrade in 0..turns.upgrades {
                std::thread::sleep(pause);
                let line = format!("driver upgrade d {}", self.builds[upgrade % 2]);
                waits.beside_requests("upgrade", || drop(self.daemon.ok(&line)));
                if (upgrade + 1).is_multiple_of(each.max(1)) && (upgrade + 1) / each.max(1) <= turns.replacements {
                    std::thread::sleep(pause);
                    waits.beside_requests("replacement", || self.daemon.replace());
                }
            }
            std::thread::sleep(pause);
            drop(ends);
        });
        waits
    }

    fn is_whole(&self) {
        let endpoints = self.daemon.json("endpoint ls");
        assert_eq!(endpoints.as_array().unwrap().len(), 2, "{endpoints}");
        assert!(self.a.pings(&self.address(&self.b)) && self.b.pings(&self.address(&self.a)));
    }

    fn address(&self, of: &Namespace) -> String {
        let told = of.run("ip -o -4 address show scope global");
        told.split_whitespace().nth(3).unwrap().split('/').next().unwrap().to_owned()
    }
}

/// Ends what runs beside, also where the test fails.
struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn under_load(time: Duration, turns: Turns) {
    let mut stage = stage();
    let before = stage.daemon.objects().len();
    let alone = stage.under_load(time / 4, Turns { upgrades: 0, replacements: 0 });
    let first = stage.daemon.pid();
    let pinging = Pinging::start(&stage.a, &stage.address(&stage.b));
    let busy = stage.under_load(time, turns);
    let (sent, came) = pinging.stop();
    println!(
        "{} upgrades, {} replacements; requests by how long they took:\n{:>34}{:>12}",
        turns.upgrades, turns.replacements, "without", "with"
    );
    println!("{}\npings: {came} of {sent}\n{}", alone.beside(&busy), busy.slowest());
    // The last one may be on its way.
    assert!(came + 1 >= sent && sent > 100, "{came} of {sent} pings came back");
    assert_ne!(stage.daemon.pid(), first);
    stage.is_whole();
    assert_eq!(stage.daemon.objects().len(), before);
    let history = stage.daemon.json("driver history d");
    assert_eq!(history[0]["number"], turns.upgrades as u64 + 1);
    // Nothing of an earlier daemon is left.
    let processes = stage.daemon.processes();
    let daemons = processes.iter().filter(|process| process.role == Role::Daemon).count();
    assert_eq!(daemons, 1, "{processes:?}");
    stage.daemon.stop();
    let left: Vec<_> = ["run/pontoon.sock", "run/replace.sock", "plugins/d.sock", "run/pontoon.sock.lock"]
        .into_iter()
        .filter(|name| stage.daemon.file(name).exists())
        .collect();
    assert_eq!(left, [""; 0], "the last daemon removes them");
}

#[test]
fn under_load_no_request_fails() {
    under_load(Duration::from_secs(16), Turns { upgrades: 6, replacements: 3 });
}

/// `make replace`.
#[test]
#[ignore = "ten minutes"]
fn a_hundred_upgrades_and_twenty_replacements() {
    under_load(Duration::from_secs(400), Turns { upgrades: 100, replacements: 20 });
}
