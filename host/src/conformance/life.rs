//! Whole lives: a network, an endpoint, and back, with each mix of families.

use std::net::IpAddr;

use super::cast::{End, Families, Net};
use super::links;
use super::stop::{Checked, Stop, worded};
use super::world::World;
use operation::endpoint::Protocol;
use operation::engine::{Interface, Joined, Reply, Request};
use words::Kind;

/// What a driver may answer for a network without pools.
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
    let net = Net::new("no-pools", 1, Families::None)?;
    let prepared = world.prepare(&net)?;
    let before = world.look()?;
    match world.ask(Request::CreateNetwork(prepared.create.clone()))?.0 {
        Err(error) if CANT.contains(&error.kind) => {
            world.same(&before, "create-network without pools, which was refused", "before the call")
        }
        Err(error) => Err(Stop::failed("create-network of no-pools", "ok, or invalid-argument", worded(&error))),
        Ok(_) => {
            world.delete(&prepared)?;
            whole(world, &net)
        }
    }
}

/// An endpoint with a published port comes and goes, and then again without one.
fn whole(world: &World<'_>, net: &Net) -> Checked<()> {
    let empty = world.look()?;
    let net = world.create_of(net)?;
    let quiet = world.look()?;
    for published in [true, false] {
        let mut end = net.end("a", 2)?;
        if published && !net.create.options.internal {
            end = end.port(Protocol::Tcp, 8080);
        }
        let interface = world.add(&end)?;
        let joined = world.join(&end)?;
        links::check(world, &net, &end, &interface, &joined)?;
        gateways(&net, &interface, &joined)?;
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

/// An endpoint that leaves its sandbox and joins again gets the same, and nothing is left of the first time.
pub fn rejoin(world: &mut World<'_>) -> Checked<()> {
    let net = world.create(&world.net("n", 1)?)?;
    let end = net.end("a", 2)?.port(Protocol::Tcp, 8080);
    let interface = world.add(&end)?;
    let quiet = world.look()?;
    let first = world.join(&end)?;
    world.connect(&end)?;
    let live = world.look()?;
    world.leave(&end)?;
    world.same_kernel(&quiet, "leave of a", "before join")?;
    let again = world.join(&end).map_err(|stop| stop.after("again, after leave"))?;
    let call = "join of a (again, after leave)";
    if again != first {
        return Err(Stop::failed(call, format!("the same as the first time: {}", given(&first)), given(&again)));
    }
    links::check(world, &net, &end, &interface, &again).map_err(|stop| stop.after("again, after leave"))?;
    world.connect(&end).map_err(|stop| stop.after("again, after leave"))?;
    world.same_kernel(&live, call, "when it had joined for the first time")
}

/// What a sandbox gets, for people.
pub fn given(joined: &Joined) -> String {
    let Joined { interface, gateway, gateway_ipv6, routes, .. } = joined;
    let link = interface.as_ref().map(|names| format!("link {}", names.source));
    let gateways = [gateway.map(IpAddr::from), gateway_ipv6.map(IpAddr::from)].into_iter().flatten();
    let routes = routes.iter().map(|route| format!("route {}", route.destination));
    let all: Vec<_> = link.into_iter().chain(gateways.map(|g| format!("gateway {g}"))).chain(routes).collect();
    if all.is_empty() { "nothing".to_owned() } else { all.join(", ") }
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
fn gateways(net: &Net, interface: &Interface, joined: &Joined) -> Checked<()> {
    let call = format!("join on {}", net.name);
    let (ipv4, ipv6) = (interface.address.map(|net| net.addr()), interface.address_ipv6.map(|net| net.addr()));
    let own = [ipv4.map(IpAddr::from), ipv6.map(IpAddr::from)];
    let named = [joined.gateway.map(IpAddr::from), joined.gateway_ipv6.map(IpAddr::from)];
    if let Some(gateway) = named.into_iter().flatten().find(|gateway| own.contains(&Some(*gateway))) {
        let got = format!("{gateway}, the endpoint's own address");
        return Err(Stop::failed(call, "a gateway that is another host's", got));
    }
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
