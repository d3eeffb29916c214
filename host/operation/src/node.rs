//! Nodes of a cluster: list, inspect, drain, remove.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use words::{Id, Name};

/// Whether a node takes new endpoints: Docker's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Availability {
    /// It does.
    #[default]
    Active,
    /// It does not. What it has stays.
    Drain,
}

/// What is asked of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeUpdate {
    /// Whether it takes new endpoints from now on.
    pub availability: Availability,
}

/// All of one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodeDetails {
    /// It.
    pub node: Node,
    /// The lease with which its entries end, as etcd's tools show it; none: it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<String>,
    /// What it has on each network of global scope.
    pub attached: Vec<NodeNetwork>,
}

/// What a node has on a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodeNetwork {
    /// The network's id.
    pub id: Id,
    /// Its name; none: the network is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// The node's endpoints on it.
    pub endpoints: Vec<NodeEndpoint>,
}

/// An endpoint of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodeEndpoint {
    /// Its id.
    pub id: Id,
    /// Its name.
    pub name: Name,
    /// Its addresses.
    #[schema(value_type = Vec<String>)]
    pub addresses: Vec<IpAddr>,
}

/// A node that has something on a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Peer {
    /// Its name.
    pub node: Name,
    /// The address by which others reach it; none: it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub address: Option<IpAddr>,
    /// It is the host that answers.
    pub here: bool,
    /// Its endpoints on the network.
    pub endpoints: Vec<PeerEndpoint>,
}

/// An endpoint of any node, and what its network's driver says of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PeerEndpoint {
    /// Its id.
    pub id: Id,
    /// Its name.
    pub name: Name,
    /// Its addresses.
    #[schema(value_type = Vec<String>)]
    pub addresses: Vec<IpAddr>,
    /// What the driver's `decode-table-entry` says of the entries about it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<String, String>,
}

/// A host of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Node {
    /// Its name.
    pub name: Name,
    /// The address by which others reach it; none: it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub address: Option<IpAddr>,
    /// Since when it has been there without a break, in seconds since 1970-01-01T00:00:00Z; none: it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// Whether it takes new endpoints.
    #[serde(default)]
    pub availability: Availability,
    /// It is the host that answers.
    pub here: bool,
    /// Networks of global scope on which it has endpoints.
    pub networks: usize,
    /// Its endpoints on them.
    pub endpoints: usize,
    /// Its entries in their tables.
    pub entries: usize,
    /// Revisions of etcd that it does not know yet; none: it is not the host that answers, or etcd does not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<u64>,
}
