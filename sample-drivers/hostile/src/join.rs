//! Attacks in a join.

use pontoon_sdk::ipnet::{IpNet, Ipv4Net};
use pontoon_sdk::nftables::Property::{DestinationLocal, DestinationPort, Protocol as Of};
use pontoon_sdk::nftables::{Chain, Rule, Target, Verdict};
use pontoon_sdk::{JoinInfo, Protocol, Result, StaticRoute, links, nftables, ports};

/// An attack in a join.
pub(crate) type Attack = fn(&JoinInfo) -> Result<()>;

pub(crate) const ATTACKS: &[(&str, Attack)] = &[
    ("a-million-routes", a_million_routes),
    ("answer-with-a-foreign-link", answer_with_a_foreign_link),
    ("default-route-for-the-container", |info| info.add_static_route("0.0.0.0/0".parse()?, StaticRoute::Connected)),
    ("route-for-the-container", |info| info.add_static_route("10.77.0.0/24".parse()?, StaticRoute::Connected)),
    ("gateway-of-nobody", |info| info.set_gateway("192.0.2.1".parse()?)),
    ("reach-into-the-container", reach_into_the_container),
    ("release-a-translated-port-later", |_| ports::release(Protocol::TCP, &["0.0.0.0".parse()?], PORT)),
    ("handle-of-an-earlier-call", |_| {
        crate::raw::use_an_earlier_handle();
        Ok(())
    }),
];

const PORT: u16 = 20_002;

/// What the call before the join does: it takes a port, and sends what comes there to the network.
pub(crate) fn take_a_port() -> Result<()> {
    ports::take(Protocol::TCP, &["0.0.0.0".parse()?], PORT..=PORT)?;
    let target = Target { address: "10.78.0.9".parse()?, port: Some(80) };
    let rule = Rule::new(Chain::NAT_PREROUTING, Verdict::DestinationNat(target)).when(DestinationLocal);
    nftables::add(None, &[rule.when(Of(Protocol::TCP)).when(DestinationPort(PORT.into()))]).map(drop)
}

fn a_million_routes(info: &JoinInfo) -> Result<()> {
    let route = |number: u32| IpNet::V4(Ipv4Net::new_assert((0xa9fe_0000 + number % 0x1_0000).into(), 32));
    (0..1_000_000).try_for_each(|number| info.add_static_route(route(number), StaticRoute::Connected))
}

/// The other end of its own pair is not in the way: it is the victim's link that it names.
fn answer_with_a_foreign_link(info: &JoinInfo) -> Result<()> {
    info.interface_name().set_names(&links::get(None, "eth0")?, "eth", None)
}

fn reach_into_the_container(info: &JoinInfo) -> Result<()> {
    let Some(container) = info.sandbox() else { return Ok(()) };
    links::list(Some(&container)).map(drop)
}
