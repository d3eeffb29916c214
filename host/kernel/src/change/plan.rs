//! One change as messages: what is asked before it, what makes it, what takes it back.

use ipnet::IpNet;
use rustix::io::Errno;
use words::MacAddress;

use crate::link::mark::Marks;
use crate::transport::session::Session;
use crate::transport::socket::{Answer, Request};
use crate::{Applied, Change, Error, LinkChanges, LinkKey, Outcome};
use crate::{ip, link};

/// IPV6_MIN_MTU.
pub(crate) const LEAST_FOR_IPV6: u32 = 1280;

/// What makes a change of rtnetlink's that answers nothing but done.
pub(crate) struct Plan {
    /// Sent in this order.
    pub requests: Vec<Request>,
    /// Takes it back.
    pub undo: Vec<Change>,
    /// Refusals that mean: it is gone already, there is nothing to take back.
    pub gone: &'static [Errno],
}

impl Plan {
    /// Leaves everything as it is.
    pub fn nothing() -> Self {
        Self { requests: Vec::new(), undo: Vec::new(), gone: &[] }
    }

    /// Makes something, and `undo` takes it back.
    pub fn make(request: Request, undo: Change) -> Self {
        Self { requests: vec![request], undo: vec![undo], gone: &[] }
    }

    /// Removes something, and `undo` brings it back.
    pub fn remove(request: Request, gone: &'static [Errno], undo: Change) -> Self {
        Self { requests: vec![request], undo: vec![undo], gone }
    }
}

/// A change that failed.
#[derive(Debug)]
pub(crate) struct Failed {
    pub error: Error,
    /// Takes back what was done of it all the same.
    pub undo: Vec<Change>,
}

/// What became of one change.
pub(crate) type Step = Result<Applied, Failed>;

/// What must be known before the change.
pub(crate) fn question(change: &Change) -> Option<Request> {
    match change {
        Change::SetLink(key, _) | Change::RemoveLink(key) => Some(crate::link::read::by_index(key.index)),
        Change::AddNeighbour(n) | Change::RemoveNeighbour(n) => Some(ip::neighbour::question(n)),
        Change::AddForwarding(e) | Change::RemoveForwarding(e) => Some(ip::neighbour::forwarding_question(e)),
        _ => None,
    }
}

/// The link from which the kernel takes away more with a change than that says. `mac`: the one that it has, if that is known.
pub(crate) fn takes_more_from(change: &Change, mac: Option<MacAddress>) -> Option<LinkKey> {
    match change {
        Change::SetLink(key, LinkChanges { up: Some(false), .. })
        | Change::SetLink(key, LinkChanges { mtu: Some(..LEAST_FOR_IPV6), .. })
        | Change::RemoveAddress(key, _) => Some(key.clone()),
        Change::SetLink(key, LinkChanges { mac: Some(new), .. }) if mac != Some(*new) => Some(key.clone()),
        _ => None,
    }
}

/// What else the kernel takes away from a link, as what brings it back: a link that goes down loses its IPv6 addresses, all routes, its
/// neighbours and what the host answers for on it; one that can't have IPv6 any more the same of IPv6, one with another MAC its neighbours. A primary
/// IPv4 address takes the others of its subnet along, and the last one of the link all of IPv4 (`fib_disable_ip`). Of routes only this
/// instance's come back.
pub(crate) fn aside(session: &mut Session, key: &LinkKey, marks: Marks) -> Result<Vec<Change>, Error> {
    let addresses = ip::address::list(session, &key.namespace, key.index)?;
    let addresses = addresses.into_iter().map(|(_, address)| address).filter(|a| !is_link_local(a));
    let addresses = addresses.map(|address| Change::AddAddress(key.clone(), address));
    let neighbours = ip::neighbour::list(session, key)?.into_iter().map(Change::AddNeighbour);
    let proxies = ip::proxy::list(session, key)?.into_iter().map(Change::AddProxy);
    Ok(addresses.chain(ip::path::through(session, key, marks)?).chain(neighbours).chain(proxies).collect())
}

/// The kernel makes them itself.
fn is_link_local(address: &IpNet) -> bool {
    matches!(address, IpNet::V6(v6) if v6.addr().is_unicast_link_local())
}

/// The messages of a change.
pub(crate) fn plan(change: &Change, known: Option<&Answer>, marks: Marks) -> Result<Plan, Error> {
    match change {
        Change::SetLink(key, changes) => link::set::set(key, changes, known, marks),
        Change::RemoveLink(key) => link::set::remove(key, known, marks),
        Change::AddAddress(key, address) => Ok(ip::address::add(key, *address, marks)),
        Change::RemoveAddress(key, address) => Ok(ip::address::remove(key, *address)),
        Change::AddRoute(route) => ip::route::add(route, marks),
        Change::RemoveRoute(route) => ip::route::remove(route, marks),
        Change::AddPath(path) => ip::path::add(path, marks),
        Change::RemovePath(path) => ip::path::remove(path, marks),
        Change::AddRule(rule) => Ok(ip::rule::add(rule, marks)),
        Change::RemoveRule(rule) => Ok(ip::rule::remove(rule, marks)),
        Change::AddNeighbour(n) => ip::neighbour::add(n, known, marks),
        Change::RemoveNeighbour(n) => ip::neighbour::remove(n, known),
        Change::AddForwarding(e) => ip::neighbour::add_forwarding(e, known, marks),
        Change::RemoveForwarding(e) => ip::neighbour::remove_forwarding(e, known),
        _ => Err(Error::refused(format!("{change} is no change of rtnetlink's"))),
    }
}

/// What became of a change, from the answers to its messages. `fine`: refusals that are none.
pub(crate) fn conclude(change: &Change, plan: Plan, answers: &[Answer], fine: &[Errno]) -> Step {
    let refused = answers.iter().find_map(|a| a.as_ref().err().filter(|refusal| !refusal.is(fine)));
    match refused {
        None if plan.requests.is_empty() => Ok(Applied { outcome: Outcome::Done, undo: Vec::new() }),
        None => Ok(Applied { outcome: Outcome::Done, undo: plan.undo }),
        Some(refusal) if refusal.is(plan.gone) => Ok(Applied { outcome: Outcome::Done, undo: Vec::new() }),
        Some(refusal) => {
            let error = Error::kernel(change, refusal);
            // RTM_SETLINK may have done the first half of what it was told; writing the old values again does no harm.
            let undo = if matches!(change, Change::SetLink(..)) { plan.undo } else { Vec::new() };
            Err(Failed { error, undo })
        }
    }
}
