//! `ports`: ports of the host.

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
        if first > last && first != 0 {
            return Err(Refusal::invalid(format!("host ports {first}-{last}: the last is below the first")));
        }
        let addresses = check(protocol, addresses, first)?.into_iter().map(|port| port.address).collect();
        let wish = PortWish { protocol, addresses, first, last, own: Vec::new() };
        let (gate, transaction) = self.parts()?;
        let granted = gate.take_port(transaction, wish)?;
        let taken = transaction.take_port(granted);
        Ok(taken.map_err(|error| if first != 0 && first == last { error } else { none_of_many(error) })?)
    }

    fn release(&mut self, protocol: u8, addresses: Vec<IpAddress>, port: u16) -> Answer<()> {
        let ports = check(protocol, addresses, port)?;
        let (gate, transaction) = self.parts()?;
        Ok(transaction.release_ports(gate.release_ports(ports)?)?)
    }
}

/// The port on each of the addresses.
fn check(protocol: u8, addresses: Vec<IpAddress>, port: u16) -> Answer<Vec<HostPort>> {
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
    let ports: Vec<_> = addresses.map(|address| HostPort { protocol, port, address }).collect();
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
