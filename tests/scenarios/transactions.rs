//! A driver call is a transaction: overtaken, it is run again; late, it is undone, also what the kernel was still busy with; and a second
//! Pontoon in the same namespace has transactions of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pontoon_tests::{Daemon, FakeBench, Namespace, create, same_at_last, until};
use serde_json::json;

use crate::packets::address;
use crate::restart::used_once;

/// Rounds in which two calls have met for sure.
const ROUNDS: usize = 100;

/// Makes networks at the same time, and removes them. Answers how many messages changed the kernel meanwhile.
fn changes_of(bench: &FakeBench, names: &[&'static str]) -> usize {
    let changes = Arc::new(AtomicUsize::new(0));
    let seen = changes.clone();
    bench.fake.look_on(Some(Box::new(move |_| {
        seen.fetch_add(1, Ordering::Relaxed);
    })));
    let making = names.iter().map(|name| {
        let (controller, create) = (bench.controller().clone(), create(name, "bridge", &json!({})));
        bench.spawn(async move { controller.create_network(create).await })
    });
    let making: Vec<_> = making.collect();
    making.into_iter().for_each(|making| drop(bench.wait(making).unwrap().unwrap()));
    bench.fake.look_on(None);
    assert_eq!(bench.fake.state().matches(" bridge [").count(), names.len(), "{}", bench.fake.state());
    for name in names {
        bench.wait(bench.controller().remove_network(name)).unwrap();
    }
    until("the reaper", || !bench.fake.state().contains(" bridge ["));
    changes.load(Ordering::Relaxed)
}

/// This driver keeps a list of its networks: of two at the same time, the second one's commit finds that out. What its first run did is undone,
/// which the kernel sees.
#[test]
fn a_call_that_was_overtaken_is_run_again() {
    let bench = FakeBench::new();
    bench.load_with("bridge", "test/faulty", &[("fault", "remembers-others")]);
    // The first one may do more.
    changes_of(&bench, &["a"]);
    let (alone, names) = (changes_of(&bench, &["a"]), ["a", "b", "c", "d"]);
    let overtaken = (0..ROUNDS).any(|_| changes_of(&bench, &names) > names.len() * alone + alone / 2);
    assert!(overtaken, "no call was overtaken");
}

#[test]
fn what_the_kernel_was_still_busy_with_when_time_was_up_is_undone() {
    const DEADLINE: Duration = Duration::from_millis(400);
    let bench = FakeBench::with_deadline(DEADLINE);
    bench.load("bridge", "bridge");
    let before = (bench.fake.state(), bench.stored());
    for slow in 1..5 {
        let changes = AtomicUsize::new(0);
        bench.fake.look_on(Some(Box::new(move |_| {
            if changes.fetch_add(1, Ordering::Relaxed) + 1 == slow {
                std::thread::sleep(DEADLINE);
            }
        })));
        let error = bench.wait(bench.controller().create_network(create("n", "bridge", &json!({"ipv6": true}))));
        bench.fake.look_on(None);
        let error = error.unwrap_err();
        assert!(error.message.contains("ran past its deadline"), "{slow}: {error}");
        // Links go to the reaper.
        same_at_last(|| (bench.fake.state(), bench.stored()), &before);
    }
}

/// A call that was overtaken has the driver's turn when it runs again, and gives it back whatever becomes of it.
#[test]
fn a_turn_ends_with_the_deadline_of_its_call() {
    const DEADLINE: Duration = Duration::from_millis(300);
    const SLOW: usize = 30;
    let bench = FakeBench::with_deadline(DEADLINE);
    bench.load_with("bridge", "test/faulty", &[("fault", "remembers-others")]);
    let changes = AtomicUsize::new(0);
    bench.fake.look_on(Some(Box::new(move |_| {
        if changes.fetch_add(1, Ordering::Relaxed) % SLOW == SLOW - 1 {
            std::thread::sleep(DEADLINE);
        }
    })));
    let making = ["a", "b", "c", "d", "e", "f", "g", "h"].map(|name| {
        let (controller, create) = (bench.controller().clone(), create(name, "bridge", &json!({})));
        bench.spawn(async move { controller.create_network(create).await })
    });
    let made = making.map(|making| bench.wait(making).unwrap());
    bench.fake.look_on(None);
    for error in made.iter().filter_map(|made| made.as_ref().err()) {
        assert!(error.message.contains("deadline"), "{error}");
    }
    println!("{} of {} were in time", made.iter().flatten().count(), made.len());
    bench.wait(bench.controller().create_network(create("last", "bridge", &json!({})))).unwrap();
    let there = made.iter().flatten().count() + 1;
    same_at_last(|| bench.fake.state().matches(" bridge [").count(), &there);
}

#[test]
fn two_in_one_namespace_leave_each_other_alone() {
    let mut one = Daemon::start();
    let mut other = Daemon::stopped();
    other.host = Namespace::at(one.host.path());
    other.run();
    for (daemon, subnet) in [(&one, "10.5.1.0/24"), (&other, "10.5.2.0/24")] {
        daemon.load("bridge");
        daemon.ok(&format!("network create n --subnet {subnet}"));
        used_once(daemon);
    }
    let bare = one.host.dump();
    let (a, b) = (Namespace::new("a"), Namespace::new("b"));
    other.ok(&format!("endpoint attach n {} -p 8081:80", b.text()));
    let others = one.host.settled();
    one.ok(&format!("endpoint attach n {} -p 8080:80", a.text()));
    let both = one.host.settled();
    one.kill();
    one.run();
    other.restart();
    for daemon in [&one, &other] {
        let collected = daemon.json("gc");
        assert_eq!(collected["objects"], json!([]), "{collected}");
    }
    same_at_last(|| one.host.dump(), &both);
    one.ok("endpoint detach n a");
    same_at_last(|| one.host.dump(), &others);
    assert!(one.host.pings(&address(&other, "n", "b", "address")), "the other's endpoint answers");
    other.ok("endpoint detach n b");
    same_at_last(|| one.host.dump(), &bare);
}

/// A call that is undone switches off again what it found off, but not what another network's links need.
#[test]
fn forwarding_stays_on_as_long_as_a_link_needs_it() {
    let daemon = Daemon::start();
    daemon.load("bridge");
    daemon.ok(&format!("driver load {} --name probe", pontoon_tests::driver("test/probe").display()));
    daemon.ok("network create --ipv6 n");
    let switches = ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding", "net.ipv6.conf.default.forwarding"];
    let switch_off = || daemon.host.run(&format!("sysctl -w {}", switches.map(|s| format!("{s}=0")).join(" ")));
    let are_on = || daemon.host.run(&format!("sysctl -n {}", switches.join(" "))) == "1\n1\n1\n";
    switch_off();
    let failing =
        ["network", "create", "m", "-d", "probe", "-o", "probe.do=forwarding", "-o", "probe.fail=create-network"];
    assert_ne!(daemon.cli(&failing.join(" ")).code, 0);
    assert!(are_on(), "after a call that found them off, switched them on, and failed");
    switch_off();
    daemon.ok("gc");
    assert!(are_on(), "after a collection");
}
