"""Ports of the host. One that is to be published is taken first, so that no other endpoint and no other program has it."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address

from wit_world.imports import ports

from .values import wit_address


def take(protocol: int, addresses: Iterable[IPv4Address | IPv6Address], first: int, last: int) -> int:
    """Takes the first port from `first` to `last` that is free on all of these addresses of the host; `first` 0: any port."""
    return ports.take(protocol, [wit_address(address) for address in addresses], first, last)


def release(protocol: int, addresses: Iterable[IPv4Address | IPv6Address], port: int) -> None:
    """Gives a port back, on all of these addresses."""
    ports.release(protocol, [wit_address(address) for address in addresses], port)


def take_range(protocol: int, addresses: Iterable[IPv4Address | IPv6Address], first: int, last: int) -> None:
    """Takes all ports from `first` to `last`, on all of these addresses, or none."""
    ports.take_range(protocol, [wit_address(address) for address in addresses], first, last)


def release_range(protocol: int, addresses: Iterable[IPv4Address | IPv6Address], first: int, last: int) -> None:
    """Gives a range back that `take_range` took."""
    ports.release_range(protocol, [wit_address(address) for address in addresses], first, last)
