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
        _ if first > last => {
            return Err(Error::invalid_argument(format!("host ports {first}-{last}: the last is below the first")));
        }
        _ => ((first, last), first),
    };
    state::with(|state| {
        let user = |port: u16| of(protocol, addresses, port).find_map(|port| user(state, port));
        let Some(port) = (start..=high).chain(low..start).find(|port| user(*port).is_none()) else {
            let who = user(low).filter(|_| low == high);
            let protocol = Protocol(protocol);
            return Err(match who {
                Some(who) => Error::already_exists(format!("host port {low}/{protocol} is in use by {who}")),
                None => Error::unavailable(format!("host ports {low}-{high}/{protocol} are all in use")),
            });
        };
        let owner = state.owner.clone();
        state.ports.extend(of(protocol, addresses, port).map(|port| (port, Some(owner.clone()))));
        Ok(port)
    })
}

pub(crate) fn release(protocol: u8, addresses: &[IpAddr], port: u16) -> Result<()> {
    check(protocol, addresses)?;
    state::with(|state| {
        let owner = Some(state.owner.clone());
        for port in of(protocol, addresses, port) {
            state.ports.retain(|held, has| *held != port || *has != owner);
        }
    });
    Ok(())
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

fn of(protocol: u8, addresses: &[IpAddr], port: u16) -> impl Iterator<Item = HostPort> {
    addresses.iter().map(move |address| (Protocol(protocol), port, *address))
}

/// Who has a port already.
fn user(state: &State, (protocol, port, address): HostPort) -> Option<&'static str> {
    let clash = |held: &HostPort| (held.0, held.1) == (protocol, port) && includes(held.2, address);
    let (_, owner) = state.ports.iter().find(|(held, _)| clash(held))?;
    Some(if owner.is_some() { "an endpoint already" } else { "another program" })
}

/// Whether one of the two addresses includes the other.
fn includes(one: IpAddr, other: IpAddr) -> bool {
    let any = one.is_unspecified() || other.is_unspecified();
    one == other || (one.is_ipv4() == other.is_ipv4() && any)
}
