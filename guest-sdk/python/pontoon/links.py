"""Links with defaults: `wit_world.imports.links` has no parameter that may be left out."""

from collections.abc import Iterable
from ipaddress import IPv4Interface, IPv6Interface

from wit_world.imports import links
from wit_world.imports.links import Link, LinkChanges, LinkEnd, LinkKind, LinkKind_Bridge, LinkKind_Veth, LinkName_Exact, LinkName_Prefix, LinkSpec
from wit_world.imports.namespaces import Namespace

from .values import MacAddress, wit_network


def end(
    name: str,
    *,
    is_prefix: bool = False,
    namespace: Namespace | None = None,
    mac_address: MacAddress | None = None,
    mtu: int | None = None,
    master: Link | None = None,
    addresses: Iterable[IPv4Interface | IPv6Interface] = (),
    up: bool = False,
) -> LinkEnd:
    """One end of a new link. To a prefix the kernel adds the lowest free number."""
    link_name = LinkName_Prefix(name) if is_prefix else LinkName_Exact(name)
    return LinkEnd(namespace, link_name, mac_address, mtu, master, [wit_network(address) for address in addresses], up)


def add(end: LinkEnd, kind: LinkKind) -> Link:
    """Makes a link."""
    return links.add([LinkSpec(end, kind)])[0].link


def add_bridge(end: LinkEnd) -> Link:
    """Makes a bridge."""
    return add(end, LinkKind_Bridge())


def add_veth(end: LinkEnd, peer: LinkEnd) -> tuple[Link, Link]:
    """Makes a pair, and gives its ends."""
    added = links.add([LinkSpec(end, LinkKind_Veth(peer))])[0]
    assert added.peer is not None
    return added.link, added.peer


def get(name: str, namespace: Namespace | None = None) -> Link:
    """A link of this driver's, by name."""
    return links.get(namespace, name)


def changes(**values: object) -> LinkChanges:
    """What to change of a link; what is not named stays."""
    return LinkChanges(**{field: values.pop(field, None) for field in LinkChanges.__dataclass_fields__}, **values)  # type: ignore[arg-type]
