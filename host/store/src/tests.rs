//! The store, in both directions: what it takes comes back, what it must refuse is refused and changes nothing.

mod commits;
mod files;
mod held;
mod kill;
mod known;
mod leases;
mod pools;
mod records;
mod room;
mod tables;
mod timing;
mod versions;
mod witness;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use grant::Grant;
use kernel::{Namespace, NamespacePath};
use operation::driver::Scope;
use operation::network::Pool;
use operation::origin::Origin;
use words::{Id, Name};

/// A folder of its own that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let unique = format!("pontoon-store-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        Self(std::env::temp_dir().join(unique))
    }

    fn database(&self) -> PathBuf {
        self.0.join("pontoon.db")
    }

    /// What `open` says when it must refuse: one line, which names the file or folder.
    fn refusal(&self) -> Error {
        let error = Store::open(&self.0).expect_err("open must refuse");
        let line = error.to_string();
        assert!(!line.contains('\n') && line.contains(self.0.to_str().unwrap()), "{line}");
        error
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A store in a folder of its own.
struct Scratch {
    store: Store,
    _folder: Folder,
}

impl Deref for Scratch {
    type Target = Store;
    fn deref(&self) -> &Store {
        &self.store
    }
}

fn scratch() -> Scratch {
    let folder = Folder::new();
    Scratch { store: Store::open(&folder.0).unwrap(), _folder: folder }
}

/// Commits writes without checks.
fn put<const N: usize>(store: &Store, writes: [Write; N]) -> Result<Vec<i64>> {
    store.commit(Batch { writes: writes.into(), ..Batch::default() })
}

/// Finds an address and takes it.
fn take(store: &Store, network: &str, pool: &Pool, wanted: Option<IpAddr>, owner: &str) -> Result<IpAddr> {
    let address = store.find_address(&id(network), pool, wanted, owner)?;
    let (network, pool, owner) = (id(network), pool.clone(), owner.to_owned());
    put(store, [Write::Lease { network, pool, address, owner, next: wanted.is_none() }])?;
    Ok(address)
}

fn id(text: &str) -> Id {
    Id::new(text).unwrap()
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn driver(text: &str) -> Driver {
    Driver {
        name: name(text),
        digest: "00".repeat(32),
        size: 1 << 40,
        network_type: "bridge".into(),
        data_scope: Scope::Local,
        connectivity_scope: Scope::Global,
        parts: vec!["driver".into()],
        ipam: None,
        configuration: BTreeMap::from([("a".into(), "b\"ä".into())]),
        grant: Grant::default(),
        version: Version::default(),
        earlier: Vec::new(),
        schema: 0,
    }
}

fn pool(subnet: &str) -> Pool {
    Pool { subnet: subnet.parse().unwrap(), range: None, gateway: None, aux_addresses: BTreeMap::new() }
}

fn network(network: &str, called: &str) -> Network {
    Network {
        id: id(network),
        serial: 0,
        name: name(called),
        driver: name("bridge"),
        pools: vec![Pool { gateway: "10.5.0.1".parse().ok(), ..pool("10.5.0.0/24") }, pool("fd00::/64")],
        asked: None,
        ipv4: true,
        ipv6: true,
        internal: false,
        options: BTreeMap::from([("k".into(), "v".into())]),
        other: BTreeMap::from([("o".into(), "[1]".into())]),
        ipam: None,
        address_space: "LocalDefault".into(),
        origin: Origin::Native,
        global: false,
        allocated: true,
        down: Some("no driver".into()),
        created: 1_700_000_000,
    }
}

fn namespace(path: &str, inode: u64) -> NamespacePath {
    NamespacePath { path: path.into(), inode }
}

fn endpoint(network: &str, endpoint: &str, called: &str) -> Endpoint {
    Endpoint {
        id: id(endpoint),
        network: id(network),
        name: name(called),
        origin: Origin::Native,
        sandbox: Some(namespace(&format!("/run/netns/{called}"), 4_026_531_840)),
        joined: None,
        interface: Some((7, words::LinkName::new("eth0").unwrap())),
        mac: "02:42:0a:05:00:02".parse().ok(),
        address: "10.5.0.2/24".parse().ok(),
        address_ipv6: "fd00::2/64".parse().ok(),
        gateway: "10.5.0.1".parse().ok(),
        gateway_ipv6: None,
        needs_no_gateway: false,
        needs_no_gateway_ipv6: false,
        is_gateway: true,
        is_gateway_ipv6: false,
        told_gateways: Default::default(),
        gateway_priority: 0,
        request: None,
        ports: Vec::new(),
        options: BTreeMap::new(),
        attached: true,
        created: 1_700_000_000,
    }
}

fn link(network: &str, endpoint: Option<&str>, namespace: Namespace, index: u32, called: &str) -> Object {
    let thing = Thing::Link { namespace, index, name: called.into(), peer: None, parent: None, again: None };
    Object { id: 0, network: id(network), endpoint: endpoint.map(id), thing }
}

fn set(driver: &str, key: &str, network: &str, value: &str) -> Write {
    Write::SetState { driver: name(driver), key: key.into(), network: id(network), value: value.into() }
}

fn entry(network: &str, key: &str, owner: &str, value: &str) -> Write {
    Write::PutEntry {
        network: id(network),
        table: "peers".into(),
        key: key.into(),
        owner: owner.into(),
        endpoint: None,
        value: value.into(),
    }
}
