"""Neighbour entries (which MAC has an address) and forwarding entries (which port or remote host has a MAC), all permanent."""

import builtins
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address

from wit_world.imports import neighbours
from wit_world.imports.links import Link
from wit_world.imports.neighbours import ForwardingEntry, ForwardingInfo, Neighbour, NeighbourInfo, Proxy

from .values import MacAddress, wit_address, wit_option


def neighbour(link: Link, address: IPv4Address | IPv6Address, mac_address: MacAddress) -> Neighbour:
    """A neighbour entry."""
    return Neighbour(link, wit_address(address), mac_address)


def forwarding_entry(link: Link, mac_address: MacAddress, remote: IPv4Address | IPv6Address | None = None) -> ForwardingEntry:
    """A forwarding entry of a vxlan link, with the host to send to, or of a bridge port."""
    return ForwardingEntry(link, mac_address, wit_option(remote))


def add(values: Iterable[Neighbour]) -> None:
    """Adds neighbour entries; one of the same address is replaced."""
    neighbours.add([*values])


def remove(values: Iterable[Neighbour]) -> None:
    """Removes neighbour entries. Nothing to do for those that are not there."""
    neighbours.remove([*values])


def list(link: Link) -> builtins.list[NeighbourInfo]:
    """The neighbour entries of a link."""
    return neighbours.list(link)


def proxy(link: Link, address: IPv4Address | IPv6Address) -> Proxy:
    """An address that the host answers for on a link."""
    return Proxy(link, wit_address(address))


def add_proxies(proxies: Iterable[Proxy]) -> None:
    """Has the host answer for addresses. The entries belong to the endpoint or network of the call."""
    neighbours.add_proxies([*proxies])


def remove_proxies(proxies: Iterable[Proxy]) -> None:
    """Has the host answer for them no more. Nothing to do for those that are not there."""
    neighbours.remove_proxies([*proxies])


def add_forwarding(entries: Iterable[ForwardingEntry]) -> None:
    """Adds forwarding entries; one of the same MAC is replaced."""
    neighbours.add_forwarding([*entries])


def remove_forwarding(entries: Iterable[ForwardingEntry]) -> None:
    """Removes forwarding entries. Nothing to do for those that are not there."""
    neighbours.remove_forwarding([*entries])


def list_forwarding(link: Link) -> builtins.list[ForwardingInfo]:
    """The forwarding entries of a link."""
    return neighbours.list_forwarding(link)
