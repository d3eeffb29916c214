//! Network devices.

use pontoon_sdk::ErrorKind::{AlreadyExists, InvalidArgument, NotFound};
use pontoon_sdk::links::{self, Link, LinkChanges, LinkEnd, LinkName, LinkSpec, Master};
use pontoon_sdk::{Error, MacAddress, Result};

use super::Stage;
use crate::check::{ensure, refused, same};

/// Leaves a pair behind: `pbl...` and `pbm...`.
pub(super) fn links(stage: &Stage) -> Result<()> {
    let [bridge_name, one, two] = ["pbt", "pbv", "pbw"].map(|prefix| stage.link_name(prefix));
    let (bridge, near, far) = add(&bridge_name, &one, &two)?;
    all_or_nothing(&bridge_name, &stage.link_name("pbx"))?;
    change(&near, &bridge, &bridge_name, &stage.link_name("pby"))?;
    near.remove()?;
    near.remove()?;
    refused(near.info(), NotFound, "link.info after remove")?;
    refused(far.info(), NotFound, "link.info of the other end after remove")?;
    refused(links::get(None, &two), NotFound, "links.get after remove")?;
    ensure(!listed(&two)?, "links.list has what was removed")?;
    bridge.remove()?;
    let [left, other] = ["pbl", "pbm"].map(|prefix| LinkEnd::named(stage.link_name(prefix)));
    links::add_one(LinkSpec::veth(left, other)).map(drop)
}

fn listed(name: &str) -> Result<bool> {
    Ok(links::list(None)?.iter().any(|info| info.name == name))
}

/// A bridge and a pair in one call.
fn add(bridge: &str, one: &str, two: &str) -> Result<(Link, Link, Link)> {
    let mac_address = MacAddress::random();
    let near = LinkEnd { mac_address: Some(mac_address), mtu: Some(1400), up: true, ..LinkEnd::named(one) };
    let pair = LinkSpec::veth(near, LinkEnd { mtu: Some(1300), ..LinkEnd::named(two) });
    let mut added = links::add(&[LinkSpec::bridge(LinkEnd::named(bridge)), pair])?.into_iter();
    let (Some(bridge), Some(pair), None) = (added.next(), added.next(), added.next()) else {
        return Err(Error::internal("links.add gave another number of links back than it was given"));
    };
    ensure(bridge.peer.is_none(), "links.add gave a bridge another end")?;
    let far = pair.peer.ok_or_else(|| Error::internal("links.add gave a pair no other end"))?;
    let info = pair.link.info()?;
    let seen = (info.name.as_str(), info.kind.as_str(), info.mac_address, info.mtu, info.up, info.master.clone());
    same(seen, (one, "veth", Some(mac_address), 1400, true, None), "link.info")?;
    same((far.info()?.mtu, far.info()?.up), (1300, false), "link.info of the other end")?;
    same(links::get(None, two)?.info()?, far.info()?, "links.get")?;
    ensure(links::list(None)?.contains(&info), "links.list doesn't have what was added")?;
    Ok((bridge.link, pair.link, far))
}

/// Of two links of which one can't be made, none is made.
fn all_or_nothing(taken: &str, free: &str) -> Result<()> {
    let both = [free, taken].map(|name| LinkSpec::bridge(LinkEnd::named(name)));
    refused(links::add(&both), AlreadyExists, "links.add of a name that is taken")?;
    ensure(!listed(free)?, "links.add made a part of its list")?;
    for name in ["", "sixteen-bytes-or", "a/b", "a b"] {
        refused(links::add_one(LinkSpec::bridge(LinkEnd::named(name))), InvalidArgument, "links.add of a bad name")?;
    }
    refused(links::get(None, free), NotFound, "links.get of no link")?;
    let numbered =
        links::add_one(LinkSpec::bridge(LinkEnd { name: LinkName::Prefix("pbn".into()), ..LinkEnd::named("") }))?;
    let name = numbered.link.info()?.name;
    ensure(name.starts_with("pbn") && name.len() > 3, "links.add of a prefix gave no number")?;
    numbered.link.remove()
}

fn change(link: &Link, bridge: &Link, bridge_name: &str, name: &str) -> Result<()> {
    let mac_address = MacAddress::random();
    link.set(&LinkChanges { up: Some(false), ..LinkChanges::default() })?;
    link.set(&LinkChanges {
        name: Some(name.to_owned()),
        mac_address: Some(mac_address),
        mtu: Some(1280),
        master: Some(Master::Bridge(bridge)),
        ..LinkChanges::default()
    })?;
    let info = link.info()?;
    let seen = (info.name.as_str(), info.mac_address, info.mtu, info.up, info.master.as_deref());
    same(seen, (name, Some(mac_address), 1280, false, Some(bridge_name)), "link.info after link.set")?;
    let port =
        LinkChanges { hairpin: Some(true), isolated: Some(true), learning: Some(false), ..LinkChanges::default() };
    link.set(&LinkChanges { up: Some(true), ..port })?;
    ensure(link.info()?.up, "link.set doesn't set up")?;
    link.set(&LinkChanges { master: Some(Master::Nothing), ..LinkChanges::default() })?;
    same(link.info()?.master, None, "the master after link.set to nothing")
}
