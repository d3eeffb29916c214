//! Errors of the right kinds, and removals that succeed for what is not there.

use super::ask::declared;
use super::cast::{End, Net};
use super::stop::{Checked, Stop};
use super::world::World;
use operation::driver::Without;
use operation::endpoint::Protocol;
use operation::engine::Request;
use words::Kind;

/// A second one of the same id.
const TAKEN: [Kind; 2] = [Kind::AlreadyExists, Kind::Forbidden];

/// What is asked of a network or an endpoint that is not there is `not-found`, and changes nothing.
pub fn unknown(world: &mut World<'_>) -> Checked<()> {
    if world.suite.does_without(Without::Records) {
        return Err(declared(Without::Records));
    }
    let net = world.create(&world.net("n", 1)?)?;
    let (end, nobody) = (net.end("a", 2)?.port(Protocol::Tcp, 8080), net.end("nobody", 3)?.port(Protocol::Tcp, 8081));
    let nowhere = world.net("nowhere", 2)?;
    let lost = nowhere.end("lost", 4)?;
    world.add(&end)?;
    world.join(&end)?;
    // What there is to tell may be nothing, of any endpoint.
    let tells = looks_up(world, Request::EndpointInfo(end.key()))?;
    let connects = connects(world)?;
    world.connect(&end)?;
    let questions: [(bool, &'static str, &Net, &End, &str); 5] = [
        (true, "create-endpoint", &nowhere, &lost, "on a network that is not there"),
        (true, "join", &net, &nobody, "of an endpoint that is not there"),
        (true, "join", &nowhere, &lost, "on a network that is not there"),
        (tells, "endpoint-oper-info", &net, &nobody, "of an endpoint that is not there"),
        (connects, "program-external-connectivity", &net, &nobody, "of an endpoint that is not there"),
    ];
    let before = world.look()?;
    for (_, function, net, end, when) in questions.into_iter().filter(|(asked, ..)| *asked) {
        world.fails(function, net, Some(end), &[Kind::NotFound], when)?;
        world.same(&before, &format!("{function} {when}"), "before the call")?;
    }
    Ok(())
}

/// What is there is not made again.
pub fn twice(world: &mut World<'_>) -> Checked<()> {
    let net = world.create(&world.net("n", 1)?)?;
    let end = net.end("a", 2)?;
    world.add(&end)?;
    let before = world.look()?;
    world.fails("create-network", &net, None, &TAKEN, "of a network that is there")?;
    if !world.suite.does_without(Without::Records) {
        world.fails("create-endpoint", &net, Some(&end), &TAKEN, "of an endpoint that is there")?;
    }
    world.same(&before, "create-network and create-endpoint of what is there", "before the calls")
}

/// Removals succeed for what was never there, and for what is not there any more.
pub fn removals(world: &mut World<'_>) -> Checked<()> {
    let net = world.create(&world.net("n", 1)?)?;
    let nowhere = world.net("nowhere", 2)?;
    let before = world.look()?;
    let mut removals = vec!["leave", "delete-endpoint"];
    if connects(world)? {
        removals.insert(0, "revoke-external-connectivity");
    }
    for function in &removals {
        world.works(function, &net, Some(&net.end("nobody", 3)?), "of an endpoint that is not there")?;
        world.works(function, &nowhere, Some(&nowhere.end("lost", 4)?), "on a network that is not there")?;
    }
    world.works("delete-network", &nowhere, None, "of a network that is not there")?;
    world.same(&before, "removals of what is not there", "before the calls")?;

    let end = net.end("a", 2)?.port(Protocol::Tcp, 8080);
    world.bring_up(&end)?;
    for function in &removals {
        world.works(function, &net, Some(&end), "of an endpoint that is there")?;
        world.works(function, &net, Some(&end), "a second time")?;
    }
    world.works("delete-network", &net, None, "of a network that is there")?;
    world.works("delete-network", &net, None, "a second time")
}

/// What the driver makes it also removes, and leaves nothing for the host to sweep.
pub fn tidy(world: &mut World<'_>) -> Checked<()> {
    let empty = world.look()?;
    let net = world.create(&world.net("n", 1)?)?;
    let quiet = world.look()?;
    let end = net.end("a", 2)?.port(Protocol::Tcp, 8080);
    world.bring_up(&end)?;
    world.works("delete-endpoint", &net, Some(&end), "of an endpoint that has neither left nor been revoked")?;
    left(world, &quiet, "delete-endpoint")?;
    world.works("delete-network", &net, None, "of a network without endpoints")?;
    left(world, &empty, "delete-network")
}

/// Notes what a removal left in the kernel, or in the driver's own memory.
fn left(world: &World<'_>, before: &super::seen::Seen, function: &str) -> Checked<()> {
    let now = world.look()?;
    let more = now.kernel.difference(&before.kernel).chain(now.state.difference(&before.state));
    let more: Vec<_> = more.cloned().collect();
    if !more.is_empty() {
        world.warn(format!("{function} itself leaves behind: {}", more.join(", ")));
    }
    Ok(())
}

/// What says nothing of networks and endpoints. A language's runtime may ask for it by itself.
const IDLE: [&str; 3] = ["log.", "clock.", "random."];

/// Asks for something that has to work. Answers whether the driver asked the host for anything: one that does not, knows nothing of
/// networks and endpoints.
fn looks_up(world: &World<'_>, request: Request) -> Checked<bool> {
    let (answer, calls) = world.ask(request)?;
    answer.map_err(|error| Stop::failed("a call of a life", "ok", super::stop::worded(&error)))?;
    let mut asked = calls.iter().flat_map(|called| &called.trace.host_calls);
    Ok(asked.any(|call| !IDLE.iter().any(|idle| call.function.starts_with(idle))))
}

fn connects(world: &World<'_>) -> Checked<bool> {
    Ok(world.controller()?.loaded(&world.suite.driver)?.connects_outside())
}
