//! The small parts: `network-allocator`, `ipv6-releaser`, `gateway-allocation-checker`.

use super::cast::{Families, Net};
use super::stop::{Checked, Stop, worded};
use super::world::World;
use operation::endpoint::Protocol;
use operation::engine::{Reply, Request};
use words::Kind;

/// How often a question is asked whose answer must not change.
const ASKED: usize = 20;

/// What is reserved can be given back, also twice, and also where nothing was.
pub fn allocator(world: &mut World<'_>) -> Checked<()> {
    let empty = world.look()?;
    let mut net = world.net("n", 1)?;
    net.create.options.generic.clone_from(&world.suite.labels);
    for when in ["after network-allocate", "a second time"] {
        if when == "after network-allocate" {
            net.create.options.generic = world.allocate(&net)?;
        }
        world.works("network-free", &net, None, when)?;
    }
    world.works("network-free", &world.net("nowhere", 2)?, None, "of a network that was never allocated")?;
    let (before, now) = (empty.kernel, world.look()?.kernel);
    if before != now {
        let difference = now.symmetric_difference(&before).cloned().collect();
        let call = "network-free after network-allocate";
        return Err(Stop::different(call, "the kernel as before", "a difference", difference));
    }
    // What it returned is what every host makes the network with.
    net.create.options.generic = world.allocate(&net)?;
    world.expect("create-network with what network-allocate returned", Request::CreateNetwork(net.create.clone()))?;
    world.delete(&net)?;
    world.expect("network-free after delete-network", Request::FreeNetwork(net.create.network.clone())).map(drop)
}

/// An endpoint whose container can't use IPv6 goes on with IPv4.
pub fn releaser(world: &mut World<'_>) -> Checked<()> {
    let net = world.create_of(&Net::new("n", 1, Families::Dual)?)?;
    let quiet = world.look()?;
    let end = net.end("a", 2)?.port(Protocol::Tcp, 8080);
    world.add(&end)?;
    world.works("release-ipv6", &net, Some(&end), "between create-endpoint and join")?;
    world.join(&end).map_err(|stop| stop.after("after release-ipv6"))?;
    let joined = world.look()?;
    world.connect(&end).map_err(|stop| stop.after("after release-ipv6"))?;
    let published = world.look()?;
    if let Some(port) =
        published.store.difference(&joined.store).find(|line| line.contains("port") && line.contains("::"))
    {
        let call = "program-external-connectivity after release-ipv6";
        return Err(Stop::failed(call, "the port on IPv4 alone, because the endpoint has no IPv6 address", port));
    }
    world.remove(&end)?;
    world.same_kernel(&quiet, "delete-endpoint after release-ipv6", "before create-endpoint")
}

/// The question is answered the same each time, and a network without the gateways that it does not need works.
pub fn checker(world: &mut World<'_>) -> Checked<()> {
    let empty = world.look()?;
    let net = world.net("n", 1)?.label("org.example.unknown", "x").other("org.example.json", "{}");
    let ask = || world.expect("skip-gateway-allocation", Request::CheckGateways(net.create.options.clone()));
    let first = ask()?;
    for _ in 0..ASKED {
        let again = ask()?;
        if again != first {
            let got = format!("{first:?} and then {again:?}");
            return Err(Stop::failed("skip-gateway-allocation", "the same answer each time", got));
        }
    }
    let Reply::GatewaysSkipped { ipv4, ipv6 } = first else {
        return Err(Stop::failed("skip-gateway-allocation", "an answer for each family", format!("{first:?}")));
    };
    let net = world.create(&net)?;
    let end = net.end("a", 2)?;
    world.add(&end)?;
    let when = format!("after skip-gateway-allocation answered {ipv4} and {ipv6}");
    world.join(&end).map_err(|stop| stop.after(&when))?;
    world.remove(&end)?;
    world.delete(&net)?;
    world.same(&empty, "delete-network", "before create-network")
}

/// A value that can't be read is refused here, too.
pub fn bad_gateway_option(world: &mut World<'_>) -> Checked<()> {
    let net = world.net("n", 1)?.label(super::cast::MTU, "large");
    match world.ask(Request::CheckGateways(net.create.options.clone()))?.0 {
        Err(error) if error.kind != Kind::InvalidArgument => {
            let call = format!("skip-gateway-allocation with {}=large", super::cast::MTU);
            Err(Stop::failed(call, "an answer, or invalid-argument", worded(&error)))
        }
        _ => Ok(()),
    }
}
