//! What a machine has: its namespaces with links, addresses, routes, rules, neighbours, packet rules and settings, each as a value to judge, and
//! all of it as lines to compare. Read through the kernel crate, and beside that from a fake machine's text, or from `ip` and `nft`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ipnet::IpNet;
use kernel::{
    Fake, Kernel, LinkInfo, LinkKey, Mark, Namespace, Neighbour, Peer, Proxy, Route, RoutePath, Rule, Sysctl,
};
use serde_json::{Deserializer, Value};

use super::chains::OwnChain;
use super::mapped::Mapped;
use super::packet_rule::{LEADS, PacketRule};

/// The namespace that Pontoon works in, among the paths of others.
pub const HOST: &str = "the host";

/// A setting: of a link, or of the namespace; its word in a grant, and where it is.
pub const SETTINGS: &[(&str, &str, &str)] = &[
    ("ipv4-arp-ignore", "ipv4", "arp_ignore"),
    ("ipv4-arp-announce", "ipv4", "arp_announce"),
    ("ipv4-forwarding", "ipv4", "forwarding"),
    ("ipv4-log-martians", "ipv4", "log_martians"),
    ("ipv4-proxy-arp", "ipv4", "proxy_arp"),
    ("ipv4-route-localnet", "ipv4", "route_localnet"),
    ("ipv4-rp-filter", "ipv4", "rp_filter"),
    ("ipv4-send-redirects", "ipv4", "send_redirects"),
    ("ipv6-accept-dad", "ipv6", "accept_dad"),
    ("ipv6-accept-ra", "ipv6", "accept_ra"),
    ("ipv6-disable", "ipv6", "disable_ipv6"),
    ("ipv6-forwarding", "ipv6", "forwarding"),
    ("ipv6-proxy-ndp", "ipv6", "proxy_ndp"),
];
pub const SWITCHES: &[(&str, &str)] = &[
    ("ipv4-forwarding", "ipv4/ip_forward"),
    ("ipv6-forwarding", "ipv6/conf/all/forwarding"),
    ("ipv4-neighbour-threshold1", "ipv4/neigh/default/gc_thresh1"),
    ("ipv4-neighbour-threshold2", "ipv4/neigh/default/gc_thresh2"),
    ("ipv4-neighbour-threshold3", "ipv4/neigh/default/gc_thresh3"),
];

/// What a line is about: by this it has an owner.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    Link(u32),
    Table(String),
    Rule,
    Port,
    /// A route by no link of a driver's, or an address that the host answers for on somebody else's.
    Path,
    Rest,
}

/// One namespace.
#[derive(Clone, Debug)]
pub struct Space {
    pub links: BTreeMap<u32, LinkInfo>,
    pub addresses: Vec<(u32, IpNet)>,
    /// What the kernel routes to a link for its addresses, where it says so.
    pub connected: Vec<(u32, IpNet)>,
    pub routes: Vec<Route>,
    pub rules: Vec<Rule>,
    pub neighbours: Vec<Neighbour>,
    /// Links whose packets wait: what they send, or what they receive.
    pub shaped: Vec<u32>,
    /// Routes that say more, and what the host answers for, whoever's link that is on.
    pub paths: Vec<RoutePath>,
    pub proxies: Vec<Proxy>,
    pub packet_rules: Vec<PacketRule>,
    /// What is in maps.
    pub mapped: Vec<Mapped>,
    pub chains: Vec<OwnChain>,
    /// Of a link, or of the namespace.
    pub settings: BTreeMap<(Option<u32>, &'static str), i32>,
    /// The macvlans that take all of their parent's packets, and its MAC.
    pub passthru: Vec<u32>,
    /// What tunnels are built on: a link of the host's, by name or, as `ip` does it, by index (`if7`).
    pub under_tunnels: BTreeMap<u32, String>,
    /// Links that take in packets for others, or all multicast, because somebody said so.
    pub listening: BTreeSet<u32>,
    /// Links on one of another namespace.
    pub on_others: BTreeSet<u32>,
    /// What is behind each tunnel.
    pub tunnels: BTreeMap<u32, Vec<Peer>>,
    /// Each with how often it is there.
    pub lines: BTreeMap<(About, String), usize>,
}

/// All namespaces that were looked at.
pub type Seen = BTreeMap<String, Space>;

fn is_shaped(kernel: &Kernel, link: &LinkKey) -> bool {
    kernel.rate(link).unwrap().is_some() || kernel.redirect(link).unwrap().is_some()
}

fn behind(kernel: &Kernel, at: &Namespace, info: &LinkInfo) -> (u32, Vec<Peer>) {
    let peers = kernel.wireguard(&LinkKey { namespace: at.clone(), index: info.index }).unwrap().1;
    (info.index, peers.into_values().collect())
}

impl Space {
    /// What is read through the kernel crate. `settings`: these, too.
    pub fn read(kernel: &Kernel, at: Namespace, settings: bool) -> Self {
        let links: BTreeMap<u32, LinkInfo> =
            kernel.links(&at).unwrap().into_iter().map(|info| (info.index, info)).collect();
        let own = links.values().filter(|info| info.mark != Mark::Foreign);
        let keys: Vec<LinkKey> = own.map(|info| LinkKey { namespace: at.clone(), index: info.index }).collect();
        let every: Vec<LinkKey> = links.keys().map(|index| LinkKey { namespace: at.clone(), index: *index }).collect();
        Self {
            addresses: kernel.all_addresses(&at).unwrap(),
            connected: Vec::new(),
            routes: keys.iter().flat_map(|link| kernel.routes(link).unwrap()).collect(),
            rules: kernel.rules(&at).unwrap(),
            shaped: keys.iter().filter(|link| is_shaped(kernel, link)).map(|link| link.index).collect(),
            neighbours: keys.iter().flat_map(|link| kernel.neighbours(link).unwrap()).collect(),
            paths: kernel.paths(&at).unwrap(),
            proxies: every.iter().flat_map(|link| kernel.proxies(link).unwrap()).collect(),
            packet_rules: Vec::new(),
            mapped: Vec::new(),
            chains: Vec::new(),
            passthru: Vec::new(),
            under_tunnels: BTreeMap::new(),
            listening: BTreeSet::new(),
            on_others: BTreeSet::new(),
            tunnels: links
                .values()
                .filter(|info| info.kind == "wireguard")
                .map(|info| behind(kernel, &at, info))
                .collect(),
            settings: if settings { read_settings(kernel, &at, &links) } else { BTreeMap::new() },
            lines: BTreeMap::new(),
            links,
        }
    }

    fn note(&mut self, about: About, line: String) {
        *self.lines.entry((about, line)).or_default() += 1;
    }

    fn about(&self, name: &str) -> About {
        let found = self.links.values().find(|info| info.name == name);
        found.map_or(About::Rest, |info| About::Link(info.index))
    }

    /// The same of what a driver may have where the link is not its own.
    fn about_or_path(&self, name: &str, may_be_path: bool) -> About {
        match self.about(name) {
            About::Link(index) if self.is_own(index) => About::Link(index),
            _ if may_be_path => About::Path,
            other => other,
        }
    }

    /// The names that only this link has: its name, and the one beside it that the kernel layer derives from its index.
    pub fn names(info: &LinkInfo) -> [String; 2] {
        [info.name.clone(), format!("pontoon{:08x}", info.index)]
    }

    pub fn is_own(&self, index: u32) -> bool {
        self.links.get(&index).is_some_and(|info| info.mark != Mark::Foreign)
    }

    /// One line of a fake machine's text.
    fn take_fake(&mut self, line: &str) {
        let second = line.split(' ').nth(1).unwrap_or_default();
        let about = match line.split(' ').next() {
            // They are read one by one.
            _ if line.starts_with("Settings") || line.contains("LinkSettings") => return,
            Some("link") => self.about_or_path(second, line.contains(" answers for ")),
            Some("route") => self.about_or_path(line.split(' ').nth(2).unwrap_or_default(), line.contains(" More { ")),
            Some("rule") => About::Rule,
            Some("nft") => About::Table(second.to_owned()),
            Some("port") => About::Port,
            _ => About::Rest,
        };
        if let About::Link(index) = about {
            let takes_all = [" macvlan 8 on ", " macvtap 8 on "].iter().any(|what| line.contains(what));
            self.passthru.extend(takes_all.then_some(index));
            let listens = [" promiscuous 1", " all multicast 1"].iter().any(|what| line.ends_with(what));
            self.listening.extend(listens.then_some(index));
            self.on_others.extend(line.contains(" elsewhere ").then_some(index));
            let under = line.split_once(" vxlan ").and_then(|(_, rest)| rest.split('"').nth(1));
            self.under_tunnels.extend(under.filter(|_| line.contains(" Some(\"")).map(|name| (index, name.to_owned())));
        }
        self.packet_rules.extend(PacketRule::of_fake(line));
        self.mapped.extend(Mapped::of_fake(line));
        if let Some((table, name)) = line.strip_prefix("nft ").and_then(|rest| rest.split_once(" chain ")) {
            self.chains.extend(OwnChain::of(table, name));
        }
        let own = matches!(about, About::Link(index) if self.is_own(index));
        // A bridge's MAC follows its ports', until somebody chooses one: then it stays, also when that is undone.
        let line = match line.split_once(" bridge ").zip(line.split_once(" mtu ")).filter(|_| own) {
            Some(((head, _), (_, tail))) => format!("{head} bridge mtu {tail}"),
            None => line.to_owned(),
        };
        self.note(about, line);
    }

    /// What `ip` and `nft` say of a real namespace.
    fn take_real(&mut self, inside: &pontoon_tests::Namespace) {
        let script = "set -e; printf 'link show\\naddress show\\n' | ip -j -d -batch -
             printf 'route show table all\\nrule show\\nneighbour show nud permanent\\n' | ip -j -batch -
             ip -j -6 rule show; nft -j list ruleset";
        let output = inside.try_run_script(script);
        assert!(output.status.success(), "{output:?}");
        let all: Vec<Value> = Deserializer::from_slice(&output.stdout).into_iter().map(Result::unwrap).collect();
        let [links, addresses, routes, rules, neighbours, rules6, nft] = &all[..] else {
            panic!("ip and nft said something else: {all:?}");
        };
        let list = |value: &Value| value.as_array().unwrap().clone();
        list(links).iter().for_each(|link| self.take_link(link));
        for link in list(addresses) {
            for address in list(&link["addr_info"]).iter().filter(|address| address["scope"] != "link") {
                let text = format!("link {} address {}/{}", link["ifname"], address["local"], address["prefixlen"]);
                self.note(About::Link(index(&link)), text);
            }
        }
        list(routes).iter().for_each(|route| self.take_route(route));
        [rules, rules6].into_iter().flat_map(list).for_each(|rule| self.note(About::Rule, format!("rule {rule}")));
        for neighbour in list(neighbours).iter().filter(|neighbour| neighbour["dst"].is_string()) {
            let about = self.about(neighbour["dev"].as_str().unwrap());
            self.note(about, format!("link {} has {} at {}", neighbour["dev"], neighbour["dst"], neighbour["lladdr"]));
        }
        self.take_nft(&nft["nftables"]);
    }

    fn take_link(&mut self, link: &Value) {
        let (index, kind) = (index(link), &link["linkinfo"]["info_kind"]);
        // A bridge's follows its ports'.
        let mac = if self.is_own(index) && kind == "bridge" { &Value::Null } else { &link["address"] };
        let up = link["flags"].as_array().unwrap().iter().any(|flag| flag == "UP");
        let said = |keys: &[&str]| keys.iter().map(|key| format!(" {key} {}", link[key])).collect::<String>();
        let rest = said(&["mtu", "master", "link", "group"]);
        self.note(About::Link(index), format!("link {} {kind} {mac} up {up}{rest}", link["ifname"]));
        self.note(
            About::Link(index),
            format!("link {} listens:{}", link["ifname"], said(&["promiscuity", "allmulti"])),
        );
        // In another namespace than the host's `ip` names a link of that one with the same index, if there is one.
        let under = link["linkinfo"]["info_data"]["link"].as_str().filter(|_| kind == "vxlan");
        let here =
            |name: &str| self.links.values().find(|info| info.name == name).map(|info| format!("if{}", info.index));
        let under = under.map(|name| here(name).unwrap_or_else(|| name.to_owned()));
        self.under_tunnels.extend(under.map(|name| (index, name)));
        let listens = link["flags"].as_array().unwrap().iter().any(|flag| flag == "PROMISC" || flag == "ALLMULTI");
        self.listening.extend(listens.then_some(index));
        let data = |key: &str, names: &[&str]| {
            let of = &link["linkinfo"][key];
            names.iter().map(|name| format!(" {name} {}", of[*name])).collect::<String>()
        };
        let bridge = data("info_data", &["ageing_time", "vlan_filtering", "mcast_snooping", "mcast_querier"]);
        let port = data("info_slave_data", &["flood", "mcast_flood", "bcast_flood"]);
        let options = format!("queue {} listens {listens}{bridge}{port}", link["txqlen"]);
        self.note(About::Link(index), format!("link {} options {options}", link["ifname"]));
        self.on_others.extend((!link["link_index"].is_null()).then_some(index));
        self.passthru.extend((link["linkinfo"]["info_data"]["mode"] == "passthru").then_some(index));
    }

    /// What follows from addresses a moment later is left out: link-local ones, and the table of local addresses for own links.
    fn take_route(&mut self, route: &Value) {
        let text = |key: &str| route[key].as_str().unwrap_or_default();
        let is_drivers = !["kernel", "boot", "static", "ra"].contains(&text("protocol"));
        let about = self.about_or_path(text("dev"), is_drivers);
        let own = matches!(about, About::Link(index) if self.is_own(index));
        let destination = text("dst");
        if destination.starts_with("fe80:") || destination.starts_with("ff00:") || own && text("table") == "local" {
            return;
        }
        if let (About::Link(index), "kernel", true) = (&about, text("protocol"), own) {
            self.connected.push((*index, net(destination)));
        }
        let keys = ["type", "gateway", "dev", "table", "protocol", "metric", "prefsrc"];
        let rest = keys.map(|key| format!("{key} {}", route[key]));
        self.note(about, format!("route {destination} {}", rest.join(" ")));
    }

    fn take_nft(&mut self, ruleset: &Value) {
        let objects = ruleset.as_array().unwrap();
        let chains: Vec<&Value> = objects.iter().filter_map(|object| object.get("chain")).collect();
        for object in objects {
            let (kind, what) = object.as_object().unwrap().iter().next().unwrap();
            let name = if kind == "table" { "name" } else { "table" };
            let table = what[name].as_str().unwrap_or_default().to_owned();
            let mut plain = what.clone();
            plain.as_object_mut().unwrap().remove("handle");
            match kind.as_str() {
                "metainfo" => {}
                "rule" => {
                    let rule = PacketRule::of_real(what, &chains);
                    self.note(About::Table(table), format!("nft {}", rule.text));
                    if what["comment"] != LEADS {
                        self.packet_rules.push(rule);
                    }
                }
                _ => {
                    if kind == "map" {
                        self.mapped.extend(Mapped::of_real(what));
                    }
                    // In no certain order.
                    plain["elem"].as_array_mut().into_iter().for_each(|all| all.sort_by_key(Value::to_string));
                    if kind == "chain" {
                        self.chains.extend(OwnChain::of(&table, what["name"].as_str().unwrap_or_default()));
                    }
                    self.note(About::Table(table), format!("nft {kind} {plain}"));
                }
            }
        }
    }
}

fn index(link: &Value) -> u32 {
    u32::try_from(link["ifindex"].as_u64().unwrap()).unwrap()
}

/// A destination as `ip` writes it.
fn net(text: &str) -> IpNet {
    let host = || text.parse::<std::net::IpAddr>().map(IpNet::from);
    match text {
        "default" => "0.0.0.0/0".parse().unwrap(),
        text => text.parse().or_else(|_| host()).unwrap(),
    }
}

fn read_settings(
    kernel: &Kernel,
    at: &Namespace,
    links: &BTreeMap<u32, LinkInfo>,
) -> BTreeMap<(Option<u32>, &'static str), i32> {
    let mut found = BTreeMap::new();
    for (word, path) in SWITCHES {
        // Thresholds of neighbours are the first namespace's alone.
        found.extend(kernel.sysctl(at, &Sysctl::Namespace(path)).ok().map(|value| ((None, *word), value)));
    }
    for info in links.values().filter(|info| info.mark != Mark::Condemned) {
        for (word, family, name) in SETTINGS {
            let value = kernel.sysctl(at, &Sysctl::Link { family, index: info.index, name });
            found.extend(value.ok().map(|value| ((Some(info.index), *word), value)));
        }
    }
    found
}

/// All of a fake machine.
pub fn fake(kernel: &Kernel, machine: &Fake) -> Seen {
    let (mut seen, mut name) = (Seen::new(), String::new());
    for line in machine.state().lines() {
        if let Some(section) = line.strip_prefix("# ") {
            section.clone_into(&mut name);
            let at = match section {
                HOST => Namespace::Host,
                path => Namespace::At(kernel.sandbox(Path::new(path)).unwrap()),
            };
            seen.insert(name.clone(), Space::read(kernel, at, true));
        } else if line.starts_with("port ") {
            // They come last, and are the host's.
            seen.get_mut(HOST).unwrap().take_fake(line);
        } else {
            seen.get_mut(&name).unwrap().take_fake(line);
        }
    }
    seen
}

/// Of a real machine the host and these namespaces; the rest, and settings that were read before, stay as they were seen.
pub fn look_again<'a>(
    kernel: &Kernel,
    host: &Path,
    others: impl Iterator<Item = &'a Namespace>,
    mut seen: Seen,
) -> Seen {
    let inside = others.filter_map(|other| match other {
        Namespace::At(at) => Some((at.path.display().to_string(), at.path.as_path(), other.clone())),
        Namespace::Host => None,
    });
    for (name, path, at) in inside.chain([(HOST.to_owned(), host, Namespace::Host)]) {
        let before = seen.get(&name).map(|space| space.settings.clone());
        let mut space = Space::read(kernel, at, before.is_none());
        space.settings.extend(before.into_iter().flatten());
        space.take_real(&pontoon_tests::Namespace::at(path));
        seen.insert(name, space);
    }
    seen
}
