//! Network namespaces, as opaque handles.

use crate::{Result, sys};

/// A network namespace.
#[derive(Debug)]
pub struct Namespace(pub(crate) sys::Namespace);

impl Namespace {
    /// Whether both are the same namespace.
    pub fn same(&self, other: &Self) -> bool {
        sys::namespaces::same(&self.0, &other.0)
    }

    /// Removes a namespace that [`add`] made, with all that is in it.
    ///
    /// # Errors
    /// `Forbidden`: any other namespace.
    pub fn remove(&self) -> Result<()> {
        sys::namespaces::remove(&self.0)
    }
}

/// The namespace that Pontoon works in.
pub fn host() -> Namespace {
    Namespace(sys::namespaces::host())
}

/// Makes a namespace of the network's own, with its loopback up. It outlives the call and Pontoon, and goes with the
/// network.
///
/// # Errors
/// `AlreadyExists`: the network has one of that name. `InvalidArgument`: not 1 to 32 letters, digits, `-` or `_`.
/// `Unavailable`: the driver has as many as its grant says.
pub fn add(name: &str) -> Result<Namespace> {
    sys::namespaces::add(name).map(Namespace)
}

/// A namespace that [`add`] made.
///
/// # Errors
/// `NotFound`: it made none of that name.
pub fn get(name: &str) -> Result<Namespace> {
    sys::namespaces::get(name).map(Namespace)
}
