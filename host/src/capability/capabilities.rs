//! `capabilities`: libnetwork's call-back objects. Their state is the call's.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use super::handle::{LinkHandle, Namespace, NamespaceHandle};
use super::{Answer, CallState, Names, StaticRoute, convert, tables};
use ask::capabilities::{Host, InterfaceInfo, InterfaceNameInfo, IpamData, JoinInfo, NetworkInfo, RouteType};
use ask::types::{IpAddress, IpNetwork, MacAddress, ObjectType};
use ask::{Bytes, OWN, Refusal};
use grant::NamespaceKind;
use operation::network::Pool;
use words::{Error, Kind};

/// Static routes of one endpoint.
const ROUTES: usize = 1_000;

impl Host for CallState {
    fn network_info_table_event_register(
        &mut self,
        _: NetworkInfo,
        table: String,
        object_type: ObjectType,
    ) -> Answer<()> {
        // libnetwork's numbers.
        let number = match object_type {
            ObjectType::Endpoint => 1,
            ObjectType::Network => 2,
            ObjectType::Opaque => 3,
        };
        let watches_tables = self.facts.watches_tables;
        let (gate, transaction) = self.parts()?;
        transaction.watch(gate.watch(transaction, table, number, watches_tables)?);
        Ok(())
    }

    fn network_info_update_ipam_config(&mut self, _: NetworkInfo, ipv4: Vec<IpamData>) -> Answer<()> {
        let pools = ipv4.into_iter().map(pool).collect::<Answer<Vec<_>>>()?;
        let (gate, transaction) = self.parts()?;
        gate.choose_pools(transaction, pools.iter().map(|p| p.subnet).collect())?;
        self.new_pools = Some(pools);
        Ok(())
    }
    fn interface_info_set_mac_address(&mut self, _: InterfaceInfo, mac: MacAddress) -> Answer<()> {
        let mac = convert::mac(mac).check()?;
        self.transaction()?.check_mac_is_free(mac)?;
        set_once(&mut self.interface.mac, mac, "MAC address")
    }

    fn interface_info_set_ip_address(&mut self, _: InterfaceInfo, address: IpNetwork) -> Answer<()> {
        let address = convert::network(address)?;
        let taken = match address {
            IpNet::V4(_) => self.interface.address.is_some(),
            IpNet::V6(_) => self.interface.address_ipv6.is_some(),
        };
        if taken {
            return Err(Error::forbidden("the endpoint's address is set already").into());
        }
        match self.gate.endpoint_address(address)?.take() {
            IpNet::V4(v4) => self.interface.address = Some(v4),
            IpNet::V6(v6) => self.interface.address_ipv6 = Some(v6),
        }
        Ok(())
    }

    fn interface_info_mac_address(&mut self, _: InterfaceInfo) -> Answer<Option<MacAddress>> {
        Ok(self.interface.mac.map(convert::mac_to_wit))
    }

    fn interface_info_address(&mut self, _: InterfaceInfo) -> Answer<Option<IpNetwork>> {
        Ok(self.interface.address.map(|a: Ipv4Net| convert::network_to_wit(a.into())))
    }

    fn interface_info_address_ipv6(&mut self, _: InterfaceInfo) -> Answer<Option<IpNetwork>> {
        Ok(self.interface.address_ipv6.map(|a| convert::network_to_wit(a.into())))
    }

    fn interface_info_sandbox(&mut self, _: InterfaceInfo) -> Answer<Option<NamespaceHandle>> {
        sandbox(self)
    }
    fn interface_name_info_set_names(
        &mut self,
        _: InterfaceNameInfo,
        source: LinkHandle,
        prefix: String,
        name: Option<String>,
    ) -> Answer<()> {
        let source = self.handles.link(source)?.clone();
        let prefix = convert::link_name(&prefix)?;
        let name = name.as_deref().map(convert::link_name).transpose()?;
        let (gate, transaction) = self.parts()?;
        let source = gate.source(transaction, &source)?.take().0;
        self.join.names = Some(Names { source, prefix, name });
        Ok(())
    }
    fn join_info_interface_name(&mut self, _: JoinInfo) -> Answer<InterfaceNameInfo> {
        Ok(InterfaceNameInfo(OWN))
    }

    fn join_info_sandbox(&mut self, _: JoinInfo) -> Answer<Option<NamespaceHandle>> {
        sandbox(self)
    }

    fn join_info_set_gateway(&mut self, _: JoinInfo, gateway: IpAddress) -> Answer<()> {
        match convert::address(gateway) {
            IpAddr::V4(v4) => self.join.gateway = Some(v4),
            IpAddr::V6(v6) => self.join.gateway_ipv6 = Some(v6),
        }
        Ok(())
    }

    fn join_info_add_static_route(
        &mut self,
        _: JoinInfo,
        destination: IpNetwork,
        route_type: RouteType,
        next_hop: Option<IpAddress>,
    ) -> Answer<()> {
        let destination = convert::network(destination)?;
        let next_hop = next_hop.map(convert::address);
        match (route_type, next_hop) {
            (RouteType::NextHop, None) => {
                return Err(Refusal::invalid(format!("the route to {destination} needs a next hop")));
            }
            (RouteType::Connected, Some(_)) => {
                return Err(Refusal::invalid(format!("the connected route to {destination} can't have a next hop")));
            }
            _ => {}
        }
        let destination = self.gate.static_route(destination)?.take();
        if self.join.routes.len() >= ROUTES {
            return Err(Error::new(Kind::Unavailable, format!("an endpoint has at most {ROUTES} static routes")).into());
        }
        self.join.routes.push(StaticRoute { destination, next_hop });
        Ok(())
    }

    fn join_info_disable_gateway_service(&mut self, _: JoinInfo) -> Answer<()> {
        self.join.disable_gateway_service = true;
        Ok(())
    }

    fn join_info_force_gateway_ipv4(&mut self, _: JoinInfo) -> Answer<()> {
        self.join.force_gateway_ipv4 = true;
        Ok(())
    }

    fn join_info_force_gateway_ipv6(&mut self, _: JoinInfo) -> Answer<()> {
        self.join.force_gateway_ipv6 = true;
        Ok(())
    }

    fn join_info_add_table_entry(&mut self, _: JoinInfo, table: String, key: String, value: Bytes) -> Answer<()> {
        tables::check(&table, &key)?;
        let (gate, transaction) = self.parts()?;
        let granted = gate.add_entry(transaction, table, key, value.0)?;
        transaction.set_entry(granted);
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

/// A handle for the container's namespace.
fn sandbox(call: &mut CallState) -> Answer<Option<NamespaceHandle>> {
    let Some(namespace) = call.interface.sandbox.clone() else { return Ok(None) };
    call.handles.add_namespace(Namespace { namespace, kind: NamespaceKind::Container, made: None }).map(Some)
}

fn set_once<T>(field: &mut Option<T>, value: T, what: &str) -> Answer<()> {
    if field.is_some() {
        return Err(Error::forbidden(format!("the endpoint's {what} is set already")).into());
    }
    *field = Some(value);
    Ok(())
}
