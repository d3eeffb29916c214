//! `store`: what a driver remembers between calls.

use super::{Answer, Bytes, Refusal};
use crate::engine::CallState;
use crate::engine::bindings::imports::store::Host;
use grant::{HostCall, Limit, Object};
use words::limit::{WRITTEN_BYTES, WRITTEN_KEYS};
use words::{Error, Kind};

/// Bytes of a key.
pub const KEY: usize = 256;

/// Bytes of a value.
pub const VALUE: usize = 64 << 10;

impl Host for CallState {
    fn get(&mut self, key: String) -> Answer<Option<Vec<u8>>> {
        self.ask(HostCall::StoreGet, arguments!(key), |call, _| {
            check_key(&key)?;
            Ok(call.transaction()?.state(&key)?)
        })
    }

    fn list(&mut self, prefix: String) -> Answer<Vec<(String, Vec<u8>)>> {
        self.ask(HostCall::StoreList, arguments!(prefix), |call, _| {
            if !prefix.is_empty() {
                check_key(&prefix)?;
            }
            Ok(call.transaction()?.state_list(&prefix)?)
        })
    }

    fn set(&mut self, key: String, value: Vec<u8>) -> Answer<()> {
        self.ask(HostCall::StoreSet, arguments!(key, Bytes(&value)), |call, permit| {
            check_key(&key)?;
            check_value(call, &value)?;
            let most = call.gate.limit(Limit::StoreBytes);
            let bytes = call.transaction()?.state_bytes(most)?.saturating_add((key.len() + value.len()) as u64);
            call.gate.permit(HostCall::StoreSet, Object::Amount(Limit::StoreBytes, bytes))?;
            call.transaction()?.set_state(permit, key, Some(value));
            Ok(())
        })
    }

    fn remove(&mut self, key: String) -> Answer<()> {
        self.ask(HostCall::StoreRemove, arguments!(key), |call, permit| {
            check_key(&key)?;
            check_value(call, &[])?;
            call.transaction()?.set_state(permit, key, None);
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

/// A value's size, and what the call wrote already.
pub fn check_value(call: &mut CallState, value: &[u8]) -> Answer<()> {
    if value.len() > VALUE {
        return Err(Refusal::invalid(format!("a value has at most {VALUE} bytes; this one has {}", value.len())));
    }
    let (keys, bytes) = call.transaction()?.written();
    if keys >= WRITTEN_KEYS || bytes + value.len() > WRITTEN_BYTES {
        let message = format!("one call writes at most {WRITTEN_KEYS} keys and {WRITTEN_BYTES} bytes");
        return Err(Error::new(Kind::Unavailable, message).into());
    }
    Ok(())
}
