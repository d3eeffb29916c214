//! Which ports of the host an endpoint has where its user left the choice: by what the host itself took down of them, whichever its driver is.

use std::collections::BTreeSet;

use super::Inner;
use kernel::HostPort;
use operation::endpoint::PortBinding;
use store::{Endpoint, Thing};
use words::Result;

impl Inner {
    /// An endpoint's bindings, each choice with the port that was taken for it. Where several ports would do, they were taken in the order
    /// of the bindings.
    pub(super) fn published(&self, endpoint: &Endpoint) -> Result<Vec<PortBinding>> {
        if !endpoint.ports.iter().any(is_choice) {
            return Ok(endpoint.ports.clone());
        }
        let objects = self.store.objects(&endpoint.network, Some(Some(&endpoint.id)))?;
        let taken = objects.into_iter().filter_map(|object| match object.thing {
            Thing::Port(port) => Some(port),
            _ => None,
        });
        Ok(with_taken(endpoint.ports.clone(), &taken.collect::<Vec<_>>()))
    }
}

fn is_choice(binding: &PortBinding) -> bool {
    binding.host_port == 0 || binding.host_port_end > binding.host_port && binding.container_port_end == 0
}

fn with_taken(mut bindings: Vec<PortBinding>, taken: &[HostPort]) -> Vec<PortBinding> {
    let number = |binding: &PortBinding| (binding.protocol as u8, binding.host_port);
    let mut told: BTreeSet<(u8, u16)> = bindings.iter().filter(|b| !is_choice(b)).map(number).collect();
    for binding in bindings.iter_mut().filter(|binding| is_choice(binding)) {
        let found = taken.iter().find(|port| fits(binding, port) && !told.contains(&(port.protocol, port.port)));
        if let Some(port) = found {
            (binding.host_port, binding.host_port_end) = (port.port, 0);
            told.insert((port.protocol, port.port));
        }
    }
    bindings
}

fn fits(binding: &PortBinding, port: &HostPort) -> bool {
    let in_range = binding.host_port == 0 || (binding.host_port..=binding.host_port_end).contains(&port.port);
    let at_address = binding.host_address.is_none_or(|address| address == port.address);
    port.more == 0 && port.protocol == binding.protocol as u8 && in_range && at_address
}

#[cfg(test)]
mod tests {
    use super::*;
    use operation::endpoint::Protocol;

    fn binding(protocol: Protocol, container_port: u16, host_port: u16, host_port_end: u16) -> PortBinding {
        let (container_address, host_address) = (None, None);
        PortBinding {
            protocol,
            container_port,
            container_port_end: 0,
            container_address,
            host_address,
            host_port,
            host_port_end,
        }
    }

    fn port(protocol: u8, port: u16, address: &str) -> HostPort {
        HostPort { protocol, port, more: 0, address: address.parse().unwrap() }
    }

    #[test]
    fn a_choice_is_told_by_what_was_taken() {
        use Protocol::{Tcp, Udp};
        let local = PortBinding { host_address: "127.0.0.1".parse().ok(), ..binding(Tcp, 82, 0, 0) };
        let bindings = vec![
            binding(Tcp, 80, 0, 0),
            binding(Tcp, 81, 40_001, 0),
            binding(Udp, 53, 0, 0),
            local,
            binding(Tcp, 83, 8080, 8090),
            binding(Tcp, 84, 0, 0),
            binding(Tcp, 85, 0, 0),
        ];
        let taken = [
            port(6, 40_001, "0.0.0.0"),
            port(6, 40_002, "0.0.0.0"),
            port(6, 40_002, "::"),
            port(17, 40_001, "0.0.0.0"),
            port(6, 40_003, "127.0.0.1"),
            port(6, 8081, "0.0.0.0"),
            HostPort { more: 9, ..port(6, 50_000, "0.0.0.0") },
            port(6, 40_004, "0.0.0.0"),
        ];
        let told: Vec<_> = with_taken(bindings, &taken).iter().map(|b| (b.host_port, b.host_port_end)).collect();
        let expected = [40_002, 40_001, 40_001, 40_003, 8081, 40_004, 0].map(|port| (port, 0));
        assert_eq!(told, expected, "of the last nothing is known");
    }
}
