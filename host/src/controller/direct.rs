//! A driver's functions, called as they stand: what the conformance suite needs beyond an engine's requests.
//!
//! A front end's request is looked up first, so that no driver is ever called for a network that is not there, or again for one that is.
//! Whether a driver answers well then, only a call past that shows.

use std::sync::PoisonError;

use super::call::{Call, Calls};
use super::request::engine_network;
use super::{Controller, Inner};
use crate::capability;
use ask::{Arguments, Returned};
use kernel::Kernel;
use operation::driver::CallTrace;
use operation::engine::{CreateNetwork, Interface, Pools};
use store::Store;
use words::{Error, Id, Name, Result};

/// A call that is made directly.
#[derive(Clone, Debug)]
pub(crate) struct Direct {
    /// The exported function, and what it is told.
    pub arguments: Arguments,
    /// The network at hand, recorded or not; none: the function gets no kernel, store or tables.
    pub network: Option<CreateNetwork>,
    /// The endpoint at hand.
    pub endpoint: Option<Id>,
    /// What is chosen of the endpoint's interface already.
    pub interface: Interface,
}

/// A driver's call, as it ended.
#[derive(Clone, Debug)]
pub(crate) struct Called {
    /// What it was, and what it asked of the host.
    pub trace: CallTrace,
    /// Why it failed, or its commit did.
    pub error: Option<Error>,
    /// What it left behind and the host swept.
    pub swept: Vec<String>,
}

impl Controller {
    /// Calls a driver. What it changes is committed, and nothing else is recorded.
    pub(crate) async fn direct(&self, driver: &Name, direct: Direct) -> Result<Returned> {
        let driver = driver.clone();
        self.on_driver(driver.clone(), move |inner| inner.direct(&driver, direct)).await
    }

    /// The driver calls since this was asked last. The first question begins the count.
    pub(crate) fn take_calls(&self) -> Vec<Called> {
        let mut calls = self.inner.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.replace(Vec::new()).unwrap_or_default()
    }

    /// The kernel, to read from.
    pub(crate) fn kernel(&self) -> &Kernel {
        &self.inner.kernel
    }

    /// The store, to read from.
    pub(crate) fn store(&self) -> &Store {
        &self.inner.store
    }

    /// A loaded driver.
    pub(crate) fn loaded(&self, driver: &Name) -> Result<std::sync::Arc<crate::driver::Driver>> {
        self.inner.drivers.get(driver)
    }
}

impl Inner {
    fn direct(&self, driver: &Name, direct: Direct) -> Result<Returned> {
        let driver = self.drivers.get(driver)?;
        let Direct { arguments, network, endpoint, interface } = direct;
        let made = |create: CreateNetwork| {
            let CreateNetwork { network, options, ipv4, ipv6 } = create;
            engine_network(&driver, network, options, Pools { ipv4, ipv6 })
        };
        let network = network.map(made).transpose()?;
        let call = match (&network, &endpoint) {
            (Some(network), Some(endpoint)) => Call::endpoint(&driver, arguments, network, endpoint),
            (Some(network), None) => Call::network(&driver, arguments, network),
            (None, _) => Call::pure(&driver, arguments),
        };
        let Interface { mac, address, address_ipv6 } = interface;
        let interface = capability::Interface { mac, address, address_ipv6, sandbox: None };
        Ok(self.call(&Call { interface, ..call }, &mut Calls::default(), |_| Ok(Vec::new()))?.said.returned)
    }

    /// Notes a call for whoever asked for them.
    pub(super) fn note_call(&self, called: impl FnOnce() -> Called) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(calls) = calls.as_mut() {
            calls.push(called());
        }
    }
}
