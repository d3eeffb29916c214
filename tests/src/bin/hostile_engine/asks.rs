//! Attacks by what is asked: each answers what the host did.

use std::sync::atomic::Ordering;

use ask::capabilities::{InterfaceInfo, JoinInfo, NetworkInfo, RouteType};
use ask::links::{Link, LinkEnd, LinkKind, LinkName, LinkSpec};
use ask::namespaces::Namespace;
use ask::nftables::{Chain, ChainType, Condition, Hook, Property, Rule, Verdict};
use ask::types::{IpAddress, IpNetwork, IpamData};
use ask::{Answer, Ask, Refusal};
use engine::channel::{FromEngine, MESSAGE};
use words::Error;

use crate::{Attacker, EARLIER};

type Attack = fn(&mut Attacker) -> Result<(), Refusal>;

pub(crate) const ATTACKS: &[(&str, Attack)] = &[
    ("forged-handle", |attacker| one(attacker, Ask::LinksLinkInfo { this: Link(1) })),
    ("largest-handle", |attacker| one(attacker, Ask::LinksLinkRemove { this: Link(u32::MAX) })),
    ("handle-of-the-call", |attacker| one(attacker, Ask::LinksLinkRemove { this: Link(0) })),
    ("handle-of-another-kind", |attacker| {
        let this = Link(host(attacker)?);
        one(attacker, Ask::LinksLinkRemove { this })
    }),
    ("handle-that-was-dropped", |attacker| {
        let this = Namespace(host(attacker)?);
        attacker.say(&FromEngine::Dropped(this.0));
        one(attacker, Ask::NamespacesNamespaceRemove { this })
    }),
    ("handle-of-an-earlier-call", |attacker| {
        let this = Namespace(EARLIER.load(Ordering::Relaxed));
        one(attacker, Ask::NamespacesNamespaceRemove { this })
    }),
    ("handles-without-end", |attacker| (0..2_000).try_for_each(|_| host(attacker).map(drop))),
    ("the-hosts-namespace", |attacker| {
        let this = Namespace(host(attacker)?);
        one(attacker, Ask::NamespacesNamespaceRemove { this })
    }),
    ("link-of-another-driver", |attacker| get(attacker, "victim")),
    ("link-of-the-host", |attacker| get(attacker, "eth0")),
    ("name-of-another-driver", |attacker| one(attacker, Ask::LinksAdd { links: vec![bridge("victim", 0)] })),
    ("table-of-another-driver", |attacker| {
        let (table, key) = ("peers".into(), "k".into());
        one(attacker, Ask::TablesPut { table, key, value: vec![1].into() })
    }),
    ("packets-of-another-driver", |attacker| {
        let chain = Chain { chain_type: ChainType::Filter, hook: Hook::Forward, priority: 0 };
        let condition = Condition { property: Property::Source(network(77)), negated: false };
        let rules = vec![Rule { chain, conditions: vec![condition], verdict: Verdict::Drop }];
        one(attacker, Ask::NftablesAdd { namespace: None, rules })
    }),
    ("join-outside-of-a-join", |attacker| {
        let this = JoinInfo(0);
        one(attacker, Ask::CapabilitiesJoinInfoSetGateway { this, gateway: IpAddress::Ipv4((10, 78, 0, 1)) })
    }),
    ("route-outside-of-a-join", |attacker| {
        let (this, route_type) = (JoinInfo(0), RouteType::Connected);
        let destination = network(77);
        one(attacker, Ask::CapabilitiesJoinInfoAddStaticRoute { this, destination, route_type, next_hop: None })
    }),
    ("interface-of-no-endpoint", |attacker| {
        let this = InterfaceInfo(0);
        one(attacker, Ask::CapabilitiesInterfaceInfoSetIpAddress { this, address: network(78) })
    }),
    ("entry-of-no-endpoint", |attacker| {
        let (this, table, key) = (JoinInfo(0), "own".into(), "k".into());
        one(attacker, Ask::CapabilitiesJoinInfoAddTableEntry { this, table, key, value: vec![1].into() })
    }),
    // Of an endpoint's calls.
    ("pools-by-an-endpoint", |attacker| {
        let pool = IpamData {
            address_space: String::new(),
            pool: Some(network(77)),
            gateway: None,
            aux_addresses: Vec::new(),
        };
        one(attacker, Ask::CapabilitiesNetworkInfoUpdateIpamConfig { this: NetworkInfo(0), ipv4: vec![pool] })
    }),
    ("more-links-than-a-list-has", |attacker| {
        let links = (0..1_000).map(|number| bridge(&format!("hb{number}"), 0)).collect();
        one(attacker, Ask::LinksAdd { links })
    }),
    ("message-of-exactly-the-limit", |attacker| {
        // The message's and the ask's number, and the key's length.
        let key = "k".repeat(MESSAGE - 5);
        one(attacker, Ask::StoreGet { key })
    }),
    ("lists-in-lists", |attacker| one(attacker, Ask::LinksAdd { links: vec![bridge("hb", 100_000)] })),
    ("asks-without-end", |attacker| {
        loop {
            one(attacker, Ask::ClockNow {})?;
        }
    }),
    ("heavy-asks", |attacker| {
        let name = "n".repeat(MESSAGE - 64);
        let ask = || Ask::LinksGet { namespace: None, name: name.clone() };
        (0..300).map(|_| one(attacker, ask())).last().unwrap_or(Ok(()))
    }),
    ("random-bytes-without-end", |attacker| one(attacker, Ask::RandomBytes { count: u32::MAX })),
    ("link-and-no-end", |attacker| {
        one(attacker, Ask::LinksAdd { links: vec![bridge("hb", 0)] })?;
        std::process::exit(7)
    }),
    ("memory-without-end", |_| {
        let mut mib = 0;
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: new memory, which nobody touches.
        while unsafe { libc::mmap(std::ptr::null_mut(), 64 << 20, access, kind, -1, 0) } != libc::MAP_FAILED {
            mib += 64;
            if mib > 1 << 20 {
                return Err(Error::internal("memory without end").into());
            }
        }
        Err(Error::internal(format!("no more memory after {mib} MiB")).into())
    }),
    ("stall-from-now-on", |attacker| {
        attacker.stalls.store(true, Ordering::Relaxed);
        std::process::exit(7)
    }),
];

fn one(attacker: &mut Attacker, ask: Ask) -> Result<(), Refusal> {
    attacker.ask(ask).map(drop)
}

fn host(attacker: &mut Attacker) -> Result<u32, Refusal> {
    match attacker.ask(Ask::NamespacesHost {})? {
        Answer::NamespacesHost(host) => Ok(host.0),
        _ => Err(Refusal::trap("another answer")),
    }
}

fn get(attacker: &mut Attacker, name: &str) -> Result<(), Refusal> {
    one(attacker, Ask::LinksGet { namespace: None, name: name.into() })
}

/// 10.`second`.0.0/24
fn network(second: u8) -> IpNetwork {
    IpNetwork { address: IpAddress::Ipv4((10, second, 0, 0)), prefix_length: 24 }
}

pub(crate) fn bridge(name: &str, addresses: usize) -> LinkSpec {
    let name = LinkName::Exact(name.into());
    let addresses = vec![network(78); addresses];
    let end = LinkEnd { namespace: None, name, mac_address: None, mtu: None, master: None, addresses, up: false };
    LinkSpec { end, kind: LinkKind::Bridge }
}
