//! A network over several hosts: a bridge and a vxlan link on each, and a table that says where every container is.
//!
//! `driver load --set address=ADDRESS` is the address by which the other hosts reach this one.

use std::net::IpAddr;

use pontoon_sdk::links::{self, LinkEnd, LinkKind, LinkSpec, VxlanOptions};
use pontoon_sdk::neighbours::{self, ForwardingEntry, Neighbour};
use pontoon_sdk::store::Key;
use pontoon_sdk::*;

/// An entry for each endpoint: its key is the endpoint's id, its value a `Peer`.
const TABLE: &str = "peers";

/// What the kernel leaves of 1500 bytes.
const MTU: u32 = 1450;

struct Overlay;

export_driver!(Overlay);
export_table_watcher!(Overlay);

/// Where a container is.
struct Peer {
    mac_address: MacAddress,
    host: IpAddr,
    addresses: Vec<IpAddr>,
}

impl Driver for Overlay {
    fn register() -> Registration {
        Registration::new("@NAME@")
    }

    fn create_network(
        network: &str,
        options: &NetworkOptions,
        info: &NetworkInfo,
        _: &[IpamData],
        _: &[IpamData],
    ) -> Result<()> {
        let mtu = Some(
            options
                .generic
                .parse("com.docker.network.driver.mtu")?
                .unwrap_or(MTU),
        );
        let host = host()?;
        let bridge = LinkEnd {
            mtu,
            up: true,
            ..LinkEnd::named(name("mb", network))
        };
        let bridge = links::add_one(LinkSpec::bridge(bridge))?.link;
        let end = LinkEnd {
            mtu,
            master: Some(&bridge),
            up: true,
            ..LinkEnd::named(name("mx", network))
        };
        let vni = 1 + hash(network) % 0x00ff_ffff;
        let (parent, remote, learning) = (None, None, false);
        let vxlan = VxlanOptions {
            vni,
            port: 4789,
            parent,
            local: Some(host),
            remote,
            learning,
            proxy: true,
        };
        links::add_one(LinkSpec {
            end,
            kind: LinkKind::Vxlan(vxlan),
        })?;
        info.table_event_register(TABLE, ObjectType::Endpoint)
    }

    fn delete_network(_: &str) -> Result<()> {
        Ok(()) // What a network still owns goes with it.
    }

    fn create_endpoint(
        network: &str,
        endpoint: &str,
        info: &InterfaceInfo,
        _: &EndpointOptions,
    ) -> Result<()> {
        let bridge = links::get(None, &name("mb", network))?;
        let mtu = Some(bridge.info()?.mtu);
        let mac_address = info.mac_address().unwrap_or_else(MacAddress::random);
        if info.mac_address().is_none() {
            info.set_mac_address(mac_address)?;
        }
        let end = LinkEnd {
            mtu,
            master: Some(&bridge),
            up: true,
            ..LinkEnd::named(name("mh", endpoint))
        };
        let container = LinkEnd {
            mtu,
            mac_address: Some(mac_address),
            ..LinkEnd::named(name("mc", endpoint))
        };
        links::add_one(LinkSpec::veth(end, container))?;
        let addresses = info
            .address()
            .into_iter()
            .chain(info.address_ipv6())
            .map(|address| address.addr());
        let peer = Peer {
            mac_address,
            host: host()?,
            addresses: addresses.collect(),
        };
        entry(network, endpoint).set(&written(&peer))
    }

    fn delete_endpoint(network: &str, endpoint: &str) -> Result<()> {
        entry(network, endpoint).remove() // Its links go with it.
    }

    fn join(
        network: &str,
        endpoint: &str,
        _: &str,
        info: &JoinInfo,
        _: &EndpointOptions,
    ) -> Result<()> {
        let missing = || Error::not_found(format!("no endpoint {endpoint}"));
        let value = entry(network, endpoint).get()?.ok_or_else(missing)?;
        let link = links::get(None, &name("mc", endpoint))?;
        info.interface_name().set_names(&link, "eth", None)?;
        info.add_table_entry(TABLE, endpoint, value.as_bytes())
    }
}

impl TableWatcher for Overlay {
    fn event_notify(network: &str, _: &str, key: &str, event: &TableEvent) -> Result<()> {
        let (gone, new) = match event {
            TableEvent::Created(value) => (None, Some(value)),
            TableEvent::Updated { previous, value } => (Some(previous), Some(value)),
            TableEvent::Deleted(value) => (Some(value), None),
        };
        if let Some(peer) = gone.and_then(|value| read(value)) {
            connect(
                network,
                &peer,
                neighbours::remove,
                neighbours::remove_forwarding,
            )?;
        }
        match new.map(|value| read(value)) {
            Some(Some(peer)) => {
                connect(network, &peer, neighbours::add, neighbours::add_forwarding)
            }
            // An error would bring the same entry again.
            Some(None) => {
                log::warn(format!("{TABLE}: {key} is no entry of this driver's"));
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn decode_table_entry(_: &str, _: &str, value: &[u8]) -> Result<(String, TextMap)> {
        let peer =
            read(value).ok_or_else(|| Error::invalid_argument("no MAC, host and addresses"))?;
        let addresses: Vec<_> = peer.addresses.iter().map(ToString::to_string).collect();
        let details = [
            ("mac", peer.mac_address.to_string()),
            ("addresses", addresses.join(" ")),
        ];
        Ok((format!("a container on {}", peer.host), details.into()))
    }
}

/// The address by which the other hosts reach this one.
fn host() -> Result<IpAddr> {
    let value = configuration::get("address").unwrap_or_default();
    let wrong = |_| {
        format!(
            "address=\"{value}\" is none: load the driver with --set address=ADDRESS, this host's own"
        )
    };
    value
        .parse()
        .map_err(|error| Error::invalid_argument(wrong(error)))
}

fn entry(network: &str, endpoint: &str) -> Key<String> {
    Key::new(format!("endpoint/{network}/{endpoint}")).version(1)
}

fn written(peer: &Peer) -> String {
    let words = [peer.mac_address.to_string(), peer.host.to_string()].into_iter();
    words
        .chain(peer.addresses.iter().map(ToString::to_string))
        .collect::<Vec<_>>()
        .join(" ")
}

fn read(value: &[u8]) -> Option<Peer> {
    let mut words = std::str::from_utf8(value).ok()?.split(' ');
    let (mac_address, host) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some(Peer {
        mac_address,
        host,
        addresses: words.map(|word| word.parse().ok()).collect::<Option<_>>()?,
    })
}

/// Tells the kernel where a container is, or that it is there no more.
fn connect(
    network: &str,
    peer: &Peer,
    neighbour: fn(&[Neighbour<'_>]) -> Result<()>,
    forwarding: fn(&[ForwardingEntry<'_>]) -> Result<()>,
) -> Result<()> {
    let link = &links::get(None, &name("mx", network))?;
    let mac_address = peer.mac_address;
    let all: Vec<_> = peer
        .addresses
        .iter()
        .map(|&address| Neighbour {
            link,
            address,
            mac_address,
        })
        .collect();
    neighbour(&all)?;
    forwarding(&[ForwardingEntry {
        link,
        mac_address,
        remote: Some(peer.host),
    }])
}

/// FNV-1a.
fn hash(id: &str) -> u32 {
    id.bytes().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

/// The kernel's names have at most 15 bytes, and ids may begin alike.
fn name(prefix: &str, id: &str) -> String {
    format!("{prefix}-{:08x}", hash(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_hosts_are_told_where_a_container_is() -> Result<()> {
        fake::reset();
        let network = fake::Network::<Overlay>::new("blue").pool("10.0.0.0/24");
        assert!(
            network
                .create()
                .unwrap_err()
                .message
                .contains("--set address=")
        );
        fake::configure([("address", "192.0.2.1".to_owned())].into());
        network.create_watching()?;
        let endpoint = network.endpoint("web").address("10.0.0.2/24");
        endpoint.create()?;
        assert_eq!(endpoint.join()?.prefix, "eth");
        let elsewhere = b"02:00:00:00:00:09 192.0.2.9 10.0.0.9".to_vec();
        network.notify(TABLE, "far", &TableEvent::Created(elsewhere.clone()))?;
        network.notify(TABLE, "far", &TableEvent::Created(b"nonsense".to_vec()))?;
        network.notify(TABLE, "far", &TableEvent::Deleted(elsewhere))?;
        endpoint.delete()?;
        network.delete()?;
        assert_eq!(fake::link_names(), [""; 0]);
        Ok(())
    }
}
