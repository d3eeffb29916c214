//! What carries the packets between nodes: the link that has this node's address, and what stands in the way of VXLAN over it.

use std::net::IpAddr;

use super::super::Inner;
use kernel::{DroppingChain, LinkKey, Namespace, Packet};
use store::Thing;
use words::Result;

/// What VXLAN is sent to (RFC 7348).
const PORT: u16 = 4789;

/// Bytes that VXLAN puts around a packet, by the family of the underlay.
const HEADERS: [u32; 2] = [50, 70];

/// What was found.
pub struct Underlay {
    /// The address by which the other nodes reach this one.
    pub address: IpAddr,
    /// The link that has it, and its MTU in bytes; none: no link has it.
    pub link: Option<(String, u32)>,
    /// Networks whose packets, wrapped, are larger than the link carries.
    pub wide: Vec<String>,
    /// Something that is no VXLAN link has VXLAN's port.
    pub port_is_taken: bool,
    /// Base chains that drop what other nodes send to that port.
    pub dropping: Vec<DroppingChain>,
}

impl Inner {
    /// Looks at it; none: this host is no node of a cluster.
    pub(super) fn underlay(&self) -> Result<Option<Underlay>> {
        let Some(cluster) = self.cluster.as_deref() else { return Ok(None) };
        let address = cluster.address();
        let links = self.kernel.links(&Namespace::Host)?;
        let all = self.kernel.all_addresses(&Namespace::Host)?;
        let index = all.iter().find(|(_, net)| net.addr() == address).map(|(index, _)| *index);
        let link = index.and_then(|index| links.iter().find(|link| link.index == index));
        let packet = link.map(|link| Packet::Udp {
            link: link.name.clone(),
            index: link.index,
            ipv6: address.is_ipv6(),
            port: PORT,
        });
        let dropping = match packet {
            Some(packet) => self.kernel.dropping_chains(&Namespace::Host, &packet)?,
            None => Vec::new(),
        };
        let link = link.map(|link| (link.name.clone(), link.mtu));
        let headers = if address.is_ipv4() { HEADERS[0] } else { HEADERS[1] };
        let mut wide = Vec::new();
        if let Some((_, mtu)) = link {
            for network in self.store.networks()?.into_iter().filter(|network| network.global) {
                if self.vxlan_mtu(&network.id)?.is_some_and(|own| own + headers > mtu) {
                    wide.push(network.name.to_string());
                }
            }
        }
        let port_is_taken = is_bound(PORT) && !links.iter().any(|link| link.kind == "vxlan");
        Ok(Some(Underlay { address, link, wide, port_is_taken, dropping }))
    }

    /// The largest MTU of a network's VXLAN links on the host.
    fn vxlan_mtu(&self, network: &words::Id) -> Result<Option<u32>> {
        let mut most = None;
        for object in self.store.objects(network, Some(None))? {
            let Thing::Link { namespace: namespace @ Namespace::Host, index, .. } = object.thing else { continue };
            let link = self.kernel.link(&LinkKey { namespace, index })?;
            most = most.max(link.filter(|link| link.kind == "vxlan").map(|link| link.mtu));
        }
        Ok(most)
    }
}

/// Whether a socket has a UDP port, as `/proc/net/udp` lists them: the local address is the second word, its port in hexadecimal.
fn is_bound(port: u16) -> bool {
    let wanted = format!(":{port:04X}");
    ["/proc/net/udp", "/proc/net/udp6"].iter().any(|path| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines().any(|line| line.split_whitespace().nth(1).is_some_and(|local| local.ends_with(&wanted)))
    })
}
