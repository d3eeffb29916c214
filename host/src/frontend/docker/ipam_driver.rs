//! `IpamDriver.*`: libnetwork's `ipams/remote/api`, taken apart and put together.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Deserialize;
use serde_json::{Value, json};

use super::wire::{id, maybe, read};
use operation::engine::{Labels, Purpose, Reply, Request, RequestAddress, RequestPool};
use words::{Error, Result};

/// The key that says what an address is for, and the value that says "the gateway".
const ADDRESS_TYPE: &str = "RequestAddressType";
const GATEWAY: &str = "com.docker.network.gateway";
/// Here as text, in a network driver's options as base64.
const MAC_ADDRESS: &str = "com.docker.network.endpoint.macaddress";

/// The fields of all requests.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Fields {
    addressspace: String,
    pool: String,
    subpool: String,
    options: Labels,
    v6: bool,
    poolid: String,
    address: String,
}

/// Reads a request; none: there is no such method.
pub fn decode(method: &str, body: &[u8]) -> Option<Result<Request>> {
    let build: fn(Fields) -> Result<Request> = match method {
        "RequestPool" => request_pool,
        "ReleasePool" => |f| Ok(Request::ReleasePool(id("PoolID", &f.poolid)?)),
        "RequestAddress" => request_address,
        "ReleaseAddress" => release_address,
        _ => return None,
    };
    Some(read(body).and_then(build))
}

fn request_pool(fields: Fields) -> Result<Request> {
    let pool = maybe::<IpNet>("Pool", &fields.pool)?;
    let range = maybe::<IpNet>("SubPool", &fields.subpool)?;
    if range.is_some() && pool.is_none() {
        return Err(Error::invalid("a SubPool needs the Pool that it is part of"));
    }
    if let Some(wrong) = pool.iter().chain(&range).find(|net| net.addr().is_ipv6() != fields.v6) {
        return Err(Error::invalid(format!("{wrong} is of the other family")));
    }
    Ok(Request::RequestPool(RequestPool {
        address_space: fields.addressspace,
        pool,
        range,
        ipv6: fields.v6,
        options: fields.options,
    }))
}

fn request_address(mut fields: Fields) -> Result<Request> {
    let mac = fields.options.remove(MAC_ADDRESS).unwrap_or_default();
    let gateway = fields.options.get(ADDRESS_TYPE).is_some_and(|kind| kind == GATEWAY);
    if gateway {
        fields.options.remove(ADDRESS_TYPE);
    }
    Ok(Request::RequestAddress(RequestAddress {
        pool: id("PoolID", &fields.poolid)?,
        address: maybe("Address", &fields.address)?,
        purpose: if gateway { Purpose::Gateway } else { Purpose::Endpoint },
        mac: maybe(MAC_ADDRESS, &mac)?,
        options: fields.options,
    }))
}

fn release_address(fields: Fields) -> Result<Request> {
    let address = maybe::<IpAddr>("Address", &fields.address)?;
    let address = address.ok_or_else(|| Error::invalid("there is no Address to release"))?;
    Ok(Request::ReleaseAddress { pool: id("PoolID", &fields.poolid)?, address })
}

/// Writes the answer to a request; none: it is not this request's.
pub fn encode(request: &Request, reply: Reply) -> Option<Value> {
    Some(match (request, reply) {
        (Request::RequestPool(_), Reply::Pool(taken)) => {
            json!({"PoolID": taken.id.as_str(), "Pool": taken.pool.to_string(), "Data": taken.data})
        }
        (Request::RequestAddress(_), Reply::Address(address)) => json!({"Address": address.to_string(), "Data": {}}),
        (Request::ReleasePool(_) | Request::ReleaseAddress { .. }, Reply::Done) => json!({}),
        _ => return None,
    })
}
