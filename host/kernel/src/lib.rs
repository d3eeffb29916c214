//! The kernel, spoken to with values: links, addresses, routes, rules, neighbours, nftables rules and settings, per network namespace, and
//! ports of the host.
//!
//! Everything here is synchronous and blocking (call it with `spawn_blocking`), knows nothing of drivers and policy, and keeps a sandbox's
//! namespace open no longer than a call, or than an operation that asks for it ([`Kernel::keep`]), or it could not die.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ipnet::IpNet;

mod change;
mod conntrack;
mod device;
mod emptier;
mod error;
mod fake;
#[cfg(fuzzing)]
pub mod fuzzing;
mod host;
mod ip;
mod iptables;
mod link;
mod namespace;
mod nft;
mod options;
mod packets;
mod peer;
mod port;
pub mod process;
mod shaping;
#[cfg(test)]
mod tests;
mod transport;
mod trial;
mod value;
mod watch;

use emptier::Emptier;
use host::Host;
use ip::reached::Reached;
use link::mark::Marks;
use port::Ports;
use transport::session::{Real, Session};
use words::{LinkName, MacAddress};

pub use conntrack::{Stale, StalePort};
pub use device::{Device, DeviceState};
pub use fake::{Fake, FakePort};
pub use ip::route::DEFAULT_METRIC6;
pub use iptables::*;
pub use link::known::KnownLinks;
pub use link::made::MadeLinks;
pub use namespace::keyholder::{SUBCOMMAND as KEYHOLDER, hold_keys, identify, start_keyholder};
pub use namespace::{NSFS_MAGIC, close_inherited, leave_the_host};
pub use options::{BridgeVlan, LinkOption, LinkOptions};
pub use packets::*;
pub use peer::{Peer, PublicKey, SetPeers};
pub use port::{HostPort, PortWish};
pub use shaping::Rate;
pub use transport::announcer::open_announcer;
pub use transport::kept::Keeping;
pub use trial::{Feature, try_features};
pub use value::*;
pub use watch::{Seen, Watch};

/// Where the namespaces that are made are bound, below the run folder.
pub const NAMESPACES: &str = "netns";

/// What a [`Kernel`] works with.
#[derive(Debug)]
pub struct Config {
    /// The namespace to work in.
    pub host: HostNamespace,
    /// The random 22-bit id of this Pontoon's state folder. It goes into the marks, so that two Pontoons in one namespace leave each other alone.
    pub instance: u32,
    /// The run folder: namespaces that are made are bound in `netns/NAME` below it.
    pub run_folder: PathBuf,
}

/// The namespace that a [`Kernel`] works in, and of which kernel.
#[derive(Debug)]
pub enum HostNamespace {
    /// One of the machine's, by its nsfs file; see [`Kernel::current_namespace`].
    Real(OwnedFd),
    /// The host of a machine in memory.
    Fake(Fake),
}

impl From<OwnedFd> for HostNamespace {
    fn from(file: OwnedFd) -> Self {
        Self::Real(file)
    }
}

impl From<Fake> for HostNamespace {
    fn from(fake: Fake) -> Self {
        Self::Fake(fake)
    }
}

/// Which boot of which machine, and which namespace there. Another value: everything that was made is gone.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct HostIdentity {
    /// /proc/sys/kernel/random/boot_id.
    pub boot: String,
    /// The namespace's cookie (SO_NETNS_COOKIE), or its inode where the kernel has none (before 5.14).
    pub namespace: u64,
}

/// The kernel. Share it in an `Arc`.
#[derive(Debug)]
pub struct Kernel {
    host: Host,
    marks: Marks,
    /// Where the namespaces that are made are bound.
    namespaces: PathBuf,
    ports: Ports,
    /// What is in nftables.
    tables: nft::Tables,
    reached: Mutex<Reached>,
    emptier: Emptier,
}

impl Kernel {
    /// Takes the host's namespace as it is now; sockets are opened when they are needed first.
    pub fn new(config: Config) -> Result<Self, Error> {
        let namespaces = config.run_folder.join(NAMESPACES);
        let host = match config.host {
            HostNamespace::Real(file) => Host::Real(Real::new(file)?),
            HostNamespace::Fake(fake) => Host::Fake(fake),
        };
        let marks = Marks::new(config.instance);
        let (ports, tables) = (Ports::default(), nft::Tables::default());
        let (reached, emptier) = (Mutex::default(), Emptier::default());
        Ok(Self { host, marks, namespaces, ports, tables, reached, emptier })
    }

    /// The namespace of the calling thread.
    pub fn current_namespace() -> Result<OwnedFd, Error> {
        namespace::current()
    }

    /// Which boot and which namespace this is.
    pub fn identity(&self) -> Result<HostIdentity, Error> {
        self.host.identity()
    }

    /// Opens and checks a sandbox: it must be a network namespace and not the host's own.
    pub fn sandbox(&self, path: &Path) -> Result<NamespacePath, Error> {
        self.host.sandbox(path)
    }

    /// Does something on a thread of its own inside a sandbox, such as opening a socket.
    pub fn within<T: Send>(
        &self,
        sandbox: &NamespacePath,
        action: impl FnOnce() -> Result<T, Error> + Send,
    ) -> Result<T, Error> {
        namespace::within(namespace::open(sandbox)?.as_fd(), action)
    }

    /// Keeps a sandbox open for an operation that makes several calls there, with the sockets that they open: until the answer is dropped. Of a
    /// sandbox that is gone nothing is kept.
    pub fn keep(&self, sandbox: &NamespacePath) -> Keeping<'_> {
        match &self.host {
            Host::Real(real) => real.kept().keep(sandbox),
            Host::Fake(_) => Keeping::nothing(),
        }
    }

    /// Whether the namespace is still there, and the same.
    pub fn exists(&self, namespace: &Namespace) -> bool {
        self.host.exists(namespace)
    }

    /// Makes all changes or none: when one fails, what was done is undone in reverse, and the error names the change.
    ///
    /// What is removed comes back with undo, too, except links, nftables rules, and namespaces: remove these after the commit.
    pub fn apply(&self, changes: &[Change]) -> Result<Vec<Applied>, Error> {
        change::apply::apply(self, &mut self.session(), changes, None, &mut |_| Ok(()))
    }

    /// Takes changes back, the last one first, as far as it goes. What is gone already is no error.
    pub fn undo(&self, applied: &[Applied]) -> Vec<Error> {
        change::apply::undo(self, &mut self.session(), applied)
    }

    /// The same, but links that were made are only condemned: [`Kernel::reap`] deletes them. Answers these, too, as [`Kernel::condemn`] does.
    pub fn undo_for_reaping(&self, applied: &[Applied]) -> (Vec<Error>, Vec<(LinkKey, u64)>) {
        change::apply::undo_for_reaping(self, &mut self.session(), applied)
    }

    /// Makes each change by itself, in order, and goes on after errors.
    pub fn attempt(&self, changes: &[Change]) -> Vec<Error> {
        change::apply::attempt(self, &mut self.session(), changes)
    }

    /// The names of the namespaces that are bound in the run folder.
    pub fn made_namespaces(&self) -> Result<Vec<String>, Error> {
        self.host.made_namespaces(&self.namespaces)
    }

    /// Takes links of this instance out of the way at once (down, no master, no addresses, another name) for [`Kernel::reap`] to delete.
    /// Pairs and bridges only wait; other kinds are deleted here. The other end of a pair comes along if it is in the same namespace; give
    /// both where it is in another, or the pair is deleted here (30 ms). Ok for what is gone; a foreign link is refused before anything is done.
    /// Answers what is left to delete, of a pair one end: each with how many links go then.
    pub fn condemn(&self, links: &[LinkKey]) -> Result<Vec<(LinkKey, u64)>, Error> {
        link::condemn::condemn(&mut self.session(), links, self.marks)
    }

    /// Deletes what was condemned in a namespace, in groups that hold the kernel up for a short time only; answers how many links it found.
    pub fn reap(&self, namespace: &Namespace) -> Result<usize, Error> {
        link::condemn::reap(&mut self.session(), namespace, self.marks)
    }

    /// The same for those of these indexes, without a look at the others.
    pub fn reap_these(&self, namespace: &Namespace, indexes: &[u32]) -> Result<usize, Error> {
        link::condemn::reap_these(&mut self.session(), namespace, indexes, self.marks)
    }

    /// Deletes all that was condemned in a namespace, of which the caller knows that it is little: as one group, whatever it costs.
    pub fn reap_few(&self, namespace: &Namespace) -> Result<(), Error> {
        link::condemn::reap_few(&mut self.session(), namespace, self.marks)
    }

    /// The link of a name.
    pub fn link_by_name(&self, namespace: &Namespace, name: &LinkName) -> Result<Option<LinkInfo>, Error> {
        let question = link::read::by_name(name.as_str());
        let seen = link::read::get(&mut self.session(), namespace, question, self.marks)?;
        Ok(seen.map(|seen| seen.info))
    }

    /// A link by its key.
    pub fn link(&self, link: &LinkKey) -> Result<Option<LinkInfo>, Error> {
        let question = link::read::by_index(link.index);
        let seen = link::read::get(&mut self.session(), &link.namespace, question, self.marks)?;
        Ok(seen.map(|seen| seen.info))
    }

    /// All links of a namespace.
    pub fn links(&self, namespace: &Namespace) -> Result<Vec<LinkInfo>, Error> {
        let seen = link::read::all(&mut self.session(), namespace, self.marks)?;
        Ok(seen.into_iter().map(|seen| seen.info).collect())
    }

    /// The addresses of a link; none where it is gone.
    pub fn addresses(&self, link: &LinkKey) -> Result<Vec<IpNet>, Error> {
        let found = ip::address::list(&mut self.session(), &link.namespace, link.index)?;
        Ok(found.into_iter().map(|(_, address)| address).collect())
    }

    /// The addresses of all links of a namespace, with the ifindex of the link.
    pub fn all_addresses(&self, namespace: &Namespace) -> Result<Vec<(u32, IpNet)>, Error> {
        ip::address::list(&mut self.session(), namespace, 0)
    }

    /// The links by which the host reaches addresses of a subnet, by an address or a route that is no default route, or reached them when that was last
    /// read; none: by a route without a link.
    pub fn links_into(&self, subnet: &IpNet) -> Result<BTreeSet<Option<u32>>, Error> {
        self.reached().links(subnet, &self.host, &mut self.session())
    }

    /// Reads it again. It takes as long as the host has addresses and routes: half a second for a million.
    pub fn read_reached(&self) -> Result<(), Error> {
        self.reached().read(&self.host, &mut self.session())
    }

    fn reached(&self) -> MutexGuard<'_, Reached> {
        self.reached.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The subnets in which the host has an address or to which it has a route that is no default route, but for what this instance's links and routes
    /// reach. It takes as long as [`Kernel::read_reached`].
    pub fn reached_by_others(&self) -> Result<Vec<IpNet>, Error> {
        let mut session = self.session();
        let links = link::read::all(&mut session, &Namespace::Host, self.marks)?.into_iter().map(|seen| seen.info);
        let own: BTreeSet<u32> = links.filter(|link| link.mark.is_made()).map(|link| link.index).collect();
        let reached = ip::reached::list(&mut session, Some(self.marks))?.into_iter();
        Ok(reached.filter(|(link, _)| link.is_none_or(|link| !own.contains(&link))).map(|(_, net)| net).collect())
    }

    /// The link by which the host's packets to an address leave; none: they don't.
    pub fn way_to(&self, address: std::net::IpAddr) -> Result<Option<u32>, Error> {
        ip::way::way_out(&mut self.session(), address)
    }

    /// Whether a default route of the host's goes by a link of this index, in whatever table.
    pub fn is_way_out(&self, index: u32) -> Result<bool, Error> {
        link::device::is_way_out(&mut self.session(), index)
    }

    /// The devices of others on the host that this instance has taken for containers: how they were before, nobody knows from that.
    pub fn taken_devices(&self) -> Result<Vec<Device>, Error> {
        link::device::tagged(&mut self.session(), self.marks)
    }

    /// The smallest MTU of the links by which the host's packets leave for the outside, of both families; none: there is no way out.
    pub fn mtu_of_way_out(&self) -> Result<Option<u32>, Error> {
        ip::way::mtu_of_way_out(&mut self.session(), self.marks)
    }

    /// The smallest MTU of the host's links that are not this instance's, are up and have an address, loopback aside. It takes as long as the
    /// host has links.
    pub fn mtu_of_others(&self) -> Result<Option<u32>, Error> {
        ip::way::mtu_of_others(&mut self.session(), self.marks)
    }

    /// This instance's routes through a link. (Their mark has one byte: another instance may have the same.)
    pub fn routes(&self, link: &LinkKey) -> Result<Vec<Route>, Error> {
        ip::route::list(&mut self.session(), link, self.marks)
    }

    /// What this instance's routes through a link are, as what makes them again: those that go by several hops or on conditions, too.
    pub fn routes_again(&self, link: &LinkKey) -> Result<Vec<Change>, Error> {
        ip::path::through(&mut self.session(), link, self.marks)
    }

    /// This instance's paths in a namespace: of its routes, those that [`Kernel::routes`] can't say.
    pub fn paths(&self, namespace: &Namespace) -> Result<Vec<RoutePath>, Error> {
        ip::path::list(&mut self.session(), namespace, self.marks)
    }

    /// The routers that the host's routes go by, whoever made them.
    pub fn routers(&self) -> Result<Vec<IpAddr>, Error> {
        ip::path::routers(&mut self.session())
    }

    /// The addresses that the host answers for on a link.
    pub fn proxies(&self, link: &LinkKey) -> Result<Vec<Proxy>, Error> {
        ip::proxy::list(&mut self.session(), link)
    }

    /// How fast a link sends at most; none: nothing of this layer's limits it.
    pub fn rate(&self, link: &LinkKey) -> Result<Option<Rate>, Error> {
        shaping::rate(&mut self.session(), link)
    }

    /// The link, by its ifindex, that what a link receives goes to first; 0: one that is gone.
    pub fn redirect(&self, link: &LinkKey) -> Result<Option<u32>, Error> {
        shaping::redirect(&mut self.session(), link)
    }

    /// What a link has of the properties that [`Change::SetOptions`] sets, and its VLANs if it is a bridge or a bridge's port; nothing of one that is
    /// gone.
    pub fn options(&self, link: &LinkKey) -> Result<LinkOptions, Error> {
        link::options::options(&mut self.session(), link, self.marks)
    }

    /// This instance's rules. (Their mark has one byte: another instance may have the same.)
    pub fn rules(&self, namespace: &Namespace) -> Result<Vec<Rule>, Error> {
        ip::rule::list(&mut self.session(), namespace, self.marks)
    }

    /// The permanent neighbours of a link.
    pub fn neighbours(&self, link: &LinkKey) -> Result<Vec<Neighbour>, Error> {
        ip::neighbour::list(&mut self.session(), link)
    }

    /// The permanent forwarding entries of a link.
    pub fn forwardings(&self, link: &LinkKey) -> Result<Vec<Forwarding>, Error> {
        ip::neighbour::list_forwardings(&mut self.session(), link)
    }

    /// The public key of a WireGuard link, and its peers by theirs. `EINVAL`: it is none.
    pub fn wireguard(&self, link: &LinkKey) -> Result<(PublicKey, BTreeMap<PublicKey, Peer>), Error> {
        link::wireguard::read(&mut self.session(), link)
    }

    /// Tells everyone on a link of the host's that these addresses have this MAC: one ARP announcement or unsolicited neighbour advertisement
    /// each. The host itself forgets what it has learnt of them there. Answers a look at another link of the host's, which takes no way of its own.
    pub fn announce(
        &self,
        link: &LinkKey,
        of: MacAddress,
        addresses: &[IpAddr],
        look: &LinkKey,
    ) -> Result<Option<LinkInfo>, Error> {
        let question = link::read::by_index(look.index);
        let answer = ip::announce::announce(&mut self.session(), link, of, addresses, question)?;
        Ok(link::read::seen(&answer, self.marks)?.map(|seen| seen.info))
    }

    /// A setting's value.
    pub fn sysctl(&self, namespace: &Namespace, sysctl: &Sysctl) -> Result<i32, Error> {
        namespace::sysctl::get(&mut self.session(), namespace, sysctl, self.marks)
    }

    /// The names of the nftables tables of family inet.
    pub fn nft_tables(&self, namespace: &Namespace) -> Result<Vec<String>, Error> {
        nft::tables(&mut self.session(), namespace)
    }

    /// The rules of a table with their comments; none where there is no such table.
    pub fn nft_rules(&self, namespace: &Namespace, table: &str) -> Result<Vec<(NftHandle, String)>, Error> {
        let found = nft::rules(&mut self.session(), namespace, Some(table))?;
        Ok(found.into_iter().map(|rule| (rule.handle, rule.comment)).collect())
    }

    /// The rules of all tables of family inet, in chains such as are made here.
    pub fn all_nft_rules(&self, namespace: &Namespace) -> Result<Vec<FoundRule>, Error> {
        nft::rules(&mut self.session(), namespace, None)
    }

    /// The own chains of all tables of family inet, each with its table.
    pub fn nft_own_chains(&self, namespace: &Namespace) -> Result<Vec<(String, NftOwnChain)>, Error> {
        nft::own::all(&mut self.session(), namespace)
    }

    /// The names of the sets of a table.
    pub fn nft_sets(&self, namespace: &Namespace, table: &str) -> Result<Vec<String>, Error> {
        nft::sets::names(&mut self.session(), namespace, table)
    }

    /// Whether a table has a set with just these elements.
    pub fn has_nft_set(&self, namespace: &Namespace, table: &str, set: &NftSet) -> Result<bool, Error> {
        let mut session = self.session();
        if !nft::sets::names(&mut session, namespace, table)?.contains(&set.name) {
            return Ok(false);
        }
        let there = nft::sets::bounds(&mut session, nft::sets::Place { at: namespace, table, set: &set.name })?;
        let wanted: BTreeSet<_> = set.elements.iter().map(|element| (element.bounds().0, element.value())).collect();
        let there = there.into_iter().filter(|bound| !bound.is_end).map(|bound| (bound.key, bound.value));
        Ok(there.collect::<BTreeSet<_>>() == wanted)
    }

    /// What the rules of a table have counted that have a counter.
    pub fn nft_counters(
        &self,
        namespace: &Namespace,
        table: &str,
    ) -> Result<std::collections::HashMap<NftHandle, NftCount>, Error> {
        nft::counters(&mut self.session(), namespace, table)
    }

    /// Makes tables anew, each with these sets and rules and nothing else: in one step as long as they have 1,000 rules together, else in several.
    /// Answers where each rule is found now.
    pub fn replace_nft_tables(
        &self,
        namespace: &Namespace,
        tables: &[NftTable<'_>],
    ) -> Result<Vec<Vec<NftHandle>>, Error> {
        nft::replace_tables(&mut self.session(), &self.tables, namespace, tables)
    }

    /// Whether this instance's ports in hairpin mode are kept from giving broadcasts back to whoever sent them: by rules in a table of family
    /// bridge, where the kernel has such.
    pub fn keep_echoes_out(&self, table: &str, wanted: bool) -> Result<(), Error> {
        nft::keep_echoes_out(&mut self.session(), &Namespace::Host, table, self.link_group(), wanted)
    }

    /// The base chains of nftables, in whose table ever, that certainly drop a packet.
    pub fn dropping_chains(&self, namespace: &Namespace, packet: &Packet) -> Result<Vec<DroppingChain>, Error> {
        nft::dropping(&mut self.session(), namespace, packet)
    }

    /// What stands in the way of forwarding in the table `filter` of iptables-nft on the host.
    pub fn iptables(&self, family: IptablesFamily) -> Result<IptablesFilter, Error> {
        nft::read_iptables(&mut self.session(), family)
    }

    /// Changes rules of that table in one transaction; false: something changed since `generation`, and nothing was done.
    pub fn change_iptables(
        &self,
        family: IptablesFamily,
        generation: u32,
        changes: &[IptablesChange],
    ) -> Result<bool, Error> {
        nft::change_iptables(&mut self.session(), family, generation, changes)
    }

    /// Whether the legacy iptables, which nftables know nothing of, have a table `filter` on the host.
    pub fn has_legacy_iptables(&self, family: IptablesFamily) -> Result<bool, Error> {
        self.host.has_legacy_iptables(family)
    }

    /// Subscribes to what others change in the host's iptables-nft, and in the tables of family inet whose names begin with a tag.
    pub fn watch(&self, tag: &str) -> Result<Watch, Error> {
        self.host.watch(tag)
    }

    /// Makes a link of the host again, which somebody else has removed: with the index that it had. Of a pair, it can't.
    pub fn add_link_again(&self, index: u32, spec: &LinkSpec) -> Result<(), Error> {
        link::add::again(&mut self.session(), index, spec, self.marks)
    }

    /// Deletes the host's tracked connections that are false now, and answers how many there were.
    pub fn forget_connections(&self, stale: &Stale) -> Result<usize, Error> {
        match &self.host {
            Host::Real(_) => conntrack::forget(&mut self.session(), stale),
            // No packet ever passes.
            Host::Fake(_) => Ok(0),
        }
    }

    /// Subscribes to what others change of this instance's links, policy rules and the host's addresses, and to the switch for forwarding.
    pub fn watch_links(&self) -> Result<Watch, Error> {
        self.host.watch_links(self.marks)
    }

    /// The group (IFLA_GROUP) of the links that are this instance's.
    pub fn link_group(&self) -> u32 {
        self.marks.owned()
    }

    /// Holds a port that was taken before this process began, also on an address that the host does not have yet. Where another program has it by now, it is taken all the same as far as
    /// this kernel's own ports go, and the error says so.
    pub fn hold_port(&self, port: HostPort) -> Result<(), Error> {
        self.ports.hold(&self.host, port)
    }

    /// Lets go of all ports, and answers the sockets that hold them: as long as one is open, its port is nobody else's.
    pub fn give_up_ports(&self) -> Vec<(HostPort, OwnedFd)> {
        self.ports.give_up()
    }

    /// Sockets that [`Self::give_up_ports`] of the process before this one answered: [`Self::hold_port`] takes its own from them. Those that
    /// nobody wanted are closed with the next ones.
    pub fn receive_ports(&self, sockets: Vec<(HostPort, OwnedFd)>) {
        self.ports.receive(sockets);
    }

    /// How many more ports can be taken.
    pub fn free_ports(&self) -> usize {
        self.ports.free()
    }

    fn session(&self) -> Session<'_> {
        Session::new(&self.host)
    }

    fn add_namespace(&self, name: &str) -> Result<Applied, Error> {
        let made = self.host.make_namespace(&self.namespaces, name)?;
        let undo = vec![Change::RemoveNamespace(name.to_owned())];
        Ok(Applied { outcome: Outcome::Namespace(made), undo })
    }

    fn remove_namespace(&self, name: &str) -> Result<Applied, Error> {
        if let Some(removed) = self.host.remove_namespace(&self.namespaces, name)? {
            self.emptier.take(removed, self.marks);
        }
        Ok(Applied { outcome: Outcome::Done, undo: Vec::new() })
    }
}
