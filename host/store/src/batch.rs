//! What goes out in one commit: what must still hold, what is written, and how long it must last.

use std::net::IpAddr;

use ipnet::IpNet;

use super::record::{Driver, Endpoint, ListVersion, Network, Object, Part, TakenPool};
use grant::Limit;
use kernel::Change;
use operation::network::Pool;
use words::{Id, Name};

/// One transaction: all of it or nothing.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// [`Store::version`](super::Store::version) before the first read; 0: nobody noted it. While it is still that, all is as it was read.
    pub since: i64,
    /// What was read, and must be as it was; and what there may be at most.
    pub checks: Vec<Check>,
    /// What is written, in this order.
    pub writes: Vec<Write>,
    /// What it must survive.
    pub durability: Durability,
}

/// What a commit must survive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// `kill -9` of the daemon (`synchronous=NORMAL`): for what dies with the machine, as an endpoint does.
    #[default]
    Process,
    /// A power cut (`synchronous=FULL`): for what outlives a reboot, as networks and drivers do. What was committed
    /// before lasts as long from then on, because one file has it all in order.
    Power,
}

/// Something that was read, with the version that was seen, or a limit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the fields are the arguments of the read")]
pub enum Check {
    /// [`Store::state`](super::Store::state); none: the key was not there.
    State { driver: Name, key: String, version: Option<i64> },
    /// [`Store::state_list`](super::Store::state_list).
    StateList { driver: Name, prefix: String, version: ListVersion },
    /// [`Store::entry`](super::Store::entry); none: there was no entry.
    Entry { network: Id, table: String, key: String, version: Option<i64> },
    /// [`Store::entries`](super::Store::entries) of one table.
    EntryList { network: Id, table: String, version: ListVersion },
    /// With all that is written, [`Store::held`](super::Store::held) is at most this.
    Held { driver: Name, limit: Limit, most: u64 },
}

impl Batch {
    /// A driver's call makes the store grow, and does not end with its network or endpoint.
    pub(super) fn grows(&self) -> bool {
        use Write::{AddObject, PutEntry, PutPart, RemoveEndpoint, RemoveNetwork, SetState};
        let grows = |w: &Write| matches!(w, AddObject(_) | PutPart(_) | SetState { .. } | PutEntry { .. });
        self.writes.iter().any(grows) && !self.writes.iter().any(|w| matches!(w, RemoveEndpoint(..) | RemoveNetwork(_)))
    }
}

impl Check {
    /// It is of what there is with the writes, and not of what was read before.
    pub(super) fn is_of_writes(&self) -> bool {
        matches!(self, Self::Held { .. })
    }
}

/// One write.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields are the columns")]
pub enum Write {
    /// Makes or replaces it.
    PutDriver(Driver),
    /// With what state is left under its name. Ok if it is gone.
    RemoveDriver(Name),
    /// Makes it and gives it a serial, or replaces it and keeps the serial. `Exists`: the name is another network's.
    PutNetwork(Network),
    /// With all that hangs on it: endpoints, objects, state, entries, watches, pools, leases. Ok if it is gone.
    RemoveNetwork(Id),
    /// Makes or replaces it. `Exists`: the name is another endpoint's of the network.
    PutEndpoint(Endpoint),
    /// Network and endpoint: with its objects, its table entries and its leases. Ok if it is gone.
    RemoveEndpoint(Id, Id),
    /// Makes it; an id of 0 is replaced by a new one.
    AddObject(Object),
    /// Replaces the one with its id. `NotFound`: there is none of its kind.
    PutObject(Object),
    /// Ok if it is gone.
    RemoveObject(i64),
    /// Ok if it is there already, or its link is gone.
    PutPart(Part),
    /// Ok if it is gone.
    RemovePart(Part),
    /// As [`Store::note`](super::Store::note).
    Note(i64, Vec<Change>),
    /// Ok if it is gone.
    ForgetNote(i64),
    /// Makes or replaces it; it belongs to `network` from now on.
    SetState { driver: Name, key: String, network: Id, value: Vec<u8> },
    /// Ok if it is gone.
    RemoveState { driver: Name, key: String },
    /// All that belongs to the network.
    ClearState { network: Id },
    /// Makes or replaces it. The driver's own are of the owner `self` ([`OWN`](super::OWN)).
    PutEntry { network: Id, table: String, key: String, owner: String, endpoint: Option<Id>, value: Vec<u8> },
    /// Ok if it is gone. While a watching driver was told of it and not yet of its end, a tombstone stays.
    RemoveEntry { network: Id, table: String, key: String },
    /// Those of an endpoint, as [`Write::RemoveEntry`] does.
    RemoveEntries(Id, Id),
    /// The driver was told that the entry of a watched table has this value; none: that it is gone.
    Delivered { network: Id, table: String, key: String, value: Option<Vec<u8>> },
    /// Registers interest, or replaces the object type (1 to 3) of an earlier registration.
    Watch { network: Id, table: String, object_type: u8 },
    /// As [`Store::claim_pools`](super::Store::claim_pools).
    ReplacePools { network: Id, pools: Vec<IpNet> },
    /// What [`Store::find_address`](super::Store::find_address) found; `next`: as the next free one.
    Lease { network: Id, pool: Pool, address: IpAddr, owner: String, next: bool },
    /// As [`Store::take_pool`](super::Store::take_pool).
    TakePool(TakenPool),
    /// As [`Store::release_taken_pool`](super::Store::release_taken_pool), with the state that belongs to it.
    ReleasePool { pool: Id, heir: Option<Id> },
    /// An address of a taken pool that is nobody's else: as [`Store::take_address`](super::Store::take_address) takes a wanted one.
    TakeAddress { pool: TakenPool, address: IpAddr, owner: String, gateway: bool },
    /// An address of a pool that an engine took is this endpoint's from now on. Ok if nobody has taken it.
    HoldAddress { address: IpAddr, endpoint: Id },
    /// An address of a network is taken by another node (its name), or by none any more. What is an endpoint's of this host stays.
    SetElsewhere { network: Id, address: IpAddr, node: Option<Name> },
    /// Ok if it is free.
    ReleaseAddress { network: Id, address: IpAddr },
    /// All of the owner's in the network.
    ReleaseOwner { network: Id, owner: String },
    /// Makes or replaces it.
    SetMeta { key: String, value: String },
}
