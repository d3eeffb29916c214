//! Options: unknown ones are ignored, and bad values of known ones refused.

use super::cast::MTU;
use super::links::no_link;
use super::stop::{Checked, Stop, worded};
use super::world::World;
use operation::engine::Request;
use words::Kind;

/// No MTU of any link.
const BAD: [&str; 3] = ["large", "-1", "99999999999"];

/// Keys that no driver knows: new ones come with every version of Docker.
pub fn unknown(world: &mut World<'_>) -> Checked<()> {
    let empty = world.look()?;
    let net = world.net("n", 1)?.label("org.example.unknown", "x").label("org.example.empty", "");
    let net = net.other("org.example.json", r#"{"a":[1,null]}"#).other("org.example.null", "null");
    let when = |stop: Stop| stop.after("with unknown options");
    let net = world.create(&net).map_err(when)?;
    let mut end = net.end("a", 2)?;
    end.create.options.generic.insert("org.example.unknown".into(), "x".into());
    end.create.options.other.insert("org.example.json".into(), "[]".into());
    end.sandbox.other.insert("org.example.json".into(), r#""text""#.into());
    world.bring_up(&end).map_err(when)?;
    world.remove(&end).map_err(when)?;
    world.delete(&net).map_err(when)?;
    world.same(&empty, "delete-network", "before create-network")
}

/// A value that can't be used is the user's mistake, and is said before anything is made.
pub fn bad(world: &mut World<'_>) -> Checked<()> {
    let before = world.look()?;
    for value in BAD {
        let net = world.prepare(&world.net("n", 1)?)?.label(MTU, value);
        let call = format!("create-network with {MTU}={value}");
        match world.ask(Request::CreateNetwork(net.create.clone()))?.0 {
            Err(error) if error.kind == Kind::InvalidArgument => world.same(&before, &call, "before the call")?,
            Err(error) => return Err(Stop::failed(call, "invalid-argument", worded(&error))),
            Ok(_) => {
                let end = net.end("a", 2)?;
                let made = world.add(&end).and_then(|_| world.join(&end));
                return match made {
                    Ok(joined) if joined.interface.is_none() => Err(no_link(world, "join of a")),
                    _ => Err(Stop::failed(call, "invalid-argument", "ok")),
                };
            }
        }
    }
    Ok(())
}
