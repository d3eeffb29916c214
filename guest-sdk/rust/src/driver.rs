//! What a driver is: a trait for each part that it can have.
//!
//! The functions have no `self`, because a driver has no memory between calls: each runs in a fresh instance, and what
//! is to be remembered goes into the [`store`](crate::store). Each call is a transaction: what it changed stays if it
//! returns `Ok`, and is undone if it returns an error or panics. So there is nothing to clean up on the way out.

use std::net::IpAddr;

use crate::{
    AddressRequest, AllocatedPool, EndpointOptions, Error, InterfaceInfo, IpamData, IpamRegistration, JoinInfo,
    NetworkInfo, NetworkOptions, PoolRequest, PoolUsage, Registration, Result, SkipGateway, TableEvent, TextMap,
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

    /// Removes a network, which has no endpoints by then. Ok if it is not there. What it still owns afterwards the host sweeps away.
    ///
    /// # Errors
    /// `Forbidden` keeps an operator's network. After any other, and under Docker after this one, too, it goes without its driver.
    fn delete_network(network: &str) -> Result<()>;

    /// Makes an endpoint of a network: its links, with the addresses that `info` has.
    ///
    /// # Errors
    /// `AlreadyExists`: the endpoint is there. `InvalidArgument`: an option that can't be used. After any the endpoint is not there.
    fn create_endpoint(network: &str, endpoint: &str, info: &InterfaceInfo, options: &EndpointOptions) -> Result<()>;

    /// Removes an endpoint, also one that never joined, or did not leave. Ok if it is not there. What it still owns afterwards the host sweeps away.
    ///
    /// # Errors
    /// Any is logged, and the endpoint goes without its driver.
    fn delete_endpoint(network: &str, endpoint: &str) -> Result<()>;

    /// What there is to tell of an endpoint: JSON text by key. Nothing, unless a driver says otherwise.
    ///
    /// # Errors
    /// `NotFound`: there is no such endpoint. Any fails an operator's attach.
    fn endpoint_oper_info(_network: &str, _endpoint: &str) -> Result<TextMap> {
        Ok(TextMap::default())
    }

    /// Puts an endpoint into a sandbox: an opaque key, the same for all endpoints of one container. The options are the sandbox's, of Docker's
    /// only the two lists of ports; the endpoint's own came with `create_endpoint`.
    ///
    /// # Errors
    /// `NotFound`: there is no such endpoint. After any it has not joined; an operator's attach is taken back whole.
    fn join(network: &str, endpoint: &str, sandbox: &str, info: &JoinInfo, options: &EndpointOptions) -> Result<()>;

    /// Takes an endpoint out of its sandbox. Ok if it is in none. Nothing to do, unless a driver says otherwise.
    ///
    /// # Errors
    /// Any is logged, and the endpoint leaves all the same where it is to be deleted; dockerd's request alone fails by it.
    fn leave(_network: &str, _endpoint: &str) -> Result<()> {
        Ok(())
    }
}

/// Optional: what a network needs in a whole cluster, reserved on one host. libnetwork's `driverapi.NetworkAllocator`.
pub trait NetworkAllocator {
    /// Reserves it, where an operator makes a network of a driver of global scope; dockerd never asks. The options that it returns replace the
    /// user's and are handed to `create_network` on every host.
    ///
    /// # Errors
    /// `Unavailable`: it is used up. After any the network is not made.
    fn network_allocate(network: &str, options: &TextMap, ipv4: &[IpamData], ipv6: &[IpamData]) -> Result<TextMap>;

    /// Gives it back. Ok if there is nothing.
    ///
    /// # Errors
    /// Any is logged, and the network is gone all the same.
    fn network_free(network: &str) -> Result<()>;
}

/// Optional, and the one part that can be without [`Driver`]: address pools, and the addresses in them. libnetwork's `ipamapi.Ipam`.
///
/// What is given the host checks and records with the call, and each pool and address is released by a call when nothing has it any more.
pub trait Ipam {
    /// Called once, when the driver is loaded; the answer is pinned then. Gets no kernel, store or tables.
    fn register_ipam() -> IpamRegistration;

    /// Gives a pool, which has this id from now on. What the call writes to the store belongs to the pool and goes with it.
    ///
    /// # Errors
    /// `InvalidArgument`, `Forbidden`, `AlreadyExists`: what was asked for can't be had. `Unavailable`: no pool is left. After any nothing is given.
    fn request_pool(pool: &str, request: &PoolRequest) -> Result<AllocatedPool>;

    /// Takes a pool back, with every address in it. Ok if there is no such pool.
    ///
    /// # Errors
    /// Any is logged, and the pool is free all the same.
    fn release_pool(pool: &str) -> Result<()>;

    /// Gives an address of a pool.
    ///
    /// # Errors
    /// `NotFound`: there is no such pool. `InvalidArgument`, `AlreadyExists`: what was asked for can't be had. `Unavailable`: none is left.
    fn request_address(pool: &str, request: &AddressRequest) -> Result<IpAddr>;

    /// Takes an address back. Ok if it is free, or there is no such pool.
    ///
    /// # Errors
    /// Any is logged, and the address is free all the same.
    fn release_address(pool: &str, address: IpAddr) -> Result<()>;

    /// How much of a pool is in use. Not counted, unless a driver says otherwise.
    ///
    /// # Errors
    /// `NotFound`: there is no such pool. `NotImplemented`: the driver does not count.
    fn pool_status(_pool: &str) -> Result<PoolUsage> {
        Err(Error::not_implemented("the driver does not count"))
    }
}

/// Optional: entries that other hosts, or other owners, put into a network's tables. libnetwork's `driverapi.TableWatcher`.
pub trait TableWatcher {
    /// An entry changed in a table that [`NetworkInfo::table_event_register`] named. In order for each key, across keys
    /// in none. An event comes again until a call returns `Ok`: after a second, then ever more rarely, up to once a minute, and with the next change.
    ///
    /// # Errors
    /// Any makes it come again.
    fn event_notify(network: &str, table: &str, key: &str, event: &TableEvent) -> Result<()>;

    /// Explains an entry to a person: what it is about, and details. In a table that was registered for
    /// [`ObjectType::Endpoint`](crate::ObjectType) that is the endpoint's id, and the entry is shown beside it; else a title. Gets no kernel,
    /// store or tables.
    ///
    /// # Errors
    /// `InvalidArgument`: bytes that are no entry of the driver's. It is shown in the title's place.
    fn decode_table_entry(table: &str, key: &str, value: &[u8]) -> Result<(String, TextMap)>;
}

/// Optional: traffic between an endpoint and the outside. libnetwork's `driverapi.ExtConner`.
pub trait ExternalConnectivity {
    /// Connects the endpoint with the outside and publishes its ports. The gateways are the endpoints that are the
    /// container's gateways now: this endpoint's own id where it is the one. Called again when they change; each call replaces what the last one did.
    ///
    /// dockerd does not send the ids, and calls only the endpoint whose own part changed: they are concluded from the gateways that `join` named.
    ///
    /// # Errors
    /// `AlreadyExists`, `Unavailable`: a port is taken, or none is free. After any the endpoint is no gateway, and an attach is taken back.
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
    /// Any is logged where the endpoint leaves or goes; where another one is to become the gateway, that one does not come to be.
    fn revoke_external_connectivity(network: &str, endpoint: &str) -> Result<()>;
}

/// Optional: containers that turn out to have no IPv6. libnetwork's `driverapi.IPv6Releaser`.
pub trait Ipv6Releaser {
    /// The endpoint's IPv6 address goes back to its pool: forget it. Called between `create_endpoint` and `join` for an operator's endpoints;
    /// Docker's protocol for plugins has no such request.
    ///
    /// # Errors
    /// `NotFound`: there is no such endpoint. Any fails the attach, which is taken back whole.
    fn release_ipv6(network: &str, endpoint: &str) -> Result<()>;
}

/// Optional: networks that need no gateway address. libnetwork's `driverapi.GwAllocChecker`.
pub trait GatewayAllocationChecker {
    /// The families for which no gateway address is to be reserved. Asked before a network's pools are chosen; gets no
    /// kernel, store or tables. Only newer dockerds ask.
    ///
    /// # Errors
    /// `InvalidArgument`: an option that can't be used. Any fails the creation.
    fn skip_gateway_allocation(options: &NetworkOptions) -> Result<SkipGateway>;
}

/// Optional: what another version of the driver left in the store, in a form that this one does not read.
///
/// The host has the calls made before this version serves, where the numbers of the two differ, and commits what they wrote together with it. They write the
/// [`store`](crate::store) and nothing else. A version that is to be rolled back to after its successor has changed something needs them, too:
/// `before` is then the newer schema.
pub trait Migration {
    /// The schema of the state that this version keeps: a number of its author's. A version without this part has 0.
    fn schema() -> u32;

    /// Changes what the store has of a network, which has the schema `before`. Nothing to do, unless a driver says otherwise.
    ///
    /// # Errors
    /// After any nothing has changed, and the version that served serves on.
    fn migrate_network(_network: &str, _before: u32) -> Result<()> {
        Ok(())
    }

    /// The same for an endpoint, after its network.
    ///
    /// # Errors
    /// After any nothing has changed, and the version that served serves on.
    fn migrate_endpoint(_network: &str, _endpoint: &str, _before: u32) -> Result<()> {
        Ok(())
    }
}
