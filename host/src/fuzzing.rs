//! Entries for the fuzzer (tests/fuzz): one for each parser of bytes that come from outside. Compiled for it alone.

pub use crate::frontend::admin::fuzzing::admin;
pub use crate::frontend::docker::fuzzing::plugin;
pub use kernel::fuzzing::netlink;

use crate::driver::archive::{self, Archive};
use crate::frontend::fuzzing::first_line;
use grant::file;
use words::file::digest;

/// A component as it is loaded, and the manifest of one as a registry has it.
pub fn component(bytes: &[u8]) {
    let _ = crate::driver::admit::admit(bytes);
    let _ = crate::distribution::layout::component(bytes);
}

/// A driver on its way to another host: the file as it is; and one whose record is the first line and whose state the rest, with the digests that
/// belong to it, which no fuzzer finds. What was read is written and read back as it is.
pub fn archive(bytes: &[u8]) {
    let _ = archive::read(bytes);
    let _ = archive::name(bytes);
    let (record, state) = first_line(bytes).unwrap_or_default();
    let part = |bytes: &[u8]| format!("{{\"size\":{},\"digest\":\"{}\"}}", bytes.len(), digest(bytes));
    let parts = [record.as_bytes(), state, COMPONENT].map(part);
    let [of_record, of_state, of_component] = &parts;
    let head = format!("{{\"name\":\"d\",\"record\":{of_record},\"state\":{of_state},\"component\":{of_component}}}");
    let file = [b"pontoon driver export 1\n", head.as_bytes(), b"\n", record.as_bytes(), state, COMPONENT].concat();
    let Ok(Archive { record, state, component }) = archive::read(&file) else { return };
    let rows =
        state.iter().map(|(key, (network, value))| (key.clone(), network.clone(), value.clone().unwrap_or_default()));
    let rows: Vec<_> = rows.collect();
    let again = archive::write(&record, &rows, &component).and_then(|file| archive::read(&file));
    assert!(again.is_ok_and(|again| (again.record, again.state) == (record, state)));
}

/// A component whose SHA-256 the seeds have in their records.
const COMPONENT: &[u8] = b"component";

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
