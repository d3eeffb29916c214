//! Questions for the entries that can be false, where there are many others.

use std::net::IpAddr;

use super::{
    CTA_FILTER, CTA_FILTER_ORIG_FLAGS, CTA_FILTER_REPLY_FLAGS, CTA_IP_V4_DST, CTA_IP_V4_SRC, CTA_IP_V6_DST,
    CTA_IP_V6_SRC, CTA_PROTO_DST_PORT, CTA_PROTO_NUM, CTA_TUPLE_IP, CTA_TUPLE_ORIG, CTA_TUPLE_PROTO, CTA_TUPLE_REPLY,
    Stale, StalePort, question,
};
use crate::transport::attribute::Writer;
use crate::transport::socket::Request;

/// AF_INET and AF_INET6.
const FAMILIES: (u8, u8) = (2, 10);
/// CTA_FILTER_FLAG of what an entry is told by (net/netfilter/nf_internals.h).
const SOURCE: u32 = 1;
const DESTINATION: u32 = 1 << 1;
const PROTOCOL: u32 = 1 << 3;
const DESTINATION_PORT: u32 = 1 << 5;

/// Each question takes the kernel as long as it takes to tell of some so many entries.
const WORTH: usize = 3_000;

/// The questions that find all that can be false; none: it takes less to ask for everything. `count`: how many entries there are.
pub(super) fn questions(stale: &Stale, count: Option<usize>) -> Option<Vec<Request>> {
    let questions: Vec<Request> =
        stale.ports.iter().map(by_port).chain(stale.addresses.iter().copied().flat_map(by_address)).collect();
    (count? > questions.len().saturating_sub(1) * WORTH).then_some(questions)
}

/// What was sent to a port, whichever address of the host had it. Of a range, all of the protocol.
fn by_port(port: &StalePort) -> Request {
    let protocol = Writer::default().put(CTA_PROTO_NUM, &[port.protocol]);
    let (protocol, flags) = match port.ports {
        (first, last) if first == last => {
            (protocol.put(CTA_PROTO_DST_PORT, &first.to_be_bytes()), PROTOCOL | DESTINATION_PORT)
        }
        _ => (protocol, PROTOCOL),
    };
    let tuple = Writer::default().nest(CTA_TUPLE_PROTO, protocol);
    filtered(port.target, CTA_TUPLE_ORIG, tuple, flags)
}

/// What is from or to an address, in both directions.
fn by_address(address: IpAddr) -> [Request; 4] {
    let (source, destination) = match address {
        IpAddr::V4(_) => (CTA_IP_V4_SRC, CTA_IP_V4_DST),
        IpAddr::V6(_) => (CTA_IP_V6_SRC, CTA_IP_V6_DST),
    };
    let ends = [(source, SOURCE), (destination, DESTINATION)];
    let ways = [CTA_TUPLE_ORIG, CTA_TUPLE_REPLY].map(|way| ends.map(|end| (way, end)));
    let [[a, b], [c, d]] = ways.map(|ways| {
        ways.map(|(way, (kind, flag))| {
            let value = match address {
                IpAddr::V4(v4) => v4.octets().to_vec(),
                IpAddr::V6(v6) => v6.octets().to_vec(),
            };
            let addresses = Writer::default().put(kind, &value);
            filtered(address, way, Writer::default().nest(CTA_TUPLE_IP, addresses), flag)
        })
    });
    [a, b, c, d]
}

/// `of`: an address of the family.
fn filtered(of: IpAddr, way: u16, tuple: Writer, flags: u32) -> Request {
    let family = if of.is_ipv4() { FAMILIES.0 } else { FAMILIES.1 };
    let (original, reply) = if way == CTA_TUPLE_ORIG { (flags, 0) } else { (0, flags) };
    let filter = Writer::default()
        .put(CTA_FILTER_ORIG_FLAGS, &original.to_ne_bytes())
        .put(CTA_FILTER_REPLY_FLAGS, &reply.to_ne_bytes());
    question(Writer::after(&[family, 0, 0, 0]).nest(CTA_FILTER, filter).nest(way, tuple))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_questions_are_for_many_entries() {
        let port =
            |last| StalePort { protocol: 17, ports: (53, last), host: None, target: "10.0.0.2".parse().unwrap() };
        let stale = |ports: &[u16], addresses: &[&str]| Stale {
            ports: ports.iter().map(|last| port(*last)).collect(),
            addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
        };
        let count = |stale: &Stale, count| questions(stale, count).map(|questions| questions.len());
        assert_eq!(count(&stale(&[53], &[]), Some(1)), Some(1));
        assert_eq!(count(&stale(&[53, 54], &[]), Some(WORTH)), None);
        assert_eq!(count(&stale(&[53, 54], &[]), Some(WORTH + 1)), Some(2));
        assert_eq!(count(&stale(&[], &["10.0.0.2", "fd00::2"]), Some(7 * WORTH + 1)), Some(8));
        assert_eq!(count(&stale(&[53], &[]), None), None, "a kernel that does not say");
    }
}
