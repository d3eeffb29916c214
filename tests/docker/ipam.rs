//! dockerd has its pools and addresses of a driver, as of an IPAM plugin.

use pontoon_tests::{Machine, driver};

use crate::containers::pings;
use crate::with_every_dockerd;

with_every_dockerd!(a_driver_manages_the_addresses);

fn a_driver_manages_the_addresses(version: &str) {
    let mut machine = Machine::new(version);
    machine.prepare();
    machine.run_dockerd(&["--live-restore"]);
    let before = machine.host.dump();
    machine.pontoon(&format!("driver load {}", driver("test/pools").display()));
    let create = "network create -d pontoon-bridge --ipam-driver pools";
    machine.docker(&format!("{create} --ipv6 --subnet 10.80.3.0/24 --subnet fd00:80:0:3::/64 n"));
    machine.docker(&format!("{create} m"));
    let refusal = machine.try_docker(&format!("{create} --ipam-opt attack=not-granted o")).unwrap_err();
    assert!(refusal.contains("the driver's grant lacks pools: 10.81.0.0/24"), "{refusal}");
    let refusal = machine.try_docker(&format!("{create} --subnet 10.80.3.128/25 o")).unwrap_err();
    assert!(refusal.contains("overlaps"), "{refusal}");
    machine.docker("run -d --name c1 --network n bb:1 sleep 1d");
    machine.docker("run -d --name c2 --network n --ip 10.80.3.77 bb:1 sleep 1d");
    machine.docker("run -d --name c3 --network m bb:1 sleep 1d");
    assert_eq!(machine.address("c1", "n", "IPAddress"), "10.80.3.2");
    assert_eq!(machine.address("c3", "m", "IPAddress"), "10.80.0.2");
    assert!(
        pings(&machine, "c1", "10.80.3.77") && pings(&machine, "c2", &machine.address("c1", "n", "GlobalIPv6Address"))
    );
    let taken = machine.try_docker("run --rm --network n --ip 10.80.3.77 bb:1 true").unwrap_err();
    assert!(taken.contains("10.80.3.77 is given"), "{taken}");
    for signal in ["TERM", "KILL"] {
        machine.end_dockerd(signal);
        machine.restart_pontoon(signal);
        machine.run_dockerd(&["--live-restore"]);
        let taken = machine.try_docker("run --rm --network n --ip 10.80.3.77 bb:1 true").unwrap_err();
        assert!(taken.contains("10.80.3.77 is given"), "after a restart: {taken}");
        let new = machine.docker("run --rm --network n bb:1 ip address show eth0");
        assert!(new.contains("10.80.3.3/24"), "{new}");
    }
    machine.agree();
    machine.docker("rm -f c2");
    machine.docker("run --rm --network n --ip 10.80.3.77 bb:1 true");
    machine.remove("c1 c3");
    machine.docker("network rm n m");
    machine.pontoon("driver rm pools");
    machine.is_clean(&before);
}
