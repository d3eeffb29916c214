//! Another Pontoon takes the place of the one that runs, while a dockerd has connections to it: idle ones, ones that it uses again, and busy ones.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pontoon_tests::{Machine, Pinging, fetch, listen_tcp, outside};

use crate::with_every_dockerd;

with_every_dockerd!(dockerd_notices_nothing);

/// Ends what runs beside, also where the test fails.
struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn dockerd_notices_nothing(version: &str) {
    let mut machine = Machine::start(version);
    let outside = outside(&machine.host);
    let before = machine.host.dump();
    machine.docker("network create -d pontoon-bridge --ipv6 --subnet 10.31.0.0/24 --subnet fd00:31::/64 n");
    machine.docker("network create -d pontoon-bridge --ipam-driver pontoon-bridge --subnet 10.32.0.0/24 m");
    machine.docker("run -d --name c1 --network n -p 8080:80 bb:1 sleep 1d");
    machine.docker("run -d --name c2 --network n bb:1 sleep 1d");
    listen_tcp(&machine.container("c1"), 80, "hello");
    let pinging = Pinging::start(&machine.container("c2"), &machine.address("c1", "n", "IPAddress"));
    // Idle: it asked a moment ago, and asks again on the same connection.
    for _ in 0..2 {
        std::thread::sleep(Duration::from_secs(2));
        machine.replace_pontoon();
        machine.docker("network connect m c2");
        machine.docker("network disconnect m c2");
        machine.agree();
    }
    // Busy: containers come and go all the while.
    let done = AtomicBool::new(false);
    let commands: Vec<_> = ["n", "m"]
        .iter()
        .map(|network| {
            let line = format!("run --rm --network {network} bb:1 true");
            machine.docker_command(&line)
        })
        .collect();
    std::thread::scope(|scope| {
        let ends = StopAtEnd(&done);
        for mut command in commands {
            let done = &done;
            scope.spawn(move || {
                let mut lives = 0;
                while !done.load(Ordering::Relaxed) {
                    let output = command.output().unwrap();
                    assert!(output.status.success(), "{command:?}: {output:?}");
                    lives += 1;
                }
                assert!(lives > 0, "no container came and went");
            });
        }
        for _ in 0..4 {
            std::thread::sleep(Duration::from_millis(2_500));
            machine.replace_pontoon();
            assert_eq!(fetch(&outside, "192.0.2.1:8080"), "hello");
        }
        std::thread::sleep(Duration::from_millis(2_500));
        drop(ends);
    });
    let (sent, came) = pinging.stop();
    assert!(sent > 0 && came + 1 >= sent, "{came} of {sent} pings came back; the last may be on its way");
    machine.agree();
    // What it says each time it has to ask again.
    let log = std::fs::read_to_string(machine.file("dockerd.log")).unwrap();
    let again: Vec<_> = log.lines().filter(|line| line.contains("Unable to connect to plugin")).collect();
    assert_eq!(again, [""; 0]);
    machine.remove("c1 c2");
    ["n", "m"].iter().for_each(|network| drop(machine.docker(&format!("network rm {network}"))));
    machine.is_clean(&before);
}
