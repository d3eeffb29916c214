//! `store`: what a driver remembers between calls.

use super::{Answer, CallState};
use ask::store::Host;
use ask::{Bytes, Refusal};
pub use grant::gate::state::VALUE;

/// Bytes of a key.
pub const KEY: usize = 256;

impl Host for CallState {
    fn get(&mut self, key: String) -> Answer<Option<Bytes>> {
        check_key(&key)?;
        Ok(self.transaction()?.state(&key)?.map(Bytes))
    }

    fn list(&mut self, prefix: String) -> Answer<Vec<(String, Bytes)>> {
        if !prefix.is_empty() {
            check_key(&prefix)?;
        }
        let found = self.transaction()?.state_list(&prefix)?;
        Ok(found.into_iter().map(|(key, value)| (key, Bytes(value))).collect())
    }

    fn set(&mut self, key: String, value: Bytes) -> Answer<()> {
        check_key(&key)?;
        let (gate, transaction) = self.parts()?;
        let granted = gate.set_state(transaction, key, value.0)?;
        transaction.set_state(granted);
        Ok(())
    }

    fn remove(&mut self, key: String) -> Answer<()> {
        check_key(&key)?;
        let (gate, transaction) = self.parts()?;
        transaction.set_state(gate.remove_state(transaction, key)?);
        Ok(())
    }
}

/// 1 to 256 bytes of printable ASCII.
pub fn check_key(key: &str) -> Answer<()> {
    if (1..=KEY).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
        return Ok(());
    }
    Err(Refusal::invalid(format!("a key is 1 to {KEY} bytes of printable ASCII; this one has {} bytes", key.len())))
}
