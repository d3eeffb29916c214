//! libnetwork's call-back objects.

use pontoon_sdk::ErrorKind::{AlreadyExists, Forbidden, InvalidArgument};
use pontoon_sdk::ipnet::{IpNet, Ipv4Net};
use pontoon_sdk::{
    InterfaceInfo, IpamData, JoinInfo, MacAddress, NetworkInfo, ObjectType, Result, StaticRoute, links, tables,
};

use super::kernel::last_address;
use crate::check::{refused, same};
use crate::network::Network;

/// The table that the probe watches and fills.
const TABLE: &str = "probe-table";
/// A table whose entries have an endpoint's id as their value.
pub(crate) const ABOUT_ENDPOINTS: &str = "probe-endpoints";

/// An address of nobody's: RFC 5737's first example.
fn foreign() -> IpNet {
    Ipv4Net::new_assert([192, 0, 2, 1].into(), 24).into()
}

/// Watches `probe-table`; gives a network without pools 192.0.2.0/24.
pub(super) fn network_info(network: &Network, info: &NetworkInfo) -> Result<()> {
    info.table_event_register(TABLE, ObjectType::Endpoint)?;
    info.table_event_register(TABLE, ObjectType::Opaque)?;
    info.table_event_register(ABOUT_ENDPOINTS, ObjectType::Endpoint)?;
    for table in ["", "a/b", "tab\t"] {
        refused(
            info.table_event_register(table, ObjectType::Network),
            InvalidArgument,
            "table-event-register of a bad name",
        )?;
    }
    let pool = IpamData { pool: Some(foreign().trunc()), gateway: Some(foreign()), ..IpamData::default() };
    if network.pools().next().is_none() {
        return info.update_ipam_config(&[pool]);
    }
    refused(info.update_ipam_config(&[pool]), Forbidden, "update-ipam-config of a network with pools")
}

/// Sets what is not set; what is set can't be set again. Without pools, any address will do.
pub(super) fn interface_info(network: &Network, info: &InterfaceInfo) -> Result<()> {
    let mac_address = MacAddress::random();
    refused(
        info.set_mac_address(MacAddress([1, 0, 0, 0, 0, 1])),
        InvalidArgument,
        "set-mac-address of a multicast address",
    )?;
    refused(info.set_mac_address(MacAddress([0; 6])), InvalidArgument, "set-mac-address of zero")?;
    if info.mac_address().is_none() {
        info.set_mac_address(mac_address)?;
        same(info.mac_address(), Some(mac_address), "mac-address after set-mac-address")?;
    }
    refused(info.set_mac_address(mac_address), Forbidden, "set-mac-address twice")?;
    if network.pools().next().is_none() {
        info.set_ip_address(foreign())?;
    }
    for pool in network.pools() {
        let address = IpNet::new(last_address(pool), pool.prefix_len())?;
        let seen = || if address.addr().is_ipv4() { info.address() } else { info.address_ipv6() };
        if seen().is_none() {
            refused_outside(info, address)?;
            info.set_ip_address(address)?;
            same(seen(), Some(address), "the address after set-ip-address")?;
        }
        refused(info.set_ip_address(address), Forbidden, "set-ip-address twice")?;
    }
    Ok(())
}

fn refused_outside(info: &InterfaceInfo, inside: IpNet) -> Result<()> {
    if inside.addr().is_ipv6() {
        return Ok(());
    }
    refused(info.set_ip_address(foreign()), Forbidden, "set-ip-address outside of the pools")
}

/// Gateways, routes, roles and a table entry whose key is the endpoint.
pub(super) fn join_info(endpoint: &str, network: &Network, info: &JoinInfo) -> Result<()> {
    if let Some(bridge) = &network.bridge {
        let bridge = links::get(None, bridge)?;
        refused(info.interface_name().set_names(&bridge, "eth", None), Forbidden, "set-names of a foreign link")?;
    }
    for (number, data) in (0_u8..).zip(network.ipv4.iter().chain(&network.ipv6)) {
        let Some(gateway) = data.gateway else { continue };
        info.set_gateway(gateway.addr())?;
        let behind = |last: u8| Ipv4Net::new_assert([169, 254, number, last].into(), 32).into();
        if gateway.addr().is_ipv4() {
            info.add_static_route(behind(1), StaticRoute::NextHop(gateway.addr()))?;
            info.add_static_route(behind(2), StaticRoute::Connected)?;
        }
    }
    for foreign in ["198.51.100.0/24", "0.0.0.0/0", "::/0"] {
        let route = info.add_static_route(foreign.parse()?, StaticRoute::Connected);
        refused(route, Forbidden, "add-static-route to what is not the network's")?;
    }
    info.disable_gateway_service();
    info.force_gateway_ipv4();
    info.force_gateway_ipv6();
    info.add_table_entry(TABLE, endpoint, b"joined")?;
    refused(info.add_table_entry(TABLE, endpoint, b"again"), AlreadyExists, "add-table-entry twice")?;
    refused(info.add_table_entry("a/b", endpoint, b""), InvalidArgument, "add-table-entry into a table with a slash")?;
    same(
        tables::get(TABLE, endpoint)?.map(|entry| entry.value),
        Some(b"joined".to_vec()),
        "tables.get after add-table-entry",
    )
}
