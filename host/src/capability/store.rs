//! `store`: what a driver remembers between calls.

use super::{Answer, Bytes, Refusal};
use crate::engine::CallState;
use crate::engine::bindings::imports::store::Host;
use grant::HostCall;
pub use grant::gate::state::VALUE;

/// Bytes of a key.
pub const KEY: usize = 256;

impl Host for CallState {
    fn get(&mut self, key: String) -> Answer<Option<Vec<u8>>> {
        self.ask(HostCall::StoreGet, arguments!(key), |call| {
            check_key(&key)?;
            Ok(call.transaction()?.state(&key)?)
        })
    }

    fn list(&mut self, prefix: String) -> Answer<Vec<(String, Vec<u8>)>> {
        self.ask(HostCall::StoreList, arguments!(prefix), |call| {
            if !prefix.is_empty() {
                check_key(&prefix)?;
            }
            Ok(call.transaction()?.state_list(&prefix)?)
        })
    }

    fn set(&mut self, key: String, value: Vec<u8>) -> Answer<()> {
        self.ask(HostCall::StoreSet, arguments!(key, Bytes(&value)), |call| {
            check_key(&key)?;
            let (gate, transaction) = call.parts()?;
            let granted = gate.set_state(transaction, key, value)?;
            transaction.set_state(granted);
            Ok(())
        })
    }

    fn remove(&mut self, key: String) -> Answer<()> {
        self.ask(HostCall::StoreRemove, arguments!(key), |call| {
            check_key(&key)?;
            let (gate, transaction) = call.parts()?;
            transaction.set_state(gate.remove_state(transaction, key)?);
            Ok(())
        })
    }
}

/// 1 to 256 bytes of printable ASCII.
pub fn check_key(key: &str) -> Answer<()> {
    if (1..=KEY).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
        return Ok(());
    }
    Err(Refusal::invalid(format!("a key is 1 to {KEY} bytes of printable ASCII; this one has {} bytes", key.len())))
}
