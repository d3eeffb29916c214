"""The host's values as `ipaddress` has them, and back."""

import ipaddress
import os
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network

from wit_world.imports.types import IpAddress, IpAddress_Ipv4, IpAddress_Ipv6, IpNetwork

MacAddress = tuple[int, int, int, int, int, int]
"""The six bytes of an Ethernet address."""


def address(value: IpAddress) -> IPv4Address | IPv6Address:
    """Python's form of an address."""
    if isinstance(value, IpAddress_Ipv4):
        return IPv4Address(bytes(value.value))
    return IPv6Address(b"".join(group.to_bytes(2) for group in value.value))


def interface(value: IpNetwork) -> IPv4Interface | IPv6Interface:
    """Python's form of an address with its network."""
    return ipaddress.ip_interface((address(value.address).packed, value.prefix_length))


def wit_address(value: IPv4Address | IPv6Address) -> IpAddress:
    """The host's form of an address."""
    if value.version == 4:
        return IpAddress_Ipv4(tuple(value.packed))
    return IpAddress_Ipv6(tuple(int.from_bytes(value.packed[i : i + 2]) for i in range(0, 16, 2)))


def wit_option(value: IPv4Address | IPv6Address | None) -> IpAddress | None:
    """The host's form of an address, if there is one."""
    return None if value is None else wit_address(value)


def wit_network(value: IPv4Interface | IPv6Interface | IPv4Network | IPv6Network | IPv4Address | IPv6Address) -> IpNetwork:
    """The host's form of an address with its network, of a network, or of an address as a network of its own."""
    if isinstance(value, IPv4Network | IPv6Network):
        return IpNetwork(wit_address(value.network_address), value.prefixlen)
    if isinstance(value, IPv4Interface | IPv6Interface):
        return IpNetwork(wit_address(value.ip), value.network.prefixlen)
    return IpNetwork(wit_address(value), value.max_prefixlen)


def mac_text(value: MacAddress) -> str:
    """A MAC as people write it."""
    return bytes(value).hex(":")


def random_mac_address() -> MacAddress:
    """A MAC that nobody else has: random, of one station, locally administered."""
    first, *rest = os.urandom(6)
    return (first & ~1 | 2, *rest)
