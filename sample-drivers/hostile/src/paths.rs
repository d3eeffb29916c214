//! Paths and entries that the host answers for: of others, by their links, to nowhere, and too many.

use pontoon_sdk::addresses::LinkAddress;
use pontoon_sdk::links::{self, Link};
use pontoon_sdk::neighbours::Proxy;
use pontoon_sdk::routes::{NextHop, Path, Way};
use pontoon_sdk::sysctls::{NeighbourSysctl, get_neighbour};
use pontoon_sdk::{Result, addresses, neighbours, routes};

use crate::Attack;
use crate::amounts::NOBODYS;

pub(crate) const ATTACKS: &[(&str, Attack)] = &[
    ("path-for-everything", |_| nowhere("0.0.0.0/0")),
    ("path-of-another-network", |_| nowhere("10.77.0.0/24")),
    ("path-in-the-local-table", |stage| add(Path { table: Some(255), ..Path::new(stage.pool, Way::Blackhole) })),
    ("path-by-seventeen-hops", |stage| {
        let link = stage.link("hb")?;
        add(Path::new(stage.pool, Way::NextHops(vec![NextHop::by(&link, stage.address(9)); 17])))
    }),
    ("many-paths", |stage| {
        (2..200).try_for_each(|number| add(Path::new(stage.address(number).into(), Way::Unreachable)))
    }),
    ("answer-for-another-network", |stage| answer(&stage.link("hb")?, "10.77.0.2")),
    ("answer-for-the-outside", |stage| answer(&stage.link("hb")?, &NOBODYS.addr().to_string())),
    ("answer-for-the-host", |stage| {
        let link = stage.link("hb")?;
        addresses::add(&[LinkAddress { link: &link, address: stage.address(1).into() }])?;
        answer(&link, &stage.address(1).to_string())
    }),
    ("many-answers", |stage| {
        let link = stage.link("hb")?;
        (2..200).try_for_each(|number| answer(&link, &stage.address(number).to_string()))
    }),
    ("read-a-delay-that-is-not-granted", |stage| {
        get_neighbour(&stage.link("hb")?, NeighbourSysctl::Ipv4ProxyDelay).map(drop)
    }),
    ("path-by-a-parent", |stage| by_eth0(stage.pool, "192.0.2.7")),
    ("path-over-the-lan", |_| by_eth0("192.0.2.0/25".parse()?, "192.0.2.7")),
    ("path-before-the-hosts", |_| {
        let eth0 = links::get(None, "eth0")?;
        let way = Way::NextHops(vec![NextHop::by(&eth0, "192.0.2.7".parse()?)]);
        add(Path { metric: Some(1), ..Path::new(NOBODYS, way) })
    }),
    ("path-for-everything-by-a-parent", |_| by_eth0("0.0.0.0/0".parse()?, "192.0.2.7")),
    ("path-by-a-foreign-gateway", |stage| {
        let eth0 = links::get(None, "eth0")?;
        let hops = ["192.0.2.7", "198.51.100.1"].map(|to| to.parse().map(|to| NextHop::by(&eth0, to)));
        add(Path::new(stage.pool, Way::NextHops(hops.into_iter().collect::<std::result::Result<_, _>>()?)))
    }),
    ("answer-for-the-router", |_| answer(&links::get(None, "eth0")?, "192.0.2.1")),
    ("answer-for-the-host-on-the-lan", |_| answer(&links::get(None, "eth0")?, "192.0.2.2")),
    ("answer-for-nobody-on-the-lan", |_| answer(&links::get(None, "eth0")?, "169.254.1.1")),
];

fn add(path: Path) -> Result<()> {
    routes::add_paths(None, &[path])
}

fn nowhere(destination: &str) -> Result<()> {
    add(Path::new(destination.parse()?, Way::Blackhole))
}

fn by_eth0(destination: pontoon_sdk::ipnet::IpNet, gateway: &str) -> Result<()> {
    let eth0 = links::get(None, "eth0")?;
    add(Path::new(destination, Way::NextHops(vec![NextHop::by(&eth0, gateway.parse()?)])))
}

fn answer(link: &Link, address: &str) -> Result<()> {
    neighbours::add_proxies(&[Proxy { link, address: address.parse()? }])
}
