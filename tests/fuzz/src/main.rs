//! Bytes that come from outside, made up: by LLVM's fuzzer, which keeps what reaches new code and changes it further. `run` builds and starts it.
//!
//! The parser is the one that `PONTOON_FUZZ` names. What it may not do: panic, hang, or allocate without bound.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pontoon::fuzzing;

/// The parsers by name.
const TARGETS: [(&str, fn(&[u8])); 7] = [
    ("plugin", fuzzing::plugin),
    ("admin", fuzzing::admin),
    ("toml", fuzzing::toml),
    ("component", fuzzing::component),
    ("archive", fuzzing::archive),
    ("netlink", fuzzing::netlink),
    ("engine", fuzzing::engine),
];

static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("PONTOON_FUZZ").unwrap_or_default();
    let found = TARGETS.iter().find(|(target, _)| *target == name);
    let names = TARGETS.map(|(target, _)| target).join(", ");
    found.unwrap_or_else(|| panic!("PONTOON_FUZZ={name:?} is none of {names}")).1
});

fuzz_target!(|bytes: &[u8]| TARGET(bytes));
