//! The MTU of a link for which none was chosen: what leaves the host by a smaller one is lost where routers don't say so.

use super::Transaction;
use kernel::{LinkEnd, LinkKey, LinkKind, LinkSpec};
use words::Result;

/// What links have that are made without one.
const USUAL: u32 = 1500;

/// The least with which the kernel lets a link have IPv6 (RFC 8200).
const LEAST: u32 = 1280;

impl Transaction {
    /// Gives links without an MTU their bridge's, or the host's way out's, where that is smaller than usual. Both ends of a pair get the same.
    /// A link that is built on another one has its MTU from there.
    pub(super) fn choose_mtus(&self, specs: &mut [LinkSpec]) -> Result<()> {
        let mut way_out = None;
        for spec in specs {
            let is_network = match &spec.kind {
                LinkKind::Bridge | LinkKind::Dummy => true,
                LinkKind::Veth(_) => false,
                LinkKind::Ifb | LinkKind::Wireguard { .. } => continue,
                LinkKind::Vxlan(_)
                | LinkKind::Macvlan { .. }
                | LinkKind::Macvtap { .. }
                | LinkKind::Ipvlan { .. }
                | LinkKind::Vlan { .. } => {
                    continue;
                }
            };
            let chosen = spec.ends().find_map(|end| end.mtu);
            let mtu = match (chosen, self.mtu_of_master(spec)?) {
                (Some(chosen), _) => Some(chosen),
                (None, Some(master)) => smaller(Some(master)),
                (None, None) => match way_out {
                    Some(known) => known,
                    None => *way_out.insert(self.mtu_of_way_out(is_network)?),
                },
            };
            spec.end.mtu = spec.end.mtu.or(mtu);
            if let LinkKind::Veth(peer) = &mut spec.kind {
                peer.mtu = peer.mtu.or(mtu);
            }
        }
        Ok(())
    }

    fn mtu_of_master(&self, spec: &LinkSpec) -> Result<Option<u32>> {
        let master = |end: &LinkEnd| Some(LinkKey { namespace: end.namespace.clone(), index: end.master? });
        let Some(master) = spec.ends().find_map(master) else { return Ok(None) };
        Ok(self.link(&master)?.map(|link| link.mtu))
    }

    /// Without a way out, a network's MTU is that of the smallest of the others' links. Looking at all of them takes too long for each endpoint.
    fn mtu_of_way_out(&self, is_network: bool) -> Result<Option<u32>> {
        let mtu = match self.kernel.mtu_of_way_out()? {
            None if is_network => self.kernel.mtu_of_others()?,
            found => found,
        };
        Ok(smaller(mtu))
    }
}

fn smaller(mtu: Option<u32>) -> Option<u32> {
    mtu.filter(|mtu| *mtu < USUAL).map(|mtu| mtu.max(LEAST))
}
