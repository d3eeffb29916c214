//! Network namespaces.

use crate::fake::state::{self, HOST, MadeNamespace};
use crate::fake::sys::Namespace;
use crate::{Error, Result};

pub(crate) fn host() -> Namespace {
    Namespace(HOST)
}

pub(crate) fn same(one: &Namespace, other: &Namespace) -> bool {
    one.0 == other.0
}

pub(crate) fn remove(namespace: &Namespace) -> Result<()> {
    state::with(|state| {
        if !state.namespaces.contains_key(&namespace.0) {
            return Err(Error::forbidden("the driver did not make this namespace"));
        }
        state.remove_namespace(namespace.0);
        Ok(())
    })
}

pub(crate) fn add(name: &str) -> Result<Namespace> {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if name.is_empty() || name.len() > 32 || !name.bytes().all(is_good) {
        return Err(Error::invalid_argument(format!("namespace {name:?}: 1 to 32 letters, digits, - or _")));
    }
    if get(name).is_ok() {
        return Err(Error::already_exists(format!("the network has a namespace {name}")));
    }
    state::with(|state| {
        let id = state.next();
        state.namespaces.insert(id, MadeNamespace { owner: state.owner.clone(), name: name.to_owned() });
        Ok(Namespace(id))
    })
}

pub(crate) fn get(name: &str) -> Result<Namespace> {
    state::with(|state| {
        let is_it = |made: &MadeNamespace| made.name == name && made.owner.network == state.owner.network;
        let found = state.namespaces.iter().find(|(_, made)| is_it(made)).map(|(id, _)| Namespace(*id));
        found.ok_or_else(|| Error::not_found(format!("the network has no namespace {name}")))
    })
}
