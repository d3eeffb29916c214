//! The end of links, and names that are free (net/core/dev.c).

use std::collections::BTreeSet;

use rustix::io::Errno;

use crate::fake::link::{Kind, LinkId};
use crate::fake::machine::{Machine, SpaceId};

impl Machine {
    /// Removes links with what goes along: other ends of pairs, and what lies on them.
    pub fn remove_links(&mut self, ids: &[LinkId]) {
        let (mut doomed, mut left) = (BTreeSet::new(), ids.to_vec());
        while let Some(id) = left.pop() {
            let Some(link) = self.links.get(&id).filter(|_| doomed.insert(id)) else { continue };
            left.extend(self.uppers_of(id));
            left.extend(if let Kind::Veth { peer } = link.kind { Some(peer) } else { None });
        }
        for id in &doomed {
            self.detach(*id);
            self.links.remove(id);
        }
    }

    /// Takes a link out of everything that its namespace has of it.
    pub fn detach(&mut self, id: LinkId) {
        for port in self.ports_of(id) {
            self.leave_bridge(port);
        }
        self.leave_bridge(id);
        if let Some(link) = self.links.get_mut(&id) {
            link.up = false;
            let addresses = std::mem::take(&mut link.ipv4);
            let space = link.space;
            self.lose_ip(id);
            self.lose_sources(space, &addresses);
        }
    }

    /// A name that is free, from one with or without `%d` (dev_get_valid_name).
    pub fn valid_name(&self, space: SpaceId, wanted: &str) -> Result<String, Errno> {
        // Settings of these names stand for every link (sysctl_dev_name_is_allowed).
        if ["all", "default"].contains(&wanted) {
            return Err(Errno::INVAL);
        }
        let Some((prefix, rest)) = wanted.split_once("%d") else {
            let taken = self.by_name(space, wanted).is_some();
            return if taken { Err(Errno::EXIST) } else { Ok(wanted.to_owned()) };
        };
        let numbers = 0..32_768;
        let mut names = numbers.map(|number| format!("{prefix}{number}{rest}")).filter(|name| name.len() <= 15);
        names.find(|name| self.by_name(space, name).is_none()).ok_or(Errno::NFILE)
    }
}
