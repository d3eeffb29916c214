//! Each host call of each function fails, and then traps: the call fails and changes nothing, or it comes through and all goes on well.

use super::cast::{End, Families, Net};
use super::stop::{Checked, Stop, worded};
use super::world::World;
use crate::answers::Fault;
use crate::controller::Called;
use operation::endpoint::Protocol;
use operation::engine::Request;
use words::Result;

/// Host calls of a function that are failed; few have more than thirty.
const MOST: u32 = 150;

/// What makes something. It fails as a whole, or its host call's error did not matter.
pub fn making(world: &mut World<'_>) -> Checked<()> {
    let empty = world.look()?;
    let net = world.prepare(&world.net("n", 1)?)?;
    let end = net.end("a", 2)?.port(Protocol::Tcp, 8080);
    let steps = [
        ("create-network", Request::CreateNetwork(net.create.clone())),
        ("create-endpoint", Request::CreateEndpoint(end.create.clone())),
        ("join", Request::Join(end.join())),
        ("program-external-connectivity", Request::ProgramExternalConnectivity(end.outside())),
        ("endpoint-oper-info", Request::EndpointInfo(end.key())),
    ];
    let outside = world.controller()?.loaded(&world.suite.driver)?.connects_outside();
    let steps: Vec<_> = steps.into_iter().filter(|(f, _)| outside || *f != "program-external-connectivity").collect();
    for (number, (function, request)) in steps.iter().enumerate() {
        let before = world.look()?;
        for fault in faults() {
            let (answer, calls) = world.failing(function, fault, || world.ask(request.clone()))?;
            if !reached(&calls, function, fault) {
                answer.map_err(|error| Stop::failed(format!("{function}, tried again"), "ok", worded(&error)))?;
                break;
            }
            let at = named(&calls, function, fault);
            match answer {
                Err(_) => world.same(&before, &at, "before the call, which failed")?,
                Ok(_) => {
                    // The driver took the error in its stride, and may: then the rest must go well.
                    let came_through = |stop: Stop| stop.after(format!("after {at}, which came through"));
                    let later = steps.get(number + 1..).unwrap_or_default();
                    go_on(world, &net, &end, later).map_err(came_through)?;
                    world.same(&empty, "delete-network", "before create-network").map_err(came_through)?;
                    swept_nothing(world, &at)?;
                    for (function, request) in steps.get(..number).unwrap_or_default() {
                        world.expect(function, request.clone())?;
                    }
                }
            }
        }
    }
    go_on(world, &net, &end, &[])?;
    world.same(&empty, "delete-network", "before create-network")
}

/// The rest of a life, and its end.
fn go_on(world: &World<'_>, net: &Net, end: &End, later: &[(&str, Request)]) -> Checked<()> {
    for (function, request) in later {
        world.expect(function, request.clone())?;
    }
    world.disconnect(end)?;
    world.leave(end)?;
    world.remove(end)?;
    world.delete(net)
}

/// What a driver forgot because it overlooked an error is a failure, however lenient the run.
fn swept_nothing(world: &World<'_>, at: &str) -> Checked<()> {
    match world.take_warnings().first() {
        None => Ok(()),
        Some(warning) => Err(Stop::failed(at, "an error, or nothing that the driver forgets", warning)),
    }
}

/// What removes something: an engine has forgotten it by then, so it goes in spite of the driver, and its network with nothing left.
pub fn removing(world: &mut World<'_>) -> Checked<()> {
    let empty = world.look()?;
    let net = world.create(&world.net("n", 1)?)?;
    let quiet = world.look()?;
    let mut number = 0;
    let removals = [
        ("revoke-external-connectivity", Request::RevokeExternalConnectivity as fn(_) -> _),
        ("leave", Request::Leave as fn(_) -> _),
        ("delete-endpoint", Request::DeleteEndpoint as fn(_) -> _),
    ];
    for (function, request) in removals {
        for fault in faults() {
            number += 1;
            let end = net.end(&format!("e{number}"), 2)?.port(Protocol::Tcp, 8080);
            world.bring_up(&end)?;
            let (answer, calls) = world.failing(function, fault, || world.ask(request(end.key())))?;
            let at = named(&calls, function, fault);
            let reached = reached(&calls, function, fault);
            if !reached {
                answer.map_err(|error| Stop::failed(function, "ok", worded(&error)))?;
            }
            let (gone, _) = world.ask(Request::DeleteEndpoint(end.key()))?;
            gone.map_err(|error| Stop::failed(format!("delete-endpoint after {at}"), "ok", worded(&error)))?;
            world.same_kernel(&quiet, &format!("delete-endpoint after {at}"), "before create-endpoint")?;
            if !reached {
                break;
            }
        }
    }
    world.delete(&net)?;
    world.same(&empty, "delete-network", "before create-network")?;
    for fault in faults() {
        let net = world.create(&net).map_err(|stop| stop.after("after a delete-network that failed"))?;
        let request = Request::DeleteNetwork(net.create.network.clone());
        let (answer, calls) = world.failing("delete-network", fault, || world.ask(request))?;
        answer.map_err(|error| Stop::failed("delete-network", "ok", worded(&error)))?;
        world.same(&empty, &named(&calls, "delete-network", fault), "before create-network")?;
        if !reached(&calls, "delete-network", fault) {
            break;
        }
    }
    Ok(())
}

/// What a network for a cluster reserves.
pub fn allocating(world: &mut World<'_>) -> Checked<()> {
    let mut net = world.net("n", 1)?;
    net.create.options.generic.clone_from(&world.suite.labels);
    let allocate = || world.direct("network-allocate", &net, None);
    each(world, "network-allocate", allocate, || world.works("network-free", &net, None, "after network-allocate"))?;
    each(world, "network-free", || world.direct("network-free", &net, None), || Ok(()))
}

/// The release of an IPv6 address.
pub fn releasing(world: &mut World<'_>) -> Checked<()> {
    let net = world.create_of(&Net::new("n", 1, Families::Dual)?)?;
    let end = net.end("a", 2)?;
    world.add(&end)?;
    each(world, "release-ipv6", || world.direct("release-ipv6", &net, Some(&end)), || Ok(()))?;
    world.join(&end).map(drop)
}

/// A function that is called by itself. `back` takes it back where it came through all the same.
pub(super) fn each(
    world: &World<'_>,
    function: &'static str,
    call: impl Fn() -> Checked<Result<()>>,
    back: impl Fn() -> Checked<()>,
) -> Checked<()> {
    for fault in faults() {
        let before = world.look()?;
        let answer = world.failing(function, fault, &call)?;
        let calls = world.controller()?.take_calls();
        let at = named(&calls, function, fault);
        match answer {
            _ if !reached(&calls, function, fault) => {
                return answer.map_err(|error| Stop::failed(format!("{function}, tried again"), "ok", worded(&error)));
            }
            Err(_) => world.same(&before, &at, "before the call, which failed")?,
            Ok(()) => back().map_err(|stop| stop.after(format!("after {at}, which came through")))?,
        }
    }
    Ok(())
}

/// A failure and a trap at the first host call, the second, and so on.
fn faults() -> impl Iterator<Item = Fault> {
    (1..=MOST).flat_map(|number| [Fault::Error(number), Fault::Trap(number)])
}

fn number(fault: Fault) -> usize {
    let (Fault::Error(number) | Fault::Trap(number)) = fault;
    number as usize
}

/// Whether the function came as far as this host call.
fn reached(calls: &[Called], function: &str, fault: Fault) -> bool {
    calls.iter().any(|called| called.trace.function == function && called.trace.host_calls.len() >= number(fault))
}

/// The call, and what was done to it.
fn named(calls: &[Called], function: &str, fault: Fault) -> String {
    let number = number(fault);
    let of = calls.iter().filter(|called| called.trace.function == function);
    let host_call = of.filter_map(|called| called.trace.host_calls.get(number - 1)).next();
    let host_call = host_call.map_or("none", |host_call| host_call.function.as_str());
    let how = if matches!(fault, Fault::Error(_)) { "failed" } else { "trapped" };
    format!("{function} whose host call {number} ({host_call}) {how}")
}
