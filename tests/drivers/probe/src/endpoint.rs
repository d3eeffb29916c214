//! An endpoint: a pair of links, and the actions that its options name.

use pontoon_sdk::links::{self, LinkEnd, LinkSpec};
use pontoon_sdk::namespaces::Namespace;
use pontoon_sdk::{EndpointOptions, InterfaceInfo, JoinInfo, MacAddress, Result};

use crate::network::{Network, digits, remove_link};
use crate::settings::{self, Settings};
use crate::{actions, notes};

/// The names of the end on the host and of the container's.
fn names(network: &str, endpoint: &str) -> [String; 2] {
    let digits = digits(&format!("{network}/{endpoint}"));
    [format!("pbh{digits}"), format!("pbc{digits}")]
}

pub(crate) fn create(network: &str, endpoint: &str, info: &InterfaceInfo, options: &EndpointOptions) -> Result<()> {
    let record = Network::find(network)?;
    settings::remember(&format!("{network}/{endpoint}"), &options.generic)?;
    let (mac, ipv4, ipv6) = (info.mac_address(), info.address(), info.address_ipv6());
    let sandbox = if info.sandbox().is_some() { "known" } else { "unknown" };
    let line = format!("create-endpoint: {mac:?} {ipv4:?} {ipv6:?} sandbox {sandbox} {options:?}");
    notes::of_endpoint(network, endpoint).add(&line)?;
    let settings = Settings::of_endpoint(network, endpoint)?;
    settings.get("probe.mac").map_or(Ok(()), |mac| info.set_mac_address(mac.parse()?))?;
    if settings.get("probe.links") != Some("no") {
        let sandbox = info.sandbox().filter(|_| settings.get("probe.in-sandbox") == Some("yes"));
        add_pair(network, endpoint, &record, mac, sandbox.as_ref())?;
    }
    actions::of_endpoint(network, endpoint, &record, &options.generic, info)
}

fn add_pair(
    network: &str,
    endpoint: &str,
    record: &Network,
    mac_address: Option<MacAddress>,
    namespace: Option<&Namespace>,
) -> Result<()> {
    let [host, container] = names(network, endpoint);
    let bridge = record.bridge.as_deref().map(|name| links::get(None, name)).transpose()?;
    let host = LinkEnd { master: bridge.as_ref(), up: true, ..LinkEnd::named(host) };
    links::add_one(LinkSpec::veth(host, LinkEnd { namespace, mac_address, ..LinkEnd::named(container) }))?;
    Ok(())
}

pub(crate) fn delete(network: &str, endpoint: &str) -> Result<()> {
    settings::forget(&format!("{network}/{endpoint}"))?;
    notes::of_endpoint(network, endpoint).forget()?;
    let [host, _] = names(network, endpoint);
    remove_link(&host)
}

pub(crate) fn join(
    network: &str,
    endpoint: &str,
    sandbox: &str,
    info: &JoinInfo,
    options: &EndpointOptions,
) -> Result<()> {
    let namespace = info.sandbox();
    let known = if namespace.is_some() { "known" } else { "unknown" };
    notes::of_endpoint(network, endpoint).add(&format!("join: {sandbox} {known} {options:?}"))?;
    let settings = Settings::of_endpoint(network, endpoint)?;
    if settings.get("probe.links") != Some("no") {
        let [_, container] = names(network, endpoint);
        let namespace = namespace.filter(|_| settings.get("probe.in-sandbox") == Some("yes"));
        info.interface_name().set_names(&links::get(namespace.as_ref(), &container)?, "eth", None)?;
    }
    let record = Network::find(network)?;
    match settings.get("probe.gateway") {
        None => {}
        Some("yes") => {
            let gateways = record.ipv4.iter().chain(&record.ipv6).filter_map(|data| data.gateway);
            gateways.map(|gateway| gateway.addr()).try_for_each(|gateway| info.set_gateway(gateway))?;
        }
        Some(address) => info.set_gateway(address.parse()?)?,
    }
    actions::of_join(network, endpoint, &record, &settings, info)
}

pub(crate) fn program(
    network: &str,
    endpoint: &str,
    gateways: [Option<&str>; 2],
    options: &EndpointOptions,
) -> Result<()> {
    let own = gateways.map(|gateway| gateway == Some(endpoint));
    let line = format!("program-external-connectivity: {gateways:?} own {own:?} {options:?}");
    notes::of_endpoint(network, endpoint).add(&line)
}
