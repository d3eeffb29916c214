//! A request's attributes by number, as the kernel parses them before anything else.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use rustix::io::Errno;

use crate::transport::attribute::{attributes, ip, number, text};

/// A fixed header, and what follows it.
pub(super) struct Fields<'a> {
    pub header: &'a [u8],
    values: BTreeMap<u16, &'a [u8]>,
}

impl<'a> Fields<'a> {
    /// Of a message whose header has this many bytes.
    pub fn after(body: &'a [u8], header: usize) -> Result<Self, Errno> {
        let (header, rest) = body.split_at_checked(header).ok_or(Errno::INVAL)?;
        let values = attributes(rest).collect::<Result<_, _>>().map_err(|_| Errno::INVAL)?;
        Ok(Self { header, values })
    }

    /// Of a nested attribute; none where it is not there.
    pub fn nested(&self, kind: u16, header: usize) -> Result<Option<Fields<'a>>, Errno> {
        self.get(kind).map(|value| Fields::after(value, header)).transpose()
    }

    /// The header's four bytes from here on.
    pub fn header_number(&self, at: usize) -> Result<u32, Errno> {
        self.header.get(at..at + 4).ok_or(Errno::INVAL).and_then(|bytes| number(bytes).map_err(|_| Errno::INVAL))
    }

    /// A byte of the header.
    pub fn header_byte(&self, at: usize) -> u8 {
        self.header.get(at).copied().unwrap_or(0)
    }

    pub fn get(&self, kind: u16) -> Option<&'a [u8]> {
        self.values.get(&kind).copied()
    }

    pub fn must(&self, kind: u16) -> Result<&'a [u8], Errno> {
        self.get(kind).ok_or(Errno::INVAL)
    }

    pub fn number(&self, kind: u16) -> Result<Option<u32>, Errno> {
        self.get(kind).map(|value| number(value).map_err(|_| Errno::INVAL)).transpose()
    }

    pub fn text(&self, kind: u16) -> Option<String> {
        self.get(kind).map(text)
    }

    pub fn ip(&self, kind: u16) -> Result<Option<IpAddr>, Errno> {
        self.get(kind).map(|value| ip(value).map_err(|_| Errno::INVAL)).transpose()
    }

    pub fn mac(&self, kind: u16) -> Result<Option<[u8; 6]>, Errno> {
        self.get(kind).map(|value| value.try_into().map_err(|_| Errno::INVAL)).transpose()
    }

    /// An address with a prefix length from elsewhere; none: the address is not there.
    pub fn network(&self, kind: u16, prefix: u8) -> Result<Option<IpNet>, Errno> {
        self.ip(kind)?.map(|address| IpNet::new(address, prefix).map_err(|_| Errno::INVAL)).transpose()
    }
}

/// The bytes of an address.
pub(super) fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}
