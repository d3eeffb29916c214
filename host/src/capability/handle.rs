//! What a driver's handles stand for on the host's side. A handle lives for one call.

pub use ask::links::Link as LinkHandle;
pub use ask::namespaces::Namespace as NamespaceHandle;
/// A link, and a network namespace.
pub use grant::{Link, Place as Namespace};

use super::{Answer, CallState};
use ask::{OWN, Refusal};
use words::limit::HANDLES;

/// The links and namespaces of one call, by number. A number that a driver has dropped is given again.
#[derive(Default)]
pub struct Handles {
    objects: Vec<Object>,
    free: Vec<u32>,
}

/// What a number stands for.
enum Object {
    Link(Link),
    Namespace(Namespace),
    Dropped,
}

impl Handles {
    /// A handle for a link.
    pub fn add_link(&mut self, link: Link) -> Answer<LinkHandle> {
        self.add(Object::Link(link)).map(LinkHandle)
    }

    /// A handle for a namespace.
    pub fn add_namespace(&mut self, namespace: Namespace) -> Answer<NamespaceHandle> {
        self.add(Object::Namespace(namespace)).map(NamespaceHandle)
    }

    /// The link that a handle means.
    pub fn link(&self, handle: LinkHandle) -> Answer<&Link> {
        match self.objects.get(place(handle.0)) {
            Some(Object::Link(link)) => Ok(link),
            _ => Err(unknown(handle.0)),
        }
    }

    /// The same, to change what is known of it.
    pub fn link_mut(&mut self, handle: LinkHandle) -> Answer<&mut Link> {
        match self.objects.get_mut(place(handle.0)) {
            Some(Object::Link(link)) => Ok(link),
            _ => Err(unknown(handle.0)),
        }
    }

    /// The namespace that a handle means.
    pub fn namespace(&self, handle: NamespaceHandle) -> Answer<&Namespace> {
        match self.objects.get(place(handle.0)) {
            Some(Object::Namespace(namespace)) => Ok(namespace),
            _ => Err(unknown(handle.0)),
        }
    }

    /// The driver has dropped it.
    pub fn drop(&mut self, handle: u32) {
        match self.objects.get_mut(place(handle)) {
            None | Some(Object::Dropped) => {}
            Some(object) => {
                *object = Object::Dropped;
                self.free.push(handle);
            }
        }
    }

    fn add(&mut self, object: Object) -> Answer<u32> {
        if let Some(handle) = self.free.pop() {
            self.objects[place(handle)] = object;
            return Ok(handle);
        }
        let Some(handle) = u32::try_from(self.objects.len() + 1).ok().filter(|_| self.objects.len() < HANDLES) else {
            return Err(Refusal::trap(format!("more than {HANDLES} handles at a time")));
        };
        self.objects.push(object);
        Ok(handle)
    }
}

/// Where a handle's object is: the first number is that of a call's own handles.
fn place(handle: u32) -> usize {
    match handle {
        OWN => usize::MAX,
        handle => handle as usize - 1,
    }
}

/// wasmtime gives a driver no handle that it was not given; somebody else might.
fn unknown(handle: u32) -> Refusal {
    Refusal::trap(format!("{handle} is no handle of this kind"))
}

/// The link that a handle means, unless this call has removed it: to look at.
pub fn link(call: &CallState, handle: LinkHandle) -> Answer<Link> {
    let link = call.handles.link(handle)?;
    if let Some(transaction) = &call.transaction {
        link.is_there(transaction)?;
    }
    Ok(link.clone())
}

/// The same for a link of the driver's own.
pub fn own_link(call: &CallState, handle: LinkHandle) -> Answer<Link> {
    call.handles.link(handle)?.own()?;
    link(call, handle)
}

/// The namespace that an optional handle means.
pub fn namespace(call: &CallState, handle: Option<NamespaceHandle>) -> Answer<Option<Namespace>> {
    handle.map(|handle| call.handles.namespace(handle).cloned()).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use grant::NamespaceKind;

    fn host() -> Namespace {
        Namespace { namespace: kernel::Namespace::Host, kind: NamespaceKind::Host, made: None }
    }

    #[test]
    fn a_number_stands_for_what_it_was_given_for_and_nothing_else() {
        let mut handles = Handles::default();
        let first = handles.add_namespace(host()).unwrap();
        assert!(handles.namespace(first).is_ok() && handles.link(LinkHandle(first.0)).is_err());
        for forged in [OWN, first.0 + 1, u32::MAX] {
            assert!(handles.namespace(NamespaceHandle(forged)).is_err(), "{forged}");
            handles.drop(forged);
        }
        handles.drop(first.0);
        handles.drop(first.0);
        assert!(handles.namespace(first).is_err());
        let again = handles.add_namespace(host()).unwrap();
        assert_eq!((again, handles.free.len()), (first, 0));
        for _ in 1..HANDLES {
            handles.add_namespace(host()).unwrap();
        }
        assert!(matches!(handles.add_namespace(host()), Err(Refusal::Trap(text)) if text.contains("1000 handles")));
    }
}
