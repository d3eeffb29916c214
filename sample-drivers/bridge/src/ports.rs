//! The ports that an endpoint publishes.

use pontoon_outside::ports::{self, Container, Gateways, Published};
use pontoon_sdk::{PortBinding, Result};

use crate::endpoint::Endpoint;
use crate::network::Network;

/// Publishes these ports instead of those that were published before.
pub(crate) fn publish(network: &str, endpoint: &str, gateways: Gateways, bindings: &[PortBinding]) -> Result<()> {
    let before = revoke(network, endpoint)?;
    let Network { internal, host_binding, .. } = Network::find(network)?;
    let mut record = Endpoint::find(network, endpoint)?;
    if internal {
        return Ok(());
    }
    let container = Container { ipv4: record.ipv4, ipv6: record.ipv6, host_binding };
    record.published = ports::publish(&container, gateways, bindings, &before)?;
    ports::keep(&Endpoint::key(network, endpoint), &record, record.published.len())
}

/// Takes all ports back and says which they were. There is nothing to do for an endpoint without any, or for none.
pub(crate) fn revoke(network: &str, endpoint: &str) -> Result<Vec<Published>> {
    let key = Endpoint::key(network, endpoint);
    let Some(mut record) = key.get()? else { return Ok(Vec::new()) };
    let published = std::mem::take(&mut record.published);
    if !published.is_empty() {
        ports::revoke(&published)?;
        key.set(&record)?;
    }
    Ok(published)
}
