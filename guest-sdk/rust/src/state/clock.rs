//! The time.

use std::time::{Duration, SystemTime};

use crate::sys;

/// Now, by the host's clock. (`SystemTime::now` panics in a component.)
pub fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_nanos(sys::clock::now())
}
