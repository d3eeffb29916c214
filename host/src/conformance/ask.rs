//! What is asked of a driver through its host: what a container engine asks for.
//!
//! Each step expects what the interface says, and otherwise ends the check with what came instead.

use std::fmt::Display;

use super::cast::{End, Net};
use super::stop::{Checked, Stop, worded};
use super::world::World;
use crate::controller::Called;
use operation::driver::{Scope, Without};
use operation::engine::{AllocateNetwork, Interface, Joined, Labels, Reply, Request};
use operation::origin::Origin;
use words::{Error, Kind, MacAddress, Result};

/// Whose objects they are.
const DOCKER: Origin = Origin::Docker { api: None };

impl World<'_> {
    /// Asks as a container engine does. The driver's calls come along: the host carries removals through whatever they answer.
    pub fn ask(&self, request: Request) -> Checked<(Result<Reply>, Vec<Called>)> {
        let controller = self.controller()?;
        controller.take_calls();
        let answer = self.wait(controller.request(&DOCKER, &self.suite.driver, request));
        Ok((answer, controller.take_calls()))
    }

    /// Asks for several things at the same time.
    pub fn ask_at_once(&self, requests: Vec<Request>) -> Checked<(Vec<Result<Reply>>, Vec<Called>)> {
        let controller = self.controller()?;
        controller.take_calls();
        let one = |request| {
            let (controller, driver) = (controller.clone(), self.suite.driver.clone());
            self.suite.runtime.spawn(async move { controller.request(&DOCKER, &driver, request).await })
        };
        let asked: Vec<_> = requests.into_iter().map(one).collect();
        let panicked = |e| Err(Error::internal(format!("a request panicked: {e}")));
        let answers = asked.into_iter().map(|answer| self.wait(answer).unwrap_or_else(panicked)).collect();
        Ok((answers, controller.take_calls()))
    }

    /// Asks for what has to work.
    pub fn expect(&self, what: &str, request: Request) -> Checked<Reply> {
        let makes_network = matches!(request, Request::CreateNetwork(_));
        let (answer, calls) = self.ask(request)?;
        self.note(&calls);
        let reply = answer.map_err(|error| Stop::failed(what, good(&error, makes_network), worded(&error)))?;
        match calls.iter().find_map(|called| Some((called, called.error.as_ref()?))) {
            Some((called, error)) => {
                let call = format!("{} in {what}", called.trace.function);
                Err(Stop::failed(call, "ok (the host went on all the same)", worded(error)))
            }
            None => Ok(reply),
        }
    }

    /// A network as the engine makes it: of the families that the driver takes.
    pub fn net(&self, name: &str, number: u8) -> Checked<Net> {
        Ok(Net::new(name, number, self.suite.families)?)
    }

    /// Asks what an engine asks before it makes a network: which gateways it needs, and, of a driver for clusters, what it reserves.
    pub fn prepare(&self, net: &Net) -> Checked<Net> {
        let mut net = net.clone();
        for (key, value) in &self.suite.labels {
            net.create.options.generic.entry(key.clone()).or_insert_with(|| value.clone());
        }
        let what = format!("skip-gateway-allocation for {}", net.name);
        if let Reply::GatewaysSkipped { ipv4, ipv6 } =
            self.expect(&what, Request::CheckGateways(net.create.options.clone()))?
        {
            net.create.ipv4.iter_mut().filter(|_| ipv4).for_each(|pool| pool.gateway = None);
            net.create.ipv6.iter_mut().filter(|_| ipv6).for_each(|pool| pool.gateway = None);
        }
        if self.is_global()? {
            net.create.options.generic = self.allocate(&net)?;
        }
        Ok(net)
    }

    /// Reserves what a network needs in a cluster.
    pub fn allocate(&self, net: &Net) -> Checked<Labels> {
        let create = net.create.clone();
        let generic = create.options.generic;
        let allocate = AllocateNetwork { network: create.network, generic, ipv4: create.ipv4, ipv6: create.ipv6 };
        let what = format!("network-allocate of {}", net.name);
        match self.expect(&what, Request::AllocateNetwork(allocate))? {
            Reply::Allocated(labels) => Ok(labels),
            other => Err(Stop::failed(what, "options", format!("{other:?}"))),
        }
    }

    fn is_global(&self) -> Checked<bool> {
        let driver = self.controller()?.loaded(&self.suite.driver)?;
        Ok(driver.record.data_scope == Scope::Global && driver.allocates())
    }

    /// Makes a network.
    pub fn create(&self, net: &Net) -> Checked<Net> {
        let net = self.prepare(net)?;
        self.expect(&format!("create-network of {}", net.name), Request::CreateNetwork(net.create.clone()))?;
        Ok(net)
    }

    /// Makes a network of these families, which the author may say that the driver does not take.
    pub fn create_of(&self, net: &Net) -> Checked<Net> {
        let options = &net.create.options;
        let families = [(options.ipv4, Without::Ipv4), (options.ipv6, Without::Ipv6)];
        match families.into_iter().find(|(wanted, without)| *wanted && self.suite.does_without(*without)) {
            Some((_, without)) => Err(declared(without)),
            None => self.create(net),
        }
    }

    /// Makes a network beside another one, which some drivers have no room for.
    pub fn create_another(&self, net: &Net) -> Checked<Net> {
        if self.suite.does_without(Without::SeveralNetworks) {
            return Err(declared(Without::SeveralNetworks));
        }
        self.create(net).map_err(|stop| or_without(stop.after("beside another network"), Without::SeveralNetworks))
    }

    /// Makes an endpoint with a MAC address that the user asked for, which some drivers can't give it.
    pub fn add_with_mac(&self, end: &End, mac: MacAddress) -> Checked<Interface> {
        match self.add(end) {
            Err(_) if self.suite.does_without(Without::MacAddress) => Err(declared(Without::MacAddress)),
            Err(stop) => Err(or_without(stop.after(format!("with the MAC {mac} asked for")), Without::MacAddress)),
            added => added,
        }
    }

    /// A failure, unless the author says that the driver does not do this: then the check does not apply.
    pub fn unless(&self, without: Without, call: impl Display, expected: &str, got: impl Display) -> Stop {
        if self.suite.does_without(without) {
            return declared(without);
        }
        or_without(Stop::failed(call, expected, got), without)
    }

    /// Makes an endpoint, and answers its interface with what the driver chose.
    pub fn add(&self, end: &End) -> Checked<Interface> {
        let what = format!("create-endpoint of {}", end.name);
        match self.expect(&what, Request::CreateEndpoint(end.create.clone()))? {
            Reply::Chosen(chosen) => {
                let given = &end.create.interface;
                Ok(Interface {
                    mac: given.mac.or(chosen.mac),
                    address: given.address.or(chosen.address),
                    address_ipv6: given.address_ipv6.or(chosen.address_ipv6),
                })
            }
            other => Err(Stop::failed(what, "an interface", format!("{other:?}"))),
        }
    }

    /// An endpoint joins its sandbox.
    pub fn join(&self, end: &End) -> Checked<Joined> {
        let what = format!("join of {}", end.name);
        match self.expect(&what, Request::Join(end.join()))? {
            Reply::Joined(joined) => Ok(joined),
            other => Err(Stop::failed(what, "what the sandbox gets", format!("{other:?}"))),
        }
    }

    /// Connects an endpoint with the outside, where the driver has that part.
    pub fn connect(&self, end: &End) -> Checked<()> {
        if !self.controller()?.loaded(&self.suite.driver)?.connects_outside() {
            return Ok(());
        }
        let what = format!("program-external-connectivity of {}", end.name);
        self.expect(&what, Request::ProgramExternalConnectivity(end.outside())).map(drop)
    }

    /// Makes an endpoint, which joins its sandbox and is connected with the outside.
    pub fn bring_up(&self, end: &End) -> Checked<()> {
        self.add(end)?;
        self.join(end)?;
        self.connect(end)
    }

    /// Takes the connection with the outside back.
    pub fn disconnect(&self, end: &End) -> Checked<()> {
        let what = format!("revoke-external-connectivity of {}", end.name);
        self.expect(&what, Request::RevokeExternalConnectivity(end.key())).map(drop)
    }

    /// An endpoint leaves its sandbox.
    pub fn leave(&self, end: &End) -> Checked<()> {
        self.expect(&format!("leave of {}", end.name), Request::Leave(end.key())).map(drop)
    }

    /// Removes an endpoint.
    pub fn remove(&self, end: &End) -> Checked<()> {
        self.expect(&format!("delete-endpoint of {}", end.name), Request::DeleteEndpoint(end.key())).map(drop)
    }

    /// Removes a network, and gives back what was reserved for it.
    pub fn delete(&self, net: &Net) -> Checked<()> {
        let id = net.create.network.clone();
        self.expect(&format!("delete-network of {}", net.name), Request::DeleteNetwork(id.clone()))?;
        if self.is_global()? {
            self.expect(&format!("network-free of {}", net.name), Request::FreeNetwork(id))?;
        }
        Ok(())
    }
}

/// What was expected instead of an error. One that says that something is not there has a reason that nobody sees in it.
fn good(error: &Error, makes_network: bool) -> &'static str {
    match error.kind {
        Kind::NotImplemented if makes_network => {
            "ok; a driver that does not take all networks says in pontoon.toml what it is without: ipv4, ipv6, several-networks"
        }
        _ if makes_network => "ok",
        Kind::NotFound if error.errno.is_none() => {
            "ok: each call is a fresh instance, and what is to be remembered goes into `store`"
        }
        _ => "ok",
    }
}

/// A failure of what the author may say that the driver does not do.
fn or_without(stop: Stop, without: Without) -> Stop {
    match stop {
        Stop::Failed(mut failure) => {
            failure.expected += &format!("; or pontoon.toml says `without = [{:?}]`", without.name());
            Stop::Failed(failure)
        }
        other => other,
    }
}

/// The check does not apply, by the author's choice.
pub fn declared(without: Without) -> Stop {
    Stop::skipped(format!("the driver's manifest says that it is without {}", without.name()))
}
