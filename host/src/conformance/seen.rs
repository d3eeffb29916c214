//! What there is in kernel and store, as lines, so that a difference can be shown.
//!
//! Left out is what changes by itself: condemned links, link-local addresses, the MAC of a bridge, counters.

use std::collections::BTreeSet;

use ipnet::IpNet;

use crate::controller::Controller;
use crate::transaction::describe;
use kernel::{Kernel, LinkInfo, LinkKey, Mark, Namespace};
use words::{Name, Result};

/// Bytes of a remembered value that are shown.
const SHOWN: usize = 160;

/// Lines, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The kernel's.
    pub kernel: BTreeSet<String>,
    /// The store's: what is recorded, taken and shared.
    pub store: BTreeSet<String>,
    /// What the driver remembers.
    pub state: BTreeSet<String>,
}

impl Seen {
    /// Looks at the host, at some sandboxes, and at the store.
    pub fn look(controller: &Controller, driver: &Name, sandboxes: &[Namespace]) -> Result<Self> {
        let mut seen = Self::default();
        for (namespace, place) in
            std::iter::once((&Namespace::Host, "host".to_owned())).chain(sandboxes.iter().map(named))
        {
            if controller.kernel().exists(namespace) {
                see_namespace(controller.kernel(), namespace, &place, &mut seen.kernel)?;
            }
        }
        see_rules(controller, &mut seen.kernel)?;
        seen.kernel.extend(controller.kernel().made_namespaces()?.into_iter().map(|name| format!("namespace {name}")));
        seen.see_store(controller)?;
        for (key, value) in controller.store().state_list(driver, "", usize::MAX)?.0 {
            seen.state.insert(format!("state {key} = {}", shown(&value)));
        }
        Ok(seen)
    }

    fn see_store(&mut self, controller: &Controller) -> Result<()> {
        let store = controller.store();
        for object in store.all_objects()? {
            // A handle is new each time.
            let what = match &object.thing {
                store::Thing::NftRule { .. } => continue,
                thing => describe(thing),
            };
            let owner = object.endpoint.map_or_else(
                || format!("network {:.12}", object.network.as_str()),
                |endpoint| format!("endpoint {:.12}", endpoint.as_str()),
            );
            self.store.insert(format!("{what} of {owner}"));
        }
        for network in store.networks()? {
            self.store.insert(format!("network {}", network.name));
            for (table, object_type) in store.watches(&network.id)? {
                self.store.insert(format!("watch of table {table} for objects of type {object_type}"));
            }
            for lease in store.leases(&network.id)? {
                self.store.insert(format!("address {} of {:.12}", lease.address, lease.owner));
            }
            for entry in store.entries(&network.id, None)?.0 {
                let (table, key, owner) = (entry.table, entry.key, entry.owner);
                self.store.insert(format!("table {table}: {key} = {} of {owner}", shown(&entry.value)));
            }
        }
        for endpoint in store.endpoints(None)? {
            self.store.insert(format!("endpoint {}", endpoint.name));
        }
        Ok(())
    }

    /// What is more (`+`) and what is missing (`-`) in comparison with before.
    pub fn since(&self, before: &Self) -> Vec<String> {
        let all = |seen: &Self| -> BTreeSet<String> {
            [&seen.kernel, &seen.store, &seen.state].into_iter().flatten().cloned().collect()
        };
        let (now, before) = (all(self), all(before));
        let more = now.difference(&before).map(|line| format!("+ {line}"));
        more.chain(before.difference(&now).map(|line| format!("- {line}"))).collect()
    }
}

fn named(namespace: &Namespace) -> (&Namespace, String) {
    let Namespace::At(at) = namespace else { return (namespace, "host".to_owned()) };
    (namespace, at.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()))
}

fn see_namespace(kernel: &Kernel, namespace: &Namespace, place: &str, lines: &mut BTreeSet<String>) -> Result<()> {
    let links: Vec<LinkInfo> = kernel.links(namespace)?.into_iter().filter(|l| l.mark != Mark::Condemned).collect();
    let name_of = |index: u32| links.iter().find(|l| l.index == index).map_or("?", |l| l.name.as_str());
    for link in &links {
        let mut line = format!("{place}: link {} ({}) mtu {}", link.name, link.kind, link.mtu);
        if let Some(mac) = link.mac.filter(|_| link.kind != "bridge") {
            line += &format!(" mac {mac}");
        }
        if let Some(master) = link.master {
            line += &format!(" on {}", name_of(master));
        }
        lines.insert(line + if link.up { " up" } else { " down" });
        let key = LinkKey { namespace: namespace.clone(), index: link.index };
        for route in kernel.routes(&key)? {
            let through = route.gateway.map(|g| format!(" via {g}")).unwrap_or_default();
            let table = route.table.map(|t| format!(" table {t}")).unwrap_or_default();
            lines.insert(format!("{place}: route {}{through} dev {}{table}", route.destination, link.name));
        }
        for neighbour in kernel.neighbours(&key)? {
            lines.insert(format!("{place}: neighbour {} {} dev {}", neighbour.address, neighbour.mac, link.name));
        }
    }
    let linked = |index: &u32| links.iter().any(|l| l.index == *index);
    for (index, address) in kernel.all_addresses(namespace)?.into_iter().filter(|(index, _)| linked(index)) {
        if !is_link_local(&address) {
            lines.insert(format!("{place}: address {address} dev {}", name_of(index)));
        }
    }
    for rule in kernel.rules(namespace)? {
        lines.insert(format!(
            "{place}: rule {} from {:?} to {:?} table {}",
            rule.priority, rule.source, rule.destination, rule.table
        ));
    }
    Ok(())
}

/// This Pontoon's nftables, each rule with a number where several say the same of themselves.
fn see_rules(controller: &Controller, lines: &mut BTreeSet<String>) -> Result<()> {
    let (kernel, tag) = (controller.kernel(), controller.store().tag());
    for table in kernel.nft_tables(&Namespace::Host)?.into_iter().filter(|table| table.starts_with(&tag)) {
        for (handle, comment) in kernel.nft_rules(&Namespace::Host, &table)? {
            let chain = handle.chain;
            let kind = if chain.nat { "nat" } else { "filter" };
            // Its last word is the number of the object, which no two rules share.
            let owner: Vec<_> = comment.split(' ').filter(|word| word.parse::<i64>().is_err()).map(short).collect();
            let line =
                format!("host: nftables {table} {kind} {:?} {}: {}", chain.hook, chain.priority, owner.join(" "));
            let number = (1..).find(|n: &u32| !lines.contains(&format!("{line} #{n}"))).unwrap_or_default();
            lines.insert(format!("{line} #{number}"));
        }
    }
    Ok(())
}

/// A long id as Docker shows it.
fn short(word: &str) -> &str {
    if word.len() == 64 { word.get(..12).unwrap_or(word) } else { word }
}

fn is_link_local(address: &IpNet) -> bool {
    matches!(address, IpNet::V6(net) if net.addr().segments()[0] & 0xffc0 == 0xfe80)
}

/// Bytes, for people.
pub fn shown(value: &[u8]) -> String {
    match std::str::from_utf8(value) {
        Ok(text) if text.len() <= SHOWN && !text.chars().any(char::is_control) => text.to_owned(),
        _ => format!("{} bytes, {}", value.len(), &words::file::digest(value)[..8]),
    }
}
