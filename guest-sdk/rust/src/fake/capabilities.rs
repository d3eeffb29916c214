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

/// Static routes of one endpoint.
const ROUTES: usize = 1_000;

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
    ipv4.iter().try_for_each(check_pool)?;
    state::with(|state| {
        let pools = state.pools.entry(state.owner.network.clone()).or_default();
        if !pools.is_empty() {
            return Err(Error::forbidden("the network has pools"));
        }
        pools.extend(ipv4.iter().filter_map(|data| data.pool));
        Ok(())
    })
}

fn check_pool(data: &IpamData) -> Result<()> {
    let Some(pool @ IpNet::V4(_)) = data.pool else {
        return Err(Error::invalid_argument(format!("{:?} is no IPv4 pool", data.pool)));
    };
    let mut addresses = data.gateway.iter().chain(data.aux_addresses.iter().map(|(_, address)| address));
    match addresses.find(|address| !pool.contains(&address.addr())) {
        Some(address) => Err(Error::invalid_argument(format!("{address} lies outside of the pool {pool}"))),
        None => Ok(()),
    }
}

pub(crate) fn set_mac_address(info: &InterfaceCall, mac_address: MacAddress) -> Result<()> {
    if mac_address.0[0] & 1 == 1 || mac_address == MacAddress::default() {
        return Err(Error::invalid_argument(format!("{mac_address} is a multicast or all-zero address")));
    }
    state::with(|state| state.check_mac_is_free(mac_address))?;
    set_once(&info.mac_address, mac_address, "MAC address")
}

pub(crate) fn set_ip_address(info: &InterfaceCall, address: IpNet) -> Result<()> {
    if !state::with(|state| state.is_in_pools(address.trunc()) || !state.has_pools_like(address)) {
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
        let link = state.links.get(&source.0).ok_or_else(|| Error::not_found("the link is gone"))?;
        if link.owner.as_ref() != Some(&state.owner) {
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
    let bounded = destination.prefix_len() == 0 || state::with(|state| state.has_pools_like(destination));
    if bounded && !is_link_local(destination) && !state::with(|state| state.is_in_pools(destination)) {
        return Err(Error::forbidden(format!("the route to {destination} leads out of the network's pools")));
    }
    let routes = &mut info.joined.borrow_mut().routes;
    if routes.len() >= ROUTES {
        return Err(Error::unavailable(format!("an endpoint has at most {ROUTES} static routes")));
    }
    routes.push((destination, next_hop));
    Ok(())
}

/// Whether a whole network is link-local: 169.254.0.0/16, fe80::/10.
pub(super) fn is_link_local(network: IpNet) -> bool {
    match network {
        IpNet::V4(v4) => v4.prefix_len() >= 16 && v4.addr().is_link_local(),
        IpNet::V6(v6) => v6.prefix_len() >= 10 && v6.addr().is_unicast_link_local(),
    }
}

/// What the host checks when a join has returned: a gateway, or a route's next hop, is link-local (IPv6), on the network of the endpoint's
/// address, or behind a connected route.
pub(super) fn check_gateways(own: &[IpNet], joined: &Joined) -> Result<()> {
    let connected = joined.routes.iter().filter(|(_, next_hop)| next_hop.is_none()).map(|(to, _)| to);
    let reachable: Vec<_> = own.iter().chain(connected).collect();
    let gateways = joined.gateway.map(IpAddr::from).into_iter().chain(joined.gateway_ipv6.map(IpAddr::from));
    for gateway in gateways.chain(joined.routes.iter().filter_map(|(_, next_hop)| *next_hop)) {
        let link_local = matches!(gateway, IpAddr::V6(v6) if v6.is_unicast_link_local());
        if !link_local && !reachable.iter().any(|network| network.contains(&gateway)) {
            return Err(Error::invalid_argument(format!(
                "the driver's gateway {gateway} is neither on the endpoint's network nor behind a connected route"
            )));
        }
    }
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
