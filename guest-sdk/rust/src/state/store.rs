//! What a driver remembers between calls: values by key, as JSON. All networks of the driver share one key space.
//!
//! A call reads what it wrote itself; others see it when the call has returned ok. An entry belongs to the network of
//! the call that wrote it and goes with that network at the latest. A call whose reads were overtaken by a call of
//! another network is undone and run again, so "read, then write if free" needs no lock.
//!
//! Keys: 1 to 256 bytes of printable ASCII. Values: at most 64 KiB.

use std::marker::PhantomData;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Context, Error, Result, sys};

/// A key and the type of what lies under it.
#[derive(Clone, Debug)]
pub struct Key<T> {
    name: String,
    version: Option<u32>,
    value: PhantomData<T>,
}

impl<T: Serialize + DeserializeOwned> Key<T> {
    /// The key of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), version: None, value: PhantomData }
    }

    /// With the version of the type, which is kept beside the value. Choose the next number when the type changes: what an earlier build
    /// of the driver wrote is an error then, and is not misread.
    #[must_use]
    pub fn version(mut self, version: u32) -> Self {
        self.version = Some(version);
        self
    }

    /// The value, if there is one.
    ///
    /// # Errors
    /// `Internal`: something else lies there, or a value of another version.
    pub fn get(&self) -> Result<Option<T>> {
        let read = |bytes: Vec<u8>| match self.version {
            None => decode(&self.name, &bytes),
            Some(version) => decode_version(&self.name, &bytes, version),
        };
        get_bytes(&self.name)?.map(read).transpose()
    }

    /// Sets the value.
    ///
    /// # Errors
    /// `Unavailable`: a limit of the grant.
    pub fn set(&self, value: &T) -> Result<()> {
        let bytes = match self.version {
            None => serde_json::to_vec(value),
            Some(version) => serde_json::to_vec(&Record { version, value }),
        };
        let bytes = bytes.map_err(|error| Error::internal(error.to_string()));
        set_bytes(&self.name, &bytes.context(&self.name)?)
    }

    /// Removes the value. Ok if there is none.
    ///
    /// # Errors
    /// `InvalidArgument`: a key that can't be used.
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

/// A value with its version, as the store keeps it.
#[derive(Serialize, Deserialize)]
struct Record<T> {
    version: u32,
    value: T,
}

/// Of a record, the version alone: the value may be of another type.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// The values whose keys start with `prefix`, in the order of their keys, each with the rest of its key.
///
/// # Errors
/// `Internal`: something else lies there.
pub fn list<T: DeserializeOwned>(prefix: &str) -> Result<Vec<(String, T)>> {
    let decoded = |(key, bytes): (String, Vec<u8>)| Ok((key[prefix.len()..].to_owned(), decode(&key, &bytes)?));
    list_bytes(prefix)?.into_iter().map(decoded).collect()
}

/// The same of values of a version, see [`Key::version`].
///
/// # Errors
/// `Internal`: something else lies there, or a value of another version.
pub fn list_version<T: DeserializeOwned>(prefix: &str, version: u32) -> Result<Vec<(String, T)>> {
    let decoded =
        |(key, bytes): (String, Vec<u8>)| Ok((key[prefix.len()..].to_owned(), decode_version(&key, &bytes, version)?));
    list_bytes(prefix)?.into_iter().map(decoded).collect()
}

fn decode_version<T: DeserializeOwned>(key: &str, bytes: &[u8], version: u32) -> Result<T> {
    let written = match serde_json::from_slice(bytes) {
        Ok(Version { version: written }) if written == version => {
            return decode(key, bytes).map(|Record { value, .. }| value);
        }
        Ok(Version { version: written }) => format!("version {written}"),
        Err(_) => "no version".to_owned(),
    };
    Err(Error::internal(format!(
        "the store's {key} has {written}, and this build of the driver reads version {version}: have it read that, too, or use \
         another key"
    )))
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
