//! More of everything than the grant allows.

use std::net::{IpAddr, Ipv4Addr};

use pontoon_sdk::addresses::LinkAddress;
use pontoon_sdk::ipnet::{IpNet, Ipv4Net};
use pontoon_sdk::links::{self, LinkEnd, LinkSpec};
use pontoon_sdk::nftables::{Chain, Property::InputLink, Rule, Verdict::Accept};
use pontoon_sdk::routes::Route;
use pontoon_sdk::{Protocol, Result, addresses, nftables, ports, routes, store, tables};

use crate::{Attack, Stage};

pub(crate) const ATTACKS: &[(&str, Attack)] = &[
    ("many-links", many_links),
    ("many-links-one-by-one", many_links_one_by_one),
    ("many-addresses", many_addresses),
    ("many-addresses-at-once", many_addresses_at_once),
    ("many-routes", many_routes),
    ("many-rules", many_rules),
    ("many-entries", many_entries),
    ("many-bytes", many_bytes),
    ("many-ports", many_ports),
];

impl Stage {
    /// The address of a number in the pool.
    pub(crate) fn address(&self, number: u32) -> IpAddr {
        match self.pool {
            IpNet::V4(pool) => Ipv4Addr::from_bits(pool.network().to_bits() + number).into(),
            IpNet::V6(pool) => pool.network().into(),
        }
    }
}

fn spec(number: usize) -> LinkSpec<'static> {
    LinkSpec::bridge(LinkEnd::named(format!("hl{number}")))
}

fn many_links(_: &Stage) -> Result<()> {
    links::add(&(0..200).map(spec).collect::<Vec<_>>()).map(drop)
}

fn many_links_one_by_one(_: &Stage) -> Result<()> {
    (0..200).try_for_each(|number| links::add_one(spec(number)).map(drop))
}

fn many_addresses(stage: &Stage) -> Result<()> {
    let link = stage.link("hb")?;
    (2..200)
        .try_for_each(|number| addresses::add(&[LinkAddress { link: &link, address: stage.address(number).into() }]))
}

fn many_addresses_at_once(stage: &Stage) -> Result<()> {
    let addresses = (2..200).map(|number| stage.address(number).into()).collect();
    links::add_one(LinkSpec::bridge(LinkEnd { addresses, ..LinkEnd::named("hb") })).map(drop)
}

fn many_routes(stage: &Stage) -> Result<()> {
    let link = stage.link("hb")?;
    (2..200).try_for_each(|number| routes::add(&[Route::new(&link, stage.address(number).into())]))
}

fn many_rules(stage: &Stage) -> Result<()> {
    let link = stage.link("hb")?;
    (0..200)
        .try_for_each(|_| nftables::add(None, &[Rule::new(Chain::FORWARD, Accept).when(InputLink(&link))]).map(drop))
}

fn many_entries(_: &Stage) -> Result<()> {
    (0..200).try_for_each(|number| tables::put("own", &format!("{number}"), b"x"))
}

fn many_bytes(_: &Stage) -> Result<()> {
    (0..200).try_for_each(|number| store::set_bytes(&format!("{number}"), &[0; 10_000]))
}

/// All addresses of loopback's range, so that it does not take long.
fn many_ports(_: &Stage) -> Result<()> {
    let addresses: Vec<IpAddr> = (1..=8).map(|number| Ipv4Addr::new(127, 0, 0, number).into()).collect();
    (20_000..30_000).try_for_each(|port| ports::take(Protocol::UDP, &addresses, port..=port).map(drop))
}

/// A range that is nobody's: RFC 5737's first example.
pub(crate) const NOBODYS: IpNet = IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(192, 0, 2, 0), 24));
