//! Drivers: load, list, inspect, remove; their versions.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use grant::Grant;
use words::Name;

/// The state of a driver that can be called.
pub const READY: &str = "ready";

/// What the state of a driver begins with of which a function trapped too often and is not called for a while.
pub const PUT_ASIDE: &str = "put aside";

/// Loads a component under a name. A loaded driver stays loaded over restarts.
#[derive(Clone, Debug)]
pub struct LoadDriver {
    /// The name that networks say.
    pub name: Name,
    /// The component's bytes.
    pub component: Vec<u8>,
    /// What the driver's `configuration` import answers.
    pub configuration: BTreeMap<String, String>,
    /// What it may do.
    pub grant: Granting,
    /// Where the component comes from.
    pub source: Source,
    /// Who signed it.
    pub signed: Signed,
    /// It may come without a signature although the host's policy wants one.
    pub allow_unsigned: bool,
}

/// Signatures of a component, and what is signed where that is not the component itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    /// The manifest under which a registry has the component, byte for byte. None: it is a file, and its bytes are signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
    /// The signatures.
    pub signatures: Vec<Signature>,
}

/// One of them, as cosign makes it with a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// The text that is signed, which names the manifest's digest. None: the component's bytes are signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// The signature, in base64.
    pub signature: String,
}

/// Where a version of a driver comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Source {
    /// In the words of whoever brought it, e.g. its file's path.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub from: String,
    /// The number of the user who asked for it; none: Pontoon itself did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<u32>,
    /// Whose signature it had, or that somebody allowed it without. Empty: no policy wanted one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub signed: String,
}

/// One version of a driver, as its history tells it: a component with its configuration and grant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DriverVersion {
    /// Counts from 1 in the driver's life.
    pub number: u64,
    /// SHA-256 of the component, in hexadecimal digits.
    pub digest: String,
    /// Bytes of the component.
    pub size: u64,
    /// When it came: seconds since 1970-01-01T00:00:00Z.
    pub came: u64,
    /// Where it came from.
    #[serde(flatten)]
    pub source: Source,
    /// What it may do, or might when its service ended.
    pub grant: Grant,
    /// What `configuration` answers.
    pub configuration: BTreeMap<String, String>,
    /// Of one that serves no more: when and how that ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
}

/// The end of a version's service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ended {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub at: u64,
    /// In a few words, e.g. `replaced by version 3`.
    pub how: String,
}

/// What was forgotten of a driver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Forgot {
    /// The driver.
    pub name: Name,
    /// How many earlier versions.
    pub versions: usize,
    /// Bytes on the disk: of components and of their code.
    pub bytes: u64,
}

/// Where a driver's grant comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Granting {
    /// Nobody said: nothing is granted, or what was when the driver was loaded before.
    Unsaid,
    /// The operator wrote it.
    Written(Box<Grant>),
    /// The operator grants whatever the driver asks for.
    Asked,
}

impl From<Option<Grant>> for Granting {
    fn from(written: Option<Grant>) -> Self {
        written.map_or(Self::Unsaid, |grant| Self::Written(Box::new(grant)))
    }
}

/// How a driver that exports `ipam` manages addresses, as it registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AddressManagement {
    /// The address space of networks on one host.
    pub local_address_space: String,
    /// The address space of networks of a whole cluster.
    pub global_address_space: String,
    /// An endpoint's address can't be chosen without its MAC.
    pub requires_mac_address: bool,
}

/// A loaded driver.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Driver {
    /// The name that networks say.
    pub name: Name,
    /// What the driver calls its kind of network.
    pub network_type: String,
    /// `local` or `global`: where its networks are known.
    pub data_scope: Scope,
    /// `local` or `global`: how far its networks connect.
    pub connectivity_scope: Scope,
    /// SHA-256 of the component, in hexadecimal digits.
    pub digest: String,
    /// Bytes of the component.
    pub size: u64,
    /// The parts of the interface that it exports, e.g. `external-connectivity`.
    #[serde(default)]
    pub parts: Vec<String>,
    /// How it manages addresses; none: it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipam: Option<AddressManagement>,
    /// How many networks it serves.
    pub networks: usize,
    /// `ready`, or why it can't be called.
    pub state: String,
    /// Why what the drivers folder has for it does not serve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_loaded: Option<String>,
}

/// A loaded driver, whole.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DriverDetails {
    /// The driver.
    #[serde(flatten)]
    pub driver: Driver,
    /// The parts of the interface that it exports, e.g. `pontoon:driver/driver@0.1.1`.
    pub exports: Vec<String>,
    /// The interfaces and functions that it imports, e.g. `pontoon:driver/links@0.1.1#add`.
    pub imports: Vec<String>,
    /// The manifest of the component; none where its author wrote none.
    pub manifest: Option<Manifest>,
    /// What it may do.
    #[serde(default)]
    pub grant: Grant,
    /// What the manifest asks for and the grant does not have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lacks: Vec<String>,
    /// What `configuration` answers.
    pub configuration: BTreeMap<String, String>,
    /// Where dockerd finds it: its plugin socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub plugin_socket: Option<PathBuf>,
    /// Why dockerd does not find it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unpublished: Option<String>,
    /// What was called since the start of the daemon: exported functions and the host calls that they made.
    pub calls: Vec<CallCount>,
}

/// What a driver may do from now on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CurrentGrant {
    /// It.
    pub grant: Grant,
    /// What the manifest asks for and the grant does not have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lacks: Vec<String>,
}

/// What a driver's author says of it. It is a claim: only the grant counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Manifest {
    /// What the author calls the driver.
    pub name: Name,
    /// Its version, e.g. `1.2.0`.
    pub version: String,
    /// What it does, in a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where its source is: a URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The licence of its source, as SPDX writes it, e.g. `Apache-2.0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// What the driver does not do, by its author's choice.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub without: BTreeSet<Without>,
    /// Entries of the driver's tables, for its tests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<Sample>,
    /// What the driver asks for, in the words of a grant.
    pub asks: Grant,
}

/// What most drivers do, and one may do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Without {
    /// Its `join` names no link: containers get no interface from it.
    Interface,
    /// It keeps no record of its endpoints, so it can't say which of them are there.
    Records,
    /// It serves one network at a time.
    SeveralNetworks,
    /// It publishes no ports.
    Ports,
    /// Its networks have no IPv4.
    Ipv4,
    /// Its networks have no IPv6.
    Ipv6,
    /// Its containers can have no MAC address of their own.
    MacAddress,
}

impl Without {
    /// As a manifest writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Interface => "interface",
            Self::Records => "records",
            Self::SeveralNetworks => "several-networks",
            Self::Ports => "ports",
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::MacAddress => "mac-address",
        }
    }
}

/// An entry of a table as another host would make it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// The table.
    pub table: String,
    /// The entry's key.
    pub key: String,
    /// Its value, as text.
    pub value: String,
}

/// Calls of one function.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CallCount {
    /// E.g. `create-endpoint` or `links.add`.
    pub function: String,
    /// How often.
    pub count: u64,
    /// How many of them failed or were refused.
    pub failed: u64,
    /// Microseconds in all.
    pub micros: u64,
}

/// Where a driver's networks live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// On one host.
    Local,
    /// On all hosts of a cluster.
    Global,
}

/// One call of a driver, as it went.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CallTrace {
    /// The exported function, e.g. `create-endpoint`.
    pub function: String,
    /// Microseconds from the instance's start to the commit's end.
    pub micros: u64,
    /// Those of the commit, and of what is removed from the kernel after it.
    pub commit_micros: u64,
    /// What the driver asked of the host, in order.
    pub host_calls: Vec<HostCallTrace>,
}

/// One host call of a driver.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct HostCallTrace {
    /// E.g. `links.add`.
    pub function: String,
    /// Microseconds.
    pub micros: u64,
    /// What the host answered if not ok.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
