"""An endpoint: the pair of links between bridge and container."""

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, NamedTuple, Self

from pontoon import EndpointOptions, Err, InterfaceInfo, JoinInfo, links, store, values
from pontoon.errors import already_exists, context, not_found
from pontoon.links import LinkEnd
from pontoon.values import MacAddress

import ports
from network import VERSION, Network, fnv, remove_link

INTERFACE_NAME = "com.docker.network.endpoint.ifname"
"""The name that the container's link is to have, where the user chose one."""


class Published(NamedTuple):
    """A port that is published, of one family."""

    protocol: int
    host_address: IPv4Address | IPv6Address
    """Where the host listens; unspecified: on all addresses of the family."""
    host_port: int
    container_address: IPv4Address | IPv6Address
    """Where packets go."""
    container_port: int

    def row(self) -> list[int | str]:
        """In the store, without the names of its fields: a thousand of them have to fit into one value."""
        return [value if isinstance(value, int) else str(value) for value in self]

    @classmethod
    def load(cls, row: list[Any]) -> Self:
        return cls(row[0], ip_address(row[1]), row[2], ip_address(row[3]), row[4])


@dataclass
class Endpoint:
    """What is remembered of an endpoint."""

    mac_address: MacAddress
    ipv4: IPv4Address | None
    ipv6: IPv6Address | None
    host_link: str
    """The name of the link on the bridge."""
    container_link: str
    """The name of the container's link, where it was made."""
    is_in_sandbox: bool
    """It was made in the container's namespace."""
    interface_name: str | None
    """The name that the container's link is to have."""
    exposed_ports: list[tuple[int, int]]
    """Protocol and port of what the container serves."""
    published: list[Published] = field(default_factory=list)
    """The ports that are published now."""

    @classmethod
    def find(cls, network: str, endpoint: str) -> Self:
        """The endpoint of this id, which must exist."""
        found = cls.get(network, endpoint)
        if found is None:
            raise not_found(f"no endpoint {endpoint}")
        return found

    @classmethod
    def get(cls, network: str, endpoint: str) -> Self | None:
        value = _key(network, endpoint).get()
        if value is None:
            return None
        ipv4, ipv6 = value["ipv4"], value["ipv6"]
        published = [Published.load(row) for row in value["published"]]
        return cls(**{**value, "ipv4": ipv4 and IPv4Address(ipv4), "ipv6": ipv6 and IPv6Address(ipv6), "published": published})

    def save(self, network: str, endpoint: str) -> None:
        """Remembers it."""
        ipv4, ipv6 = self.ipv4 and str(self.ipv4), self.ipv6 and str(self.ipv6)
        published = [port.row() for port in self.published]
        _key(network, endpoint).set({**vars(self), "ipv4": ipv4, "ipv6": ipv6, "published": published})


def create(network: str, endpoint: str, info: InterfaceInfo, options: EndpointOptions) -> None:
    """Makes an endpoint."""
    if _key(network, endpoint).get() is not None:
        raise already_exists(f"endpoint {endpoint} is there already")
    mac_address = _choose_mac_address(info)
    host_link = f"veth{fnv(endpoint)[:10]}"
    interface_name = dict(options.generic).get(INTERFACE_NAME)
    its_network = Network.find(network)
    sandbox = info.sandbox()
    # In the container's own namespace, if it is known: a link that is made there need not be moved.
    name, prefix = (f"{host_link}c" if sandbox is None else interface_name), its_network.interface_prefix
    container = links.end(name, prefix=prefix, namespace=sandbox, mac_address=mac_address, mtu=its_network.mtu)
    try:
        container_link = _add_pair(its_network, host_link, container)
    except Err as error:
        raise context(error, host_link) from None
    ipv4, ipv6 = info.address(), info.address_ipv6()
    Endpoint(
        mac_address=mac_address,
        ipv4=ipv4 and values.address(ipv4.address),
        ipv6=ipv6 and values.address(ipv6.address),
        host_link=host_link,
        container_link=container_link,
        is_in_sandbox=sandbox is not None,
        interface_name=interface_name,
        exposed_ports=[(port.protocol, port.port) for port in options.exposed_ports],
    ).save(network, endpoint)


def delete(network: str, endpoint: str) -> None:
    """Removes an endpoint. There is nothing to do for one that is not there."""
    ports.revoke(network, endpoint)
    old = _key(network, endpoint).take()
    if old is not None:
        remove_link(old["host_link"])


def release_ipv6(network: str, endpoint: str) -> None:
    """Forgets the IPv6 address: the container can't use it."""
    record = Endpoint.find(network, endpoint)
    record.ipv6 = None
    record.save(network, endpoint)


def join(network: str, endpoint: str, info: JoinInfo) -> None:
    """Says which link the container gets, and its gateways."""
    its_network, record = Network.find(network), Endpoint.find(network, endpoint)
    sandbox = info.sandbox() if record.is_in_sandbox else None
    link = links.get(record.container_link, sandbox)
    info.interface_name().set_names(link, its_network.interface_prefix, record.interface_name)
    if its_network.internal:
        return
    for gateway in [subnet.gateway for subnet in its_network.subnets if subnet.gateway]:
        info.set_gateway(values.wit_address(gateway))


def _key(network: str, endpoint: str) -> store.Key[dict[str, Any]]:
    return store.Key(f"endpoint/{network}/{endpoint}", VERSION)


def _choose_mac_address(info: InterfaceInfo) -> MacAddress:
    """The user's MAC, or one that follows from the IPv4 address (02:42 and its bytes), as Docker gives them: when an address comes again with
    another container, its neighbours still know the way. A random one where there is no IPv4."""
    if mac_address := info.mac_address():
        return mac_address
    if address := info.address():
        mac_address = (0x02, 0x42, *values.address(address.address).packed)
    else:
        mac_address = values.random_mac_address()
    info.set_mac_address(mac_address)
    return mac_address


def _add_pair(network: Network, host_link: str, container: LinkEnd) -> str:
    """Makes the pair, one end on the bridge, and gives the name of the other back."""
    bridge = links.get(network.bridge)
    host = links.end(host_link, mtu=network.mtu, master=bridge, up=True)
    link, peer = links.add_veth(host, container)
    # A container may reach itself through a port that it publishes.
    link.set(links.changes(hairpin=True, isolated=not network.icc))
    return peer.info().name
