//! What one call has on the host's side: its handles, its gate, its transaction, its limits.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Instant;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use wasmtime::component::ResourceTable;

use super::answer::{Answered, size};
use super::arguments::Arguments;
use super::code::Code;
use super::memory::Memory;
use super::replay::Replay;
use crate::capability::{Answer, Refusal};
use crate::transaction::Transaction;
use grant::{About, Gate, Grant, HostCall, Limit, Policy};
use kernel::{LinkKey, Namespace};
use operation::driver::HostCallTrace;
use operation::network::Pool;
use operation::recording::{HostAnswer, RecordedHostCall};
use words::limit::{HANDLES, RECORDED};
use words::{Error, Id, Name};
use words::{LinkName, MacAddress};

/// How a call ends that asks the host for something too late.
pub(super) const DEADLINE_PASSED: &str = "the call's deadline has passed";

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
    /// The gate for this call, under a driver's policy.
    pub fn gate(&self, policy: Arc<Policy>) -> Gate {
        let about = About {
            driver: self.driver.clone(),
            function: self.function.clone(),
            network: self.network.as_ref().map(|network| network.id.clone()),
            endpoint: self.endpoint.clone(),
        };
        Gate::new(about, policy, self.network.as_ref().map(|network| network.pools.clone()))
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

/// A failure to inject, for tests: at the host call of this number, the first being 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The host call does not happen and answers an error.
    Error(u32),
    /// The host call happens, or is refused; then the driver traps.
    Trap(u32),
}

/// A host call that was made.
pub struct Asked {
    call: HostCall,
    arguments: String,
    answer: HostAnswer,
    micros: u64,
}

/// Where a call trapped.
#[derive(Debug, Default)]
pub struct TrapPlace {
    /// Frames of WebAssembly, the innermost first.
    pub backtrace: Vec<String>,
    /// A core dump in WebAssembly's own format, from engines that take one.
    pub coredump: Option<Vec<u8>>,
}

/// One call, for as long as it runs.
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
    /// What the driver was called with.
    pub arguments: Option<Arguments>,
    /// What the driver asked of the host.
    pub asked: Vec<Asked>,
    /// What was asked and answered has become too large to be kept whole.
    pub cut: bool,
    /// Where it trapped.
    pub trap: TrapPlace,
    /// Handles.
    pub table: ResourceTable,
    /// Memory.
    pub memory: Memory,
    /// Lines logged.
    pub log_lines: u32,
    /// The last line that it logged as an error: a language's runtime says there why it traps.
    pub last_words: Option<String>,
    /// When the call has to be over.
    pub deadline: Instant,
    fault: Option<Fault>,
    host_calls: u32,
    most_host_calls: usize,
    recorded: usize,
    pub(super) replay: Option<Replay>,
}

impl CallState {
    /// The state of a call that is about to begin.
    pub fn new(
        facts: Facts,
        gate: Gate,
        transaction: Option<Transaction>,
        deadline: Instant,
        fault: Option<Fault>,
    ) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES);
        let limit = |limit| usize::try_from(gate.limit(limit)).unwrap_or(usize::MAX);
        let memory = Memory::new(limit(Limit::MemoryMib).saturating_mul(1 << 20));
        let most_host_calls = limit(Limit::HostCalls);
        Self {
            facts,
            gate,
            transaction,
            interface: Interface::default(),
            join: Join::default(),
            new_pools: None,
            arguments: None,
            asked: Vec::new(),
            cut: false,
            trap: TrapPlace::default(),
            table,
            memory,
            log_lines: 0,
            last_words: None,
            deadline,
            fault,
            host_calls: 0,
            most_host_calls,
            recorded: 0,
            replay: None,
        }
    }

    /// The state of a call that is for no network: under the code's deadline and with nothing in reach.
    pub fn outside_networks(
        code: &Code,
        driver: Name,
        function: &str,
        configuration: Arc<BTreeMap<String, String>>,
    ) -> Self {
        let function = function.to_owned();
        let facts = Facts { driver, function, network: None, endpoint: None, configuration, watches_tables: false };
        let gate = facts.gate(Arc::new(Policy::new(Grant::default(), None)));
        Self::new(facts, gate, None, Instant::now() + code.deadline, None)
    }

    /// Every host call comes through here: counted, under the deadline, past the gate, and recorded. `arguments` are for people, and for
    /// the comparison when the call is made again.
    pub fn ask<T: Answered>(
        &mut self,
        call: HostCall,
        arguments: String,
        body: impl FnOnce(&mut Self) -> Answer<T>,
    ) -> Answer<T> {
        let start = Instant::now();
        self.host_calls += 1;
        let answer = match &mut self.replay {
            Some(replay) => replay.answer(call, &arguments),
            None => self.answer(start, call, body),
        };
        self.record(call, arguments, &answer, start);
        answer
    }

    fn answer<T>(&mut self, start: Instant, call: HostCall, body: impl FnOnce(&mut Self) -> Answer<T>) -> Answer<T> {
        if self.host_calls as usize > self.most_host_calls {
            return Err(Refusal::trap(format!("more than {} host calls in one call", self.most_host_calls)));
        }
        if start > self.deadline {
            return Err(Refusal::trap(DEADLINE_PASSED));
        }
        if self.fault == Some(Fault::Error(self.host_calls)) {
            return Err(Error::internal("a failure that was asked for").into());
        }
        let answer = self.gate.admit(call).map_err(Refusal::from).and_then(|()| body(self));
        if self.fault == Some(Fault::Trap(self.host_calls)) {
            return Err(Refusal::trap("a trap that was asked for"));
        }
        answer
    }

    fn record<T: Answered>(&mut self, call: HostCall, mut arguments: String, answer: &Answer<T>, start: Instant) {
        let mut answer = match answer {
            Ok(value) => HostAnswer::Ok(value.keep()),
            Err(Refusal::Error(error)) => HostAnswer::Error(error.clone()),
            Err(Refusal::Trap(trap)) => HostAnswer::Trap(trap.to_string()),
        };
        self.recorded += arguments.len();
        if let HostAnswer::Ok(value) = &answer {
            self.recorded += size(value);
        }
        if self.recorded > RECORDED {
            self.cut = true;
            arguments = String::new();
            if let HostAnswer::Ok(_) = answer {
                answer = HostAnswer::Cut;
            }
        }
        self.asked.push(Asked { call, arguments, answer, micros: micros(start) });
    }

    /// A handle is dropped: nothing stands behind those of a call that is made again.
    pub fn drop_handle<T: 'static>(&mut self, handle: wasmtime::component::Resource<T>) -> wasmtime::Result<()> {
        if self.replay.is_none() {
            self.table.delete(handle)?;
        }
        Ok(())
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

    /// The network at hand.
    pub fn network(&self) -> Answer<&NetworkFacts> {
        self.facts.network.as_ref().ok_or_else(|| Refusal::trap("a call without a network came past the gate"))
    }
}

impl Asked {
    /// In short.
    pub fn trace(&self) -> HostCallTrace {
        let error = match &self.answer {
            HostAnswer::Ok(_) | HostAnswer::Cut => None,
            HostAnswer::Error(error) => Some(error.to_string()),
            HostAnswer::Trap(trap) => Some(format!("trap: {trap}")),
        };
        HostCallTrace { function: self.call.name().into(), micros: self.micros, error }
    }

    /// Whole.
    pub fn recorded(self) -> RecordedHostCall {
        let Self { call, arguments, answer, micros } = self;
        RecordedHostCall { function: call.name().into(), arguments, answer, micros }
    }
}

/// Microseconds since then.
pub fn micros(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX)
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Error(error) => write!(f, "{error}"),
            Self::Trap(trap) => write!(f, "trap: {trap}"),
        }
    }
}
