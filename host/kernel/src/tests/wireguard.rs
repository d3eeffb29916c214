//! WireGuard links: keys, ports and peers.

use std::net::SocketAddr;

use crate::tests::*;

const PORT: u16 = 51_820;

fn spec(name: &str, port: u16) -> LinkSpec {
    LinkSpec { end: end(&Namespace::Host, name), kind: LinkKind::Wireguard { port } }
}

/// Makes one that is up, if this kernel has the kind.
fn tunnel(world: &World, name: &str, port: u16) -> Option<LinkKey> {
    match world.kernel.apply(&[Change::AddLink(spec(name, port))]) {
        Ok(applied) => match &applied[0].outcome {
            Outcome::Link(link, None) => Some(link.key.clone()),
            other => panic!("{other:?}"),
        },
        Err(error) if error.errno == Some(95) => {
            assert!(error.message.contains("this kernel has no wireguard links"), "{error}");
            println!("skipped: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn peer(number: u8, endpoint: Option<&str>, allowed: &[&str]) -> Peer {
    let endpoint: Option<SocketAddr> = endpoint.map(|text| text.parse().unwrap());
    let allowed = allowed.iter().map(|net| net.parse().unwrap()).collect();
    Peer { key: PublicKey([number; 32]), endpoint, allowed, keepalive: u16::from(number) }
}

fn set(link: &LinkKey, peers: &[Peer], gone: &[u8]) -> Change {
    let gone = gone.iter().map(|number| PublicKey([*number; 32])).collect();
    Change::SetPeers(SetPeers { link: link.clone(), peers: peers.to_vec(), gone })
}

fn peers(world: &World, link: &LinkKey) -> Vec<Peer> {
    world.kernel.wireguard(link).unwrap().1.into_values().collect()
}

#[test]
fn a_tunnel_comes_and_goes_with_its_key() {
    in_both(|world| {
        let before = world.dump();
        let Some(link) = tunnel(world, "wg0", PORT) else { return };
        let seen = world.kernel.link(&link).unwrap().unwrap();
        assert_eq!((seen.kind.as_str(), seen.mtu, seen.up, seen.mark), ("wireguard", 1420, true, Mark::Owned));
        assert_eq!(seen.mac, None);
        assert_eq!(world.kernel.addresses(&link).unwrap(), [], "it makes itself none");
        let first = world.kernel.wireguard(&link).unwrap().0;
        // Another one's port, until that is down.
        let error = world.fails(&[Change::AddLink(spec("wg1", PORT))]);
        assert_eq!(error.errno, Some(98), "{error}");
        let other = tunnel(world, "wg1", PORT + 1).unwrap();
        assert_ne!(world.kernel.wireguard(&other).unwrap().0, first, "each has a key of its own");
        // A prefix is a name like any other.
        let end = LinkEnd { name: NewName::Prefix(name("wg")), ..end(&Namespace::Host, "x") };
        let named = world.link(LinkSpec { end, kind: LinkKind::Wireguard { port: PORT + 2 } }).0;
        assert_eq!(named.name.as_str(), "wg2");
        assert!(world.kernel.link(&named.key).unwrap().unwrap().up);
        world.all(&[link, other, named.key].map(Change::RemoveLink));
        world.same(&before, "something is left");
    });
}

/// Nothing that the layer answers, notes, says or shows has the key that the kernel has.
#[test]
fn the_private_key_is_the_kernels_alone() {
    use crate::transport::attribute::{Writer, after};
    use crate::transport::socket::{Protocol, Request};

    in_real(|world| {
        let Some(link) = tunnel(world, "wg0", PORT) else { return };
        let mut session = world.kernel.session();
        let family = link::wireguard::family(&mut session, &Namespace::Host).unwrap();
        let body = Writer::after(&[link::wireguard::WG_CMD_GET_DEVICE, 1, 0, 0]);
        let body = body.put(link::wireguard::WGDEVICE_A_IFINDEX, &link.index.to_ne_bytes());
        let question = Request::all(family, body.finish());
        let messages = session.ask(&Namespace::Host, Protocol::Generic, question).unwrap().unwrap();
        let key = after(&messages[0].body, link::wireguard::HEADER).unwrap();
        let key = key.find(link::wireguard::WGDEVICE_A_PRIVATE_KEY).unwrap().unwrap();
        assert!(key.len() == 32 && key.iter().any(|byte| *byte != 0));
        let change = set(&link, &[peer(1, Some("192.0.2.1:7"), &["10.9.0.0/24"])], &[]);
        let applied = world.one(change.clone());
        let error = world.fails(&[Change::AddLink(spec("wg1", PORT))]);
        let told = world.kernel.wireguard(&link).unwrap();
        let made = Change::AddLink(spec("wg0", PORT));
        let all = [
            format!("{messages:?} {applied:?} {error:?} {told:?} {change} {made} {made:?} {:?}", world.kernel),
            serde_json::to_string(&(&applied.undo, &change, &made, &told.0, &error)).unwrap(),
        ]
        .concat();
        let key = PublicKey(key.try_into().unwrap());
        let hex: String = key.0.iter().map(|byte| format!("{byte:02x}")).collect();
        let list = format!("{:?}", key.0);
        for shown in [key.to_string(), hex, list.replace(' ', ""), list] {
            assert!(!all.contains(&shown), "{all}");
        }
    });
}

#[test]
fn peers_come_back_with_undo() {
    in_both(|world| {
        let Some(link) = tunnel(world, "wg0", PORT) else { return };
        let one = peer(1, Some("192.0.2.1:51820"), &["10.9.1.0/24", "fd09:1::/64"]);
        let two = peer(2, None, &["10.9.2.0/24"]);
        world.one(set(&link, &[one.clone(), two.clone()], &[]));
        assert_eq!(peers(world, &link), [one.clone(), two.clone()]);
        let before = world.dump();
        // The first gets what the second had, and the second an end; the third is new.
        let one_now = peer(1, None, &["10.9.2.0/24"]);
        let three = peer(3, Some("[2001:db8::3]:1000"), &["10.9.3.3/32"]);
        let changed = world.one(set(&link, &[one_now.clone(), three.clone()], &[]));
        assert_eq!(peers(world, &link), [one_now, peer(2, None, &[]), three.clone()]);
        assert_eq!(world.kernel.undo(&[changed]), []);
        assert_eq!(peers(world, &link), [one.clone(), two.clone()]);
        let gone = world.one(set(&link, &[], &[1, 9]));
        assert_eq!(peers(world, &link), std::slice::from_ref(&two));
        assert_eq!(world.kernel.undo(&[gone]), []);
        world.same(&before, "undo");
        // The list is whole or not made at all.
        world.fails(&[
            set(&link, std::slice::from_ref(&three), &[]),
            Change::RemoveLink(LinkKey { index: 1, ..link.clone() }),
        ]);
        world.same(&before, "a list that fails");
    });
}

#[test]
fn what_no_peer_can_be() {
    in_both(|world| {
        let Some(link) = tunnel(world, "wg0", PORT) else { return };
        let own = Peer { key: world.kernel.wireguard(&link).unwrap().0, ..peer(1, None, &[]) };
        assert_eq!(world.fails(&[set(&link, &[own], &[])]).errno, Some(22));
        let many = |number: u8, count: u16| {
            let nets =
                (0..count).map(|i| IpNet::from(IpAddr::from([10, number, i.to_be_bytes()[0], i.to_be_bytes()[1]])));
            Peer { allowed: nets.collect(), ..peer(number, None, &[]) }
        };
        let sixteen: Vec<Peer> = (1..=16).map(|number| many(number, 1_024)).collect();
        world.one(set(&link, &sixteen, &[]));
        assert_eq!(peers(world, &link), sixteen, "more than one message of the kernel's");
        assert_eq!(world.fails(&[set(&link, &[many(17, 1)], &[])]).errno, Some(105));
        assert_eq!(peers(world, &link).len(), 16);
        // Other links, and other Pontoons'.
        let (plain, _) = world.link(bridge("br0", &[]));
        assert_eq!(world.fails(&[set(&plain.key, &[peer(1, None, &[])], &[])]).errno, Some(22));
        assert_eq!(world.kernel.wireguard(&plain.key).unwrap_err().errno, Some(22));
        let other = world.other(INSTANCE + 1);
        assert_eq!(other.apply(&[set(&link, &[peer(1, None, &[])], &[])]).unwrap_err().errno, Some(1));
        world.one(Change::RemoveLink(link.clone()));
        world.one(set(&link, &[], &[1]));
        assert!(world.kernel.apply(&[set(&link, &[peer(1, None, &[])], &[])]).is_err());
    });
}

#[test]
fn a_tunnels_port_is_a_port_of_the_host() {
    in_both(|world| {
        let wish = |port| PortWish {
            protocol: 17,
            addresses: vec!["0.0.0.0".parse().unwrap(), "::".parse().unwrap()],
            first: port,
            last: port,
            all: false,
            own: Vec::new(),
        };
        let Some(link) = tunnel(world, "wg0", PORT) else { return };
        assert_eq!(world.fails(&[Change::TakePort(wish(PORT))]).errno, Some(98));
        world.one(Change::TakePort(wish(PORT + 1)));
        let before = world.dump();
        let error = world.fails(&[Change::AddLink(spec("wg1", PORT + 1))]);
        assert_eq!(error.errno, Some(98), "{error}");
        world.same(&before, "a link whose port is taken");
        world.one(Change::RemoveLink(link));
        world.one(Change::TakePort(wish(PORT)));
    });
}

/// A packet goes in by one end, encrypted over the host's loopback, and out of the other in a sandbox.
#[test]
fn packets_pass_a_tunnel() {
    in_real(|world| {
        let sandbox = Sandbox::new(world);
        let Some(here) = tunnel(world, "wg0", PORT) else { return };
        let there = tunnel(world, "wg1", PORT + 1).unwrap();
        let key = |link: &LinkKey| world.kernel.wireguard(link).unwrap().0;
        let to = |key: PublicKey, port: u16, net: &str| {
            let endpoint = format!("127.0.0.1:{port}");
            Peer { key, keepalive: 0, ..peer(0, Some(&endpoint), &[net]) }
        };
        world.one(set(&here, &[to(key(&there), PORT + 1, "10.9.0.2/32")], &[]));
        world.one(set(&there, &[to(key(&here), PORT, "10.9.0.1/32")], &[]));
        let shown = dump();
        let Outcome::Link(moved, None) = world.one(Change::MoveLink(there, sandbox.namespace())).outcome else {
            panic!("no link")
        };
        world.one(Change::AddAddress(here.clone(), "10.9.0.1/24".parse().unwrap()));
        world.one(Change::AddAddress(moved.key.clone(), "10.9.0.2/24".parse().unwrap()));
        world.one(Change::SetLink(moved.key.clone(), LinkChanges { up: Some(true), ..LinkChanges::default() }));
        sh("ping -n -c 2 -W 5 -i 0.3 10.9.0.2");
        let heard = world.kernel.wireguard(&moved.key).unwrap().1;
        assert_eq!(heard.values().next().unwrap().endpoint, Some("127.0.0.1:51820".parse().unwrap()), "{shown}");
        // Nobody else's address.
        world.one(Change::AddAddress(here, "10.9.0.9/24".parse().unwrap()));
        sh("! ping -n -c 1 -W 1 -I 10.9.0.9 10.9.0.2");
    });
}
