//! `table-watcher`: entries of other owners.

use super::cast::Net;
use super::stop::{Checked, Stop, worded};
use super::world::World;
use crate::answers::Fault;
use ask::types::TableEvent;
use operation::driver::Sample;
use operation::endpoint::Protocol;
use operation::table::PutEntry;
use words::{Error, Kind};

/// The other hosts' key.
const KEY: &str = "conformance-key";
/// What an explanation may answer for bytes that mean nothing.
const SENSELESS: [Kind; 3] = [Kind::InvalidArgument, Kind::NotFound, Kind::NotImplemented];

/// A network, a table of its, and entries that the driver should understand.
struct Stage {
    net: Net,
    table: String,
    entries: Vec<Sample>,
    /// The entries are the author's samples, or the driver's own.
    meant: bool,
}

impl Stage {
    /// Entries are the author's samples; without these, what the driver itself puts into its table when an endpoint joins is what it understands.
    fn new(world: &World<'_>, name: &str, number: u8) -> Checked<Self> {
        let net = world.create(&world.net(name, number)?)?;
        let store = world.controller()?.store();
        let watches = store.watches(&net.create.network)?;
        let Some((table, _)) = watches.first().cloned() else {
            let expected = "a table that the driver watches (`table-event-register`), because it exports table-watcher";
            return Err(Stop::failed(format!("create-network of {name}"), expected, "none"));
        };
        let end = net.end("a", 2)?.port(Protocol::Tcp, 8080 + u16::from(number));
        world.add(&end)?;
        world.join(&end)?;
        let samples = world.suite.samples(&table);
        if !samples.is_empty() {
            let entries = samples.into_iter().map(|sample| moved(sample, number)).collect();
            return Ok(Self { net, table, entries, meant: true });
        }
        let own = store.entries(&net.create.network, Some(&table))?.0.into_iter().next();
        let text = own.and_then(|entry| String::from_utf8(entry.value).ok());
        let meant = text.is_some();
        let value = text.unwrap_or_else(|| "10.77.1.9 02:77:00:00:00:09 192.0.2.9".to_owned());
        let entries = vec![Sample { table: table.clone(), key: KEY.into(), value }];
        Ok(Self { net, table, entries, meant })
    }

    fn put(&self, world: &World<'_>, sample: &Sample, when: &str) -> Checked<()> {
        let put = PutEntry { value: sample.value.clone(), owner: "other-host".into() };
        let controller = world.controller()?;
        controller.take_calls();
        world.wait(controller.put_entry(self.net.create.network.as_str(), &self.table, &sample.key, put))?;
        self.told(world, sample, when)
    }

    fn remove(&self, world: &World<'_>, sample: &Sample) -> Checked<()> {
        let controller = world.controller()?;
        world.wait(controller.remove_entry(self.net.create.network.as_str(), &self.table, &sample.key))?;
        self.told(world, sample, "of an entry that was deleted")
    }

    fn told(&self, world: &World<'_>, sample: &Sample, when: &str) -> Checked<()> {
        let calls = world.controller()?.take_calls();
        match calls.iter().find_map(|called| called.error.as_ref()) {
            Some(error) => Err(self.refused(sample, format!("event-notify {when}"), error)),
            None => Ok(()),
        }
    }

    /// The driver does not take an entry. One that nobody says means anything to it, it may not understand.
    fn refused(&self, sample: &Sample, call: String, error: &Error) -> Stop {
        let expected = match self.meant {
            true => "ok",
            false => {
                "ok; entries that mean something to the driver are `[[samples]]` in pontoon.toml, with table, key and value"
            }
        };
        Stop::failed(call, expected, worded(error)).after(shown(sample))
    }
}

/// A sample as it would be in the network of this number. Its author writes addresses of the first network's pools, 10.77.1.0/24 and
/// fd77:0:0:1::/64: in another network a driver may do nothing with them.
fn moved(sample: Sample, number: u8) -> Sample {
    let value = sample.value.replace("10.77.1.", &format!("10.77.{number}."));
    Sample { value: value.replace("fd77:0:0:1:", &format!("fd77:0:0:{number}:")), ..sample }
}

/// An entry, for people.
fn shown(sample: &Sample) -> String {
    format!("{}: {} = {}", sample.table, sample.key, super::seen::shown(sample.value.as_bytes()))
}

/// Created, updated, deleted, and created again, as the host tells of them.
pub fn events(world: &mut World<'_>) -> Checked<()> {
    let stage = Stage::new(world, "n", 1)?;
    let before = world.look()?;
    for sample in &stage.entries {
        // A value that the driver understands, if there is one for the same key, or one that may mean nothing to it.
        let other = stage.entries.iter().find(|other| other.key == sample.key && other.value != sample.value);
        let changed = match other {
            Some(other) => Some(other.clone()),
            None if world.suite.samples(&stage.table).is_empty() => {
                Some(Sample { value: format!("{} ", sample.value), ..sample.clone() })
            }
            None => None,
        };
        for round in ["", ", after it was deleted"] {
            stage.put(world, sample, &format!("of an entry that was created{round}"))?;
            if let Some(changed) = &changed {
                stage.put(world, changed, &format!("of an entry that was updated{round}"))?;
            }
            stage.remove(world, sample)?;
            world
                .same_kernel(&before, "event-notify of an entry that was deleted", "before it was created")
                .map_err(|stop| stop.after(shown(sample)))?;
        }
    }
    Ok(())
}

/// What comes to one network's table changes nothing of another's, also where the keys are the same.
pub fn apart(world: &mut World<'_>) -> Checked<()> {
    let (first, second) = (Stage::new(world, "first", 1)?, Stage::new(world, "second", 2));
    let second = second.map_err(|stop| stop.after("beside another network"))?;
    for (sample, others) in first.entries.iter().zip(&second.entries) {
        first.put(world, sample, "of an entry that was created")?;
        let before = world.look()?;
        second.put(world, others, "of an entry of another network with the same key")?;
        second.remove(world, others)?;
        let when = "before it was created: the other network has one with the same key";
        world
            .same(&before, "event-notify of an entry that was deleted", when)
            .map_err(|stop| stop.after(shown(sample)))?;
        first.remove(world, sample)?;
    }
    Ok(())
}

/// An event comes again until a call returns ok, and so perhaps once more than was needed.
pub fn again(world: &mut World<'_>) -> Checked<()> {
    let stage = Stage::new(world, "n", 1)?;
    for sample in &stage.entries {
        let value = || sample.value.clone().into_bytes().into();
        for (event, what) in [(TableEvent::Created(value()), "created"), (TableEvent::Deleted(value()), "deleted")] {
            for again in ["", ", told again"] {
                if let Err(error) = world.notify(&stage.net, &stage.table, &sample.key, &event)? {
                    let call = format!("event-notify of an entry that was {what}{again}");
                    let stop = stage.refused(sample, call, &error);
                    return Err(if again.is_empty() { stop } else { as_the_first_time(stop) });
                }
            }
        }
    }
    Ok(())
}

fn as_the_first_time(stop: Stop) -> Stop {
    match stop {
        Stop::Failed(failure) => Stop::failed(failure.call, "ok, as the first time", failure.got),
        other => other,
    }
}

/// An event whose call fails changes nothing, and comes again.
pub fn failing(world: &mut World<'_>) -> Checked<()> {
    let stage = Stage::new(world, "n", 1)?;
    for (fault, sample) in [Fault::Error(1), Fault::Trap(1)].into_iter().zip(stage.entries.iter().cycle()) {
        // Whether this one comes through is the driver's business.
        let put = world.failing("event-notify", fault, || stage.put(world, sample, "whose host call 1 failed"));
        if let Err(Stop::Broken(error)) = put {
            return Err(Stop::Broken(error));
        }
        let controller = world.controller()?;
        controller.take_calls();
        world.wait(controller.collect_garbage(None))?;
        stage.told(world, sample, "that comes again after it failed")?;
        stage.remove(world, sample)?;
    }
    Ok(())
}

/// Whatever stands in an entry, it is explained or refused, and never a trap. What the driver understands it explains.
pub fn decode(world: &mut World<'_>) -> Checked<()> {
    let stage = Stage::new(world, "n", 1)?;
    for sample in &stage.entries {
        let answer = world.decode(&stage.table, &sample.key, sample.value.as_bytes())?;
        match answer {
            Err(error) if error.kind != Kind::NotImplemented && (stage.meant || !SENSELESS.contains(&error.kind)) => {
                return Err(stage.refused(sample, "decode-table-entry of an entry of its own".to_owned(), &error));
            }
            _ => {}
        }
    }
    let all_bytes: Vec<u8> = (0..=255).collect();
    let values: [(&str, &[u8]); 3] =
        [("no bytes", b""), ("each byte once", &all_bytes), ("64 KiB of zeros", &[0; 65_536])];
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_samples_addresses_are_the_networks() {
        let sample = |value: &str| Sample { table: "t".into(), key: "k".into(), value: value.into() };
        let written = "02:77:00:00:00:09 192.0.2.9 10.77.1.9 fd77:0:0:1::9 10.77.10.1";
        assert_eq!(moved(sample(written), 1).value, written);
        let second = "02:77:00:00:00:09 192.0.2.9 10.77.2.9 fd77:0:0:2::9 10.77.10.1";
        assert_eq!(moved(sample(written), 2).value, second);
    }
}
