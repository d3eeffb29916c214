//! `external-connectivity`: ports are published, replaced, and taken back.

use super::cast::{End, Net};
use super::seen::Seen;
use super::stop::{Checked, Stop, worded};
use super::world::World;
use operation::driver::Without;
use operation::endpoint::Protocol;
use operation::engine::Request;

/// An endpoint that has joined, and what there is then.
struct Stage {
    net: Net,
    end: End,
    before: Seen,
}

impl Stage {
    fn new(world: &World<'_>) -> Checked<Self> {
        let net = world.create(&world.net("n", 1)?)?;
        let end = net.end("a", 2)?.port(Protocol::Tcp, 8080).port(Protocol::Udp, 8080);
        world.add(&end)?;
        world.join(&end)?;
        let before = world.look()?;
        Ok(Self { net, end, before })
    }

    /// All but what the driver remembers is as before it was connected.
    fn withdrawn(&self, world: &World<'_>, call: &str) -> Checked<()> {
        world.same_kernel(&self.before, call, "before program-external-connectivity")
    }
}

/// Programming again replaces what was programmed before.
pub fn replace(world: &mut World<'_>) -> Checked<()> {
    let stage = Stage::new(world)?;
    world.connect(&stage.end)?;
    let once = world.look()?;
    let call = "program-external-connectivity a second time";
    world.connect(&stage.end).map_err(|stop| stop.after("a second time"))?;
    world.same_kernel(&once, call, "after the first time")?;
    let other = stage.net.end("a", 2)?.port(Protocol::Tcp, 8081);
    world.connect(&other).map_err(|stop| stop.after("with another port"))?;
    world.connect(&stage.end).map_err(|stop| stop.after("with the first ports again"))?;
    world.same_kernel(
        &once,
        "program-external-connectivity with another port and then the first again",
        "after the first time",
    )
}

/// Revoking takes everything back, and programming after it works.
pub fn revoke(world: &mut World<'_>) -> Checked<()> {
    let stage = Stage::new(world)?;
    for _ in 0..2 {
        world.connect(&stage.end)?;
        world.disconnect(&stage.end)?;
        stage.withdrawn(world, "revoke-external-connectivity")?;
    }
    Ok(())
}

/// An endpoint may leave without a revoke.
pub fn leave(world: &mut World<'_>) -> Checked<()> {
    let stage = Stage::new(world)?;
    world.connect(&stage.end)?;
    world.works("leave", &stage.net, Some(&stage.end), "without revoke-external-connectivity")?;
    stage.withdrawn(world, "leave without revoke-external-connectivity")
}

/// A port that another endpoint has is refused, and the call changes nothing.
pub fn taken(world: &mut World<'_>) -> Checked<()> {
    let stage = Stage::new(world)?;
    world.connect(&stage.end)?;
    let published = world.look()?;
    let other = stage.net.end("b", 3)?.port(Protocol::Tcp, 8080);
    world.add(&other)?;
    world.join(&other)?;
    let before = world.look()?;
    if published.kernel == stage.before.kernel && published.store == stage.before.store {
        let call = "program-external-connectivity with port 8080 to publish";
        let expected = "the port taken, or a rule for it";
        return Err(world.unless(Without::Ports, call, expected, "nothing changed in kernel and store"));
    }
    let call = "program-external-connectivity with a port of another endpoint's";
    match world.ask(Request::ProgramExternalConnectivity(other.outside()))?.0 {
        Ok(_) => Err(Stop::failed(call, "an error: already-exists, unavailable or forbidden", "ok")),
        Err(error) if worded(&error).starts_with("internal") => {
            Err(Stop::failed(call, "already-exists, unavailable or forbidden", worded(&error)))
        }
        Err(_) => world.same(&before, call, "before the call"),
    }
}
