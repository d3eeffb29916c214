//! `table-watcher`: entries of other owners.

use super::cast::Net;
use super::stop::{Checked, Stop, worded};
use super::world::World;
use crate::answers::Fault;
use ask::types::TableEvent;
use operation::endpoint::Protocol;
use operation::table::PutEntry;
use words::Kind;

/// The table, where the driver watches none.
const TABLE: &str = "conformance";
/// The other hosts' key.
const KEY: &str = "conformance-key";
/// What an explanation may answer for bytes that mean nothing.
const SENSELESS: [Kind; 3] = [Kind::InvalidArgument, Kind::NotFound, Kind::NotImplemented];

/// A network, a table of its, and the bytes of an entry that the driver understands as far as anyone can know.
struct Stage {
    net: Net,
    table: String,
    value: Vec<u8>,
    watched: bool,
}

impl Stage {
    /// What the driver itself puts into its table when an endpoint joins is what it understands.
    fn new(world: &World<'_>) -> Checked<Self> {
        let net = world.create(&world.net("n", 1)?)?;
        let store = world.controller()?.store();
        let watches = store.watches(&net.create.network)?;
        let table = watches.first().map_or_else(|| TABLE.to_owned(), |(table, _)| table.clone());
        let end = net.end("a", 2)?.port(Protocol::Tcp, 8080);
        world.add(&end)?;
        world.join(&end)?;
        let own = store.entries(&net.create.network, Some(&table))?.0.into_iter().next();
        let value = own.map_or_else(|| b"10.77.1.9 02:77:00:00:00:09 192.0.2.9".to_vec(), |entry| entry.value);
        Ok(Self { net, table, value, watched: !watches.is_empty() })
    }

    fn put(&self, world: &World<'_>, value: &[u8], when: &str) -> Checked<()> {
        let put = PutEntry { value: String::from_utf8_lossy(value).into_owned(), owner: "other-host".into() };
        let controller = world.controller()?;
        controller.take_calls();
        world.wait(controller.put_entry(self.net.create.network.as_str(), &self.table, KEY, put))?;
        self.told(world, when)
    }

    fn told(&self, world: &World<'_>, when: &str) -> Checked<()> {
        let calls = world.controller()?.take_calls();
        match calls.iter().find_map(|called| called.error.as_ref()) {
            Some(error) => Err(Stop::failed(format!("event-notify {when}"), "ok", worded(error))),
            None => Ok(()),
        }
    }
}

/// Created, updated, deleted, and created again, as the host tells of them.
pub fn events(world: &mut World<'_>) -> Checked<()> {
    let stage = Stage::new(world)?;
    if !stage.watched {
        return Err(Stop::skipped("the driver watches no table: its create-network registers none"));
    }
    let before = world.look()?;
    let changed = [stage.value.as_slice(), b" "].concat();
    for round in ["", ", after it was deleted"] {
        stage.put(world, &stage.value, &format!("of an entry that was created{round}"))?;
        stage.put(world, &changed, &format!("of an entry that was updated{round}"))?;
        let controller = world.controller()?;
        world.wait(controller.remove_entry(stage.net.create.network.as_str(), &stage.table, KEY))?;
        stage.told(world, "of an entry that was deleted")?;
        world.same_kernel(&before, "event-notify of an entry that was deleted", "before it was created")?;
    }
    Ok(())
}

/// An event comes again until a call returns ok, and so perhaps once more than was needed.
pub fn again(world: &mut World<'_>) -> Checked<()> {
    let stage = Stage::new(world)?;
    let (created, deleted) =
        (TableEvent::Created(stage.value.clone().into()), TableEvent::Deleted(stage.value.clone().into()));
    for (event, what) in [(created, "created"), (deleted, "deleted")] {
        let first = world.notify(&stage.net, &stage.table, KEY, &event)?;
        if let Err(error) = first {
            let call = format!("event-notify of an entry that was {what}");
            return match error.kind {
                Kind::Internal => Err(Stop::failed(call, "ok, or what is wrong with the entry", worded(&error))),
                _ => {
                    Err(Stop::skipped(format!("the driver does not take an entry of the suite's: {}", worded(&error))))
                }
            };
        }
        if let Err(error) = world.notify(&stage.net, &stage.table, KEY, &event)? {
            let call = format!("event-notify of an entry that was {what}, told again");
            return Err(Stop::failed(call, "ok, as the first time", worded(&error)));
        }
    }
    Ok(())
}

/// An event whose call fails changes nothing, and comes again.
pub fn failing(world: &mut World<'_>) -> Checked<()> {
    let stage = Stage::new(world)?;
    if !stage.watched {
        return Err(Stop::skipped("the driver watches no table: its create-network registers none"));
    }
    for fault in [Fault::Error(1), Fault::Trap(1)] {
        // Whether this one comes through is the driver's business.
        let put = world.failing("event-notify", fault, || stage.put(world, &stage.value, "whose host call 1 failed"));
        if let Err(Stop::Broken(error)) = put {
            return Err(Stop::Broken(error));
        }
        let controller = world.controller()?;
        controller.take_calls();
        world.wait(controller.collect_garbage(None))?;
        stage.told(world, "that comes again after it failed")?;
        world.wait(controller.remove_entry(stage.net.create.network.as_str(), &stage.table, KEY))?;
        stage.told(world, "of an entry that was deleted")?;
    }
    Ok(())
}

/// Whatever stands in an entry, it is explained or refused, and never a trap.
pub fn decode(world: &mut World<'_>) -> Checked<()> {
    let stage = Stage::new(world)?;
    let all_bytes: Vec<u8> = (0..=255).collect();
    let values: [(&str, &[u8]); 4] = [
        ("an entry of its own", &stage.value),
        ("no bytes", b""),
        ("each byte once", &all_bytes),
        ("64 KiB of zeros", &[0; 65_536]),
    ];
    for (what, value) in values {
        for table in [stage.table.as_str(), "another-table"] {
            if let Err(error) = world.decode(table, KEY, value)?
                && !SENSELESS.contains(&error.kind)
            {
                let call = format!("decode-table-entry of {what} in {table}");
                return Err(Stop::failed(call, "an explanation, or invalid-argument", worded(&error)));
            }
        }
    }
    Ok(())
}
