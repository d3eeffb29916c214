//! Ports of the host. Every address is one that it has.

use std::net::IpAddr;

use crate::fake::state::{self, HostPort, State};
use crate::{Error, Protocol, Result, random};

/// As the kernel has it if nobody sets it: net.ipv4.ip_local_port_range.
const EPHEMERAL: (u16, u16) = (32_768, 60_999);
const ADDRESSES: usize = 8;

pub(crate) fn take(protocol: u8, addresses: &[IpAddr], first: u16, last: u16) -> Result<u16> {
    check(protocol, addresses)?;
    let ((low, high), start) = match first {
        0 => (EPHEMERAL, EPHEMERAL.0 + u16::from_le_bytes(random::array()) % (EPHEMERAL.1 - EPHEMERAL.0 + 1)),
        _ => {
            check_range(first, last)?;
            ((first, last), first)
        }
    };
    state::with(|state| {
        let user = |port: u16| of(protocol, addresses, port, port).find_map(|port| user(state, port));
        let Some(port) = (start..=high).chain(low..start).find(|port| user(*port).is_none()) else {
            let who = user(low).filter(|_| low == high);
            let protocol = Protocol(protocol);
            return Err(match who {
                Some((_, who)) => Error::already_exists(format!("host port {low}/{protocol} is in use by {who}")),
                None => Error::unavailable(format!("host ports {low}-{high}/{protocol} are all in use")),
            });
        };
        let owner = state.owner.clone();
        state.ports.extend(of(protocol, addresses, port, port).map(|port| (port, Some(owner.clone()))));
        Ok(port)
    })
}

pub(crate) fn take_range(protocol: u8, addresses: &[IpAddr], first: u16, last: u16) -> Result<()> {
    check(protocol, addresses)?;
    check_range(first, last)?;
    state::with(|state| {
        if let Some((port, who)) = of(protocol, addresses, first, last).find_map(|port| user(state, port)) {
            let protocol = Protocol(protocol);
            return Err(Error::already_exists(format!("host port {port}/{protocol} is in use by {who}")));
        }
        let owner = state.owner.clone();
        state.ports.extend(of(protocol, addresses, first, last).map(|port| (port, Some(owner.clone()))));
        Ok(())
    })
}

pub(crate) fn release(protocol: u8, addresses: &[IpAddr], port: u16) -> Result<()> {
    give_back(protocol, addresses, port, port)
}

pub(crate) fn release_range(protocol: u8, addresses: &[IpAddr], first: u16, last: u16) -> Result<()> {
    check_range(first, last)?;
    give_back(protocol, addresses, first, last)
}

fn give_back(protocol: u8, addresses: &[IpAddr], first: u16, last: u16) -> Result<()> {
    check(protocol, addresses)?;
    state::with(|state| {
        let owner = Some(state.owner.clone());
        for port in of(protocol, addresses, first, last) {
            state.ports.retain(|held, has| *held != port || *has != owner);
        }
    });
    Ok(())
}

fn check_range(first: u16, last: u16) -> Result<()> {
    match (first, last) {
        (0, _) => Err(Error::invalid_argument("there is no host port 0")),
        _ if first > last => {
            Err(Error::invalid_argument(format!("host ports {first}-{last}: the last is below the first")))
        }
        _ => Ok(()),
    }
}

fn check(protocol: u8, addresses: &[IpAddr]) -> Result<()> {
    let protocol = Protocol(protocol);
    if ![Protocol::TCP, Protocol::UDP, Protocol::SCTP].contains(&protocol) {
        return Err(Error::invalid_argument(format!("protocol {protocol} has no ports: only tcp, udp and sctp have")));
    }
    let clash = |(at, address): (usize, &IpAddr)| addresses[..at].iter().any(|before| includes(*before, *address));
    if !(1..=ADDRESSES).contains(&addresses.len()) || addresses.iter().enumerate().any(clash) {
        return Err(Error::invalid_argument(format!("{addresses:?}: 1 to {ADDRESSES} addresses that don't overlap")));
    }
    Ok(())
}

fn of(protocol: u8, addresses: &[IpAddr], first: u16, last: u16) -> impl Iterator<Item = HostPort> {
    addresses.iter().map(move |address| HostPort { protocol: Protocol(protocol), first, last, address: *address })
}

/// Who has a port already, and which.
fn user(state: &State, wanted: HostPort) -> Option<(u16, &'static str)> {
    let clash = |held: &HostPort| {
        let same = held.protocol == wanted.protocol && held.first <= wanted.last && wanted.first <= held.last;
        same && includes(held.address, wanted.address)
    };
    let (held, owner) = state.ports.iter().find(|(held, _)| clash(held))?;
    Some((wanted.first.max(held.first), if owner.is_some() { "an endpoint already" } else { "another program" }))
}

/// Whether one of the two addresses includes the other.
fn includes(one: IpAddr, other: IpAddr) -> bool {
    let any = one.is_unspecified() || other.is_unspecified();
    one == other || (one.is_ipv4() == other.is_ipv4() && any)
}
