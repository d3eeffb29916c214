//! macvlan beside Docker's own: two networks on one link of the host's, and a machine on the network beyond.

use pontoon_tests::{Machine, Namespace, driver};

use crate::containers::pings;

#[test]
fn macvlan_does_as_dockers_own() {
    let machine = Machine::start("26.1");
    let lan = Namespace::new("lan");
    machine.host.run(&format!("ip link add lan0 type veth peer name eth0 netns {}", lan.text()));
    // Without an address of its own, which would come later.
    machine.host.run("ip link set lan0 addrgenmode none up");
    lan.run("ip link set eth0 up");
    machine.pontoon(&format!("driver load {} --name pontoon-macvlan --grant-asked", driver("macvlan").display()));
    let before = machine.host.dump();
    // dockerd gives one address to one network only.
    for (number, network, network_driver) in [(1, "dockers", "macvlan"), (2, "ours", "pontoon-macvlan")] {
        let gateway = format!("10.60.{number}.1");
        lan.run(&format!("ip address add {gateway}/24 dev eth0"));
        let subnet = format!("--subnet 10.60.{number}.0/24 --gateway {gateway}");
        machine.docker(&format!("network create -d {network_driver} {subnet} -o parent=lan0 {network}"));
        for name in ["a", "b"] {
            machine.docker(&format!("run -d --name {network}-{name} --network {network} bb:1 sleep 1d"));
        }
        let [a, b] = ["a", "b"].map(|name| machine.address(&format!("{network}-{name}"), network, "IPAddress"));
        assert!(pings(&machine, &format!("{network}-a"), &b), "{network}: the other container");
        assert!(lan.pings(&a), "{network}: from the network beyond");
        let inside = machine.container(&format!("{network}-a"));
        assert!(inside.run("ip route").contains(&format!("default via {gateway} dev eth0")), "{network}");
        assert!(inside.run("ip -d link show dev eth0").contains("macvlan mode bridge"), "{network}");
    }
    machine.agree();
    machine.remove("dockers-a dockers-b ours-a ours-b");
    machine.docker("network rm dockers ours");
    machine.is_clean(&before);
}
