//! Bytes that nobody can guess.

use crate::sys;

/// Random bytes, at most 4,096; more is a trap.
pub fn bytes(count: u32) -> Vec<u8> {
    sys::random::bytes(count)
}

/// An array of random bytes.
pub fn array<const N: usize>() -> [u8; N] {
    let mut array = [0; N];
    // A length that doesn't fit can't be had, and the host refuses this one.
    array.copy_from_slice(&bytes(u32::try_from(N).unwrap_or(u32::MAX)));
    array
}
