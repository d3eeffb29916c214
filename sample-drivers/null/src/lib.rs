//! Docker's null driver: one network, and nothing in it.

#[cfg(test)]
mod tests;

use pontoon_sdk::store::{self, Key};
use pontoon_sdk::{
    Driver, EndpointOptions, Error, InterfaceInfo, IpamData, JoinInfo, NetworkInfo, NetworkOptions, Registration,
    Result, export_driver,
};

/// The driver.
struct Null;

export_driver!(Null);

/// Where the one network is remembered.
const NETWORKS: &str = "network/";

impl Driver for Null {
    fn register() -> Registration {
        Registration::new("null")
    }

    fn create_network(
        network: &str,
        _: &NetworkOptions,
        _: &NetworkInfo,
        _: &[IpamData],
        _: &[IpamData],
    ) -> Result<()> {
        if !store::list_bytes(NETWORKS)?.is_empty() {
            return Err(Error::forbidden("only one instance of \"null\" network is allowed"));
        }
        Key::new(format!("{NETWORKS}{network}")).set(&())
    }

    fn delete_network(network: &str) -> Result<()> {
        Key::<()>::new(format!("{NETWORKS}{network}")).remove()
    }

    fn create_endpoint(_: &str, _: &str, _: &InterfaceInfo, _: &EndpointOptions) -> Result<()> {
        Ok(())
    }

    fn delete_endpoint(_: &str, _: &str) -> Result<()> {
        Ok(())
    }

    fn join(_: &str, _: &str, _: &str, _: &JoinInfo, _: &EndpointOptions) -> Result<()> {
        Ok(())
    }
}
