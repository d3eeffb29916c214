//! Networks: create, list, inspect, remove.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::driver::{CallTrace, Scope};
use super::endpoint::Endpoint;
use super::node::Peer;
use super::origin::Origin;
use super::table::Entry;
use words::{Id, Name};

/// Makes a network.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateNetwork {
    /// Its name: one network has it.
    pub name: Name,
    /// The driver that serves it.
    pub driver: Name,
    /// Address pools. A family that is switched on and has none gets a free one.
    #[serde(default)]
    pub pools: Vec<PoolRequest>,
    /// IPv4 addresses.
    #[serde(default = "yes")]
    pub ipv4: bool,
    /// IPv6 addresses.
    #[serde(default)]
    pub ipv6: bool,
    /// No way out.
    #[serde(default)]
    pub internal: bool,
    /// No pools at all: the driver chooses addresses (Docker's `null` address management).
    #[serde(default)]
    pub no_pools: bool,
    /// The driver that gives its pools and addresses; none: Pontoon's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipam: Option<Name>,
    /// Where it is; none: on this host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// Options for that driver.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ipam_options: BTreeMap<String, String>,
    /// Labels for the driver.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

fn yes() -> bool {
    true
}

/// An address pool that is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PoolRequest {
    /// The network, e.g. `10.5.0.0/24`.
    #[schema(value_type = String)]
    pub subnet: IpNet,
    /// Addresses are chosen from this part of it.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub range: Option<IpNet>,
    /// The gateway; none: the first address.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub gateway: Option<IpAddr>,
    /// Reserved addresses by name.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, String>)]
    pub aux_addresses: BTreeMap<String, IpAddr>,
}

/// An address pool of a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Pool {
    /// The network.
    #[schema(value_type = String)]
    pub subnet: IpNet,
    /// Addresses are chosen from this part of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub range: Option<IpNet>,
    /// The gateway's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub gateway: Option<IpAddr>,
    /// Reserved addresses by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, String>)]
    pub aux_addresses: BTreeMap<String, IpAddr>,
}

/// A network.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Network {
    /// Its id.
    pub id: Id,
    /// Its name.
    pub name: Name,
    /// The driver that serves it.
    pub driver: Name,
    /// Its pools of both families.
    pub pools: Vec<Pool>,
    /// The driver that gives its pools and addresses; none: its engine's own, or Pontoon's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipam: Option<Name>,
    /// IPv4 addresses.
    pub ipv4: bool,
    /// IPv6 addresses.
    pub ipv6: bool,
    /// No way out.
    pub internal: bool,
    /// Labels for the driver.
    pub options: BTreeMap<String, String>,
    /// Where it is: on this host, or on all hosts of its cluster.
    #[serde(default = "local")]
    pub scope: Scope,
    /// For which engine it was made.
    pub origin: Origin,
    /// `up`, or why it is not.
    pub state: String,
    /// Seconds since 1970-01-01T00:00:00Z.
    pub created: u64,
    /// How many endpoints it has.
    pub endpoints: usize,
}

/// Older daemons have no others.
fn local() -> Scope {
    Scope::Local
}

/// How much of a pool is in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PoolUsage {
    /// The pool.
    #[schema(value_type = String)]
    pub subnet: IpNet,
    /// Addresses that are in use or reserved.
    pub in_use: u64,
    /// Addresses that can still be chosen for endpoints.
    pub available: u64,
}

/// A network that was made, and the calls that made it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CreatedNetwork {
    /// The network.
    #[serde(flatten)]
    pub network: Network,
    /// What the driver was called for.
    pub calls: Vec<CallTrace>,
}

/// What went with a network or an endpoint that was removed.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Removed {
    /// What the driver left to the host, which removed it: no fault, unless `failed` says why.
    pub swept: Vec<String>,
    /// Why the driver could not remove it, so that the host did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// What the driver was called for.
    pub calls: Vec<CallTrace>,
}

/// A network, whole.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NetworkDetails {
    /// The network.
    #[serde(flatten)]
    pub network: Network,
    /// Its endpoints.
    pub attached: Vec<Endpoint>,
    /// How much of its pools is in use, as the driver that gives them counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub usage: Vec<PoolUsage>,
    /// Verbose only: its table entries, explained by the driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entries: Option<Vec<Entry>>,
    /// Verbose only: what the kernel has of it: links with what is on them, rules, namespaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objects: Option<Vec<String>>,
    /// Verbose only, of global scope: which node has what on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peers: Option<Vec<Peer>>,
}
