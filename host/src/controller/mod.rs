//! libnetwork's role: which driver serves which network, the order of calls of a network, sandboxes, commits.

use crate::operation::driver::{Driver, DriverDetails, LoadDriver};
use crate::operation::endpoint::{Attach, Attached, Endpoint};
use crate::operation::network::{CreateNetwork, CreatedNetwork, Network, NetworkDetails, Removed};
use crate::operation::table::{Collected, Entry, PutEntry, Version};
use crate::operation::{Error, Name, Result};

/// What front ends speak to.
#[derive(Clone)]
pub struct Controller {}

#[expect(missing_docs, unused_variables, clippy::unused_async, reason = "being built")]
impl Controller {
    pub async fn load_driver(&self, load: LoadDriver) -> Result<DriverDetails> { Err(Error::internal("not yet")) }
    pub async fn drivers(&self) -> Result<Vec<Driver>> { Err(Error::internal("not yet")) }
    pub async fn driver(&self, name: &Name) -> Result<DriverDetails> { Err(Error::internal("not yet")) }
    pub async fn remove_driver(&self, name: &Name) -> Result<()> { Err(Error::internal("not yet")) }
    pub async fn create_network(&self, create: CreateNetwork) -> Result<CreatedNetwork> { Err(Error::internal("not yet")) }
    pub async fn networks(&self) -> Result<Vec<Network>> { Err(Error::internal("not yet")) }
    /// By name, id, or the start of an id that only one has.
    pub async fn network(&self, network: &str, verbose: bool) -> Result<NetworkDetails> { Err(Error::internal("not yet")) }
    pub async fn remove_network(&self, network: &str) -> Result<Removed> { Err(Error::internal("not yet")) }
    pub async fn attach(&self, network: &str, attach: Attach) -> Result<Attached> { Err(Error::internal("not yet")) }
    /// By name, id, the start of an id, or namespace (path or name); `network` may be left out where only one fits.
    pub async fn detach(&self, network: Option<&str>, endpoint: &str) -> Result<Removed> { Err(Error::internal("not yet")) }
    pub async fn endpoints(&self, network: Option<&str>) -> Result<Vec<Endpoint>> { Err(Error::internal("not yet")) }
    pub async fn entries(&self, network: &str, table: Option<&str>) -> Result<Vec<Entry>> { Err(Error::internal("not yet")) }
    pub async fn put_entry(&self, network: &str, table: &str, key: &str, put: PutEntry) -> Result<()> { Err(Error::internal("not yet")) }
    pub async fn remove_entry(&self, network: &str, table: &str, key: &str) -> Result<()> { Err(Error::internal("not yet")) }
    pub async fn collect_garbage(&self) -> Result<Collected> { Err(Error::internal("not yet")) }
    pub fn version(&self) -> Version { Version { version: String::new(), interface: String::new(), wasmtime: String::new(), schema: 0 } }
}
