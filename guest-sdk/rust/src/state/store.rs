//! What a driver remembers between calls: values by key, as JSON. All networks of the driver share one key space.
//!
//! A call reads what it wrote itself; others see it when the call has returned ok. An entry belongs to the network of
//! the call that wrote it and goes with that network at the latest. A call whose reads were overtaken by a call of
//! another network is undone and run again, so "read, then write if free" needs no lock.
//!
//! Keys: 1 to 256 bytes of printable ASCII. Values: at most 64 KiB.

use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Context, Error, Result, sys};

/// A key and the type of what lies under it.
#[derive(Clone, Debug)]
pub struct Key<T> {
    name: String,
    value: PhantomData<T>,
}

impl<T: Serialize + DeserializeOwned> Key<T> {
    /// The key of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), value: PhantomData }
    }

    /// The value, if there is one.
    ///
    /// # Errors
    /// `Internal`: something else lies there.
    pub fn get(&self) -> Result<Option<T>> {
        get_bytes(&self.name)?.map(|bytes| decode(&self.name, &bytes)).transpose()
    }

    /// Sets the value.
    ///
    /// # Errors
    /// `Unavailable`: a limit of the grant.
    pub fn set(&self, value: &T) -> Result<()> {
        let bytes = serde_json::to_vec(value).map_err(|error| Error::internal(error.to_string()));
        set_bytes(&self.name, &bytes.context(&self.name)?)
    }

    /// Removes the value. Ok if there is none.
    ///
    /// # Errors
    /// None to be expected.
    pub fn remove(&self) -> Result<()> {
        remove(&self.name)
    }

    /// Removes the value and gives it back.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn take(&self) -> Result<Option<T>> {
        let value = self.get()?;
        self.remove()?;
        Ok(value)
    }
}

/// The values whose keys start with `prefix`, in the order of their keys, each with the rest of its key.
///
/// # Errors
/// `Internal`: something else lies there.
pub fn list<T: DeserializeOwned>(prefix: &str) -> Result<Vec<(String, T)>> {
    let decoded = |(key, bytes): (String, Vec<u8>)| Ok((key[prefix.len()..].to_owned(), decode(&key, &bytes)?));
    list_bytes(prefix)?.into_iter().map(decoded).collect()
}

fn decode<T: DeserializeOwned>(key: &str, bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| {
        let wanted = std::any::type_name::<T>();
        Error::internal(format!(
            "the store's {key:?} is no {wanted}: {error}. An older build of this driver may have put it there: read the old \
             form as well, or keep the new one under another key"
        ))
    })
}

/// The bytes under a key.
///
/// # Errors
/// `InvalidArgument`: a key that can't be used.
pub fn get_bytes(key: &str) -> Result<Option<Vec<u8>>> {
    sys::store::get(key)
}

/// The entries whose keys start with `prefix`, in the order of their keys.
///
/// # Errors
/// `InvalidArgument`: a prefix that no key can have.
pub fn list_bytes(prefix: &str) -> Result<Vec<(String, Vec<u8>)>> {
    sys::store::list(prefix)
}

/// Puts bytes under a key.
///
/// # Errors
/// `InvalidArgument`: a key that can't be used, or a value that is too long. `Unavailable`: a limit of the grant.
pub fn set_bytes(key: &str, value: &[u8]) -> Result<()> {
    sys::store::set(key, value)
}

/// Removes what is under a key. Ok if there is nothing.
///
/// # Errors
/// `InvalidArgument`: a key that can't be used.
pub fn remove(key: &str) -> Result<()> {
    sys::store::remove(key)
}
