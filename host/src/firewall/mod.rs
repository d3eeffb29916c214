//! "Let this link forward", where somebody else's firewall drops what is forwarded: beside dockerd, its chain FORWARD does, and what another
//! table accepts does not help. So the host keeps rules of its own in that chain's table, marked with this instance's tag.
//!
//! - in DOCKER-USER, or else in a FORWARD that drops: `-i LINK -j ACCEPT` and `-o LINK -j ACCEPT` for each link that forwards (`plan`), by its
//!   index, too, so that the next link of the name is not let through; and `-i LINK -o LINK -j ACCEPT` for each other bridge of a driver's,
//!   because bridge-nf sends what goes from port to port through there. What may go into a network is its driver's business, whose own table
//!   drops for good.
//! - in the host's own table (`guard`): what goes from such a link into a bridge that is kept from others there, as dockerd keeps each of its
//!   own, is dropped, unless it is an answer or was sent to a published port. Without that, the accepting rules would open Docker's
//!   containers to ours. It comes before them and goes after them. And a host that did not forward stays closed between its own links.
//! - in a table of family bridge: no port gives a broadcast back to its sender (hairpin mode, which published ports need, would).
//!
//! The kernel's switches for forwarding are on as long as any link forwards.
//!
//! And it puts back the networks' own packet rules when somebody has flushed them (`restore`), and has connections forgotten that were tracked
//! under other rules (`connections`). A network whose rules can't be put back is closed (`shut`).
//!
//! The store says what is asked for, and [`Firewall::sync`] mends what differs: after a call that changed it, at a start, after garbage
//! collection, and whenever anyone changes that table (`watch`). What can't be mended is logged and fails no call.

mod connections;
mod guard;
mod links;
mod plan;
mod restore;
mod shut;
mod watch;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use connections::translated;
use connections::{Connections, Waiting};
use grant::gate::settings::switches;
use kernel::{
    self, Change, IptablesChain, IptablesChange, IptablesFamily, IptablesWay, Kernel, LinkKey, Mark, Namespace, Stale,
    Sysctl,
};
use plan::{Link, Wish};
use shut::Shut;
pub use shut::{bridge, is_hosts, refusals};
use store::{Object, Store, Thing};
use words::{Id, LinkName};

/// Another's change in the middle is rare, and each round makes [`CHANGES`] changes.
const ROUNDS: usize = 50;
/// As many as one transaction takes whose answers must fit into a socket's buffer.
const CHANGES: usize = 500;

/// Keeps the links that forward excepted from the host's firewall; see the module.
pub struct Firewall {
    keeper: Arc<Keeper>,
    _connections: Connections,
    /// They end with this.
    _watching: Vec<watch::Watching>,
}

/// What the host's firewall is, as far as it matters for forwarding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The chain of iptables-nft that has to accept what is forwarded; none: nothing there drops it.
    pub chain: Option<IptablesChain>,
    /// The legacy iptables have a table `filter`. Whether it drops is not known, and it is never changed.
    pub legacy: bool,
}

/// How the rules for the links that forward stand in the host's firewall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceptions {
    /// How many links forward.
    pub links: usize,
    /// How many rules are missing or too many.
    pub amiss: usize,
}

struct Keeper {
    kernel: Arc<Kernel>,
    store: Arc<Store>,
    /// What the comments of this instance's rules begin with.
    tag: String,
    /// The host's own table.
    table: String,
    /// One at a time: two would add the same rules.
    turn: Mutex<()>,
    /// The line about legacy iptables was logged.
    told: AtomicBool,
    /// See [`Firewall::rounds`].
    rounds: AtomicU64,
    /// See [`connections`].
    stale: Waiting,
    /// The networks are as the store says: before that, there is nothing to put back.
    ready: AtomicBool,
    shut: Mutex<Shut>,
}

impl Firewall {
    /// A keeper, and its thread, which ends with it. It does nothing yet.
    pub fn start(kernel: Arc<Kernel>, store: Arc<Store>) -> Self {
        let (tag, table) = (store.tag(), table(&store));
        let (turn, told, rounds) = (Mutex::default(), AtomicBool::new(false), AtomicU64::new(0));
        let keeper = Arc::new(Keeper {
            kernel,
            store,
            tag,
            table,
            turn,
            told,
            rounds,
            stale: Waiting::default(),
            ready: AtomicBool::default(),
            shut: Mutex::default(),
        });
        let subscribed = [
            keeper.kernel.watch(&keeper.tag).and_then(|watch| watch::start("firewall", watch, &keeper, watch::rules)),
            keeper.kernel.watch_links().and_then(|watch| watch::start("links", watch, &keeper, watch::links)),
        ];
        let mut watching = Vec::new();
        for subscribed in subscribed {
            match subscribed {
                Ok(thread) => watching.push(thread),
                Err(error) => {
                    tracing::warn!("changes of the host won't be seen before the next network changes: {error}")
                }
            }
        }
        let connections = Connections::start(keeper.clone());
        Self { keeper, _connections: connections, _watching: watching }
    }

    /// Brings the host's firewall to what the store asks for.
    pub fn sync(&self) {
        self.keeper.sync();
    }

    /// Puts back the networks' links and packet rules, where they are not there any more.
    pub fn restore(&self) {
        self.keeper.restore_links();
        self.keeper.restore();
    }

    /// Has connections forgotten that are false now: see [`connections`].
    pub fn forget(&self, stale: Stale) {
        self.keeper.stale.add(stale);
    }

    /// What has to be done before forwarding is switched on for a family, which is to happen while the answer is held.
    pub fn before_forwarding(&self, family: IptablesFamily) -> words::Result<MutexGuard<'_, ()>> {
        self.keeper.before_forwarding(family)
    }

    /// A number that changes whenever rules may have been put back, odd while that is being done.
    pub fn rounds(&self) -> u64 {
        self.keeper.rounds.load(Ordering::Acquire)
    }

    /// Looks again, if since a call began (at `rounds`) rules were put back without those that it made, or with those that it removed: these
    /// are given by table, as the comments that no two rules share.
    pub fn restore_beside(&self, rounds: u64, removed: impl FnOnce() -> BTreeMap<String, HashSet<String>>) {
        if rounds.is_multiple_of(2) && self.rounds() == rounds {
            return;
        }
        self.keeper.restore();
        for (table, comments) in removed() {
            if let Err(error) = self.keeper.remove_again(&table, &comments) {
                tracing::warn!("rules of {table} that were put back while they were removed are there: {error}");
            }
        }
    }

    /// From now on the networks are as the store says, and what somebody changes is put back.
    pub fn begin(&self) {
        self.keeper.ready.store(true, Ordering::Release);
        self.sync();
    }

    /// What the host's firewall is.
    pub fn found(&self, family: IptablesFamily) -> Result<Found, kernel::Error> {
        found(&self.keeper.kernel, family)
    }

    /// The networks that are closed, because their packet rules are gone and can't be put back; each with why they can't.
    pub fn closed(&self) -> BTreeMap<Id, String> {
        self.keeper.closed_networks()
    }

    /// How the rules for the links that forward stand.
    pub fn exceptions(&self, family: IptablesFamily) -> words::Result<Exceptions> {
        let asked = self.keeper.asked(&*self.keeper.store.forwards()?, family)?;
        let changes = plan::changes(&self.keeper.kernel.iptables(family)?, &self.keeper.tag, &asked.wishes());
        Ok(Exceptions { links: asked.forward.len(), amiss: changes.len() })
    }
}

/// What the host's firewall is, whoever keeps rules there.
pub fn found(kernel: &Kernel, family: IptablesFamily) -> Result<Found, kernel::Error> {
    let chain = plan::place(&kernel.iptables(family)?);
    Ok(Found { chain, legacy: kernel.has_legacy_iptables(family)? })
}

/// The name of the host's own table of this instance. No network's is the same: they end in sixteen digits.
pub fn table(store: &Store) -> String {
    format!("{}host", store.tag())
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.chain {
            None => f.write_str("iptables-nft drops nothing that is forwarded")?,
            Some(IptablesChain::DockerUser) => f.write_str("iptables-nft, with the chain DOCKER-USER")?,
            Some(IptablesChain::Forward) => f.write_str("iptables-nft, where the chain FORWARD drops")?,
        }
        if self.legacy { f.write_str(", and legacy iptables") } else { Ok(()) }
    }
}

/// What is asked for in one family.
#[derive(Default)]
struct Asked {
    /// Links that forward.
    forward: BTreeSet<Link>,
    /// Links between whose ports packets pass, these too where they forward.
    within: BTreeSet<Link>,
}

/// Whether it forwards in a family.
fn forwards(thing: &Thing, family: IptablesFamily) -> bool {
    matches!(
        (thing, family),
        (Thing::Forward { ipv4: true, .. }, IptablesFamily::Ipv4)
            | (Thing::Forward { ipv6: true, .. }, IptablesFamily::Ipv6)
    )
}

impl Asked {
    fn wishes(&self) -> BTreeSet<Wish> {
        let both = |link: &Link| [(link.clone(), IptablesWay::From), (link.clone(), IptablesWay::To)];
        let within = self.within.difference(&self.forward).map(|link| (link.clone(), IptablesWay::Within));
        self.forward.iter().flat_map(both).chain(within).collect()
    }
}

impl Keeper {
    fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    fn shut(&self) -> MutexGuard<'_, Shut> {
        self.shut.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hold_turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sync(&self) {
        let _turn = self.hold_turn();
        if let Err(error) = self.mend() {
            tracing::error!("packets of links that forward may be dropped by the host's firewall: {error}");
        }
    }

    fn mend(&self) -> words::Result<()> {
        let mut protected = BTreeSet::new();
        let mut wishes = Vec::new();
        let recorded = self.store.forwards()?;
        for family in [IptablesFamily::Ipv4, IptablesFamily::Ipv6] {
            let forwards = |object: &&Object| forwards(&object.thing, family);
            if let Some(Object { thing: Thing::Forward { name, .. }, .. }) = recorded.values().find(forwards) {
                self.keep_closed(family)?;
                self.switch_on(family)?;
                self.tell_of_legacy(family, name)?;
            }
            let mut of_family = BTreeSet::new();
            if !recorded.is_empty() {
                let filter = self.kernel.iptables(family)?;
                // Only where packets are dropped it matters which links there are: nobody else waits until each was looked at.
                if plan::place(&filter).is_some() {
                    let asked = self.asked(&recorded, family)?;
                    of_family = asked.wishes();
                    protected.extend(filter.protected.into_iter().filter(|_| !asked.forward.is_empty()));
                }
            }
            wishes.push((family, of_family));
        }
        let are_bridges = !recorded.is_empty();
        let superfluous = self.guard(protected)?;
        for (family, wishes) in &wishes {
            self.accept(*family, wishes)?;
        }
        if self.store.is_behind()? {
            return Ok(());
        }
        self.kernel.keep_echoes_out(&self.table, are_bridges)?;
        match self.kernel.attempt(&[superfluous]).pop() {
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    }

    /// A call that was undone has switched off again what another one, which came through, had found switched on.
    fn switch_on(&self, family: IptablesFamily) -> Result<(), kernel::Error> {
        for path in switches(family) {
            let (namespace, sysctl) = (Namespace::Host, Sysctl::Namespace(path));
            if self.kernel.sysctl(&namespace, &sysctl)? == 0 {
                self.kernel.apply(&[Change::SetSysctl { namespace, sysctl, value: 1 }])?;
            }
        }
        Ok(())
    }

    /// The links that are to be excepted and are there, by the names that they have now.
    fn asked(&self, recorded: &BTreeMap<i64, Object>, family: IptablesFamily) -> words::Result<Asked> {
        let mut asked = Asked::default();
        for Object { thing, .. } in recorded.values() {
            let Thing::Forward { name, index, .. } = thing else { continue };
            let found = match index {
                0 => self.kernel.link_by_name(&Namespace::Host, &LinkName::new(name)?)?,
                index => self.kernel.link(&LinkKey { namespace: Namespace::Host, index: *index })?,
            };
            let Some(found) = found.filter(|link| link.mark == Mark::Owned) else { continue };
            let links = if forwards(thing, family) { &mut asked.forward } else { &mut asked.within };
            links.insert(Link { name: LinkName::new(&found.name)?, index: found.index });
        }
        Ok(asked)
    }

    fn accept(&self, family: IptablesFamily, wishes: &BTreeSet<Wish>) -> words::Result<()> {
        for _ in 0..ROUNDS {
            let filter = self.kernel.iptables(family)?;
            let mut changes = plan::changes(&filter, &self.tag, wishes);
            // A link that the store does not know may be one of a newer network.
            if self.store.is_behind()? {
                changes.retain(|change| matches!(change, IptablesChange::Accept { .. }));
            }
            if changes.is_empty() {
                return Ok(());
            }
            changes.truncate(CHANGES);
            if self.kernel.change_iptables(family, filter.generation, &changes)? {
                let added = changes.iter().filter(|c| matches!(c, IptablesChange::Accept { .. })).count();
                let removed = changes.len() - added;
                tracing::info!(added, removed, "rules for links that forward changed in {}", family.program());
            }
        }
        let message = format!("the rules of {} changed each time while they were looked at", family.program());
        Err(words::Error::internal(message))
    }

    /// Legacy iptables are another mechanism, which netlink does not reach: the operator has to help, and is told once.
    fn tell_of_legacy(&self, family: IptablesFamily, link: &str) -> Result<(), kernel::Error> {
        if self.told.load(Ordering::Relaxed) || !self.kernel.has_legacy_iptables(family)? {
            return Ok(());
        }
        self.told.store(true, Ordering::Relaxed);
        let program = family.program();
        tracing::warn!(
            "{program}-legacy has a table filter on this host, which Pontoon does not change: if its chain FORWARD drops, let dockerd use \
             {program}-nft (update-alternatives --set {program} /usr/sbin/{program}-nft), or except each network's link yourself \
             ({program}-legacy -I FORWARD -i {link} -j ACCEPT, and the same with -o)"
        );
        Ok(())
    }
}
