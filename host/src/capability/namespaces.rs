//! `namespaces`: network namespaces as opaque handles.

use super::handle::{Namespace, NamespaceHandle};
use super::{Answer, CallState};
use ask::Refusal;
use ask::namespaces::Host;
use grant::NamespaceKind;
use grant::gate::links::NewNamespace;
use store::{Object, Thing};
use words::Error;

/// Bytes of a name.
const NAME: usize = 32;

impl Host for CallState {
    fn host(&mut self) -> Answer<NamespaceHandle> {
        self.handles.add_namespace(Namespace {
            namespace: kernel::Namespace::Host,
            kind: NamespaceKind::Host,
            made: None,
        })
    }

    fn add(&mut self, name: String) -> Answer<NamespaceHandle> {
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if !(1..=NAME).contains(&name.len()) || !name.bytes().all(word) {
            return Err(Refusal::invalid(format!("a namespace's name is 1 to {NAME} letters, digits, '-' or '_'")));
        }
        if find(self, &name)?.is_some() {
            return Err(Error::exists(format!("the network has a namespace {name} already")).into());
        }
        let file = format!("{}-{name}", self.network()?.nft_table);
        let (gate, transaction) = self.parts()?;
        let granted = gate.add_namespace(transaction, NewNamespace { name: name.clone(), file })?;
        let path = transaction.add_namespace(granted)?;
        let namespace = kernel::Namespace::At(path);
        self.handles.add_namespace(Namespace { namespace, kind: NamespaceKind::Own, made: Some(name) })
    }

    fn get(&mut self, name: String) -> Answer<NamespaceHandle> {
        let Some(Object { thing: Thing::Namespace { path, .. }, .. }) = find(self, &name)? else {
            return Err(Error::not_found("the network has no namespace of that name").into());
        };
        let namespace = kernel::Namespace::At(path);
        self.handles.add_namespace(Namespace { namespace, kind: NamespaceKind::Own, made: Some(name) })
    }

    fn namespace_same(&mut self, this: NamespaceHandle, other: NamespaceHandle) -> Answer<bool> {
        let inode = |n: &kernel::Namespace| match n {
            kernel::Namespace::Host => None,
            kernel::Namespace::At(at) => Some(at.inode),
        };
        Ok(inode(&self.handles.namespace(this)?.namespace) == inode(&self.handles.namespace(other)?.namespace))
    }

    fn namespace_remove(&mut self, this: NamespaceHandle) -> Answer<()> {
        let place = self.handles.namespace(this)?.clone();
        let (gate, transaction) = self.parts()?;
        Ok(transaction.remove_namespace(gate.remove_namespace(&place)?)?)
    }
}

/// The network's namespace of a name.
fn find(call: &mut CallState, name: &str) -> Answer<Option<Object>> {
    let is_it = |o: &Object| matches!(&o.thing, Thing::Namespace { name: n, .. } if n == name);
    Ok(call.transaction()?.objects()?.into_iter().find(is_it))
}
