//! What a container engine asks of a network driver and of an address pool: it chooses ids and addresses and keeps the sandbox,
//! and the driver does the rest.
//!
//! A [`Request`] for one driver is answered by the [`Reply`] that its case names, [`Reply::Done`] where it names none. The engine
//! forgets what it asked to have removed, whatever the answer was: removals succeed for what is not there, in any order, and remove
//! what an earlier step left. What makes or takes something fails for what is there already, because a reply that finds nobody
//! is taken back ([`Request::undo`]).

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

use super::endpoint::{PortBinding, Protocol};
use super::origin::Origin;
use words::Id;
use words::{LinkName, MacAddress};

/// Text by key.
pub type Labels = BTreeMap<String, String>;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Prepares a network for all hosts of a cluster, before any creates it. Answered by [`Reply::Allocated`].
    AllocateNetwork(AllocateNetwork),
    /// Takes the preparation back.
    FreeNetwork(Id),
    /// Whether a network with these options needs gateway addresses. Answered by [`Reply::GatewaysSkipped`].
    CheckGateways(NetworkOptions),
    /// Makes a network.
    CreateNetwork(CreateNetwork),
    /// Removes a network, with whatever endpoints it still has.
    DeleteNetwork(Id),
    /// Makes an endpoint. Answered by [`Reply::Chosen`].
    CreateEndpoint(CreateEndpoint),
    /// Removes an endpoint, also one that never left its sandbox or still has published ports.
    DeleteEndpoint(EndpointKey),
    /// What there is to tell of an endpoint. Answered by [`Reply::Info`].
    EndpointInfo(EndpointKey),
    /// An endpoint joins its sandbox. Answered by [`Reply::Joined`].
    Join(Join),
    /// An endpoint leaves its sandbox.
    Leave(EndpointKey),
    /// The endpoint is a gateway of its sandbox from now on: its ports are to be published, or the request fails.
    ProgramExternalConnectivity(ExternalConnectivity),
    /// The endpoint is no gateway any more.
    RevokeExternalConnectivity(EndpointKey),
    /// Takes an address pool. Answered by [`Reply::Pool`].
    RequestPool(RequestPool),
    /// Gives a pool back, with all of its addresses.
    ReleasePool(Id),
    /// Takes an address of a pool. Answered by [`Reply::Address`].
    RequestAddress(RequestAddress),
    /// Gives an address back.
    #[expect(missing_docs, reason = "the fields say it")]
    ReleaseAddress { pool: Id, address: IpAddr },
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It is done, and there is nothing to tell.
    Done,
    /// Options that go into the network's on each host.
    Allocated(Labels),
    /// For which families no gateway address is to be reserved.
    #[expect(missing_docs, reason = "the fields say it")]
    GatewaysSkipped { ipv4: bool, ipv6: bool },
    /// What the driver chose of an endpoint's interface: only what came empty.
    Chosen(Interface),
    /// JSON text by key.
    Info(Labels),
    /// What the sandbox gets.
    Joined(Joined),
    /// The pool that was taken.
    Pool(TakenPool),
    /// The address that was taken, with its pool's prefix length.
    Address(IpNet),
}

/// One endpoint of one network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointKey {
    /// The network's id.
    pub network: Id,
    /// The endpoint's id.
    pub endpoint: Id,
}

/// A network that is prepared for a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllocateNetwork {
    /// Its id.
    pub network: Id,
    /// The user's labels.
    pub generic: Labels,
    /// Its IPv4 pools.
    pub ipv4: Vec<PoolData>,
    /// Its IPv6 pools.
    pub ipv6: Vec<PoolData>,
}

/// A network that is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateNetwork {
    /// Its id.
    pub network: Id,
    /// What the user asked of it.
    pub options: NetworkOptions,
    /// Its IPv4 pools: none, one or several.
    pub ipv4: Vec<PoolData>,
    /// Its IPv6 pools.
    pub ipv6: Vec<PoolData>,
}

/// What the user asked of a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkOptions {
    /// It has IPv4 addresses.
    pub ipv4: bool,
    /// It has IPv6 addresses.
    pub ipv6: bool,
    /// It has no way out.
    pub internal: bool,
    /// The user's labels.
    pub generic: Labels,
    /// Whatever else was given: JSON text by key.
    pub other: Labels,
}

/// All that an engine has taken for a network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pools {
    /// IPv4: none, one or several.
    pub ipv4: Vec<PoolData>,
    /// IPv6: none, one or several.
    pub ipv6: Vec<PoolData>,
}

impl Pools {
    /// Both families.
    pub fn all(&self) -> impl Iterator<Item = &PoolData> {
        self.ipv4.iter().chain(&self.ipv6)
    }
}

/// A pool that the engine has taken for a network: libnetwork's IPAMData.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolData {
    /// The address space that it is from.
    pub address_space: String,
    /// The pool; none: the driver chooses addresses itself.
    pub pool: Option<IpNet>,
    /// The gateway's address with the pool's prefix length; none: nobody reserved one.
    pub gateway: Option<IpNet>,
    /// Reserved addresses by name, with their prefix length.
    pub aux_addresses: BTreeMap<String, IpNet>,
}

/// An endpoint that is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateEndpoint {
    /// Which.
    pub key: EndpointKey,
    /// What is chosen already.
    pub interface: Interface,
    /// What the user asked of it.
    pub options: EndpointOptions,
}

/// The addresses of an endpoint's interface, as far as they are chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// Its MAC.
    pub mac: Option<MacAddress>,
    /// Its IPv4 address and network.
    pub address: Option<Ipv4Net>,
    /// Its IPv6 address and network.
    pub address_ipv6: Option<Ipv6Net>,
}

/// What the user asked of an endpoint, or the engine of its sandbox.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointOptions {
    /// The MAC that the user asked for. It stands in the interface, too.
    pub mac: Option<MacAddress>,
    /// Ports that the container offers.
    pub exposed_ports: Vec<TransportPort>,
    /// Ports to publish on the host.
    pub port_bindings: Vec<PortBinding>,
    /// The user's labels.
    pub generic: Labels,
    /// Whatever else was given: JSON text by key.
    pub other: Labels,
}

/// A port of the transport layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransportPort {
    /// TCP, UDP or SCTP.
    pub protocol: Protocol,
    /// Its number.
    pub port: u16,
}

/// An endpoint that joins a sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    /// Which.
    pub key: EndpointKey,
    /// Where the sandbox is or will be bound. Absolute and without `..`, but otherwise only what the engine says: nothing may be
    /// there yet, or something that is no network namespace.
    pub sandbox: PathBuf,
    /// The sandbox's options: its ports.
    pub options: EndpointOptions,
}

/// What a join gives to the sandbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Joined {
    /// The link that the engine is to move in; none: nothing is to be moved.
    pub interface: Option<InterfaceName>,
    /// The IPv4 gateway.
    pub gateway: Option<Ipv4Addr>,
    /// The IPv6 gateway.
    pub gateway_ipv6: Option<Ipv6Addr>,
    /// Static routes.
    pub routes: Vec<StaticRoute>,
    /// The engine is not to give the sandbox a gateway of its own.
    pub disable_gateway_service: bool,
}

/// A link that the engine is to move, and how it is to be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceName {
    /// Its name on the host.
    pub source: LinkName,
    /// How its name in the sandbox begins; a number follows.
    pub prefix: String,
    /// Its whole name in the sandbox, where the driver chose one.
    pub name: Option<LinkName>,
}

/// A route in the sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticRoute {
    /// Where it leads.
    pub destination: IpNet,
    /// Through whom; none: the destination is on the link.
    pub next_hop: Option<IpAddr>,
}

/// An endpoint that becomes its sandbox's gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalConnectivity {
    /// Which.
    pub key: EndpointKey,
    /// The sandbox's options: its ports.
    pub options: EndpointOptions,
}

/// A pool that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestPool {
    /// The address space.
    pub address_space: String,
    /// This pool; none: a free one.
    pub pool: Option<IpNet>,
    /// Addresses are chosen from this part of it.
    pub range: Option<IpNet>,
    /// IPv6.
    pub ipv6: bool,
    /// The user's options.
    pub options: Labels,
}

/// A pool that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenPool {
    /// What it is called from now on, also after restarts of either side: the engine does not ask again.
    pub id: Id,
    /// The pool.
    pub pool: IpNet,
    /// What else there is to tell, by the engine's keys.
    pub data: Labels,
}

/// What an address is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// An endpoint; of dockerd's, also what its user reserved.
    Endpoint,
    /// The pool's gateway.
    Gateway,
    /// What the user reserved.
    Reserved,
}

/// An address that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestAddress {
    /// Of which pool.
    pub pool: Id,
    /// This address; none: a free one.
    pub address: Option<IpAddr>,
    /// What it is for.
    pub purpose: Purpose,
    /// The MAC that will have it.
    pub mac: Option<MacAddress>,
    /// The options that say nothing of the above.
    pub options: Labels,
}

/// What a container engine still knows of, when it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Which engine: only what was made for it is judged by this.
    pub origin: Origin,
    /// When it was asked, in seconds since 1970-01-01T00:00:00Z: what is younger it may not have written down.
    pub asked: u64,
    /// Networks.
    pub networks: BTreeSet<Id>,
    /// Endpoints of running containers.
    pub endpoints: BTreeSet<Id>,
    /// The pools of its networks.
    pub subnets: BTreeSet<IpNet>,
    /// The addresses of running containers, and those that are reserved.
    pub addresses: BTreeSet<IpAddr>,
}

impl Request {
    /// What takes this request back when its reply finds nobody: an engine that never hears of a thing never removes it.
    pub fn undo(&self, reply: &Reply) -> Option<Self> {
        match (self, reply) {
            (Self::AllocateNetwork(allocate), _) => Some(Self::FreeNetwork(allocate.network.clone())),
            (Self::CreateNetwork(create), _) => Some(Self::DeleteNetwork(create.network.clone())),
            (Self::CreateEndpoint(create), _) => Some(Self::DeleteEndpoint(create.key.clone())),
            (Self::RequestPool(_), Reply::Pool(taken)) => Some(Self::ReleasePool(taken.id.clone())),
            (Self::RequestAddress(request), Reply::Address(taken)) => {
                Some(Self::ReleaseAddress { pool: request.pool.clone(), address: taken.addr() })
            }
            _ => None,
        }
    }
}
