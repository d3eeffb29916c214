//! Making a recorded call again: what the driver asks is compared with the recording, and answered from it.

use std::sync::Arc;

use super::answer::Answered;
use super::arguments::Arguments;
use super::code::Code;
use super::run::{Failure, Outcome};
use super::state::{CallState, TrapPlace};
use crate::capability::{Answer, Refusal};
use grant::HostCall;
use operation::recording::{End, HostAnswer, RecordedHostCall, Recording, Trap};
use words::{Error, Result};

/// How a call went that was made again.
#[derive(Debug)]
pub struct Replayed {
    /// What the driver asked this time.
    pub host_calls: Vec<RecordedHostCall>,
    /// How it ended; where there is a difference, by the host.
    pub end: End,
    /// Where it asked for something else than the first time.
    pub difference: Option<Difference>,
    /// A core dump in WebAssembly's own format, if it trapped and the engine takes one.
    pub coredump: Option<Vec<u8>>,
}

/// The first host call that is another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its number among the recorded ones without those to the log, the first being 1.
    pub number: usize,
    /// What was recorded; none: the recording ends before it.
    pub recorded: Option<String>,
    /// What was asked for this time.
    pub asked: String,
}

/// The answers that are left.
pub(super) struct Replay {
    left: std::vec::IntoIter<RecordedHostCall>,
    number: usize,
    difference: Option<Difference>,
}

impl Replay {
    /// The recorded answer, if this is what was asked. What a driver writes to the log may be anything: it changes nothing.
    pub fn answer<T: Answered>(&mut self, call: HostCall, arguments: &str) -> Answer<T> {
        if call == HostCall::LogLog {
            return kept(&serde_json::Value::Null);
        }
        self.number += 1;
        let recorded = self.left.next();
        match recorded {
            Some(recorded) if recorded.function == call.name() && recorded.arguments == arguments => {
                match recorded.answer {
                    HostAnswer::Ok(value) => kept(&value),
                    HostAnswer::Error(error) => Err(error.into()),
                    HostAnswer::Trap(trap) => Err(Refusal::trap(trap)),
                    HostAnswer::Cut => Err(Refusal::trap("this answer was too large to be recorded")),
                }
            }
            recorded => {
                let recorded = recorded.map(|call| format!("{}({})", call.function, call.arguments));
                let asked = format!("{}({arguments})", call.name());
                self.difference = Some(Difference { number: self.number, recorded, asked });
                Err(Refusal::trap("the recording has no answer to this"))
            }
        }
    }
}

fn kept<T: Answered>(value: &serde_json::Value) -> Answer<T> {
    T::kept(value)
        .ok_or_else(|| Refusal::trap("the recorded answer does not fit: is the recording of another version?"))
}

impl Code {
    /// Makes a recorded call again.
    pub fn replay(&self, recording: &Recording) -> Result<Replayed> {
        if recording.cut {
            return Err(Error::invalid("the recording is not whole: its host calls were too large to be kept"));
        }
        let arguments = serde_json::from_value(recording.arguments.clone())
            .map_err(|e| Error::invalid(format!("the recording's arguments can't be used: {e}")))?;
        let is_log = |call: &RecordedHostCall| call.function == HostCall::LogLog.name();
        let calls: Vec<_> = recording.host_calls.iter().filter(|call| !is_log(call)).cloned().collect();
        let driver = recording.driver.clone();
        let mut state = CallState::outside_networks(self, driver, &recording.function, Arc::default());
        state.replay = Some(Replay { left: calls.into_iter(), number: 0, difference: None });
        let Outcome { state, result } = self.call(state, arguments);
        let CallState { asked, trap: TrapPlace { backtrace, coredump }, replay, .. } = state;
        let end = match result {
            Ok(value) => End::Returned(value),
            Err(Failure::Refused(error)) => End::Failed(error),
            Err(Failure::Trapped(error)) => End::Trapped(Trap { message: error.message, backtrace }),
        };
        let host_calls = asked.into_iter().map(super::state::Asked::recorded).collect();
        Ok(Replayed { host_calls, end, difference: replay.and_then(|replay| replay.difference), coredump })
    }

    /// Calls a function with what it was called with.
    fn call(&self, state: CallState, arguments: Arguments) -> Outcome<String> {
        use Arguments as A;
        match &arguments {
            A::CreateNetwork { network, options, ipv4, ipv6 } => {
                text(self.create_network(state, network, options, ipv4, ipv6))
            }
            A::DeleteNetwork { network } => text(self.delete_network(state, network)),
            A::CreateEndpoint { network, endpoint, options } => {
                text(self.create_endpoint(state, network, endpoint, options))
            }
            A::DeleteEndpoint { network, endpoint } => text(self.delete_endpoint(state, network, endpoint)),
            A::EndpointOperInfo { network, endpoint } => text(self.endpoint_oper_info(state, network, endpoint)),
            A::Join { network, endpoint, sandbox, options } => {
                text(self.join(state, network, endpoint, sandbox, options))
            }
            A::Leave { network, endpoint } => text(self.leave(state, network, endpoint)),
            A::NetworkAllocate { network, options, ipv4, ipv6 } => {
                text(self.network_allocate(state, network, options, ipv4, ipv6))
            }
            A::NetworkFree { network } => text(self.network_free(state, network)),
            A::EventNotify { network, table, key, event } => {
                text(self.event_notify(state, network, table, key, event.clone()))
            }
            A::DecodeTableEntry { table, key, value } => text(self.decode_table_entry(state, table, key, value)),
            A::ProgramExternalConnectivity { network, endpoint, gateways, options } => {
                let gateways = [gateways[0].as_ref(), gateways[1].as_ref()];
                text(self.program_external_connectivity(state, network, endpoint, gateways, options))
            }
            A::RevokeExternalConnectivity { network, endpoint } => {
                text(self.revoke_external_connectivity(state, network, endpoint))
            }
            A::ReleaseIpv6 { network, endpoint } => text(self.release_ipv6(state, network, endpoint)),
            A::SkipGatewayAllocation { options } => text(self.skip_gateway_allocation(state, options)),
        }
    }
}

/// What was returned, as a recording keeps it.
fn text<T: std::fmt::Debug>(outcome: Outcome<T>) -> Outcome<String> {
    outcome.map(|value| format!("{value:?}"))
}
