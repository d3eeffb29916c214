//! `clock`: the time.

use std::time::{SystemTime, UNIX_EPOCH};

use super::{Answer, CallState};
use ask::clock::Host;

impl Host for CallState {
    fn now(&mut self) -> Answer<u64> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }
}
