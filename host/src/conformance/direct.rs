//! Calls that the host itself would not make: of what is not there, or again.

use super::cast::{End, Net};
use super::stop::{Checked, Stop, kinds, worded};
use super::world::World;
use crate::controller::Direct;
use crate::engine::{CallState, Code, Outcome, TableEvent};
use operation::engine::Labels;
use words::{Error, Kind, Result};

impl World<'_> {
    /// Calls a function of a network, or of one of its endpoints.
    pub fn direct(&self, function: &'static str, net: &Net, end: Option<&End>) -> Checked<Result<()>> {
        let direct = Direct {
            function,
            network: Some(net.create.clone()),
            endpoint: end.map(|end| end.key().endpoint),
            interface: end.map(|end| end.create.interface.clone()).unwrap_or_default(),
        };
        let (net, end) = (net.clone(), end.cloned());
        let run = move |code: &Code, state: CallState| match &end {
            None => of_network(code, state, function, &net),
            Some(end) => of_endpoint(code, state, function, &net, end),
        };
        let controller = self.controller()?;
        controller.take_calls();
        Ok(self.wait(controller.direct(&self.suite.driver, direct, run)))
    }

    /// Tells a driver of a table's entry.
    pub fn notify(&self, net: &Net, table: &str, key: &str, event: &TableEvent) -> Checked<Result<()>> {
        let network = Some(net.create.clone());
        let direct = Direct { function: "event-notify", network, endpoint: None, interface: Default::default() };
        let (id, table, key, event) = (net.create.network.clone(), table.to_owned(), key.to_owned(), event.clone());
        let run = move |code: &Code, state| code.event_notify(state, &id, &table, &key, event.clone());
        Ok(self.wait(self.controller()?.direct(&self.suite.driver, direct, run)))
    }

    /// Has a driver explain a table's entry.
    pub fn decode(&self, table: &str, key: &str, value: &[u8]) -> Checked<Result<(String, Labels)>> {
        let function = "decode-table-entry";
        let direct = Direct { function, network: None, endpoint: None, interface: Default::default() };
        let (table, key, value) = (table.to_owned(), key.to_owned(), value.to_owned());
        let run = move |code: &Code, state| code.decode_table_entry(state, &table, &key, &value);
        Ok(self.wait(self.controller()?.direct(&self.suite.driver, direct, run)))
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

fn of_network(code: &Code, state: CallState, function: &'static str, net: &Net) -> Outcome<()> {
    let create = &net.create;
    match function {
        "create-network" => code.create_network(state, &create.network, &create.options, &create.ipv4, &create.ipv6),
        "network-allocate" => {
            let generic = &create.options.generic;
            code.network_allocate(state, &create.network, generic, &create.ipv4, &create.ipv6).map(drop)
        }
        "network-free" => code.network_free(state, &create.network),
        "delete-network" => code.delete_network(state, &create.network),
        _ => unknown(state, function),
    }
}

fn of_endpoint(code: &Code, state: CallState, function: &'static str, net: &Net, end: &End) -> Outcome<()> {
    let (network, endpoint) = (&net.create.network, &end.create.key.endpoint);
    match function {
        "create-endpoint" => code.create_endpoint(state, network, endpoint, &end.create.options),
        "delete-endpoint" => code.delete_endpoint(state, network, endpoint),
        "endpoint-oper-info" => code.endpoint_oper_info(state, network, endpoint).map(drop),
        "join" => code.join(state, network, endpoint, "conformance", &end.sandbox),
        "leave" => code.leave(state, network, endpoint),
        "program-external-connectivity" => {
            let gateway = |has: bool| has.then_some(endpoint);
            let interface = &end.create.interface;
            let gateways = [gateway(interface.address.is_some()), gateway(interface.address_ipv6.is_some())];
            code.program_external_connectivity(state, network, endpoint, gateways, &end.sandbox)
        }
        "revoke-external-connectivity" => code.revoke_external_connectivity(state, network, endpoint),
        "release-ipv6" => code.release_ipv6(state, network, endpoint),
        _ => unknown(state, function),
    }
}

fn unknown<T>(state: CallState, function: &str) -> Outcome<T> {
    Outcome { state, result: Err(crate::engine::Failure::Refused(Error::internal(format!("no function {function}")))) }
}
