//! libnetwork's call-back objects.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;

use ipnet::IpNet;

use super::state;
use super::store::check_table;
use super::sys::{Link, Namespace};
use crate::links::LinkInfo;
use crate::{Error, IpamData, MacAddress, ObjectType, Result, StaticRoute};

pub(crate) struct NetworkCall {
    pub watches_tables: bool,
}

#[derive(Default)]
pub(crate) struct InterfaceCall {
    pub mac_address: RefCell<Option<MacAddress>>,
    pub address: RefCell<Option<IpNet>>,
    pub address_ipv6: RefCell<Option<IpNet>>,
    pub sandbox: Option<u32>,
}

/// What a driver said when an endpoint joined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Joined {
    /// The link that the container gets, as the driver made it.
    pub link: Option<LinkInfo>,
    /// The link's name begins like this.
    pub prefix: String,
    /// The link's whole name.
    pub name: Option<String>,
    /// The IPv4 gateway.
    pub gateway: Option<Ipv4Addr>,
    /// The IPv6 gateway.
    pub gateway_ipv6: Option<Ipv6Addr>,
    /// Routes; without a next hop on the link.
    pub routes: Vec<(IpNet, Option<IpAddr>)>,
    /// No gateway of the engine's own.
    pub disables_gateway_service: bool,
    /// It can be the IPv4 gateway endpoint.
    pub forces_gateway_ipv4: bool,
    /// It can be the IPv6 gateway endpoint.
    pub forces_gateway_ipv6: bool,
}

#[derive(Default)]
pub(crate) struct JoinCall {
    pub joined: Rc<RefCell<Joined>>,
    pub sandbox: Option<u32>,
}

pub(crate) fn table_event_register(info: &NetworkCall, table: &str, object_type: ObjectType) -> Result<()> {
    check_table(table)?;
    if !info.watches_tables {
        return Err(Error::not_implemented("the driver exports no table-watcher"));
    }
    state::with(|state| state.watched.insert((state.owner.network.clone(), table.to_owned()), object_type));
    Ok(())
}

pub(crate) fn update_ipam_config(_: &NetworkCall, ipv4: &[IpamData]) -> Result<()> {
    state::with(|state| {
        let pools = state.pools.entry(state.owner.network.clone()).or_default();
        if !pools.is_empty() {
            return Err(Error::forbidden("the network has pools"));
        }
        pools.extend(ipv4.iter().filter_map(|data| data.pool));
        Ok(())
    })
}

pub(crate) fn set_mac_address(info: &InterfaceCall, mac_address: MacAddress) -> Result<()> {
    if mac_address.0[0] & 1 == 1 || mac_address == MacAddress::default() {
        return Err(Error::invalid_argument(format!("{mac_address} is a multicast or all-zero address")));
    }
    set_once(&info.mac_address, mac_address, "MAC address")
}

pub(crate) fn set_ip_address(info: &InterfaceCall, address: IpNet) -> Result<()> {
    if !state::with(|state| state.is_in_pools(address.addr())) {
        return Err(Error::forbidden(format!("{address} lies in none of the network's pools")));
    }
    let field = if address.addr().is_ipv4() { &info.address } else { &info.address_ipv6 };
    set_once(field, address, "address")
}

fn set_once<T>(field: &RefCell<Option<T>>, value: T, what: &str) -> Result<()> {
    if field.borrow().is_some() {
        return Err(Error::forbidden(format!("the {what} is set already")));
    }
    *field.borrow_mut() = Some(value);
    Ok(())
}

pub(crate) fn mac_address(info: &InterfaceCall) -> Option<MacAddress> {
    *info.mac_address.borrow()
}

pub(crate) fn address(info: &InterfaceCall) -> Option<IpNet> {
    *info.address.borrow()
}

pub(crate) fn address_ipv6(info: &InterfaceCall) -> Option<IpNet> {
    *info.address_ipv6.borrow()
}

pub(crate) fn sandbox(info: &InterfaceCall) -> Option<Namespace> {
    info.sandbox.map(Namespace)
}

pub(crate) struct InterfaceNameInfo(Rc<RefCell<Joined>>);

pub(crate) fn interface_name(info: &JoinCall) -> InterfaceNameInfo {
    InterfaceNameInfo(Rc::clone(&info.joined))
}

pub(crate) fn join_sandbox(info: &JoinCall) -> Option<Namespace> {
    info.sandbox.map(Namespace)
}

pub(crate) fn set_names(info: &InterfaceNameInfo, source: &Link, prefix: &str, name: Option<&str>) -> Result<()> {
    super::kernel::links::check_name(prefix)?;
    name.map(super::kernel::links::check_name).transpose()?;
    let link = state::with(|state| {
        let owner = state.links.get(&source.0).and_then(|link| link.owner.clone());
        if owner.as_ref() != Some(&state.owner) {
            return Err(Error::forbidden("the link was not made for this endpoint"));
        }
        Ok(state.info(source.0))
    })?;
    let mut joined = info.0.borrow_mut();
    *joined = Joined { link: Some(link), prefix: prefix.to_owned(), name: name.map(str::to_owned), ..joined.clone() };
    Ok(())
}

pub(crate) fn set_gateway(info: &JoinCall, gateway: IpAddr) -> Result<()> {
    let mut joined = info.joined.borrow_mut();
    let routed = joined.routes.iter().any(|(to, next_hop)| next_hop.is_none() && to.contains(&gateway));
    if !routed && !state::with(|state| state.is_in_pools(gateway)) {
        return Err(Error::forbidden(format!("the gateway {gateway} lies in none of the network's pools")));
    }
    match gateway {
        IpAddr::V4(gateway) => joined.gateway = Some(gateway),
        IpAddr::V6(gateway) => joined.gateway_ipv6 = Some(gateway),
    }
    Ok(())
}

pub(crate) fn add_static_route(info: &JoinCall, destination: IpNet, route: StaticRoute) -> Result<()> {
    let next_hop = match route {
        StaticRoute::NextHop(address) => Some(address),
        StaticRoute::Connected => None,
    };
    let is_link_local = match destination.addr() {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    if !is_link_local && (destination.prefix_len() == 0 || !state::with(|state| state.is_in_pools(destination.addr())))
    {
        return Err(Error::forbidden(format!("the route to {destination} leads out of the network's pools")));
    }
    info.joined.borrow_mut().routes.push((destination, next_hop));
    Ok(())
}

pub(crate) fn disable_gateway_service(info: &JoinCall) {
    info.joined.borrow_mut().disables_gateway_service = true;
}

pub(crate) fn force_gateway_ipv4(info: &JoinCall) {
    info.joined.borrow_mut().forces_gateway_ipv4 = true;
}

pub(crate) fn force_gateway_ipv6(info: &JoinCall) {
    info.joined.borrow_mut().forces_gateway_ipv6 = true;
}

pub(crate) fn add_table_entry(_: &JoinCall, table: &str, key: &str, value: &[u8]) -> Result<()> {
    if super::store::tables::get(table, key)?.is_some() {
        return Err(Error::already_exists(format!("{table}/{key} has an entry")));
    }
    super::store::tables::put(table, key, value)
}
