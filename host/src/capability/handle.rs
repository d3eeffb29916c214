//! What a driver's handles stand for on the host's side. A handle lives for one call.

use wasmtime::component::Resource;

use super::Answer;
use crate::engine::CallState;
use crate::kernel::{self, LinkKey, LinkName};
use crate::operation::Error;

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

/// The link that a handle means, unless this call has removed it.
pub fn link(call: &CallState, handle: &Resource<Link>) -> Answer<Link> {
    let link = call.table.get(handle)?;
    if call.transaction.as_ref().is_some_and(|t| t.has_removed(&link.key)) {
        return Err(Error::not_found(format!("{} is gone: this call removed it", link.name)).into());
    }
    Ok(link.clone())
}

/// The network at hand: its state is the call's, see [`crate::engine::CallState`].
pub struct NetworkInfo;

/// The endpoint's interface at hand.
pub struct InterfaceInfo;

/// The name of the endpoint's interface.
pub struct InterfaceNameInfo;

/// The join at hand.
pub struct JoinInfo;
