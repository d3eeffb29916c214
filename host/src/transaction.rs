//! One driver call as a transaction: it happened, or it left nothing behind.
//!
//! Kernel changes are made at once and noted with what takes them back. Writes to the store and the tables wait here, where the call
//! reads its own, and go out in one commit; what the call read is checked then. Removals from the kernel come after
//! the commit, so that undoing only ever removes what the call itself made. A transaction that is dropped without a commit undoes itself.

mod again;
mod assumed;
mod chains;
mod counts;
mod devices;
mod lost;
mod mtu;
mod notes;
mod objects;
mod peers;
mod port;
mod removals;
mod room;
mod sets;
mod shown;
mod shut;
mod taken;
mod view;
mod written;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::firewall::{Firewall, is_hosts, translated};
use crate::reaper::Reaper;
pub use assumed::Assumed;
use counts::Counts;
use grant::Granted;
use grant::gate::links::NewNamespace;
use grant::gate::nftables::NftRules;
use grant::gate::settings::{Forwards, can_except, switches};
use ipnet::IpNet;
use kernel::{
    self, Applied, Change, IptablesFamily, Kernel, KnownLinks, LinkInfo, LinkKey, LinkKind, LinkSpec, MadeLinks, Mark,
    Namespace, NamespacePath, NewLink, NftElement, NftHandle, NftRule, Outcome, Proxy, RoutePath, Rule, Stale, Sysctl,
    index_of_own_name,
};
use removals::Removals;
pub use shown::shown;
pub use view::{Look, mac_is_taken};
use words::{Error, Id, Name};

use store::{self, Again, Batch, Check, Durability, Object, Objects, Store, Thing, Write};

/// Whose call it is. The host sets it; no argument of a driver does.
#[derive(Clone, Debug)]
pub struct Owner {
    /// The driver.
    pub driver: Name,
    /// The network at hand.
    pub network: Id,
    /// The endpoint at hand.
    pub endpoint: Option<Id>,
}

/// How long a call waits for links that its driver removed, before it is told that it has too many: the kernel deletes 256 in half of that.
const REAPING: Duration = Duration::from_secs(1);

/// Things of which it is told one by one that their driver had left them behind.
const SWEPT: usize = 1_000;

/// The changes of one call.
pub struct Transaction {
    kernel: Arc<Kernel>,
    /// What the kernel has said of links while the operation runs that the call is made for.
    known: Arc<KnownLinks>,
    reaper: Arc<Reaper>,
    firewall: Arc<Firewall>,
    store: Arc<Store>,
    owner: Owner,
    applied: Vec<Applied>,
    /// When the call has to be over.
    deadline: Option<Instant>,
    /// See [`Transaction::shut`].
    shut: Option<Vec<IpNet>>,
    /// The network's objects when the call began, once they were asked for.
    committed: OnceLock<Arc<Objects>>,
    made: Objects,
    counts: Counts,
    made_links: MadeLinks,
    /// See [`notes`].
    notes: Vec<i64>,
    dropped: BTreeSet<i64>,
    /// Links of earlier calls that this call changes, as they are now.
    changed: BTreeMap<i64, Object>,
    removals: Removals,
    /// Links that this call removes.
    gone: BTreeSet<LinkKey>,
    state: BTreeMap<String, Option<Vec<u8>>>,
    /// What state is to be, as calls before this one have it: see [`assumed`].
    assumed: Arc<Assumed>,
    entries: BTreeMap<(String, String), Option<Vec<u8>>>,
    watches: BTreeMap<String, u8>,
    /// See [`port`].
    ports: Option<port::Ports>,
    /// How many objects the network had when this call first made one; see `room`.
    held_objects: Option<usize>,
    /// The store's version when the call began.
    since: i64,
    checks: HashSet<Check>,
    /// Which links forward changes with this call.
    forwards: bool,
    /// See [`Firewall::rounds`].
    rounds: u64,
    /// The host's addresses, once they were asked for.
    hosts_addresses: OnceLock<HashSet<IpAddr>>,
    /// What was removed that its driver had left behind.
    swept: Vec<String>,
}

impl Transaction {
    /// A transaction for a call of this owner.
    pub fn new(
        kernel: Arc<Kernel>,
        reaper: Arc<Reaper>,
        firewall: Arc<Firewall>,
        store: Arc<Store>,
        owner: Owner,
    ) -> Self {
        Self {
            since: store.version(),
            rounds: firewall.rounds(),
            hosts_addresses: OnceLock::new(),
            kernel,
            known: Arc::default(),
            reaper,
            firewall,
            store,
            owner,
            applied: Vec::new(),
            deadline: None,
            shut: None,
            committed: OnceLock::new(),
            made: Objects::default(),
            counts: Counts::default(),
            made_links: MadeLinks::default(),
            notes: Vec::new(),
            dropped: BTreeSet::new(),
            changed: BTreeMap::new(),
            removals: Removals::default(),
            gone: BTreeSet::new(),
            state: BTreeMap::new(),
            assumed: Arc::default(),
            entries: BTreeMap::new(),
            watches: BTreeMap::new(),
            ports: None,
            held_objects: None,
            checks: HashSet::new(),
            forwards: false,
            swept: Vec::new(),
        }
    }

    /// What the operation knows already.
    pub fn know(&mut self, known: Arc<KnownLinks>) {
        self.known = known;
    }

    /// What the kernel has not made by then is not made.
    pub fn end_at(&mut self, deadline: Instant) {
        self.deadline = Some(deadline);
    }

    /// The kernel, to read from.
    pub fn look(&self) -> Look<'_> {
        Look::new(&self.kernel, &self.known)
    }

    /// The call's network.
    pub fn network(&self) -> &Id {
        &self.owner.network
    }

    /// Makes kernel changes now, all or none, of what is no object of its own.
    pub fn change(&mut self, changes: Granted<Vec<Change>>) -> Result<(), Error> {
        self.apply(&changes)?;
        changes.iter().try_for_each(|change| self.record(change))?;
        Ok(self.note_parts(&changes, true)?)
    }

    /// Makes links, which are the owner's from then on: each with the other end of a pair.
    pub fn add_links(&mut self, links: Granted<Vec<LinkSpec>>) -> Result<Vec<(NewLink, Option<NewLink>)>, Error> {
        let mut specs = links.take();
        self.choose_mtus(&mut specs)?;
        let changes: Vec<_> = specs.iter().cloned().map(Change::AddLink).collect();
        let mut made = Vec::new();
        for (outcome, spec) in self.apply(&changes)?.into_iter().zip(&specs) {
            let Outcome::Link(link, peer) = outcome else {
                return Err(Error::internal("the kernel layer did not answer with a link"));
            };
            let mut again = again::of_spec(spec, &link);
            // Who runs the container may have moved it there; one of kind ifb leads nowhere.
            if self.owner.endpoint.is_some() && spec.kind != LinkKind::Ifb {
                again.iter_mut().for_each(|again| again.spec = None);
            }
            let ids = [
                Some(self.made_link(&link, peer.as_ref(), spec.kind.parent(), again)),
                peer.as_ref().map(|p| self.made_link(p, Some(&link), None, again::of_peer(spec, p))),
            ];
            ids.into_iter().flatten().zip(spec.ends()).for_each(|(id, end)| self.note_parts_of(id, spec, end));
            self.let_ports_reach_each_other(spec, &link);
            self.shut_in(spec, &link)?;
            made.push((link, peer));
        }
        Ok(made)
    }

    /// What a bridge passes from port to port is nothing that the host forwards: a firewall that sees it all the same lets it pass.
    fn let_ports_reach_each_other(&mut self, spec: &LinkSpec, link: &NewLink) {
        let LinkKey { namespace, index } = link.key.clone();
        if matches!(spec.kind, LinkKind::Bridge) && namespace == Namespace::Host && can_except(&link.name) {
            self.made(Thing::Forward { name: link.name.to_string(), index, ipv4: false, ipv6: false });
        }
    }

    fn made_link(&mut self, link: &NewLink, peer: Option<&NewLink>, parent: Option<u32>, again: Option<Again>) -> i64 {
        let LinkKey { namespace, index } = link.key.clone();
        let (peer, again) = (peer.map(|peer| peer.key.clone()), again.map(Box::new));
        self.made(Thing::Link { namespace, index, name: link.name.to_string(), peer, parent, again })
    }

    /// Makes a namespace.
    pub fn add_namespace(&mut self, namespace: Granted<NewNamespace>) -> Result<NamespacePath, Error> {
        let NewNamespace { name, file } = namespace.take();
        let outcomes = self.apply(&[Change::AddNamespace(file)])?;
        let Some(Outcome::Namespace(path)) = outcomes.into_iter().next() else {
            return Err(Error::internal("the kernel layer did not answer with a namespace"));
        };
        self.made(Thing::Namespace { name, path: path.clone() });
        Ok(path)
    }

    /// Makes policy rules.
    pub fn add_rules(&mut self, rules: Granted<Vec<Rule>>) -> Result<(), kernel::Error> {
        let own_name = |rule: &Rule| {
            let index = index_of_own_name(rule.input.as_ref()?)?;
            Some(Change::AddOwnName(LinkKey { namespace: rule.namespace.clone(), index }))
        };
        let names: HashSet<_> = rules.iter().filter_map(own_name).collect();
        let changes: Vec<_> = names.into_iter().chain(rules.iter().cloned().map(Change::AddRule)).collect();
        self.apply(&changes)?;
        for rule in rules.take() {
            self.made(Thing::Rule(rule));
        }
        Ok(())
    }

    /// Makes paths.
    pub fn add_paths(&mut self, paths: Granted<Vec<RoutePath>>) -> Result<(), kernel::Error> {
        let paths = paths.take();
        self.apply(&paths.iter().cloned().map(Change::AddPath).collect::<Vec<_>>())?;
        for path in paths {
            self.made(Thing::Path(path));
        }
        Ok(())
    }

    /// Has the host answer for addresses.
    pub fn add_proxies(&mut self, proxies: Granted<Vec<Proxy>>) -> Result<(), kernel::Error> {
        let proxies = proxies.take();
        self.apply(&proxies.iter().cloned().map(Change::AddProxy).collect::<Vec<_>>())?;
        for proxy in proxies {
            self.made(Thing::Proxy(proxy));
        }
        Ok(())
    }

    /// Makes packet rules. Answers the ids of their objects, in the order of the rules.
    pub fn add_nft_rules(&mut self, rules: Granted<NftRules>) -> Result<Vec<i64>, Error> {
        let NftRules { namespace, table, rules } = rules.take();
        let rules = rules.into_iter().map(|(rule, port)| (self.store.new_object_id(), rule, port));
        let rules: Vec<_> = rules
            .map(|(id, rule, port)| (id, NftRule { comment: format!("{} {id}", rule.comment), ..rule }, port))
            .collect();
        let change = Change::AddNftRules {
            namespace: namespace.clone(),
            table: table.clone(),
            rules: rules.iter().map(|(_, rule, _)| rule.clone()).collect(),
        };
        let outcomes = self.apply(&[change])?;
        let Some(Outcome::Rules(handles)) = outcomes.into_iter().next() else {
            return Err(Error::internal("the kernel layer did not answer with rules"));
        };
        let made = handles.into_iter().zip(rules).map(|(handle, (id, rule, port))| {
            let (namespace, table, rule) = (namespace.clone(), table.clone(), Some(rule));
            self.made_as(id, Thing::NftRule { namespace, table, handle, rule, port });
            id
        });
        Ok(made.collect())
    }

    /// Lets a link forward.
    pub fn forward(&mut self, forwards: Granted<Forwards>) -> Result<(), Error> {
        let Forwards { link, ipv4, ipv6, switches } = forwards.take();
        let firewall = self.firewall.clone();
        for (family, changes) in switches {
            // Of IPv6, what new links begin with may be off alone.
            let was_off = changes.iter().any(|change| switches_on(change, family));
            let _until_it_is_on = was_off.then(|| firewall.before_forwarding(family)).transpose()?;
            self.apply(&changes)?;
        }
        self.made(Thing::Forward { name: link.name.to_string(), index: link.key.index, ipv4, ipv6 });
        Ok(())
    }

    /// What this call has removed and adds again can't wait for the commit: it is removed first.
    fn apply(&mut self, changes: &[Change]) -> Result<Vec<Outcome>, kernel::Error> {
        self.check_object_room(changes)?;
        let mut now: Vec<Change> =
            changes.iter().filter_map(Change::removal).filter(|c| self.removals.contains(c)).collect();
        let before = now.len();
        now.extend_from_slice(changes);
        let lost = self.lost_by(changes)?;
        let Self { kernel, known, store, made_links, notes, .. } = self;
        let note = &mut |undo: &[Change]| notes::before(store, made_links, notes, undo);
        let applied = known.apply(kernel, &now, self.deadline, note);
        let applied = match applied {
            Ok(applied) => applied,
            Err(error) => {
                Self::bring_back(kernel, lost);
                return Err(error);
            }
        };
        self.note_lost(lost);
        now[..before].iter().for_each(|change| self.removals.remove(change));
        applied.iter().for_each(|applied| self.made_links.note(applied));
        let outcomes = applied.iter().skip(before).map(|a| a.outcome.clone()).collect();
        self.applied.extend(applied);
        Ok(outcomes)
    }

    /// Notes an object that the call made as its owner's, and gives it its id.
    fn made(&mut self, thing: Thing) -> i64 {
        let id = self.store.new_object_id();
        self.made_as(id, thing);
        id
    }

    fn made_as(&mut self, id: i64, thing: Thing) {
        self.forwards |= matches!(thing, Thing::Forward { .. });
        self.counts.add_thing(&thing);
        let Owner { network, endpoint, .. } = self.owner.clone();
        self.made.insert(Object { id, network, endpoint, thing });
    }

    fn committed(&self) -> Result<&Objects, store::Error> {
        if let Some(objects) = self.committed.get() {
            return Ok(objects);
        }
        let objects = self.store.network_objects(&self.owner.network)?;
        Ok(self.committed.get_or_init(|| objects))
    }

    fn there(&self) -> Result<impl Iterator<Item = &Object>, store::Error> {
        Ok(self.committed()?.there(&self.dropped).chain(self.made.there(&self.dropped)))
    }

    /// The objects of the network at hand that are there for this call: committed ones and its own, less those that it removes.
    pub fn objects(&self) -> Result<Vec<Object>, store::Error> {
        Ok(self.there()?.cloned().collect())
    }

    /// The objects that belong to the endpoint at hand, or to the network where the call has no endpoint.
    pub fn owners_objects(&self) -> Result<Vec<Object>, store::Error> {
        let mut objects = self.store.objects(&self.owner.network, Some(self.owner.endpoint.as_ref()))?;
        objects.extend(self.made.all().cloned());
        objects.retain(|o| !self.dropped.contains(&o.id));
        Ok(objects)
    }

    /// The object that a link is, if it is one of this driver's: of this call, or of any network that the driver serves. It
    /// goes by index, namespace and owner's mark, never by name.
    pub fn link_object(&self, namespace: &Namespace, info: &LinkInfo) -> Result<Option<Object>, store::Error> {
        if info.mark != Mark::Owned {
            return Ok(None);
        }
        let object = match self.made.link(&LinkKey { namespace: namespace.clone(), index: info.index }) {
            Some(object) => Some(object.clone()),
            None => self.store.owner_of_link(namespace, info.index)?,
        };
        let Some(object) = object.filter(|o| !self.dropped.contains(&o.id)) else { return Ok(None) };
        let ours = object.network == self.owner.network
            || self.store.network(&object.network)?.is_some_and(|n| n.driver == self.owner.driver);
        Ok(ours.then_some(object))
    }

    /// The driver's links that wait for their deletion. Where there are so many that the limit is near, they are waited for first.
    fn condemned(&self, most: u64) -> u64 {
        let (driver, condemned) = (&self.owner.driver, self.reaper.waiting(&self.owner.driver));
        if condemned > most / 2 { self.reaper.wait(driver, REAPING) } else { condemned }
    }

    /// Takes along everything that the owner still has, because the owner goes.
    pub fn sweep(&mut self) -> Result<(), Error> {
        let left = match &self.owner.endpoint {
            Some(_) => self.owners_objects()?,
            None => self.objects()?,
        };
        let links: Vec<LinkKey> = left.iter().filter_map(|object| object.thing.link()).collect();
        self.take_links(&links)?;
        self.swept = left.iter().take(SWEPT).map(|object| describe(&object.thing)).collect();
        let more = left.len() - self.swept.len();
        self.swept.extend((more > 0).then(|| format!("{more} more")));
        left.iter().for_each(|object| self.take(object));
        Ok(())
    }

    /// The entries that this call puts or removes, by table and key.
    pub fn entries(&self) -> &BTreeMap<(String, String), Option<Vec<u8>>> {
        &self.entries
    }

    /// Writes all down in one commit with `extra`, then makes the removals. On an error all is undone.
    /// Answers what was swept.
    pub fn commit(mut self, extra: Vec<Write>, durability: Durability) -> Result<Vec<String>, store::Error> {
        let (links, rest) = merged(self.removals.take());
        let stale = self.stale(&extra)?;
        let mut writes = self.writes(extra);
        writes.extend(self.notes.iter().map(|id| Write::ForgetNote(*id)));
        let (to_remove, id) = (notes::unmarked(&rest), self.store.new_object_id());
        let noted = !to_remove.is_empty();
        let checks = std::mem::take(&mut self.checks).into_iter().collect();
        // The store changes them with the commit, and would copy them for whoever has them still.
        let removed = by_table(self.removed_objects()?);
        self.committed.take();
        writes.extend(noted.then_some(Write::Note(id, to_remove)));
        self.store.commit(Batch { since: self.since, checks, writes, durability })?;
        self.applied.clear();
        self.notes.clear();
        self.notes.extend(noted.then_some(id));
        self.reaper.remove(&self.owner.driver, links, &self.known);
        for error in self.kernel.attempt(&rest) {
            tracing::warn!(driver = %self.owner.driver, network = %self.owner.network, "can't remove: {error}");
        }
        if self.forwards {
            self.firewall.sync();
        }
        self.firewall.restore_beside(self.rounds, || removed);
        self.firewall.forget(stale);
        Ok(std::mem::take(&mut self.swept))
    }

    /// The connections that are false once this call is committed: of ports that are published or no longer are, and of an endpoint that goes.
    fn stale(&self, extra: &[Write]) -> Result<Stale, store::Error> {
        let mut stale = Stale::default();
        stale.ports.extend(self.made.there(&self.dropped).filter_map(|object| translated(&object.thing)));
        stale.ports.extend(self.removed_objects()?.iter().filter_map(|object| translated(&object.thing)));
        for write in extra {
            if let Write::RemoveEndpoint(network, endpoint) = write
                && let Some(endpoint) = self.store.endpoint(network, endpoint)?
            {
                // A driver may have chosen any address where its network has no pools.
                let pools = self.store.network(network)?.map(|network| network.pools).unwrap_or_default();
                let in_pools = |address: &IpAddr| pools.iter().any(|pool| pool.subnet.contains(address));
                let ipv4 = endpoint.address.map(|address| IpAddr::V4(address.addr()));
                let ipv6 = endpoint.address_ipv6.map(|address| IpAddr::V6(address.addr()));
                stale.addresses.extend(ipv4.into_iter().chain(ipv6).filter(in_pools));
            }
        }
        Ok(stale)
    }

    /// The committed objects that this call removes.
    fn removed_objects(&self) -> Result<Vec<&Object>, store::Error> {
        if self.dropped.is_empty() {
            return Ok(Vec::new());
        }
        let committed = self.committed()?;
        Ok(self.dropped.iter().filter_map(|id| committed.get(*id)).collect())
    }

    fn writes(&mut self, extra: Vec<Write>) -> Vec<Write> {
        let Owner { driver, network, endpoint } = self.owner.clone();
        let mut writes = Vec::new();
        for (key, value) in std::mem::take(&mut self.state) {
            writes.push(match value {
                Some(value) => Write::SetState { driver: driver.clone(), key, network: network.clone(), value },
                None => Write::RemoveState { driver: driver.clone(), key },
            });
        }
        for ((table, key), value) in std::mem::take(&mut self.entries) {
            let network = network.clone();
            writes.push(match value {
                Some(value) => {
                    Write::PutEntry { network, table, key, owner: store::OWN.into(), endpoint: endpoint.clone(), value }
                }
                None => Write::RemoveEntry { network, table, key },
            });
        }
        for (table, object_type) in std::mem::take(&mut self.watches) {
            writes.push(Write::Watch { network: network.clone(), table, object_type });
        }
        let dropped = &self.dropped;
        let changed = std::mem::take(&mut self.changed).into_values();
        writes.extend(changed.filter(|o| !dropped.contains(&o.id)).map(Write::PutObject));
        let parts = std::mem::take(&mut self.counts.parts);
        let parts =
            parts.into_iter().map(|(part, there)| if there { Write::PutPart(part) } else { Write::RemovePart(part) });
        writes.extend(self.made.drain().filter(|o| !dropped.contains(&o.id)).map(Write::AddObject));
        writes.extend(parts);
        writes.extend(dropped.iter().map(|id| Write::RemoveObject(*id)));
        writes.extend(extra);
        writes
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let (errors, condemned) = self.kernel.undo_for_reaping(&self.applied);
        if !self.applied.is_empty() {
            self.known.forget();
        }
        self.reaper.reap(&self.owner.driver, condemned);
        for error in errors {
            tracing::error!(driver = %self.owner.driver, network = %self.owner.network, "can't undo: {error}");
        }
        // Somebody else's link may need what it switched off again, and a link of its own have been seen under another name.
        let switched = |c: &Change| match c {
            Change::SetSysctl { sysctl: Sysctl::Namespace(_), .. } => true,
            Change::SetLink(_, changes) => changes.name.is_some(),
            _ => false,
        };
        if self.applied.iter().any(|applied| applied.undo.iter().any(switched)) {
            self.firewall.sync();
        }
        if !self.applied.is_empty() {
            self.firewall.restore_beside(self.rounds, || by_table(self.made.all()));
        }
        if !self.notes.is_empty()
            && let Err(error) = self.store.forget_notes(&self.notes)
        {
            tracing::error!(driver = %self.owner.driver, network = %self.owner.network, "can't forget what is done: {error}");
        }
        self.claim_no_more();
    }
}

/// Whether a change switches on a family that was not forwarded at all.
fn switches_on(change: &Change, family: IptablesFamily) -> bool {
    matches!(change, Change::SetSysctl { sysctl: Sysctl::Namespace(path), .. } if switches(family).first() == Some(path))
}

/// The packet rules on the host among objects: by table, the comments that no two share.
fn by_table<'a>(objects: impl IntoIterator<Item = &'a Object>) -> BTreeMap<String, HashSet<String>> {
    let mut tables: BTreeMap<String, HashSet<String>> = BTreeMap::new();
    for object in objects {
        if let Thing::NftRule { namespace: Namespace::Host, table, rule: Some(rule), .. } = &object.thing {
            tables.entry(table.clone()).or_default().insert(rule.comment.clone());
        }
    }
    tables
}

/// What removes an object from the kernel.
pub fn removal(thing: &Thing) -> Option<Change> {
    Some(match thing {
        Thing::Link { namespace, index, .. } => {
            Change::RemoveLink(LinkKey { namespace: namespace.clone(), index: *index })
        }
        Thing::Device(device) => Change::GiveBack(device.clone()),
        Thing::Namespace { path, .. } => Change::RemoveNamespace(file_name(path)),
        Thing::NftRule { namespace, table, handle, .. } => {
            Change::RemoveNftRules { namespace: namespace.clone(), table: table.clone(), rules: vec![handle.clone()] }
        }
        Thing::NftChain { namespace, table, chain } => {
            Change::RemoveNftChain { namespace: namespace.clone(), table: table.clone(), chain: chain.clone() }
        }
        Thing::NftSet { namespace, table, name, kind } => {
            Change::RemoveNftSet { namespace: namespace.clone(), table: table.clone(), set: name.clone(), kind: *kind }
        }
        Thing::NftElement { namespace, table, set, element } => Change::RemoveNftElements {
            namespace: namespace.clone(),
            table: table.clone(),
            set: set.clone(),
            elements: vec![*element],
        },
        Thing::Route(route) => Change::RemoveRoute(route.clone()),
        Thing::Path(path) => Change::RemovePath(path.clone()),
        Thing::Proxy(proxy) => Change::RemoveProxy(proxy.clone()),
        Thing::Rule(rule) => Change::RemoveRule(rule.clone()),
        Thing::Forward { .. } => return None,
        Thing::Port(port) => Change::ReleasePort(*port),
    })
}

/// The name that the kernel layer bound a namespace under.
fn file_name(path: &kernel::NamespacePath) -> String {
    path.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}

/// An object, for a person.
pub fn describe(thing: &Thing) -> String {
    match thing {
        Thing::Link { name, .. } => format!("link {name}"),
        Thing::Device(device) => format!("device {} in a container", device.name),
        Thing::Namespace { name, .. } => format!("namespace {name}"),
        Thing::NftRule { table, handle, .. } => format!("nftables rule {} of {table}", handle.handle),
        Thing::NftChain { table, chain, .. } => format!("nftables chain {} of {table}", chain.name),
        Thing::NftSet { table, name, .. } => format!("nftables set {name} of {table}"),
        Thing::NftElement { set, element, .. } => match element {
            NftElement::Network(net) => format!("{net} in nftables set {set}"),
            NftElement::Ports(first, last) => format!("ports {first}-{last} in nftables set {set}"),
            NftElement::HostPort { protocol, port, to } => {
                format!("port {port} of protocol {protocol} to {to} in nftables map {set}")
            }
            NftElement::Mark(net, mark) => format!("mark {mark:#x} of {net} in nftables map {set}"),
        },
        Thing::Route(route) => format!("route to {}", route.destination),
        Thing::Path(path) => format!("path to {}", path.destination),
        Thing::Proxy(proxy) => format!("answers for {} on link {}", proxy.address, proxy.link.index),
        Thing::Rule(rule) if is_hosts(rule) => "a rule that keeps an internal network shut".into(),
        Thing::Rule(rule) => format!("rule {} for table {}", rule.priority, rule.table),
        Thing::Forward { name, ipv4: false, ipv6: false, .. } => format!("packets between the ports of {name}"),
        Thing::Forward { name, .. } => format!("forwarding of {name}"),
        Thing::Port(port) => format!("host port {port:#}"),
    }
}

/// The removals: links for the reaper, and the rest with all nftables rules of a table in one transaction, then the chains in which they were and
/// those to which they led, and then all that goes from a set.
fn merged(removals: Vec<Change>) -> (Vec<LinkKey>, Vec<Change>) {
    let mut links = Vec::new();
    let (mut chains, mut sets) = (Vec::new(), Vec::new());
    let mut in_sets: BTreeMap<(Namespace, String, String), Vec<NftElement>> = BTreeMap::new();
    let mut rules: BTreeMap<(Namespace, String), Vec<NftHandle>> = BTreeMap::new();
    let mut rest = Vec::new();
    for change in removals {
        match change {
            Change::RemoveNftRules { namespace, table, rules: handles } => {
                rules.entry((namespace, table)).or_default().extend(handles)
            }
            Change::RemoveNftElements { namespace, table, set, elements } => {
                in_sets.entry((namespace, table, set)).or_default().extend(elements)
            }
            Change::RemoveNftChain { .. } => chains.push(change),
            Change::RemoveNftSet { .. } => sets.push(change),
            Change::RemoveLink(link) => links.push(link),
            other => rest.push(other),
        }
    }
    let rules = rules.into_iter().map(|((namespace, table), rules)| Change::RemoveNftRules { namespace, table, rules });
    // What is in a set goes with it.
    for change in &sets {
        if let Change::RemoveNftSet { namespace, table, set, .. } = change {
            in_sets.remove(&(namespace.clone(), table.clone(), set.clone()));
        }
    }
    let elements = in_sets.into_iter().map(|((namespace, table, set), elements)| Change::RemoveNftElements {
        namespace,
        table,
        set,
        elements,
    });
    (links, rules.chain(chains).chain(elements).chain(sets).chain(rest).collect())
}
