//! What one call has on the host's side: its handles, its gate, its transaction, its limits.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Instant;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::Answer;
use super::handle::Handles;
use crate::transaction::Transaction;
use ask::{Answers, Ask, HostCall, Refusal};
use grant::{About, Gate, Limit, Policy};
use kernel::{LinkKey, Namespace};
use operation::network::Pool;
use words::foreign::{MESSAGE_BYTES, printable};
use words::{Error, Id, LinkName, MacAddress, Name};

/// What a call is about, as the host knows it.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The driver.
    pub driver: Name,
    /// The exported function, e.g. `create-endpoint`.
    pub function: String,
    /// The network at hand.
    pub network: Option<NetworkFacts>,
    /// The endpoint at hand.
    pub endpoint: Option<Id>,
    /// What `configuration` answers.
    pub configuration: Arc<BTreeMap<String, String>>,
    /// The driver exports `table-watcher`.
    pub watches_tables: bool,
    /// The call is for address management.
    pub for_addresses: bool,
}

/// The network that a call is about.
#[derive(Clone, Debug)]
pub struct NetworkFacts {
    /// Its id.
    pub id: Id,
    /// The name of its nftables table.
    pub nft_table: String,
    /// Its pools.
    pub pools: Vec<IpNet>,
}

impl Facts {
    /// Of a call that is for no network: the first one of a component.
    pub fn outside_networks(driver: &Name, configuration: Arc<BTreeMap<String, String>>) -> Self {
        let (driver, function) = (driver.clone(), "register".to_owned());
        let (watches_tables, for_addresses) = (false, false);
        Self { driver, function, network: None, endpoint: None, configuration, watches_tables, for_addresses }
    }

    /// The gate for this call, under a driver's policy.
    pub fn gate(&self, policy: Arc<Policy>) -> Gate {
        let about = About {
            driver: self.driver.clone(),
            function: self.function.clone(),
            network: self.network.as_ref().map(|network| network.id.clone()),
            endpoint: self.endpoint.clone(),
        };
        let gate = Gate::new(about, policy, self.network.as_ref().map(|network| network.pools.clone()));
        if self.for_addresses { gate.for_addresses() } else { gate }
    }
}

/// An endpoint's interface, as the front end gave it and the driver completed it.
#[derive(Clone, Debug, Default)]
pub struct Interface {
    /// Its MAC.
    pub mac: Option<MacAddress>,
    /// Its IPv4 address.
    pub address: Option<Ipv4Net>,
    /// Its IPv6 address.
    pub address_ipv6: Option<Ipv6Net>,
    /// The container's namespace.
    pub sandbox: Option<Namespace>,
}

/// What a driver answers to a join.
#[derive(Clone, Debug, Default)]
pub struct Join {
    /// The link that the container gets.
    pub names: Option<Names>,
    /// The IPv4 gateway.
    pub gateway: Option<Ipv4Addr>,
    /// The IPv6 gateway.
    pub gateway_ipv6: Option<Ipv6Addr>,
    /// Routes in the container.
    pub routes: Vec<StaticRoute>,
    /// No gateway of the engine's own.
    pub disable_gateway_service: bool,
    /// It can be the gateway endpoint without an address.
    pub force_gateway_ipv4: bool,
    /// The same for IPv6.
    pub force_gateway_ipv6: bool,
}

/// The names of a container's interface.
#[derive(Clone, Debug)]
pub struct Names {
    /// The link.
    pub source: LinkKey,
    /// Its name gets this prefix,
    pub prefix: LinkName,
    /// or is this.
    pub name: Option<LinkName>,
}

/// A route in a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticRoute {
    /// Where to.
    pub destination: IpNet,
    /// Through here; none: on the link.
    pub next_hop: Option<IpAddr>,
}

/// One call, for as long as it runs: it answers what the driver asks.
pub struct CallState {
    /// What the call is about.
    pub facts: Facts,
    /// The one gate.
    pub gate: Gate,
    /// The call's changes; none where a call may make none.
    pub transaction: Option<Transaction>,
    /// The interface of the endpoint at hand.
    pub interface: Interface,
    /// The join at hand.
    pub join: Join,
    /// Pools that the driver gave to its network.
    pub new_pools: Option<Vec<Pool>>,
    /// Handles.
    pub handles: Handles,
    /// Lines logged.
    pub log_lines: u32,
    /// When the call has to be over.
    pub deadline: Instant,
    host_calls: u64,
}

impl CallState {
    /// The state of a call that is about to begin.
    pub fn new(facts: Facts, gate: Gate, transaction: Option<Transaction>, deadline: Instant) -> Self {
        Self {
            facts,
            gate,
            transaction,
            interface: Interface::default(),
            join: Join::default(),
            new_pools: None,
            handles: Handles::default(),
            log_lines: 0,
            deadline,
            host_calls: 0,
        }
    }

    /// The call's changes, and its network. Calls without one were refused by the gate.
    pub fn transaction(&mut self) -> Answer<&mut Transaction> {
        self.transaction.as_mut().ok_or_else(|| Refusal::trap("a call without a transaction came past the gate"))
    }

    /// The gate, and the changes that it is asked about.
    pub fn parts(&mut self) -> Answer<(&mut Gate, &mut Transaction)> {
        match &mut self.transaction {
            Some(transaction) => Ok((&mut self.gate, transaction)),
            None => Err(Refusal::trap("a call without a transaction came past the gate")),
        }
    }

    /// Whether the function at hand was given the handle that stands for the call, which `wit/` says. wasmtime gives a driver no other; somebody
    /// else might ask all the same.
    fn check_handle(&self, call: HostCall) -> Answer<()> {
        let interface = call.name();
        let given = match () {
            () if interface.starts_with("capabilities.network-info.") => "create-network",
            () if interface.starts_with("capabilities.interface-info.") => "create-endpoint",
            () if interface.starts_with("capabilities.") => "join",
            () => return Ok(()),
        };
        match self.facts.function == given {
            true => Ok(()),
            false => Err(Refusal::trap(format!("{} has no handle for {interface}", self.facts.function))),
        }
    }

    /// The network at hand.
    pub fn network(&self) -> Answer<&NetworkFacts> {
        self.facts.network.as_ref().ok_or_else(|| Refusal::trap("a call without a network came past the gate"))
    }
}

/// Every host call comes through here: counted, under the deadline, and past the gate.
impl Answers for CallState {
    fn answer(&mut self, ask: Ask) -> Answer<ask::Answer> {
        self.host_calls += 1;
        let most = self.gate.limit(Limit::HostCalls);
        if self.host_calls > most {
            return Err(Refusal::trap(format!("more than {most} host calls in one call")));
        }
        if Instant::now() > self.deadline {
            return Err(Refusal::trap("the call's deadline has passed"));
        }
        self.check_handle(ask.call())?;
        self.gate.admit(ask.call()).map_err(Refusal::from).and_then(|()| ask::dispatch(self, ask)).map_err(bounded)
    }

    fn dropped(&mut self, handle: u32) {
        self.handles.drop(handle);
    }
}

/// What was asked for stands in it, however long that was, and it is kept for the call's trace.
fn bounded(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::Error(error) => Error { message: printable(&error.message, MESSAGE_BYTES), ..error }.into(),
        Refusal::Trap(trap) => Refusal::Trap(printable(&trap, MESSAGE_BYTES)),
    }
}
