"""Addresses on links."""

import builtins
from collections.abc import Iterable
from ipaddress import IPv4Interface, IPv6Interface

from wit_world.imports import addresses
from wit_world.imports.addresses import LinkAddress
from wit_world.imports.links import Link

from .values import interface, wit_network


def add(link: Link, values: Iterable[IPv4Interface | IPv6Interface]) -> None:
    """Gives a link addresses, IPv6 ones without duplicate address detection."""
    addresses.add([LinkAddress(link, wit_network(value)) for value in values])


def remove(link: Link, values: Iterable[IPv4Interface | IPv6Interface]) -> None:
    """Takes addresses from a link. Nothing to do for those that are not there."""
    addresses.remove([LinkAddress(link, wit_network(value)) for value in values])


def list(link: Link) -> builtins.list[IPv4Interface | IPv6Interface]:
    """All addresses of a link."""
    return [interface(value) for value in addresses.list(link)]
