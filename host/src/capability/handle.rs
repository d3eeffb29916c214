//! What a driver's handles stand for on the host's side. A handle lives for one call.

use wasmtime::component::Resource;

use super::Answer;
use crate::engine::CallState;

/// A link, and a network namespace.
pub use grant::{Link, Place as Namespace};

/// The link that a handle means, unless this call has removed it: to look at.
pub fn link(call: &CallState, handle: &Resource<Link>) -> Answer<Link> {
    let link = call.table.get(handle)?;
    if let Some(transaction) = &call.transaction {
        link.is_there(transaction)?;
    }
    Ok(link.clone())
}

/// The same for a link of the driver's own.
pub fn own_link(call: &CallState, handle: &Resource<Link>) -> Answer<Link> {
    call.table.get(handle)?.own()?;
    link(call, handle)
}

/// The namespace that an optional handle means.
pub fn namespace(call: &CallState, handle: Option<&Resource<Namespace>>) -> Answer<Option<Namespace>> {
    Ok(handle.map(|handle| call.table.get(handle).cloned()).transpose()?)
}

/// The network at hand: its state is the call's, see [`crate::engine::CallState`].
pub struct NetworkInfo;

/// The endpoint's interface at hand.
pub struct InterfaceInfo;

/// The name of the endpoint's interface.
pub struct InterfaceNameInfo;

/// The join at hand.
pub struct JoinInfo;
