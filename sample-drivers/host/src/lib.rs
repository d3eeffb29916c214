//! Docker's host driver: a network for containers that use the host's own, which is there already. Nothing is made, and nothing remembered but
//! which networks there are.

#[cfg(test)]
mod tests;

use pontoon_sdk::store::Key;
use pontoon_sdk::{
    Driver, EndpointOptions, Error, InterfaceInfo, IpamData, JoinInfo, NetworkInfo, NetworkOptions, Registration,
    Result, export_driver,
};

/// The driver.
struct Host;

export_driver!(Host);

impl Driver for Host {
    fn register() -> Registration {
        Registration::new("host")
    }

    fn create_network(
        network: &str,
        _: &NetworkOptions,
        _: &NetworkInfo,
        _: &[IpamData],
        _: &[IpamData],
    ) -> Result<()> {
        let key = key(network);
        if key.get()?.is_some() {
            return Err(Error::already_exists(format!("network {network} is there already")));
        }
        key.set(&())
    }

    fn delete_network(network: &str) -> Result<()> {
        key(network).remove()
    }

    fn create_endpoint(_: &str, _: &str, _: &InterfaceInfo, options: &EndpointOptions) -> Result<()> {
        match options.port_bindings.first() {
            Some(binding) => Err(Error::invalid_argument(format!(
                "port {} can't be published: what a container serves on the host's own network is there already",
                binding.container_port
            ))),
            None => Ok(()),
        }
    }

    fn delete_endpoint(_: &str, _: &str) -> Result<()> {
        Ok(())
    }

    fn join(_: &str, _: &str, _: &str, _: &JoinInfo, _: &EndpointOptions) -> Result<()> {
        Ok(())
    }
}

/// That a network is there.
fn key(network: &str) -> Key<()> {
    Key::new(format!("network/{network}"))
}
