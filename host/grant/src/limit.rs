//! How much a driver may have and do.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use words::limit::{DEADLINE, HOST_CALLS, MEMORY};
use words::{Error, Result};

/// Something that is limited. Each has a default, and a grant may name less or more, up to what the host bears.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// MiB of all memories of a call together.
    MemoryMib,
    /// Milliseconds of a call.
    CallMilliseconds,
    /// Host calls of a call.
    HostCalls,
    /// Links of all its networks.
    Links,
    /// Addresses on all its links.
    Addresses,
    /// Routes through all its links.
    Routes,
    /// Neighbours, forwarding entries and WireGuard peers of all its links.
    Neighbours,
    /// nftables and policy rules of all its networks, chains of its own, and links that forward.
    Rules,
    /// Sets that nftables rules of all its networks look into.
    Sets,
    /// What is in all of these.
    SetElements,
    /// Namespaces that it made for all its networks.
    Namespaces,
    /// Ports of the host that all its networks have taken, each counted once for each of its addresses, and vxlan and WireGuard links.
    Ports,
    /// Its entries in the tables of all its networks.
    TableEntries,
    /// Bytes of these, with the names of tables and keys.
    TableBytes,
    /// Bytes of what it remembers, keys included, and 256 for each key.
    StoreBytes,
    /// Bytes that it may log in a second; eight seconds' worth may come at once.
    LogBytesPerSecond,
}

impl Limit {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::MemoryMib,
        Self::CallMilliseconds,
        Self::HostCalls,
        Self::Links,
        Self::Addresses,
        Self::Routes,
        Self::Neighbours,
        Self::Rules,
        Self::Sets,
        Self::SetElements,
        Self::Namespaces,
        Self::Ports,
        Self::TableEntries,
        Self::TableBytes,
        Self::StoreBytes,
        Self::LogBytesPerSecond,
    ];

    /// What a driver has whose grant does not say: enough for a thousand endpoints.
    pub fn default(self) -> u64 {
        match self {
            Self::MemoryMib | Self::CallMilliseconds | Self::HostCalls => self.most(),
            Self::Links => 4_096,
            Self::Addresses | Self::Routes | Self::Rules | Self::SetElements => 16_384,
            Self::Sets => 1_024,
            Self::Neighbours | Self::TableEntries => 65_536,
            Self::Namespaces => 256,
            Self::Ports => 4_096,
            Self::TableBytes | Self::StoreBytes => 16 << 20,
            Self::LogBytesPerSecond => 64 << 10,
        }
    }

    /// The most that a grant can name.
    pub fn most(self) -> u64 {
        match self {
            Self::MemoryMib => MEMORY as u64 >> 20,
            Self::CallMilliseconds => DEADLINE.as_secs() * 1_000,
            Self::HostCalls => HOST_CALLS.into(),
            Self::Links => 65_536,
            Self::Addresses | Self::Routes | Self::Rules | Self::SetElements => 262_144,
            Self::Sets => 16_384,
            Self::Neighbours | Self::TableEntries => 1 << 20,
            Self::Namespaces => 4_096,
            Self::Ports => 65_536,
            Self::TableBytes | Self::StoreBytes => 1 << 30,
            Self::LogBytesPerSecond => 16 << 20,
        }
    }

    /// Refuses what can't be had.
    pub fn check(self, value: u64) -> Result<()> {
        if value <= self.most() {
            return Ok(());
        }
        Err(Error::invalid(format!("limits: {self} = {value} is more than this host bears: at most {}", self.most())))
    }
}

impl fmt::Display for Limit {
    /// The word that is written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}
