//! How fast links send and receive.

use crate::tests::*;

const RATE: Rate = Rate { bytes: 125_000, burst: 32_000 };

fn pair(world: &World) -> (LinkKey, LinkKey) {
    let (one, other) = world.link(veth(end(&Namespace::Host, "ve0"), end(&Namespace::Host, "ve1")));
    (one.key, other.unwrap().key)
}

fn ifb(world: &World) -> LinkKey {
    world.link(LinkSpec { end: end(&Namespace::Host, "ifb7"), kind: LinkKind::Ifb }).0.key
}

fn rate(link: &LinkKey, rate: Option<Rate>) -> Change {
    Change::SetRate { link: link.clone(), rate }
}

fn redirect(link: &LinkKey, to: Option<u32>) -> Change {
    Change::Redirect { link: link.clone(), to }
}

#[test]
fn a_rate_is_set_changed_and_taken_back() {
    in_both(|world| {
        let (link, _) = pair(world);
        assert_eq!(world.kernel.rate(&link), Ok(None));
        let first = world.one(rate(&link, Some(RATE)));
        if world.is_real() {
            let said = sh("tc qdisc show dev ve0");
            assert!(said.contains("tbf 706f: root") && said.contains("rate 1Mbit burst 32000b"), "{said}");
        }
        // Beyond what 32 bits have, and bursts that the kernel rounds.
        let other = Rate { bytes: 12_500_000_000, burst: 123_456_789 };
        let second = world.one(rate(&link, Some(other)));
        assert_eq!(world.kernel.rate(&link), Ok(Some(other)));
        assert_eq!(world.one(rate(&link, Some(other))).undo, [], "it is so already");
        let third = world.one(rate(&link, None));
        assert_eq!(world.kernel.rate(&link), Ok(None));
        assert_eq!(world.kernel.undo(&[third]), []);
        assert_eq!(world.kernel.rate(&link), Ok(Some(other)));
        assert_eq!(world.kernel.undo(&[second]), []);
        assert_eq!(world.kernel.rate(&link), Ok(Some(RATE)));
        assert_eq!(world.kernel.undo(&[first]), []);
        assert_eq!(world.kernel.rate(&link), Ok(None));
        assert_eq!(world.one(rate(&link, None)).undo, []);
    });
}

#[test]
fn what_a_link_receives_goes_through_another() {
    in_both(|world| {
        let ((link, _), ifb) = (pair(world), ifb(world));
        let there = world.one(redirect(&link, Some(ifb.index)));
        assert_eq!(world.kernel.redirect(&link), Ok(Some(ifb.index)));
        assert_eq!(world.one(redirect(&link, Some(ifb.index))).undo, [], "it is so already");
        let back = world.one(redirect(&link, None));
        assert_eq!(world.kernel.redirect(&link), Ok(None));
        assert_eq!(world.kernel.undo(&[back]), []);
        assert_eq!(world.kernel.redirect(&link), Ok(Some(ifb.index)));
        world.one(Change::RemoveLink(ifb));
        assert_eq!(world.kernel.redirect(&link), Ok(Some(0)), "the filter stays");
        assert_eq!(world.kernel.undo(&[there]), []);
        assert_eq!(world.kernel.redirect(&link), Ok(None));
    });
}

#[test]
fn it_is_this_instances_links_and_through_an_ifb_alone() {
    in_both(|world| {
        let ((link, peer), ifb) = (pair(world), ifb(world));
        let loopback = LinkKey { namespace: Namespace::Host, index: 1 };
        let gone = LinkKey { namespace: Namespace::Host, index: 77 };
        for (change, errno) in [
            (rate(&loopback, Some(RATE)), 1),
            (rate(&loopback, None), 1),
            (rate(&gone, Some(RATE)), 19),
            (redirect(&loopback, Some(ifb.index)), 1),
            (redirect(&link, Some(loopback.index)), 1),
            (redirect(&link, Some(peer.index)), 22),
            (redirect(&ifb, Some(ifb.index)), 22),
            (redirect(&link, Some(77)), 19),
        ] {
            assert_eq!(world.fails(std::slice::from_ref(&change)).errno, Some(errno), "{change}");
        }
        let other = world.other(0x1_0000);
        assert_eq!(other.apply(&[rate(&link, Some(RATE))]).unwrap_err().errno, Some(1));
    });
}

#[test]
fn what_somebody_else_has_put_there_stays() {
    in_real(|world| {
        let ((link, _), ifb) = (pair(world), ifb(world));
        sh("tc qdisc add dev ve0 root handle 7: tbf rate 9mbit burst 10kb latency 9ms; tc qdisc add dev ve0 clsact");
        let before = sh("tc qdisc show");
        assert_eq!(world.kernel.rate(&link), Ok(None));
        let error = world.fails(&[rate(&link, Some(RATE))]);
        assert!(error.errno == Some(17) && error.message.contains("somebody else has put"), "{error}");
        assert_eq!(world.fails(&[redirect(&link, Some(ifb.index))]).errno, Some(17));
        world.one(rate(&link, None));
        world.one(redirect(&link, None));
        assert_eq!(sh("tc qdisc show"), before);
    });
}

#[test]
fn a_link_that_moves_leaves_it_behind() {
    in_both(|world| {
        let ((link, peer), ifb, sandbox) = (pair(world), ifb(world), Sandbox::new(world));
        world.one(rate(&peer, Some(RATE)));
        world.one(redirect(&link, Some(ifb.index)));
        let Outcome::Link(moved, _) = world.one(Change::MoveLink(peer, sandbox.namespace())).outcome else { panic!() };
        assert_eq!(world.kernel.rate(&moved.key), Ok(None));
        world.one(Change::MoveLink(ifb, sandbox.namespace()));
        assert_eq!(world.kernel.redirect(&link), Ok(Some(0)));
    });
}
