//! What an action expects.

use std::fmt::Debug;

use pontoon_sdk::{Error, ErrorKind, Result};

/// Expects something to be so.
pub(crate) fn ensure(is_so: bool, what: &str) -> Result<()> {
    if is_so { Ok(()) } else { Err(Error::internal(format!("not as the contract says: {what}"))) }
}

/// Expects two values to be the same.
pub(crate) fn same<T: PartialEq + Debug>(seen: T, expected: T, what: &str) -> Result<()> {
    ensure(seen == expected, &format!("{what}: {seen:?} instead of {expected:?}"))
}

/// Expects an error of this kind.
pub(crate) fn refused<T>(result: Result<T>, kind: ErrorKind, what: &str) -> Result<()> {
    match result {
        Ok(_) => ensure(false, &format!("{what}: went well instead of {kind:?}")),
        Err(error) => ensure(error.kind == kind, &format!("{what}: {:?} ({error}) instead of {kind:?}", error.kind)),
    }
}
