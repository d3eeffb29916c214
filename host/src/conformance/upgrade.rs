//! Another build of the driver takes over what an earlier one made: `driver upgrade`, with networks and endpoints in use.

use std::collections::BTreeMap;

use super::cast::{End, Net};
use super::life::given;
use super::links;
use super::stop::{Checked, Stop, worded};
use super::world::World;
use operation::driver::{Granting, LoadDriver, Signed, Source};
use operation::endpoint::Protocol;
use operation::engine::{Interface, Joined, Request};
use words::Error;

/// What a driver keeps in its store is for builds to come as well.
const KEPT: &str = "what is kept in `store` has a version, and each build reads those of the builds before it";

/// An endpoint of the earlier build's, and what it got.
struct Kept {
    end: End,
    interface: Interface,
    joined: Joined,
}

/// An earlier build's network and endpoints go on with this build: one that has joined, and one that has yet to join.
pub fn upgrade(world: &mut World<'_>) -> Checked<()> {
    let (suite, empty) = (world.suite, world.look()?);
    let Some(earlier) = &suite.earlier else {
        return Err(Error::internal("there is no earlier build").into());
    };
    world.replace(earlier, "the earlier build in the place of this one")?;
    let net = world.create(&world.net("n", 1)?)?;
    let joined = keep(world, net.end("a", 2)?.port(Protocol::Tcp, 8080))?;
    world.connect(&joined.end)?;
    let left = keep(world, net.end("b", 3)?)?;
    world.leave(&left.end)?;
    world.replace(&suite.component, "this build in the place of the earlier one")?;
    goes_on(world, &net, &joined, &left).map_err(|stop| match stop.after("of the earlier build") {
        Stop::Failed(mut failure) => {
            failure.expected = format!("{}: {KEPT}", failure.expected);
            Stop::Failed(failure)
        }
        other => other,
    })?;
    world.same(&empty, "delete-network of the earlier build", "before create-network")
}

/// Makes an endpoint that joins.
fn keep(world: &World<'_>, end: End) -> Checked<Kept> {
    let interface = world.add(&end)?;
    let joined = world.join(&end)?;
    Ok(Kept { end, interface, joined })
}

/// All that there is to ask of what the earlier build made, in this one.
fn goes_on(world: &World<'_>, net: &Net, joined: &Kept, left: &Kept) -> Checked<()> {
    world.expect(&format!("endpoint-oper-info of {}", joined.end.name), Request::EndpointInfo(joined.end.key()))?;
    world.disconnect(&joined.end)?;
    world.leave(&joined.end)?;
    for kept in [joined, left] {
        let again = world.join(&kept.end)?;
        if again != kept.joined {
            let expected = format!("the same as from the earlier build, {}", given(&kept.joined));
            return Err(Stop::failed(format!("join of {}", kept.end.name), expected, given(&again)));
        }
        links::check(world, net, &kept.end, &kept.interface, &again)?;
        world.connect(&kept.end)?;
    }
    let new = net.end("c", 4)?;
    world.bring_up(&new).map_err(|stop| stop.after("on the network"))?;
    for end in [&joined.end, &left.end, &new] {
        world.disconnect(end)?;
        world.leave(end)?;
        world.remove(end)?;
    }
    world.delete(net)
}

impl World<'_> {
    /// Loads another build of the driver in the place of the one that is there, with its grant and configuration.
    fn replace(&self, component: &[u8], what: &str) -> Checked<()> {
        let controller = self.controller()?;
        let (name, component) = (self.suite.driver.clone(), component.to_vec());
        let (configuration, grant) = (BTreeMap::new(), Granting::Unsaid);
        let (source, signed, allow_unsigned) = (Source::default(), Signed::default(), false);
        let load = LoadDriver { name, component, configuration, grant, source, signed, allow_unsigned };
        let loaded = self.wait(controller.upgrade_driver(load));
        controller.take_calls();
        loaded.map(drop).map_err(|error| Stop::failed(format!("loading {what}"), "ok", worded(&error)))
    }
}
