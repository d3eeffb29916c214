//! All of a fake machine as text, to compare before and after.

use std::fmt::Write;

use crate::fake::link::{Kind, Link, LinkId};
use crate::fake::machine::{Machine, SpaceId};
use crate::fake::nft::{Nft, Table, To};

impl Machine {
    /// See [`Fake::state`](super::Fake::state).
    pub fn text(&self) -> String {
        let mut text = String::new();
        let bound = self.paths.iter().map(|(path, id)| (path.display().to_string(), *id));
        for (name, id) in [("the host".to_owned(), self.host)].into_iter().chain(bound) {
            let _ = writeln!(text, "# {name}");
            self.write_space(id, &mut text);
        }
        for port in &self.ports {
            let _ = writeln!(text, "port {port:#}");
        }
        text
    }

    fn write_space(&self, id: SpaceId, text: &mut String) {
        let Some(space) = self.spaces.get(&id) else { return };
        let mut lines: Vec<String> = self.links_of(id).flat_map(|(_, link)| self.lines_of_link(link)).collect();
        lines.extend(space.routes.iter().map(|route| {
            let (through, table) = (self.name_of(route.link), route.table);
            let (gateway, source) = (route.gateway, route.source);
            let more = &route.more;
            format!(
                "route {} {through} {gateway:?} {source:?} table {table} metric {} {more:?}",
                route.net, route.metric
            )
        }));
        lines.extend(space.rules.iter().map(|rule| format!("rule {rule:?}")));
        lines.sort_unstable();
        lines.extend(lines_of_nft(&space.nft));
        lines.push(format!("{:?}", space.settings));
        for line in lines {
            let _ = writeln!(text, "{line}");
        }
    }

    fn lines_of_link(&self, link: &Link) -> Vec<String> {
        let Link { name, mtu, group, port, settings, .. } = link;
        let master = link.master.map(|master| self.name_of(master));
        // A bridge's follows its ports', unless somebody chose it.
        let follows = matches!(link.kind, Kind::Bridge(_)) && !link.mac_chosen;
        let mac = if follows { "a MAC".into() } else { format!("{:02x?}", link.mac) };
        let what = self.what(link);
        let mut lines =
            vec![format!("link {name} {what} {mac} mtu {mtu} up {} group {group:x} of {master:?}", link.up)];
        lines.extend(link.other_names.iter().map(|other| format!("link {name} is {other}")));
        if link.master.is_some() {
            let (hairpin, isolated, learning) = (port.hairpin, port.isolated, port.learning);
            lines.push(format!("link {name} hairpin {hairpin} isolated {isolated} learning {learning}"));
        }
        lines.extend(link.options.lines(name, &link.kind));
        lines.push(format!("link {name} {settings:?}"));
        lines.extend(link.shape.bucket.iter().map(|options| format!("link {name} sends {options:02x?}")));
        lines.extend(link.shape.to.map(|to| format!("link {name} receives by {}", self.name_of(to))));
        lines.extend(link.ipv4.iter().map(|address| format!("link {name} address {}", address.net)));
        let chosen = link.ipv6.iter().filter(|net| !net.addr().is_unicast_link_local());
        lines.extend(chosen.map(|net| format!("link {name} address {net}")));
        lines.extend(link.neighbours.iter().map(|(address, mac)| format!("link {name} has {address} at {mac:02x?}")));
        lines.extend(link.proxies.iter().map(|address| format!("link {name} answers for {address}")));
        lines.extend(link.filters.iter().map(|mac| format!("link {name} listens to {mac:02x?}")));
        lines.extend(self.entries_of(&link.kind).into_iter().map(|entry| format!("link {name} forwards {entry}")));
        lines
    }

    fn what(&self, link: &Link) -> String {
        let is_elsewhere = |lower: &LinkId| self.links.get(lower).is_some_and(|lower| lower.space != link.space);
        let on = |lower: &LinkId| match is_elsewhere(lower) {
            true => format!("{} elsewhere", self.name_of(*lower)),
            false => self.name_of(*lower).to_owned(),
        };
        match &link.kind {
            Kind::Loopback => "loopback".into(),
            Kind::Card => "card".into(),
            Kind::Dummy => "dummy".into(),
            Kind::Ifb => "ifb".into(),
            Kind::Bridge(_) => "bridge".into(),
            Kind::Veth { peer } => format!("veth with {}", self.name_of(*peer)),
            Kind::Vxlan(v) => {
                let lower = v.lower.map(|lower| self.name_of(lower));
                let (local, remote) = (v.local, v.remote);
                format!("vxlan {} {} {lower:?} {local:?} {remote:?} {} {}", v.vni, v.port, v.learning, v.proxy)
            }
            Kind::Macvlan { lower, mode, tap } => {
                format!("{} {mode} on {}", if *tap { "macvtap" } else { "macvlan" }, on(lower))
            }
            Kind::Ipvlan { lower, mode, flags } => format!("ipvlan {mode} {flags} on {}", on(lower)),
            Kind::Vlan { lower, id } => format!("vlan {id} on {}", on(lower)),
            Kind::Wireguard(w) => format!("wireguard {}", w.port),
        }
    }

    fn entries_of(&self, kind: &Kind) -> Vec<String> {
        match kind {
            Kind::Bridge(b) => b.entries.iter().map(|(mac, id)| format!("{mac:02x?} {}", self.name_of(*id))).collect(),
            Kind::Vxlan(v) => v.entries.iter().map(|(mac, remote)| format!("{mac:02x?} {remote}")).collect(),
            Kind::Wireguard(w) => w.peers.values().map(|peer| format!("{peer:?}")).collect(),
            _ => Vec::new(),
        }
    }

    fn name_of(&self, id: LinkId) -> &str {
        self.links.get(&id).map_or("nothing", |link| &link.name)
    }
}

fn lines_of_nft(nft: &Nft) -> Vec<String> {
    let of_table = |table: &Table| {
        let chains = table.chains.iter().flat_map(|chain| {
            chain.rules.iter().map(|rule| {
                format!("nft {} {} {} {:02x?}", table.name, chain.name, super::nft::remark(rule), rule.expressions)
            })
        });
        let behind = table.chains.iter().filter(|chain| chain.hook.is_none());
        let behind = behind.map(|chain| format!("nft {} chain {}", table.name, chain.name));
        let maps = table.maps.iter().flat_map(|map| {
            std::iter::once(format!("nft {} map {}", table.name, map.name)).chain(map.elements.iter().map(
                |(key, to)| match to {
                    To::Nowhere => format!("nft {} map {} has {key:02x?}", table.name, map.name).replace(" [", " {"),
                    To::Chain(to) => format!("nft {} map {} leads to {to}", table.name, map.name),
                    To::Value(to) => {
                        let text = format!("nft {} map {} leads from {key:02x?} to {to:02x?}", table.name, map.name);
                        text.replace(" [", " {").replace(']', "}")
                    }
                },
            ))
        });
        std::iter::once(format!("nft {}", table.name)).chain(behind).chain(maps).chain(chains).collect::<Vec<_>>()
    };
    nft.tables.iter().flat_map(of_table).collect()
}
