//! Ports of the host.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use pontoon_sdk::ErrorKind::{AlreadyExists, InvalidArgument, Unavailable};
use pontoon_sdk::ports::{release, release_range, take, take_any, take_range};
use pontoon_sdk::{Protocol, Result};

use super::Stage;
use crate::check::{ensure, refused, same};

/// The first of the network's ports; an endpoint's are the next ten.
const PORT: u16 = 4240;

/// Leaves ports behind: PORT + 1 of TCP and PORT of UDP.
pub(super) fn ports(stage: &Stage) -> Result<()> {
    let port = if stage.is_endpoints() { PORT + 10 } else { PORT };
    let both: [IpAddr; 2] = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
    let one = [Ipv4Addr::LOCALHOST.into()];
    same(take(Protocol::TCP, &both, port..=port)?, port, "ports.take of one port")?;
    refused(take(Protocol::TCP, &both, port..=port), AlreadyExists, "ports.take of a port that is taken")?;
    refused(take(Protocol::TCP, &one, port..=port), AlreadyExists, "ports.take on an address of all")?;
    same(take(Protocol::UDP, &one, port..=port)?, port, "ports.take for another protocol")?;
    same(take(Protocol::TCP, &both, port..=port + 1)?, port + 1, "ports.take of the next port of a range")?;
    refused(take(Protocol::TCP, &both, port..=port + 1), Unavailable, "ports.take of a range that is used up")?;
    release(Protocol::TCP, &both, port)?;
    release(Protocol::TCP, &both, port)?;
    // On one address as it was, on the other anew.
    same(take(Protocol::TCP, &both[..1], port..=port)?, port, "ports.take of what this call released")?;
    same(take(Protocol::TCP, &both[1..], port..=port)?, port, "ports.take on the other address")?;
    release(Protocol::TCP, &both, port)?;
    range_of_ports(&both, port + 2)?;
    let any = take_any(Protocol::UDP, &both)?;
    ensure(any >= 1024, "ports.take of any port took one that is no ephemeral one")?;
    release(Protocol::UDP, &both, any)?;
    same(take(Protocol::SCTP, &one, port..=port)?, port, "ports.take for SCTP")?;
    release(Protocol::SCTP, &one, port)?;
    if stage.is_endpoints() {
        // The network's is not the endpoint's to give back.
        release(Protocol::TCP, &both, PORT + 1)?;
    }
    mistakes(&both, port)
}

/// Three ports, as one.
fn range_of_ports(both: &[IpAddr], first: u16) -> Result<()> {
    let range = || first..=first + 2;
    take(Protocol::TCP, both, first + 1..=first + 1)?;
    refused(take_range(Protocol::TCP, both, range()), AlreadyExists, "ports.take-range over a port that is taken")?;
    take_range(Protocol::UDP, both, range())?;
    refused(take(Protocol::UDP, both, first..=first), AlreadyExists, "ports.take of a port of a range")?;
    release(Protocol::UDP, both, first)?;
    release_range(Protocol::UDP, both, first..=first + 1)?;
    refused(take(Protocol::UDP, both, first..=first), AlreadyExists, "ports.take after half a range was released")?;
    release_range(Protocol::UDP, both, range())?;
    take_range(Protocol::UDP, both, range())?;
    release_range(Protocol::UDP, both, range())?;
    release(Protocol::TCP, both, first + 1)?;
    refused(take_range(Protocol::UDP, both, 0..=9), InvalidArgument, "ports.take-range from port 0")?;
    #[expect(clippy::reversed_empty_ranges, reason = "that is the mistake")]
    refused(take_range(Protocol::UDP, both, 9..=8), InvalidArgument, "ports.take-range of an empty range")
}

fn mistakes(both: &[IpAddr], port: u16) -> Result<()> {
    let at = port + 5;
    let many: Vec<IpAddr> = (1..10).map(|number| Ipv4Addr::new(127, 0, 0, number).into()).collect();
    refused(take(Protocol::ICMP, both, at..=at), InvalidArgument, "ports.take of a protocol without ports")?;
    refused(take(Protocol::TCP, &[], at..=at), InvalidArgument, "ports.take on no address")?;
    refused(take(Protocol::TCP, &many, at..=at), InvalidArgument, "ports.take on 9 addresses")?;
    refused(take(Protocol::TCP, &[both[0], many[0]], at..=at), InvalidArgument, "ports.take on an address twice")?;
    refused(
        take(Protocol::TCP, both, at..=at - 1),
        InvalidArgument,
        "ports.take of a range that ends before it begins",
    )?;
    refused(release(Protocol::ICMP, both, at), InvalidArgument, "ports.release of a protocol without ports")
}
