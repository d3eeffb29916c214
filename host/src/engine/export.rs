//! One function for each function that a driver exports: the host's values to WIT, the call, and back.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use wasmtime::Store;
use wasmtime::component::Resource;

use super::arguments::Arguments;
use super::bindings::imports::types as wit;
use super::bindings::{
    driver_part, exported, external_connectivity_part as connectivity, gateway_allocation_checker_part as checker,
    ipv6_releaser_part as releaser, network_allocator_part as allocator, table_watcher_part as watcher,
};
use super::code::Code;
use super::run::{Outcome, run};
use super::state::CallState;
use crate::capability::convert::{self, address_to_wit, mac_to_wit, network_to_wit};
use crate::capability::handle::{InterfaceInfo, JoinInfo, NetworkInfo};
use operation::driver::Scope;
use operation::endpoint::PortBinding;
use operation::engine::{EndpointOptions, Labels, NetworkOptions, PoolData, TransportPort};
use words::{Error, Id};

/// What a driver says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// What it calls its kind of network.
    pub network_type: String,
    /// It claims to be part of the engine.
    pub is_built_in: bool,
    /// Where its networks are known.
    pub data_scope: Scope,
    /// How far they connect.
    pub connectivity_scope: Scope,
}

/// What happened to a table entry: the bytes before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the WIT's cases, documented there")]
pub enum TableEvent {
    Created(Vec<u8>),
    Updated { previous: Vec<u8>, value: Vec<u8> },
    Deleted(Vec<u8>),
}

impl Code {
    /// Whether every part that it exports has the types of the interface. wasmtime compares the types of exported functions when
    /// they are looked up in an instance, which for a part would be at its first use.
    pub fn fits(&self, state: CallState) -> Outcome<()> {
        run(self, state, None, |store| {
            let instance = self.driver.instance_pre().instantiate(&mut *store)?;
            let mut parts = vec![("driver", driver_part::DriverPart::new(&mut *store, &instance).map(drop))];
            if self.allocator.is_some() {
                parts.push((
                    "network-allocator",
                    allocator::NetworkAllocatorPart::new(&mut *store, &instance).map(drop),
                ));
            }
            if self.watcher.is_some() {
                parts.push(("table-watcher", watcher::TableWatcherPart::new(&mut *store, &instance).map(drop)));
            }
            if self.connectivity.is_some() {
                parts.push((
                    "external-connectivity",
                    connectivity::ExternalConnectivityPart::new(&mut *store, &instance).map(drop),
                ));
            }
            if self.releaser.is_some() {
                parts.push(("ipv6-releaser", releaser::Ipv6ReleaserPart::new(&mut *store, &instance).map(drop)));
            }
            if self.checker.is_some() {
                parts.push((
                    "gateway-allocation-checker",
                    checker::GatewayAllocationCheckerPart::new(&mut *store, &instance).map(drop),
                ));
            }
            Ok(parts.into_iter().try_for_each(|(name, typed)| typed.map_err(|e| misfit(name, &e))))
        })
    }

    /// `driver.register`
    pub fn register(&self, state: CallState) -> Outcome<Registration> {
        run(self, state, None, |store| {
            let r = self.driver.instantiate(&mut *store)?.pontoon_driver_driver().call_register(&mut *store)?;
            Ok(Ok(Registration {
                network_type: r.network_type,
                is_built_in: r.is_built_in,
                data_scope: scope(r.capability.data_scope),
                connectivity_scope: scope(r.capability.connectivity_scope),
            }))
        })
    }

    /// `driver.create-network`
    pub fn create_network(
        &self,
        state: CallState,
        network: &Id,
        options: &NetworkOptions,
        ipv4: &[PoolData],
        ipv6: &[PoolData],
    ) -> Outcome<()> {
        let arguments = Arguments::CreateNetwork {
            network: network.clone(),
            options: options.clone(),
            ipv4: ipv4.to_vec(),
            ipv6: ipv6.to_vec(),
        };
        run(self, state, arguments, |store| {
            let instance = self.driver.instantiate(&mut *store)?;
            let info = Resource::<NetworkInfo>::new_borrow(0);
            let (ipv4, ipv6) = (pools(ipv4), pools(ipv6));
            instance.pontoon_driver_driver().call_create_network(
                store,
                network.as_str(),
                &network_options(options),
                info,
                &ipv4,
                &ipv6,
            )
        })
    }

    /// `driver.delete-network`
    pub fn delete_network(&self, state: CallState, network: &Id) -> Outcome<()> {
        let arguments = Arguments::DeleteNetwork { network: network.clone() };
        self.plain(state, arguments, |driver, store| driver.call_delete_network(store, network.as_str()))
    }

    /// `driver.create-endpoint`
    pub fn create_endpoint(
        &self,
        state: CallState,
        network: &Id,
        endpoint: &Id,
        options: &EndpointOptions,
    ) -> Outcome<()> {
        let arguments = Arguments::CreateEndpoint {
            network: network.clone(),
            endpoint: endpoint.clone(),
            options: options.clone(),
        };
        let options = endpoint_options(options);
        self.plain(state, arguments, |driver, store| {
            let info = Resource::<InterfaceInfo>::new_borrow(0);
            driver.call_create_endpoint(store, network.as_str(), endpoint.as_str(), info, &options)
        })
    }

    /// `driver.delete-endpoint`
    pub fn delete_endpoint(&self, state: CallState, network: &Id, endpoint: &Id) -> Outcome<()> {
        let arguments = Arguments::DeleteEndpoint { network: network.clone(), endpoint: endpoint.clone() };
        self.plain(state, arguments, |driver, store| {
            driver.call_delete_endpoint(store, network.as_str(), endpoint.as_str())
        })
    }

    /// `driver.endpoint-oper-info`
    pub fn endpoint_oper_info(&self, state: CallState, network: &Id, endpoint: &Id) -> Outcome<Labels> {
        let arguments = Arguments::EndpointOperInfo { network: network.clone(), endpoint: endpoint.clone() };
        let outcome = self.plain(state, arguments, |driver, store| {
            driver.call_endpoint_oper_info(store, network.as_str(), endpoint.as_str())
        });
        Outcome { state: outcome.state, result: outcome.result.map(|map| map.into_iter().collect()) }
    }

    /// `driver.join`
    pub fn join(
        &self,
        state: CallState,
        network: &Id,
        endpoint: &Id,
        sandbox: &str,
        options: &EndpointOptions,
    ) -> Outcome<()> {
        let arguments = Arguments::Join {
            network: network.clone(),
            endpoint: endpoint.clone(),
            sandbox: sandbox.to_owned(),
            options: options.clone(),
        };
        let options = endpoint_options(options);
        self.plain(state, arguments, |driver, store| {
            let info = Resource::<JoinInfo>::new_borrow(0);
            driver.call_join(store, network.as_str(), endpoint.as_str(), sandbox, info, &options)
        })
    }

    /// `driver.leave`
    pub fn leave(&self, state: CallState, network: &Id, endpoint: &Id) -> Outcome<()> {
        let arguments = Arguments::Leave { network: network.clone(), endpoint: endpoint.clone() };
        self.plain(state, arguments, |driver, store| driver.call_leave(store, network.as_str(), endpoint.as_str()))
    }

    fn plain<T>(
        &self,
        state: CallState,
        arguments: Arguments,
        call: impl FnOnce(&exported::Guest, &mut Store<CallState>) -> wasmtime::Result<Result<T, wit::Error>>,
    ) -> Outcome<T> {
        run(self, state, arguments, |store| {
            let instance = self.driver.instantiate(&mut *store)?;
            call(instance.pontoon_driver_driver(), store)
        })
    }

    /// `network-allocator.network-allocate`
    pub fn network_allocate(
        &self,
        state: CallState,
        network: &Id,
        options: &Labels,
        ipv4: &[PoolData],
        ipv6: &[PoolData],
    ) -> Outcome<Labels> {
        let arguments = Arguments::NetworkAllocate {
            network: network.clone(),
            options: options.clone(),
            ipv4: ipv4.to_vec(),
            ipv6: ipv6.to_vec(),
        };
        let options = text(options);
        let outcome = run(self, state, arguments, |store| {
            let Some(part) = &self.allocator else { return Ok(Err(absent("network-allocator"))) };
            let instance = part.instantiate(&mut *store)?;
            let (ipv4, ipv6) = (pools(ipv4), pools(ipv6));
            instance.pontoon_driver_network_allocator().call_network_allocate(
                store,
                network.as_str(),
                &options,
                &ipv4,
                &ipv6,
            )
        });
        Outcome { state: outcome.state, result: outcome.result.map(|map| map.into_iter().collect()) }
    }

    /// `network-allocator.network-free`
    pub fn network_free(&self, state: CallState, network: &Id) -> Outcome<()> {
        let arguments = Arguments::NetworkFree { network: network.clone() };
        run(self, state, arguments, |store| {
            let Some(part) = &self.allocator else { return Ok(Ok(())) };
            part.instantiate(&mut *store)?.pontoon_driver_network_allocator().call_network_free(store, network.as_str())
        })
    }

    /// `table-watcher.event-notify`
    pub fn event_notify(
        &self,
        state: CallState,
        network: &Id,
        table: &str,
        key: &str,
        event: TableEvent,
    ) -> Outcome<()> {
        let arguments = Arguments::EventNotify {
            network: network.clone(),
            table: table.to_owned(),
            key: key.to_owned(),
            event: event.clone(),
        };
        let event = match event {
            TableEvent::Created(value) => wit::TableEvent::Created(value),
            TableEvent::Updated { previous, value } => wit::TableEvent::Updated(wit::TableUpdate { previous, value }),
            TableEvent::Deleted(previous) => wit::TableEvent::Deleted(previous),
        };
        run(self, state, arguments, |store| {
            let Some(part) = &self.watcher else { return Ok(Err(absent("table-watcher"))) };
            let instance = part.instantiate(&mut *store)?;
            instance.pontoon_driver_table_watcher().call_event_notify(store, network.as_str(), table, key, &event)
        })
    }

    /// `table-watcher.decode-table-entry`
    pub fn decode_table_entry(
        &self,
        state: CallState,
        table: &str,
        key: &str,
        value: &[u8],
    ) -> Outcome<(String, Labels)> {
        let arguments =
            Arguments::DecodeTableEntry { table: table.to_owned(), key: key.to_owned(), value: value.to_vec() };
        let outcome = run(self, state, arguments, |store| {
            let Some(part) = &self.watcher else { return Ok(Err(absent("table-watcher"))) };
            let instance = part.instantiate(&mut *store)?;
            instance.pontoon_driver_table_watcher().call_decode_table_entry(store, table, key, value)
        });
        Outcome { state: outcome.state, result: outcome.result.map(|(title, map)| (title, map.into_iter().collect())) }
    }

    /// `external-connectivity.program-external-connectivity`
    pub fn program_external_connectivity(
        &self,
        state: CallState,
        network: &Id,
        endpoint: &Id,
        gateways: [Option<&Id>; 2],
        options: &EndpointOptions,
    ) -> Outcome<()> {
        let arguments = Arguments::ProgramExternalConnectivity {
            network: network.clone(),
            endpoint: endpoint.clone(),
            gateways: gateways.map(|g| g.cloned()),
            options: options.clone(),
        };
        let options = endpoint_options(options);
        run(self, state, arguments, |store| {
            let Some(part) = &self.connectivity else { return Ok(Err(absent("external-connectivity"))) };
            let instance = part.instantiate(&mut *store)?;
            let [ipv4, ipv6] = gateways.map(|g| g.map(Id::as_str));
            let part = instance.pontoon_driver_external_connectivity();
            part.call_program_external_connectivity(store, network.as_str(), endpoint.as_str(), ipv4, ipv6, &options)
        })
    }

    /// `external-connectivity.revoke-external-connectivity`
    pub fn revoke_external_connectivity(&self, state: CallState, network: &Id, endpoint: &Id) -> Outcome<()> {
        let arguments = Arguments::RevokeExternalConnectivity { network: network.clone(), endpoint: endpoint.clone() };
        run(self, state, arguments, |store| {
            let Some(part) = &self.connectivity else { return Ok(Ok(())) };
            let instance = part.instantiate(&mut *store)?;
            let part = instance.pontoon_driver_external_connectivity();
            part.call_revoke_external_connectivity(store, network.as_str(), endpoint.as_str())
        })
    }

    /// `ipv6-releaser.release-ipv6`
    pub fn release_ipv6(&self, state: CallState, network: &Id, endpoint: &Id) -> Outcome<()> {
        let arguments = Arguments::ReleaseIpv6 { network: network.clone(), endpoint: endpoint.clone() };
        run(self, state, arguments, |store| {
            let Some(part) = &self.releaser else { return Ok(Ok(())) };
            part.instantiate(&mut *store)?.pontoon_driver_ipv6_releaser().call_release_ipv6(
                store,
                network.as_str(),
                endpoint.as_str(),
            )
        })
    }

    /// `gateway-allocation-checker.skip-gateway-allocation`: whether to skip IPv4 and IPv6.
    pub fn skip_gateway_allocation(&self, state: CallState, options: &NetworkOptions) -> Outcome<(bool, bool)> {
        let arguments = Arguments::SkipGatewayAllocation { options: options.clone() };
        run(self, state, arguments, |store| {
            let Some(part) = &self.checker else { return Ok(Ok((false, false))) };
            let instance = part.instantiate(&mut *store)?;
            let part = instance.pontoon_driver_gateway_allocation_checker();
            Ok(part.call_skip_gateway_allocation(store, &network_options(options))?.map(|skip| (skip.ipv4, skip.ipv6)))
        })
    }
}

fn misfit(part: &str, error: &wasmtime::Error) -> wit::Error {
    convert::error_to_wit(Error::invalid(format!(
        "the component's part {part} does not have the interface's types: {error:#}"
    )))
}

fn absent(part: &str) -> wit::Error {
    convert::error_to_wit(Error::new(words::Kind::NotImplemented, format!("the driver does not export {part}")))
}

fn scope(scope: wit::Scope) -> Scope {
    match scope {
        wit::Scope::Local => Scope::Local,
        wit::Scope::Global => Scope::Global,
    }
}

fn text(map: &Labels) -> Vec<(String, String)> {
    map.iter().map(|(k, v)| (k.clone(), v.clone())).collect()
}

fn pools(pools: &[PoolData]) -> Vec<wit::IpamData> {
    let one = |data: &PoolData| wit::IpamData {
        address_space: data.address_space.clone(),
        pool: data.pool.map(network_to_wit),
        gateway: data.gateway.map(network_to_wit),
        aux_addresses: data.aux_addresses.iter().map(|(k, v)| (k.clone(), network_to_wit(*v))).collect(),
    };
    pools.iter().map(one).collect()
}

fn network_options(options: &NetworkOptions) -> wit::NetworkOptions {
    let NetworkOptions { generic, ipv4, ipv6, internal, other } = options;
    wit::NetworkOptions { generic: text(generic), ipv4: *ipv4, ipv6: *ipv6, internal: *internal, other: text(other) }
}

fn endpoint_options(options: &EndpointOptions) -> wit::EndpointOptions {
    let binding = |p: &PortBinding| wit::PortBinding {
        protocol: p.protocol as u8,
        container_address: None,
        container_port: p.container_port,
        host_address: p.host_address.map(|a: IpAddr| address_to_wit(a)),
        host_port: p.host_port,
        host_port_end: p.host_port_end,
    };
    let exposed = |p: &TransportPort| wit::TransportPort { protocol: p.protocol as u8, port: p.port };
    wit::EndpointOptions {
        mac_address: options.mac.map(mac_to_wit),
        exposed_ports: options.exposed_ports.iter().map(exposed).collect(),
        port_bindings: options.port_bindings.iter().map(binding).collect(),
        generic: text(&options.generic),
        other: text(&options.other),
    }
}
