//! What a container engine has forgotten without telling: it was killed, or gave up on a daemon that was away.
//!
//! Two witnesses: the kernel, which removes a pair of links with its container's namespace, and the engine, if it can be asked. What
//! carries a container's packets stays, whatever an engine says that may not be the one that made it. But a stranger's process keeps a
//! namespace after its container has ended: so an engine that has the network is believed where its sandbox is gone, too.

use std::collections::BTreeSet;
use std::net::IpAddr;

use rustix::io::Errno;

use super::{Controller, Inner};
use kernel::{LinkKey, Mark, NSFS_MAGIC, Namespace};
use operation::engine::Known;
use operation::origin::Origin;
use operation::table::Collected;
use store::{Endpoint, Network, Thing};
use words::LinkName;
use words::{Error, Kind, Name, Result};

/// Seconds in which a thing may be on its way: made here, and not written down by the engine yet.
const ON_ITS_WAY: u64 = 10;

/// What the kernel has of an endpoint's pair of links.
#[derive(Clone, Copy, PartialEq)]
enum Pair {
    /// It has none, or of another kind: the kernel can't tell.
    Unknown,
    /// It was removed with the container's namespace.
    Gone,
    /// One end is in a container.
    InUse,
    /// Both ends are on the host: the endpoint has not joined, or has left.
    OnHost,
}

impl Controller {
    /// Does something. If what it wants is taken, or no address is left, the endpoints whose containers are gone are removed, and it is done
    /// once more: nobody tells of a container that was killed with its runtime, and its successor wants the same ports and addresses.
    pub(super) async fn without_dead<T, W>(&self, work: impl Fn() -> W) -> Result<T>
    where
        W: Future<Output = Result<T>>,
    {
        match work().await {
            Err(error) if is_taken(&error) && self.remove_dead_endpoints().await? => {
                tracing::info!("{error}: tried again without dead endpoints");
                work().await
            }
            done => done,
        }
    }

    /// Removes the endpoints whose containers are gone. Answers whether there were any.
    async fn remove_dead_endpoints(&self) -> Result<bool> {
        let dead = self.plain(Inner::dead_endpoints).await?;
        for (endpoint, driver) in dead.clone() {
            let network = endpoint.network.clone();
            self.on_network(network, driver, move |inner| inner.remove_if_dead(&endpoint)).await?;
        }
        Ok(!dead.is_empty())
    }
}

/// Somebody has it: a name, an address, or (of a range, where the driver can't say who) a port of the host. Or all of a pool are taken.
fn is_taken(error: &Error) -> bool {
    let all_taken = [Errno::ADDRINUSE, Errno::ADDRNOTAVAIL].map(|errno| Some(errno.raw_os_error()));
    error.kind == Kind::AlreadyExists || all_taken.contains(&error.errno)
}

impl Inner {
    /// All of it. `known`: what an engine knew a moment ago. It judges only what was made for that engine.
    pub(super) fn remove_forgotten(&self, known: Option<&Known>, collected: &mut Collected) -> Result<()> {
        for network in self.store.networks()? {
            self.remove_endpoints_of(&network, known, &mut collected.endpoints)?;
            let Some(known) = known.filter(|known| known.origin.knows_of(&network.origin)) else { continue };
            let unknown = !known.networks.contains(&network.id) && is_old(network.created, known);
            if unknown && self.store.endpoint_count(&network.id)? == 0 {
                collected.forgotten.push(format!("network {}", network.name));
                self.delete_network(&network, false)?;
            }
        }
        match known {
            Some(known) => {
                self.leave_forgotten(known, collected)?;
                self.release_forgotten_pools(known, collected)
            }
            None => Ok(()),
        }
    }

    /// Only endpoints, and only of networks that the engine knows: so it is the one that made them.
    pub(super) fn remove_forgotten_endpoints(&self, known: &Known) -> Result<Vec<String>> {
        let mut removed = Vec::new();
        for network in self.store.networks()?.iter().filter(|network| known.networks.contains(&network.id)) {
            self.remove_endpoints_of(network, Some(known), &mut removed)?;
        }
        Ok(removed)
    }

    /// The endpoints of a network whose sandboxes an engine keeps: whether they are there, their links tell.
    fn endpoints_of_engine(&self, network: &Network) -> Result<Vec<Endpoint>> {
        let endpoints = self.store.endpoints(Some(&network.id))?;
        Ok(endpoints.into_iter().filter(|endpoint| endpoint.sandbox.is_none()).collect())
    }

    fn remove_endpoints_of(&self, network: &Network, known: Option<&Known>, removed: &mut Vec<String>) -> Result<()> {
        for endpoint in self.endpoints_of_engine(network)? {
            let pair = self.pair(&endpoint)?;
            let forgotten = match known.filter(|known| known.origin.knows_of(&endpoint.origin)) {
                None => pair == Pair::Gone,
                Some(known) if known.endpoints.contains(&endpoint.id) => false,
                Some(known) => {
                    let made_it = known.networks.contains(&network.id);
                    let is_in_use = pair == Pair::InUse && !(made_it && is_sandbox_removed(&endpoint));
                    pair == Pair::Gone || !is_in_use && is_old(endpoint.created, known)
                }
            };
            if !forgotten {
                continue;
            }
            let address = endpoint.address.map(|address| address.to_string()).unwrap_or_default();
            match self.forget_endpoint(network, &endpoint).and_then(|_| self.release_addresses_of(network, &endpoint)) {
                Ok(()) => removed.push(format!("{} {address} of network {}", endpoint.name, network.name)),
                // It must not keep the others.
                Err(error) => {
                    tracing::warn!(network = %network.name, endpoint = %endpoint.name, "can't remove: {error}")
                }
            }
        }
        Ok(())
    }

    fn release_forgotten_pools(&self, known: &Known, collected: &mut Collected) -> Result<()> {
        let used = self.addresses_of_endpoints()?;
        for pool in self.store.taken_pools()?.into_iter().filter(|pool| known.origin.knows_of(&pool.origin)) {
            if !known.subnets.contains(&pool.pool.subnet) && is_old(pool.created, known) {
                collected.forgotten.push(format!("pool {}", pool.pool.subnet));
                self.release_pool(&pool.id)?;
                continue;
            }
            for address in self.store.leases_until(&pool.id, known.asked.saturating_sub(ON_ITS_WAY))? {
                if !known.addresses.contains(&address) && !used.contains(&address) {
                    collected.forgotten.push(format!("address {address} of pool {}", pool.pool.subnet));
                    self.release_one_address(&pool.id, address);
                }
            }
        }
        Ok(())
    }

    fn addresses_of_endpoints(&self) -> Result<BTreeSet<IpAddr>> {
        Ok(self.store.endpoints(None)?.iter().flat_map(addresses_of).collect())
    }

    /// The endpoints whose containers are gone, and their drivers.
    fn dead_endpoints(&self) -> Result<Vec<(Endpoint, Name)>> {
        let mut dead = Vec::new();
        for network in self.store.networks()? {
            for endpoint in self.store.endpoints(Some(&network.id))? {
                if self.is_dead(&endpoint)? {
                    dead.push((endpoint, network.driver.clone()));
                }
            }
        }
        Ok(dead)
    }

    /// Its namespace is gone, or of an engine's, its links are.
    pub(super) fn is_dead(&self, endpoint: &Endpoint) -> Result<bool> {
        match &endpoint.sandbox {
            Some(sandbox) => Ok(!self.kernel.exists(&Namespace::At(sandbox.clone()))),
            None => Ok(self.pair(endpoint)? == Pair::Gone),
        }
    }

    /// In its network's turn: by then it may be gone.
    fn remove_if_dead(&self, endpoint: &Endpoint) -> Result<()> {
        let network = self.store.network(&endpoint.network)?;
        let endpoint = self.store.endpoint(&endpoint.network, &endpoint.id)?;
        if let (Some(network), Some(endpoint)) = (network, endpoint)
            && self.is_dead(&endpoint)?
        {
            self.forget_endpoint(&network, &endpoint)?;
            self.release_addresses_of(&network, &endpoint)?;
        }
        Ok(())
    }

    /// Gives back what an engine took from here for an endpoint that it does not know any more, and no other has by now.
    fn release_addresses_of(&self, network: &Network, endpoint: &Endpoint) -> Result<()> {
        if network.origin == Origin::Native {
            return Ok(());
        }
        let used = self.addresses_of_endpoints()?;
        let addresses: Vec<IpAddr> = addresses_of(endpoint).filter(|address| !used.contains(address)).collect();
        for pool in self.store.taken_pools()? {
            for address in addresses.iter().filter(|address| pool.pool.subnet.contains(*address)) {
                self.release_one_address(&pool.id, *address);
            }
        }
        Ok(())
    }

    fn pair(&self, endpoint: &Endpoint) -> Result<Pair> {
        let (mut ends, mut there) = (0, 0);
        for object in self.store.objects(&endpoint.network, Some(Some(&endpoint.id)))? {
            let Thing::Link { namespace, index, name, peer: Some(_), .. } = object.thing else { continue };
            ends += 1;
            there += u32::from(self.has_end(&LinkKey { namespace, index }, &name)?);
        }
        Ok(match (ends, there) {
            (0, _) => Pair::Unknown,
            (_, 0) => Pair::Gone,
            (ends, there) if there < ends => Pair::InUse,
            _ => Pair::OnHost,
        })
    }

    /// Whether an end is where it was made, or back on the host: by its index, which a new name does not change, or by its name, because
    /// dockerd moves one end to its container and back, and that may change its index.
    fn has_end(&self, key: &LinkKey, name: &str) -> Result<bool> {
        let is_ours = |mark: Mark| mark == Mark::Owned;
        match self.kernel.link(key).map_err(Error::from) {
            Ok(Some(link)) if is_ours(link.mark) => return Ok(true),
            Err(error) if self.kernel.exists(&key.namespace) => return Err(error),
            _ => {}
        }
        let named = self.kernel.link_by_name(&Namespace::Host, &LinkName::new(name)?)?;
        Ok(named.is_some_and(|link| is_ours(link.mark)))
    }
}

/// Both families.
pub(super) fn addresses_of(endpoint: &Endpoint) -> impl Iterator<Item = IpAddr> + use<> {
    let ipv4 = endpoint.address.map(|net| IpAddr::from(net.addr()));
    ipv4.into_iter().chain(endpoint.address_ipv6.map(|net| net.addr().into()))
}

/// Whether no namespace is any more where an engine said that the sandbox is: it takes it away with the container, and leaves an empty
/// file for a while.
fn is_sandbox_removed(endpoint: &Endpoint) -> bool {
    let Some(path) = &endpoint.joined else { return false };
    match rustix::fs::statfs(path) {
        Ok(there) => there.f_type != NSFS_MAGIC,
        Err(error) => error == Errno::NOENT,
    }
}

fn is_old(created: u64, known: &Known) -> bool {
    created + ON_ITS_WAY <= known.asked
}
