//! Condemned links are out of the way at once, and reaped later.

use crate::tests::*;

fn pair(world: &World, bridge: &NewLink, at: &Namespace) -> (LinkKey, LinkKey) {
    let first = LinkEnd { master: Some(bridge.key.index), ..end(&Namespace::Host, "ve0") };
    let addresses = vec!["10.9.0.2/24".parse().unwrap(), "fd00:9::2/64".parse().unwrap()];
    let (first, peer) = world.link(veth(first, LinkEnd { addresses, ..end(at, "eth0") }));
    (first.key, peer.unwrap().key)
}

#[test]
fn a_condemned_pair_makes_room_at_once() {
    in_both(|world| {
        let (bridge, _) = world.link(bridge("br0", &["10.9.0.1/24"]));
        let sandbox = Sandbox::new(world);
        for at in [Namespace::Host, sandbox.namespace()] {
            let before = world.dump();
            let there = sandbox.dump();
            for _ in 0..3 {
                let (first, peer) = pair(world, &bridge, &at);
                // In one namespace the other end is found.
                let keys = if at == Namespace::Host { vec![first.clone()] } else { vec![first.clone(), peer.clone()] };
                // One end is deleted, and both go.
                for _ in 0..2 {
                    let left = world.kernel.condemn(&keys).unwrap();
                    assert!(matches!(&left[..], [(one, 2)] if [&first, &peer].contains(&one)), "{left:?}");
                }
                for key in [first, peer] {
                    let link = world.kernel.link(&key).unwrap().unwrap();
                    assert_eq!((link.up, link.master, link.mark), (false, None, Mark::Condemned));
                    assert_eq!(link.name, format!("pc{:x}", key.index));
                    assert_eq!(world.kernel.addresses(&key), Ok(Vec::new()));
                }
            }
            let count = if at == Namespace::Host { 6 } else { 3 };
            // One that is in use is not deleted by its index.
            assert_eq!(world.kernel.reap_these(&Namespace::Host, &[bridge.key.index, 1, 9_999]), Ok(0));
            assert_eq!(world.kernel.reap(&Namespace::Host), Ok(count));
            assert_eq!(world.kernel.reap(&Namespace::Host), Ok(0));
            world.same(&before, "after reaping");
            assert_eq!(there, sandbox.dump());
        }
    });
}

#[test]
fn a_few_are_deleted_without_a_look() {
    in_both(|world| {
        let (bridge, _) = world.link(bridge("br0", &["10.9.0.1/24"]));
        let sandbox = Sandbox::new(world);
        let (before, there) = (world.dump(), sandbox.dump());
        let (first, peer) = pair(world, &bridge, &sandbox.namespace());
        assert_eq!(world.kernel.condemn(&[first, peer]).map(|left| left.len()), Ok(1));
        assert_eq!(world.kernel.reap_few(&Namespace::Host), Ok(()));
        assert_eq!(world.kernel.reap_few(&Namespace::Host), Ok(()), "and where there is none");
        world.same(&before, "after reaping");
        assert_eq!(there, sandbox.dump());
    });
}

#[test]
fn a_condemned_link_has_no_address_left() {
    in_both(|world| {
        // Some subnets, one of them with several addresses, of both families; and a link that never was up.
        let all =
            ["10.9.0.1/24", "10.9.0.2/24", "10.9.1.1/24", "10.9.2.1/24", "10.9.3.1/32", "fd00:9::1/64", "fd00:9::2/64"];
        for up in [true, false] {
            let LinkSpec { end, kind } = bridge("br0", &all);
            let (link, _) = world.link(LinkSpec { end: LinkEnd { up, ..end }, kind });
            assert_eq!(world.kernel.condemn(std::slice::from_ref(&link.key)), Ok(vec![(link.key.clone(), 1)]));
            assert_eq!(world.kernel.addresses(&link.key), Ok(Vec::new()));
        }
        assert_eq!(world.kernel.reap(&Namespace::Host), Ok(2));
    });
}

#[test]
fn an_address_that_the_kernel_keeps_on_a_condemned_link_is_free() {
    in_real(|world| {
        sh("echo 1 > /proc/sys/net/ipv6/conf/all/keep_addr_on_down");
        for _ in 0..2 {
            let (link, _) = world.link(bridge("br0", &["10.9.0.1/24", "fd00:9::1/64"]));
            world.kernel.condemn(std::slice::from_ref(&link.key)).unwrap();
        }
        assert_eq!(world.kernel.reap(&Namespace::Host), Ok(2));
    });
}

#[test]
fn what_can_not_wait_is_deleted_at_once() {
    in_both(|world| {
        let (bridge, _) = world.link(bridge("br0", &["10.9.0.1/24"]));
        let sandbox = Sandbox::new(world);
        let (first, _) = pair(world, &bridge, &sandbox.namespace());
        let (tunnel, _) = world.link(LinkSpec { end: end(&Namespace::Host, "vx0"), kind: super::links::vxlan(77) });
        world.kernel.condemn(&[first.clone(), tunnel.key.clone(), bridge.key.clone()]).unwrap();
        assert_eq!(world.kernel.link(&first), Ok(None));
        assert_eq!(world.kernel.link(&tunnel.key), Ok(None));
        assert_eq!(world.kernel.link(&bridge.key).unwrap().unwrap().mark, Mark::Condemned);
        assert_eq!(world.kernel.reap(&Namespace::Host), Ok(1));
    });
}

#[test]
fn a_sandbox_that_is_gone_takes_no_one_along() {
    in_both(|world| {
        let (bridge, _) = world.link(bridge("br0", &["10.9.0.1/24"]));
        let sandbox = Sandbox::new(world);
        let (first, peer) = pair(world, &bridge, &sandbox.namespace());
        drop(sandbox);
        // The kernel removes the pair some time after the namespace.
        for _ in 0..500 {
            if world.kernel.link(&first) == Ok(None) {
                break;
            }
            thread::sleep(std::time::Duration::from_millis(10));
        }
        assert_eq!(world.kernel.condemn(&[first, peer.clone()]), Ok(Vec::new()));
        assert_eq!(world.kernel.attempt(&[Change::RemoveLink(peer.clone())]), []);
        assert!(!world.kernel.exists(&peer.namespace));
        assert!(world.kernel.addresses(&peer).unwrap_err().message.contains("is gone"));
    });
}

/// A heap of links, by where they are.
fn heap(world: &World, at: &Namespace) -> Vec<LinkKey> {
    let spec = |number| {
        let LinkSpec { end, kind } = bridge(&format!("hb{number}"), &[]);
        Change::AddLink(LinkSpec { end: LinkEnd { namespace: at.clone(), ..end }, kind })
    };
    let made = world.all(&(0..48).map(spec).collect::<Vec<_>>());
    let key = |applied: Applied| match applied.outcome {
        Outcome::Link(first, _) => first.key,
        other => panic!("{other:?}"),
    };
    made.into_iter().map(key).collect()
}

/// Has a heap of links deleted while another instance adds links somewhere else: it never waits for the whole heap.
fn lets_others_in(world: &World, delete: impl FnOnce() + Send, done: impl Fn() -> bool + Sync) {
    let (other, sandbox) = (world.other(INSTANCE + 1), Sandbox::new(world));
    let (longest, whole) = thread::scope(|scope| {
        let begin = Instant::now();
        scope.spawn(delete);
        let mut longest = Duration::ZERO;
        for number in 0.. {
            let one = Instant::now();
            // Pairs, because the kernel deletes them with the sandbox, as one group.
            let at = |name: &str| end(&sandbox.namespace(), &format!("{name}{number}"));
            other.apply(&[Change::AddLink(veth(at("oa"), at("ob")))]).unwrap();
            // This waits, too.
            let over = done();
            longest = longest.max(one.elapsed());
            if over {
                break;
            }
        }
        (longest, begin.elapsed())
    });
    assert!(longest < whole / 2, "another one waited for {longest:?} of {whole:?}");
}

#[test]
fn a_heap_that_is_deleted_lets_others_in() {
    in_real(|world| {
        let links = heap(world, &Namespace::Host);
        world.kernel.condemn(&links).unwrap();
        let left = || world.kernel.link(&links[links.len() - 1]).unwrap().is_some();
        let indexes: Vec<u32> = links.iter().map(|link| link.index).collect();
        let reap = || assert_eq!(world.kernel.reap_these(&Namespace::Host, &indexes), Ok(links.len()));
        lets_others_in(world, reap, || !left());
    });
}

#[test]
fn a_full_namespace_that_is_removed_lets_others_in() {
    in_real(|world| {
        let Outcome::Namespace(made) = world.one(Change::AddNamespace("full".into())).outcome else { panic!() };
        // What is inside is seen by an end outside of a pair that goes with the last group.
        heap(world, &Namespace::At(made.clone()));
        let (outside, _) = world.link(veth(end(&Namespace::Host, "vo"), end(&Namespace::At(made), "vi")));
        let remove = || assert_eq!(world.kernel.attempt(&[Change::RemoveNamespace("full".into())]), []);
        lets_others_in(world, remove, || world.kernel.link(&outside.key).unwrap().is_none());
    });
}
