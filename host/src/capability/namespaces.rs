//! `namespaces`: network namespaces as opaque handles.

use wasmtime::component::Resource;

use super::handle::Namespace;
use super::{Answer, Refusal};
use crate::engine::CallState;
use crate::engine::bindings::imports::namespaces::{Host, HostNamespace};
use grant::gate::links::NewNamespace;
use grant::{HostCall, NamespaceKind};
use store::{Object, Thing};
use words::Error;

/// Bytes of a name.
const NAME: usize = 32;

impl Host for CallState {
    fn host(&mut self) -> wasmtime::Result<Resource<Namespace>> {
        Ok(self.ask(HostCall::NamespacesHost, arguments!(), |call| {
            Ok(call.table.push(Namespace {
                namespace: kernel::Namespace::Host,
                kind: NamespaceKind::Host,
                made: None,
            })?)
        })?)
    }

    fn add(&mut self, name: String) -> Answer<Resource<Namespace>> {
        self.ask(HostCall::NamespacesAdd, arguments!(name), |call| {
            let word = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
            if !(1..=NAME).contains(&name.len()) || !name.bytes().all(word) {
                return Err(Refusal::invalid(format!("a namespace's name is 1 to {NAME} letters, digits, '-' or '_'")));
            }
            if find(call, &name)?.is_some() {
                return Err(Error::exists(format!("the network has a namespace {name} already")).into());
            }
            let file = format!("{}-{name}", call.network()?.nft_table);
            let (gate, transaction) = call.parts()?;
            let granted = gate.add_namespace(transaction, NewNamespace { name: name.clone(), file })?;
            let path = transaction.add_namespace(granted)?;
            let namespace = kernel::Namespace::At(path);
            Ok(call.table.push(Namespace { namespace, kind: NamespaceKind::Own, made: Some(name) })?)
        })
    }

    fn get(&mut self, name: String) -> Answer<Resource<Namespace>> {
        self.ask(HostCall::NamespacesGet, arguments!(name), |call| {
            let Some(Object { thing: Thing::Namespace { path, .. }, .. }) = find(call, &name)? else {
                return Err(Error::not_found("the network has no namespace of that name").into());
            };
            let namespace = kernel::Namespace::At(path);
            Ok(call.table.push(Namespace { namespace, kind: NamespaceKind::Own, made: Some(name) })?)
        })
    }
}

impl HostNamespace for CallState {
    fn same(&mut self, this: Resource<Namespace>, other: Resource<Namespace>) -> wasmtime::Result<bool> {
        Ok(self.ask(HostCall::NamespacesNamespaceSame, arguments!(this, other), |call| {
            let inode = |n: &kernel::Namespace| match n {
                kernel::Namespace::Host => None,
                kernel::Namespace::At(at) => Some(at.inode),
            };
            Ok(inode(&call.table.get(&this)?.namespace) == inode(&call.table.get(&other)?.namespace))
        })?)
    }

    fn remove(&mut self, this: Resource<Namespace>) -> Answer<()> {
        self.ask(HostCall::NamespacesNamespaceRemove, arguments!(this), |call| {
            let place = call.table.get(&this)?.clone();
            let (gate, transaction) = call.parts()?;
            Ok(transaction.remove_namespace(gate.remove_namespace(&place)?)?)
        })
    }

    fn drop(&mut self, this: Resource<Namespace>) -> wasmtime::Result<()> {
        self.drop_handle(this)
    }
}

/// The network's namespace of a name.
fn find(call: &mut CallState, name: &str) -> Answer<Option<Object>> {
    let is_it = |o: &Object| matches!(&o.thing, Thing::Namespace { name: n, .. } if n == name);
    Ok(call.transaction()?.objects()?.into_iter().find(is_it))
}
