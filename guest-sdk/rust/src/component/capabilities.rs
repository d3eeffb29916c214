//! libnetwork's call-back objects.

use std::net::IpAddr;

use ipnet::IpNet;

use super::convert::{all, mac_from_wit, mac_to_wit};
use super::wit::capabilities::RouteType;
use super::{InterfaceInfo, InterfaceNameInfo, JoinInfo, Link, Namespace, NetworkInfo};
use crate::{IpamData, MacAddress, ObjectType, Result, StaticRoute};

pub(crate) fn table_event_register(info: NetworkInfo, table: &str, object_type: ObjectType) -> Result<()> {
    Ok(info.table_event_register(table, object_type.into())?)
}

pub(crate) fn update_ipam_config(info: NetworkInfo, pools: &[IpamData]) -> Result<()> {
    Ok(info.update_ipam_config(&all(pools))?)
}

pub(crate) fn set_mac_address(info: InterfaceInfo, mac_address: MacAddress) -> Result<()> {
    Ok(info.set_mac_address(mac_to_wit(mac_address))?)
}

pub(crate) fn set_ip_address(info: InterfaceInfo, address: IpNet) -> Result<()> {
    Ok(info.set_ip_address(address.into())?)
}

pub(crate) fn mac_address(info: InterfaceInfo) -> Option<MacAddress> {
    info.mac_address().map(mac_from_wit)
}

pub(crate) fn address(info: InterfaceInfo) -> Option<IpNet> {
    info.address().map(Into::into)
}

pub(crate) fn address_ipv6(info: InterfaceInfo) -> Option<IpNet> {
    info.address_ipv6().map(Into::into)
}

pub(crate) fn sandbox(info: InterfaceInfo) -> Option<Namespace> {
    info.sandbox()
}

pub(crate) fn set_names(info: &InterfaceNameInfo, source: &Link, prefix: &str, name: Option<&str>) -> Result<()> {
    Ok(info.set_names(source, prefix, name)?)
}

pub(crate) fn interface_name(info: JoinInfo) -> InterfaceNameInfo {
    info.interface_name()
}

pub(crate) fn join_sandbox(info: JoinInfo) -> Option<Namespace> {
    info.sandbox()
}

pub(crate) fn set_gateway(info: JoinInfo, gateway: IpAddr) -> Result<()> {
    Ok(info.set_gateway(gateway.into())?)
}

pub(crate) fn add_static_route(info: JoinInfo, destination: IpNet, route: StaticRoute) -> Result<()> {
    let (route_type, next_hop) = match route {
        StaticRoute::NextHop(address) => (RouteType::NextHop, Some(address.into())),
        StaticRoute::Connected => (RouteType::Connected, None),
    };
    Ok(info.add_static_route(destination.into(), route_type, next_hop)?)
}

pub(crate) fn disable_gateway_service(info: JoinInfo) {
    info.disable_gateway_service();
}

pub(crate) fn force_gateway_ipv4(info: JoinInfo) {
    info.force_gateway_ipv4();
}

pub(crate) fn force_gateway_ipv6(info: JoinInfo) {
    info.force_gateway_ipv6();
}

pub(crate) fn add_table_entry(info: JoinInfo, table: &str, key: &str, value: &[u8]) -> Result<()> {
    Ok(info.add_table_entry(table, key, value)?)
}
