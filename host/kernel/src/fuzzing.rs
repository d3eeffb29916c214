//! For the fuzzer: a kernel that answers anything.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::transport;
use crate::transport::socket::{Answer, Request};
use crate::*;

/// What such a kernel is going to say: datagrams, each after its length.
pub(super) struct Script(Mutex<Vec<u8>>);

impl Script {
    /// The answers to some requests: those of the next datagram.
    pub fn answers(&self, requests: &[Request]) -> Result<Vec<Answer>, Error> {
        let mut rest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let length: usize = rest.iter().take(2).enumerate().map(|(i, byte)| usize::from(*byte) << (8 * i)).sum();
        let head = rest.len().min(2);
        let end = rest.len().min(head + length);
        let datagram: Vec<u8> = rest.drain(..end).skip(head).collect();
        transport::socket::answers(requests.len(), &datagram)
    }
}

/// A question or a change of the layer's, which the first byte chooses, and what the kernel says to it.
pub fn netlink(bytes: &[u8]) {
    let Some((choice, script)) = bytes.split_first() else { return };
    let fake = Fake::answering(Arc::new(Script(Mutex::new(script.to_vec()))));
    let config = Config { host: fake.into(), instance: 1, run_folder: Path::new("/nonexistent").into() };
    let Ok(kernel) = Kernel::new(config) else { return };
    let (host, link) = (Namespace::Host, LinkKey { namespace: Namespace::Host, index: 1 });
    match choice % 17 {
        0 => drop(kernel.links(&host)),
        1 => drop(LinkName::new("a").map(|name| kernel.link_by_name(&host, &name))),
        2 => drop(kernel.all_addresses(&host)),
        3 => drop(kernel.routes(&link)),
        4 => drop(kernel.rules(&host)),
        5 => drop(kernel.neighbours(&link)),
        6 => drop(kernel.forwardings(&link)),
        7 => {
            let set = NftSet { name: "s".into(), kind: NftSetKind::Ipv4, elements: Vec::new() };
            drop((kernel.nft_tables(&host), kernel.nft_rules(&host, "a")));
            drop(kernel.nft_own_chains(&host));
            drop((kernel.nft_counters(&host, "a"), kernel.has_nft_set(&host, "a", &set)));
        }
        8 if *choice < 128 => drop(kernel.dropping_chains(&host, &Packet::Forwarded)),
        8 => {
            let packet = Packet::Udp { link: "a".into(), index: 1, ipv6: false, port: 4789 };
            drop(kernel.dropping_chains(&host, &packet));
        }
        9 => drop(kernel.iptables(IptablesFamily::Ipv4)),
        10 => drop((kernel.condemn(&[link]), kernel.reap(&host))),
        11 => change(&kernel, &link),
        12 => drop((kernel.rate(&link), kernel.redirect(&link))),
        13 => drop(kernel.wireguard(&link)),
        14 => drop((kernel.paths(&host), kernel.proxies(&link))),
        15 => change_shape(&kernel, &link),
        _ => change_more(&kernel, &link),
    }
}

/// How fast a link sends and receives, which is asked for before it is changed.
fn change_shape(kernel: &Kernel, link: &LinkKey) {
    let rate = Some(Rate { bytes: 125_000, burst: 2_000 });
    let small = LinkChanges { mtu: Some(1_000), ..LinkChanges::default() };
    let _ = kernel.apply(&[Change::SetRate { link: link.clone(), rate }]);
    let _ = kernel.apply(&[Change::Redirect { link: link.clone(), to: Some(2) }]);
    let _ = kernel.apply(&[Change::SetLink(link.clone(), small)]);
}

/// Peers, sets with their elements, and devices.
fn change_more(kernel: &Kernel, link: &LinkKey) {
    let _ = (kernel.options(link), kernel.is_way_out(link.index), kernel.taken_devices());
    let _ = kernel.apply(&[Change::TakeDevice(link.clone())]);
    if let Ok(name) = LinkName::new("a") {
        let device = Device { index: link.index, name, inside: None, before: None };
        let _ = kernel.apply(&[Change::GiveBack(Box::new(device))]);
    }
    let (namespace, table, set) = (link.namespace.clone(), "a".to_owned(), "s".to_owned());
    let to = std::net::SocketAddr::from(([10, 0, 0, 2], 80));
    let elements = vec![NftElement::Ports(80, 90), NftElement::HostPort { protocol: 6, port: 80, to }];
    let _ = kernel.apply(&[Change::SetPeers(SetPeers { link: link.clone(), peers: Vec::new(), gone: Vec::new() })]);
    let _ = kernel.apply(&[
        Change::AddNftSet {
            namespace: namespace.clone(),
            table: table.clone(),
            set: set.clone(),
            kind: NftSetKind::Ports,
        },
        Change::RemoveNftElements { namespace, table, set, elements },
    ]);
}

fn change(kernel: &Kernel, link: &LinkKey) {
    let (host, index) = (link.namespace.clone(), link.index);
    let end = |name: &str| {
        let name = LinkName::new(name).map(NewName::Exact).ok()?;
        let namespace = host.clone();
        Some(LinkEnd { namespace, name, mac: None, mtu: None, master: Some(index), addresses: vec![], up: true })
    };
    let (Some(first), Some(second)) = (end("a"), end("b")) else { return };
    let down = LinkChanges { up: Some(false), ..LinkChanges::default() };
    let rules = vec![NftHandle {
        chain: NftChain { hook: NftHook::Forward, priority: 0, nat: false },
        port: None,
        own: None,
        handle: 1,
    }];
    let _ = kernel.apply(&[
        Change::AddLink(LinkSpec { end: first, kind: LinkKind::Veth(Box::new(second)) }),
        Change::SetLink(link.clone(), down),
        Change::RemoveNftRules { namespace: host.clone(), table: "a".into(), rules },
        Change::RemoveLink(link.clone()),
    ]);
}
