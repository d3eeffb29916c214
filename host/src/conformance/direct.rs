//! Calls that the host itself would not make: of what is not there, or again.

use super::cast::{End, Net};
use super::stop::{Checked, Stop, kinds, worded};
use super::world::World;
use crate::controller::Direct;
use crate::controller::arguments::{endpoint_options, labels, network_options, pools};
use ask::types::TableEvent;
use ask::{Arguments, Returned};
use words::{Error, Kind, Result};

impl World<'_> {
    /// Calls a function of a network, or of one of its endpoints.
    pub fn direct(&self, function: &'static str, net: &Net, end: Option<&End>) -> Checked<Result<()>> {
        let arguments = match end {
            None => of_network(function, net),
            Some(end) => of_endpoint(function, net, end),
        };
        let direct = Direct {
            arguments: arguments.ok_or_else(|| Error::internal(format!("no function {function}")))?,
            network: Some(net.create.clone()),
            endpoint: end.map(|end| end.key().endpoint),
            interface: end.map(|end| end.create.interface.clone()).unwrap_or_default(),
        };
        self.controller()?.take_calls();
        Ok(self.call(direct)?.map(drop))
    }

    /// Tells a driver of a table's entry.
    pub fn notify(&self, net: &Net, table: &str, key: &str, event: &TableEvent) -> Checked<Result<()>> {
        let arguments = Arguments::EventNotify {
            network: net.create.network.to_string(),
            table: table.to_owned(),
            key: key.to_owned(),
            event: event.clone(),
        };
        let network = Some(net.create.clone());
        Ok(self.call(Direct { arguments, network, endpoint: None, interface: Default::default() })?.map(drop))
    }

    /// Has a driver explain a table's entry.
    pub fn decode(&self, table: &str, key: &str, value: &[u8]) -> Checked<Result<()>> {
        let (table, key) = (table.to_owned(), key.to_owned());
        let arguments = Arguments::DecodeTableEntry { table, key, value: value.to_owned().into() };
        Ok(self.call(Direct { arguments, network: None, endpoint: None, interface: Default::default() })?.map(drop))
    }

    /// Calls a function of the part `ipam`, in the place of a network.
    pub fn of_pool(&self, arguments: Arguments) -> Checked<Result<Returned>> {
        let network = Some(self.net("pool", 1)?.create);
        self.controller()?.take_calls();
        self.call(Direct { arguments, network, endpoint: None, interface: Default::default() })
    }

    fn call(&self, direct: Direct) -> Checked<Result<Returned>> {
        Ok(self.wait(self.controller()?.direct(&self.suite.driver, direct)))
    }

    /// A direct call that has to work.
    pub fn works(&self, function: &'static str, net: &Net, end: Option<&End>, when: &str) -> Checked<()> {
        let answer = self.direct(function, net, end)?;
        answer.map_err(|error| Stop::failed(format!("{function} {when}"), "ok", worded(&error)))
    }

    /// A direct call that has to fail, with one of these kinds.
    pub fn fails(
        &self,
        function: &'static str,
        net: &Net,
        end: Option<&End>,
        expected: &[Kind],
        when: &str,
    ) -> Checked<()> {
        match self.direct(function, net, end)? {
            Err(error) if expected.contains(&error.kind) => Ok(()),
            answer => {
                let got = answer.map_or_else(|error| worded(&error), |()| "ok".to_owned());
                Err(Stop::failed(format!("{function} {when}"), kinds(expected), got))
            }
        }
    }
}

fn of_network(function: &str, net: &Net) -> Option<Arguments> {
    let create = &net.create;
    let (network, ipv4, ipv6) = (create.network.to_string(), pools(&create.ipv4), pools(&create.ipv6));
    Some(match function {
        "create-network" => Arguments::CreateNetwork { network, options: network_options(&create.options), ipv4, ipv6 },
        "network-allocate" => {
            Arguments::NetworkAllocate { network, options: labels(&create.options.generic), ipv4, ipv6 }
        }
        "network-free" => Arguments::NetworkFree { network },
        "delete-network" => Arguments::DeleteNetwork { network },
        _ => return None,
    })
}

fn of_endpoint(function: &str, net: &Net, end: &End) -> Option<Arguments> {
    let (network, endpoint) = (net.create.network.to_string(), end.create.key.endpoint.to_string());
    let sandbox = || endpoint_options(&end.sandbox);
    Some(match function {
        "create-endpoint" => {
            Arguments::CreateEndpoint { network, endpoint, options: endpoint_options(&end.create.options) }
        }
        "delete-endpoint" => Arguments::DeleteEndpoint { network, endpoint },
        "endpoint-oper-info" => Arguments::EndpointOperInfo { network, endpoint },
        "join" => Arguments::Join { network, endpoint, sandbox: "conformance".to_owned(), options: sandbox() },
        "leave" => Arguments::Leave { network, endpoint },
        "program-external-connectivity" => {
            let interface = &end.create.interface;
            let gateway_ipv4 = interface.address.map(|_| endpoint.clone());
            let gateway_ipv6 = interface.address_ipv6.map(|_| endpoint.clone());
            let options = sandbox();
            Arguments::ProgramExternalConnectivity { network, endpoint, gateway_ipv4, gateway_ipv6, options }
        }
        "revoke-external-connectivity" => Arguments::RevokeExternalConnectivity { network, endpoint },
        "release-ipv6" => Arguments::ReleaseIpv6 { network, endpoint },
        _ => return None,
    })
}
