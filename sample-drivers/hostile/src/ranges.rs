//! Addresses and routes of others.

use pontoon_sdk::addresses::LinkAddress;
use pontoon_sdk::ipnet::IpNet;
use pontoon_sdk::links::{self, LinkEnd, LinkSpec};
use pontoon_sdk::neighbours::{self, Neighbour};
use pontoon_sdk::routes::{self, Route};
use pontoon_sdk::{MacAddress, Result, addresses};

use crate::amounts::NOBODYS;
use crate::{Attack, Stage};

pub(crate) const ATTACKS: &[(&str, Attack)] = &[
    ("default-route", |stage| route(stage, "0.0.0.0/0")),
    ("default-route-ipv6", |stage| route(stage, "::/0")),
    ("half-of-everything", |stage| route(stage, "128.0.0.0/1")),
    ("route-of-another-network", |stage| route(stage, "10.77.0.0/24")),
    ("route-in-the-local-table", route_in_the_local_table),
    ("wider-than-the-network", wider_than_the_network),
    ("hijack-a-subnet", hijack_a_subnet),
    ("address-of-nobody", address_of_nobody),
    ("address-as-wide-as-half-the-world", |stage| wide(stage, 1)),
    ("address-with-the-neighbours", |stage| wide(stage, stage.pool.prefix_len() - 1)),
    ("new-link-as-wide-as-the-world", new_link_as_wide_as_the_world),
    ("neighbour-of-nobody", neighbour_of_nobody),
];

fn route(stage: &Stage, destination: &str) -> Result<()> {
    let link = stage.link("hb")?;
    routes::add(&[Route::new(&link, destination.parse::<IpNet>()?)])
}

fn route_in_the_local_table(stage: &Stage) -> Result<()> {
    let link = stage.link("hb")?;
    routes::add(&[Route { table: Some(255), ..Route::new(&link, stage.pool) }])
}

fn wider_than_the_network(stage: &Stage) -> Result<()> {
    let link = stage.link("hb")?;
    let wider = stage.pool.supernet().unwrap_or(stage.pool);
    routes::add(&[Route::new(&link, wider)])
}

/// The gateway's address of the victim's network, so that it answers for it.
fn hijack_a_subnet(stage: &Stage) -> Result<()> {
    let link = stage.link("hb")?;
    addresses::add(&[LinkAddress { link: &link, address: "10.77.0.1/24".parse()? }])
}

fn address_of_nobody(stage: &Stage) -> Result<()> {
    let link = stage.link("hb")?;
    addresses::add(&[LinkAddress { link: &link, address: NOBODYS }])
}

/// An address of the network's own, with a prefix that makes the kernel route much more to the link.
fn wide(stage: &Stage, length: u8) -> Result<()> {
    let link = stage.link("hb")?;
    addresses::add(&[LinkAddress { link: &link, address: IpNet::new(stage.pool.addr(), length)? }])
}

fn new_link_as_wide_as_the_world(stage: &Stage) -> Result<()> {
    let address = IpNet::new(stage.pool.addr(), 0)?;
    links::add_one(LinkSpec::bridge(LinkEnd { up: true, addresses: vec![address], ..LinkEnd::named("hb") })).map(drop)
}

fn neighbour_of_nobody(stage: &Stage) -> Result<()> {
    let link = stage.link("hb")?;
    let (address, mac_address) = (NOBODYS.addr(), MacAddress::random());
    neighbours::add(&[Neighbour { link: &link, address, mac_address }])
}
