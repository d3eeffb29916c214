//! What the kernel forgets when a link goes down (to undo that it came up, too), gets another MAC or MTU, or loses IPv6: addresses, routes,
//! neighbours. To undo that change does not bring them back, so they are read before it, of links that were there before the call.

use std::collections::{BTreeSet, HashSet};

use ipnet::IpNet;

use super::Transaction;
use kernel::{Applied, Change, Kernel, LinkKey, Outcome, Sysctl};

/// `disable_ipv6` of a link, which takes its IPv6 addresses and routes.
const WITHOUT_IPV6: (&str, &str) = ("ipv6", "disable_ipv6");

impl Transaction {
    /// What brings back what changes lose.
    pub(super) fn lost_by(&self, changes: &[Change]) -> Result<Vec<Change>, kernel::Error> {
        let links: BTreeSet<LinkKey> =
            changes.iter().filter_map(forgets).filter(|link| self.made.link(link).is_none()).collect();
        let mut lost = Vec::new();
        for link in &links {
            // The kernel makes link-local addresses itself.
            let is_ours = |net: &IpNet| !matches!(net, IpNet::V6(v6) if v6.addr().is_unicast_link_local());
            let addresses = self.kernel.addresses(link)?.into_iter().filter(is_ours);
            lost.extend(addresses.map(|address| Change::AddAddress(link.clone(), address)));
            lost.extend(self.kernel.routes_again(link)?);
            lost.extend(self.kernel.neighbours(link)?.into_iter().map(Change::AddNeighbour));
            lost.extend(self.kernel.proxies(link)?.into_iter().map(Change::AddProxy));
        }
        Ok(lost)
    }

    /// Brings it back at once.
    pub(super) fn bring_back(kernel: &Kernel, lost: Vec<Change>) {
        for error in kernel.undo(&[Applied { outcome: Outcome::Done, undo: lost }]) {
            tracing::error!("can't bring back what a refused change has lost: {error}");
        }
    }

    /// Notes it to be brought back after the changes themselves were undone. What this call has made goes with its own undo.
    pub(super) fn note_lost(&mut self, mut lost: Vec<Change>) {
        if lost.is_empty() {
            return;
        }
        let made: HashSet<&Change> = self.applied.iter().flat_map(|applied| &applied.undo).collect();
        lost.retain(|change| change.removal().is_none_or(|removal| !made.contains(&removal)));
        self.applied.push(Applied { outcome: Outcome::Done, undo: lost });
    }
}

/// The link of which a change makes the kernel forget something.
fn forgets(change: &Change) -> Option<LinkKey> {
    match change {
        Change::SetLink(link, set) if set.up.is_some() || set.mac.is_some() || set.mtu.is_some() => Some(link.clone()),
        Change::SetSysctl { namespace, sysctl: Sysctl::Link { family, index, name }, value }
            if (*family, *name) == WITHOUT_IPV6 && *value != 0 =>
        {
            Some(LinkKey { namespace: namespace.clone(), index: *index })
        }
        _ => None,
    }
}
