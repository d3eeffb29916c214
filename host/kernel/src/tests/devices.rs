//! Devices of others in containers, and back.

use crate::tests::*;

/// What an operator has: a pair whose one end is a network card, with addresses, a default route and settings of its own.
fn card(world: &World) -> (Kernel, LinkKey) {
    let other = world.other(0x1_0000);
    let addresses = ["192.0.2.2/24", "2001:db8::2/64"].map(|net| net.parse().unwrap()).into();
    let mac = |last| Some(MacAddress([2, 0, 0, 0, 0, last]));
    let near = LinkEnd { addresses, mac: mac(1), mtu: Some(1400), ..end(&Namespace::Host, "eth1") };
    let far = LinkEnd { mac: mac(2), mtu: Some(1400), ..end(&Namespace::Host, "far1") };
    let applied = other.apply(&[Change::AddLink(veth(near, far))]).unwrap();
    let Outcome::Link(link, _) = &applied[0].outcome else { panic!() };
    let options = LinkOptions { set: [(LinkOption::AllMulticast, 1)].into(), vlans: None };
    let default = |destination: &str, gateway: &str| {
        let (destination, gateway) = (destination.parse().unwrap(), Some(gateway.parse().unwrap()));
        let route = Route { link: link.key.clone(), destination, gateway, source: None, table: None, metric: Some(7) };
        Change::AddRoute(route)
    };
    other
        .apply(&[
            Change::SetOptions { link: link.key.clone(), options },
            default("0.0.0.0/0", "192.0.2.1"),
            default("2001:db8:1::/48", "2001:db8::1"),
        ])
        .unwrap();
    (other, link.key.clone())
}

fn take(world: &World, key: &LinkKey) -> (Device, Applied) {
    let applied = world.one(Change::TakeDevice(key.clone()));
    let Outcome::Device(device) = &applied.outcome else { panic!("{:?}", applied.outcome) };
    (Device::clone(device), applied)
}

/// Takes it into a container, where it gets another name, MTU and MAC, and an address.
fn use_it(world: &World, device: &Device, sandbox: &Sandbox) -> Device {
    let device = Device { inside: Some(sandbox.at.clone()), ..device.clone() };
    let Outcome::Link(link, None) = world.one(Change::MoveDevice(Box::new(device.clone()))).outcome else { panic!() };
    assert_eq!(link.key.namespace, sandbox.namespace());
    let info = world.kernel.link(&link.key).unwrap().unwrap();
    assert_eq!((info.name.as_str(), info.up, info.mark), (link.name.as_str(), false, Mark::Taken));
    assert_eq!(world.kernel.addresses(&link.key), Ok(Vec::new()));
    let changes = LinkChanges {
        name: Some(NewName::Exact(name("eth0"))),
        mac: Some(MacAddress([2, 0, 0, 0, 0, 9])),
        mtu: Some(1300),
        ..LinkChanges::default()
    };
    let up = LinkChanges { up: Some(true), ..LinkChanges::default() };
    let options =
        LinkOptions { set: [(LinkOption::AllMulticast, 0), (LinkOption::Promiscuous, 1)].into(), vlans: None };
    world.all(&[
        Change::SetLink(link.key.clone(), changes),
        Change::AddAddress(link.key.clone(), "10.9.0.2/24".parse().unwrap()),
        Change::SetLink(link.key.clone(), up),
        Change::SetOptions { link: link.key, options },
    ]);
    device
}

fn give_back(world: &World, device: &Device) {
    world.one(Change::GiveBack(Box::new(device.clone())));
}

#[test]
fn a_device_is_on_the_host_again_as_it_was() {
    in_both(|world| {
        let ((_, key), sandbox) = (card(world), Sandbox::new(world));
        let before = world.settled();
        let (device, _) = take(world, &key);
        assert_eq!((device.index, device.name.as_str(), &device.inside), (key.index, "eth1", &None));
        assert_eq!(world.kernel.link(&key).unwrap().unwrap().mark, Mark::Taken);
        assert_eq!(world.kernel.taken_devices(), Ok(vec![Device { before: None, ..device.clone() }]));
        let device = use_it(world, &device, &sandbox);
        assert_eq!(world.kernel.link(&key), Ok(None));
        give_back(world, &device);
        world.same(&before, "it came back");
        assert_eq!(world.kernel.taken_devices(), Ok(Vec::new()));
        // Again, and without what it was: the tag says its name.
        let (device, _) = take(world, &key);
        let device = use_it(world, &device, &sandbox);
        give_back(world, &Device { before: None, ..device });
        let back = world.kernel.link_by_name(&Namespace::Host, &name("eth1")).unwrap().unwrap();
        assert_eq!((back.up, back.mark), (false, Mark::Foreign));
    });
}

#[test]
fn to_take_it_changes_nothing_else_and_is_undone() {
    in_both(|world| {
        let ((_, key), sandbox) = (card(world), Sandbox::new(world));
        there_and_back(world, Change::TakeDevice(key.clone()));
        let before = world.settled();
        let loopback = LinkKey { index: 1, ..key.clone() };
        world.fails(&[Change::TakeDevice(key.clone()), Change::RemoveLink(loopback)]);
        world.same(&before, "a list that failed");
        let (device, applied) = take(world, &key);
        let moved = world.one(Change::MoveDevice(Box::new(Device { inside: Some(sandbox.at.clone()), ..device })));
        assert_eq!(world.kernel.undo(&[applied, moved]), []);
        world.same(&before, "it moved");
    });
}

#[test]
fn what_can_not_be_taken() {
    in_both(|world| {
        let (other, key) = card(world);
        let own = world.link(bridge("own", &[])).0.key;
        let loopback = LinkKey { index: 1, ..key.clone() };
        let gone = LinkKey { index: 77, ..key.clone() };
        let refused = |kernel: &Kernel, key: &LinkKey, errno: i32, says: &str| {
            let error = kernel.apply(&[Change::TakeDevice(key.clone())]).unwrap_err();
            assert!(error.errno == Some(errno) && error.message.contains(says), "{error:?}");
        };
        refused(&world.kernel, &loopback, 22, "lo is no device of the host's");
        refused(&world.kernel, &own, 22, "own is no device of the host's");
        refused(&world.kernel, &gone, 19, "");
        refused(&other, &key, 22, "eth1 is no device");
        take(world, &key);
        for kernel in [&world.kernel, &world.other(0x3_0000)] {
            refused(kernel, &key, 17, "eth1 is taken for a container already");
        }
        for change in [
            Change::RemoveLink(key.clone()),
            Change::MoveLink(key.clone(), Sandbox::new(world).namespace()),
            Change::RemoveLink(LinkKey { index: 1, ..key.clone() }),
        ] {
            assert_eq!(world.fails(&[change]).errno, Some(1));
        }
        assert_eq!(world.kernel.condemn(std::slice::from_ref(&key)).unwrap_err().errno, Some(1));
    });
}

#[test]
fn what_others_go_by_stays() {
    in_both(|world| {
        let (other, key) = card(world);
        let refused = |says: &str| {
            let error = world.fails(&[Change::TakeDevice(key.clone())]);
            assert!(error.errno == Some(16) && error.message.contains(says), "{error:?}");
        };
        let above = |kind| Change::AddLink(LinkSpec { end: end(&Namespace::Host, "above"), kind });
        let tunnel = Vxlan {
            vni: 7,
            port: 4789,
            parent: Some(key.index),
            local: None,
            remote: None,
            learning: false,
            proxy: false,
        };
        for kind in [LinkKind::Macvlan { parent: key.index, mode: MacvlanMode::Bridge }, LinkKind::Vxlan(tunnel)] {
            let applied = world.all(&[above(kind)]);
            refused("eth1 can't be taken: above goes by it");
            assert_eq!(world.kernel.undo(&applied), []);
        }
        let applied = other.apply(&[above(LinkKind::Bridge)]).unwrap();
        let Outcome::Link(bridge, _) = &applied[0].outcome else { panic!() };
        let join = LinkChanges { master: Some(bridge.key.index), ..LinkChanges::default() };
        other.apply(&[Change::SetLink(key.clone(), join)]).unwrap();
        refused("eth1 can't be taken: above goes by it");
        let error = world.fails(&[Change::TakeDevice(bridge.key.clone())]);
        assert!(error.message.contains("above can't be taken: eth1 goes by it"), "{error}");
    });
}

#[test]
fn another_link_has_its_name_by_then() {
    in_both(|world| {
        let ((other, key), sandbox) = (card(world), Sandbox::new(world));
        let (device, _) = take(world, &key);
        let device = use_it(world, &device, &sandbox);
        other.apply(&[Change::AddLink(bridge("eth1", &[]))]).unwrap();
        give_back(world, &device);
        let back = world.kernel.link_by_name(&Namespace::Host, &name("dev0")).unwrap().unwrap();
        assert_eq!((back.up, back.mtu, back.mark), (true, 1400, Mark::Foreign));
        let key = LinkKey { index: back.index, ..key };
        assert!(world.kernel.addresses(&key).unwrap().contains(&"192.0.2.2/24".parse().unwrap()));
        assert_eq!(world.kernel.link_by_name(&Namespace::Host, &name("eth1")).unwrap().unwrap().kind, "bridge");
    });
}

/// As dockerd does: it moves the device by its name, and back, and tells nobody what it was.
#[test]
fn an_engine_moves_it() {
    in_both(|world| {
        let ((other, key), sandbox) = (card(world), Sandbox::new(world));
        let before = world.settled();
        let (device, _) = take(world, &key);
        let moved = other.apply(&[Change::MoveLink(key.clone(), sandbox.namespace())]).unwrap();
        assert_eq!(other.undo(&moved), []);
        assert!(!other.link_by_name(&Namespace::Host, &name("eth1")).unwrap().unwrap().up);
        give_back(world, &device);
        world.same(&before, "an engine gave it back");
        give_back(world, &device);
        world.same(&before, "it was given back already");
    });
}

/// The container ends.
fn end_of(world: &World, sandbox: Sandbox) {
    let at = sandbox.namespace();
    drop(sandbox);
    while world.kernel.exists(&at) {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The kernel deletes a pair with the namespace of one end, and gives back what is no pair.
#[test]
fn its_container_is_gone() {
    in_both(|world| {
        let ((_, key), sandbox) = (card(world), Sandbox::new(world));
        let (device, _) = take(world, &key);
        let device = use_it(world, &device, &sandbox);
        end_of(world, sandbox);
        give_back(world, &device);
        let far = || world.kernel.link_by_name(&Namespace::Host, &name("far1")).unwrap();
        while far().is_some() {
            assert!(world.is_real(), "the fake does so at once");
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    let world = World::new(Some(Fake::new()));
    let fake = world.fake.as_ref().unwrap();
    fake.plug_in(&name("eth1")).unwrap();
    assert_eq!(fake.plug_in(&name("eth1")).unwrap_err().errno, Some(17));
    let key = LinkKey {
        namespace: Namespace::Host,
        index: world.kernel.link_by_name(&Namespace::Host, &name("eth1")).unwrap().unwrap().index,
    };
    let before = world.dump();
    let (device, sandbox) = (take(&world, &key).0, Sandbox::new(&world));
    let device = use_it(&world, &device, &sandbox);
    end_of(&world, sandbox);
    // It came back under the name that it had in there.
    assert!(world.kernel.link_by_name(&Namespace::Host, &name("eth0")).unwrap().is_some());
    give_back(&world, &device);
    world.same(&before, "the kernel gave it back");
}

#[test]
fn the_way_out_is_known() {
    in_both(|world| {
        let (other, key) = card(world);
        assert_eq!(world.kernel.is_way_out(key.index), Ok(true));
        assert_eq!(world.kernel.is_way_out(1), Ok(false));
        let far = other.link_by_name(&Namespace::Host, &name("far1")).unwrap().unwrap();
        assert_eq!(world.kernel.is_way_out(far.index), Ok(false));
    });
}

/// Debian's kernel has one in `make vm`, in its first namespace.
#[test]
#[ignore = "of a machine that has a network card eth0 which nobody needs: make vm"]
fn a_network_card_comes_back_from_a_namespace_that_died() {
    sh("modprobe virtio_net; ip link set eth0 mtu 1400 up; ip link set eth0 promisc on");
    sh("ip address add 192.0.2.2/24 dev eth0; ip address add 2001:db8::2/64 dev eth0 nodad");
    sh("ip route add default via 192.0.2.1; ip link add taken type bridge");
    let world = World::new(None);
    let info = world.kernel.link_by_name(&Namespace::Host, &name("eth0")).unwrap().unwrap();
    assert_eq!(info.kind, "");
    let key = LinkKey { namespace: Namespace::Host, index: info.index };
    let before = world.settled();
    for there in ["eth0", "net7", "taken"] {
        let (device, sandbox) = (take(&world, &key).0, Sandbox::new(&world));
        let device = use_it(&world, &device, &sandbox);
        sandbox.within(|| sh(&format!("ip link set eth0 down; ip link set eth0 name {there}")));
        end_of(&world, sandbox);
        // It waits for the kernel, which does it later.
        give_back(&world, &device);
        world.same(&before, there);
    }
}
