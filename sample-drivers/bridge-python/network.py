"""A network: the bridge, its subnets, and the conflicts with other networks."""

import errno
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network, ip_address, ip_interface, ip_network
from typing import Any, Self

from pontoon import Err, IpamData, NetworkOptions, forwarding, links, nftables, store, sysctls, values
from pontoon.errors import ErrorKind, already_exists, context, forbidden, invalid_argument, is_kind, not_found
from pontoon.links import Link

import rules
from options import Options

VERSION = 1
"""Of what is remembered: the next number when `Network`, `Endpoint` or what they hold changes."""


@dataclass
class Subnet:
    """The subnet of one family."""

    pool: IPv4Network | IPv6Network
    """Where the containers' addresses are from."""
    bridge: IPv4Interface | IPv6Interface | None
    """The bridge's own address."""
    gateway: IPv4Address | IPv6Address | None
    """The gateway that containers are given."""

    def dump(self) -> list[str | None]:
        return [str(self.pool), self.bridge and str(self.bridge), self.gateway and str(self.gateway)]

    @classmethod
    def load(cls, row: list[Any]) -> Self:
        pool, bridge, gateway = row
        return cls(ip_network(pool), bridge and ip_interface(bridge), gateway and ip_address(gateway))


@dataclass
class Network:
    """What is remembered of a network."""

    bridge: str
    """The bridge's name."""
    subnets: list[Subnet]
    """At most one of each family."""
    internal: bool
    """It has no way out."""
    icc: bool
    masquerade: bool
    host_binding: IPv4Address | None
    """Where ports are published that name no host address; none: on all addresses of both families."""
    mtu: int | None
    interface_prefix: str
    rules: list[int] = field(default_factory=list)
    """Its rules, without those of its endpoints."""

    def has(self, version: int) -> bool:
        """It has this family."""
        return any(subnet.pool.version == version for subnet in self.subnets)

    @classmethod
    def find(cls, network: str) -> Self:
        """The network of this id, which must exist."""
        value = _key(network).get()
        if value is None:
            raise not_found(f"no network {network}")
        return cls.load(value)

    @classmethod
    def load(cls, value: dict[str, Any]) -> Self:
        binding = value["host_binding"]
        subnets = [Subnet.load(row) for row in value["subnets"]]
        return cls(**{**value, "subnets": subnets, "host_binding": binding and IPv4Address(binding)})

    def save(self, network: str) -> None:
        """Remembers it."""
        binding = self.host_binding and str(self.host_binding)
        subnets = [subnet.dump() for subnet in self.subnets]
        _key(network).set({**vars(self), "subnets": subnets, "host_binding": binding})


def create(network: str, options: NetworkOptions, ipv4: list[IpamData], ipv6: list[IpamData]) -> None:
    """Makes a network. Whatever fails on the way, the host undoes what was done before."""
    new = _read(network, options, ipv4, ipv6)
    _check_conflicts(network, new)
    try:
        bridge = _add_bridge(new)
    except Err as error:
        raise context(error, f"bridge {new.bridge}") from None
    new.rules = nftables.add(rules.of_network(new, bridge))
    _bridge_key(new.bridge).set(network)
    new.save(network)


def delete(network: str) -> None:
    """Removes a network. There is nothing to do for one that is not there."""
    value = _key(network).take()
    if value is None:
        return
    old = Network.load(value)
    nftables.remove(old.rules)
    remove_link(old.bridge)
    _bridge_key(old.bridge).remove()


def remove_link(name: str) -> None:
    """Removes one of the driver's links on the host, if it is there."""
    try:
        links.get(name).remove()
    except Err as error:
        if not is_kind(error, ErrorKind.NOT_FOUND):
            raise


def fnv(text: str) -> str:
    """Sixteen hexadecimal digits of FNV-1a: short, and the same in every build (Python's own `hash` is not)."""
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return f"{value:016x}"


def _key(network: str) -> store.Key[dict[str, Any]]:
    return store.Key(f"network/{network}", VERSION)


def _bridge_key(name: str) -> store.Key[str]:
    return store.Key(f"bridge/{name}", VERSION)


def _read(network: str, options: NetworkOptions, ipv4: list[IpamData], ipv6: list[IpamData]) -> Network:
    labels = Options.read(dict(options.generic))
    subnets = _subnet(ipv4, "DefaultGatewayIPv4") + _subnet(ipv6, "DefaultGatewayIPv6")
    if labels.inhibit_ipv4:
        for subnet in subnets:
            if subnet.pool.version == 4:
                subnet.bridge = None
    return Network(
        bridge=labels.name or _default_name(network),
        subnets=subnets,
        internal=options.internal,
        icc=labels.icc,
        masquerade=labels.masquerade,
        host_binding=labels.host_binding,
        mtu=labels.mtu,
        interface_prefix=labels.interface_prefix,
    )


def _default_name(network: str) -> str:
    """`br-` and twelve digits: of Docker's ids the first ones, of any other sort a hash's, because it may begin like its neighbours do."""
    is_hexadecimal = len(network) >= 32 and not set(network) - set("0123456789abcdefABCDEF")
    return f"br-{(network if is_hexadecimal else fnv(network))[:12]}"


def _subnet(pools: list[IpamData], gateway_name: str) -> list[Subnet]:
    """The subnet of one family, if the network has that family."""
    if not pools:
        return []
    if len(pools) > 1:
        raise forbidden("the bridge driver doesn't support several subnets of one family")
    data = pools[0]
    if data.pool is None:
        raise invalid_argument("the bridge driver needs an address pool")
    bridge = data.gateway and values.interface(data.gateway)
    reserved = dict(data.aux_addresses).get(gateway_name)
    gateway = values.interface(reserved) if reserved else bridge
    return [Subnet(values.interface(data.pool).network, bridge, gateway and gateway.ip)]


def _check_conflicts(network: str, new: Network) -> None:
    """No two networks have the same bridge. (That no two have overlapping subnets, the host sees to.) Should another network be made at the
    same time, the host sees that it changed what was read here, and runs the later call again."""
    if _key(network).get() is not None:
        raise already_exists(f"network {network} is there already")
    if (other := _bridge_key(new.bridge).get()) is not None:
        raise forbidden(f"bridge {new.bridge} belongs to network {other}")


def _add_bridge(network: Network) -> Link:
    addresses = [subnet.bridge for subnet in network.subnets if subnet.bridge]
    # Without a MAC of its own, a bridge takes that of a port, and changes it when ports come and go.
    mac_address = values.random_mac_address()
    bridge = links.add_bridge(links.end(network.bridge, mac_address=mac_address, mtu=network.mtu, addresses=addresses, up=True))
    _set_ipv6(bridge)
    if not network.internal:
        if network.has(4):
            # For ports that are published on 127.0.0.1; the rules keep the containers from the host's own services.
            sysctls.set_link(bridge, sysctls.LinkSysctl.IPV4_ROUTE_LOCALNET, 1)
        forwarding.allow(bridge, network.has(4), network.has(6))
    return bridge


def _set_ipv6(bridge: Link) -> None:
    """A container must not become the host's router (CVE-2020-13401). And the bridge's link-local address, whose MAC nobody else has, must
    not wait two seconds for a duplicate: until then the host could not ask for a container's MAC."""
    try:
        sysctls.set_link(bridge, sysctls.LinkSysctl.IPV6_ACCEPT_RA, 0)
        sysctls.set_link(bridge, sysctls.LinkSysctl.IPV6_ACCEPT_DAD, 0)
    except Err as error:
        if error.value.kernel_errno != errno.ENOENT:  # A kernel without IPv6.
            raise
