//! Links that lie on others, and follow their MTU.

use crate::tests::*;

/// A bridge with a port, and on the bridge a macvlan with addresses.
fn stage(world: &World) -> (LinkKey, LinkKey, LinkKey) {
    let bridge = world.link(bridge("br0", &["10.9.0.1/24", "fd00:9::1/64"])).0.key;
    let first = LinkEnd { master: Some(bridge.index), ..end(&Namespace::Host, "port") };
    let port = world.link(veth(first, end(&Namespace::Host, "inner"))).0.key;
    let addresses = ["10.8.0.1/24", "fd00:8::1/64"].map(|address| address.parse().unwrap()).into();
    let kind = LinkKind::Macvlan { parent: bridge.index, mode: MacvlanMode::Bridge };
    let mac = Some(MacAddress([2, 0, 0, 0, 0, 9]));
    let upper = world.link(LinkSpec { end: LinkEnd { addresses, mac, ..end(&Namespace::Host, "m0") }, kind }).0.key;
    (bridge, port, upper)
}

fn mtu(link: &LinkKey, mtu: u32) -> Change {
    Change::SetLink(link.clone(), LinkChanges { mtu: Some(mtu), ..LinkChanges::default() })
}

fn mtus(world: &World, links: &[&LinkKey]) -> Vec<u32> {
    links.iter().map(|link| world.kernel.link(link).unwrap().unwrap().mtu).collect()
}

#[test]
fn what_lies_on_a_link_gets_its_mtu_back() {
    in_both(|world| {
        let (bridge, port, upper) = stage(world);
        // Of the bridge itself last: it follows its ports no more then.
        for lower in [&port, &bridge] {
            let applied = world.one(mtu(lower, 1400));
            assert_eq!(mtus(world, &[&bridge, &upper]), [1400, 1400], "it follows");
            assert_eq!(world.kernel.undo(&[applied]), []);
            assert_eq!(mtus(world, &[&bridge, &upper]), [1500, 1500]);
            there_and_back(world, mtu(lower, 1300));
        }
        // A list that fails is no other case.
        let before = world.settled();
        world.fails(&[mtu(&bridge, 1400), mtu(&LinkKey { index: 77, ..bridge.clone() }, 1400)]);
        world.same(&before, "a list that fails");
        // What has a smaller one anyway keeps that.
        world.one(mtu(&upper, 1300));
        there_and_back(world, mtu(&bridge, 1400));
    });
}

#[test]
fn what_gets_too_small_for_ipv6_gets_that_back_too() {
    in_both(|world| {
        let (bridge, _, upper) = stage(world);
        there_and_back(world, mtu(&bridge, 1000));
        let addresses = world.kernel.addresses(&upper).unwrap();
        assert!(addresses.contains(&"fd00:8::1/64".parse().unwrap()), "{addresses:?}");
    });
}

#[test]
fn a_port_shrinks_what_lies_on_its_bridge() {
    in_both(|world| {
        let (bridge, port, _) = stage(world);
        let small = |name: &str, master| LinkEnd { mtu: Some(1200), master, ..end(&Namespace::Host, name) };
        let pair = |master| veth(small("a", master), end(&Namespace::Host, "b"));
        there_and_back(world, Change::AddLink(pair(Some(bridge.index))));
        let free = world.link(pair(None)).0.key;
        let to = LinkChanges { master: Some(bridge.index), ..LinkChanges::default() };
        there_and_back(world, Change::SetLink(free, to));
        there_and_back(world, mtu(&port, 1290));
    });
}

/// Where the kernel has the kinds: see `make vm`.
#[test]
fn each_kind_follows_in_its_own_way() {
    in_both(|world| {
        let bridge = world.link(bridge("br0", &[])).0.key;
        let kinds = [
            (LinkKind::Vlan { parent: bridge.index, id: 7 }, Some(34), 1300),
            // It has what the lower one has, whatever it had, and nothing limits it.
            (LinkKind::Ipvlan { parent: bridge.index, mode: IpvlanMode::L2, flag: IpvlanFlag::Bridge }, None, 1500),
        ];
        for (kind, refused, follows) in kinds {
            let name = kind.name();
            let made = world.kernel.apply(&[Change::AddLink(LinkSpec { end: end(&Namespace::Host, "u0"), kind })]);
            let upper = match made.map_err(|error| error.errno) {
                Ok(applied) => match &applied[0].outcome {
                    Outcome::Link(link, _) => link.key.clone(),
                    other => panic!("{other:?}"),
                },
                Err(Some(95)) => {
                    println!("skipped: this kernel has no {name}");
                    continue;
                }
                Err(errno) => panic!("{name}: {errno:?}"),
            };
            let larger = world.kernel.apply(&[mtu(&upper, 9000)]);
            assert_eq!(larger.as_ref().err().and_then(|error| error.errno), refused, "{name}");
            larger.iter().for_each(|applied| assert_eq!(world.kernel.undo(applied), []));
            let lower = world.one(mtu(&bridge, 1400));
            assert_eq!(mtus(world, &[&upper]), [1400], "{name}");
            assert_eq!(world.kernel.undo(&[lower]), []);
            assert_eq!(mtus(world, &[&upper]), [1500], "{name}");
            // The other way round.
            world.one(mtu(&bridge, 1400));
            world.one(mtu(&upper, 1300));
            let raised = world.one(mtu(&bridge, 1500));
            assert_eq!(mtus(world, &[&upper]), [follows], "{name}");
            assert_eq!(world.kernel.undo(&[raised]), []);
            assert_eq!(mtus(world, &[&upper]), [1300], "{name}");
            world.all(&[Change::RemoveLink(upper), mtu(&bridge, 1500)]);
        }
    });
}

#[test]
fn a_change_that_is_refused_for_its_mac_leaves_the_link_up() {
    let world = World::new(Some(Fake::new()));
    let bridge = world.link(bridge("br0", &[])).0.key;
    let kind = LinkKind::Ipvlan { parent: bridge.index, mode: IpvlanMode::L2, flag: IpvlanFlag::Bridge };
    let upper = world.link(LinkSpec { end: end(&Namespace::Host, "u0"), kind }).0.key;
    let before = world.dump();
    let name = Some(NewName::Exact(name("u1")));
    let mac = Some(MacAddress([2, 0, 0, 0, 0, 7]));
    let changes = LinkChanges { name, mac, up: Some(false), ..LinkChanges::default() };
    let error = world.fails(&[Change::SetLink(upper, changes)]);
    assert!(error.errno == Some(95) && !error.message.contains("not all undone"), "{error}");
    world.same(&before, "a change that is refused");
}

/// The undo of the second brings back what the first has made, which then has to go.
#[test]
fn a_neighbour_that_was_made_before_a_new_mac_goes_with_undo() {
    in_both(|world| {
        let bridge = world.link(bridge("br0", &["10.9.0.1/24"])).0.key;
        let before = world.settled();
        let mac = MacAddress([2, 0, 0, 0, 0, 7]);
        let neighbour = Neighbour { link: bridge.clone(), address: "10.9.0.7".parse().unwrap(), mac };
        let changes = LinkChanges { mac: Some(mac), ..LinkChanges::default() };
        let applied =
            [Change::AddNeighbour(neighbour), Change::SetLink(bridge, changes)].map(|change| world.one(change));
        assert_eq!(world.kernel.undo(&applied), []);
        world.same(&before, "a neighbour is left");
    });
}
