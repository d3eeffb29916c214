//! The draft of the interface's next track (`wit/draft`), in words of the released one: all that the rest of the host knows is 0.1.
//!
//! What did not change is 0.1's own, types and resources too; this converts what did. Nothing here answers a driver: each function ends in asks of 0.1,
//! which are admitted, checked, counted and recorded as every other ask is.

use ask::{Arguments, OWN, PACKAGE, Refusal, Returned};
use wasmtime::component::{Component, HasSelf, Linker, Resource};
use words::{Error, Kind};

use crate::bindings::Convert;
use crate::bindings::imports::{capabilities, links, namespaces, routes as routes1, types};
use crate::call::{Started, State};

mod generated {
    wasmtime::component::bindgen!({
        path: ["../../wit", "../../wit/draft"],
        world: "pontoon:driver/driver-part@0.2.0-draft",
        imports: { default: trappable },
        with: { "pontoon:driver@0.1.1": crate::bindings::imports },
        trappable_error_type: { "pontoon:driver/types@0.1.1.error" => ask::Refusal },
    });
}

use generated::DriverPart;
use generated::exports::pontoon::driver0_2_0_draft::driver::{Registration, Settled};
use generated::pontoon::driver0_2_0_draft::{requests, routes};

/// The part that every driver exports, and the only one that the draft changes.
const DRIVER: &str = "driver";

/// Gives a linker what the draft has beside 0.1.
pub fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    requests::add_to_linker::<_, HasSelf<_>>(linker, requests::LinkOptions::default().draft(true), |state| state)?;
    routes::add_to_linker::<_, HasSelf<_>>(linker, routes::LinkOptions::default().draft(true), |state| state)
}

/// Whether a component's driver is the draft's. One that is a driver of 0.1 as well is called as that.
pub fn is_exported(component: &Component) -> bool {
    let exports = |version| component.get_export_index(None, format!("{PACKAGE}/{DRIVER}@{version}")).is_some();
    exports(ask::DRAFT) && !exports(ask::VERSION)
}

/// Whether the draft has another text of a part.
pub fn changes(part: &str) -> bool {
    part == DRIVER
}

/// Compares the type of each function of the part with the draft's.
pub fn compare_exports(started: &mut Started) -> wasmtime::Result<()> {
    DriverPart::new(&mut started.store, &started.instance).map(drop)
}

/// Calls a function of the part with its arguments.
pub fn call_export(
    started: &mut Started,
    arguments: Arguments,
) -> wasmtime::Result<std::result::Result<Returned, types::Error>> {
    let part = DriverPart::new(&mut started.store, &started.instance)?;
    let (driver, store) = (part.pontoon_driver0_2_0_draft_driver(), &mut started.store);
    Ok(match arguments {
        Arguments::Register => Ok(Returned::Register(driver.call_register(store)?.convert())),
        Arguments::CreateNetwork { network, options, ipv4, ipv6 } => {
            let pools: Vec<types::IpamData> = ipv4.into_iter().chain(ipv6).map(Convert::convert).collect();
            let (info, options) = (Resource::new_borrow(OWN), options.convert());
            match driver.call_create_network(&mut *store, &network, &options, info, &pools)? {
                Ok(settled) => settle(store.data_mut(), settled)?.map(|()| Returned::CreateNetwork(())),
                Err(error) => Err(error),
            }
        }
        Arguments::DeleteNetwork { network } => {
            driver.call_delete_network(store, &network)?.map(Returned::DeleteNetwork)
        }
        Arguments::CreateEndpoint { network, endpoint, options } => {
            let (info, options) = (Resource::new_borrow(OWN), options.convert());
            driver.call_create_endpoint(store, &network, &endpoint, info, &options)?.map(Returned::CreateEndpoint)
        }
        Arguments::DeleteEndpoint { network, endpoint } => {
            driver.call_delete_endpoint(store, &network, &endpoint)?.map(Returned::DeleteEndpoint)
        }
        Arguments::EndpointOperInfo { network, endpoint } => {
            driver.call_endpoint_oper_info(store, &network, &endpoint)?.map(Returned::EndpointOperInfo)
        }
        Arguments::Join { network, endpoint, sandbox, options } => {
            let (info, options) = (Resource::new_borrow(OWN), options.convert());
            driver.call_join(store, &network, &endpoint, &sandbox, info, &options)?.map(Returned::Join)
        }
        Arguments::Leave { network, endpoint } => driver.call_leave(store, &network, &endpoint)?.map(Returned::Leave),
        other => return Err(wasmtime::Error::msg(format!("the draft's {DRIVER} has no {}", other.function()))),
    })
}

/// What the driver settled, as it would have asked for it during the call.
fn settle(state: &mut State, settled: Vec<Settled>) -> wasmtime::Result<std::result::Result<(), types::Error>> {
    for Settled::Pools(pools) in settled {
        let info = Resource::new_borrow(OWN);
        if let Err(refusal) = capabilities::HostNetworkInfo::update_ipam_config(state, info, pools) {
            return types::Host::convert_error(state, refusal).map(Err);
        }
    }
    Ok(Ok(()))
}

impl Convert<ask::driver::Registration> for Registration {
    fn convert(self) -> ask::driver::Registration {
        ask::driver::Registration {
            network_type: self.network_type,
            is_built_in: self.is_built_in,
            capability: self.capability.convert(),
        }
    }
}

/// The handle of 0.1 for the same object.
fn same<T: 'static, U: 'static>(handle: &Resource<T>) -> Resource<U> {
    Resource::new_borrow(handle.rep())
}

impl requests::Host for State {}

impl requests::HostInterfaceInfo for State {
    fn mac_address(&mut self, this: Resource<requests::InterfaceInfo>) -> wasmtime::Result<Option<types::MacAddress>> {
        capabilities::HostInterfaceInfo::mac_address(self, same(&this))
    }

    fn set_mac_address(
        &mut self,
        this: Resource<requests::InterfaceInfo>,
        mac_address: types::MacAddress,
    ) -> std::result::Result<(), Refusal> {
        capabilities::HostInterfaceInfo::set_mac_address(self, same(&this), mac_address)
    }

    fn addresses(&mut self, this: Resource<requests::InterfaceInfo>) -> wasmtime::Result<Vec<types::IpNetwork>> {
        let ipv4 = capabilities::HostInterfaceInfo::address(self, same(&this))?;
        let ipv6 = capabilities::HostInterfaceInfo::address_ipv6(self, same(&this))?;
        Ok(ipv4.into_iter().chain(ipv6).collect())
    }

    fn add_address(
        &mut self,
        this: Resource<requests::InterfaceInfo>,
        address: types::IpNetwork,
    ) -> std::result::Result<(), Refusal> {
        capabilities::HostInterfaceInfo::set_ip_address(self, same(&this), address)
    }

    fn sandbox(
        &mut self,
        this: Resource<requests::InterfaceInfo>,
    ) -> wasmtime::Result<Option<Resource<namespaces::Namespace>>> {
        capabilities::HostInterfaceInfo::sandbox(self, same(&this))
    }

    fn drop(&mut self, this: Resource<requests::InterfaceInfo>) -> wasmtime::Result<()> {
        capabilities::HostInterfaceInfo::drop(self, same(&this))
    }
}

impl requests::HostJoinInfo for State {
    fn interface_name(
        &mut self,
        this: Resource<requests::JoinInfo>,
    ) -> wasmtime::Result<Resource<capabilities::InterfaceNameInfo>> {
        capabilities::HostJoinInfo::interface_name(self, same(&this))
    }

    fn sandbox(
        &mut self,
        this: Resource<requests::JoinInfo>,
    ) -> wasmtime::Result<Option<Resource<namespaces::Namespace>>> {
        capabilities::HostJoinInfo::sandbox(self, same(&this))
    }

    fn set_gateway(
        &mut self,
        this: Resource<requests::JoinInfo>,
        gateway: types::IpAddress,
    ) -> std::result::Result<(), Refusal> {
        capabilities::HostJoinInfo::set_gateway(self, same(&this), gateway)
    }

    fn add_route(
        &mut self,
        this: Resource<requests::JoinInfo>,
        route: routes::Route,
    ) -> std::result::Result<(), Refusal> {
        let routes::Route { destination, gateway, source, table, metric } = route;
        if source.is_some() || table.is_some() || metric.is_some() {
            let text = "a route in a container has no source, no table and no metric yet: leave them out";
            return Err(Error::new(Kind::NotImplemented, text).into());
        }
        let kind = match gateway {
            Some(_) => capabilities::RouteType::NextHop,
            None => capabilities::RouteType::Connected,
        };
        capabilities::HostJoinInfo::add_static_route(self, same(&this), destination, kind, gateway)
    }

    fn disable_gateway_service(&mut self, this: Resource<requests::JoinInfo>) -> wasmtime::Result<()> {
        capabilities::HostJoinInfo::disable_gateway_service(self, same(&this))
    }

    fn force_gateway_ipv4(&mut self, this: Resource<requests::JoinInfo>) -> wasmtime::Result<()> {
        capabilities::HostJoinInfo::force_gateway_ipv4(self, same(&this))
    }

    fn force_gateway_ipv6(&mut self, this: Resource<requests::JoinInfo>) -> wasmtime::Result<()> {
        capabilities::HostJoinInfo::force_gateway_ipv6(self, same(&this))
    }

    fn add_table_entry(
        &mut self,
        this: Resource<requests::JoinInfo>,
        table: String,
        key: String,
        value: Vec<u8>,
    ) -> std::result::Result<(), Refusal> {
        capabilities::HostJoinInfo::add_table_entry(self, same(&this), table, key, value)
    }

    fn drop(&mut self, this: Resource<requests::JoinInfo>) -> wasmtime::Result<()> {
        capabilities::HostJoinInfo::drop(self, same(&this))
    }
}

/// The routes as 0.1 has them: each names its link.
fn through(link: &Resource<links::Link>, routes: Vec<routes::Route>) -> Vec<routes1::Route> {
    let one = |routes::Route { destination, gateway, source, table, metric }| routes1::Route {
        link: same(link),
        destination,
        gateway,
        source,
        table,
        metric,
    };
    routes.into_iter().map(one).collect()
}

/// The kernel's main table (RT_TABLE_MAIN), which a route without a table is in.
const MAIN: u32 = 254;

impl routes::Host for State {
    fn add(&mut self, link: Resource<links::Link>, routes: Vec<routes::Route>) -> std::result::Result<(), Refusal> {
        routes1::Host::add(self, through(&link, routes))
    }

    fn remove(&mut self, link: Resource<links::Link>, routes: Vec<routes::Route>) -> std::result::Result<(), Refusal> {
        routes1::Host::remove(self, through(&link, routes))
    }

    fn list(&mut self, link: Resource<links::Link>) -> std::result::Result<Vec<routes::Route>, Refusal> {
        let found = routes1::Host::list_whole(self, link)?;
        let one = |routes1::WholeRoute { destination, gateway, source, table, metric }| routes::Route {
            destination,
            gateway,
            source,
            table: Some(table).filter(|table| *table != MAIN),
            metric,
        };
        Ok(found.into_iter().map(one).collect())
    }
}
