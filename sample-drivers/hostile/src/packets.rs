//! Sets and packet rules with more in them: of others, for everybody, with marks and a log that nobody granted, and too many.

use pontoon_sdk::nftables::{self, Chain, ChainType, Hook, PortRange, RuleId, Verdict};
use pontoon_sdk::packets::{
    self, Action, Element, Field, MarkBits, PacketRule, Property, Rate, RateUnit, Rejection, SetKind, Statement,
};
use pontoon_sdk::{Error, Protocol, Result};

use crate::{Attack, Stage};

pub(crate) const ATTACKS: &[(&str, Attack)] = &[
    ("elements-for-a-set-of-another-network", |_| {
        packets::add_set(None, "mine", SetKind::Ipv4)?;
        packets::add_elements("theirs", &[addresses("192.0.2.0/24")?])
    }),
    ("look-into-a-set-of-another-network", |stage| {
        of_link(stage, |rule| rule.when(Property::Member { field: Field::Source, set: "theirs" }))
    }),
    ("set-by-the-name-of-a-map", |_| packets::add_set(None, "filter-forward-0/ports", SetKind::Ports)),
    ("set-by-a-name-of-the-kernels", |_| packets::add_set(None, "__set0", SetKind::Ports)),
    ("set-by-an-endless-name", |_| packets::add_set(None, &"a".repeat(100_000), SetKind::Ports)),
    ("many-sets", |_| (0..9).try_for_each(|number| packets::add_set(None, &format!("s{number}"), SetKind::Ipv4))),
    ("many-elements-one-by-one", |_| {
        packets::add_set(None, "s", SetKind::Ports)?;
        (1..99).try_for_each(|port| packets::add_elements("s", &[ports(port, port)]))
    }),
    ("elements-again-and-again", |_| {
        packets::add_set(None, "s", SetKind::Ports)?;
        (0..99).try_for_each(|_| {
            packets::add_elements("s", &[ports(1, 9)])?;
            packets::remove_elements("s", &[ports(1, 9)])
        })
    }),
    ("elements-over-many-sets", |_| {
        ["a", "b", "c"].into_iter().try_for_each(|set| {
            packets::add_set(None, set, SetKind::Ports)?;
            (1..9).try_for_each(|port| packets::add_elements(set, &[ports(port, port)]))
        })
    }),
    ("elements-that-overlap", |_| {
        packets::add_set(None, "s", SetKind::Ipv4)?;
        packets::add_elements("s", &[addresses("10.0.0.0/8")?, addresses("10.1.0.0/16")?])
    }),
    ("ports-among-addresses", |_| {
        packets::add_set(None, "s", SetKind::Ipv4)?;
        packets::add_elements("s", &[ports(1, 2)])
    }),
    ("remove-a-set-in-use", |stage| {
        packets::add_set(None, "s", SetKind::Ipv4)?;
        of_link(stage, |rule| rule.when(Property::Member { field: Field::Source, set: "s" }))?;
        packets::remove_set("s")
    }),
    ("set-back-in-the-same-call", |_| {
        packets::add_set(None, "s", SetKind::Ipv4)?;
        packets::remove_set("s")?;
        packets::add_set(None, "s", SetKind::Ipv6)
    }),
    ("rule-tied-by-a-set", |stage| {
        packets::add_set(None, "s", SetKind::Ipv4)?;
        packets::add_elements("s", &[stage.pool.into()])?;
        add(PacketRule::new(Chain::FORWARD, Verdict::Drop).when(Property::Member { field: Field::Source, set: "s" }))
    }),
    ("rule-tied-by-a-mark", |_| {
        let mark = MarkBits { value: 1, mask: 1 };
        add(PacketRule::new(Chain::FORWARD, Verdict::Drop).when(Property::Mark(mark)))
    }),
    ("mark-its-packets", |stage| {
        of_link(stage, |rule| rule.and(Statement::SetMark(MarkBits { value: 0x500, mask: 0xff00 })))
    }),
    ("mark-beside-its-mask", |stage| {
        of_link(stage, |rule| rule.and(Statement::SetMark(MarkBits { value: 0x1500, mask: 0x0f00 })))
    }),
    ("mark-everybodys-packets", |_| {
        let statement = Statement::SetMark(MarkBits { value: 0, mask: u32::MAX });
        add(PacketRule::new(Chain::FORWARD, Action::Proceed).and(statement))
    }),
    ("log-without-leave", |stage| logged(stage, "h", 1)),
    ("log-with-control-characters", |stage| logged(stage, "h\n<0>kernel: panic", 1)),
    ("log-without-end", |stage| logged(stage, &"h".repeat(33), 1)),
    ("log-a-flood", |stage| logged(stage, "h", 1_000_000)),
    ("untrack-its-packets-late", |stage| {
        let chain = Chain::filter(Hook::Prerouting, -100);
        let rule = PacketRule::new(chain, Action::Proceed).when(nftables::Property::Source(stage.pool));
        add(rule.and(Statement::Untrack))
    }),
    ("untrack-everybodys-packets", |_| {
        add(PacketRule::new(Chain::RAW_PREROUTING, Action::Proceed).and(Statement::Untrack))
    }),
    ("reject-everybody", |_| add(PacketRule::new(Chain::FORWARD, Action::Reject(Rejection::Prohibited)))),
    ("reject-before-routing", |stage| {
        let chain = Chain::filter(Hook::Prerouting, -100);
        let reject = PacketRule::new(chain, Action::Reject(Rejection::HostUnreachable));
        add(reject.when(nftables::Property::Source(stage.pool)))
    }),
    ("reset-without-a-protocol", |stage| {
        let reject = PacketRule::new(Chain::FORWARD, Action::Reject(Rejection::TcpReset));
        add(reject.when(nftables::Property::Source(stage.pool)))
    }),
    ("shrink-everybodys-segments", |_| {
        let tcp = PacketRule::new(Chain::FORWARD, Action::Proceed).when(nftables::Property::Protocol(Protocol::TCP));
        add(tcp.and(Statement::ClampSegmentSize(Some(536))))
    }),
    ("segments-of-nothing", |stage| {
        let tcp = PacketRule::new(Chain::FORWARD, Action::Proceed).when(nftables::Property::Source(stage.pool));
        let tcp = tcp.when(nftables::Property::Protocol(Protocol::TCP));
        add(tcp.and(Statement::ClampSegmentSize(Some(1))))
    }),
    ("statement-in-a-nat-chain", |stage| {
        let chain = Chain { chain_type: ChainType::Nat, ..Chain::NAT_POSTROUTING };
        let rule = PacketRule::new(chain, Verdict::Masquerade).when(nftables::Property::Source(stage.pool));
        add(rule.and(Statement::SetMark(MarkBits { value: 1, mask: 1 })))
    }),
    ("nine-statements", |stage| {
        let rate = Rate { amount: 1, unit: RateUnit::Bytes, burst: 0, over: false };
        of_link(stage, |rule| (0..9).fold(rule, |rule, _| rule.and(Statement::Limit(rate))))
    }),
    ("count-what-others-count", |_| {
        let others: Vec<_> = (0..1_000).map(RuleId).collect();
        match packets::counters(&others)?.iter().any(Option::is_some) {
            true => Ok(()),
            false => Err(Error::forbidden("nothing was counted for others' rules")),
        }
    }),
    ("many-packet-rules", |stage| {
        let link = stage.link("hb")?;
        let rule = || PacketRule::new(Chain::FORWARD, Action::Proceed).when(nftables::Property::InputLink(&link));
        (0..99).try_for_each(|_| add(rule()))
    }),
    ("redirect-the-hosts-ssh-and-count", |stage| {
        let to = nftables::Target { address: stage.address(2), port: None };
        let rule = PacketRule::new(Chain::NAT_PREROUTING, Verdict::DestinationNat(to))
            .when(nftables::Property::DestinationLocal)
            .when(nftables::Property::Protocol(Protocol::TCP))
            .when(nftables::Property::DestinationPort(22.into()));
        add(rule.and(Statement::Counter))
    }),
];

fn add(rule: PacketRule) -> Result<()> {
    packets::add(None, &[rule]).map(drop)
}

/// A rule for what comes in by a link of the driver's own.
fn of_link(stage: &Stage, more: impl for<'a> FnOnce(PacketRule<'a>) -> PacketRule<'a>) -> Result<()> {
    let link = stage.link("hb")?;
    let rule = PacketRule::new(Chain::FORWARD, Action::Proceed).when(nftables::Property::InputLink(&link));
    add(more(rule))
}

fn logged(stage: &Stage, prefix: &str, rate: u32) -> Result<()> {
    let link = stage.link("hb")?;
    add(PacketRule::new(Chain::FORWARD, Action::Log { prefix, rate }).when(nftables::Property::InputLink(&link)))
}

fn addresses(text: &str) -> Result<Element> {
    Ok(Element::Network(text.parse()?))
}

fn ports(first: u16, last: u16) -> Element {
    Element::Ports(PortRange { first, last })
}
