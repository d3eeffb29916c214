//! One of the two kernels, with what was made on it, and all that it tells.

use crate::tests::lockstep::operation::Operation;
use crate::tests::lockstep::step::Step;
use crate::tests::lockstep::value::packet;
use crate::tests::lockstep::*;

/// The names of nftables tables and settings that operations speak of.
pub const TABLES: [&str; 2] = ["t1", "t2"];
/// One of family bridge.
pub const OF_FRAMES: &str = "t-frames";
/// The chains that there may be in each of them, behind the base chain that is here. Rules of the second lead to the first.
pub const CHAINS: [&str; 2] = ["c1", "c2"];
pub const BEHIND: NftChain = NftChain { nat: false, hook: NftHook::Forward, priority: 0 };
pub const SETTINGS: [(&str, &str); 8] = [
    ("ipv4", "proxy_delay"),
    ("ipv6", "proxy_delay"),
    ("ipv4", "proxy_arp"),
    ("ipv4", "forwarding"),
    ("ipv4", "send_redirects"),
    ("ipv6", "disable_ipv6"),
    ("ipv6", "forwarding"),
    ("ipv6", "accept_ra"),
];
pub const OF_NAMESPACE: [&str; 4] =
    ["ipv4/ip_forward", "ipv6/conf/all/forwarding", "ipv6/conf/default/forwarding", "ipv6/conf/all/disable_ipv6"];

pub struct Side<'w> {
    world: &'w World,
    /// The host, and sandboxes, of which some are dead.
    pub spaces: Vec<Namespace>,
    sandboxes: Vec<Option<Sandbox>>,
    /// What could be undone.
    applied: Vec<Vec<Applied>>,
    /// Something was taken back. How far the real kernel came with it, a moment later or at once, is no matter of the layer's, and can be
    /// seen for long: a link that had a carrier for a moment has got a link-local address, or has not, and one that had none for a moment has lost
    /// what the host answers for there, or has not.
    pub took_back: bool,
    /// All nftables rules that were ever made, by table.
    pub handles: Vec<(String, NftHandle)>,
    /// The devices that were ever taken, with where they were moved last.
    pub devices: Vec<Device>,
}

impl<'w> Side<'w> {
    pub fn new(world: &'w World) -> Self {
        let mut side = Self {
            world,
            spaces: vec![Namespace::Host],
            sandboxes: vec![None],
            applied: Vec::new(),
            took_back: false,
            handles: Vec::new(),
            devices: Vec::new(),
        };
        side.add_sandbox();
        side
    }

    fn add_sandbox(&mut self) {
        let sandbox = Sandbox::new(self.world);
        self.spaces.push(sandbox.namespace());
        self.sandboxes.push(Some(sandbox));
    }

    pub fn kernel(&self) -> &Kernel {
        &self.world.kernel
    }

    pub fn applied(&self) -> usize {
        self.applied.len()
    }

    /// Runs an operation, and answers what came of it, in words that are the same on both sides.
    pub fn run(&mut self, operation: &Operation) -> String {
        let kernel = &self.world.kernel;
        match operation {
            Operation::Apply(steps) => match kernel.apply(&self.changes(steps)) {
                Ok(applied) => self.note(steps, applied),
                Err(error) => {
                    self.took_back = true;
                    format!("{:?}", error.errno)
                }
            },
            Operation::Attempt(steps) => errnos(&kernel.attempt(&self.changes(steps))),
            Operation::Undo(number) => {
                let applied = self.applied.remove(*number);
                self.took_back = true;
                errnos(&kernel.undo(&applied))
            }
            Operation::Condemn(links) => {
                let keys: Vec<LinkKey> = links.iter().map(|link| self.key(*link)).collect();
                let left = kernel.condemn(&keys).map(|left| left.iter().map(|(_, links)| links).sum::<u64>());
                format!("{:?}", left.map_err(|error| error.errno))
            }
            Operation::Reap(space) => format!("{:?}", kernel.reap(&self.spaces[*space]).map_err(|error| error.errno)),
            Operation::PlugIn => plug_in(self.world),
            Operation::Begin => {
                self.add_sandbox();
                "a sandbox".into()
            }
            Operation::Kill(space) => {
                self.sandboxes[*space] = None;
                "killed".into()
            }
        }
    }

    fn note(&mut self, steps: &[Step], applied: Vec<Applied>) -> String {
        let told = applied.iter().map(|applied| self.outcome(applied)).collect::<Vec<_>>().join(", ");
        for (step, applied) in steps.iter().zip(&applied) {
            if let (Step::AddNftRules(_, table, _), Outcome::Rules(handles)) = (step, &applied.outcome) {
                self.handles.extend(handles.iter().map(|handle| (table.clone(), handle.clone())));
            }
            match (step, &applied.outcome) {
                (_, Outcome::Device(device)) => self.devices.push(Device::clone(device)),
                (Step::MoveDevice(number, _), Outcome::Link(link, _)) => {
                    let Namespace::At(inside) = &link.key.namespace else { panic!("it is in a sandbox") };
                    self.devices[*number].inside = Some(inside.clone());
                }
                _ => {}
            }
        }
        self.applied.push(applied);
        told
    }

    fn outcome(&self, applied: &Applied) -> String {
        let link = |link: &NewLink| {
            format!("{:?} {} {} {}", self.number(&link.key.namespace), link.key.index, link.name, mac(link.mac))
        };
        let what = match &applied.outcome {
            Outcome::Done => "done".into(),
            Outcome::Link(first, peer) => format!("{} {:?}", link(first), peer.as_ref().map(link)),
            Outcome::Device(device) => format!("{} {:?}", device.name, device.before.as_ref().map(|before| before.mtu)),
            Outcome::Rules(rules) => {
                format!("{:?}", rules.iter().map(|rule| (rule.chain, rule.port)).collect::<Vec<_>>())
            }
            Outcome::Value(value) => value.to_string(),
            Outcome::Namespace(path) => format!("{:?}", path.path.file_name()),
            Outcome::Port(port) => port.to_string(),
        };
        format!("{what} and {} to undo it", applied.undo.len())
    }

    /// Which of the namespaces it is.
    fn number(&self, namespace: &Namespace) -> Option<usize> {
        self.spaces.iter().position(|space| space == namespace)
    }

    pub fn key(&self, (space, index): (usize, u32)) -> LinkKey {
        LinkKey { namespace: self.spaces[space].clone(), index }
    }

    fn changes(&self, steps: &[Step]) -> Vec<Change> {
        steps.iter().map(|step| step.change(self)).collect()
    }

    /// Everything that the layer can be asked. An error: a namespace died while it was asked.
    pub fn told(&self) -> Result<Vec<String>, Error> {
        let kernel = self.kernel();
        let mut told = Vec::new();
        for (number, space) in self.spaces.iter().enumerate() {
            let exists = kernel.exists(space);
            told.push(format!("{number} exists: {exists}"));
            if exists {
                told.extend(self.told_of_space(space)?.into_iter().map(|line| format!("{number} {line}")));
            }
        }
        let mut made = kernel.made_namespaces()?;
        made.sort_unstable();
        told.push(format!("made {made:?}"));
        Ok(told)
    }

    fn told_of_space(&self, space: &Namespace) -> Result<Vec<String>, Error> {
        let kernel = self.kernel();
        let mut told = Vec::new();
        for listed in kernel.links(space)? {
            let key = LinkKey { namespace: space.clone(), index: listed.index };
            // The question for one link lets the kernel catch up with it.
            let Some(link) = kernel.link(&key)? else { continue };
            told.extend(self.told_of_link(&key, &link)?.into_iter().map(|line| format!("{} {line}", link.index)));
        }
        let addresses = kernel.all_addresses(space)?.into_iter().filter(|(_, net)| self.is_certain(net));
        told.push(format!("addresses {:?}", addresses.map(|(index, net)| (index, address(net))).collect::<Vec<_>>()));
        told.extend(kernel.rules(space)?.iter().map(rule_text));
        let mut paths: Vec<String> = kernel.paths(space)?.iter().map(path_text).collect();
        paths.sort_unstable();
        told.push(format!("paths {paths:?}"));
        told.push(format!(
            "tables {:?} {:?}",
            kernel.nft_tables(space)?,
            kernel.dropping_chains(space, &Packet::Forwarded)?
        ));
        for table in TABLES.into_iter().chain([OF_FRAMES]) {
            let rules = kernel
                .nft_rules(space, table)?
                .into_iter()
                .map(|(handle, comment)| (handle.chain, handle.port, handle.own, comment));
            told.push(format!("{table} {:?}", rules.collect::<Vec<_>>()));
            told.push(format!("{table} {:?}", kernel.nft_sets(space, table)?));
            for set in packet::NAMES {
                let place = crate::nft::sets::Place { at: space, table, set };
                let bounds = crate::nft::sets::bounds(&mut kernel.session(), place)?;
                told.push(format!("{table} {set} {bounds:?}"));
            }
            // What they have counted is another matter.
            let mut counters: Vec<String> = kernel
                .nft_counters(space, table)?
                .keys()
                .map(|rule| format!("{:?} {:?}", rule.chain, rule.port))
                .collect();
            counters.sort_unstable();
            told.push(format!("{table} counts {counters:?}"));
        }
        let mut chains = kernel.nft_own_chains(space)?;
        chains.sort_unstable();
        told.push(format!("{chains:?}"));
        for path in OF_NAMESPACE {
            told.push(format!("{path} {:?}", kernel.sysctl(space, &Sysctl::Namespace(path)).ok()));
        }
        Ok(told)
    }

    fn is_certain(&self, net: &IpNet) -> bool {
        !(self.took_back && matches!(net, IpNet::V6(v6) if v6.addr().is_unicast_link_local()))
    }

    fn told_of_link(&self, key: &LinkKey, link: &LinkInfo) -> Result<Vec<String>, Error> {
        let kernel = self.kernel();
        let same = kernel.link_by_name(&key.namespace, &name(&link.name))?;
        let is_same = same.is_some_and(|same| same.index == link.index);
        let named = kernel.link_by_name(&key.namespace, &own_name(link.index).unwrap())?.map(|named| named.index);
        let LinkInfo { name, kind, mtu, up, running, master, parent, mark, .. } = link;
        let what = format!("{name} {kind} {} {mtu} up {up} {running} {master:?} {parent:?} {mark:?}", mac(link.mac));
        let addresses = kernel.addresses(key)?.into_iter().filter(|net| self.is_certain(net));
        let addresses: Vec<String> = addresses.map(address).collect();
        let sorted = |lines: &mut dyn Iterator<Item = String>| {
            let mut lines: Vec<String> = lines.collect();
            lines.sort_unstable();
            lines
        };
        let routes = sorted(&mut kernel.routes(key)?.iter().map(route_text));
        let neighbours = sorted(&mut kernel.neighbours(key)?.iter().map(|n| format!("{} {}", n.address, n.mac)));
        let entries = sorted(&mut kernel.forwardings(key)?.iter().map(|e| format!("{} {:?}", e.mac, e.remote)));
        let proxies =
            sorted(&mut kernel.proxies(key)?.iter().filter(|_| !self.took_back).map(|proxy| proxy.address.to_string()));
        let settings = SETTINGS.map(|(family, setting)| {
            let sysctl = Sysctl::Link { family, index: link.index, name: setting };
            kernel.sysctl(&key.namespace, &sysctl).map_err(|error| error.errno)
        });
        let peers = match link.kind == "wireguard" {
            true => kernel.wireguard(key)?.1.into_values().map(|peer| format!("{peer:?}")).collect(),
            false => Vec::new(),
        };
        Ok(vec![
            format!("peers {peers:?}"),
            format!("{what} {is_same} {named:?}"),
            format!("addresses {addresses:?}"),
            format!("routes {routes:?}"),
            format!("neighbours {neighbours:?}"),
            format!("entries {entries:?}"),
            format!("answers for {proxies:?}"),
            format!("settings {settings:?}"),
            format!("rate {:?} redirect {:?}", kernel.rate(key)?, kernel.redirect(key)?),
            // Many a kernel lacks VLANs.
            format!("options {:?}", kernel.options(key)?.set),
        ])
    }
}

/// A pair of an operator's, of which one end stands for a network card.
fn plug_in(world: &World) -> String {
    let end = |name: &str, last, addresses: &[&str]| LinkEnd {
        mac: Some(MacAddress([2, 0, 0, 0, 0, last])),
        addresses: addresses.iter().map(|net| net.parse().unwrap()).collect(),
        ..end(&Namespace::Host, name)
    };
    let pair = veth(end("card", 7, &["10.7.0.1/24", "fd00:7::1/64"]), end("cable", 8, &[]));
    format!("{:?}", world.other(0x1_0000).apply(&[Change::AddLink(pair)]).map(|applied| applied.len()))
}

fn errnos(errors: &[Error]) -> String {
    format!("{:?}", errors.iter().map(|error| error.errno).collect::<Vec<_>>())
}

/// One that an operation gave, or that is none; all others are random.
fn mac(mac: Option<MacAddress>) -> String {
    match mac {
        Some(MacAddress([2, 0, 0, 0, ..] | [0, ..])) | None => mac.map_or("none".into(), |mac| mac.to_string()),
        Some(_) => "random".into(),
    }
}

/// A link-local address follows from a MAC.
fn address(net: IpNet) -> String {
    let text = net.to_string();
    let random =
        text.starts_with("fe80::") && !text.starts_with("fe80::ff:fe00:") && !text.starts_with("fe80::200:ff:fe00:");
    if random { "random link-local".into() } else { text }
}

fn route_text(route: &Route) -> String {
    let Route { destination, gateway, source, table, metric, .. } = route;
    format!("{destination} {gateway:?} {source:?} {table:?} {metric:?}")
}

fn path_text(path: &RoutePath) -> String {
    let RoutePath { destination, way, source, table, metric, mtu, .. } = path;
    format!("{destination} {way:?} {source:?} {table:?} {metric:?} {mtu:?}")
}

fn rule_text(rule: &Rule) -> String {
    let Rule { ipv6, priority, source, destination, input, mark, table, .. } = rule;
    format!("rule {ipv6} {priority} {source:?} {destination:?} {input:?} {mark:?} {table}")
}
