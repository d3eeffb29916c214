//! The driver of the tests of upgrades: its configuration says which schema its state has, and what goes wrong on the way to it.
//!
//! A record of a network or an endpoint is the list of the schemas that it had, under a key that begins with the last of them. CALL is a function
//! as the WIT names it.
//!
//! | key | effect |
//! |---|---|
//! | `schema` | the schema; 1 where nothing is said |
//! | `trap`, `fail`, `spin`, `allocate` = CALL | it panics, answers an error, never ends, takes all memory |
//! | `fill` = BYTES | each call of a migration writes so many bytes more |
//! | `change` = `table` or `link` | a migration tries to change that |
//! | `forget` = `yes` | a migration leaves everything as it is |

use std::hint::black_box;

use pontoon_sdk::links::{self, LinkEnd, LinkSpec};
use pontoon_sdk::store::{self, Key};
use pontoon_sdk::{
    Driver, EndpointOptions, Error, InterfaceInfo, IpamData, JoinInfo, Migration, NetworkInfo, NetworkOptions,
    Registration, Result, TextMap, configuration, export_driver, export_migration, tables,
};

/// The driver.
struct Migrating;

export_driver!(Migrating);
export_migration!(Migrating);

/// The schemas that a record had.
type Record = Key<Vec<u32>>;

/// A record's key; of the schema 0 as the driver `null` has it.
fn record(schema: u32, owner: &str) -> Record {
    match schema {
        0 => Key::new(format!("network/{owner}")),
        _ => Key::new(format!("v{schema}/{owner}")),
    }
}

fn said(key: &str, call: &str) -> bool {
    configuration::get(key).as_deref() == Some(call)
}

fn misbehave(call: &str) -> Result<()> {
    assert!(!said("trap", call), "trap={call}");
    if said("spin", call) {
        loop {
            black_box(call);
        }
    }
    if said("allocate", call) {
        let mut taken = Vec::new();
        loop {
            taken.push(vec![1_u8; 1 << 20]);
            black_box(&taken);
        }
    }
    if said("fail", call) { Err(Error::internal(format!("fail={call}"))) } else { Ok(()) }
}

/// Brings a record from one schema to this version's.
fn migrate(owner: &str, before: u32) -> Result<()> {
    if said("forget", "yes") {
        return Ok(());
    }
    let schema = Migrating::schema();
    let old = record(before, owner);
    let mut schemas = match before {
        // What `null` keeps is nothing to go by.
        0 => store::remove(&format!("network/{owner}")).map(|()| Vec::new())?,
        _ => old.take()?.ok_or_else(|| Error::not_found(format!("there is no record of {owner}")))?,
    };
    schemas.push(schema);
    record(schema, owner).set(&schemas)?;
    if let Some(bytes) = configuration::get("fill").and_then(|bytes| bytes.parse().ok()) {
        store::set_bytes(&format!("fill/{owner}"), &vec![b'x'; bytes])?;
    }
    match configuration::get("change").as_deref() {
        Some("table") => tables::put("t", "k", b"v"),
        Some("link") => links::add_one(LinkSpec::bridge(LinkEnd::named("migrated0"))).map(drop),
        _ => Ok(()),
    }
}

fn both(network: &str, endpoint: &str) -> String {
    format!("{network}/{endpoint}")
}

impl Driver for Migrating {
    fn register() -> Registration {
        Registration::new("migrating")
    }

    fn create_network(
        network: &str,
        _: &NetworkOptions,
        _: &NetworkInfo,
        _: &[IpamData],
        _: &[IpamData],
    ) -> Result<()> {
        record(Self::schema(), network).set(&vec![Self::schema()])
    }

    fn delete_network(network: &str) -> Result<()> {
        record(Self::schema(), network).remove()
    }

    fn create_endpoint(network: &str, endpoint: &str, _: &InterfaceInfo, _: &EndpointOptions) -> Result<()> {
        record(Self::schema(), &both(network, endpoint)).set(&vec![Self::schema()])?;
        misbehave("create-endpoint")
    }

    fn delete_endpoint(network: &str, endpoint: &str) -> Result<()> {
        record(Self::schema(), &both(network, endpoint)).remove()
    }

    fn endpoint_oper_info(network: &str, endpoint: &str) -> Result<TextMap> {
        let schemas = record(Self::schema(), &both(network, endpoint)).get()?;
        let schemas = schemas.ok_or_else(|| Error::not_found(format!("there is no endpoint {endpoint}")))?;
        Ok(TextMap::from([("schemas", format!("{schemas:?}"))]))
    }

    fn join(_: &str, _: &str, _: &str, _: &JoinInfo, _: &EndpointOptions) -> Result<()> {
        Ok(())
    }
}

impl Migration for Migrating {
    fn schema() -> u32 {
        assert!(!said("trap", "schema"), "trap=schema");
        configuration::get("schema").and_then(|schema| schema.parse().ok()).unwrap_or(1)
    }

    fn migrate_network(network: &str, before: u32) -> Result<()> {
        migrate(network, before)?;
        misbehave("migrate-network")
    }

    fn migrate_endpoint(network: &str, endpoint: &str, before: u32) -> Result<()> {
        migrate(&both(network, endpoint), before)?;
        misbehave("migrate-endpoint")
    }
}
