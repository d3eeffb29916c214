//! One call of a driver, as a transaction.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Called, Inner};
use crate::answers::{Fault, Faulty, Recorded, micros};
use crate::capability::{CallState, Facts, Interface, Join, NetworkFacts, convert};
use crate::driver::Driver;
use crate::transaction::{Owner, Transaction};
use ask::{Arguments, Returned};
use engine::Failure;
use grant::{Granted, Limit};
use ipnet::IpNet;
use kernel::KnownLinks;
use operation::driver::CallTrace;
use operation::network::Pool;
use operation::recording::{End, Recording, Trap};
use store::{self, Durability, Network, Write};
use words::limit::TRACED;
use words::{Error, Id, Kind, Result};

/// How often a call is run because its reads were overtaken. From the second time on no other call of its driver commits before it: it is
/// overtaken only by what is no call.
const ROUNDS: usize = 16;

/// The part whose calls get the store and nothing else.
const IPAM: &str = "ipam";

/// One call that is to be made.
pub(super) struct Call<'a> {
    pub driver: &'a Driver,
    /// The exported function, and what it is told.
    pub arguments: Arguments,
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

/// The calls of one operation.
#[derive(Default)]
pub(super) struct Calls {
    /// What each of them took.
    pub traces: Vec<CallTrace>,
    /// What the kernel has said of links meanwhile.
    pub known: Arc<KnownLinks>,
}

/// A call that came through.
pub(super) struct Done {
    /// What the driver said.
    pub said: Said,
    /// What it had left behind.
    pub swept: Vec<String>,
}

/// What a driver returned, and what it said through its call's handles.
pub(super) struct Said {
    pub returned: Returned,
    /// The pool that it gave: the gate's word for it.
    pub given: Option<Granted<IpNet>>,
    pub interface: Interface,
    pub join: Join,
    /// Pools that it gave to its network.
    pub new_pools: Option<Vec<Pool>>,
}

/// What answers a driver's call: every layer is in every call, so that there is one way.
type Host = Recorded<Faulty<CallState>>;

impl<'a> Call<'a> {
    /// A call for a network.
    pub fn network(driver: &'a Driver, arguments: Arguments, network: &'a Network) -> Self {
        Self { network: Some(network), durability: Durability::Power, ..Self::pure(driver, arguments) }
    }

    /// A call for an endpoint. Its records die with the machine, so they need not outlive it.
    pub fn endpoint(driver: &'a Driver, arguments: Arguments, network: &'a Network, endpoint: &'a Id) -> Self {
        Self { endpoint: Some(endpoint), durability: Durability::Process, ..Self::network(driver, arguments, network) }
    }

    /// A call for nothing: no kernel, no store, no tables.
    pub fn pure(driver: &'a Driver, arguments: Arguments) -> Self {
        let durability = Durability::Process;
        Self {
            driver,
            arguments,
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
    pub(super) fn call(
        &self,
        call: &Call<'_>,
        calls: &mut Calls,
        finish: impl Fn(&Said) -> Result<Vec<Write>>,
    ) -> Result<Done> {
        let (driver, function) = (&call.driver.record.name, call.arguments.function());
        let mut turn = None;
        for _ in 0..ROUNDS {
            return match self.round(call, calls, &finish, turn.is_some()) {
                Ok(done) => Ok(done),
                Err(Stopped::Overtaken(what)) => {
                    tracing::debug!(function, "run again: {what} changed");
                    // Others run meanwhile, and wait before their commits; so this waits for none that is slow.
                    turn = turn.or_else(|| Some(call.driver.commits.write().unwrap_or_else(PoisonError::into_inner)));
                    continue;
                }
                Err(Stopped::Aside(error)) => Err(error.context(format!("the driver {driver}"))),
                Err(Stopped::Failed(failure)) => {
                    let error = failure.error();
                    // The engine's own words begin with it.
                    let said = error.message.starts_with(&format!("{function} "));
                    Err(error.context(if said {
                        format!("the driver {driver}")
                    } else {
                        format!("the driver {driver}: {function}")
                    }))
                }
            };
        }
        Err(Error::new(Kind::Unavailable, format!("{function} was overtaken {ROUNDS} times: try again")))
    }

    /// The call once: it may be made, it runs, it is committed or undone, and it is told of.
    fn round(
        &self,
        call: &Call<'_>,
        calls: &mut Calls,
        finish: impl Fn(&Said) -> Result<Vec<Write>>,
        has_turn: bool,
    ) -> std::result::Result<Done, Stopped> {
        let (start, function) = (Instant::now(), call.arguments.function());
        let fault = self.fault_for(function);
        may_be_made(call, start)?;
        let state = self.state(call, &calls.known, start);
        let (deadline, memory) = (state.deadline, state.gate.memory());
        let host = Arc::new(Mutex::new(Recorded::new(Faulty::new(state, fault))));
        let result =
            call.driver.code.call(engine::Call { deadline, memory, host: host.clone() }, call.arguments.clone());
        let mut host = lock(&host);
        let end = wanted_end(call, &result);
        let returned = Instant::now();
        let settled = settle(self, call, state_of(&mut host), result, finish, has_turn);
        if let Err(Stopped::Overtaken(what)) = settled {
            return Err(Stopped::Overtaken(what));
        }
        // A trap that was asked for says nothing of the driver.
        if fault.is_none() {
            let trapped = matches!(settled, Err(Stopped::Failed(Failure::Trapped(_))));
            call.driver.aside.ended(function, trapped, Instant::now());
            if let Some(traps) = call.driver.probation.called(trapped) {
                self.fall_back(call.driver, function, traps);
            }
        }
        let (error, swept) = match &settled {
            Ok(done) => (None, done.swept.clone()),
            Err(stopped) => (stopped.error().cloned(), Vec::new()),
        };
        let told = Told { start, commit_micros: micros(returned), end, error, swept };
        calls.traces.push(self.report(call, &mut host, told));
        settled
    }

    /// Tells of a call that ended: its driver's counters, its recording, and whoever asked for calls. Answers its trace.
    fn report(&self, call: &Call<'_>, host: &mut Host, told: Told) -> CallTrace {
        let Told { start, commit_micros, end, error, swept } = told;
        let function = call.arguments.function().to_owned();
        let mut trace = CallTrace { function, micros: micros(start), commit_micros, host_calls: host.trace() };
        call.driver.count(&trace, error.is_some());
        trace.host_calls.truncate(TRACED);
        if let Some(end) = end {
            let (host_calls, cut) = host.take();
            call.driver.recorder.keep(Recording {
                number: 0,
                driver: call.driver.record.name.clone(),
                component: call.driver.record.digest.clone(),
                interface: crate::driver::admit::interface(),
                function: trace.function.clone(),
                arguments: call.arguments.clone(),
                network: call.network.map(|network| network.id.clone()),
                endpoint: call.endpoint.cloned(),
                host_calls,
                cut,
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

    /// Gate, transaction and deadline of a call.
    pub(super) fn state(&self, call: &Call<'_>, known: &Arc<KnownLinks>, start: Instant) -> CallState {
        let facts = Facts {
            driver: call.driver.record.name.clone(),
            function: call.arguments.function().to_owned(),
            network: call.network.map(|n| NetworkFacts {
                id: n.id.clone(),
                nft_table: self.nft_table(&n.id),
                pools: n.pools.iter().map(|p| p.subnet).collect(),
            }),
            endpoint: call.endpoint.cloned(),
            configuration: call.driver.configuration.clone(),
            watches_tables: call.driver.watches_tables(),
            for_addresses: call.arguments.part() == IPAM,
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
        let time = Duration::from_millis(gate.limit(Limit::CallMilliseconds)).min(call.driver.deadline);
        let deadline = start + time;
        transaction.iter_mut().for_each(|transaction| {
            transaction.end_at(deadline);
            transaction.know(known.clone());
        });
        let internal = call.network.filter(|network| network.internal).zip(transaction.as_mut());
        internal.into_iter().for_each(|(network, transaction)| {
            transaction.shut(network.pools.iter().map(|pool| pool.subnet).collect());
        });
        let mut state = CallState::new(facts, gate, transaction, deadline);
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
    match call.driver.aside.get(call.arguments.function(), now) {
        Some(aside) => Err(Stopped::Aside(Error::new(Kind::Unavailable, aside.to_string()))),
        None => Ok(()),
    }
}

/// How the driver ended its call, where it is recorded: because somebody wants it, or because it trapped.
fn wanted_end(call: &Call<'_>, result: &std::result::Result<Returned, Failure>) -> Option<End> {
    match result {
        Err(Failure::Trapped(trap)) => {
            let (message, backtrace) = (trap.error.message.clone(), trap.backtrace.clone());
            Some(End::Trapped(Trap { message, backtrace }))
        }
        _ if !call.driver.recorder.is_wanted() => None,
        Ok(returned) => Some(End::Returned(returned.clone())),
        Err(Failure::Refused(error)) => Some(End::Failed(error.clone())),
    }
}

/// Commits what the call did, with what `finish` adds; or undoes it.
fn settle(
    inner: &Inner,
    call: &Call<'_>,
    state: &mut CallState,
    result: std::result::Result<Returned, Failure>,
    finish: impl Fn(&Said) -> Result<Vec<Write>>,
    has_turn: bool,
) -> std::result::Result<Done, Stopped> {
    // Whatever it did is undone where it is dropped.
    let transaction = state.transaction.take();
    let returned = result.map_err(Stopped::Failed)?;
    let given = match &returned {
        Returned::RequestPool(given) => Some(state.gate.give_pool(convert::network(given.pool).map_err(Error::from)?)?),
        _ => None,
    };
    let said = Said {
        returned,
        given,
        interface: std::mem::take(&mut state.interface),
        join: std::mem::take(&mut state.join),
        new_pools: state.new_pools.take(),
    };
    let writes = finish(&said)?;
    let Some(mut transaction) = transaction else { return Ok(Done { said, swept: Vec::new() }) };
    if call.sweep {
        transaction.sweep()?;
    }
    state.gate.check_left(&transaction)?;
    // In the whole cluster, or not here either. What is not committed is taken back there.
    let _published = inner.publish(call, &transaction, &writes)?;
    let _after_who_has_the_turn =
        (!has_turn).then(|| call.driver.commits.read().unwrap_or_else(PoisonError::into_inner));
    if transaction.has_changes() {
        call.driver.probation.writes()?;
    }
    match transaction.commit(writes, call.durability) {
        Ok(swept) => Ok(Done { said, swept }),
        Err(store::Error::Conflict(what)) => Err(Stopped::Overtaken(what)),
        Err(error) => Err(Error::from(error).into()),
    }
}

/// Below the layers.
fn state_of(host: &mut Host) -> &mut CallState {
    &mut host.host.host
}

fn lock(host: &Mutex<Host>) -> MutexGuard<'_, Host> {
    host.lock().unwrap_or_else(PoisonError::into_inner)
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Failed(Failure::Refused(error))
    }
}
