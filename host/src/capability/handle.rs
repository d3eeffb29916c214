//! What a driver's handles stand for on the host's side. A handle lives for one call.

use crate::kernel::{self, LinkKey, LinkName};

/// A network namespace.
#[derive(Clone, Debug)]
pub struct Namespace {
    /// Which one.
    pub namespace: kernel::Namespace,
    /// Its name, where the driver made it.
    pub made: Option<String>,
}

/// A link that the driver may use.
#[derive(Clone, Debug)]
pub struct Link {
    /// Which one.
    pub key: LinkKey,
    /// Its name when the handle was made.
    pub name: LinkName,
}

/// The network at hand: its state is the call's, see [`crate::engine::CallState`].
pub struct NetworkInfo;

/// The endpoint's interface at hand.
pub struct InterfaceInfo;

/// The name of the endpoint's interface.
pub struct InterfaceNameInfo;

/// The join at hand.
pub struct JoinInfo;
