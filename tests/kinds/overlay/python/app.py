"""A network over several hosts: a bridge and a vxlan link on each, and a table that says where every container is.

`--set address=ADDRESS` is the address by which the other hosts reach this one.
"""

import ipaddress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

import pontoon
from pontoon import EndpointOptions, InterfaceInfo, IpamData, JoinInfo, NetworkInfo, NetworkOptions, ObjectType, Registration, TableEvent
from pontoon import configuration, errors, exports, links, log, neighbours, store, values
from pontoon.links import Link

MTU = "com.docker.network.driver.mtu"
TABLE = "peers"
"""An entry for each endpoint: its key is the endpoint's id, its value a `Peer`."""


@dataclass
class Peer:
    """Where a container is."""

    mac_address: values.MacAddress
    host: IPv4Address | IPv6Address
    addresses: list[IPv4Address | IPv6Address]

    @staticmethod
    def read(value: bytes) -> "Peer | None":
        try:
            mac_address, host, *addresses = value.decode().split(" ")
            mac = bytes.fromhex(mac_address.replace(":", ""))
            if mac.hex(":") != mac_address or len(mac) != 6:
                return None
            return Peer(tuple(mac), ipaddress.ip_address(host), [ipaddress.ip_address(address) for address in addresses])
        except ValueError:
            return None

    def neighbours(self, link: Link) -> list[neighbours.Neighbour]:
        return [neighbours.neighbour(link, address, self.mac_address) for address in self.addresses]

    def __str__(self) -> str:
        return " ".join([values.mac_text(self.mac_address), str(self.host), *map(str, self.addresses)])


class Driver(pontoon.Driver):
    def register(self) -> Registration:
        return pontoon.registration("mesh")

    def create_network(
        self, network: str, options: NetworkOptions, info: NetworkInfo, ipv4: list[IpamData], ipv6: list[IpamData]
    ) -> None:
        size, address = mtu(options), host()
        bridge = links.add_bridge(links.end(name("mb", network), mtu=size, up=True))
        end = links.end(name("mx", network), mtu=size, master=bridge, up=True)
        links.add_vxlan(end, 1 + hash_of(network) % 0xFFFFFF, local=address, proxy=True)
        info.table_event_register(TABLE, ObjectType.ENDPOINT)

    def create_endpoint(self, network: str, endpoint: str, info: InterfaceInfo, options: EndpointOptions) -> None:
        bridge = links.get(name("mb", network))
        size = bridge.info().mtu
        mac_address = info.mac_address()
        if mac_address is None:
            mac_address = values.random_mac_address()
            info.set_mac_address(mac_address)
        end = links.end(name("mh", endpoint), mtu=size, master=bridge, up=True)
        links.add_veth(end, links.end(name("mc", endpoint), mtu=size, mac_address=mac_address))
        given = [info.address(), info.address_ipv6()]
        addresses = [values.interface(address).ip for address in given if address is not None]
        key(network, endpoint).set(str(Peer(mac_address, host(), addresses)))

    def delete_endpoint(self, network: str, endpoint: str) -> None:
        key(network, endpoint).remove()  # Its links go with it.

    def join(self, network: str, endpoint: str, sandbox: str, info: JoinInfo, options: EndpointOptions) -> None:
        value = key(network, endpoint).get()
        if value is None:
            raise errors.not_found(f"no endpoint {endpoint}")
        info.interface_name().set_names(links.get(name("mc", endpoint)), "eth", None)
        info.add_table_entry(TABLE, endpoint, value.encode())


class TableWatcher(pontoon.Part, exports.TableWatcher):
    def event_notify(self, network: str, table: str, key: str, event: TableEvent) -> None:
        gone, new = pontoon.before_and_after(event)
        vxlan = links.get(name("mx", network))
        peer = Peer.read(gone) if gone is not None else None
        if peer:
            neighbours.remove(peer.neighbours(vxlan))
            neighbours.remove_forwarding([neighbours.forwarding_entry(vxlan, peer.mac_address, peer.host)])
        peer = Peer.read(new) if new is not None else None
        if peer:
            neighbours.add(peer.neighbours(vxlan))
            neighbours.add_forwarding([neighbours.forwarding_entry(vxlan, peer.mac_address, peer.host)])
        elif new is not None:
            # An error would bring the same entry again.
            log.log(log.Level.WARN, f"{TABLE}: {key} is no entry of this driver's")

    def decode_table_entry(self, table: str, key: str, value: bytes) -> tuple[str, list[tuple[str, str]]]:
        peer = Peer.read(value)
        if peer is None:
            raise errors.invalid_argument("no MAC, host and addresses")
        addresses = " ".join(map(str, peer.addresses))
        return f"a container on {peer.host}", [("mac", values.mac_text(peer.mac_address)), ("addresses", addresses)]


def host() -> IPv4Address | IPv6Address:
    """The address by which the other hosts reach this one."""
    value = configuration.get("address") or ""
    try:
        return ipaddress.ip_address(value)
    except ValueError:
        say = "load the driver with --set address=ADDRESS, this host's own"
        raise errors.invalid_argument(f'address="{value}" is none: {say}')


def key(network: str, endpoint: str) -> store.Key[str]:
    return store.Key(f"endpoint/{network}/{endpoint}", version=1)


def mtu(options: NetworkOptions) -> int:
    """What the kernel leaves of 1500 bytes, if nothing else is said."""
    text = dict(options.generic).get(MTU, "1450")
    if not text.isdecimal() or int(text) > 65_535:
        raise errors.invalid_argument(f'{MTU}="{text}": no MTU')
    return int(text)


def hash_of(id: str) -> int:
    """FNV-1a."""
    mixed = 0x811C9DC5
    for byte in id.encode():
        mixed = (mixed ^ byte) * 0x01000193 & 0xFFFFFFFF
    return mixed


def name(prefix: str, id: str) -> str:
    """One of the kernel's, of at most 15 bytes. It has a hash of the id, because ids may begin alike."""
    return f"{prefix}-{hash_of(id):08x}"
