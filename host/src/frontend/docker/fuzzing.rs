//! For the fuzzer.

/// A request to a plugin socket: its path in the first line, then its body.
pub fn plugin(bytes: &[u8]) {
    let Some((path, body)) = crate::frontend::fuzzing::first_line(bytes) else { return };
    let _ = super::decode(path, body);
}
