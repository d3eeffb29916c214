//! Telling a link's neighbours whose an address is now: who knows another MAC for it would go on sending there, for up to 40 seconds.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::ip::neighbour;
use crate::transport::session::Session;
use crate::transport::socket::{Answer, Request, malformed};
use crate::{Error, LinkKey, MacAddress, Namespace, Neighbour};

const BROADCAST: [u8; 6] = [0xff; 6];
/// All IPv6 nodes of a link: the group, and its MAC.
const ALL_NODES: (Ipv6Addr, [u8; 6]) = (Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1), [0x33, 0x33, 0, 0, 0, 1]);
/// IP protocol 58.
const ICMPV6: u8 = 58;

/// Puts one announcement for each address on a link of the host's, in the name of its neighbour, and lets the host itself forget what it has learnt of
/// the addresses there. Answers the question for another link of the host's, which goes with its own.
pub(crate) fn announce(
    session: &mut Session,
    link: &LinkKey,
    of: MacAddress,
    addresses: &[IpAddr],
    beside: Request,
) -> Result<Answer, Error> {
    let entries = addresses.iter().map(|address| Neighbour { link: link.clone(), address: *address, mac: of });
    let questions: Vec<_> = entries.clone().map(|entry| neighbour::question(&entry)).chain([beside]).collect();
    let mut known = session.exchange(&Namespace::Host, &questions)?;
    let beside = known.pop().ok_or_else(malformed)?;
    let learnt = entries.zip(&known).filter(|(_, known)| neighbour::is_learnt(known));
    let stale: Vec<_> = learnt.map(|(entry, _)| neighbour::deletion(&entry)).collect();
    // One that is gone by now is no loss.
    session.exchange(&Namespace::Host, &stale)?;
    for address in addresses {
        session.host().send(link.index, &frame(of, *address))?;
    }
    Ok(beside)
}

fn frame(of: MacAddress, address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => arp(of, address),
        IpAddr::V6(address) => neighbour_advertisement(of, address),
    }
}

/// An ARP announcement (RFC 5227): a request for the address, from the address.
fn arp(MacAddress(of): MacAddress, address: Ipv4Addr) -> Vec<u8> {
    // Ethernet, IPv4, lengths of their addresses, request.
    let head = [0, 1, 0x08, 0x00, 6, 4, 0, 1];
    let address = address.octets();
    [&BROADCAST[..], &of, &[0x08, 0x06], &head, &of, &address, &[0; 6], &address].concat()
}

/// An unsolicited neighbour advertisement (RFC 4861, 7.2.6).
fn neighbour_advertisement(MacAddress(of): MacAddress, address: Ipv6Addr) -> Vec<u8> {
    let (all, mac_of_all) = ALL_NODES;
    // Type, code, checksum, override; target; option: target link-layer address, of 8 bytes.
    let mut message = [&[136, 0, 0, 0, 0x20, 0, 0, 0], &address.octets()[..], &[2, 1], &of].concat();
    let length = message.len() as u8;
    let pseudo = [&address.octets()[..], &all.octets(), &[0, 0, 0, length, 0, 0, 0, ICMPV6], &message].concat();
    message[2..4].copy_from_slice(&checksum(&pseudo).to_be_bytes());
    // Version 6, length, ICMPv6, and a hop limit that shows that it comes from the link.
    let header = [0x60, 0, 0, 0, 0, length, ICMPV6, 255];
    [&mac_of_all[..], &of, &[0x86, 0xdd], &header, &address.octets(), &all.octets(), &message].concat()
}

/// The internet checksum (RFC 1071) of an even number of bytes.
fn checksum(bytes: &[u8]) -> u16 {
    let sum = bytes.chunks_exact(2).fold(0u32, |sum, pair| sum + u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    let folded = (sum & 0xffff) + (sum >> 16);
    !((folded & 0xffff) as u16 + (folded >> 16) as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_advertisement_has_a_checksum_that_comes_to_nothing() {
        let address: Ipv6Addr = "fd00:9::99".parse().unwrap();
        let frame = neighbour_advertisement(MacAddress([2, 0x42, 0xff, 0xfe, 3, 4]), address);
        assert_eq!(frame.len(), 14 + 40 + 32);
        let pseudo = [&frame[22..54], &[0, 0, 0, 32, 0, 0, 0, ICMPV6], &frame[54..]].concat();
        assert_eq!(checksum(&pseudo), 0);
    }

    #[test]
    fn an_announcement_asks_for_its_own_address() {
        let frame = arp(MacAddress([2, 0x42, 10, 9, 0, 2]), Ipv4Addr::new(10, 9, 0, 2));
        assert_eq!(frame.len(), 42);
        assert_eq!((&frame[28..32], &frame[38..42]), (&[10, 9, 0, 2][..], &[10, 9, 0, 2][..]));
    }
}
