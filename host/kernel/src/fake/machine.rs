//! The whole of the fake: a machine's namespaces and links, and where its namespaces are bound.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::error::Refusal;
use crate::fake::link::{Kind, LOOPBACK, Link, LinkId, Port};
use crate::fake::nft::Nft;
use crate::fake::options::Options;
use crate::fake::route::Entry;
use crate::fake::rule::Line;
use crate::fake::setting::{LinkSettings, Settings};
use crate::fake::shaping::Shape;
use crate::transport::socket::{Answer, Message, Protocol, Request};
use crate::{Error, NamespacePath};
use crate::{HostPort, Namespace, ip, link, namespace, shaping};

/// A namespace of the machine: its inode, which is never given out again, and what stands for a descriptor of it.
pub(super) type SpaceId = u64;

/// What a request of rtnetlink's is answered.
pub(super) type Reply = Result<Vec<Message>, Errno>;

/// The first inode. Like the kernel's own for namespaces it looks like no file's.
const FIRST_INODE: SpaceId = 0x1000_0000;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    /// Which boot this is.
    pub boot: u64,
    pub host: SpaceId,
    pub spaces: BTreeMap<SpaceId, Space>,
    pub paths: BTreeMap<PathBuf, SpaceId>,
    pub links: BTreeMap<LinkId, Link>,
    /// Ports of the host that some program has.
    pub ports: BTreeSet<HostPort>,
    next_space: SpaceId,
    next_link: LinkId,
    next_mac: u32,
}

/// One network namespace, without its links.
#[derive(Clone, Debug, Default)]
pub(super) struct Space {
    /// The next link gets this index, or the first free one after it.
    pub next_index: u32,
    pub routes: Vec<Entry>,
    pub rules: Vec<Line>,
    pub nft: Nft,
    pub settings: Settings,
}

impl Machine {
    pub fn new() -> Self {
        let mut machine = Self {
            boot: 1,
            host: 0,
            spaces: BTreeMap::new(),
            paths: BTreeMap::new(),
            links: BTreeMap::new(),
            ports: BTreeSet::new(),
            next_space: FIRST_INODE,
            next_link: 1,
            next_mac: 1,
        };
        machine.host = machine.add_space();
        machine
    }

    /// The machine as it is when the programs that had its ports are killed.
    pub fn killed(&self) -> super::Fake {
        super::Fake::of(Self { ports: BTreeSet::new(), ..self.clone() })
    }

    /// Another boot: everything is gone but the numbers that were given out.
    pub fn reboot(&mut self) {
        self.boot += 1;
        self.spaces.clear();
        self.paths.clear();
        self.links.clear();
        self.ports.clear();
        self.host = self.add_space();
    }

    /// A namespace with its loopback up.
    pub fn add_space(&mut self) -> SpaceId {
        let id = self.next_space;
        self.next_space += 1;
        self.spaces.insert(id, Space { next_index: 1, ..Space::default() });
        let loopback = self.add_link(id, LOOPBACK.into(), Kind::Loopback);
        if let Some(link) = self.links.get_mut(&loopback) {
            link.mac = [0; 6];
            link.mtu = 65_536;
            link.up = true;
            link.settings.accept_dad = -1;
        }
        self.settle();
        id
    }

    /// A namespace dies with all that is in it but physical devices, and what other namespaces have of that.
    pub fn remove_space(&mut self, id: SpaceId) {
        self.give_cards_back(id);
        let from_there = |link: &Link| matches!(&link.kind, Kind::Vxlan(vxlan) if vxlan.space == id);
        let doomed: Vec<LinkId> =
            self.links.iter().filter(|(_, link)| link.space == id || from_there(link)).map(|(id, _)| *id).collect();
        self.remove_links(&doomed);
        self.spaces.remove(&id);
        self.paths.retain(|_, space| *space != id);
        self.settle();
    }

    /// Binds a new namespace at a path.
    pub fn bind(&mut self, path: &Path) -> Result<NamespacePath, Errno> {
        if self.paths.contains_key(path) {
            return Err(Errno::EXIST);
        }
        let inode = self.add_space();
        self.paths.insert(path.to_owned(), inode);
        Ok(NamespacePath { path: path.to_owned(), inode })
    }

    /// Unbinds a namespace, which has no other user.
    pub fn unbind(&mut self, path: &Path) -> bool {
        let bound = self.paths.remove(path);
        bound.into_iter().for_each(|id| self.remove_space(id));
        bound.is_some()
    }

    /// The namespace that is meant, if it is still the same.
    pub fn open(&self, at: &Namespace) -> Result<SpaceId, Error> {
        let at = match at {
            Namespace::Host => return Ok(self.host),
            Namespace::At(at) => at,
        };
        match self.paths.get(&at.path) {
            Some(id) if *id == at.inode => Ok(*id),
            Some(_) => Err(namespace::gone(&at.path, ": another one is there now")),
            None => Err(namespace::gone(&at.path, "")),
        }
    }

    /// A physical device on the host.
    pub fn plug_in(&mut self, name: &str) -> Result<(), Errno> {
        let name = self.valid_name(self.host, name)?;
        self.add_link(self.host, name, Kind::Card);
        self.settle();
        Ok(())
    }

    /// A new link, down and without anything.
    pub fn add_link(&mut self, space: SpaceId, name: String, kind: Kind) -> LinkId {
        let (id, index) = (self.next_link, self.next_index(space));
        self.next_link += 1;
        let settings = self.spaces.get(&space).map(|space| LinkSettings::new(&space.settings)).unwrap_or_default();
        let options = Options::new(&kind);
        let link = Link {
            space,
            index,
            name,
            other_names: BTreeSet::new(),
            kind,
            mac: self.next_mac(),
            mac_chosen: false,
            mtu: 1500,
            mtu_chosen: false,
            up: false,
            settled: true,
            group: 0,
            master: None,
            port: Port::default(),
            ipv4: Vec::new(),
            ipv6: Vec::new(),
            ready: false,
            neighbours: BTreeMap::new(),
            proxies: BTreeSet::new(),
            filters: BTreeSet::new(),
            settings,
            shape: Shape::default(),
            options,
        };
        self.links.insert(id, link);
        id
    }

    /// The lowest index from the last one on that no link has (xa_alloc_cyclic).
    pub fn next_index(&mut self, space: SpaceId) -> u32 {
        let next = self.spaces.get(&space).map_or(1, |space| space.next_index);
        let index = (next..).find(|index| self.by_index(space, *index).is_none()).unwrap_or(next);
        if let Some(space) = self.spaces.get_mut(&space) {
            space.next_index = index + 1;
        }
        index
    }

    /// A locally administered address that no link has had.
    fn next_mac(&mut self) -> [u8; 6] {
        let [a, b, c, d] = self.next_mac.to_be_bytes();
        self.next_mac += 1;
        [0xf6, 0xfa, a, b, c, d]
    }

    /// Answers requests of one datagram, one after the other.
    pub fn exchange(&mut self, at: SpaceId, protocol: Protocol, requests: &[Request]) -> Vec<Answer> {
        match protocol {
            Protocol::Route => requests.iter().map(|request| refusal(self.answer(at, request))).collect(),
            Protocol::Generic => requests.iter().map(|request| refusal(self.generic(at, request))).collect(),
            Protocol::Netfilter => {
                let Some(space) = self.spaces.get_mut(&at) else { return Vec::new() };
                space.nft.exchange(requests).into_iter().map(refusal).collect()
            }
        }
    }

    fn answer(&mut self, at: SpaceId, request: &Request) -> Reply {
        let dump = request.flags & crate::transport::socket::flag::DUMP == crate::transport::socket::flag::DUMP;
        match request.kind {
            link::message::RTM_NEWLINK if request.flags & crate::transport::socket::flag::CREATE == 0 => {
                self.link_change(at, &request.body)
            }
            link::message::RTM_NEWLINK => self.link_new(at, &request.body),
            link::set::RTM_SETLINK => self.link_set(at, &request.body),
            link::set::RTM_DELLINK => self.link_delete(at, &request.body),
            link::naming::RTM_NEWLINKPROP => self.name_new(at, &request.body),
            link::naming::RTM_DELLINKPROP => self.name_delete(at, &request.body),
            link::read::RTM_GETLINK if dump => self.link_list(at),
            link::read::RTM_GETLINK => self.link_get(at, &request.body),
            ip::address::RTM_NEWADDR => self.address_new(at, &request.body),
            ip::address::RTM_DELADDR => self.address_delete(at, &request.body),
            ip::address::RTM_GETADDR => self.address_list(at, &request.body),
            ip::route::RTM_NEWROUTE => self.route_new(at, &request.body),
            ip::route::RTM_DELROUTE => self.route_delete(at, &request.body),
            ip::route::RTM_GETROUTE if dump => self.route_list(at, &request.body),
            ip::route::RTM_GETROUTE => self.route_get(at, &request.body),
            ip::rule::RTM_NEWRULE => self.rule_new(at, &request.body),
            ip::rule::RTM_DELRULE => self.rule_delete(at, &request.body),
            ip::rule::RTM_GETRULE => self.rule_list(at, &request.body),
            ip::neighbour::RTM_NEWNEIGH => self.neighbour_new(at, &request.body),
            ip::neighbour::RTM_DELNEIGH => self.neighbour_delete(at, &request.body),
            ip::neighbour::RTM_GETNEIGH if dump => self.neighbour_list(at, &request.body),
            ip::neighbour::RTM_GETNEIGH => self.neighbour_get(at, &request.body),
            link::options::RTM_NEWVLAN | link::options::RTM_DELVLAN => {
                self.vlan_change(at, &request.body, request.kind)
            }
            link::options::RTM_GETVLAN => self.vlan_list(at, &request.body),
            shaping::RTM_NEWQDISC => {
                let exclusive = request.flags & crate::transport::socket::flag::EXCL != 0;
                self.qdisc_new(at, &request.body, exclusive)
            }
            shaping::RTM_DELQDISC => self.qdisc_delete(at, &request.body),
            shaping::RTM_GETQDISC => self.qdisc_get(at, &request.body),
            shaping::RTM_NEWTFILTER => self.filter_new(at, &request.body),
            shaping::RTM_GETTFILTER => self.filter_list(at, &request.body),
            _ => Err(Errno::OPNOTSUPP),
        }
    }
}

fn refusal(reply: Reply) -> Answer {
    reply.map_err(|errno| Refusal { errno: errno.raw_os_error(), text: None })
}
