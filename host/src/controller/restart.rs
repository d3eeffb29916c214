//! What a start finds, and garbage: kernel and store are brought together.
//!
//! After a crash the kernel may have what no committed call owns: it carries this instance's mark and goes. After a reboot, or in a
//! fresh namespace, the kernel has nothing: endpoints are dropped, and each recorded network is made again from its recorded arguments.

use std::collections::BTreeSet;

use super::Inner;
use kernel::{Applied, Change, Device, HostIdentity, LinkKey, Namespace, NftHandle, NftOwnChain, NftSetKind, Outcome};
use operation::engine::Known;
use operation::table::Collected;
use store::{Batch, Durability, Endpoint, Network, Object, Thing, Write};
use words::{Error, Result};

/// Where the store keeps which boot and namespace it speaks of.
const IDENTITY: &str = "host-identity";

impl Inner {
    /// Brings kernel and store together, before anyone may ask for anything.
    pub(super) fn restart(&self) -> Result<()> {
        let now = identity_text(&self.kernel.identity()?);
        let before = self.store.meta(IDENTITY)?;
        if before.as_ref() == Some(&now) {
            self.hold_ports()?;
            self.do_as_noted()?;
            self.remove_strays()?;
            self.firewall.restore();
            // An older copy says of others what was once begun.
            if !self.store.is_behind()? {
                self.finish_detaches()?;
            }
            self.elect_gateways()?;
        } else if before.is_some() {
            self.make_all_again()?;
        }
        self.store.set_meta(IDENTITY, &now)?;
        self.store.release_orphans()?;
        self.release_unused()?;
        self.firewall.begin();
        for network in self.store.networks()? {
            self.tell(&network.id);
        }
        Ok(())
    }

    pub(super) fn collect_garbage(&self, known: Option<&Known>) -> Result<Collected> {
        let mut collected = Collected::default();
        for endpoint in self.store.endpoints(None)? {
            let Some(sandbox) = &endpoint.sandbox else { continue };
            if self.is_dead(&endpoint)? {
                collected.endpoints.push(format!("{} of {}", endpoint.name, sandbox.path.display()));
                self.detach(&endpoint.network, &endpoint.id)?;
            }
        }
        self.remove_forgotten(known, &mut collected)?;
        collected.objects = self.remove_strays()?;
        self.firewall.restore();
        self.store.release_orphans()?;
        collected.forgotten.extend(self.release_unused()?);
        for mut network in self.store.networks()? {
            if network.down.is_some() {
                self.make_again(&mut network)?;
                if network.down.is_none() {
                    collected.networks.push(network.name.to_string());
                }
            }
            collected.events += self.tell(&network.id);
        }
        self.firewall.sync();
        Ok(collected)
    }

    /// Ports of the host were held by sockets of the process that ended.
    fn hold_ports(&self) -> Result<()> {
        for Object { network, endpoint, thing, .. } in self.store.all_objects()? {
            if let Thing::Port(port) = thing
                && let Err(error) = self.kernel.hold_port(port)
            {
                let endpoint = endpoint.map(|id| self.store.endpoint(&network, &id)).transpose()?.flatten();
                let endpoint = endpoint.map(|e| e.name.to_string());
                tracing::warn!(%network, endpoint, "{error}; it stays published: its packets still go to the endpoint");
            }
        }
        Ok(())
    }

    /// Takes back what calls that were cut off have done without a mark in the kernel, and removes what calls that came through did not
    /// come to remove.
    fn do_as_noted(&self) -> Result<()> {
        let notes = self.store.notes()?;
        if notes.is_empty() {
            return Ok(());
        }
        if self.store.is_behind()? {
            // They were done long ago, or are no more to be done.
            return Ok(self.store.forget_notes(&notes.into_iter().map(|(id, _)| id).collect::<Vec<_>>())?);
        }
        let objects = self.store.all_objects()?;
        // Of two that are the same the kernel refused the second, which its note does not know.
        let is_committed = |change: &Change| match change {
            Change::GiveBack(device) => has_device(&objects, device),
            Change::RemoveRoute(route) => objects.iter().any(|o| matches!(&o.thing, Thing::Route(r) if r == route)),
            Change::RemovePath(path) => objects.iter().any(|o| matches!(&o.thing, Thing::Path(p) if p == path)),
            Change::RemoveProxy(proxy) => objects.iter().any(|o| matches!(&o.thing, Thing::Proxy(p) if p == proxy)),
            Change::RemoveRule(rule) => objects.iter().any(|o| matches!(&o.thing, Thing::Rule(r) if r == rule)),
            _ => false,
        };
        for (id, mut undo) in notes {
            undo.retain(|change| !is_committed(change));
            tracing::warn!(?undo, "a call was cut off");
            for error in self.kernel.undo(&[Applied { outcome: Outcome::Done, undo }]) {
                tracing::error!("can't undo: {error}");
            }
            self.store.forget_notes(&[id])?;
        }
        Ok(())
    }

    /// Endpoints whose attach or detach did not come to its end: of the one nobody was told, the other was wanted.
    fn finish_detaches(&self) -> Result<()> {
        for endpoint in self.store.unfinished_endpoints()? {
            tracing::warn!(endpoint = %endpoint.name, "its attach or detach did not come to its end: detached");
            self.detach(&endpoint.network, &endpoint.id)?;
        }
        Ok(())
    }

    /// For namespaces whose gateway endpoint is gone, and no other was made it any more, or was told of it.
    fn elect_gateways(&self) -> Result<()> {
        let sandboxes: BTreeSet<_> = self.store.endpoints(None)?.into_iter().filter_map(|e| e.sandbox).collect();
        for sandbox in sandboxes {
            if let Some((network, _, endpoint)) = self.next_gateway(&sandbox)?
                && let Err(error) = self.become_gateway(&network, &endpoint)
            {
                tracing::warn!("no new gateway endpoint: {error}");
            }
            for (network, _, endpoint) in self.told_of_others(&sandbox)? {
                if let Err(error) = self.become_gateway(&network, &endpoint) {
                    tracing::warn!("a gateway endpoint does not know the other one: {error}");
                }
            }
        }
        Ok(())
    }

    /// The kernel has nothing any more.
    fn make_all_again(&self) -> Result<()> {
        tracing::info!("the machine or its namespace is new: networks are made again");
        let notes: Vec<i64> = self.store.notes()?.into_iter().map(|(id, _)| id).collect();
        self.store.forget_notes(&notes)?;
        for endpoint in self.store.endpoints(None)? {
            self.commit(vec![Write::RemoveEndpoint(endpoint.network, endpoint.id)])?;
        }
        for mut network in self.store.networks()? {
            self.make_again(&mut network)?;
        }
        Ok(())
    }

    /// Makes a network again from its recorded arguments, its driver's memory of it empty. One that can't be made stays
    /// down, with the reason.
    pub(super) fn make_again(&self, network: &mut Network) -> Result<()> {
        let mut writes: Vec<Write> =
            self.store.objects(&network.id, None)?.into_iter().map(|o| Write::RemoveObject(o.id)).collect();
        writes.push(Write::ClearState { network: network.id.clone() });
        let (entries, _) = self.store.entries(&network.id, None)?;
        writes.extend(entries.into_iter().map(|e| {
            let network = network.id.clone();
            Write::Delivered { network, table: e.table, key: e.key, value: None }
        }));
        // Pools that its driver chose the last time are not what was asked for.
        if network.asked.as_ref().is_some_and(|asked| asked.all().all(|data| data.pool.is_none())) {
            network.pools.clear();
            writes.push(Write::ReplacePools { network: network.id.clone(), pools: Vec::new() });
        }
        self.commit(writes)?;
        match self.steps(&network.driver).and_then(|mut steps| steps.create_network(network)) {
            Ok(up) => *network = up,
            Err(Error { message, .. }) => {
                tracing::error!(network = %network.name, "can't be made again: {message}");
                network.down = Some(message);
                self.commit(vec![Write::PutNetwork(network.clone())])?;
            }
        }
        Ok(())
    }

    fn commit(&self, writes: Vec<Write>) -> Result<()> {
        self.store.commit(Batch { writes, durability: Durability::Power, ..Batch::default() })?;
        Ok(())
    }

    /// Removes what carries this instance's mark and no committed call owns. Nothing else may run. Answers what it was.
    fn remove_strays(&self) -> Result<Vec<String>> {
        let objects = self.store.all_objects()?;
        let mut strays = Vec::new();
        for namespace in namespaces(&objects, &self.store.endpoints(None)?) {
            if !self.kernel.exists(&namespace) {
                continue;
            }
            self.kernel.reap(&namespace)?;
            strays.extend(self.stray_links(&namespace, &objects)?);
            strays.extend(self.stray_rules(&namespace, &objects)?);
        }
        strays.extend(self.stray_namespaces(&objects)?);
        strays.extend(self.stray_devices(&objects)?);
        if self.store.is_behind()? {
            let names: Vec<_> = strays.iter().map(|(_, name)| name).collect();
            if !names.is_empty() {
                tracing::warn!(?names, "the store does not know them: they stay until `pontoon gc --orphans`");
            }
            return Ok(Vec::new());
        }
        for error in self.kernel.attempt(&strays.iter().map(|(change, _)| change.clone()).collect::<Vec<_>>()) {
            tracing::error!("can't remove: {error}");
        }
        let names: Vec<String> = strays.into_iter().map(|(_, name)| name).collect();
        if !names.is_empty() {
            tracing::warn!(?names, "removed what no committed call owned");
        }
        Ok(names)
    }

    fn stray_links(&self, namespace: &Namespace, objects: &[Object]) -> Result<Vec<(Change, String)>> {
        let owned: BTreeSet<u32> = objects
            .iter()
            .filter_map(|o| match &o.thing {
                Thing::Link { namespace: n, index, .. } if n == namespace => Some(*index),
                _ => None,
            })
            .collect();
        let stray = |info: &kernel::LinkInfo| info.mark.is_made() && !owned.contains(&info.index);
        let links = self.kernel.links(namespace)?.into_iter().filter(stray);
        Ok(links
            .map(|i| {
                (
                    Change::RemoveLink(LinkKey { namespace: namespace.clone(), index: i.index }),
                    format!("link {}", i.name),
                )
            })
            .collect())
    }

    fn stray_rules(&self, namespace: &Namespace, objects: &[Object]) -> Result<Vec<(Change, String)>> {
        let mut strays = Vec::new();
        let (prefix, host) = (self.nft_prefix(), crate::firewall::table(&self.store));
        // The host's own table is no object of a call; `Firewall::sync` sees to it.
        let chains = self.kernel.nft_own_chains(namespace)?;
        let is_ours = |table: &String| table.starts_with(&prefix) && *table != host;
        for table in self.kernel.nft_tables(namespace)?.into_iter().filter(is_ours) {
            let owned: Vec<&NftHandle> = objects
                .iter()
                .filter_map(|o| match &o.thing {
                    Thing::NftRule { namespace: n, table: t, handle, .. } if n == namespace && *t == table => {
                        Some(handle)
                    }
                    _ => None,
                })
                .collect();
            let sets: BTreeSet<&str> = objects
                .iter()
                .filter_map(|o| match &o.thing {
                    Thing::NftSet { namespace: n, table: t, name, .. } if n == namespace && *t == table => {
                        Some(name.as_str())
                    }
                    _ => None,
                })
                .collect();
            let own_chains: BTreeSet<&NftOwnChain> = objects
                .iter()
                .filter_map(|o| match &o.thing {
                    Thing::NftChain { namespace: n, table: t, chain } if n == namespace && *t == table => Some(chain),
                    _ => None,
                })
                .collect();
            if owned.is_empty() && sets.is_empty() && own_chains.is_empty() {
                let name = format!("nftables table {table}");
                strays.push((Change::RemoveNftTable { namespace: namespace.clone(), table }, name));
                continue;
            }
            let rules = self.kernel.nft_rules(namespace, &table)?;
            let rules: Vec<NftHandle> =
                rules.into_iter().map(|(handle, _)| handle).filter(|h| !owned.contains(&h)).collect();
            if !rules.is_empty() {
                let name = format!("{} nftables rules of {table}", rules.len());
                strays
                    .push((Change::RemoveNftRules { namespace: namespace.clone(), table: table.clone(), rules }, name));
            }
            let of_table = chains.iter().filter(|(of, chain)| *of == table && !own_chains.contains(chain));
            strays.extend(of_table.map(|(_, chain)| {
                let (namespace, table, chain) = (namespace.clone(), table.clone(), chain.clone());
                let name = format!("nftables chain {} of {table}", chain.name);
                (Change::RemoveNftChain { namespace, table, chain }, name)
            }));
            // A note of a set that goes could not be done while such a rule looked into it. (What kind it is of, only undo would need.)
            let there = self.kernel.nft_sets(namespace, &table)?;
            for set in there.into_iter().filter(|set| !sets.contains(set.as_str())) {
                let (namespace, table, kind) = (namespace.clone(), table.clone(), NftSetKind::Ports);
                let name = format!("nftables set {set} of {table}");
                strays.push((Change::RemoveNftSet { namespace, table, set, kind }, name));
            }
        }
        Ok(strays)
    }

    /// Devices whose containers went without a word, after their endpoints: they get their names back.
    fn stray_devices(&self, objects: &[Object]) -> Result<Vec<(Change, String)>> {
        let strays = self.kernel.taken_devices()?.into_iter().filter(|device| !has_device(objects, device));
        let given_back = |device: Device| {
            let name = format!("taking {} for a container", device.name);
            (Change::GiveBack(Box::new(device)), name)
        };
        Ok(strays.map(given_back).collect())
    }

    fn stray_namespaces(&self, objects: &[Object]) -> Result<Vec<(Change, String)>> {
        let owned: BTreeSet<String> = objects
            .iter()
            .filter_map(|o| match &o.thing {
                Thing::Namespace { path, .. } => path.path.file_name().map(|n| n.to_string_lossy().into_owned()),
                _ => None,
            })
            .collect();
        let prefix = self.nft_prefix();
        let names = self.kernel.made_namespaces()?.into_iter().filter(|n| n.starts_with(&prefix) && !owned.contains(n));
        Ok(names.map(|name| (Change::RemoveNamespace(name.clone()), format!("namespace {name}"))).collect())
    }
}

/// The namespaces in which this instance has made something.
fn namespaces(objects: &[Object], endpoints: &[Endpoint]) -> BTreeSet<Namespace> {
    let of_objects = objects.iter().filter_map(|o| match &o.thing {
        Thing::Link { namespace, .. }
        | Thing::NftRule { namespace, .. }
        | Thing::NftChain { namespace, .. }
        | Thing::NftSet { namespace, .. } => Some(namespace.clone()),
        Thing::Namespace { path, .. } => Some(Namespace::At(path.clone())),
        _ => None,
    });
    let of_endpoints = endpoints.iter().filter_map(|e| e.sandbox.clone().map(Namespace::At));
    of_objects.chain(of_endpoints).chain([Namespace::Host]).collect()
}

/// Whether a device is an endpoint's.
fn has_device(objects: &[Object], device: &Device) -> bool {
    let is_it = |other: &Device| (other.index, &other.name) == (device.index, &device.name);
    objects.iter().any(|object| matches!(&object.thing, Thing::Device(other) if is_it(other)))
}

fn identity_text(identity: &HostIdentity) -> String {
    format!("{}/{}", identity.boot, identity.namespace)
}
