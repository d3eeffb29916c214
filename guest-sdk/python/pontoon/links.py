"""Links: `add_bridge(end("br0", up=True))`."""

import builtins
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network

from wit_world.imports import links
from wit_world.imports.links import (
    IpvlanFlag,
    IpvlanMode,
    IpvlanOptions,
    Link,
    LinkChanges,
    LinkEnd,
    LinkInfo,
    LinkKind,
    LinkKind_Bridge,
    LinkKind_Dummy,
    LinkKind_Ipvlan,
    LinkKind_Macvlan,
    LinkKind_Veth,
    LinkKind_Vlan,
    LinkKind_Vxlan,
    LinkName_Exact,
    LinkName_Prefix,
    LinkSpec,
    MacvlanMode,
    MacvlanOptions,
    NewMaster_Bridge,
    NewMaster_Nothing,
    UdpEndpoint,
    VlanOptions,
    VxlanOptions,
    WireguardPeer,
)
from wit_world.imports.namespaces import Namespace

from .values import MacAddress, wit_address, wit_network, wit_option

__all__ = [
    "IpvlanFlag", "IpvlanMode", "Link", "LinkChanges", "LinkEnd", "LinkInfo", "MacvlanMode", "NewMaster_Bridge", "NewMaster_Nothing",
    "WireguardPeer", "add_bridge", "add_dummy", "add_ipvlan", "add_macvlan", "add_veth", "add_vlan", "add_vxlan", "add_wireguard", "changes", "end",
    "get", "list", "list_peers", "peer", "read_public_key", "remove_peers", "set_peers",
]  # fmt: skip


def end(
    name: str | None = None,
    *,
    prefix: str = "",
    namespace: Namespace | None = None,
    mac_address: MacAddress | None = None,
    mtu: int | None = None,
    master: Link | None = None,
    addresses: Iterable[IPv4Interface | IPv6Interface] = (),
    up: bool = False,
) -> LinkEnd:
    """One end of a new link. Without a name, the kernel adds the lowest free number to the prefix."""
    link_name = LinkName_Prefix(prefix) if name is None else LinkName_Exact(name)
    return LinkEnd(namespace, link_name, mac_address, mtu, master, [wit_network(address) for address in addresses], up)


def _add(end: LinkEnd, kind: LinkKind) -> Link:
    return links.add([LinkSpec(end, kind)])[0].link


def add_bridge(end: LinkEnd) -> Link:
    """Makes a bridge."""
    return _add(end, LinkKind_Bridge())


def add_veth(end: LinkEnd, peer: LinkEnd) -> tuple[Link, Link]:
    """Makes a pair, and gives its ends."""
    added = links.add([LinkSpec(end, LinkKind_Veth(peer))])[0]
    assert added.peer is not None
    return added.link, added.peer


def add_vxlan(
    end: LinkEnd,
    vni: int,
    *,
    port: int = 4789,
    parent: Link | None = None,
    local: IPv4Address | IPv6Address | None = None,
    remote: IPv4Address | IPv6Address | None = None,
    learning: bool = False,
    proxy: bool = False,
) -> Link:
    """Makes a vxlan link: Ethernet in UDP."""
    options = VxlanOptions(vni, port, parent, wit_option(local), wit_option(remote), learning, proxy)
    return _add(end, LinkKind_Vxlan(options))


def add_macvlan(end: LinkEnd, parent: Link, mode: MacvlanMode) -> Link:
    """Makes a link with a MAC address of its own on a parent of the host's."""
    return _add(end, LinkKind_Macvlan(MacvlanOptions(parent, mode)))


def add_ipvlan(end: LinkEnd, parent: Link, mode: IpvlanMode, flag: IpvlanFlag) -> Link:
    """Makes a link with IP addresses of its own on a parent of the host's."""
    return _add(end, LinkKind_Ipvlan(IpvlanOptions(parent, mode, flag)))


def add_vlan(end: LinkEnd, parent: Link, id: int) -> Link:
    """Makes an 802.1Q link with an id of 1 to 4094 on a parent of the host's."""
    return _add(end, LinkKind_Vlan(VlanOptions(parent, id)))


def add_dummy(end: LinkEnd) -> Link:
    """Makes a link that leads nowhere."""
    return _add(end, LinkKind_Dummy())


def add_wireguard(end: LinkEnd, port: int) -> Link:
    """Makes a WireGuard link on the host, with a new private key, which nobody is told. While it is up, it has this UDP port."""
    return links.add_wireguard(end, port)


def read_public_key(link: Link) -> bytes:
    """The public key of a WireGuard link."""
    return links.read_public_key(link)


def peer(
    public_key: bytes,
    allowed: Iterable[IPv4Network | IPv6Network] = (),
    *,
    endpoint: tuple[IPv4Address | IPv6Address, int] | None = None,
    keepalive: int | None = None,
) -> WireguardPeer:
    """The other end of a tunnel. Without an endpoint, it has to send first."""
    known = None if endpoint is None else UdpEndpoint(wit_address(endpoint[0]), endpoint[1])
    return WireguardPeer(public_key, known, [wit_network(network) for network in allowed], keepalive)


def set_peers(link: Link, peers: Iterable[WireguardPeer]) -> None:
    """Adds peers of a WireGuard link, at most 256; one with the same key becomes what is given."""
    links.set_peers(link, [*peers])


def remove_peers(link: Link, keys: Iterable[bytes]) -> None:
    """Removes peers. Nothing to do for those that are not there."""
    links.remove_peers(link, [*keys])


def list_peers(link: Link) -> builtins.list[WireguardPeer]:
    """The peers of a WireGuard link, each with the endpoint that it was heard from last."""
    return links.list_peers(link)


def get(name: str, namespace: Namespace | None = None) -> Link:
    """A link of this driver's, or on the host a parent interface, by name; without a namespace, on the host."""
    return links.get(namespace, name)


def list(namespace: Namespace | None = None) -> builtins.list[LinkInfo]:
    """The network's links in a namespace; without one, on the host."""
    return links.list(namespace)


def changes(**values: object) -> LinkChanges:
    """What to change of a link; what is not named stays."""
    return LinkChanges(**{field: values.pop(field, None) for field in LinkChanges.__dataclass_fields__}, **values)  # type: ignore[arg-type]
