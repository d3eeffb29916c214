//! Ports of the host. One that is to be published is taken first, so that no other endpoint and no other program has it.
//!
//! Nobody else can bind a taken port, and the host itself does nothing with it: where its packets go is for rules in
//! [`nftables`](crate::nftables) to say. It stays taken until it is released or its owner goes: the endpoint of the call that
//! took it, or the network where the call has no endpoint.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use crate::{Protocol, Result, sys};

/// Takes the first port of a range that is free on all of these addresses of the host. An unspecified address is every
/// address of its family: for both families give both.
///
/// What this call has released is free for it alone, on the addresses that it was taken on.
///
/// # Errors
/// `AlreadyExists`: the only port of the range is in use, by an endpoint or by another program of the host. `Unavailable`: all ports of the range
/// are in use, or the driver has as many as its grant says (`ports`: each counts once for each address). `NotFound`: an address that the host
/// does not have. `InvalidArgument`: a protocol but TCP, UDP and SCTP; no address, more than 8, or one that another includes; an empty range, or
/// one with port 0.
pub fn take(protocol: Protocol, addresses: &[IpAddr], range: RangeInclusive<u16>) -> Result<u16> {
    // To the host, 0 says something else.
    if *range.start() == 0 {
        return Err(crate::Error::invalid_argument("there is no port 0"));
    }
    sys::ports::take(protocol.0, addresses, *range.start(), *range.end())
}

/// Takes all ports of a range, on all of these addresses, or none. One rule with the range in `DestinationPort` sends their packets elsewhere,
/// to the same ports where its target names none.
///
/// # Errors
/// `AlreadyExists`: one of them is in use. Else as [`take`].
pub fn take_range(protocol: Protocol, addresses: &[IpAddr], range: RangeInclusive<u16>) -> Result<()> {
    sys::ports::take_range(protocol.0, addresses, *range.start(), *range.end())
}

/// Gives a range back that [`take_range`] took, on all of these addresses. Ok where the owner doesn't have just that range. Else as [`release`].
///
/// # Errors
/// `InvalidArgument`: as [`take`].
pub fn release_range(protocol: Protocol, addresses: &[IpAddr], range: RangeInclusive<u16>) -> Result<()> {
    sys::ports::release_range(protocol.0, addresses, *range.start(), *range.end())
}

/// Takes any port that is free on all of these addresses, of those that the host gives to programs that ask for none in
/// particular (net.ipv4.ip_local_port_range), chosen at random.
///
/// # Errors
/// As [`take`].
pub fn take_any(protocol: Protocol, addresses: &[IpAddr]) -> Result<u16> {
    sys::ports::take(protocol.0, addresses, 0, 0)
}

/// Gives a port back, on all of these addresses. Ok where the owner doesn't have it. The rules that send its packets elsewhere are removed
/// in the same call, before or after: else the call fails in the end (`Forbidden`).
///
/// # Errors
/// `InvalidArgument`: as [`take`].
pub fn release(protocol: Protocol, addresses: &[IpAddr], port: u16) -> Result<()> {
    sys::ports::release(protocol.0, addresses, port)
}
