//! What a driver's handles stand for on the host's side. A handle lives for one call.

use std::collections::BTreeSet;

use wasmtime::component::Resource;

use super::Answer;
use crate::engine::CallState;
use grant::NamespaceKind;
use kernel::{self, LinkKey};
use words::Error;
use words::LinkName;

/// A network namespace.
#[derive(Clone, Debug)]
pub struct Namespace {
    /// Which one.
    pub namespace: kernel::Namespace,
    /// What kind it is.
    pub kind: NamespaceKind,
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
    /// The driver made it; else it is a parent interface that the grant names, which nobody may change.
    pub is_own: bool,
}

/// The link that a handle means, unless this call has removed it.
pub fn link(call: &CallState, handle: &Resource<Link>) -> Answer<Link> {
    let link = call.table.get(handle)?;
    if call.transaction.as_ref().is_some_and(|t| t.has_removed(&link.key)) {
        return Err(Error::not_found(format!("{} is gone: this call removed it", link.name)).into());
    }
    Ok(link.clone())
}

/// The link that a handle means, which has to be the driver's own.
pub fn own_link(call: &CallState, handle: &Resource<Link>) -> Answer<Link> {
    let link = call.table.get(handle)?;
    match link.is_own {
        true => Ok(link.clone()),
        false => Err(Error::forbidden(format!(
            "{} is not the driver's own: as a parent interface it can be looked at and built on, nothing else",
            link.name
        ))
        .into()),
    }
}

/// The same right before a write: the kernel still has it at this index in this namespace, with Pontoon's mark, and the store says that it
/// is this driver's. Answers the name that it has now.
pub fn owned_link(call: &mut CallState, handle: &Resource<Link>) -> Answer<Link> {
    own_link(call, handle)?;
    let link = link(call, handle)?;
    let Some(info) = call.transaction()?.drivers_link(&link.key)? else {
        return Err(Error::not_found(format!("{} is gone, or is not the driver's any more", link.name)).into());
    };
    let name = LinkName::new(&info.name)?;
    call.table.get_mut(handle)?.name = name.clone();
    Ok(Link { name, ..link })
}

/// The links of a list, each checked like this once.
pub fn check_owned<'a>(call: &mut CallState, handles: impl IntoIterator<Item = &'a Resource<Link>>) -> Answer<()> {
    let mut checked = BTreeSet::new();
    for handle in handles {
        if checked.insert(handle.rep()) {
            owned_link(call, handle)?;
        }
    }
    Ok(())
}

/// The network at hand: its state is the call's, see [`crate::engine::CallState`].
pub struct NetworkInfo;

/// The endpoint's interface at hand.
pub struct InterfaceInfo;

/// The name of the endpoint's interface.
pub struct InterfaceNameInfo;

/// The join at hand.
pub struct JoinInfo;
