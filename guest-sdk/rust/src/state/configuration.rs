//! What the operator configured for this driver when it was loaded.

use crate::{TextMap, sys};

/// The value of a key.
pub fn get(key: &str) -> Option<String> {
    sys::configuration::get(key)
}

/// All of it.
pub fn all() -> TextMap {
    sys::configuration::all()
}
