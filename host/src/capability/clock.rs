//! `clock`: the time.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::engine::CallState;
use crate::engine::bindings::imports::clock::Host;
use grant::HostCall;

impl Host for CallState {
    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(self.ask(HostCall::ClockNow, arguments!(), |_| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            Ok(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
        })?)
    }
}
