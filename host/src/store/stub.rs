//! The API without its bodies, to compile against.
#![expect(unused_variables, missing_docs, reason = "a skeleton for an hour")]

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;

use super::*;
use crate::kernel::Namespace;
use crate::operation::network::Pool;
use crate::operation::{Id, Name};

/// The store.
#[derive(Debug)]
pub struct Store {}

fn stub<T>() -> Result<T> {
    Err(Error::Invalid("the store is not written yet".to_owned()))
}

impl Store {
    pub fn open(folder: &Path) -> Result<Self> {
        stub()
    }
    /// 1 to 2^22 - 1.
    pub fn instance(&self) -> u32 {
        1
    }
    pub fn meta(&self, key: &str) -> Result<Option<String>> {
        stub()
    }
    pub fn set_meta(&self, key: &str, value: &str) -> Result<()> {
        stub()
    }
    pub fn commit(&self, batch: Batch) -> Result<Vec<i64>> {
        stub()
    }

    pub fn drivers(&self) -> Result<Vec<Driver>> {
        stub()
    }
    pub fn driver(&self, name: &Name) -> Result<Option<Driver>> {
        stub()
    }

    pub fn networks(&self) -> Result<Vec<Network>> {
        stub()
    }
    pub fn network(&self, id: &Id) -> Result<Option<Network>> {
        stub()
    }
    pub fn find_network(&self, text: &str) -> Result<Vec<Network>> {
        stub()
    }
    pub fn networks_of_driver(&self, driver: &Name) -> Result<Vec<Network>> {
        stub()
    }
    pub fn network_count(&self, driver: &Name) -> Result<usize> {
        stub()
    }

    pub fn endpoints(&self, network: Option<&Id>) -> Result<Vec<Endpoint>> {
        stub()
    }
    pub fn endpoint(&self, network: &Id, id: &Id) -> Result<Option<Endpoint>> {
        stub()
    }
    pub fn find_endpoint(&self, network: Option<&Id>, text: &str) -> Result<Vec<Endpoint>> {
        stub()
    }
    pub fn endpoints_in_sandbox(&self, inode: u64) -> Result<Vec<Endpoint>> {
        stub()
    }
    pub fn endpoint_count(&self, network: &Id) -> Result<usize> {
        stub()
    }
    pub fn endpoint_counts(&self) -> Result<BTreeMap<Id, usize>> {
        stub()
    }

    pub fn objects(&self, network: &Id, endpoint: Option<Option<&Id>>) -> Result<Vec<Object>> {
        stub()
    }
    pub fn object(&self, id: i64) -> Result<Option<Object>> {
        stub()
    }
    pub fn all_objects(&self) -> Result<Vec<Object>> {
        stub()
    }
    pub fn owner_of_link(&self, namespace: &Namespace, index: u32) -> Result<Option<Object>> {
        stub()
    }
    pub fn link_by_name(&self, network: &Id, namespace: &Namespace, name: &str) -> Result<Option<Object>> {
        stub()
    }

    pub fn state(&self, driver: &Name, key: &str) -> Result<Option<(Vec<u8>, i64)>> {
        stub()
    }
    #[expect(clippy::type_complexity, reason = "pairs of key and value, as the WIT has them")]
    pub fn state_list(&self, driver: &Name, prefix: &str) -> Result<(Vec<(String, Vec<u8>)>, ListVersion)> {
        stub()
    }
    /// Count of keys, and bytes of keys and values.
    pub fn state_size(&self, driver: &Name) -> Result<(u64, u64)> {
        stub()
    }

    pub fn entry(&self, network: &Id, table: &str, key: &str) -> Result<Option<(TableEntry, i64)>> {
        stub()
    }
    pub fn entries(&self, network: &Id, table: Option<&str>) -> Result<(Vec<TableEntry>, ListVersion)> {
        stub()
    }
    pub fn watches(&self, network: &Id) -> Result<Vec<(String, u8)>> {
        stub()
    }
    pub fn undelivered(&self, network: &Id) -> Result<Vec<Undelivered>> {
        stub()
    }

    /// Replaces the network's pools (none: frees them).
    pub fn claim_pools(&self, network: &Id, pools: &[IpNet]) -> Result<()> {
        stub()
    }
    pub fn free_pool(&self, candidates: impl IntoIterator<Item = IpNet>) -> Result<IpNet> {
        stub()
    }
    pub fn lease_address(&self, network: &Id, pool: &Pool, wanted: Option<IpAddr>, owner: &str) -> Result<IpAddr> {
        stub()
    }
    pub fn release_address(&self, network: &Id, address: IpAddr) -> Result<()> {
        stub()
    }
    pub fn release_owner(&self, network: &Id, owner: &str) -> Result<()> {
        stub()
    }
    pub fn leases(&self, network: &Id) -> Result<Vec<Lease>> {
        stub()
    }
    /// At start, before any operation: frees pools without a network and leases without an endpoint.
    pub fn release_orphans(&self) -> Result<usize> {
        stub()
    }
}
