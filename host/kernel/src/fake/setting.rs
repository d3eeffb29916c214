//! The settings that the layer may be asked for, with the kernel's own values (net/ipv4/devinet.c, net/ipv6/addrconf.c).

use rustix::io::Errno;

use crate::PROXY_DELAY;
use crate::fake::link::LinkId;
use crate::fake::machine::{Machine, SpaceId};

/// A namespace's settings, which new links begin with.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Settings {
    /// ip_forward, which is net.ipv4.conf.all.forwarding and, when it is written, every link's.
    pub forwarding4: i32,
    /// net.ipv6.conf.all.forwarding, likewise.
    pub forwarding6: i32,
    /// net.ipv6.conf.default.forwarding, which follows it and can be another.
    pub default_forwarding6: i32,
    /// net.ipv6.conf.all.disable_ipv6, likewise.
    pub disable_ipv6: i32,
}

/// A link's settings.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct LinkSettings {
    ipv4: [i32; OF_IPV4.len()],
    forwarding4: i32,
    pub accept_dad: i32,
    accept_ra: i32,
    pub disable_ipv6: i32,
    forwarding6: i32,
    proxy_ndp: i32,
    proxy_delay4: i32,
    proxy_delay6: i32,
    /// IN6_ADDR_GEN_MODE_NONE.
    pub makes_no_link_local: bool,
}

/// Hundredths of a second (net/ipv4/arp.c, net/ipv6/ndisc.c).
const PROXY_DELAY_AT_FIRST: i32 = 80;

/// Those of IPv4 that do nothing here, with what they are at first.
const OF_IPV4: [(&str, i32); 7] = [
    ("arp_announce", 0),
    ("arp_ignore", 0),
    ("log_martians", 0),
    ("proxy_arp", 0),
    ("route_localnet", 0),
    ("rp_filter", 0),
    ("send_redirects", 1),
];
/// Of the machine's neighbour table; the kernel shows them on the host alone.
const THRESHOLDS: [(&str, i32); 3] = [("gc_thresh1", 128), ("gc_thresh2", 512), ("gc_thresh3", 1024)];

impl LinkSettings {
    pub fn new(of: &Settings) -> Self {
        let mut settings =
            Self { ipv4: OF_IPV4.map(|(_, value)| value), forwarding4: of.forwarding4, ..Self::default() };
        settings.proxy_delay4 = PROXY_DELAY_AT_FIRST;
        settings.renew_ipv6(of);
        settings
    }

    /// A link that gets IPv6 anew has forgotten what was set of it.
    pub fn renew_ipv6(&mut self, of: &Settings) {
        (self.accept_dad, self.accept_ra, self.proxy_ndp, self.proxy_delay6) = (1, 1, 0, PROXY_DELAY_AT_FIRST);
        (self.disable_ipv6, self.forwarding6) = (of.disable_ipv6, of.default_forwarding6);
        self.makes_no_link_local = false;
    }

    fn slot(&mut self, family: &str, name: &str) -> Option<&mut i32> {
        match (family, name) {
            ("ipv4", "forwarding") => Some(&mut self.forwarding4),
            ("ipv4", PROXY_DELAY) => Some(&mut self.proxy_delay4),
            ("ipv6", PROXY_DELAY) => Some(&mut self.proxy_delay6),
            ("ipv4", _) => OF_IPV4.iter().position(|(known, _)| *known == name).map(|i| &mut self.ipv4[i]),
            ("ipv6", "accept_dad") => Some(&mut self.accept_dad),
            ("ipv6", "accept_ra") => Some(&mut self.accept_ra),
            ("ipv6", "disable_ipv6") => Some(&mut self.disable_ipv6),
            ("ipv6", "forwarding") => Some(&mut self.forwarding6),
            ("ipv6", "proxy_ndp") => Some(&mut self.proxy_ndp),
            _ => None,
        }
    }
}

impl Machine {
    /// Reads a file below /proc/sys/net.
    pub fn setting(&mut self, at: SpaceId, path: &str) -> Result<i32, Errno> {
        if let Some(value) = self.threshold(at, path) {
            return Ok(value);
        }
        let settings = &self.spaces.get(&at).ok_or(Errno::NOENT)?.settings;
        match path {
            "ipv4/ip_forward" => Ok(settings.forwarding4),
            "ipv6/conf/all/forwarding" => Ok(settings.forwarding6),
            "ipv6/conf/default/forwarding" => Ok(settings.default_forwarding6),
            "ipv6/conf/all/disable_ipv6" => Ok(settings.disable_ipv6),
            _ => self.of_link(at, path).map(|(_, slot)| *slot),
        }
    }

    /// Writes one.
    pub fn set_setting(&mut self, at: SpaceId, path: &str, value: i32) -> Result<(), Errno> {
        if self.threshold(at, path).is_some() {
            // It is the machine's own, and nothing here depends on it.
            return Err(Errno::PERM);
        }
        let space = self.spaces.get_mut(&at).ok_or(Errno::NOENT)?;
        match path {
            "ipv4/ip_forward" if space.settings.forwarding4 == value => {}
            "ipv4/ip_forward" => {
                space.settings.forwarding4 = value;
                self.each_link(at, |settings| settings.forwarding4 = value);
            }
            "ipv6/conf/all/forwarding" => {
                (space.settings.forwarding6, space.settings.default_forwarding6) = (value, value);
                self.each_link(at, |settings| settings.forwarding6 = value);
            }
            "ipv6/conf/default/forwarding" => space.settings.default_forwarding6 = value,
            "ipv6/conf/all/disable_ipv6" => {
                space.settings.disable_ipv6 = value;
                for id in self.listed(at) {
                    self.disable_ipv6(id, value);
                }
            }
            _ => {
                let (id, slot) = self.of_link(at, path)?;
                match path.ends_with("/disable_ipv6") {
                    true => self.disable_ipv6(id, value),
                    false => *slot = value,
                }
            }
        }
        Ok(())
    }

    /// A link that may not use IPv6 loses all of it at once.
    fn disable_ipv6(&mut self, id: LinkId, value: i32) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.settings.disable_ipv6 = value;
        if value != 0 {
            self.lose_ipv6(id);
        }
        self.settle();
    }

    fn each_link(&mut self, at: SpaceId, set: impl Fn(&mut LinkSettings)) {
        self.links.values_mut().filter(|link| link.space == at).for_each(|link| set(&mut link.settings));
    }

    fn threshold(&self, at: SpaceId, path: &str) -> Option<i32> {
        let name = path.strip_prefix("ipv4/neigh/default/").filter(|_| at == self.host)?;
        THRESHOLDS.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// `ipv4/conf/LINK/NAME`, or `neigh` in place of `conf`; of IPv6 only where the link has that.
    fn of_link(&mut self, at: SpaceId, path: &str) -> Result<(LinkId, &mut i32), Errno> {
        let mut parts = path.split('/');
        let (Some(family), Some(folder), Some(link), Some(name)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Errno::NOENT);
        };
        if folder != (if name == PROXY_DELAY { "neigh" } else { "conf" }) {
            return Err(Errno::NOENT);
        }
        let id = self.by_name(at, link).ok_or(Errno::NOENT)?;
        let link = self.links.get_mut(&id).ok_or(Errno::NOENT)?;
        if family == "ipv6" && !Self::has_ipv6(link) {
            return Err(Errno::NOENT);
        }
        Ok((id, link.settings.slot(family, name).ok_or(Errno::NOENT)?))
    }
}
