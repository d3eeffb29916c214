//! What a driver is: a trait for each part that it can have.
//!
//! The functions have no `self`, because a driver has no memory between calls: each runs in a fresh instance, and what
//! is to be remembered goes into the [`store`](crate::store). Each call is a transaction: what it changed stays if it
//! returns `Ok`, and is undone if it returns an error or panics. So there is nothing to clean up on the way out.

use crate::{
    EndpointOptions, InterfaceInfo, IpamData, JoinInfo, NetworkInfo, NetworkOptions, Registration, Result, SkipGateway,
    TableEvent, TextMap,
};

/// The part that every driver has: libnetwork's `driverapi.Driver`. Export it with
/// [`export_driver!`](crate::export_driver).
pub trait Driver {
    /// What the driver says of itself. Called once, when it is loaded; gets no kernel, store or tables.
    fn register() -> Registration;

    /// Makes a network. Called again with the same arguments after a reboot, with the store of this network empty.
    ///
    /// # Errors
    /// `AlreadyExists`: the network is there.
    fn create_network(
        network: &str,
        options: &NetworkOptions,
        info: &NetworkInfo,
        ipv4: &[IpamData],
        ipv6: &[IpamData],
    ) -> Result<()>;

    /// Removes a network. Ok if it is not there.
    ///
    /// # Errors
    /// Whatever keeps it from going.
    fn delete_network(network: &str) -> Result<()>;

    /// Makes an endpoint of a network.
    ///
    /// # Errors
    /// Whatever keeps it from being made.
    fn create_endpoint(network: &str, endpoint: &str, info: &InterfaceInfo, options: &EndpointOptions) -> Result<()>;

    /// Removes an endpoint. Ok if it is not there.
    ///
    /// # Errors
    /// Whatever keeps it from going.
    fn delete_endpoint(network: &str, endpoint: &str) -> Result<()>;

    /// What there is to tell of an endpoint: JSON text by key. Nothing, unless a driver says otherwise.
    ///
    /// # Errors
    /// Whatever keeps it from being told.
    fn endpoint_oper_info(_network: &str, _endpoint: &str) -> Result<TextMap> {
        Ok(TextMap::default())
    }

    /// Puts an endpoint into a sandbox: an opaque key, the same for all endpoints of one container.
    ///
    /// # Errors
    /// Whatever keeps it out.
    fn join(network: &str, endpoint: &str, sandbox: &str, info: &JoinInfo, options: &EndpointOptions) -> Result<()>;

    /// Takes an endpoint out of its sandbox. Ok if it is in none. Nothing to do, unless a driver says otherwise.
    ///
    /// # Errors
    /// Whatever keeps it in.
    fn leave(_network: &str, _endpoint: &str) -> Result<()> {
        Ok(())
    }
}

/// Optional: what a network needs in a whole cluster, reserved on one host. libnetwork's `driverapi.NetworkAllocator`.
pub trait NetworkAllocator {
    /// Reserves it. The options that it returns replace the user's and are handed to `create_network` on every host.
    ///
    /// # Errors
    /// Whatever can't be had.
    fn network_allocate(network: &str, options: &TextMap, ipv4: &[IpamData], ipv6: &[IpamData]) -> Result<TextMap>;

    /// Gives it back. Ok if there is nothing.
    ///
    /// # Errors
    /// Whatever keeps it from being given back.
    fn network_free(network: &str) -> Result<()>;
}

/// Optional: entries that other hosts, or other owners, put into a network's tables. libnetwork's `driverapi.TableWatcher`.
pub trait TableWatcher {
    /// An entry changed in a table that [`NetworkInfo::table_event_register`] named. In order for each key, across keys
    /// in none. An event comes again until a call returns `Ok`.
    ///
    /// # Errors
    /// Whatever makes it come again.
    fn event_notify(network: &str, table: &str, key: &str, event: &TableEvent) -> Result<()>;

    /// Explains an entry to a person: a title and details. Gets no kernel, store or tables.
    ///
    /// # Errors
    /// What is wrong with the entry.
    fn decode_table_entry(table: &str, key: &str, value: &[u8]) -> Result<(String, TextMap)>;
}

/// Optional: traffic between an endpoint and the outside. libnetwork's `driverapi.ExtConner`.
pub trait ExternalConnectivity {
    /// Connects the endpoint with the outside and publishes its ports. The gateways are the endpoints that are the
    /// container's gateways now: this endpoint's own id where it is the one. Each call replaces what the last one did.
    ///
    /// # Errors
    /// `AlreadyExists`: a port is taken.
    fn program_external_connectivity(
        network: &str,
        endpoint: &str,
        gateway_ipv4: Option<&str>,
        gateway_ipv6: Option<&str>,
        options: &EndpointOptions,
    ) -> Result<()>;

    /// Undoes it. Ok if there is nothing. An endpoint may leave without it: `leave` and `delete_endpoint` have to undo
    /// it too.
    ///
    /// # Errors
    /// Whatever keeps it from being undone.
    fn revoke_external_connectivity(network: &str, endpoint: &str) -> Result<()>;
}

/// Optional: containers that turn out to have no IPv6. libnetwork's `driverapi.IPv6Releaser`.
pub trait Ipv6Releaser {
    /// The endpoint's IPv6 address goes back to its pool: forget it. Called between `create_endpoint` and `join`.
    ///
    /// # Errors
    /// Whatever keeps it from being forgotten.
    fn release_ipv6(network: &str, endpoint: &str) -> Result<()>;
}

/// Optional: networks that need no gateway address. libnetwork's `driverapi.GwAllocChecker`.
pub trait GatewayAllocationChecker {
    /// The families for which no gateway address is to be reserved. Asked before a network's pools are chosen; gets no
    /// kernel, store or tables.
    ///
    /// # Errors
    /// `InvalidArgument`: an option that can't be read.
    fn skip_gateway_allocation(options: &NetworkOptions) -> Result<SkipGateway>;
}
