//! `ports`: ports of the host.

use std::ops::RangeInclusive;

use rustix::io::Errno;

use super::{Answer, CallState, convert};
use ask::Refusal;
use ask::ports::Host;
use ask::types::IpAddress;
use kernel::{HostPort, PortWish};
use words::{Error, Kind};

/// Addresses of one port: those of a host with several uplinks, and a bound on how long the search through a range may take.
const ADDRESSES: usize = 8;

impl Host for CallState {
    fn take(&mut self, protocol: u8, addresses: Vec<IpAddress>, first: u16, last: u16) -> Answer<u16> {
        if first != 0 {
            check_range(first, last)?;
        }
        let taken = take(self, protocol, addresses, first..=last, false)?;
        Ok(taken.map_err(|error| if first != 0 && first == last { error } else { none_of_many(error) })?)
    }

    fn release(&mut self, protocol: u8, addresses: Vec<IpAddress>, port: u16) -> Answer<()> {
        release(self, protocol, addresses, port..=port)
    }

    fn take_range(&mut self, protocol: u8, addresses: Vec<IpAddress>, first: u16, last: u16) -> Answer<()> {
        check_range(first, last)?;
        Ok(take(self, protocol, addresses, first..=last, true)?.map(drop)?)
    }

    fn release_range(&mut self, protocol: u8, addresses: Vec<IpAddress>, first: u16, last: u16) -> Answer<()> {
        check_range(first, last)?;
        release(self, protocol, addresses, first..=last)
    }
}

/// One of these, or all of them. The inner error is of a port that can't be had.
fn take(
    call: &mut CallState,
    protocol: u8,
    addresses: Vec<IpAddress>,
    ports: RangeInclusive<u16>,
    all: bool,
) -> Answer<Result<u16, Error>> {
    let addresses = check(protocol, addresses, &ports)?.into_iter().map(|port| port.address).collect();
    let (first, last) = ports.into_inner();
    let wish = PortWish { protocol, addresses, first, last, all, own: Vec::new() };
    let (gate, transaction) = call.parts()?;
    let granted = gate.take_port(transaction, wish)?;
    Ok(transaction.take_port(granted))
}

fn release(call: &mut CallState, protocol: u8, addresses: Vec<IpAddress>, ports: RangeInclusive<u16>) -> Answer<()> {
    let ports = check(protocol, addresses, &ports)?;
    let (gate, transaction) = call.parts()?;
    Ok(transaction.release_ports(gate.release_ports(ports)?)?)
}

fn check_range(first: u16, last: u16) -> Answer<()> {
    match (first, last) {
        (0, _) => Err(Refusal::invalid("there is no host port 0")),
        _ if first > last => Err(Refusal::invalid(format!("host ports {first}-{last}: the last is below the first"))),
        _ => Ok(()),
    }
}

/// The ports on each of the addresses.
fn check(protocol: u8, addresses: Vec<IpAddress>, ports: &RangeInclusive<u16>) -> Answer<Vec<HostPort>> {
    if ![6, 17, 132].contains(&protocol) {
        return Err(Refusal::invalid(format!(
            "protocol {protocol} has no ports that can be taken: TCP 6, UDP 17, SCTP 132 have"
        )));
    }
    if !(1..=ADDRESSES).contains(&addresses.len()) {
        return Err(Refusal::invalid(format!(
            "a host port is taken on 1 to {ADDRESSES} addresses, not {}",
            addresses.len()
        )));
    }
    let addresses = addresses.into_iter().map(convert::address);
    let (port, more) = (*ports.start(), ports.end().saturating_sub(*ports.start()));
    let ports: Vec<_> = addresses.map(|address| HostPort { protocol, port, more, address }).collect();
    for (port, before) in
        ports.iter().zip(0..).flat_map(|(port, at)| ports[..at].iter().map(move |before| (port, before)))
    {
        if port.clashes(before) {
            return Err(Refusal::invalid(format!(
                "{} and {} are one address, or one includes the other",
                before.address, port.address
            )));
        }
    }
    Ok(ports)
}

/// With a choice of ports, another time may be better.
fn none_of_many(error: Error) -> Error {
    let in_use = error.errno == Some(Errno::ADDRINUSE.raw_os_error());
    if in_use { Error { kind: Kind::Unavailable, ..error } } else { error }
}
