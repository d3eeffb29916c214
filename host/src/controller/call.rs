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

/// Why a round of a call did not come through.
enum Stopped {
    /// The driver is put aside for this function, and was not called.
    Aside(Error),
    /// What it read was changed by another call before its commit: it is run again.
    Overtaken(String),
    /// The driver or its commit failed, and all is undone.
    Failed(Failure),
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
        let driver = &call.driver.record.name;
        for _ in 0..ROUNDS {
            return match self.round(call, traces, &run, &finish) {
                Ok(done) => Ok(done),
                Err(Stopped::Overtaken(what)) => {
                    tracing::debug!(function = call.function, "run again: {what} changed");
                    continue;
                }
                Err(Stopped::Aside(error)) => Err(error.context(format!("the driver {driver}"))),
                Err(Stopped::Failed(failure)) => {
                    Err(failure.error().context(format!("the driver {driver}: {}", call.function)))
                }
            };
        }
        Err(Error::new(Kind::Unavailable, format!("{} was overtaken {ROUNDS} times: try again", call.function)))
    }

    /// The call once: it may be made, it runs, it is committed or undone, and it is told of.
    fn round<T: Debug>(
        &self,
        call: &Call<'_>,
        traces: &mut Vec<CallTrace>,
        run: impl Fn(&Code, CallState) -> Outcome<T>,
        finish: impl Fn(&T, &CallState) -> Result<Vec<Write>>,
    ) -> std::result::Result<Done<T>, Stopped> {
        let start = Instant::now();
        let fault = self.fault_for(call.function);
        may_be_made(call, start)?;
        let Outcome { mut state, result } = run(&call.driver.code, self.state(call, start, fault));
        let end = wanted_end(call, &result, &mut state.trap);
        let returned = Instant::now();
        let settled = settle(call, &mut state, result, finish);
        if let Err(Stopped::Overtaken(what)) = settled {
            return Err(Stopped::Overtaken(what));
        }
        // A trap that was asked for says nothing of the driver.
        if fault.is_none() {
            let trapped = matches!(settled, Err(Stopped::Failed(Failure::Trapped(_))));
            call.driver.aside.ended(call.function, trapped, Instant::now());
        }
        let (error, swept) = match &settled {
            Ok((_, swept)) => (None, swept.clone()),
            Err(stopped) => (stopped.error().cloned(), Vec::new()),
        };
        let told = Told { start, commit_micros: micros(returned), end, error, swept };
        traces.push(self.report(call, &mut state, told));
        settled.map(|(value, swept)| Done { value, state, swept })
    }

    /// Tells of a call that ended: its driver's counters, its recording, and whoever asked for calls. Answers its trace.
    fn report(&self, call: &Call<'_>, state: &mut CallState, told: Told) -> CallTrace {
        let Told { start, commit_micros, end, error, swept } = told;
        let asked = std::mem::take(&mut state.asked);
        let mut trace = CallTrace {
            function: call.function.to_owned(),
            micros: micros(start),
            commit_micros,
            host_calls: asked.iter().map(Asked::trace).collect(),
        };
        call.driver.count(&trace, error.is_some());
        trace.host_calls.truncate(TRACED);
        if let Some(end) = end {
            call.driver.recorder.keep(Recording {
                number: 0,
                driver: call.driver.record.name.clone(),
                component: call.driver.record.digest.clone(),
                interface: crate::driver::admit::interface(),
                function: call.function.to_owned(),
                arguments: serde_json::to_value(&state.arguments).unwrap_or_default(),
                network: call.network.map(|network| network.id.clone()),
                endpoint: call.endpoint.cloned(),
                host_calls: asked.into_iter().map(Asked::recorded).collect(),
                cut: state.cut,
                undone: error.clone().filter(|_| matches!(end, End::Returned(_))),
                end,
                micros: trace.micros,
            });
        }
        self.note_call(|| Called { trace: trace.clone(), error, swept });
        trace
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

/// What there is to tell of a call that ended.
struct Told {
    start: Instant,
    commit_micros: u64,
    /// How the driver ended it, where it is to be recorded.
    end: Option<End>,
    /// Why it failed, or its commit did.
    error: Option<Error>,
    swept: Vec<String>,
}

impl Stopped {
    fn error(&self) -> Option<&Error> {
        match self {
            Self::Aside(error) => Some(error),
            Self::Overtaken(_) => None,
            Self::Failed(failure) => Some(failure.as_error()),
        }
    }
}

/// A driver that trapped again and again is put aside for the function.
fn may_be_made(call: &Call<'_>, now: Instant) -> std::result::Result<(), Stopped> {
    match call.driver.aside.get(call.function, now) {
        Some(aside) => Err(Stopped::Aside(Error::new(Kind::Unavailable, aside.to_string()))),
        None => Ok(()),
    }
}

/// How the driver ended its call, where it is recorded: because somebody wants it, or because it trapped.
fn wanted_end<T: Debug>(
    call: &Call<'_>,
    result: &std::result::Result<T, Failure>,
    trap: &mut TrapPlace,
) -> Option<End> {
    match result {
        Err(Failure::Trapped(error)) => {
            let backtrace = std::mem::take(&mut trap.backtrace);
            Some(End::Trapped(Trap { message: error.message.clone(), backtrace }))
        }
        _ if !call.driver.recorder.is_wanted() => None,
        Ok(value) => Some(End::Returned(format!("{value:?}"))),
        Err(Failure::Refused(error)) => Some(End::Failed(error.clone())),
    }
}

/// Commits what the call did, with what `finish` adds; or undoes it. Answers what was swept, too.
fn settle<T>(
    call: &Call<'_>,
    state: &mut CallState,
    result: std::result::Result<T, Failure>,
    finish: impl Fn(&T, &CallState) -> Result<Vec<Write>>,
) -> std::result::Result<(T, Vec<String>), Stopped> {
    // Whatever it did is undone where it is dropped.
    let transaction = state.transaction.take();
    let value = result.map_err(Stopped::Failed)?;
    let writes = finish(&value, state)?;
    let Some(mut transaction) = transaction else { return Ok((value, Vec::new())) };
    if call.sweep {
        transaction.sweep()?;
    }
    state.gate.check_left(&transaction)?;
    match transaction.commit(writes, call.durability) {
        Ok(swept) => Ok((value, swept)),
        Err(store::Error::Conflict(what)) => Err(Stopped::Overtaken(what)),
        Err(error) => Err(Error::from(error).into()),
    }
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Failed(Failure::Refused(error))
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
