//! The machine starts again: kernel objects are gone, and the driver is asked to make each network again, its memory of it empty.

use super::stop::{Checked, Stop};
use super::world::World;
use operation::endpoint::Protocol;

/// Networks come back by `create-network` with the same arguments, and work.
pub fn reboot(world: &mut World<'_>) -> Checked<()> {
    let empty = world.look()?;
    let mut nets = vec![world.create(&world.net("first", 1)?)?];
    match world.create_another(&world.net("second", 2)?) {
        Ok(net) => nets.push(net),
        Err(Stop::Skipped(_)) => {}
        Err(stop) => return Err(stop),
    }
    for net in &nets {
        let end = net.end(&format!("a of {}", net.name), 2)?;
        world.add(&end)?;
        world.join(&end)?;
    }
    world.reboot()?;
    for net in &nets {
        if let Some(why) = world.controller()?.store().network(&net.create.network)?.and_then(|network| network.down) {
            let call = format!("create-network of {}, again after a reboot", net.name);
            return Err(Stop::failed(call, "ok, because the network's part of the store is empty", why));
        }
    }
    let when = |stop: Stop| stop.after("after a reboot");
    for (net, port) in nets.iter().zip(8080..) {
        let end = net.end(&format!("a of {}", net.name), 2)?.port(Protocol::Tcp, port);
        world.bring_up(&end).map_err(when)?;
        world.remove(&end).map_err(when)?;
    }
    nets.iter().try_for_each(|net| world.delete(net)).map_err(when)?;
    world.same(&empty, "delete-network after a reboot", "before create-network")
}
