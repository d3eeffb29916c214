//! Whole lives: a network, an endpoint, and back, with each mix of families.

use super::cast::{End, Families, Net};
use super::links;
use super::stop::{Checked, Stop};
use super::world::World;
use operation::endpoint::Protocol;
use operation::engine::{Joined, Reply, Request};
use words::Kind;

/// What a driver may answer for a mix of families that it can't do.
const CANT: [Kind; 2] = [Kind::NotImplemented, Kind::InvalidArgument];

pub fn ipv4(world: &mut World<'_>) -> Checked<()> {
    whole(world, &Net::new("ipv4", 1, Families::Ipv4)?)
}

pub fn dual(world: &mut World<'_>) -> Checked<()> {
    whole(world, &Net::new("dual", 1, Families::Dual)?)
}

pub fn ipv6(world: &mut World<'_>) -> Checked<()> {
    whole(world, &Net::new("ipv6", 1, Families::Ipv6)?)
}

pub fn internal(world: &mut World<'_>) -> Checked<()> {
    let net = world.net("internal", 1)?.internal();
    whole(world, &net)
}

pub fn no_pools(world: &mut World<'_>) -> Checked<()> {
    whole(world, &Net::new("no-pools", 1, Families::None)?)
}

/// An endpoint with a published port comes and goes, and then again without one.
fn whole(world: &World<'_>, net: &Net) -> Checked<()> {
    let empty = world.look()?;
    let net = world.create_unless(net, &CANT)?;
    let quiet = world.look()?;
    for published in [true, false] {
        let mut end = net.end("a", 2)?;
        if published && !net.create.options.internal {
            end = end.port(Protocol::Tcp, 8080);
        }
        let interface = world.add(&end)?;
        let joined = world.join(&end)?;
        links::check(world, &net, &end, &interface, &joined)?;
        gateways(&net, &joined)?;
        world.connect(&end)?;
        told(world, &end)?;
        world.disconnect(&end)?;
        world.leave(&end)?;
        world.remove(&end)?;
        world.same_kernel(&quiet, "delete-endpoint of a", "before create-endpoint")?;
    }
    world.delete(&net)?;
    world.same(&empty, "delete-network", "before create-network")
}

/// What there is to tell of an endpoint is JSON text.
fn told(world: &World<'_>, end: &End) -> Checked<()> {
    let Reply::Info(info) = world.expect("endpoint-oper-info of a", Request::EndpointInfo(end.key()))? else {
        return Ok(());
    };
    match info.iter().find(|(_, value)| serde_json::from_str::<serde_json::Value>(value).is_err()) {
        Some((key, value)) => Err(Stop::failed("endpoint-oper-info of a", format!("JSON text for {key:?}"), value)),
        None => Ok(()),
    }
}

/// A network with a way out has one for each family or for none; an internal one has none.
fn gateways(net: &Net, joined: &Joined) -> Checked<()> {
    let call = format!("join on {}", net.name);
    let default_route = |ipv4: bool| {
        joined.routes.iter().any(|r| r.destination.prefix_len() == 0 && r.destination.addr().is_ipv4() == ipv4)
    };
    let (ipv4, ipv6) =
        (joined.gateway.is_some() || default_route(true), joined.gateway_ipv6.is_some() || default_route(false));
    if net.create.options.internal {
        let named = joined.gateway.map(|g| g.to_string()).or(joined.gateway_ipv6.map(|g| g.to_string()));
        let expected = "no gateway and no default route, because the network is internal";
        return match ipv4 || ipv6 {
            true => Err(Stop::failed(call, expected, named.unwrap_or_else(|| "a default route".into()))),
            false => Ok(()),
        };
    }
    let wanted = |pools: &[operation::engine::PoolData]| pools.iter().any(|pool| pool.gateway.is_some());
    if wanted(&net.create.ipv4) && wanted(&net.create.ipv6) && ipv4 != ipv6 {
        let (missing, named) = if ipv4 { ("IPv6", "IPv4") } else { ("IPv4", "IPv6") };
        let expected = format!("a gateway of both families, because the pools of both have one: {missing} as well");
        return Err(Stop::failed(call, expected, format!("one of {named} alone")));
    }
    Ok(())
}
