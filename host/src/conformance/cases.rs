//! An author's own cases, in TOML: a call of the driver, what it answers, and what there is afterwards. They run in any language, on both
//! kernels: `pontoon driver test --cases FILE`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;
use serde::Deserialize;

use super::stop::kind;
use operation::endpoint::PortBinding;
use operation::engine::Labels;
use words::file::{from_toml, read_within};
use words::{Error, Kind, LinkName, MacAddress, Result};

/// Bytes of a file.
const SIZE: usize = 256 << 10;
/// Cases of a file.
const CASES: usize = 500;

/// What a file has.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    case: Vec<Case>,
}

/// A call, and what is expected of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What reports call it.
    pub name: String,
    /// The function.
    pub call: Function,
    /// The network, by a name of the author's.
    #[serde(default = "one_network")]
    pub network: String,
    /// Its endpoint.
    #[serde(default = "one_endpoint")]
    pub endpoint: String,
    /// Of a new network: its pools. None: 10.77.N.0/24 and fd77:0:0:N::/64, as far as the driver takes the families.
    pub pools: Option<Vec<Pool>>,
    /// Of a new network: it has no way out.
    pub internal: Option<bool>,
    /// Of a new network or endpoint: the user's labels.
    pub options: Option<Labels>,
    /// Of a new endpoint. None: the next ones of the default pools.
    pub addresses: Option<Vec<IpNet>>,
    /// Of a new endpoint: the MAC that the user asks for.
    pub mac: Option<MacAddress>,
    /// Of a join: what is published, there and by `program-external-connectivity`.
    pub ports: Option<Vec<PortBinding>>,
    /// How it ends.
    #[serde(default)]
    pub expect: Expected,
    /// A part of the error's message.
    pub message: Option<String>,
    /// What there is afterwards.
    pub effects: Option<Effects>,
}

fn one_network() -> String {
    "n".to_owned()
}

fn one_endpoint() -> String {
    "e".to_owned()
}

/// A pool.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    /// Its network.
    pub subnet: IpNet,
    /// Its gateway; none: its first address.
    pub gateway: Option<IpAddr>,
}

/// The functions that a case can call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Function {
    CreateNetwork,
    DeleteNetwork,
    CreateEndpoint,
    DeleteEndpoint,
    Join,
    Leave,
    ProgramExternalConnectivity,
    RevokeExternalConnectivity,
    #[serde(rename = "release-ipv6")]
    ReleaseIpv6,
}

impl Function {
    /// Its name in the WIT.
    pub fn name(self) -> &'static str {
        match self {
            Self::CreateNetwork => "create-network",
            Self::DeleteNetwork => "delete-network",
            Self::CreateEndpoint => "create-endpoint",
            Self::DeleteEndpoint => "delete-endpoint",
            Self::Join => "join",
            Self::Leave => "leave",
            Self::ProgramExternalConnectivity => "program-external-connectivity",
            Self::RevokeExternalConnectivity => "revoke-external-connectivity",
            Self::ReleaseIpv6 => "release-ipv6",
        }
    }
}

/// How a call ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expected {
    #[default]
    Ok,
    InvalidArgument,
    NotFound,
    AlreadyExists,
    Forbidden,
    NotImplemented,
    Unavailable,
    Internal,
}

impl Expected {
    /// The kind of the error; none: it is ok.
    pub fn kind(self) -> Option<Kind> {
        Some(match self {
            Self::Ok => return None,
            Self::InvalidArgument => Kind::InvalidArgument,
            Self::NotFound => Kind::NotFound,
            Self::AlreadyExists => Kind::AlreadyExists,
            Self::Forbidden => Kind::Forbidden,
            Self::NotImplemented => Kind::NotImplemented,
            Self::Unavailable => Kind::Unavailable,
            Self::Internal => Kind::Internal,
        })
    }
}

/// What there is after a call that is ok. Numbers are of what is more than before; below 0, of what is gone.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Effects {
    /// Links, by their kind: each kind that the call makes or removes.
    pub links: Option<BTreeMap<String, i64>>,
    /// Rules of nftables.
    pub nft_rules: Option<i64>,
    /// Addresses that links of the host have now and had not before.
    pub addresses: Option<BTreeSet<IpNet>>,
    /// Of a join: how the name of the container's link begins.
    pub prefix: Option<String>,
    /// Of a join: the whole name of the container's link.
    pub name: Option<LinkName>,
    /// Of a join: the gateways.
    pub gateways: Option<BTreeSet<IpAddr>>,
    /// Of a join: the routes, as `DESTINATION`, or `DESTINATION via ADDRESS`.
    pub routes: Option<BTreeSet<String>>,
    /// Of a new endpoint: the MAC that it has now.
    pub mac: Option<MacAddress>,
}

/// Reads a file of cases. What is wrong names the file, the case and the field.
pub fn read(file: &Path) -> Result<Vec<Case>> {
    let place = file.display().to_string();
    let bytes = read_within(file, SIZE).map_err(|e| Error::invalid(format!("can't read the cases: {place}: {e}")))?;
    let text = String::from_utf8(bytes).map_err(|_| Error::invalid(format!("{place} is no text: cases are TOML")))?;
    let File { case: cases } = from_toml(&place, &text)?;
    if cases.is_empty() || cases.len() > CASES {
        return Err(Error::invalid(format!("{place} has {} cases: 1 to {CASES}", cases.len())));
    }
    let mut names = BTreeSet::new();
    for case in &cases {
        case.check().map_err(|e| e.context(format!("{place}: case {:?}", case.name)))?;
        if !names.insert(case.name.as_str()) {
            return Err(Error::invalid(format!("{place}: two cases have the name {:?}", case.name)));
        }
    }
    Ok(cases)
}

impl Case {
    fn check(&self) -> Result<()> {
        for (field, text) in [("name", &self.name), ("network", &self.network), ("endpoint", &self.endpoint)] {
            if text.is_empty() || text.len() > 100 || text.chars().any(char::is_control) {
                return Err(Error::invalid(format!("{field}: {text:?}: 1 to 100 bytes, no control characters")));
            }
        }
        self.check_arguments()?;
        for net in self.addresses.iter().flatten() {
            if self.addresses.iter().flatten().filter(|other| other.addr().is_ipv4() == net.addr().is_ipv4()).count()
                > 1
            {
                return Err(Error::invalid(format!("addresses: {net}: an endpoint has one address of each family")));
            }
        }
        for pool in self.pools.iter().flatten() {
            if pool.gateway.is_some_and(|gateway| !pool.subnet.contains(&gateway)) {
                return Err(Error::invalid(format!("pools: the gateway lies outside of {}", pool.subnet)));
            }
        }
        match self.expect.kind() {
            Some(error) if self.effects.is_some() => {
                let kind = kind(error);
                Err(Error::invalid(format!("effects: a call that answers {kind} changes nothing: leave them out")))
            }
            None if self.message.is_some() => {
                Err(Error::invalid("message: it is a part of an error's, and `expect` names none"))
            }
            _ => Ok(()),
        }
    }

    /// Refuses what the function does not take or tell.
    fn check_arguments(&self) -> Result<()> {
        use Function::{CreateEndpoint, CreateNetwork, Join};
        let effects = self.effects.clone().unwrap_or_default();
        let of_join = [
            ("effects.prefix", effects.prefix.is_some()),
            ("effects.name", effects.name.is_some()),
            ("effects.gateways", effects.gateways.is_some()),
            ("effects.routes", effects.routes.is_some()),
            ("ports", self.ports.is_some()),
        ];
        let of_endpoint = [
            ("addresses", self.addresses.is_some()),
            ("mac", self.mac.is_some()),
            ("effects.mac", effects.mac.is_some()),
        ];
        let of_network = [("pools", self.pools.is_some()), ("internal", self.internal.is_some())];
        let all = [
            (&of_join[..], &[Join][..]),
            (&of_endpoint[..], &[CreateEndpoint]),
            (&of_network[..], &[CreateNetwork]),
            (&[("options", self.options.is_some())], &[CreateNetwork, CreateEndpoint]),
        ];
        for (fields, functions) in all {
            if let Some((field, _)) = fields.iter().find(|(_, given)| *given && !functions.contains(&self.call)) {
                let names = functions.iter().map(|function| function.name()).collect::<Vec<_>>().join(" and ");
                return Err(Error::invalid(format!("{field}: {} has none, only {names}", self.call.name())));
            }
        }
        Ok(())
    }
}
