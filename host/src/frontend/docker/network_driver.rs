//! `NetworkDriver.*`: libnetwork's `drivers/remote/api`, taken apart and put together.

use std::net::IpAddr;
use std::path::{Component, PathBuf};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::options;
use super::wire::{Loose, id, maybe, read};
use operation::engine::{
    AllocateNetwork, CreateEndpoint, CreateNetwork, EndpointKey, ExternalConnectivity, Interface, Join, Joined, Labels,
    PoolData, Reply, Request, StaticRoute,
};
use words::MacAddress;
use words::{Error, Result};

/// Bytes of a path: the kernel's PATH_MAX.
const MAX_PATH: usize = 4096;

/// The fields of all requests: no two of them mean different things by one name.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Fields {
    networkid: String,
    endpointid: String,
    options: Map<String, Value>,
    ipv4data: Vec<Loose<IpamData>>,
    ipv6data: Vec<Loose<IpamData>>,
    interface: Loose<EndpointInterface>,
    sandboxkey: String,
}

/// libnetwork's `driverapi.IPAMData`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct IpamData {
    addressspace: String,
    pool: String,
    gateway: String,
    auxaddresses: Labels,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct EndpointInterface {
    address: String,
    addressipv6: String,
    macaddress: String,
}

/// Reads a request; none: there is no such method.
pub fn decode(method: &str, body: &[u8]) -> Option<Result<Request>> {
    let build: fn(Fields) -> Result<Request> = match method {
        "AllocateNetwork" => allocate_network,
        "FreeNetwork" => |f| Ok(Request::FreeNetwork(f.network()?)),
        "GwAllocCheck" => |f| Ok(Request::CheckGateways(options::network(f.options)?)),
        "CreateNetwork" => create_network,
        "DeleteNetwork" => |f| Ok(Request::DeleteNetwork(f.network()?)),
        "CreateEndpoint" => create_endpoint,
        "DeleteEndpoint" => |f| Ok(Request::DeleteEndpoint(f.key()?)),
        "EndpointOperInfo" => |f| Ok(Request::EndpointInfo(f.key()?)),
        "Join" => join,
        "Leave" => |f| Ok(Request::Leave(f.key()?)),
        "ProgramExternalConnectivity" => program_external_connectivity,
        "RevokeExternalConnectivity" => |f| Ok(Request::RevokeExternalConnectivity(f.key()?)),
        _ => return None,
    };
    Some(read(body).and_then(build))
}

impl Fields {
    fn network(&self) -> Result<words::Id> {
        id("NetworkID", &self.networkid)
    }

    fn key(&self) -> Result<EndpointKey> {
        Ok(EndpointKey { network: self.network()?, endpoint: id("EndpointID", &self.endpointid)? })
    }
}

fn allocate_network(fields: Fields) -> Result<Request> {
    let text = |(key, value): (String, Value)| match value {
        Value::String(text) => (key, text),
        other => (key, other.to_string()),
    };
    Ok(Request::AllocateNetwork(AllocateNetwork {
        network: fields.network()?,
        generic: fields.options.into_iter().map(text).collect(),
        ipv4: pools(fields.ipv4data)?,
        ipv6: pools(fields.ipv6data)?,
    }))
}

fn create_network(fields: Fields) -> Result<Request> {
    Ok(Request::CreateNetwork(CreateNetwork {
        network: fields.network()?,
        options: options::network(fields.options)?,
        ipv4: pools(fields.ipv4data)?,
        ipv6: pools(fields.ipv6data)?,
    }))
}

fn create_endpoint(fields: Fields) -> Result<Request> {
    let Loose(given) = &fields.interface;
    let interface = Interface {
        mac: maybe::<MacAddress>("MacAddress", &given.macaddress)?,
        address: maybe::<Ipv4Net>("Address", &given.address)?,
        address_ipv6: maybe::<Ipv6Net>("AddressIPv6", &given.addressipv6)?,
    };
    Ok(Request::CreateEndpoint(CreateEndpoint {
        key: fields.key()?,
        interface,
        options: options::endpoint(fields.options)?,
    }))
}

fn join(fields: Fields) -> Result<Request> {
    let (key, sandbox) = (fields.key()?, sandbox(&fields.sandboxkey)?);
    Ok(Request::Join(Join { key, sandbox, options: options::endpoint(fields.options)? }))
}

fn program_external_connectivity(fields: Fields) -> Result<Request> {
    let key = fields.key()?;
    Ok(Request::ProgramExternalConnectivity(ExternalConnectivity { key, options: options::endpoint(fields.options)? }))
}

/// Whether it can be a sandbox's path; whether anything is there is not asked: up to 27 it comes later.
fn sandbox(text: &str) -> Result<PathBuf> {
    let path = PathBuf::from(text);
    let plain = |part: Component<'_>| matches!(part, Component::RootDir | Component::Normal(_));
    let printable = !text.chars().any(char::is_control);
    if path.is_absolute() && text.len() <= MAX_PATH && printable && path.components().all(plain) {
        return Ok(path);
    }
    Err(Error::invalid("SandboxKey is no absolute path without '..'"))
}

fn pools(given: Vec<Loose<IpamData>>) -> Result<Vec<PoolData>> {
    given.into_iter().map(|Loose(data)| pool(data)).collect()
}

/// Docker's `null` address management says 0.0.0.0/0 for "none", and others do so of a gateway.
fn pool(given: IpamData) -> Result<PoolData> {
    let aux =
        |(name, text): (String, String)| Ok(maybe::<IpNet>("AuxAddresses", &text)?.map(|address| (name, address)));
    Ok(PoolData {
        address_space: given.addressspace,
        pool: maybe::<IpNet>("Pool", &given.pool)?.filter(|pool| pool.prefix_len() > 0),
        gateway: maybe::<IpNet>("Gateway", &given.gateway)?.filter(|gateway| !gateway.addr().is_unspecified()),
        aux_addresses: given
            .auxaddresses
            .into_iter()
            .filter_map(|pair| aux(pair).transpose())
            .collect::<Result<_>>()?,
    })
}

/// Writes the answer to a request; none: it is not this request's.
pub fn encode(request: &Request, reply: Reply) -> Option<Value> {
    Some(match (request, reply) {
        (Request::AllocateNetwork(_), Reply::Allocated(options)) => json!({"Options": options}),
        (Request::CheckGateways(_), Reply::GatewaysSkipped { ipv4, ipv6 }) => {
            json!({"SkipIPv4": ipv4, "SkipIPv6": ipv6})
        }
        (Request::CreateEndpoint(create), Reply::Chosen(chosen)) => encode_chosen(&create.interface, &chosen),
        (Request::EndpointInfo(_), Reply::Info(info)) => json!({"Value": encode_info(info)}),
        (Request::Join(_), Reply::Joined(joined)) => encode_joined(&joined),
        (Request::AllocateNetwork(_) | Request::CheckGateways(_), _) => return None,
        (Request::CreateEndpoint(_) | Request::EndpointInfo(_) | Request::Join(_), _) => return None,
        (_, Reply::Done) => json!({}),
        _ => return None,
    })
}

/// Only what came empty: dockerd takes even the same value back as a change, and fails the container's start.
fn encode_chosen(given: &Interface, chosen: &Interface) -> Value {
    let mut interface = Map::new();
    if let (None, Some(mac)) = (given.mac, chosen.mac) {
        interface.insert("MacAddress".into(), mac.to_string().into());
    }
    if let (None, Some(address)) = (given.address, chosen.address) {
        interface.insert("Address".into(), address.to_string().into());
    }
    if let (None, Some(address)) = (given.address_ipv6, chosen.address_ipv6) {
        interface.insert("AddressIPv6".into(), address.to_string().into());
    }
    if interface.is_empty() { json!({}) } else { json!({"Interface": interface}) }
}

/// JSON text by key; what is no JSON goes out as text.
fn encode_info(info: Labels) -> Map<String, Value> {
    info.into_iter().map(|(key, text)| (key, serde_json::from_str(&text).unwrap_or(Value::String(text)))).collect()
}

fn encode_joined(joined: &Joined) -> Value {
    let mut answer = Map::new();
    if let Some(names) = &joined.interface {
        let mut name = json!({"SrcName": names.source.as_str(), "DstPrefix": names.prefix});
        if let Some(exact) = &names.name {
            name["DstName"] = exact.as_str().into();
        }
        answer.insert("InterfaceName".into(), name);
    }
    if let Some(gateway) = joined.gateway {
        answer.insert("Gateway".into(), gateway.to_string().into());
    }
    if let Some(gateway) = joined.gateway_ipv6 {
        answer.insert("GatewayIPv6".into(), gateway.to_string().into());
    }
    if !joined.routes.is_empty() {
        answer.insert("StaticRoutes".into(), joined.routes.iter().map(encode_route).collect());
    }
    if joined.disable_gateway_service {
        answer.insert("DisableGatewayService".into(), true.into());
    }
    Value::Object(answer)
}

/// RouteType: 0 through a next hop, 1 on the link.
fn encode_route(route: &StaticRoute) -> Value {
    let destination = route.destination.to_string();
    match route.next_hop {
        Some(hop) => json!({"Destination": destination, "RouteType": 0, "NextHop": IpAddr::to_string(&hop)}),
        None => json!({"Destination": destination, "RouteType": 1}),
    }
}
