//! The exported functions: WIT values in, the driver's trait, WIT values out.

use std::marker::PhantomData;

use super::bindings::{
    driver_part, external_connectivity_part, gateway_allocation_checker_part, ipam_part, ipv6_releaser_part,
    migration_part, network_allocator_part, table_watcher_part,
};
use super::convert::{all, same_cases};
use super::wit::capabilities::{InterfaceInfo, JoinInfo, NetworkInfo};
use super::wit::types as wit;
use crate::{
    AddressRequest, AllocatedPool, Driver, ExternalConnectivity, GatewayAllocationChecker, Ipam, IpamRegistration,
    Ipv6Releaser, MacAddress, Migration, NetworkAllocator, PoolRequest, PoolUsage, Purpose, Registration, SkipGateway,
    TableWatcher, TextMap,
};

/// Puts a driver's traits behind the generated ones.
pub struct Exported<D>(PhantomData<D>);

/// A component's panic ends in a trap, which knows no message: tell the operator before.
fn report_panics() {
    std::panic::set_hook(Box::new(|panic| crate::log::error(panic.to_string())));
}

/// Runs an exported function.
fn call<T, U: From<T>>(function: impl FnOnce() -> crate::Result<T>) -> Result<U, wit::Error> {
    report_panics();
    Ok(function()?.into())
}

impl From<TextMap> for wit::TextMap {
    fn from(map: TextMap) -> Self {
        map.0
    }
}

use driver_part::exports::pontoon::driver::driver as part;

impl From<Registration> for part::Registration {
    fn from(registration: Registration) -> Self {
        let capability = wit::Capability {
            data_scope: registration.capability.data_scope.into(),
            connectivity_scope: registration.capability.connectivity_scope.into(),
        };
        Self { network_type: registration.network_type, is_built_in: registration.is_built_in, capability }
    }
}

impl<D: Driver> part::Guest for Exported<D> {
    fn register() -> part::Registration {
        report_panics();
        D::register().into()
    }

    fn create_network(
        network: String,
        options: wit::NetworkOptions,
        info: &NetworkInfo,
        ipv4: Vec<wit::IpamData>,
        ipv6: Vec<wit::IpamData>,
    ) -> Result<(), wit::Error> {
        call(|| D::create_network(&network, &options.into(), &crate::NetworkInfo(info), &all(ipv4), &all(ipv6)))
    }

    fn delete_network(network: String) -> Result<(), wit::Error> {
        call(|| D::delete_network(&network))
    }

    fn create_endpoint(
        network: String,
        endpoint: String,
        info: &InterfaceInfo,
        options: wit::EndpointOptions,
    ) -> Result<(), wit::Error> {
        call(|| D::create_endpoint(&network, &endpoint, &crate::InterfaceInfo(info), &options.into()))
    }

    fn delete_endpoint(network: String, endpoint: String) -> Result<(), wit::Error> {
        call(|| D::delete_endpoint(&network, &endpoint))
    }

    fn endpoint_oper_info(network: String, endpoint: String) -> Result<wit::TextMap, wit::Error> {
        call(|| D::endpoint_oper_info(&network, &endpoint))
    }

    fn join(
        network: String,
        endpoint: String,
        sandbox: String,
        info: &JoinInfo,
        options: wit::EndpointOptions,
    ) -> Result<(), wit::Error> {
        call(|| D::join(&network, &endpoint, &sandbox, &crate::JoinInfo(info), &options.into()))
    }

    fn leave(network: String, endpoint: String) -> Result<(), wit::Error> {
        call(|| D::leave(&network, &endpoint))
    }
}

impl<D: NetworkAllocator> network_allocator_part::exports::pontoon::driver::network_allocator::Guest for Exported<D> {
    fn network_allocate(
        network: String,
        options: wit::TextMap,
        ipv4: Vec<wit::IpamData>,
        ipv6: Vec<wit::IpamData>,
    ) -> Result<wit::TextMap, wit::Error> {
        call(|| D::network_allocate(&network, &TextMap(options), &all(ipv4), &all(ipv6)))
    }

    fn network_free(network: String) -> Result<(), wit::Error> {
        call(|| D::network_free(&network))
    }
}

use ipam_part::exports::pontoon::driver::ipam as ipam_wit;

same_cases!(ipam_wit::Purpose, Purpose, Endpoint, Gateway, Reserved);

impl From<IpamRegistration> for ipam_wit::IpamRegistration {
    fn from(said: IpamRegistration) -> Self {
        let IpamRegistration { local_address_space, global_address_space, requires_mac_address } = said;
        Self { local_address_space, global_address_space, requires_mac_address }
    }
}

impl From<ipam_wit::PoolRequest> for PoolRequest {
    fn from(request: ipam_wit::PoolRequest) -> Self {
        Self {
            address_space: request.address_space,
            pool: request.pool.map(Into::into),
            sub_pool: request.sub_pool.map(Into::into),
            ipv6: request.ipv6,
            exclude: all(request.exclude),
            options: TextMap(request.options),
        }
    }
}

impl From<AllocatedPool> for ipam_wit::AllocatedPool {
    fn from(given: AllocatedPool) -> Self {
        let reserved = given.reserved.into_iter().map(|(name, address)| (name, address.into())).collect();
        Self { pool: given.pool.into(), reserved }
    }
}

impl From<ipam_wit::AddressRequest> for AddressRequest {
    fn from(request: ipam_wit::AddressRequest) -> Self {
        Self {
            address: request.address.map(Into::into),
            purpose: request.purpose.into(),
            mac_address: request.mac_address.map(|mac| MacAddress(mac.into())),
            options: TextMap(request.options),
        }
    }
}

impl From<PoolUsage> for ipam_wit::PoolUsage {
    fn from(usage: PoolUsage) -> Self {
        Self { in_use: usage.in_use, available: usage.available }
    }
}

impl<D: Ipam> ipam_wit::Guest for Exported<D> {
    fn register_ipam() -> ipam_wit::IpamRegistration {
        report_panics();
        D::register_ipam().into()
    }

    fn request_pool(pool: String, request: ipam_wit::PoolRequest) -> Result<ipam_wit::AllocatedPool, wit::Error> {
        call(|| D::request_pool(&pool, &request.into()))
    }

    fn release_pool(pool: String) -> Result<(), wit::Error> {
        call(|| D::release_pool(&pool))
    }

    fn request_address(pool: String, request: ipam_wit::AddressRequest) -> Result<wit::IpAddress, wit::Error> {
        call(|| D::request_address(&pool, &request.into()))
    }

    fn release_address(pool: String, address: wit::IpAddress) -> Result<(), wit::Error> {
        call(|| D::release_address(&pool, address.into()))
    }

    fn pool_status(pool: String) -> Result<ipam_wit::PoolUsage, wit::Error> {
        call(|| D::pool_status(&pool))
    }
}

impl<D: TableWatcher> table_watcher_part::exports::pontoon::driver::table_watcher::Guest for Exported<D> {
    fn event_notify(network: String, table: String, key: String, event: wit::TableEvent) -> Result<(), wit::Error> {
        call(|| D::event_notify(&network, &table, &key, &event.into()))
    }

    fn decode_table_entry(table: String, key: String, value: Vec<u8>) -> Result<(String, wit::TextMap), wit::Error> {
        call(|| D::decode_table_entry(&table, &key, &value).map(|(title, details)| (title, details.0)))
    }
}

impl<D: ExternalConnectivity> external_connectivity_part::exports::pontoon::driver::external_connectivity::Guest
    for Exported<D>
{
    fn program_external_connectivity(
        network: String,
        endpoint: String,
        gateway_ipv4: Option<String>,
        gateway_ipv6: Option<String>,
        options: wit::EndpointOptions,
    ) -> Result<(), wit::Error> {
        let (ipv4, ipv6) = (gateway_ipv4.as_deref(), gateway_ipv6.as_deref());
        call(|| D::program_external_connectivity(&network, &endpoint, ipv4, ipv6, &options.into()))
    }

    fn revoke_external_connectivity(network: String, endpoint: String) -> Result<(), wit::Error> {
        call(|| D::revoke_external_connectivity(&network, &endpoint))
    }
}

impl<D: Ipv6Releaser> ipv6_releaser_part::exports::pontoon::driver::ipv6_releaser::Guest for Exported<D> {
    fn release_ipv6(network: String, endpoint: String) -> Result<(), wit::Error> {
        call(|| D::release_ipv6(&network, &endpoint))
    }
}

use gateway_allocation_checker_part::exports::pontoon::driver::gateway_allocation_checker as gateway_part;

impl From<SkipGateway> for gateway_part::SkipGateway {
    fn from(skip: SkipGateway) -> Self {
        Self { ipv4: skip.ipv4, ipv6: skip.ipv6 }
    }
}

impl<D: GatewayAllocationChecker> gateway_part::Guest for Exported<D> {
    fn skip_gateway_allocation(options: wit::NetworkOptions) -> Result<gateway_part::SkipGateway, wit::Error> {
        call(|| D::skip_gateway_allocation(&options.into()))
    }
}

impl<D: Migration> migration_part::exports::pontoon::driver::migration::Guest for Exported<D> {
    fn schema() -> u32 {
        report_panics();
        D::schema()
    }

    fn migrate_network(network: String, before: u32) -> Result<(), wit::Error> {
        call(|| D::migrate_network(&network, before))
    }

    fn migrate_endpoint(network: String, endpoint: String, before: u32) -> Result<(), wit::Error> {
        call(|| D::migrate_endpoint(&network, &endpoint, before))
    }
}
