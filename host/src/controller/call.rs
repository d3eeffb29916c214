//! One call of a driver, as a transaction.

use std::fmt::Debug;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::{Called, Inner};
use crate::driver::Driver;
use crate::engine::{
    Asked, CallState, Code, Facts, Failure, Fault, Interface, NetworkFacts, Outcome, TrapPlace, micros,
};
use crate::transaction::{Owner, Transaction};
use grant::Limit;
use operation::driver::CallTrace;
use operation::endpoint::PortBinding;
use operation::engine::{EndpointOptions, Labels, NetworkOptions, PoolData, TransportPort};
use operation::network::Pool;
use operation::recording::{End, Recording, Trap};
use store::{self, Durability, Endpoint, Network, Write};
use words::limit::TRACED;
use words::{Error, Id, Kind, Result};

/// How often a call is run again because its reads were overtaken. Each round, at least one other call got through.
const ROUNDS: usize = 16;

/// One call that is to be made.
pub(super) struct Call<'a> {
    pub driver: &'a Driver,
    pub function: &'static str,
    /// The network at hand.
    pub network: Option<&'a Network>,
    /// The endpoint at hand.
    pub endpoint: Option<&'a Id>,
    /// The endpoint's interface as it is before the call.
    pub interface: Interface,
    /// The owner goes with this call: what it still has is swept.
    pub sweep: bool,
    /// What the commit must survive.
    pub durability: Durability,
}

/// A call that came through.
pub(super) struct Done<T> {
    pub value: T,
    /// What the driver set through its handles.
    pub state: CallState,
    /// What the driver had left behind.
    pub swept: Vec<String>,
}

impl<'a> Call<'a> {
    /// A call for a network.
    pub fn network(driver: &'a Driver, function: &'static str, network: &'a Network) -> Self {
        Self { network: Some(network), durability: Durability::Power, ..Self::pure(driver, function) }
    }

    /// A call for an endpoint. Its records die with the machine, so they need not outlive it.
    pub fn endpoint(driver: &'a Driver, function: &'static str, network: &'a Network, endpoint: &'a Id) -> Self {
        Self { endpoint: Some(endpoint), durability: Durability::Process, ..Self::network(driver, function, network) }
    }

    /// A call for nothing: no kernel, no store, no tables.
    pub fn pure(driver: &'a Driver, function: &'static str) -> Self {
        let durability = Durability::Process;
        Self {
            driver,
            function,
            network: None,
            endpoint: None,
            interface: Interface::default(),
            sweep: false,
            durability,
        }
    }
}

impl Inner {
    /// Makes a call. When it returns ok, its changes and what `finish` adds are committed together; else all is undone.
    pub(super) fn call<T: Debug>(
        &self,
        call: &Call<'_>,
        traces: &mut Vec<CallTrace>,
        run: impl Fn(&Code, CallState) -> Outcome<T>,
        finish: impl Fn(&T, &CallState) -> Result<Vec<Write>>,
    ) -> Result<Done<T>> {
        for _ in 0..ROUNDS {
            match self.round(call, traces, &run, &finish) {
                Err(store::Error::Conflict(what)) => {
                    tracing::debug!(function = call.function, "run again: {what} changed")
                }
                Err(error) => return Err(error.into()),
                Ok(done) => return done,
            }
        }
        Err(Error::new(Kind::Unavailable, format!("{} was overtaken {ROUNDS} times: try again", call.function)))
    }

    /// Runs the call once. The outer error is the commit's.
    fn round<T: Debug>(
        &self,
        call: &Call<'_>,
        traces: &mut Vec<CallTrace>,
        run: impl Fn(&Code, CallState) -> Outcome<T>,
        finish: impl Fn(&T, &CallState) -> Result<Vec<Write>>,
    ) -> std::result::Result<Result<Done<T>>, store::Error> {
        let start = Instant::now();
        let fault = self.fault_for(call.function);
        if let Some(aside) = call.driver.aside.get(call.function, start) {
            let error = Error::new(Kind::Unavailable, aside.to_string());
            return Ok(Err(error.context(format!("the driver {}", call.driver.record.name))));
        }
        let mut outcome = run(&call.driver.code, self.state(call, start, fault));
        let transaction = outcome.state.transaction.take();
        let recorder = &call.driver.recorder;
        let end = (recorder.is_wanted() || matches!(outcome.result, Err(Failure::Trapped(_))))
            .then(|| end(&outcome.result, &mut outcome.state.trap));
        let returned = Instant::now();
        let committed = match outcome.result {
            Err(failure) => Err(failure),
            Ok(value) => match finish(&value, &outcome.state).map_err(Failure::Refused) {
                Ok(writes) => commit(call, transaction, writes)?.map(|swept| (value, swept)).map_err(Failure::Refused),
                Err(failure) => Err(failure),
            },
        };
        let commit_micros = micros(returned);
        let asked = std::mem::take(&mut outcome.state.asked);
        let mut trace = CallTrace {
            function: call.function.to_owned(),
            micros: micros(start),
            commit_micros,
            host_calls: asked.iter().map(Asked::trace).collect(),
        };
        call.driver.count(&trace, committed.is_err());
        // A trap that was asked for says nothing of the driver.
        if fault.is_none() {
            call.driver.aside.ended(call.function, matches!(committed, Err(Failure::Trapped(_))), Instant::now());
        }
        trace.host_calls.truncate(TRACED);
        if let Some(end) = end {
            let undone = committed.as_ref().err().filter(|_| matches!(end, End::Returned(_))).map(Failure::as_error);
            recorder.keep(Recording {
                number: 0,
                driver: call.driver.record.name.clone(),
                component: call.driver.record.digest.clone(),
                interface: crate::driver::admit::interface(),
                function: call.function.to_owned(),
                arguments: serde_json::to_value(&outcome.state.arguments).unwrap_or_default(),
                network: call.network.map(|network| network.id.clone()),
                endpoint: call.endpoint.cloned(),
                host_calls: asked.into_iter().map(Asked::recorded).collect(),
                cut: outcome.state.cut,
                end,
                undone: undone.cloned(),
                micros: trace.micros,
            });
        }
        self.note_call(|| {
            let (error, swept) = match &committed {
                Ok((_, swept)) => (None, swept.clone()),
                Err(failure) => (Some(failure.as_error().clone()), Vec::new()),
            };
            Called { trace: trace.clone(), error, swept }
        });
        traces.push(trace);
        Ok(match committed {
            Ok((value, swept)) => Ok(Done { value, state: outcome.state, swept }),
            Err(failure) => {
                Err(failure.error().context(format!("the driver {}: {}", call.driver.record.name, call.function)))
            }
        })
    }

    /// The failure to inject into a function, if there is one.
    fn fault_for(&self, function: &str) -> Option<Fault> {
        let fault = *self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        fault.filter(|(into, _)| into.is_none_or(|into| into == function)).map(|(_, fault)| fault)
    }

    fn state(&self, call: &Call<'_>, start: Instant, fault: Option<Fault>) -> CallState {
        let facts = Facts {
            driver: call.driver.record.name.clone(),
            function: call.function.to_owned(),
            network: call.network.map(|n| NetworkFacts {
                id: n.id.clone(),
                nft_table: self.nft_table(&n.id),
                pools: n.pools.iter().map(|p| p.subnet).collect(),
            }),
            endpoint: call.endpoint.cloned(),
            configuration: call.driver.configuration.clone(),
            watches_tables: call.driver.code.watches_tables(),
        };
        let mut transaction = call.network.map(|network| {
            let owner = Owner {
                driver: call.driver.record.name.clone(),
                network: network.id.clone(),
                endpoint: call.endpoint.cloned(),
            };
            Transaction::new(self.kernel.clone(), self.reaper.clone(), self.firewall.clone(), self.store.clone(), owner)
        });
        let gate = facts.gate(call.driver.policy.clone());
        let time = Duration::from_millis(gate.limit(Limit::CallMilliseconds)).min(call.driver.code.deadline);
        let deadline = start + time;
        transaction.iter_mut().for_each(|transaction| transaction.end_at(deadline));
        let mut state = CallState::new(facts, gate, transaction, deadline, fault);
        state.interface = call.interface.clone();
        state
    }

    /// The name of a network's nftables table. It has the instance in it, so that two Pontoons in one namespace leave each other alone.
    pub(super) fn nft_table(&self, network: &Id) -> String {
        let digest = words::file::digest(network.as_str().as_bytes());
        format!("{}{}", self.nft_prefix(), &digest[..16])
    }

    /// What the names of this instance's nftables tables begin with.
    pub(super) fn nft_prefix(&self) -> String {
        self.store.tag()
    }
}

/// How the driver ended its call, for a recording.
fn end<T: Debug>(result: &std::result::Result<T, Failure>, trap: &mut TrapPlace) -> End {
    match result {
        Ok(value) => End::Returned(format!("{value:?}")),
        Err(Failure::Refused(error)) => End::Failed(error.clone()),
        Err(Failure::Trapped(error)) => {
            End::Trapped(Trap { message: error.message.clone(), backtrace: std::mem::take(&mut trap.backtrace) })
        }
    }
}

fn commit(
    call: &Call<'_>,
    transaction: Option<Transaction>,
    writes: Vec<Write>,
) -> std::result::Result<Result<Vec<String>>, store::Error> {
    let Some(mut transaction) = transaction else { return Ok(Ok(Vec::new())) };
    if call.sweep
        && let Err(error) = transaction.sweep()
    {
        return Ok(Err(error));
    }
    match transaction.commit(writes, call.durability) {
        Ok(swept) => Ok(Ok(swept)),
        Err(conflict @ store::Error::Conflict(_)) => Err(conflict),
        Err(error) => Ok(Err(error.into())),
    }
}

/// A network's options, for its driver.
pub(super) fn network_options(network: &Network) -> NetworkOptions {
    NetworkOptions {
        ipv4: network.ipv4,
        ipv6: network.ipv6,
        internal: network.internal,
        generic: network.options.clone(),
        other: network.other.clone(),
    }
}

/// The options of an endpoint that an operator attached, for its driver.
pub(super) fn endpoint_options(endpoint: &Endpoint, mac: Option<words::MacAddress>) -> EndpointOptions {
    let exposed = |p: &PortBinding| TransportPort { protocol: p.protocol, port: p.container_port };
    EndpointOptions {
        mac,
        exposed_ports: endpoint.ports.iter().map(exposed).collect(),
        port_bindings: endpoint.ports.clone(),
        generic: endpoint.options.clone(),
        other: Labels::new(),
    }
}

/// A network's pools for its driver, IPv4 and IPv6.
pub(super) fn ipam_data(network: &Network) -> (Vec<PoolData>, Vec<PoolData>) {
    let all = network.pools.iter().map(|pool| pool_data(pool, &network.address_space));
    all.partition(|data| data.pool.is_some_and(|p| p.addr().is_ipv4()))
}

fn pool_data(pool: &Pool, address_space: &str) -> PoolData {
    let with_prefix = |address| ipnet::IpNet::new(address, pool.subnet.prefix_len()).unwrap_or(pool.subnet);
    PoolData {
        address_space: address_space.to_owned(),
        pool: Some(pool.subnet),
        gateway: pool.gateway.map(with_prefix),
        aux_addresses: pool.aux_addresses.iter().map(|(name, address)| (name.clone(), with_prefix(*address))).collect(),
    }
}
