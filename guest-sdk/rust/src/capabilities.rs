//! libnetwork's call-back objects, handed to a call and gone with it.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::links::Link;
use crate::namespaces::Namespace;
use crate::{ErrorKind, IpamData, MacAddress, ObjectType, Result, sys};

/// A network that is being created.
pub struct NetworkInfo<'call>(pub(crate) sys::NetworkInfo<'call>);

impl NetworkInfo<'_> {
    /// Asks for [`event_notify`](crate::TableWatcher::event_notify) on the entries of other owners in this table of the
    /// network, those that are there already included, whatever the driver's scope is. A second call for the same table replaces the object type,
    /// which says what [`decode_table_entry`](crate::TableWatcher::decode_table_entry) answers.
    ///
    /// # Errors
    /// `InvalidArgument`: the table name can't be used. `Forbidden`: a table that the grant does not name. `NotImplemented`: the
    /// driver exports no table watcher.
    pub fn table_event_register(&self, table: &str, object_type: ObjectType) -> Result<()> {
        sys::capabilities::table_event_register(self.0, table, object_type)
    }

    /// Gives IPv4 pools to a network that was created without any, so that its endpoints get addresses from them, under Docker (`--ipam-driver
    /// null`), too: [`InterfaceInfo`] has them in `create_endpoint`.
    ///
    /// # Errors
    /// `Forbidden`: the network has pools, or the grant does not name these. `InvalidArgument`: a pool that is not IPv4 or none, or an address of
    /// it that lies outside. One that overlaps with another network's fails `create_network` with `AlreadyExists`, when it has returned.
    pub fn update_ipam_config(&self, ipv4: &[IpamData]) -> Result<()> {
        sys::capabilities::update_ipam_config(self.0, ipv4)
    }
}

/// The interface of an endpoint that is being created. What the user or the front end chose is set already; the rest
/// is the driver's to set, once.
pub struct InterfaceInfo<'call>(pub(crate) sys::InterfaceInfo<'call>);

impl InterfaceInfo<'_> {
    /// Sets the MAC address.
    ///
    /// # Errors
    /// `Forbidden`: it is set already. `InvalidArgument`: a multicast or all-zero address. `AlreadyExists`: another endpoint of
    /// the network has it.
    pub fn set_mac_address(&self, mac_address: MacAddress) -> Result<()> {
        sys::capabilities::set_mac_address(self.0, mac_address)
    }

    /// The user's MAC address, or one that follows from the IPv4 address (02:42 and its bytes), as Docker gives them: when an address comes again
    /// with another container, its neighbours still know the way. A random one where there is no IPv4, or where another endpoint has it.
    ///
    /// # Errors
    /// The host's.
    pub fn choose_mac_address(&self) -> Result<MacAddress> {
        if let Some(mac_address) = self.mac_address() {
            return Ok(mac_address);
        }
        if let Some(IpAddr::V4(ipv4)) = self.address().map(|address| address.addr()) {
            let [a, b, c, d] = ipv4.octets();
            let mac_address = MacAddress([0x02, 0x42, a, b, c, d]);
            match self.set_mac_address(mac_address) {
                // A user chose it for another container, whose address it was once.
                Err(error) if error.kind == ErrorKind::AlreadyExists => {}
                result => return result.map(|()| mac_address),
            }
        }
        let mac_address = MacAddress::random();
        self.set_mac_address(mac_address)?;
        Ok(mac_address)
    }

    /// Sets the IPv4 or the IPv6 address, whichever family is given.
    ///
    /// # Errors
    /// `Forbidden`: that family's address is set already, or the network has pools of that family and the address lies in none.
    pub fn set_ip_address(&self, address: IpNet) -> Result<()> {
        sys::capabilities::set_ip_address(self.0, address)
    }

    /// The MAC address, if it is set.
    pub fn mac_address(&self) -> Option<MacAddress> {
        sys::capabilities::mac_address(self.0)
    }

    /// The IPv4 address, if it is set.
    pub fn address(&self) -> Option<IpNet> {
        sys::capabilities::address(self.0)
    }

    /// The IPv6 address, if it is set.
    pub fn address_ipv6(&self) -> Option<IpNet> {
        sys::capabilities::address_ipv6(self.0)
    }

    /// The network namespace of the container, where it is known by now. A link that is made directly in it costs a
    /// sixtieth of one that is made on the host and moved.
    pub fn sandbox(&self) -> Option<Namespace> {
        sys::capabilities::sandbox(self.0).map(Namespace)
    }
}

/// The names of an endpoint's interface.
pub struct InterfaceNameInfo(sys::InterfaceNameInfo);

impl InterfaceNameInfo {
    /// Says which link the container gets. It is named `name` if that is given, else `prefix` with the lowest free
    /// number. A link that lies in the sandbox already and fits keeps its name.
    ///
    /// # Errors
    /// `Forbidden`: a link that is not this endpoint's. `InvalidArgument`: a name that the kernel refuses.
    pub fn set_names(&self, source: &Link, prefix: &str, name: Option<&str>) -> Result<()> {
        sys::capabilities::set_names(&self.0, &source.0, prefix, name)
    }
}

/// How a static route leaves the container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StaticRoute {
    /// Through this next hop (libnetwork's 0).
    NextHop(IpAddr),
    /// Directly on the link (libnetwork's 1).
    Connected,
}

/// An endpoint that joins a sandbox.
pub struct JoinInfo<'call>(pub(crate) sys::JoinInfo<'call>);

impl JoinInfo<'_> {
    /// The names of the endpoint's interface.
    pub fn interface_name(&self) -> InterfaceNameInfo {
        InterfaceNameInfo(sys::capabilities::interface_name(self.0))
    }

    /// The network namespace of the container, where it is known by now: [`links::get`](crate::links::get) finds in it
    /// what `create_endpoint` made there.
    pub fn sandbox(&self) -> Option<Namespace> {
        sys::capabilities::join_sandbox(self.0).map(Namespace)
    }

    /// Sets the default gateway of the address's family. One that is neither on the endpoint's network, nor an IPv6 link-local one, nor
    /// behind a connected static route keeps the endpoint from joining.
    ///
    /// # Errors
    /// None to be expected: `join` fails when it has returned (`InvalidArgument`).
    pub fn set_gateway(&self, gateway: IpAddr) -> Result<()> {
        sys::capabilities::set_gateway(self.0, gateway)
    }

    /// Adds a route in the container. The next hop lies where a gateway may.
    ///
    /// # Errors
    /// `Forbidden`: a destination that is neither in the network's pools nor link-local. `Unavailable`: the endpoint has 1,000.
    pub fn add_static_route(&self, destination: IpNet, route: StaticRoute) -> Result<()> {
        sys::capabilities::add_static_route(self.0, destination, route)
    }

    /// The network needs no gateway of the engine's own (Docker's `docker_gwbridge`).
    pub fn disable_gateway_service(&self) {
        sys::capabilities::disable_gateway_service(self.0);
    }

    /// This endpoint can be the container's IPv4 gateway endpoint although it has no gateway address.
    pub fn force_gateway_ipv4(&self) {
        sys::capabilities::force_gateway_ipv4(self.0);
    }

    /// The same for IPv6.
    pub fn force_gateway_ipv6(&self) {
        sys::capabilities::force_gateway_ipv6(self.0);
    }

    /// Adds an entry of the endpoint's to a table of the network; other hosts see it. It goes when the endpoint leaves.
    ///
    /// # Errors
    /// `AlreadyExists`: the key has an entry. `InvalidArgument`: a table name, key or value that can't be used. `Forbidden`: a table that the
    /// grant does not name. `Unavailable`: a limit of the grant.
    pub fn add_table_entry(&self, table: &str, key: &str, value: &[u8]) -> Result<()> {
        sys::capabilities::add_table_entry(self.0, table, key, value)
    }
}
