//! `capabilities`: libnetwork's call-back objects. Their state is the call's.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};
use wasmtime::component::Resource;

use super::handle::{InterfaceInfo, InterfaceNameInfo, JoinInfo, Link, Namespace, NetworkInfo};
use super::{Answer, Bytes, Refusal, convert, tables};
use crate::engine::CallState;
use crate::engine::bindings::imports::capabilities::{
    Host, HostInterfaceInfo, HostInterfaceNameInfo, HostJoinInfo, HostNetworkInfo, IpamData, RouteType,
};
use crate::engine::bindings::imports::types::{IpAddress, IpNetwork, MacAddress, ObjectType};
use crate::engine::{Names, StaticRoute};
use grant::{HostCall as H, NamespaceKind};

use operation::network::Pool;
use words::{Error, Kind};

/// Static routes of one endpoint.
const ROUTES: usize = 1_000;

impl Host for CallState {}

impl HostNetworkInfo for CallState {
    fn table_event_register(&mut self, _: Resource<NetworkInfo>, table: String, object_type: ObjectType) -> Answer<()> {
        self.ask(H::CapabilitiesNetworkInfoTableEventRegister, arguments!(table, object_type), |call| {
            // libnetwork's numbers.
            let number = match object_type {
                ObjectType::Endpoint => 1,
                ObjectType::Network => 2,
                ObjectType::Opaque => 3,
            };
            let watches_tables = call.facts.watches_tables;
            let (gate, transaction) = call.parts()?;
            transaction.watch(gate.watch(transaction, table, number, watches_tables)?);
            Ok(())
        })
    }

    fn update_ipam_config(&mut self, _: Resource<NetworkInfo>, ipv4: Vec<IpamData>) -> Answer<()> {
        self.ask(H::CapabilitiesNetworkInfoUpdateIpamConfig, arguments!(ipv4), |call| {
            let pools = ipv4.into_iter().map(pool).collect::<Answer<Vec<_>>>()?;
            let (gate, transaction) = call.parts()?;
            gate.choose_pools(transaction, pools.iter().map(|p| p.subnet).collect())?;
            call.new_pools = Some(pools);
            Ok(())
        })
    }

    fn drop(&mut self, _: Resource<NetworkInfo>) -> wasmtime::Result<()> {
        Ok(())
    }
}

/// A pool that a driver gives to its network.
fn pool(data: IpamData) -> Answer<Pool> {
    let subnet = convert::network(data.pool.ok_or_else(|| Refusal::invalid("a pool without a network"))?)?.trunc();
    if !matches!(subnet, IpNet::V4(_)) {
        return Err(Refusal::invalid(format!("{subnet} is no IPv4 pool")));
    }
    let inside = |net: IpNetwork| {
        let net = convert::network(net)?;
        if subnet.contains(&net.addr()) {
            Ok(net.addr())
        } else {
            Err(Refusal::invalid(format!("{net} lies outside of the pool {subnet}")))
        }
    };
    let gateway = data.gateway.map(inside).transpose()?;
    let aux = data.aux_addresses.into_iter().map(|(name, net)| Ok((name, inside(net)?)));
    Ok(Pool { subnet, range: None, gateway, aux_addresses: aux.collect::<Answer<_>>()? })
}

impl HostInterfaceInfo for CallState {
    fn set_mac_address(&mut self, _: Resource<InterfaceInfo>, mac: MacAddress) -> Answer<()> {
        self.ask(H::CapabilitiesInterfaceInfoSetMacAddress, arguments!(mac), |call| {
            let mac = convert::mac(mac);
            if mac.0[0] & 1 == 1 || mac.0 == [0; 6] {
                return Err(Refusal::invalid(format!(
                    "{mac} can't be an interface's: it is a multicast or all-zero address"
                )));
            }
            set_once(&mut call.interface.mac, mac, "MAC address")
        })
    }

    fn set_ip_address(&mut self, _: Resource<InterfaceInfo>, address: IpNetwork) -> Answer<()> {
        self.ask(H::CapabilitiesInterfaceInfoSetIpAddress, arguments!(address), |call| {
            let address = convert::network(address)?;
            let taken = match address {
                IpNet::V4(_) => call.interface.address.is_some(),
                IpNet::V6(_) => call.interface.address_ipv6.is_some(),
            };
            if taken {
                return Err(Error::forbidden("the endpoint's address is set already").into());
            }
            match call.gate.endpoint_address(address)?.take() {
                IpNet::V4(v4) => call.interface.address = Some(v4),
                IpNet::V6(v6) => call.interface.address_ipv6 = Some(v6),
            }
            Ok(())
        })
    }

    fn mac_address(&mut self, _: Resource<InterfaceInfo>) -> wasmtime::Result<Option<MacAddress>> {
        Ok(self.ask(H::CapabilitiesInterfaceInfoMacAddress, arguments!(), |call| {
            Ok(call.interface.mac.map(convert::mac_to_wit))
        })?)
    }

    fn address(&mut self, _: Resource<InterfaceInfo>) -> wasmtime::Result<Option<IpNetwork>> {
        Ok(self.ask(H::CapabilitiesInterfaceInfoAddress, arguments!(), |call| {
            Ok(call.interface.address.map(|a: Ipv4Net| convert::network_to_wit(a.into())))
        })?)
    }

    fn address_ipv6(&mut self, _: Resource<InterfaceInfo>) -> wasmtime::Result<Option<IpNetwork>> {
        Ok(self.ask(H::CapabilitiesInterfaceInfoAddressIpv6, arguments!(), |call| {
            Ok(call.interface.address_ipv6.map(|a| convert::network_to_wit(a.into())))
        })?)
    }

    fn sandbox(&mut self, _: Resource<InterfaceInfo>) -> wasmtime::Result<Option<Resource<Namespace>>> {
        Ok(self.ask(H::CapabilitiesInterfaceInfoSandbox, arguments!(), sandbox)?)
    }

    fn drop(&mut self, _: Resource<InterfaceInfo>) -> wasmtime::Result<()> {
        Ok(())
    }
}

/// A handle for the container's namespace.
fn sandbox(call: &mut CallState) -> Answer<Option<Resource<Namespace>>> {
    let Some(namespace) = call.interface.sandbox.clone() else { return Ok(None) };
    Ok(Some(call.table.push(Namespace { namespace, kind: NamespaceKind::Container, made: None })?))
}

fn set_once<T>(field: &mut Option<T>, value: T, what: &str) -> Answer<()> {
    if field.is_some() {
        return Err(Error::forbidden(format!("the endpoint's {what} is set already")).into());
    }
    *field = Some(value);
    Ok(())
}

impl HostInterfaceNameInfo for CallState {
    fn set_names(
        &mut self,
        _: Resource<InterfaceNameInfo>,
        source: Resource<Link>,
        prefix: String,
        name: Option<String>,
    ) -> Answer<()> {
        self.ask(H::CapabilitiesInterfaceNameInfoSetNames, arguments!(source, prefix, name), |call| {
            let source = call.table.get(&source)?.clone();
            let prefix = convert::link_name(&prefix)?;
            let name = name.as_deref().map(convert::link_name).transpose()?;
            let (gate, transaction) = call.parts()?;
            let source = gate.source(transaction, &source)?.take().0;
            call.join.names = Some(Names { source, prefix, name });
            Ok(())
        })
    }

    fn drop(&mut self, _: Resource<InterfaceNameInfo>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl HostJoinInfo for CallState {
    fn interface_name(&mut self, _: Resource<JoinInfo>) -> wasmtime::Result<Resource<InterfaceNameInfo>> {
        Ok(self.ask(H::CapabilitiesJoinInfoInterfaceName, arguments!(), |_| Ok(Resource::new_own(0)))?)
    }

    fn sandbox(&mut self, _: Resource<JoinInfo>) -> wasmtime::Result<Option<Resource<Namespace>>> {
        Ok(self.ask(H::CapabilitiesJoinInfoSandbox, arguments!(), sandbox)?)
    }

    fn set_gateway(&mut self, _: Resource<JoinInfo>, gateway: IpAddress) -> Answer<()> {
        self.ask(H::CapabilitiesJoinInfoSetGateway, arguments!(gateway), |call| {
            match convert::address(gateway) {
                IpAddr::V4(v4) => call.join.gateway = Some(v4),
                IpAddr::V6(v6) => call.join.gateway_ipv6 = Some(v6),
            }
            Ok(())
        })
    }

    fn add_static_route(
        &mut self,
        _: Resource<JoinInfo>,
        destination: IpNetwork,
        route_type: RouteType,
        next_hop: Option<IpAddress>,
    ) -> Answer<()> {
        self.ask(H::CapabilitiesJoinInfoAddStaticRoute, arguments!(destination, route_type, next_hop), |call| {
            let destination = convert::network(destination)?;
            let next_hop = next_hop.map(convert::address);
            match (route_type, next_hop) {
                (RouteType::NextHop, None) => {
                    return Err(Refusal::invalid(format!("the route to {destination} needs a next hop")));
                }
                (RouteType::Connected, Some(_)) => {
                    return Err(Refusal::invalid(format!(
                        "the connected route to {destination} can't have a next hop"
                    )));
                }
                _ => {}
            }
            let destination = call.gate.static_route(destination)?.take();
            if call.join.routes.len() >= ROUTES {
                return Err(
                    Error::new(Kind::Unavailable, format!("an endpoint has at most {ROUTES} static routes")).into()
                );
            }
            call.join.routes.push(StaticRoute { destination, next_hop });
            Ok(())
        })
    }

    fn disable_gateway_service(&mut self, _: Resource<JoinInfo>) -> wasmtime::Result<()> {
        Ok(self.ask(H::CapabilitiesJoinInfoDisableGatewayService, arguments!(), |call| {
            call.join.disable_gateway_service = true;
            Ok(())
        })?)
    }

    fn force_gateway_ipv4(&mut self, _: Resource<JoinInfo>) -> wasmtime::Result<()> {
        Ok(self.ask(H::CapabilitiesJoinInfoForceGatewayIpv4, arguments!(), |call| {
            call.join.force_gateway_ipv4 = true;
            Ok(())
        })?)
    }

    fn force_gateway_ipv6(&mut self, _: Resource<JoinInfo>) -> wasmtime::Result<()> {
        Ok(self.ask(H::CapabilitiesJoinInfoForceGatewayIpv6, arguments!(), |call| {
            call.join.force_gateway_ipv6 = true;
            Ok(())
        })?)
    }

    fn add_table_entry(&mut self, _: Resource<JoinInfo>, table: String, key: String, value: Vec<u8>) -> Answer<()> {
        self.ask(H::CapabilitiesJoinInfoAddTableEntry, arguments!(table, key, Bytes(&value)), |call| {
            tables::check(&table, &key)?;
            let (gate, transaction) = call.parts()?;
            let granted = gate.add_entry(transaction, table, key, value)?;
            transaction.set_entry(granted);
            Ok(())
        })
    }

    fn drop(&mut self, _: Resource<JoinInfo>) -> wasmtime::Result<()> {
        Ok(())
    }
}
