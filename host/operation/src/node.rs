//! Nodes of a cluster: list, remove.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use words::Name;

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
    /// It is the host that answers.
    pub here: bool,
    /// Networks of global scope on which it has endpoints.
    pub networks: usize,
    /// Its endpoints on them.
    pub endpoints: usize,
    /// Its entries in their tables.
    pub entries: usize,
}
