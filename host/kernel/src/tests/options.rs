//! How bridges and ports pass packets on, their VLANs, and properties of any link.

use crate::tests::*;

use LinkOption::*;

fn set(link: &LinkKey, options: &[(LinkOption, u32)]) -> Change {
    let options = LinkOptions { set: options.iter().copied().collect(), vlans: None };
    Change::SetOptions { link: link.clone(), options }
}

fn vlans(link: &LinkKey, vlans: &[BridgeVlan]) -> Change {
    let options = LinkOptions { vlans: Some(vlans.to_vec()), ..LinkOptions::default() };
    Change::SetOptions { link: link.clone(), options }
}

fn vlan(id: u16, default: bool, untagged: bool) -> BridgeVlan {
    BridgeVlan { id, default, untagged }
}

/// A bridge, a port of it, and the port's other end.
fn bridged(world: &World) -> [LinkKey; 3] {
    let bridge = world.link(bridge("br0", &["10.0.0.1/24"])).0.key;
    let port = LinkEnd { master: Some(bridge.index), ..end(&Namespace::Host, "ve0") };
    let (port, peer) = world.link(veth(port, end(&Namespace::Host, "ve1")));
    [bridge, port.key, peer.unwrap().key]
}

fn value(world: &World, link: &LinkKey, option: LinkOption) -> Option<u32> {
    world.kernel.options(link).unwrap().set.get(&option).copied()
}

#[test]
fn a_bridge_a_port_and_any_link_have_theirs() {
    in_both(|world| {
        let [bridge, port, peer] = bridged(world);
        let of = |link: &LinkKey| world.kernel.options(link).unwrap().set.into_iter().collect::<Vec<_>>();
        let all = [(TransmitChecksums, 1), (TcpSegmentation, 1), (GenericSegmentation, 1), (ReceiveGrouping, 1)];
        let any = [(QueueLength, 1000), (Promiscuous, 0), (AllMulticast, 0)];
        // A pair puts nothing together at first.
        let of_pair = [any.as_slice(), &all[..3], &[(ReceiveGrouping, 0)]].concat();
        let flooded = [(UnicastFlood, 1), (MulticastFlood, 1), (BroadcastFlood, 1)];
        let bridges = [(VlanFiltering, 0), (MulticastSnooping, 1), (MulticastQuerier, 0), (Ageing, 30_000)];
        assert_eq!(of(&bridge), [bridges.as_slice(), &any, &all].concat());
        assert_eq!(of(&port), [flooded.as_slice(), &of_pair].concat());
        assert_eq!(of(&peer), of_pair);
        let gone = LinkKey { index: 77, ..bridge.clone() };
        assert_eq!(world.kernel.options(&gone), Ok(LinkOptions::default()));
    });
}

#[test]
fn what_is_set_comes_back_with_undo() {
    in_both(|world| {
        let [bridge, port, peer] = bridged(world);
        there_and_back(world, set(&bridge, &[(MulticastSnooping, 0), (MulticastQuerier, 1), (Ageing, 12_300)]));
        there_and_back(world, set(&port, &[(UnicastFlood, 0), (MulticastFlood, 0), (BroadcastFlood, 0)]));
        there_and_back(world, set(&peer, &[(Promiscuous, 1), (AllMulticast, 1)]));
        let applied = world.one(set(&peer, &[(QueueLength, 77)]));
        assert_eq!(value(world, &peer, QueueLength), Some(77));
        assert_eq!(world.one(set(&peer, &[(QueueLength, 77)])).undo, [], "it is so already");
        assert_eq!(world.kernel.undo(&[applied]), []);
        assert_eq!(value(world, &peer, QueueLength), Some(1000));
        // A list that fails.
        let before = world.settled();
        let loopback = LinkKey { index: 1, ..bridge.clone() };
        world.fails(&[set(&bridge, &[(Ageing, 100)]), set(&port, &[(UnicastFlood, 0)]), Change::RemoveLink(loopback)]);
        world.same(&before, "a list that failed");
    });
}

#[test]
fn only_what_a_link_can_have_and_of_this_instance() {
    in_both(|world| {
        let [bridge, port, peer] = bridged(world);
        let loopback = LinkKey { index: 1, ..bridge.clone() };
        let gone = LinkKey { index: 77, ..bridge.clone() };
        for (change, errno, says) in [
            (set(&loopback, &[(Promiscuous, 1)]), 1, "is not this Pontoon's"),
            (set(&gone, &[(Promiscuous, 1)]), 19, ""),
            (set(&port, &[(Ageing, 100)]), 22, "ve0 is no bridge"),
            (set(&bridge, &[(UnicastFlood, 0)]), 22, "br0 is no port of a bridge"),
            (set(&peer, &[(UnicastFlood, 0)]), 22, "ve1 is no port of a bridge"),
            (vlans(&peer, &[]), 22, "ve1 is no port of a bridge"),
        ] {
            let error = world.fails(std::slice::from_ref(&change));
            assert!(error.errno == Some(errno) && error.message.contains(says), "{error:?}");
        }
        let other = world.other(0x1_0000);
        assert_eq!(other.apply(&[set(&port, &[(UnicastFlood, 0)])]).unwrap_err().errno, Some(1));
    });
}

#[test]
fn a_port_of_somebody_elses_bridge_stays_as_it_is() {
    in_real(|world| {
        let [_, port, _] = bridged(world);
        sh("ip link add theirs type bridge; ip link set ve0 master theirs");
        let before = world.settled();
        for change in [set(&port, &[(BroadcastFlood, 0)]), set(&port, &[(UnicastFlood, 0)])] {
            let error = world.fails(&[change]);
            assert!(error.errno == Some(1) && error.message.contains("(theirs) is not this Pontoon's"), "{error}");
        }
        world.same(&before, "a port of another's bridge");
        world.one(set(&port, &[(Promiscuous, 1)]));
    });
}

/// The kernel forgets what a port had when it leaves its bridge.
#[test]
fn a_port_that_left_and_comes_back_is_as_it_was() {
    in_both(|world| {
        let [bridge, port, _] = bridged(world);
        world.one(set(&port, &[(UnicastFlood, 0), (BroadcastFlood, 0)]));
        let hairpin = LinkChanges { hairpin: Some(true), learning: Some(false), ..LinkChanges::default() };
        world.one(Change::SetLink(port.clone(), hairpin));
        let second = world.link(super::bridge("br1", &[])).0.key;
        for master in [0, second.index] {
            let leave = LinkChanges { master: Some(master), ..LinkChanges::default() };
            there_and_back(world, Change::SetLink(port.clone(), leave));
            assert_eq!(value(world, &port, UnicastFlood), Some(0));
        }
        assert!(world.kernel.link(&port).unwrap().unwrap().master == Some(bridge.index));
    });
}

#[test]
fn a_port_of_a_new_bridge_is_left_as_it_was() {
    in_both(|world| {
        let (port, _) = world.link(veth(end(&Namespace::Host, "ve0"), end(&Namespace::Host, "ve1")));
        let before = world.settled();
        let made = world.all(&[Change::AddLink(super::bridge("br0", &[]))]);
        let Outcome::Link(bridge, _) = &made[0].outcome else { panic!() };
        let join = LinkChanges { master: Some(bridge.key.index), ..LinkChanges::default() };
        let joined = world.all(&[Change::SetLink(port.key.clone(), join), set(&port.key, &[(UnicastFlood, 0)])]);
        assert_eq!(world.kernel.undo(&[made, joined].concat()), []);
        world.same(&before, "the bridge goes first");
    });
}

/// They are there in kernels with CONFIG_BRIDGE_VLAN_FILTERING.
#[test]
fn vlans_come_and_go_and_come_back() {
    in_both(|world| {
        let [bridge, port, peer] = bridged(world);
        let of = |link: &LinkKey| world.kernel.options(link).unwrap().vlans;
        if of(&bridge).is_none() {
            for change in [vlans(&port, &[]), set(&bridge, &[(VlanFiltering, 1)])] {
                let error = world.fails(&[change]);
                assert!(error.errno == Some(95) && error.message.contains("this kernel has no VLAN"), "{error}");
            }
            println!("skipped: this kernel has no VLANs of bridges");
            return;
        }
        let first = vlan(1, true, true);
        assert_eq!((of(&bridge), of(&port), of(&peer)), (Some(vec![first]), Some(vec![first]), None));
        there_and_back(world, set(&bridge, &[(VlanFiltering, 1)]));
        world.one(set(&bridge, &[(VlanFiltering, 1)]));
        let trunk: Vec<BridgeVlan> =
            (10..20).map(|id| vlan(id, false, false)).chain([vlan(20, true, true), vlan(4094, false, true)]).collect();
        for link in [&bridge, &port] {
            let before = world.settled();
            let one = world.one(vlans(link, &trunk));
            assert_eq!(of(link).as_ref(), Some(&trunk));
            // Another default, one less, another way out.
            let fewer = [vlan(10, true, true), vlan(12, false, true), vlan(20, false, true)];
            let two = world.one(vlans(link, &fewer));
            assert_eq!(of(link), Some(fewer.to_vec()));
            let none = world.one(vlans(link, &[]));
            assert_eq!(of(link), Some(Vec::new()));
            assert_eq!(world.kernel.undo(&[none]), []);
            assert_eq!(of(link), Some(fewer.to_vec()));
            assert_eq!(world.kernel.undo(&[two]), []);
            assert_eq!(of(link).as_ref(), Some(&trunk));
            assert_eq!(world.kernel.undo(&[one]), []);
            world.same(&before, "VLANs");
        }
        // With the port they go, and come back.
        world.one(vlans(&port, &trunk));
        let leave = LinkChanges { master: Some(0), ..LinkChanges::default() };
        let left = world.one(Change::SetLink(port.clone(), leave));
        assert_eq!(world.kernel.undo(&[left]), []);
        assert_eq!(of(&port), Some(trunk));
    });
}

/// What is wanted of a link, whatever else has to be on for it.
#[test]
fn features_are_switched_and_come_back() {
    in_both(|world| {
        let [bridge, port, peer] = bridged(world);
        let gone = LinkKey { index: 77, ..bridge.clone() };
        assert_eq!(world.fails(&[set(&gone, &[(ReceiveGrouping, 0)])]).errno, Some(19));
        let all = |link: &LinkKey| {
            let of = [TransmitChecksums, TcpSegmentation, GenericSegmentation, ReceiveGrouping];
            of.map(|option| value(world, link, option).unwrap())
        };
        for (link, first) in [(&bridge, [1, 1, 1, 1]), (&port, [1, 1, 1, 0]), (&peer, [1, 1, 1, 0])] {
            let one = world.one(set(link, &[(TransmitChecksums, 0), (ReceiveGrouping, 1 - first[3])]));
            assert_eq!(all(link), [0, 1, 1, 1 - first[3]]);
            assert_eq!(world.one(set(link, &[(TransmitChecksums, 0)])).undo, [], "it is so already");
            let two = world.one(set(link, &[(TcpSegmentation, 0), (GenericSegmentation, 0), (QueueLength, 7)]));
            assert_eq!(all(link), [0, 0, 0, 1 - first[3]]);
            assert_eq!(world.kernel.undo(&[one, two]), []);
            assert_eq!((all(link), value(world, link, QueueLength)), (first, Some(1000)));
        }
        let on = LinkSpec {
            end: end(&Namespace::Host, "m"),
            kind: LinkKind::Macvlan { parent: peer.index, mode: MacvlanMode::Bridge },
        };
        let on = world.link(on).0.key;
        assert_eq!(value(world, &on, TransmitChecksums), None, "they are its parent's");
        let error = world.fails(&[set(&on, &[(GenericSegmentation, 0), (TransmitChecksums, 0)])]);
        assert!(
            error.errno == Some(95) && error.message.contains("transmit checksums of m can't be changed"),
            "{error}"
        );
        assert_eq!(value(world, &on, GenericSegmentation), Some(1));
    });
}
