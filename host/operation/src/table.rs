//! Tables of networks: list, put, remove.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use words::Name;

/// Puts an entry into a network's table as another owner's, as another host would.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutEntry {
    /// The value, as text.
    pub value: String,
    /// Who owns it; an entry of another owner is not replaced.
    #[serde(default = "operator")]
    pub owner: String,
}

fn operator() -> String {
    "operator".to_owned()
}

/// An entry of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Entry {
    /// The table.
    pub table: String,
    /// The key.
    pub key: String,
    /// The value: text where it is UTF-8, else `0x` and hexadecimal digits.
    pub value: String,
    /// Who owns it: `self` for the driver's own entries.
    pub owner: String,
    /// The endpoint of this host that the driver says the entry is about, by its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Name>,
    /// The driver's title for it: of an entry about an endpoint, that one's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The driver's explanation.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<String, String>,
}

/// What `gc` found and removed.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Collected {
    /// Endpoints whose namespace is gone.
    pub endpoints: Vec<String>,
    /// Kernel objects of this instance that nothing owns.
    pub objects: Vec<String>,
    /// Table events that were told at last.
    pub events: usize,
    /// Networks that were down and are up again.
    pub networks: Vec<String>,
    /// Networks and address pools that their container engine has forgotten.
    pub forgotten: Vec<String>,
    /// Why dockerd could not be asked what it has forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unasked: Option<String>,
}

/// Which Pontoon this is.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Version {
    /// The program's version.
    pub version: String,
    /// The interface that it offers to drivers, e.g. `pontoon:driver@0.1.1`.
    pub interface: String,
    /// The runtime's version.
    pub wasmtime: String,
    /// The store's schema version.
    pub schema: u32,
}
