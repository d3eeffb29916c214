//! Entries for the fuzzer (tests/fuzz): one for each parser of bytes that come from outside. Compiled for it alone.

pub use crate::frontend::admin::fuzzing::admin;
pub use crate::frontend::docker::fuzzing::plugin;
pub use crate::kernel::fuzzing::netlink;

/// A component as it is loaded.
pub fn component(bytes: &[u8]) {
    let _ = crate::driver::admit::admit(bytes);
}

/// What an operator or a driver's author writes: a manifest, the daemon's configuration.
pub fn toml(bytes: &[u8]) {
    let _ = crate::driver::manifest::read("fuzz", bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = crate::config::from_toml("fuzz", text).and_then(crate::config::Config::meaning);
    }
}
