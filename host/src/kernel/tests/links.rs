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

pub fn vxlan(vni: u32) -> LinkKind {
    LinkKind::Vxlan(Vxlan { vni, port: 4789, parent: None, local: None, remote: None, learning: false, proxy: true })
}

/// Makes a link of a kind in a sandbox and takes it back, if this kernel has the kind.
fn in_a_sandbox(world: &World, kind: LinkKind) {
    let sandbox = Sandbox::new(world);
    let before = sandbox.within(dump);
    let addresses = vec!["10.9.0.2/24".parse().unwrap()];
    let new = LinkEnd { name: NewName::Prefix(name("eth")), addresses, ..end(&sandbox.namespace(), "x") };
    let change = Change::AddLink(LinkSpec { end: new, kind: kind.clone() });
    let applied = match world.kernel.apply(std::slice::from_ref(&change)) {
        Ok(mut applied) => applied.remove(0),
        Err(error) if error.errno == Some(95) => {
            let wanted = format!("this kernel has no {} links", kind.name());
            assert!(error.message.contains(&wanted), "{error}");
            println!("skipped: {wanted}");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    let Outcome::Link(made, None) = &applied.outcome else { panic!("{applied:?}") };
    assert_eq!((made.name.as_str(), &made.key.namespace), ("eth0", &sandbox.namespace()));
    let seen = world.kernel.link(&made.key).unwrap().unwrap();
    assert_eq!((seen.kind.as_str(), seen.mark, seen.up), (kind.name(), Mark::Owned, true));
    assert_eq!(world.kernel.undo(std::slice::from_ref(&applied)), []);
    assert_eq!(before, sandbox.within(dump));
}

#[test]
fn every_kind_in_a_sandbox() {
    in_world(|world| {
        let (parent, _) = world.link(veth(end(&Namespace::Host, "p0"), end(&Namespace::Host, "p1")));
        let parent = parent.key.index;
        in_a_sandbox(world, LinkKind::Bridge);
        in_a_sandbox(world, LinkKind::Dummy);
        in_a_sandbox(world, vxlan(77));
        for mode in [MacvlanMode::Private, MacvlanMode::Vepa, MacvlanMode::Bridge, MacvlanMode::Passthru] {
            in_a_sandbox(world, LinkKind::Macvlan { parent, mode });
        }
        for (mode, flag) in [
            (IpvlanMode::L2, IpvlanFlag::Bridge),
            (IpvlanMode::L3, IpvlanFlag::Private),
            (IpvlanMode::L3s, IpvlanFlag::Vepa),
        ] {
            in_a_sandbox(world, LinkKind::Ipvlan { parent, mode, flag });
        }
        in_a_sandbox(world, LinkKind::Vlan { parent, id: 100 });
    });
}

#[test]
fn a_vxlan_has_its_options() {
    in_world(|world| {
        let (parent, _) = world.link(veth(end(&Namespace::Host, "p0"), end(&Namespace::Host, "p1")));
        let kind = |local: &str, remote: &str| {
            let (local, remote) = (local.parse().ok(), remote.parse().ok());
            LinkKind::Vxlan(Vxlan {
                vni: 77,
                port: 4790,
                parent: Some(parent.key.index),
                local,
                remote,
                learning: true,
                proxy: false,
            })
        };
        for (local, remote) in [("192.0.2.1", "192.0.2.9"), ("fd00::1", "fd00::9")] {
            let applied =
                world.one(Change::AddLink(LinkSpec { end: end(&Namespace::Host, "vx0"), kind: kind(local, remote) }));
            let shown = sh("ip -d link show vx0");
            let wanted = ["id 77", "dstport 4790", "dev p0", &format!("local {local}"), &format!("remote {remote}")];
            assert!(wanted.iter().all(|w| shown.contains(w)), "{shown}");
            assert!(!shown.contains("nolearning") && !shown.contains(" proxy"), "{shown}");
            assert_eq!(world.kernel.undo(std::slice::from_ref(&applied)), []);
        }
        assert!(!sh("ip link").contains("vx0"));
    });
}

#[test]
fn many_links_at_once() {
    in_world(|world| {
        let before = dump();
        let (bridge, _) = world.link(bridge("br0", &[]));
        let sandbox = Sandbox::new(world);
        let pairs = (0..100).map(|i| {
            let first = LinkEnd { master: Some(bridge.key.index), ..end(&Namespace::Host, &format!("ve{i}")) };
            let peer = LinkEnd { name: NewName::Prefix(name("eth")), ..end(&sandbox.namespace(), "x") };
            Change::AddLink(veth(first, peer))
        });
        let pairs: Vec<Change> = pairs.collect();
        let applied = world.all(&pairs);
        let names: std::collections::BTreeSet<String> = applied
            .iter()
            .map(|a| match &a.outcome {
                Outcome::Link(_, Some(peer)) => peer.name.to_string(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(names.len(), 100);
        assert_eq!(world.kernel.links(&Namespace::Host).unwrap().len(), 102);
        assert_eq!(world.kernel.links(&sandbox.namespace()).unwrap().len(), 101);
        let keys: Vec<LinkKey> = applied
            .into_iter()
            .flat_map(|a| match a.outcome {
                Outcome::Link(first, Some(peer)) => [first.key, peer.key],
                other => panic!("{other:?}"),
            })
            .collect();
        world.kernel.condemn(&[keys, vec![bridge.key]].concat()).unwrap();
        assert_eq!(world.kernel.reap(&Namespace::Host), Ok(101));
        same(&before, "after reaping");
    });
}
