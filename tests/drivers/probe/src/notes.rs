//! What the driver saw: lines in the log and in the store, told by `endpoint-oper-info`.
//!
//! | key | JSON |
//! |---|---|
//! | `probe.network` | the lines of the endpoint's network |
//! | `probe.endpoint` | the endpoint's lines |
//! | `probe.events` | table, key, `created`, `updated` or `deleted`, previous value and value, for each event |

use pontoon_sdk::store::{self, Key};
use pontoon_sdk::{Error, Result, TableEvent, TextMap, log};
use serde::Serialize;

/// Lines of a network or of an endpoint.
pub(crate) struct Notes(Key<Vec<String>>);

/// A network's lines.
pub(crate) fn of_network(network: &str) -> Notes {
    Notes(Key::new(format!("notes/{network}")))
}

/// An endpoint's lines.
pub(crate) fn of_endpoint(network: &str, endpoint: &str) -> Notes {
    Notes(Key::new(format!("notes/{network}/{endpoint}")))
}

impl Notes {
    /// One more line.
    pub(crate) fn add(&self, line: &str) -> Result<()> {
        log::info(line);
        let mut lines = self.lines()?;
        lines.push(line.to_owned());
        self.0.set(&lines)
    }

    fn lines(&self) -> Result<Vec<String>> {
        Ok(self.0.get()?.unwrap_or_default())
    }

    /// Forgets all.
    pub(crate) fn forget(&self) -> Result<()> {
        self.0.remove()
    }
}

/// Table, key, what happened, previous value, value.
type Event = (String, String, String, Option<Vec<u8>>, Option<Vec<u8>>);

/// Remembers an event.
pub(crate) fn add_event(network: &str, table: &str, key: &str, event: &TableEvent) -> Result<()> {
    let (what, previous, value) = match event.clone() {
        TableEvent::Created(value) => ("created", None, Some(value)),
        TableEvent::Updated { previous, value } => ("updated", Some(previous), Some(value)),
        TableEvent::Deleted(previous) => ("deleted", Some(previous), None),
    };
    log::info(format!("event-notify: {table}/{key} {what}"));
    let prefix = format!("events/{network}/");
    let number = store::list_bytes(&prefix)?.len();
    Key::<Event>::new(format!("{prefix}{number:08}")).set(&(table.into(), key.into(), what.into(), previous, value))
}

/// All that there is to tell of an endpoint.
pub(crate) fn tell(network: &str, endpoint: &str) -> Result<TextMap> {
    let events = store::list::<Event>(&format!("events/{network}/"))?;
    let events: Vec<Event> = events.into_iter().map(|(_, event)| event).collect();
    Ok(TextMap::from([
        ("probe.network", json(&of_network(network).lines()?)?),
        ("probe.endpoint", json(&of_endpoint(network, endpoint).lines()?)?),
        ("probe.events", json(&events)?),
    ]))
}

fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::internal(error.to_string()))
}
