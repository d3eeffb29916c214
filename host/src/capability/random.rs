//! `random`: bytes that nobody can guess.

use rustix::rand::{GetRandomFlags, getrandom};

use super::{Answer, CallState};
use ask::random::Host;
use ask::{Bytes, Refusal};

/// Bytes of one request: enough for keys and addresses; more is a mistake.
const BYTES: u32 = 4096;

impl Host for CallState {
    fn bytes(&mut self, count: u32) -> Answer<Bytes> {
        if count > BYTES {
            return Err(Refusal::trap(format!("{count} random bytes at once: at most {BYTES}")));
        }
        let mut bytes = vec![0; count as usize];
        let mut filled = 0;
        while filled < bytes.len() {
            filled += getrandom(&mut bytes[filled..], GetRandomFlags::empty()).map_err(Refusal::trap)?;
        }
        Ok(bytes.into())
    }
}
