//! The subnets that the host reaches, kept from one look to the next: a host with ten thousand endpoints has as many addresses and more routes, and
//! whoever looks for a free subnet would have them all read again.

use std::collections::{BTreeSet, HashMap};

use ipnet::IpNet;
use netlink_sys::{Socket as Raw, SocketAddr};

use super::{address, way};
use crate::host::Host;
use crate::link::mark::Marks;
use crate::transport::session::Session;
use crate::transport::socket::{Message, Protocol};
use crate::{Error, Namespace};

/// RTNLGRP_IPV4_IFADDR 5, _IPV4_ROUTE 7, _IPV6_IFADDR 9 and _IPV6_ROUTE 11 of linux/rtnetlink.h, as bits from 1 on.
const GROUPS: u32 = 1 << 4 | 1 << 6 | 1 << 8 | 1 << 10;
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const RTM_NEWROUTE: u16 = 24;
const RTM_DELROUTE: u16 = 25;
/// `struct nlmsghdr`.
const HEADER: usize = 16;
const PIECE: usize = 64 * 1024;
/// MSG_DONTWAIT of linux/socket.h.
const NOW: i32 = 0x40;
/// Of those that the kernel does not tell of when they go, so many more are kept than were read.
const MOST_MORE: usize = 4_096;

/// A subnet, with the ifindex of its link if it has one.
pub(crate) type Net = (Option<u32>, IpNet);

/// What the host reached when it was read, and what came and went since. The kernel tells of what came before whoever made it goes on, but not of
/// everything that goes: a link that is down takes routes along.
#[derive(Debug, Default)]
pub(crate) struct Reached {
    told: Option<Raw>,
    /// How many addresses and routes say so.
    nets: HashMap<Net, usize>,
    /// How many of them were read.
    read: usize,
}

impl Reached {
    /// The links by which the host reaches addresses of a subnet, or reached them when this was last read; none: by no link.
    pub fn links(
        &mut self,
        subnet: &IpNet,
        host: &Host,
        session: &mut Session,
    ) -> Result<BTreeSet<Option<u32>>, Error> {
        if !self.hear() || self.nets.len() > self.read + MOST_MORE {
            self.read(host, session)?;
        }
        let overlapping = self.nets.keys().filter(|(_, net)| net.contains(subnet) || subnet.contains(net));
        Ok(overlapping.map(|(link, _)| *link).collect())
    }

    /// Reads all. One dump of each kind. Where that fails, nothing is known, and the next look reads it again.
    pub fn read(&mut self, host: &Host, session: &mut Session) -> Result<(), Error> {
        // Before it is read, so that nothing comes in between.
        let told = match self.told.take() {
            Some(told) => Some(told),
            None => host.subscribe(subscribed)?,
        };
        let found = list(session, None)?;
        self.nets.clear();
        found.into_iter().for_each(|net| *self.nets.entry(net).or_default() += 1);
        (self.read, self.told) = (self.nets.len(), told);
        Ok(())
    }

    /// Takes in what the kernel told of; false: not all of it was heard.
    fn hear(&mut self) -> bool {
        let Some(told) = &self.told else { return false };
        let mut piece = Vec::with_capacity(PIECE);
        loop {
            piece.clear();
            match told.recv_from(&mut piece, NOW) {
                // Any process may send to a netlink socket; the kernel's own address is 0.
                Ok((_, from)) if from.port_number() == 0 => take_in(&mut self.nets, &piece),
                Ok(_) => {}
                // Anything else: there was more than the socket holds.
                Err(error) => return error.kind() == std::io::ErrorKind::WouldBlock,
            }
        }
    }
}

/// The subnets in which the host has an address or to which it has a route. `but`: without the routes of this instance.
pub(crate) fn list(session: &mut Session, but: Option<Marks>) -> Result<Vec<Net>, Error> {
    let addresses = address::list(session, &Namespace::Host, 0)?;
    let nets = addresses.into_iter().map(|(link, net)| (Some(link), net.trunc()));
    Ok(nets.chain(way::list(session, but)?).collect())
}

/// A subscription of the calling thread's namespace.
fn subscribed() -> Result<Raw, Error> {
    let failed = |e| Error::io("subscribing to addresses and routes", &e);
    let mut raw = Raw::new(Protocol::Route as isize).map_err(failed)?;
    raw.bind(&SocketAddr::new(0, GROUPS)).map_err(failed)?;
    Ok(raw)
}

/// What messages say that came or went.
fn take_in(nets: &mut HashMap<Net, usize>, mut bytes: &[u8]) {
    while let Some((length, _)) = bytes.split_first_chunk() {
        let length = u32::from_ne_bytes(*length) as usize;
        let Some(message) = bytes.get(..length).filter(|message| message.len() >= HEADER) else { return };
        let (kind, body) = (u16::from_ne_bytes([message[4], message[5]]), Message { body: message[HEADER..].to_vec() });
        let net = match kind {
            RTM_NEWADDR | RTM_DELADDR => address::read(&body).ok().map(|(link, net)| (Some(link), net.trunc())),
            RTM_NEWROUTE | RTM_DELROUTE => way::net(&body).ok().flatten(),
            _ => None,
        };
        match net {
            Some(net) if matches!(kind, RTM_NEWADDR | RTM_NEWROUTE) => *nets.entry(net).or_default() += 1,
            Some(net) => match nets.get_mut(&net) {
                Some(count) if *count > 1 => *count -= 1,
                _ => drop(nets.remove_entry(&net)),
            },
            None => {}
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
}
