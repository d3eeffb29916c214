//! Links: making, changing and removing them.

use super::*;

#[test]
fn a_pair_with_its_end_in_a_sandbox() {
    in_world(|world| {
        let sandbox = Sandbox::new(world);
        let (bridge, _) = world.link(bridge("br0", &["10.9.0.1/24", "fd00:9::1/64"]));
        let before = dump();
        let mac: MacAddress = "02:42:0a:09:00:02".parse().unwrap();
        let first = LinkEnd { master: Some(bridge.key.index), mtu: Some(1400), ..end(&Namespace::Host, "ve0") };
        let peer = LinkEnd {
            name: NewName::Prefix(name("eth")),
            mac: Some(mac),
            mtu: Some(1400),
            addresses: vec!["10.9.0.2/24".parse().unwrap(), "fd00:9::2/64".parse().unwrap()],
            ..end(&sandbox.namespace(), "x")
        };
        let applied = world.one(Change::AddLink(veth(first, peer)));
        let Outcome::Link(host_end, Some(container_end)) = &applied.outcome else { panic!("{applied:?}") };
        assert_eq!((host_end.name.as_str(), container_end.name.as_str()), ("ve0", "eth0"));
        assert_eq!(container_end.mac, Some(mac));
        let seen = world.kernel.link(&host_end.key).unwrap().unwrap();
        assert_eq!((seen.master, seen.mtu, seen.up, seen.mark), (Some(bridge.key.index), 1400, true, Mark::Owned));
        let peer = world.kernel.link(&container_end.key).unwrap().unwrap();
        assert_eq!((peer.mtu, peer.up, peer.running, peer.mark), (1400, true, true, Mark::Owned));
        let addresses = world.kernel.addresses(&container_end.key).unwrap();
        assert!(
            addresses.contains(&"10.9.0.2/24".parse().unwrap()) && addresses.contains(&"fd00:9::2/64".parse().unwrap())
        );
        sh("ping -c1 -W1 10.9.0.2 && ping -c1 -W2 fd00:9::2");
        assert_eq!(world.kernel.undo(std::slice::from_ref(&applied)), []);
        same(&before, "something is left");
        assert_eq!(world.kernel.link(&container_end.key), Ok(None));
    });
}
