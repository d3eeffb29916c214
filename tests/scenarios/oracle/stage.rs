//! Two drivers that make random host calls in random transactions on one machine, and a judgement after each.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ask::{Answer, Answers, Ask, Refusal};
use fastrand::Rng;
use grant::Policy;
use kernel::{Change, LinkKey, Mark, Namespace, Outcome, Sysctl};
use operation::network::Pool;
use operation::origin::Origin;
use pontoon::capability::{CallState, Facts, NetworkFacts};
use pontoon::transaction::{Owner, Transaction};
use serde_json::json;
use store::{Batch, Durability, Network, Thing, Write};
use words::{Id, Name, now};

use super::chance::{self, Asking, Hands, Ranges, Taken};
use super::judge::{Driver, Judge, Owners, changed_by_calls, difference, lines_of, trespasses};
use super::machine::{Host, Machine, OPERATORS, PARENTS};
use super::seen::{HOST, SWITCHES, Seen};

/// Host calls and ends of calls in a sequence.
const STEPS: usize = 40;
/// A call that takes longer has hung.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many host calls were made, and how many of them were allowed.
pub static ASKED: AtomicUsize = AtomicUsize::new(0);
pub static ALLOWED: AtomicUsize = AtomicUsize::new(0);

/// A driver with its network.
struct Party {
    name: Name,
    network: Id,
    endpoint: Id,
    policy: Arc<Policy>,
    ranges: Ranges,
}

/// A call that has begun.
struct Open {
    state: CallState,
    hands: Hands,
    /// What the driver had on the machine before.
    begun: BTreeMap<String, usize>,
    /// It gave a link its first address: what the kernel forgets when that is undone is not brought back.
    forgets: bool,
    /// It changed settings.
    settings: bool,
}

pub struct Stage {
    machine: Machine,
    parties: Vec<Party>,
    drivers: Vec<Driver>,
    open: [Option<Open>; 2],
    /// What each driver's network and endpoint have taken.
    ports: [[Vec<Taken>; 2]; 2],
    owners: Owners,
    seen: Seen,
    initial: Seen,
    story: Vec<String>,
}

/// What a namespace is called in [`Seen`].
fn name_of(namespace: &Namespace) -> String {
    match namespace {
        Namespace::At(at) => at.path.display().to_string(),
        Namespace::Host => HOST.to_owned(),
    }
}

impl Stage {
    pub fn new(machine: Machine) -> Self {
        let initial = machine.look_at_rest(&[], None);
        Self {
            machine,
            parties: Vec::new(),
            drivers: Vec::new(),
            open: [None, None],
            ports: Default::default(),
            owners: Owners::default(),
            seen: initial.clone(),
            initial,
            story: Vec::new(),
        }
    }

    /// One sequence; false: the machine is not as new any more, as a grant allowed.
    pub fn sequence(&mut self, seed: u64) -> bool {
        let mut random = Rng::with_seed(seed);
        self.story = vec![format!("seed {seed}")];
        (self.parties, self.drivers, self.owners) = (Vec::new(), Vec::new(), Owners::default());
        self.ports = Default::default();
        (0..2).for_each(|number| self.add_driver(number, &mut random));
        for _ in 0..STEPS {
            let number = random.usize(..2);
            match &self.open[number] {
                None => self.begin(number, &mut random),
                Some(_) if random.u8(..100) < 18 => self.end(number, random.u8(..100), &mut random),
                Some(_) => self.make_host_call(number, &mut random),
            }
        }
        (0..2).filter(|number| self.open[*number].is_some()).collect::<Vec<_>>().into_iter().for_each(|number| {
            let how = random.u8(..100);
            self.end(number, how, &mut random);
        });
        self.tidy()
    }

    fn add_driver(&mut self, number: usize, random: &mut Rng) {
        let own = [format!("10.{}.0.0/24", number + 1), format!("fd0{}::/64", number + 1)];
        let other = format!("10.{}.0.0/24", 2 - number);
        let others = [&other, "192.168.1.0/24", "10.9.0.0/24", "172.17.0.0/16", "0.0.0.0/0", "198.51.100.0/24"];
        let ranges = Ranges {
            pools: own.iter().filter(|_| random.u8(..100) < 80).map(|net| net.parse().unwrap()).collect(),
            choice: format!("10.5{number}.0.0/16").parse().unwrap(),
            others: others.map(|net| net.parse().unwrap()).into(),
        };
        let grant = chance::grant(random, &ranges);
        let text = grant::file::write(&grant).unwrap().replace('\n', "; ");
        self.story.push(format!("driver {number}: pools {:?}; {text}", ranges.pools));
        let party = Party {
            name: Name::new(["a", "b"][number]).unwrap(),
            network: Id::random().unwrap(),
            endpoint: Id::random().unwrap(),
            policy: Arc::new(Policy::new(grant.clone(), None)),
            ranges: ranges.clone(),
        };
        let container = name_of(&self.machine.containers[number]);
        let table = format!("{}{}", self.machine.store.tag(), party.name);
        self.write(put_network(&party, &ranges.pools));
        self.drivers.push(Driver { grant, pools: ranges.pools, chosen: Vec::new(), table, container });
        self.parties.push(party);
    }

    fn write(&self, writes: Vec<Write>) {
        self.machine.store.commit(Batch { writes, ..Batch::default() }).unwrap();
    }

    fn transaction(&self, number: usize, endpoint: bool) -> Transaction {
        let (Machine { kernel, reaper, firewall, store, .. }, party) = (&self.machine, &self.parties[number]);
        let endpoint = endpoint.then(|| party.endpoint.clone());
        let owner = Owner { driver: party.name.clone(), network: party.network.clone(), endpoint };
        Transaction::new(kernel.clone(), reaper.clone(), firewall.clone(), store.clone(), owner)
    }

    /// Begins a call, of the network or of its endpoint, and finds some of the links that the driver has.
    fn begin(&mut self, number: usize, random: &mut Rng) {
        let (party, driver) = (&self.parties[number], &self.drivers[number]);
        let endpoint = random.bool();
        let network =
            NetworkFacts { id: party.network.clone(), nft_table: driver.table.clone(), pools: driver.pools.clone() };
        let facts = Facts {
            for_addresses: false,
            driver: party.name.clone(),
            function: if endpoint { "join" } else { "create-network" }.into(),
            network: Some(network),
            endpoint: endpoint.then(|| party.endpoint.clone()),
            configuration: Arc::default(),
            watches_tables: false,
        };
        let gate = facts.gate(party.policy.clone());
        let mut state =
            CallState::new(facts, gate, Some(self.transaction(number, endpoint)), Instant::now() + PATIENCE);
        state.interface.sandbox = endpoint.then(|| self.machine.containers[number].clone());
        let hands = Hands { ports: self.ports[number][usize::from(endpoint)].clone(), ..Hands::default() };
        let begun = lines_of(&self.seen, &self.owners, &self.drivers, number);
        self.open[number] = Some(Open { state, hands, begun, forgets: false, settings: false });
        self.story.push(format!("{number} begins a call of its {}", if endpoint { "endpoint" } else { "network" }));
        let parents = !self.drivers[number].grant.parents.is_empty();
        let is_known = |name: &str| parents && PARENTS.contains(&name);
        let own = self.seen[HOST].links.values().filter(|info| info.mark == Mark::Owned || is_known(&info.name));
        for name in own.map(|info| info.name.clone()).collect::<Vec<_>>() {
            if self.open[number].is_some() && random.u8(..100) < 60 {
                self.host_call(number, Ask::LinksGet { namespace: None, name });
            }
        }
    }

    fn make_host_call(&mut self, number: usize, random: &mut Rng) {
        let Some(open) = &self.open[number] else { return };
        let ask = Asking { random, ranges: &self.parties[number].ranges, hands: &open.hands }.ask();
        self.host_call(number, ask);
    }

    fn host_call(&mut self, number: usize, ask: Ask) {
        let Some(open) = &mut self.open[number] else { return };
        let asked = format!("{number} asks {ask:?}");
        open.forgets |= matches!(&ask, Ask::AddressesAdd { .. });
        let answer = open.state.answer(ask.clone());
        ASKED.fetch_add(1, Ordering::Relaxed);
        let reads = answer.as_ref().is_ok_and(|answer| open.hands.take(&ask, answer));
        let forgets = open.forgets;
        let changes_settings = matches!(ask.call().name().split('.').next(), Some("sysctls" | "forwarding"));
        open.settings |= changes_settings;
        let pools = open.state.new_pools.iter().flatten().map(|pool| pool.subnet);
        self.drivers[number].chosen = pools.collect();
        match &answer {
            Ok(answer) => self.story.push(format!("{asked} -> {answer:?}")),
            Err(refusal) => self.story.push(format!("{asked} -> {refusal}")),
        }
        let (container, table) = (self.drivers[number].container.clone(), self.drivers[number].table.clone());
        let others = if open.hands.namespaces.is_empty() { Vec::new() } else { vec![container.as_str(), &table] };
        let last = if changes_settings { None } else { Some(&self.seen) };
        let after = if reads { self.seen.clone() } else { self.machine.look(&others, last) };
        if answer.is_ok() {
            ALLOWED.fetch_add(1, Ordering::Relaxed);
            return self.judge(number, after);
        }
        for (name, space) in &after {
            let [before, after] = [&self.seen[name], space].map(changed_by_calls);
            let mut changed = difference(&before, &after);
            // Of a link that the call has made, the driver itself gives again what a refused change has lost.
            let is_set = matches!(ask, Ask::LinksLinkSet { .. });
            changed.retain(|line| !is_forgotten(line, forgets || is_set));
            assert!(changed.is_empty(), "what was refused has changed {changed:#?}{}", self.told());
        }
        self.seen = after;
        if let Err(Refusal::Trap(_)) = answer {
            self.story.push(format!("{number} trapped"));
            self.end(number, 100, &mut Rng::with_seed(0));
        }
    }

    /// What there is now, after a step of one driver.
    fn judge(&mut self, number: usize, after: Seen) {
        let before = (self.seen.clone(), self.owners.clone());
        self.owners.adopt(&before.0, &after, number);
        let mut wrong =
            trespasses((&before.0, &before.1), (&after, &self.owners), &self.drivers, number, self.is_fake());
        let (drivers, owners, machine) = (&self.drivers, &self.owners, &self.machine);
        let mut judge = Judge { drivers, owners, machine, seen: &after, complaints: Vec::new() };
        let forwards = machine.store.forwards().unwrap();
        let forwards = forwards.values().filter_map(|object| match &object.thing {
            Thing::Forward { name, index, .. } => Some((name.clone(), *index)),
            _ => None,
        });
        judge.forwards(&forwards.collect::<Vec<_>>());
        judge.said(number, self.open[number].as_ref().map(|open| &open.state));
        wrong.extend(judge.all());
        assert!(wrong.is_empty(), "{wrong:#?}{}", self.told());
        self.seen = after;
    }

    /// Ends a call: below 60 it is committed, else it fails, and nothing of it is left.
    fn end(&mut self, number: usize, how: u8, random: &mut Rng) {
        let Open { mut state, begun, forgets, settings, hands } = self.open[number].take().unwrap();
        let (said, names) = (state.new_pools.take(), state.join.names.take());
        let transaction = state.transaction.take().unwrap();
        let mut committed = false;
        if how < 60 {
            let pools: Option<Vec<_>> = said.map(|pools| pools.into_iter().map(|pool| pool.subnet).collect());
            let writes = pools.iter().flat_map(|pools| put_network(&self.parties[number], pools)).collect();
            let done = match state.gate.check_left(&transaction) {
                Ok(()) => transaction.commit(writes, Durability::Process).map_err(words::Error::from),
                Err(error) => {
                    drop(transaction);
                    Err(error)
                }
            };
            committed = done.is_ok();
            self.story
                .push(format!("{number} ends, and the commit: {:?}", done.as_ref().err().map(ToString::to_string)));
            if let (Some(pools), true) = (pools, committed) {
                self.drivers[number].pools = pools;
            }
        } else {
            self.story.push(format!("{number} fails"));
            drop(transaction);
        }
        self.drivers[number].chosen.clear();
        let (container, table) = (self.drivers[number].container.clone(), self.drivers[number].table.clone());
        let others = if hands.namespaces.is_empty() { Vec::new() } else { vec![container.as_str(), &table] };
        let last = if settings { None } else { Some(&self.seen) };
        let after = self.machine.look_at_rest(&others, last);
        self.judge(number, after);
        if committed {
            self.ports[number][usize::from(state.facts.endpoint.is_some())] = hands.ports;
        }
        if !committed {
            let mut left = difference(&begun, &lines_of(&self.seen, &self.owners, &self.drivers, number));
            left.retain(|line| !is_forgotten(line, forgets));
            left.retain(|_| !self.has_lost_a_name(&begun, number));
            assert!(left.is_empty(), "what was undone has changed {left:#?}{}", self.told());
        } else if let Some(names) = names
            && random.bool()
        {
            self.move_away(number, names.source);
        }
    }

    /// Whether somebody took a name that the driver's call had given up: then undoing can't give it back.
    fn has_lost_a_name(&self, begun: &BTreeMap<String, usize>, number: usize) -> bool {
        let names = begun.keys().filter_map(|line| line.strip_prefix("the host: link ")?.split(' ').next());
        let others = |name: &str| {
            let found = self.seen[HOST].links.values().find(|info| info.name == name.trim_matches('"'));
            found.is_some_and(|info| self.owners.of_link(HOST, info.index) != Some(number))
        };
        names.into_iter().any(others)
    }

    /// As an engine does it after a join.
    fn move_away(&mut self, number: usize, link: LinkKey) {
        let (kernel, container) = (&self.machine.kernel, self.machine.containers[number].clone());
        let Ok(Some(info)) = kernel.link(&link) else { return };
        let Ok(applied) = kernel.apply(&[Change::MoveLink(link.clone(), container)]) else { return };
        let Outcome::Link(new, _) = &applied[0].outcome else { panic!("no link") };
        let at = &self.drivers[number].container;
        let from = name_of(&link.namespace);
        let names = super::seen::Space::names(&info).map(|name| format!("{from} is {name}"));
        self.owners.moved.extend([format!("{at} {}", new.key.index), format!("{from} had {}", link.index)]);
        self.owners.moved.extend(names);
        self.story.push(format!("the engine of {number} moves {} away", info.name));
        let container = self.drivers[number].container.clone();
        let after = self.machine.look_at_rest(&[&container], Some(&self.seen));
        self.judge(number, after);
    }

    /// Networks go, and with them all that their drivers have.
    fn tidy(&mut self) -> bool {
        for number in 0..2 {
            for endpoint in [true, false] {
                let mut transaction = self.transaction(number, endpoint);
                transaction.sweep().unwrap();
                transaction.commit(Vec::new(), Durability::Process).unwrap();
            }
            self.write(vec![Write::RemoveNetwork(self.parties[number].network.clone())]);
            let container = self.machine.containers[number].clone();
            let inside = self.machine.kernel.links(&container).unwrap();
            let moved = inside.into_iter().filter(|info| info.mark == Mark::Owned);
            let gone = |index| Change::RemoveLink(LinkKey { namespace: container.clone(), index });
            self.machine.kernel.attempt(&moved.map(|info| gone(info.index)).collect::<Vec<_>>());
        }
        let switch = |(word, path)| Some((path, *self.initial[HOST].settings.get(&(None, word))?));
        for (path, value) in SWITCHES.iter().copied().filter_map(switch) {
            let sysctl = Sysctl::Namespace(path);
            if self.machine.kernel.sysctl(&Namespace::Host, &sysctl) != Ok(value) {
                let change = Change::SetSysctl { namespace: Namespace::Host, sysctl, value };
                self.machine.kernel.apply(&[change]).unwrap();
            }
        }
        // On a host that does not forward, nothing has to stay closed.
        self.machine.firewall.sync();
        let left = self.machine.look_at_rest(&[], None);
        let names = |seen: &Seen| seen.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&left), names(&self.initial), "{}", self.told());
        let mut as_new = true;
        for (name, space) in &left {
            let more = difference(&self.initial[name].lines, &space.lines);
            let parents = self.drivers.iter().any(|driver| !driver.grant.parents.is_empty());
            let expected = more.iter().all(|line| parents && line.contains("Link("));
            assert!(expected, "left in {name}: {more:#?}{}", self.told());
            as_new &= more.is_empty() && space.settings == self.initial[name].settings;
        }
        self.seen = left;
        as_new
    }

    fn told(&self) -> String {
        self.story.iter().map(|step| format!("\n  {step}")).collect()
    }

    pub fn is_fake(&self) -> bool {
        matches!(self.machine.host, Host::Fake(_))
    }
}

impl Hands {
    /// Keeps what a host call answered; true: it has changed nothing.
    fn take(&mut self, ask: &Ask, answer: &Answer) -> bool {
        match ask {
            Ask::NftablesAdd { rules, .. } => self.named.extend(rules.iter().flat_map(chance::links_of)),
            Ask::NftablesAddPacketRules { rules, .. } => {
                let conditions = rules.iter().flat_map(|rule| &rule.conditions);
                self.named.extend(conditions.filter_map(chance::link_in));
            }
            Ask::NftablesAddChainRules { rules, .. } => {
                let conditions = rules.iter().flat_map(|rule| &rule.conditions);
                self.named.extend(conditions.filter_map(chance::link_in));
            }
            Ask::RulesAdd { rules, .. } => self.named.extend(rules.iter().filter_map(|rule| rule.input_link)),
            Ask::ForwardingAllow { link, .. } => self.named.push(*link),
            Ask::PortsTake { protocol, addresses, first, .. } => {
                self.ports.extend(addresses.iter().map(|address| (*protocol, *address, *first)));
            }
            _ => {}
        }
        match answer {
            Answer::LinksAdd(added) => {
                self.links.extend(added.iter().flat_map(|one| [Some(one.link), one.peer]).flatten().map(|link| link.0));
            }
            Answer::ShapingAddIfb(link) | Answer::LinksAddWireguard(link) | Answer::LinksAddMacvtap(link) => {
                self.links.push(link.0)
            }
            Answer::LinksGet(link) => {
                let host = matches!(ask, Ask::LinksGet { name, .. } if OPERATORS.contains(&name.as_str()));
                if host {
                    self.parents.push(link.0)
                } else {
                    self.links.push(link.0)
                }
                return true;
            }
            Answer::NamespacesHost(found) | Answer::NamespacesGet(found) => {
                self.namespaces.push(found.0);
                return true;
            }
            Answer::NamespacesAdd(made) => self.namespaces.push(made.0),
            Answer::CapabilitiesJoinInfoSandbox(found) => {
                self.namespaces.extend(found.map(|found| found.0));
                return true;
            }
            Answer::NftablesAdd(ids) | Answer::NftablesAddPacketRules(ids) | Answer::NftablesAddChainRules(ids) => {
                self.rules.extend(ids);
            }
            _ => {}
        }
        false
    }
}

/// What the kernel takes from a driver's own link and nothing gives back: neighbours with a MAC, which a bridge's ports change, too, and with
/// a link that goes `down` routes and IPv6 addresses. A bridge keeps the MTU that it got once.
fn is_forgotten(line: &str, down: bool) -> bool {
    let with_it = down && [" address ", "route "].iter().any(|what| line.contains(what));
    let follows = line.contains(" mtu 1") && line.contains(" bridge ");
    line.starts_with('-') && (line.contains(" has ") || with_it) || follows
}

fn put_network(party: &Party, pools: &[ipnet::IpNet]) -> Vec<Write> {
    let record =
        |subnet: &ipnet::IpNet| Pool { subnet: *subnet, range: None, gateway: None, aux_addresses: BTreeMap::new() };
    let network = Network {
        ipam: None,
        id: party.network.clone(),
        serial: 0,
        name: party.name.clone(),
        driver: party.name.clone(),
        pools: pools.iter().map(record).collect(),
        asked: None,
        ipv4: true,
        ipv6: true,
        internal: false,
        options: BTreeMap::new(),
        other: BTreeMap::new(),
        address_space: json!("local").to_string(),
        origin: Origin::Native,
        global: false,
        allocated: false,
        down: None,
        created: now(),
    };
    let claim = Write::ReplacePools { network: party.network.clone(), pools: pools.to_vec() };
    vec![Write::PutNetwork(network), claim]
}
