//! What outlives that for which it was made, and names that somebody else has next.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;

use pontoon_sdk::links::{self, Link, LinkChanges, LinkEnd, LinkKind, LinkName, LinkSpec, MacvlanMode};
use pontoon_sdk::nftables::Property::{Destination, DestinationLocal, DestinationPort, InputLink, Protocol as Of};
use pontoon_sdk::nftables::{Chain, PortRange, Rule, RuleId, Target, Verdict};
use pontoon_sdk::{Protocol, Result, forwarding, nftables, ports, rules};

use crate::{Attack, Stage};

pub(crate) const ATTACKS: &[(&str, Attack)] = &[
    ("rename-under-a-policy-rule", |stage| {
        let link = stage.link("hb")?;
        route_by(&link)?;
        rename(&link, "hbb")
    }),
    ("rename-under-forwarding", |stage| {
        let link = stage.link("hb")?;
        forwarding::allow(&link, true, true)?;
        rename(&link, "hbb")
    }),
    ("rename-to-an-engines-name", |stage| rename(&stage.link("hb")?, "docker_gwbridge")),
    ("take-an-engines-name", |stage| stage.link("docker0").map(drop)),
    ("take-an-engines-next-name", |_| {
        let end = LinkEnd { name: LinkName::Prefix("cni".to_owned()), ..LinkEnd::named("") };
        links::add_one(LinkSpec::bridge(end)).map(drop)
    }),
    ("take-the-name-of-an-interface-to-come", |_| pair("hb", "eth7").map(drop)),
    ("take-a-vlans-name", |_| pair("hb", "eth0.10").map(drop)),
    ("take-the-victims-name", |stage| stage.link("victim").map(drop)),
    ("take-a-name-that-policy-rules-go-by", |stage| stage.link("pontoon00000007").map(drop)),
    ("release-a-translated-port", |stage| release_after(stage, "0.0.0.0", false)),
    ("release-a-translated-port-of-one-address", |stage| release_after(stage, "192.0.2.1", false)),
    ("release-a-translated-port-of-two-rules", |stage| release_after(stage, "0.0.0.0", true)),
    ("release-a-translated-range", |stage| {
        translate_range(stage, RANGE)?;
        ports::release_range(Protocol::TCP, &[every()], RANGE)
    }),
    ("rule-wider-than-a-range", |stage| translate_range(stage, PORT..=PORT + 4)),
    ("range-with-a-port-that-is-taken", |_| {
        ports::take(Protocol::TCP, &[every()], PORT + 1..=PORT + 1)?;
        ports::take_range(Protocol::TCP, &[every()], RANGE)
    }),
    ("all-ports-at-once", |_| ports::take_range(Protocol::UDP, &[every()], 1..=65_535)),
    ("range-from-zero", |_| ports::take_range(Protocol::UDP, &[every()], 0..=65_535)),
    #[expect(clippy::reversed_empty_ranges, reason = "that is the attack")]
    ("range-backwards", |_| ports::take_range(Protocol::UDP, &[every()], 20_010..=20_009)),
];

/// Calls that come through: what they leave is for the test to look at.
pub(crate) const LEAVING: &[(&str, Attack)] = &[
    ("rules-of-a-link-that-is-removed", |stage| {
        let link = stage.link("hx")?;
        speak_of(&link)?;
        link.remove()
    }),
    ("rules-of-a-link-whose-other-end-is-removed", |_| {
        let (near, far) = pair("hx", "hy")?;
        speak_of(&near)?;
        far.remove()
    }),
    ("rules-of-a-link-on-one-that-is-removed", |stage| {
        let below = stage.link("hb")?;
        let kind = LinkKind::Macvlan { parent: &below, mode: MacvlanMode::Bridge };
        speak_of(&links::add_one(LinkSpec { end: LinkEnd::named("hx"), kind })?.link)?;
        below.remove()
    }),
    ("rules-of-a-link-that-stays", |stage| speak_of(&stage.link("hx")?)),
    ("keep-a-name-by-another", |stage| rename(&stage.link("hb")?, "hx")),
    ("release-a-port-and-its-rule", |stage| {
        let rule = translate(stage, "0.0.0.0")?;
        release("0.0.0.0")?;
        nftables::remove(&[rule])
    }),
    ("release-half-a-range", |stage| {
        translate_range(stage, RANGE)?;
        ports::release_range(Protocol::TCP, &[every()], PORT..=PORT + 1)?;
        ports::release(Protocol::TCP, &[every()], PORT)
    }),
    ("remove-a-rule-and-release-its-port", |stage| {
        nftables::remove(&[translate(stage, "0.0.0.0")?])?;
        release("0.0.0.0")
    }),
];

/// Every kind of thing that is for one link.
pub(crate) fn speak_of(link: &Link) -> Result<()> {
    nftables::add(None, &[Rule::new(Chain::FORWARD, Verdict::Drop).when(InputLink(link))])?;
    route_by(link)?;
    forwarding::allow(link, true, false)
}

fn route_by(link: &Link) -> Result<()> {
    let (source, destination, input_link) = (None, None, Some(link));
    rules::add(None, &[rules::Rule { priority: 7, source, destination, input_link, mark: None, table: 9 }])
}

fn rename(link: &Link, name: &str) -> Result<()> {
    link.set(&LinkChanges { up: Some(false), ..LinkChanges::default() })?;
    link.set(&LinkChanges { name: Some(name.to_owned()), ..LinkChanges::default() })
}

fn pair(near: &str, far: &str) -> Result<(Link, Link)> {
    let added = links::add_one(LinkSpec::veth(LinkEnd::named(near), LinkEnd::named(far)))?;
    let far = added.peer.ok_or_else(|| pontoon_sdk::Error::internal("a pair without another end"))?;
    Ok((added.link, far))
}

const PORT: u16 = 20_001;
const RANGE: RangeInclusive<u16> = PORT..=PORT + 3;

fn every() -> IpAddr {
    Ipv4Addr::UNSPECIFIED.into()
}

/// Takes four ports, and sends what comes to these to the network.
fn translate_range(stage: &Stage, these: RangeInclusive<u16>) -> Result<()> {
    ports::take_range(Protocol::TCP, &[every()], RANGE)?;
    let rule =
        Rule::new(Chain::NAT_PREROUTING, Verdict::DestinationNat(Target { address: stage.address(9), port: None }));
    let (first, last) = these.into_inner();
    let rule = rule.when(DestinationLocal).when(Of(Protocol::TCP)).when(DestinationPort(PortRange { first, last }));
    nftables::add(None, &[rule]).map(drop)
}

/// Takes a port, and sends what comes there to the network.
fn translate(stage: &Stage, address: &str) -> Result<RuleId> {
    ports::take(Protocol::TCP, &[address.parse()?], PORT..=PORT)?;
    rule_for(stage, address)
}

fn rule_for(stage: &Stage, address: &str) -> Result<RuleId> {
    let target = Target { address: stage.address(9), port: Some(80) };
    let host = if address == "0.0.0.0" { DestinationLocal } else { Destination(format!("{address}/32").parse()?) };
    let rule = Rule::new(Chain::NAT_PREROUTING, Verdict::DestinationNat(target)).when(host);
    let added = nftables::add(None, &[rule.when(Of(Protocol::TCP)).when(DestinationPort(PORT.into()))])?;
    added.into_iter().next().ok_or_else(|| pontoon_sdk::Error::internal("no rule was added"))
}

fn release(address: &str) -> Result<()> {
    ports::release(Protocol::TCP, &[address.parse()?], PORT)
}

/// The rule stays, of two perhaps the second one.
fn release_after(stage: &Stage, address: &str, another: bool) -> Result<()> {
    let rule = translate(stage, address)?;
    if another {
        rule_for(stage, address)?;
        nftables::remove(&[rule])?;
    }
    release(address)
}
