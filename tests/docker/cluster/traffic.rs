//! Containers of three dockerds and an etcd of three members: pings and TCP go on while etcd loses its leader and its majority and daemons are
//! killed, and come back after a host was rebooted or cut off. In the end every host knows the same, and nothing is left over. `make cluster` has
//! the long form: a minute without a majority, and 50 kills.

use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pontoon_tests::{Etcd, Machine, Namespace, Pinging, at, peers, send, until};

use super::{CREATE, IPAM, SUBNETS, addresses, clear, connect, host, run_pontoon};

/// Bytes that are sent by TCP meanwhile, at least, and of one stream.
const BYTES: [usize; 2] = [100 << 20, 20 << 20];

const RUN: &str = "run -d --restart always --network blue";
const SLEEP: &str = "bb:1 sleep 1d";

/// An entry of a host's own: key, the host's address, the container's addresses.
type Entry = (String, String, Vec<String>);

/// How long hosts took to agree.
#[derive(Default)]
struct Took(Vec<f64>);

impl Took {
    /// Waits until these hosts know what each of them put there, and nothing else; the time is each one's, from now on.
    fn agree(&mut self, machines: &[Machine], of: &[usize]) {
        let begin = Instant::now();
        for number in of {
            let wanted = |entry: &Entry| {
                let (_, host, addresses) = entry.clone();
                addresses.into_iter().chain([host])
            };
            let others = of.iter().filter(|other| *other != number).flat_map(|other| own(&machines[*other]));
            let mut wanted: Vec<String> = others.flat_map(|entry| wanted(&entry)).collect();
            wanted.sort();
            until(&format!("host {number} to know {wanted:?}"), || peers(&machines[*number].host) == wanted);
            self.0.push(begin.elapsed().as_secs_f64() * 1000.0);
        }
    }

    fn print(&self, after: &str) {
        let [half, most] = [0.5, 0.99].map(|part| at(&self.0, part));
        println!("{after}: a host agrees after {half:.0} ms, 99 of 100 after {most:.0} ms (n = {})", self.0.len());
    }
}

/// The table as a host has it: keys, values and owners.
fn table(machine: &Machine) -> Vec<[String; 3]> {
    let all = machine.pontoon_json("table ls blue");
    let text = |entry: &serde_json::Value, key: &str| entry[key].as_str().unwrap().to_owned();
    let entry = |entry| [text(entry, "key"), text(entry, "value"), text(entry, "owner")];
    let mut all: Vec<_> = all.as_array().unwrap().iter().map(entry).collect();
    all.sort();
    all
}

/// What a host put there itself.
fn own(machine: &Machine) -> Vec<Entry> {
    let mine = table(machine).into_iter().filter(|[.., owner]| owner == "self");
    let entry = |[key, value, _]: [String; 3]| {
        let mut words = value.split(' ').skip(1).map(str::to_owned);
        (key, words.next().unwrap(), words.collect())
    };
    mine.map(entry).collect()
}

/// How often something is done: `PONTOON_CLUSTER`, for the long form.
fn rounds(short: usize) -> usize {
    std::env::var("PONTOON_CLUSTER").map_or(short, |rounds| rounds.parse().unwrap())
}

/// The three containers: where each is, and its addresses.
fn containers(machines: &[Machine]) -> [(Namespace, [String; 2]); 3] {
    std::array::from_fn(|index| (machines[index].container("fixed"), addresses(&machines[index], "fixed")))
}

/// Pings by both families and TCP between containers, while something happens that they must not notice. The last ones may be under way.
fn undisturbed(containers: &[(Namespace, [String; 2]); 3], work: impl FnOnce()) {
    let pairs = [(0, 1, 0), (1, 2, 1), (2, 0, 0), (0, 2, 1)];
    let to = |to: usize, family: usize| &containers[to].1[family];
    let pings =
        pairs.map(|(from, other, family)| (to(other, family), Pinging::start(&containers[from].0, to(other, family))));
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let sending = scope.spawn(|| {
            let mut sent = 0;
            for (from, other, family) in [(0, 2, 0), (2, 1, 1), (1, 0, 0)].iter().cycle() {
                let address = to(*other, *family);
                let address = if *family == 0 { address.clone() } else { format!("[{address}]") };
                send(&containers[*from].0, &containers[*other].0, &address, BYTES[1]);
                sent += BYTES[1];
                if sent >= BYTES[0] && over.load(Ordering::Relaxed) {
                    return;
                }
                std::thread::sleep(Duration::from_millis(200));
            }
        });
        work();
        over.store(true, Ordering::Relaxed);
        sending.join().unwrap();
    });
    for (to, ping) in pings {
        let (sent, received) = ping.stop();
        assert!(sent - received <= 3, "{to}: {received} of {sent} pings came back");
    }
}

/// Another container comes and goes; all hosts follow.
fn change(machines: &[Machine], took: &mut Took, at: usize) {
    let run = format!("{RUN} --name other {SLEEP}");
    until("a container", || {
        let runs = machines[at].try_docker(&run);
        if runs.is_err() {
            machines[at].docker("rm -f other");
        }
        runs.is_ok()
    });
    took.agree(machines, &[0, 1, 2]);
    machines[at].docker("rm -f other");
    took.agree(machines, &[0, 1, 2]);
}

/// Pontoons are killed at any instant, while on their hosts containers come and go.
fn kill(machines: &mut [Machine], took: &mut Took) {
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..rounds(3) {
        let host = random.usize(0..3);
        let machine = &mut machines[host];
        let is_there = machine.try_docker("inspect passing").is_ok();
        let line = if is_there { "rm -f passing".to_owned() } else { format!("{RUN} --name passing {SLEEP}") };
        let mut docker = machine.docker_command(&line);
        let mut running = docker.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(random.u64(0..400)));
        machine.end_pontoon("KILL");
        run_pontoon(machine);
        if !running.wait().unwrap().success() {
            // Of one whose start failed, Docker keeps the rest.
            machine.docker("rm -f passing");
        }
        took.agree(machines, &[0, 1, 2]);
    }
    for machine in &*machines {
        let _ = machine.try_docker("rm -f passing");
        // What Docker had given up while Pontoon was away goes when it is old enough.
        until("what is left over to go", || {
            machine.pontoon("gc");
            own(machine).len() == 1
        });
    }
    took.agree(machines, &[0, 1, 2]);
}

#[test]
fn traffic_goes_on_whatever_fails() {
    let mut etcd = Etcd::start(3);
    let mut machines: Vec<Machine> = [1, 2, 3].map(|number| host(&etcd, number)).into();
    let before: Vec<_> = machines.iter().map(|machine| machine.host.dump()).collect();
    machines[0].pontoon(&format!("network create --scope global -d pontoon-overlay {SUBNETS} blue"));
    for machine in &machines {
        until("the network", || machine.try_docker(&format!("{CREATE} {SUBNETS} {IPAM} blue")).is_ok());
        machine.docker(&format!("{RUN} --name fixed {SLEEP}"));
    }
    let [mut changes, mut faults, mut kills, mut dead, mut back] = [0; 5].map(|_| Took::default());
    changes.agree(&machines, &[0, 1, 2]);
    let all = containers(&machines);
    for (container, _) in &all {
        all.iter().flat_map(|(_, to)| to).for_each(|to| until(to, || container.pings(to)));
    }

    undisturbed(&all, || {
        (0..3).for_each(|host| change(&machines, &mut changes, host));
        let leader = etcd.leader();
        etcd.kill(leader);
        change(&machines, &mut faults, 1);
        etcd.run(leader);
        etcd.await_leader();
        // Longer than the nodes' leases.
        let without = Duration::from_secs(if rounds(0) > 0 { 60 } else { 5 });
        let two = [leader, (leader + 1) % 3];
        two.into_iter().for_each(|member| etcd.kill(member));
        std::thread::sleep(without);
        two.into_iter().for_each(|member| etcd.run(member));
        etcd.await_leader();
        faults.agree(&machines, &[0, 1, 2]);
        change(&machines, &mut faults, 2);
        kill(&mut machines, &mut kills);
    });

    // A host that dies: its entries go with its lease, and its container comes back with it.
    machines[1].reboot();
    dead.agree(&machines, &[0, 2]);
    connect(&etcd, &mut machines[1], 2);
    machines[1].run_dockerd(&[]);
    until("its container", || own(&machines[1]).len() == 1);
    back.agree(&machines, &[0, 1, 2]);
    // One that is cut off: its containers go on.
    etcd.cut(3, true);
    dead.agree(&machines, &[0, 1]);
    etcd.cut(3, false);
    back.agree(&machines, &[0, 1, 2]);
    undisturbed(&containers(&machines), || {});

    let tables = machines.iter().map(|machine| table(machine).into_iter().map(|[key, value, _]| (key, value)));
    let tables: Vec<Vec<_>> = tables.map(Iterator::collect).collect();
    assert!(tables[0].len() == 3 && tables[0] == tables[1] && tables[1] == tables[2], "{tables:#?}");
    for machine in &machines {
        let docker = machine.inspect("network inspect blue")["Containers"].as_object().unwrap().len();
        assert_eq!((docker, own(machine).len()), (1, 1), "none is lost, and none is too many");
        machine.docker("rm -f fixed");
    }
    changes.agree(&machines, &[0, 1, 2]);
    machines.iter().for_each(|machine| drop(machine.docker("network rm blue")));
    // The one that was rebooted has other links by now.
    let rebooted = machines.remove(1);
    clear(&etcd, &machines, &[before[0].clone(), before[2].clone()]);
    until("its links to go", || rebooted.host.run("ip -o link show type vxlan").is_empty());
    changes.print("a container came or went");
    faults.print("etcd had no leader, or no majority");
    kills.print("a daemon was killed and started");
    dead.print("a host died or was cut off (its lease: 3 s)");
    back.print("it was there again");
}
