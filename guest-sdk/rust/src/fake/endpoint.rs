//! An endpoint and the calls that a front end makes for it.

use std::marker::PhantomData;

use ipnet::IpNet;

use super::call;
use super::capabilities::{InterfaceCall, JoinCall, Joined, check_gateways};
use super::state::{self, Owner};
use crate::{
    Driver, EndpointOptions, ExternalConnectivity, InterfaceInfo, Ipv6Releaser, JoinInfo, MacAddress, PortBinding,
    Protocol, Result, TextMap,
};

/// An endpoint of a network of the driver `D`.
pub struct Endpoint<D> {
    /// Its network's id.
    pub network: String,
    /// Its id.
    pub id: String,
    /// What the user asks of it.
    pub options: EndpointOptions,
    /// Its addresses, one of a family at most.
    pub addresses: Vec<IpNet>,
    /// The key of its sandbox, where that is known when the endpoint is made.
    pub sandbox: Option<String>,
    driver: PhantomData<D>,
}

impl<D> Endpoint<D> {
    pub(super) fn new(network: &str, id: String) -> Self {
        let (network, options, addresses) = (network.to_owned(), EndpointOptions::default(), Vec::new());
        Self { network, id, options, addresses, sandbox: None, driver: PhantomData }
    }

    /// With this address.
    ///
    /// # Panics
    /// On anything but an address with its prefix length.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a mistake in a test")]
    pub fn address(mut self, address: &str) -> Self {
        self.addresses.push(address.parse().expect("an address like 10.0.0.2/24"));
        self
    }

    /// With this MAC.
    #[must_use]
    pub fn mac_address(mut self, mac_address: MacAddress) -> Self {
        self.options.mac_address = Some(mac_address);
        self
    }

    /// With this label of the user's.
    #[must_use]
    pub fn option(mut self, key: &str, value: &str) -> Self {
        self.options.generic.insert(key, value);
        self
    }

    /// In this sandbox from the start.
    #[must_use]
    pub fn sandbox(mut self, key: &str) -> Self {
        self.sandbox = Some(key.to_owned());
        self
    }

    /// With this port published on all addresses of the host; 0: any.
    #[must_use]
    pub fn publish(mut self, protocol: Protocol, host_port: u16, container_port: u16) -> Self {
        self.options.port_bindings.push(PortBinding {
            protocol,
            container_address: None,
            container_port,
            host_address: None,
            host_port,
            host_port_end: host_port,
        });
        self
    }

    fn call<T>(&self, function: impl FnOnce() -> Result<T>) -> Result<T> {
        call(&self.network, Some(&self.id), function)
    }

    fn key(&self) -> (String, String) {
        (self.network.clone(), self.id.clone())
    }

    /// The networks of its addresses; of a family in which the test gave it none, the pools, where a front end would have chosen one.
    fn networks(&self) -> Vec<IpNet> {
        state::with(|state| {
            let own = state.endpoints.get(&self.key()).map_or(&[][..], |(_, addresses)| addresses);
            let has = |pool: &IpNet| own.iter().any(|address| address.addr().is_ipv4() == pool.addr().is_ipv4());
            let pools = state.pools.get(&self.network).into_iter().flatten().filter(|pool| !has(pool));
            own.iter().chain(pools).copied().collect()
        })
    }

    fn sandbox_number(&self) -> Option<u32> {
        self.sandbox.as_deref().map(|key| state::with(|state| state.sandbox(key)))
    }

    /// Of Docker's options, those of a sandbox are only the ports.
    fn sandbox_options(&self) -> EndpointOptions {
        EndpointOptions {
            exposed_ports: self.options.exposed_ports.clone(),
            port_bindings: self.options.port_bindings.clone(),
            ..EndpointOptions::default()
        }
    }
}

impl<D: Driver> Endpoint<D> {
    /// `create-endpoint`; gives the MAC and the addresses that it has now.
    ///
    /// # Errors
    /// The driver's.
    pub fn create(&self) -> Result<(Option<MacAddress>, Vec<IpNet>)> {
        let of_family =
            |is_ipv4| self.addresses.iter().find(|address| address.addr().is_ipv4() == is_ipv4).copied().into();
        let interface = InterfaceCall {
            mac_address: self.options.mac_address.into(),
            address: of_family(true),
            address_ipv6: of_family(false),
            sandbox: self.sandbox_number(),
        };
        self.call(|| D::create_endpoint(&self.network, &self.id, &InterfaceInfo(&interface), &self.options))?;
        let addresses = [interface.address.take(), interface.address_ipv6.take()];
        let has = (interface.mac_address.take(), addresses.into_iter().flatten().collect::<Vec<_>>());
        state::with(|state| state.endpoints.insert(self.key(), has.clone()));
        Ok(has)
    }

    /// `join`, with the ports; gives what the driver said.
    ///
    /// # Errors
    /// The driver's; `invalid-argument` for a gateway, or a route's next hop, that the endpoint does not reach.
    pub fn join(&self) -> Result<Joined> {
        let info = JoinCall { sandbox: self.sandbox_number(), ..JoinCall::default() };
        let sandbox = self.sandbox.as_deref().unwrap_or("sandbox");
        let own = self.networks();
        self.call(|| {
            D::join(&self.network, &self.id, sandbox, &JoinInfo(&info), &self.sandbox_options())?;
            check_gateways(&own, &info.joined.borrow())
        })?;
        Ok(info.joined.take())
    }

    /// `endpoint-oper-info`.
    ///
    /// # Errors
    /// The driver's.
    pub fn oper_info(&self) -> Result<TextMap> {
        self.call(|| D::endpoint_oper_info(&self.network, &self.id))
    }

    /// `leave`.
    ///
    /// # Errors
    /// The driver's.
    pub fn leave(&self) -> Result<()> {
        self.call(|| D::leave(&self.network, &self.id))
    }

    /// `delete-endpoint`; then what is left is swept.
    ///
    /// # Errors
    /// The driver's.
    pub fn delete(&self) -> Result<()> {
        self.call(|| D::delete_endpoint(&self.network, &self.id))?;
        let owner = Owner { network: self.network.clone(), endpoint: Some(self.id.clone()) };
        state::with(|state| state.sweep(&owner));
        Ok(())
    }
}

impl<D: ExternalConnectivity> Endpoint<D> {
    /// `program-external-connectivity`, with the ports; the endpoint is the gateway of these families.
    ///
    /// # Errors
    /// The driver's.
    pub fn program(&self, ipv4: bool, ipv6: bool) -> Result<()> {
        let [ipv4, ipv6] = [ipv4, ipv6].map(|is_gateway| is_gateway.then_some(self.id.as_str()));
        let options = self.sandbox_options();
        self.call(|| D::program_external_connectivity(&self.network, &self.id, ipv4, ipv6, &options))
    }

    /// `revoke-external-connectivity`.
    ///
    /// # Errors
    /// The driver's.
    pub fn revoke(&self) -> Result<()> {
        self.call(|| D::revoke_external_connectivity(&self.network, &self.id))
    }
}

impl<D: Ipv6Releaser> Endpoint<D> {
    /// `release-ipv6`.
    ///
    /// # Errors
    /// The driver's.
    pub fn release_ipv6(&self) -> Result<()> {
        self.call(|| D::release_ipv6(&self.network, &self.id))
    }
}
