//! Links: making, changing and removing them.

use crate::tests::*;

#[test]
fn a_pair_with_its_end_in_a_sandbox() {
    in_both(|world| {
        let sandbox = Sandbox::new(world);
        let (bridge, _) = world.link(bridge("br0", &["10.9.0.1/24", "fd00:9::1/64"]));
        let before = world.dump();
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
        assert_eq!(world.kernel.addresses(&host_end.key).unwrap(), [], "a port needs none");
        let addresses = world.kernel.addresses(&container_end.key).unwrap();
        assert!(
            addresses.contains(&"10.9.0.2/24".parse().unwrap()) && addresses.contains(&"fd00:9::2/64".parse().unwrap())
        );
        if world.is_real() {
            sh("ping -c1 -W1 10.9.0.2 && ping -c1 -W2 fd00:9::2");
        }
        assert_eq!(world.kernel.undo(std::slice::from_ref(&applied)), []);
        world.same(&before, "something is left");
        assert_eq!(world.kernel.link(&container_end.key), Ok(None));
    });
}

pub fn vxlan(vni: u32) -> LinkKind {
    LinkKind::Vxlan(Vxlan { vni, port: 4789, parent: None, local: None, remote: None, learning: false, proxy: true })
}

/// Makes a link of a kind in a sandbox and takes it back, if this kernel has the kind.
fn in_a_sandbox(world: &World, kind: LinkKind) {
    let sandbox = Sandbox::new(world);
    let before = sandbox.dump();
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
    assert_eq!(before, sandbox.dump());
}

#[test]
fn every_kind_in_a_sandbox() {
    in_both(|world| {
        let (parent, _) = world.link(veth(end(&Namespace::Host, "p0"), end(&Namespace::Host, "p1")));
        let parent = parent.key.index;
        in_a_sandbox(world, LinkKind::Bridge);
        in_a_sandbox(world, LinkKind::Dummy);
        in_a_sandbox(world, vxlan(77));
        for mode in [MacvlanMode::Private, MacvlanMode::Vepa, MacvlanMode::Bridge, MacvlanMode::Passthru] {
            in_a_sandbox(world, LinkKind::Macvlan { parent, mode });
            in_a_sandbox(world, LinkKind::Macvtap { parent, mode });
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
    in_real(|world| {
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
    in_both(|world| {
        let sandbox = Sandbox::new(world);
        let before = world.dump();
        let (bridge, _) = world.link(bridge("br0", &[]));
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
        world.same(&before, "after reaping");
    });
}

#[test]
fn a_pair_between_any_two_namespaces() {
    in_both(|world| {
        let (a, b) = (Sandbox::new(world), Sandbox::new(world));
        let (host, a, b) = (Namespace::Host, a.namespace(), b.namespace());
        for (first, second) in [(&a, &b), (&a, &host), (&a, &a), (&host, &a)] {
            let bridge_there = LinkSpec { end: end(second, "br0"), kind: LinkKind::Bridge };
            let (bridge, _) = world.link(bridge_there);
            let mac = |last| Some(MacAddress([2, 0, 0, 0, 7, last]));
            let address = |text: &str| vec![text.parse().unwrap()];
            let near = LinkEnd {
                name: NewName::Prefix(name("near")),
                mac: mac(1),
                mtu: Some(1300),
                addresses: address("10.7.0.1/24"),
                ..end(first, "x")
            };
            let far = LinkEnd { mac: mac(2), mtu: Some(1200), master: Some(bridge.key.index), ..end(second, "far") };
            let (near, far) = world.link(veth(near, far));
            let far = far.unwrap();
            assert_eq!((&near.key.namespace, &far.key.namespace), (first, second));
            assert_eq!((near.name.as_str(), far.name.as_str(), near.mac, far.mac), ("near0", "far", mac(1), mac(2)));
            let (seen, there) =
                (world.kernel.link(&near.key).unwrap().unwrap(), world.kernel.link(&far.key).unwrap().unwrap());
            assert_eq!((seen.mtu, seen.up, seen.running), (1300, true, true));
            assert_eq!((there.mtu, there.up, there.master), (1200, true, Some(bridge.key.index)));
            assert_eq!(world.kernel.addresses(&near.key).unwrap()[..1], address("10.7.0.1/24")[..]);
            world.kernel.condemn(&[near.key, far.key, bridge.key]).unwrap();
            for at in [first, second] {
                world.kernel.reap(at).unwrap();
                assert_eq!(world.kernel.links(at).unwrap().len(), 1);
            }
        }
    });
}

#[test]
fn errors_say_what_was_tried() {
    in_both(|world| {
        world.link(bridge("br0", &[]));
        let error = world.fails(&[Change::AddLink(bridge("br0", &[]))]);
        assert_eq!((error.message.as_str(), error.errno), ("adding bridge br0 on the host: File exists", Some(17)));
        let macvlan = LinkKind::Macvlan { parent: 4711, mode: MacvlanMode::Bridge };
        let error = world.fails(&[Change::AddLink(LinkSpec { end: end(&Namespace::Host, "m0"), kind: macvlan })]);
        assert_eq!(error.errno, Some(19), "{error}");
        let gone = LinkKey { namespace: Namespace::Host, index: 4711 };
        let error = world.fails(&[Change::SetLink(gone, LinkChanges { mtu: Some(1400), ..LinkChanges::default() })]);
        assert_eq!(error.message, "changing link 4711 on the host: there is no link 4711 on the host");
        assert_eq!(world.fails(&[Change::AddLink(bridge("all", &[]))]).errno, Some(22), "settings of all links");
        let gone = NamespacePath { path: "/run/netns/none".into(), inode: 1 };
        let away = veth(end(&Namespace::Host, "ve1"), end(&Namespace::At(gone), "eth0"));
        let here = veth(end(&Namespace::Host, "ve0"), end(&Namespace::Host, "ve2"));
        let error = world.fails(&[Change::AddLink(here), Change::AddLink(away)]);
        let wanted =
            "adding veth ve1 on the host with eth0 in /run/netns/none: the network namespace /run/netns/none is gone";
        assert_eq!(error.message, wanted);
        // A bad address is found after the link was made: it is taken back.
        let sandbox = Sandbox::new(world);
        let twice = vec!["10.7.0.1/24".parse().unwrap(); 2];
        let peer = LinkEnd { addresses: twice, ..end(&sandbox.namespace(), "eth0") };
        let error = world.fails(&[Change::AddLink(veth(end(&Namespace::Host, "ve0"), peer))]);
        assert!(error.message.starts_with("adding veth ve0 on the host with eth0 in /proc/"), "{error}");
        assert_eq!(error.errno, Some(17));
        assert_eq!(world.kernel.links(&Namespace::Host).unwrap().len(), 2);
    });
}
