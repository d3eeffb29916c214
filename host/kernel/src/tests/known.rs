//! What an operation knows of links is not asked for again, until it changes some.

use crate::tests::*;

fn rename(link: &LinkKey, name: &str) -> Change {
    let name = Some(NewName::Exact(self::name(name)));
    Change::SetLink(link.clone(), LinkChanges { name, ..LinkChanges::default() })
}

fn now(world: &World, known: &KnownLinks, changes: &[Change]) -> Vec<Applied> {
    known.apply(&world.kernel, changes, None, &mut |_| Ok(())).unwrap()
}

/// A pair that an operation made, from the host into a sandbox.
fn made(world: &World, known: &KnownLinks, sandbox: &Sandbox) -> (NewLink, NewLink) {
    let first = LinkEnd { up: false, ..end(&Namespace::Host, "ve0") };
    let spec = veth(first, LinkEnd { up: false, ..end(&sandbox.namespace(), "eth0") });
    match now(world, known, &[Change::AddLink(spec)]).pop().unwrap().outcome {
        Outcome::Link(first, Some(peer)) => (first, peer),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_made_is_known() {
    in_both(|world| {
        let (known, sandbox) = (KnownLinks::default(), Sandbox::new(world));
        let (first, peer) = made(world, &known, &sandbox);
        for link in [&first, &peer] {
            assert_eq!(known.link(&world.kernel, &link.key), world.kernel.link(&link.key));
            // Behind the operation's back.
            world.one(rename(&link.key, "other"));
            let of_name =
                |name: &str| known.link_by_name(&world.kernel, &link.key.namespace, &self::name(name)).unwrap();
            assert_eq!(known.link(&world.kernel, &link.key).unwrap().unwrap().name, link.name.as_str());
            assert_eq!(of_name(link.name.as_str()).map(|link| link.index), Some(link.key.index));
            // Whoever waits for a change sees it.
            assert_eq!(known.look(&world.kernel, &link.key).unwrap().unwrap().name, link.name.as_str());
            assert_eq!(known.look(&world.kernel, &link.key).unwrap().unwrap().name, "other");
            assert_eq!(of_name("other").map(|link| link.index), Some(link.key.index));
        }
    });
}

#[test]
fn what_an_operation_changes_it_asks_for_again() {
    in_both(|world| {
        let (known, sandbox) = (KnownLinks::default(), Sandbox::new(world));
        let (first, peer) = made(world, &known, &sandbox);
        // It comes back as it was before the operation's change, though nobody asked for it.
        let applied = now(world, &known, &[rename(&first.key, "new")]);
        assert_eq!(known.link(&world.kernel, &first.key).unwrap().unwrap().name, "new");
        assert_eq!(world.kernel.undo(&applied), []);
        assert_eq!(world.kernel.link(&first.key).unwrap().unwrap().name, "ve0");
        known.forget();
        assert_eq!(known.link(&world.kernel, &first.key), world.kernel.link(&first.key));
        // The other end goes with it, wherever that is.
        now(world, &known, &[Change::RemoveLink(first.key.clone())]);
        assert_eq!([first.key, peer.key].map(|link| known.link(&world.kernel, &link)), [Ok(None), Ok(None)]);
    });
}

#[test]
fn others_links_are_asked_for_each_time() {
    in_both(|world| {
        let known = KnownLinks::default();
        let (link, _) = world.link(bridge("br0", &[]));
        let other = world.other(INSTANCE + 1);
        let of = |name: &str| known.link_by_name(&other, &Namespace::Host, &self::name(name)).unwrap();
        assert_eq!(of("br0").unwrap().mark, Mark::Foreign);
        world.one(rename(&link.key, "br1"));
        assert_eq!(of("br0"), None);
        assert_eq!(known.link(&other, &link.key).unwrap().unwrap().name, "br1");
    });
}

#[test]
fn a_link_that_is_gone_is_no_link_to_change() {
    in_both(|world| {
        let (known, sandbox) = (KnownLinks::default(), Sandbox::new(world));
        let (first, _) = made(world, &known, &sandbox);
        world.one(Change::RemoveLink(first.key.clone()));
        let up = Change::SetLink(first.key.clone(), LinkChanges { up: Some(true), ..LinkChanges::default() });
        assert!(known.apply(&world.kernel, &[up], None, &mut |_| Ok(())).is_err());
        assert_eq!(known.link(&world.kernel, &first.key), Ok(None));
        assert_eq!(known.condemn(&world.kernel, &[first.key]), Ok(Vec::new()));
    });
}
