//! The link that a container gets.

use std::net::IpAddr;

use super::cast::{End, MTU, Net};
use super::stop::{Checked, Stop};
use super::world::World;
use kernel::{LinkInfo, LinkKey, Namespace};
use operation::driver::Without;
use operation::engine::{Interface, Joined};
use store::Thing;
use words::{LinkName, MacAddress};

/// An MTU that no kernel chooses by itself.
const SMALL: u32 = 1300;

pub fn link(world: &mut World<'_>) -> Checked<()> {
    let net = world.create(&world.net("n", 1)?)?;
    let mut seen: Option<(LinkName, Option<MacAddress>)> = None;
    for (name, number) in [("a", 2), ("b", 3)] {
        let end = net.end(name, number)?;
        let interface = world.add(&end)?;
        let joined = world.join(&end)?;
        let Some(names) = &joined.interface else { return Err(no_link(world, &format!("join of {name}"))) };
        check(world, &net, &end, &interface, &joined)?;
        if let Some((other, mac)) = &seen {
            let call = format!("join of {name}");
            if names.source == *other {
                return Err(Stop::failed(
                    call,
                    "a link of the endpoint's own",
                    format!("{other}, which endpoint a has"),
                ));
            }
            if interface.mac.is_some() && interface.mac == *mac {
                return Err(Stop::failed(call, "a MAC of the endpoint's own", "the same one that endpoint a has"));
            }
        }
        seen = Some((names.source.clone(), interface.mac));
    }
    Ok(())
}

pub fn mac(world: &mut World<'_>) -> Checked<()> {
    let net = world.create(&world.net("n", 1)?)?;
    let mac = MacAddress([0x02, 0x77, 0x01, 0x02, 0x03, 0x04]);
    let end = net.end("a", 2)?.mac(mac);
    let interface = world.add_with_mac(&end, mac)?;
    let joined = world.join(&end)?;
    if joined.interface.is_none() {
        return Err(no_link(world, "join of a"));
    }
    check(world, &net, &end, &interface, &joined)
}

pub fn mtu(world: &mut World<'_>) -> Checked<()> {
    let net = world.create(&world.net("n", 1)?.label(MTU, &SMALL.to_string()))?;
    let end = net.end("a", 2)?;
    world.add(&end)?;
    let joined = world.join(&end)?;
    let Some(names) = &joined.interface else { return Err(no_link(world, "join of a")) };
    match world.link(&names.source)? {
        Some(info) if info.mtu == SMALL => Ok(()),
        info => {
            let got = info.map_or_else(|| "no such link".to_owned(), |info| info.mtu.to_string());
            Err(Stop::failed(
                "create-endpoint of a",
                format!("{} with the MTU {SMALL}, by the network's label {MTU}", names.source),
                got,
            ))
        }
    }
}

/// The link that `join` named is there, is the endpoint's, is nobody's port, and has its MAC. Without a link there is nothing to look at.
pub fn check(world: &World<'_>, net: &Net, end: &End, interface: &Interface, joined: &Joined) -> Checked<()> {
    let call = format!("join of {}", end.name);
    let Some(names) = &joined.interface else {
        return match no_link(world, &call) {
            Stop::Skipped(_) => Ok(()),
            failed => Err(failed),
        };
    };
    let source = &names.source;
    let Some(info) = world.link(source)? else {
        return Err(Stop::failed(call, format!("the link {source} that it names"), "no such link on the host"));
    };
    let is_it =
        |thing: &Thing| matches!(thing, Thing::Link { namespace: Namespace::Host, index, .. } if *index == info.index);
    let (network, endpoint) = (&net.create.network, &end.create.key.endpoint);
    let owned = world.controller()?.store().objects(network, Some(Some(endpoint)))?;
    if !owned.iter().any(|object| is_it(&object.thing)) {
        return Err(Stop::failed(call, "a link that was made for this endpoint", format!("{source}, another one's")));
    }
    if let Some(master) = info.master {
        let expected = "the container's end, which is no port of a bridge";
        return Err(Stop::failed(call, expected, format!("{source}, a port of link {master}")));
    }
    elsewhere(world, end, interface, &info)?;
    match (interface.mac, info.mac) {
        (Some(wanted), Some(has)) if wanted != has => {
            let asked = if end.create.interface.mac.is_some() { "asked for" } else { "that create-endpoint chose" };
            let call = format!("create-endpoint of {}", end.name);
            Err(Stop::failed(call, format!("{source} with the MAC {wanted} {asked}"), format!("{has}")))
        }
        _ => Ok(()),
    }
}

/// An endpoint's address is on no link of the host but its own: the host of the container puts it there.
fn elsewhere(world: &World<'_>, end: &End, interface: &Interface, own: &LinkInfo) -> Checked<()> {
    let ipv4 = interface.address.map(|net| net.addr().into());
    let ipv6 = interface.address_ipv6.map(|net| net.addr().into());
    let of_endpoint: Vec<IpAddr> = ipv4.into_iter().chain(ipv6).collect();
    let kernel = world.controller()?.kernel();
    let all = kernel.all_addresses(&Namespace::Host)?;
    let wrong = all.into_iter().find(|(index, net)| *index != own.index && of_endpoint.contains(&net.addr()));
    let Some((index, net)) = wrong else { return Ok(()) };
    let link = kernel.link(&LinkKey { namespace: Namespace::Host, index })?;
    let link = link.map_or_else(|| format!("link {index}"), |link| link.name.to_string());
    let call = format!("create-endpoint and join of {}", end.name);
    let expected = format!("{} on the container's link alone", net.addr());
    Err(Stop::failed(call, expected, format!("{net} on {link}, the wrong end")))
}

/// A driver that names no link has forgotten it, unless its author says that it gives none.
pub fn no_link(world: &World<'_>, call: &str) -> Stop {
    let expected = "the link that the container gets, named by `set-names`";
    world.unless(Without::Interface, call, expected, "no link was named: the container has no interface")
}

impl World<'_> {
    /// A link of the host.
    pub fn link(&self, name: &LinkName) -> Checked<Option<LinkInfo>> {
        Ok(self.controller()?.kernel().link_by_name(&Namespace::Host, name)?)
    }
}
