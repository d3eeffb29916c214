//! Ports of the host, as programs have them (bind): one for each address, or for all.

use std::net::{IpAddr, Ipv4Addr};

use rustix::io::Errno;

use crate::fake::Fake;
use crate::fake::machine::Machine;
use crate::port::Address;
use crate::{Error, HostPort, port};

/// A port that a program has, until this is dropped.
#[derive(Debug)]
pub struct FakePort {
    fake: Fake,
    port: HostPort,
}

impl Fake {
    /// Takes a port, as any program does that listens there.
    pub fn take_port(&self, wanted: HostPort) -> Result<FakePort, Error> {
        self.hold_port(wanted, Address::IsThere)
    }

    /// The same, also on an address that may come.
    pub(crate) fn hold_port(&self, wanted: HostPort, address: Address) -> Result<FakePort, Error> {
        let taken = self.lock().take_port(wanted, address);
        taken.map_err(|errno| port::refused(wanted, errno))?;
        Ok(FakePort { fake: self.clone(), port: wanted })
    }
}

impl Drop for FakePort {
    fn drop(&mut self) {
        self.fake.lock().ports.remove(&self.port);
    }
}

impl Machine {
    fn take_port(&mut self, wanted: HostPort, address: Address) -> Result<(), Errno> {
        if ![6, 17, 132].contains(&wanted.protocol) {
            return Err(Errno::PROTONOSUPPORT);
        }
        let has = match wanted.address {
            any if any.is_unspecified() => true,
            IpAddr::V4(v4) => self.is_local4(self.host, v4),
            IpAddr::V6(v6) => self.is_local6(self.host, v6),
        };
        if !has && address == Address::IsThere {
            return Err(Errno::ADDRNOTAVAIL);
        }
        let from = HostPort { address: Ipv4Addr::UNSPECIFIED.into(), ..wanted };
        let same_number = |other: &&HostPort| (other.protocol, other.port) == (wanted.protocol, wanted.port);
        if wanted.protocol == 17 && self.is_tunnels(wanted.port)
            || self.ports.range(from..).take_while(same_number).any(|other| other.clashes(&wanted))
        {
            return Err(Errno::ADDRINUSE);
        }
        self.ports.insert(wanted);
        Ok(())
    }
}
