//! What a container's start costs with dockerd: without a network, on dockerd's own bridge, and on Pontoon's, in one run, interleaved.
//! `docker run --rm` starts a container, waits for it, and removes it.

use pontoon_tests::{Machine, Timings};

const ROUNDS: usize = 60;
const NETWORKS: [&str; 3] = ["none", "dockers", "pontoons"];

fn main() {
    for version in ["20.10", "26.1"] {
        let machine = Machine::start(version);
        machine.docker("network create --subnet 10.30.0.0/24 dockers");
        machine.docker("network create -d pontoon-bridge --subnet 10.31.0.0/24 pontoons");
        let names = ["run on none", "run on dockerd's bridge", "run on pontoon-bridge"];
        let all = [
            &names[..],
            &["network create bridge", "network create pontoon", "network rm bridge", "network rm pontoon"],
        ]
        .concat();
        let mut timings = Timings::of(&all);
        for _ in 0..ROUNDS {
            for (name, network) in names.iter().zip(NETWORKS) {
                timings.time(name, || machine.docker(&format!("run --rm --network {network} bb:1 true")));
            }
            timings.time("network create bridge", || machine.docker("network create --subnet 10.40.0.0/24 a"));
            timings.time("network rm bridge", || machine.docker("network rm a"));
            let create = "network create -d pontoon-bridge --subnet 10.41.0.0/24 b";
            timings.time("network create pontoon", || machine.docker(create));
            timings.time("network rm pontoon", || machine.docker("network rm b"));
        }
        println!("\ndockerd {version}");
        timings.print();
        let over = |name: &str| timings.median(name) - timings.median(names[0]);
        println!(
            "over none: dockerd's bridge {:.0} ms, pontoon-bridge {:.0} ms, {:.2} of it",
            over(names[1]),
            over(names[2]),
            over(names[2]) / over(names[1])
        );
    }
}
