//! Namespaces that an operator attaches: the driver knows the sandbox from the start, and the host does the engine's part.

use ipnet::IpNet;

use super::links::no_link;
use super::stop::{Checked, Stop, worded};
use super::world::World;
use kernel::{LinkKey, Namespace, NamespacePath};
use operation::endpoint::{Attach, Attached, Endpoint};
use operation::network::{CreateNetwork, PoolRequest, Removed};
use words::LinkName;
use words::{Error, Name, Result};

/// The operator's name of the network.
const NETWORK: &str = "n";

/// A namespace gets its link with addresses and MAC, and nothing stays when it goes.
pub fn life(world: &mut World<'_>) -> Checked<()> {
    let empty = world.look()?;
    create(world)?;
    let sandbox = world.sandbox("sandbox")?;
    let quiet = world.look()?;
    let attached = attach(world, &sandbox)?;
    inside(world, &sandbox, &attached.endpoint)?;
    detach(world, &sandbox)?;
    world.same_kernel(&quiet, "delete-endpoint of an attached namespace", "before create-endpoint")?;
    delete(world)?;
    world.same_host(&empty, "delete-network", "before create-network")
}

/// Two namespaces of one network reach each other.
pub fn reach(world: &mut World<'_>) -> Checked<()> {
    create(world)?;
    let [a, b] = [world.sandbox("a")?, world.sandbox("b")?];
    let (from, to) = (attach(world, &a)?, attach(world, &b)?);
    if from.endpoint.interface.is_none() || to.endpoint.interface.is_none() {
        return Err(no_link(world, "join of an attached namespace"));
    }
    let ipv4 = to.endpoint.address.map(|net| net.addr().into());
    let ipv6 = to.endpoint.address_ipv6.map(|net| net.addr().into());
    for address in ipv4.into_iter().chain(ipv6) {
        if !world.reaches(&a, &b, address)? {
            let call = "create-endpoint and join of two endpoints of one network";
            return Err(Stop::failed(call, format!("a connection from one to the other at {address}"), "none in 3 s"));
        }
    }
    Ok(())
}

/// A namespace that can't use IPv6 gets no IPv6 address, and its IPv4 works.
pub fn without_ipv6(world: &mut World<'_>) -> Checked<()> {
    create(world)?;
    let sandbox = world.sandbox_without_ipv6("sandbox")?;
    let quiet = world.look()?;
    let attached = attach(world, &sandbox).map_err(|stop| stop.after("of a namespace without IPv6"))?;
    if let Some(address) = attached.endpoint.address_ipv6 {
        let call = "release-ipv6 of a namespace without IPv6";
        return Err(Stop::failed(call, "an endpoint without an IPv6 address", address));
    }
    inside(world, &sandbox, &attached.endpoint)?;
    detach(world, &sandbox)?;
    world.same_kernel(&quiet, "delete-endpoint of a namespace without IPv6", "before create-endpoint")
}

fn create(world: &World<'_>) -> Checked<()> {
    let net = world.net("n", 1)?;
    let pool = |data: &operation::engine::PoolData| {
        let gateway = data.gateway.map(|gateway| gateway.addr());
        data.pool.map(|subnet| PoolRequest { subnet, range: None, gateway, aux_addresses: [].into() })
    };
    let options = &net.create.options;
    let create = CreateNetwork {
        name: Name::new(NETWORK)?,
        driver: world.suite.driver.clone(),
        pools: net.create.ipv4.iter().chain(&net.create.ipv6).filter_map(pool).collect(),
        ipv4: options.ipv4,
        ipv6: options.ipv6,
        internal: false,
        no_pools: !options.ipv4 && !options.ipv6,
        ipam: None,
        scope: None,
        ipam_options: [].into(),
        options: world.suite.labels.clone(),
    };
    ok("create-network", world.wait(world.controller()?.create_network(create))).map(drop)
}

fn delete(world: &World<'_>) -> Checked<()> {
    let removed = ok("delete-network", world.wait(world.controller()?.remove_network(NETWORK)))?;
    swept(world, "delete-network", &removed);
    Ok(())
}

fn attach(world: &World<'_>, sandbox: &NamespacePath) -> Checked<Attached> {
    let attach = Attach {
        namespace: sandbox.path.to_string_lossy().into_owned(),
        name: None,
        address: None,
        address_ipv6: None,
        mac_address: None,
        interface: None,
        gateway_priority: 0,
        ports: Vec::new(),
        options: [].into(),
    };
    ok("attaching a namespace", world.wait(world.controller()?.attach(NETWORK, attach)))
}

fn detach(world: &World<'_>, sandbox: &NamespacePath) -> Checked<()> {
    let path = sandbox.path.to_string_lossy();
    let removed = ok("detaching a namespace", world.wait(world.controller()?.detach(Some(NETWORK), &path)))?;
    swept(world, "delete-endpoint", &removed);
    Ok(())
}

fn ok<T>(call: &str, answer: Result<T>) -> Checked<T> {
    answer.map_err(|error: Error| Stop::failed(call, "ok", worded(&error)))
}

fn swept(world: &World<'_>, function: &str, removed: &Removed) {
    if !removed.swept.is_empty() {
        world.warn(format!("{function} left for the host to sweep: {}", removed.swept.join(", ")));
    }
}

/// What the namespace has is what the endpoint was told to have.
fn inside(world: &World<'_>, sandbox: &NamespacePath, endpoint: &Endpoint) -> Checked<()> {
    let Some(name) = &endpoint.interface else { return Err(no_link(world, "join of an attached namespace")) };
    let namespace = Namespace::At(sandbox.clone());
    let kernel = world.controller()?.kernel();
    let call = "join of an attached namespace";
    let Some(info) = kernel.link_by_name(&namespace, &LinkName::new(name)?)? else {
        return Err(Stop::failed(call, format!("the link {name} in the namespace"), "none"));
    };
    if endpoint.mac_address.is_some() && endpoint.mac_address != info.mac {
        let got = info.mac.map_or_else(|| "none".to_owned(), |mac| mac.to_string());
        return Err(Stop::failed(call, format!("{name} with the endpoint's MAC {:?}", endpoint.mac_address), got));
    }
    let has = kernel.addresses(&LinkKey { namespace, index: info.index })?;
    let wanted = endpoint.address.map(IpNet::V4).into_iter().chain(endpoint.address_ipv6.map(IpNet::V6));
    match wanted.into_iter().find(|address| !has.contains(address)) {
        Some(missing) => Err(Stop::failed(call, format!("{name} with the address {missing}"), format!("{has:?}"))),
        None => Ok(()),
    }
}
