//! What tables tell a driver.

/// What the entries of a table are about: libnetwork's ObjectType.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectType {
    /// Endpoints (1).
    Endpoint,
    /// Networks (2).
    Network,
    /// The driver's own business (3).
    Opaque,
}

/// A changed table entry, with the bytes before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableEvent {
    /// A new entry and its value.
    Created(Vec<u8>),
    /// A changed entry.
    Updated {
        /// The last value that the driver was told.
        previous: Vec<u8>,
        /// The value now.
        value: Vec<u8>,
    },
    /// The last value that the driver was told.
    Deleted(Vec<u8>),
}
