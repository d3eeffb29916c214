//! What several calls of a driver may have together, and what it leaves to others: host ports, the state disk, lists.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use grant::Limit;
use pontoon_tests::{Bench, Daemon, Namespace, attach, create, same_at_last};
use serde_json::{Value, json};
use words::Result;

use crate::bounded::bench;

fn network(number: u32, what: &str, count: u32) -> Value {
    // Names of links begin with the network's id, and that with its name.
    let subnet = format!("10.{}.0.0/16", 80 + number);
    json!({"pools": [{"subnet": subnet}], "options": {"pile": what, "count": count.to_string()}})
}

fn pile(bench: &Bench, number: u32, what: &str, count: u32) -> Result<()> {
    let more = network(number, what, count);
    bench.wait(bench.controller.create_network(create(&format!("h{number}"), "hostile", &more))).map(drop)
}

fn remove(bench: &Bench, number: u32) {
    bench.wait(bench.controller.remove_network(&format!("h{number}"))).unwrap();
}

/// One call makes as many as there may be; then no other makes one, until they are gone.
fn adds_up_over_calls(what: &str, limit: &str) {
    let bench = bench(&[]);
    let before = (bench.host.dump(), bench.stored());
    pile(&bench, 0, what, 6).unwrap();
    let error = pile(&bench, 1, what, 5).unwrap_err();
    assert!(error.message.contains(&format!("the driver's grant allows 10 (limits: {limit})")), "{what}: {error}");
    pile(&bench, 1, what, 4).unwrap();
    remove(&bench, 0);
    pile(&bench, 2, what, 6).unwrap();
    (1..3).for_each(|number| remove(&bench, number));
    same_at_last(|| (bench.host.dump(), bench.stored()), &before);
}

#[test]
fn neighbours_of_several_calls() {
    adds_up_over_calls("neighbours", "neighbours");
}

#[test]
fn forwarding_entries_of_several_calls() {
    adds_up_over_calls("forwarding-entries", "neighbours");
}

#[test]
fn routes_of_several_calls() {
    adds_up_over_calls("routes", "routes");
}

#[test]
fn namespaces_of_several_calls() {
    adds_up_over_calls("namespaces", "namespaces");
}

#[test]
fn host_ports_of_several_calls() {
    adds_up_over_calls("any-ports", "ports");
}

/// The count of what there is is kept, not made.
#[test]
fn a_neighbour_costs_the_same_beside_many() {
    let bench = bench(&[(Limit::Neighbours, 1 << 20)]);
    let timed = |number| {
        let begin = Instant::now();
        pile(&bench, number, "neighbours", 8_000).unwrap();
        begin.elapsed()
    };
    let took: Vec<_> = (0..6).map(timed).collect();
    println!("8,000 neighbours each: {took:?}");
    assert!(took[5] < 5 * took[0].max(Duration::from_millis(100)), "{took:?}");
}

/// Nothing is committed yet, and it counts.
#[test]
fn calls_at_the_same_time_have_no_more_than_one() {
    let bench = bench(&[]);
    let before = (bench.host.dump(), bench.stored());
    let call = |number, count| {
        let (controller, more) = (bench.controller.clone(), network(number, "links-for-a-while", count));
        let made = bench.spawn(async move {
            controller.create_network(create(&format!("h{number}"), "hostile", &more)).await.map(drop)
        });
        // It has made its links, and has more than a second to go.
        std::thread::sleep(Duration::from_millis(300));
        made
    };
    let running = [call(0, 12), call(1, 8)];
    let error = pile(&bench, 2, "links", 1).unwrap_err();
    assert!(error.message.contains("the driver's grant allows 20 (limits: links)"), "{error}");
    assert!(running.iter().all(|call| !call.is_finished()), "the calls took too little time");
    running.into_iter().for_each(|call| bench.wait(call).unwrap().unwrap());
    assert!(pile(&bench, 2, "links", 1).is_err());
    // What a call that failed had counts no more.
    remove(&bench, 0);
    let failing = call(0, 13);
    bench.wait(failing).unwrap().unwrap_err();
    pile(&bench, 0, "links", 12).unwrap();
    (0..2).for_each(|number| remove(&bench, number));
    same_at_last(|| (bench.host.dump(), bench.stored()), &before);
}

/// A connection of the host's own, from a port of the kernel's choice.
fn connects(host: &Namespace) -> bool {
    let connected = host.enter(|| {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 7)).unwrap();
        TcpStream::connect(listener.local_addr().unwrap()).is_ok()
    });
    connected.join().unwrap()
}

#[test]
fn half_of_the_ephemeral_ports_stays_the_hosts() {
    let bench = bench(&[(Limit::Ports, 65_536)]);
    assert!(bench.host.try_run_script("sysctl -qw net.ipv4.ip_local_port_range='2000 2999'").status.success());
    let spared = "but for the half of the ephemeral ports that stays free for the host";
    let error = pile(&bench, 0, "any-ports", 501).unwrap_err();
    assert!(error.message.contains(spared), "{error}");
    pile(&bench, 0, "any-ports", 500).unwrap();
    let error = pile(&bench, 1, "any-ports", 1).unwrap_err();
    assert!(error.message.contains(spared), "{error}");
    assert!(connects(&bench.host));
    // Nor by a range around them; but those that are meant are given.
    pile(&bench, 1, "ports-of-a-range", 1_000).unwrap();
    assert!(connects(&bench.host));
}

/// Changes a line of the hostile driver's grant.
fn allow(daemon: &Daemon, driver: &str, line: &str, other: &str) {
    let grant = std::fs::read_to_string(pontoon_tests::driver("test/hostile").with_extension("grant.toml")).unwrap();
    let file = daemon.file("grant.toml");
    std::fs::write(&file, grant.replace(line, other)).unwrap();
    daemon.ok(&format!("driver grant {driver} --grant {}", file.display()));
}

/// The daemon can hold 200 ports. A driver that takes what it gets leaves another one some.
#[test]
fn a_driver_leaves_as_many_ports_as_it_has() {
    let daemon = Daemon::start();
    daemon.load("bridge");
    daemon.load("test/hostile");
    allow(&daemon, "hostile", "ports = 10", "ports = 65536");
    let limit = Command::new("prlimit").arg(format!("--pid={}", daemon.pid())).arg("--nofile=400:400").status();
    assert!(limit.unwrap().success());
    let create = |name: &str, subnet: &str, count: u32| {
        daemon.cli(&format!("network create {name} -d hostile --subnet {subnet} -o pile=ports -o count={count}"))
    };
    let refused = create("h", "10.78.0.0/24", 101);
    let left = "ports: it would have 101 and leave 99 of the host ports that the daemon can hold (LimitNOFILE)";
    assert!(refused.err.contains(left), "{refused:?}");
    assert_eq!(create("h", "10.78.0.0/24", 100).code, 0);
    assert!(create("i", "10.79.0.0/24", 1).err.contains("it would have 101 and leave 99"));
    daemon.ok("network create n --subnet 10.80.0.0/24");
    let container = Namespace::new("container");
    daemon.ok(&format!("endpoint attach n {} -p 8080:80 -p 8081:81", container.text()));
}

/// Bytes that the process has in memory at most since it was asked last.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

/// How long an endpoint's call takes that lists so often, and how much more memory.
fn list(bench: &Bench, what: &str, count: u32) -> (words::Error, Duration) {
    let namespace = Namespace::new("other");
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    let (before, begin) = (resident(), Instant::now());
    let more = json!({"options": {"list": what, "count": count.to_string()}});
    let error = bench.wait(bench.controller.attach("h0", attach(&namespace, &more))).unwrap_err();
    let took = begin.elapsed();
    println!("{count} lists of {what}: {took:?}, {} KiB more: {error}", resident().saturating_sub(before) >> 10);
    (error, took)
}

/// 120 MB: it is read no further than a list may be long.
#[test]
fn a_list_is_not_read_whole() {
    let large = [(Limit::TableEntries, 1 << 20), (Limit::TableBytes, 1 << 30), (Limit::StoreBytes, 1 << 30)];
    let bench = bench(&large);
    pile(&bench, 0, "entries", 69).unwrap();
    (1..30).for_each(|number| pile(&bench, number, "keys", 69).unwrap());
    for what in ["entries", "keys"] {
        let (error, took) = list(&bench, what, 1);
        assert!(error.message.contains("has more than 1048576 bytes"), "{error}");
        assert!(took < Duration::from_secs(2), "{took:?}");
    }
}

/// A small file system that goes with the test.
struct Disk(PathBuf);

impl Disk {
    fn new(at: &Path, size: &str) -> Self {
        std::fs::create_dir_all(at).unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", size, "tmpfs"]).arg(at).status();
        assert!(mount.unwrap().success());
        Self(at.to_owned())
    }

    fn free(&self) -> u64 {
        let df = Command::new("df").args(["--output=avail", "-B1"]).arg(&self.0).stderr(Stdio::null()).output();
        String::from_utf8(df.unwrap().stdout).unwrap().lines().nth(1).unwrap().trim().parse().unwrap()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Puts into its store what it gets, a network for each call.
fn fill(daemon: &Daemon, driver: &str, first: u32, what: &str) -> (u32, String) {
    for number in first.. {
        let line = format!(
            "network create {driver}{number} -d {driver} --subnet 10.{number}.0.0/16 -o pile={what} -o count=69"
        );
        let ran = daemon.cli(&line);
        if ran.code != 0 {
            return (number, ran.err);
        }
    }
    unreachable!()
}

#[test]
fn a_driver_leaves_as_much_of_a_small_disk_as_it_has() {
    let mut daemon = Daemon::stopped();
    let disk = Disk::new(&daemon.file("state"), "size=96m");
    daemon.run();
    daemon.load("bridge");
    let (grant, component) = (daemon.file("grant.toml"), pontoon_tests::driver("test/hostile"));
    let text = std::fs::read_to_string(component.with_extension("grant.toml")).unwrap();
    let text = text.replace("table-entries = 10\n", "").replace("table-bytes = 100000", "table-bytes = 1073741824");
    std::fs::write(&grant, text.replace("store-bytes = 100000", "store-bytes = 1073741824")).unwrap();
    let mut next = 1;
    for driver in ["one", "two", "three"] {
        daemon.ok(&format!("driver load {} --name {driver} --grant {}", component.display(), grant.display()));
        for what in ["keys", "entries"] {
            let (end, refusal) = fill(&daemon, driver, next, what);
            println!("{driver}: {} calls of {what}, {} MiB free: {refusal}", end - next, disk.free() >> 20);
            assert!(refusal.contains("each driver leaves as many as it has"), "{refusal}");
            next = end;
        }
        // The same bytes again and again are no more bytes, but each goes into the log.
        let rewrite = |n: u32| {
            format!(
                "network create w{n}{driver} -d {driver} --subnet 10.{}.0.0/16 -o pile=the-same-key -o count=69",
                100 + n
            )
        };
        (0..4).for_each(|number| drop(daemon.cli(&rewrite(number))));
        (0..4).for_each(|number| drop(daemon.cli(&format!("network rm w{number}{driver}"))));
    }
    // Others go on.
    let container = Namespace::new("container");
    daemon.ok("network create n --subnet 10.200.0.0/16");
    daemon.ok(&format!("endpoint attach n {}", container.text()));
    // Some other program takes most of the rest: no driver makes the store grow, and everything can go.
    let rest = disk.free() - (12 << 20);
    std::fs::write(daemon.file("state").join("fill"), vec![1; usize::try_from(rest).unwrap()]).unwrap();
    let ran = daemon.cli("network create late --subnet 10.201.0.0/16");
    assert!(ran.err.contains("kept for removals"), "{ran:?}");
    daemon.ok("endpoint detach n container");
    for network in daemon.json("network ls").as_array().unwrap() {
        daemon.ok(&format!("network rm {}", network["name"].as_str().unwrap()));
    }
    std::fs::remove_file(daemon.file("state").join("fill")).unwrap();
    daemon.ok("network create late --subnet 10.201.0.0/16");
    daemon.stop();
}
