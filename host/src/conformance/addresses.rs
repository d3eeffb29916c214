//! The part `ipam`: pools and addresses are given, taken back, and given again.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use super::faults::each;
use super::stop::{Checked, Stop, kinds, worded};
use super::world::World;
use ask::{Arguments, Returned, ipam as wit};
use operation::driver::Without;
use operation::engine::{Labels, Purpose, Reply, Request, RequestAddress, RequestPool, TakenPool};
use words::{Id, Kind, MacAddress};

/// What can't be had a second time.
const TAKEN: [Kind; 4] = [Kind::AlreadyExists, Kind::Forbidden, Kind::InvalidArgument, Kind::Unavailable];

/// Addresses that are asked for at once.
const AT_ONCE: usize = 12;

/// A pool with its gateway and endpoints comes and goes, and nothing is remembered of it.
pub fn life(world: &mut World<'_>) -> Checked<()> {
    for ipv6 in families(world) {
        let empty = world.look()?;
        let pool = take_pool(world, ipv6, None)?;
        let gateway = take(world, &pool.id, Purpose::Gateway, None)?;
        let reserved = take(world, &pool.id, Purpose::Reserved, None)?;
        let addresses =
            [take(world, &pool.id, Purpose::Endpoint, None)?, take(world, &pool.id, Purpose::Endpoint, None)?];
        for address in addresses {
            release(world, &pool.id, address)?;
        }
        // The gateway and what is reserved go with the pool.
        world.expect("release-pool", Request::ReleasePool(pool.id.clone()))?;
        let what = format!("release-pool of {} (with the gateway {gateway} and {reserved} in it)", pool.pool);
        world.same(&empty, &what, "before request-pool")?;
    }
    Ok(())
}

/// The pool that is asked for is given, or refused in so many words, and is not given twice.
pub fn wanted_pool(world: &mut World<'_>) -> Checked<()> {
    let ipv6 = *families(world).first().unwrap_or(&false);
    let first = take_pool(world, ipv6, None)?;
    let other = take_pool(world, ipv6, None).map_err(|stop| stop.after("a second one"))?;
    for pool in [&first, &other] {
        world.expect("release-pool", Request::ReleasePool(pool.id.clone()))?;
    }
    let again = take_pool(world, ipv6, Some(first.pool)).map_err(|stop| stop.after("which was given before"))?;
    let before = world.look()?;
    refused(world, "request-pool of a pool that is given", request_pool(ipv6, Some(first.pool)))?;
    world.same(&before, "request-pool of a pool that is given", "before the call")?;
    world.expect("release-pool", Request::ReleasePool(again.id)).map(drop)
}

/// An address that was given back can be had again; many that are asked for at once are all different.
pub fn wanted_address(world: &mut World<'_>) -> Checked<()> {
    let ipv6 = *families(world).first().unwrap_or(&false);
    let pool = take_pool(world, ipv6, None)?;
    let first = take(world, &pool.id, Purpose::Endpoint, None)?;
    release(world, &pool.id, first)?;
    take(world, &pool.id, Purpose::Endpoint, Some(first)).map_err(|stop| stop.after("which was given back"))?;
    let again = request_address(&pool.id, Purpose::Endpoint, Some(first));
    refused(world, "request-address of an address that is given", again)?;
    let requests = vec![request_address(&pool.id, Purpose::Endpoint, None); AT_ONCE];
    let mut found = BTreeSet::from([first]);
    for answer in world.ask_at_once(requests)?.0 {
        let call = format!("request-address, {AT_ONCE} at the same time");
        match answer {
            Ok(Reply::Address(net)) if found.insert(net.addr()) => {}
            Ok(other) => return Err(Stop::failed(call, "another address each time", format!("{other:?}"))),
            Err(error) => return Err(Stop::failed(call, "ok", worded(&error))),
        }
    }
    for address in found {
        release(world, &pool.id, address)?;
    }
    world.expect("release-pool", Request::ReleasePool(pool.id)).map(drop)
}

/// What is not there is not-found, and can be taken back.
pub fn unknown(world: &mut World<'_>) -> Checked<()> {
    let before = world.look()?;
    let pool = "nowhere".to_owned();
    let address = ask::types::IpAddress::Ipv4((192, 0, 2, 1));
    for (call, arguments) in [
        ("release-pool of a pool that is not there", Arguments::ReleasePool { pool: pool.clone() }),
        ("release-address of a pool that is not there", Arguments::ReleaseAddress { pool: pool.clone(), address }),
    ] {
        world.of_pool(arguments)?.map_err(|error| Stop::failed(call, "ok", worded(&error)))?;
    }
    let call = "request-address of a pool that is not there";
    let asked = Arguments::RequestAddress { pool, request: any_address() };
    match world.of_pool(asked)? {
        Err(error) if error.kind == Kind::NotFound => {}
        answer => {
            let got = answer.map_or_else(|error| worded(&error), |_| "ok".to_owned());
            return Err(Stop::failed(call, kinds(&[Kind::NotFound]), got));
        }
    }
    world.same(&before, call, "before the calls")
}

/// Each host call of what gives something fails, and then traps.
pub fn failing(world: &mut World<'_>) -> Checked<()> {
    let ipv6 = *families(world).first().unwrap_or(&false);
    let pool = "conformance".to_owned();
    let request = wit::PoolRequest {
        address_space: String::new(),
        pool: None,
        sub_pool: None,
        ipv6,
        exclude: Vec::new(),
        options: labels(world).into_iter().collect(),
    };
    let ask_pool = || {
        let arguments = Arguments::RequestPool { pool: pool.clone(), request: request.clone() };
        Ok(world.of_pool(arguments)?.map(drop))
    };
    let back = |arguments| {
        let answer = world.of_pool(arguments)?;
        answer.map(drop).map_err(|error| Stop::failed("taking it back", "ok", worded(&error)))
    };
    each(world, "request-pool", ask_pool, || back(Arguments::ReleasePool { pool: pool.clone() }))?;
    let given = Cell::new(None);
    let ask_address = || {
        let arguments = Arguments::RequestAddress { pool: pool.clone(), request: any_address() };
        Ok(world.of_pool(arguments)?.map(|returned| match returned {
            Returned::RequestAddress(address) => given.set(Some(address)),
            _ => given.set(None),
        }))
    };
    let back_with_it = || match given.take() {
        Some(address) => back(Arguments::ReleaseAddress { pool: pool.clone(), address }),
        None => Ok(()),
    };
    each(world, "request-address", ask_address, back_with_it)
}

/// The families that the driver gives addresses of: IPv6 is true.
fn families(world: &World<'_>) -> Vec<bool> {
    let all = [(false, Without::Ipv4), (true, Without::Ipv6)];
    all.into_iter().filter(|(_, without)| !world.suite.does_without(*without)).map(|(ipv6, _)| ipv6).collect()
}

/// The labels of a run are the options of its pools.
fn labels(world: &World<'_>) -> Labels {
    world.suite.labels.clone()
}

fn request_pool(ipv6: bool, pool: Option<IpNet>) -> Request {
    let (address_space, options) = (String::new(), Labels::new());
    Request::RequestPool(RequestPool { address_space, pool, range: None, ipv6, options })
}

/// With a MAC: a driver may need one.
fn request_address(pool: &Id, purpose: Purpose, address: Option<IpAddr>) -> Request {
    let mac = (purpose == Purpose::Endpoint).then_some(MacAddress([2, 0, 0, 0, 0, 1]));
    Request::RequestAddress(RequestAddress { pool: pool.clone(), address, purpose, mac, options: Labels::new() })
}

fn any_address() -> wit::AddressRequest {
    let mac_address = Some((2, 0, 0, 0, 0, 1));
    wit::AddressRequest { address: None, purpose: wit::Purpose::Endpoint, mac_address, options: Vec::new() }
}

fn take_pool(world: &World<'_>, ipv6: bool, wanted: Option<IpNet>) -> Checked<TakenPool> {
    let what = match (wanted, ipv6) {
        (Some(pool), _) => format!("request-pool of {pool}"),
        (None, true) => "request-pool of an IPv6 pool".to_owned(),
        (None, false) => "request-pool of an IPv4 pool".to_owned(),
    };
    let mut request = request_pool(ipv6, wanted);
    if let Request::RequestPool(request) = &mut request {
        request.options = labels(world);
    }
    match world.expect(&what, request)? {
        Reply::Pool(taken) => Ok(taken),
        other => Err(Stop::failed(what, "a pool", format!("{other:?}"))),
    }
}

fn take(world: &World<'_>, pool: &Id, purpose: Purpose, wanted: Option<IpAddr>) -> Checked<IpAddr> {
    let what = wanted.map_or("request-address".to_owned(), |address| format!("request-address of {address}"));
    match world.expect(&what, request_address(pool, purpose, wanted))? {
        Reply::Address(net) => Ok(net.addr()),
        other => Err(Stop::failed(what, "an address", format!("{other:?}"))),
    }
}

fn release(world: &World<'_>, pool: &Id, address: IpAddr) -> Checked<()> {
    let request = Request::ReleaseAddress { pool: pool.clone(), address };
    world.expect(&format!("release-address of {address}"), request).map(drop)
}

fn refused(world: &World<'_>, call: &str, request: Request) -> Checked<()> {
    match world.ask(request)?.0 {
        Err(error) if TAKEN.contains(&error.kind) => Ok(()),
        answer => {
            let got = answer.map_or_else(|error| worded(&error), |_| "ok".to_owned());
            Err(Stop::failed(call, kinds(&TAKEN), got))
        }
    }
}
