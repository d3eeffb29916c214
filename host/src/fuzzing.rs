//! Entries for the fuzzer (tests/fuzz): one for each parser of bytes that come from outside. Compiled for it alone.

pub use crate::frontend::admin::fuzzing::admin;
pub use crate::frontend::docker::fuzzing::plugin;
pub use kernel::fuzzing::netlink;

use grant::file;

/// A component as it is loaded, and the manifest of one as a registry has it.
pub fn component(bytes: &[u8]) {
    let _ = crate::driver::admit::admit(bytes);
    let _ = crate::distribution::layout::component(bytes);
}

/// What an engine process says.
pub fn engine(bytes: &[u8]) {
    let _ = engine::channel::decode::<engine::channel::FromEngine>(bytes);
}

/// What an operator or a driver's author writes: a grant, a manifest, the daemon's configuration, the policy for signatures. A grant that was read is written and read
/// back as it is.
pub fn toml(bytes: &[u8]) {
    let _ = crate::driver::manifest::read("fuzz", bytes);
    if let Ok(grant) = file::read("fuzz", bytes)
        && let Ok(text) = file::write(&grant)
        // What is written may be longer than what was read.
        && text.len() <= file::SIZE
    {
        assert_eq!(file::read("again", text.as_bytes()), Ok(grant), "{text}");
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = crate::driver::trust::policy::read("fuzz", text);
        let _ = words::file::from_toml("fuzz", text).and_then(crate::config::Config::meaning);
    }
}
