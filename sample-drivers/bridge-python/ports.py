"""Published ports: taken on the host, and the rules behind them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from pontoon import Err, PortBinding, nftables, ports, values
from pontoon.errors import ErrorKind, invalid_argument, is_kind
from pontoon.nftables import DESTINATION_LOCAL, NAT_OUTPUT, NAT_PREROUTING, Rule

import endpoint as endpoints
from network import Network

RULES = 1_000
"""Rules that the host takes at once."""

Address = IPv4Address | IPv6Address


@dataclass(frozen=True)
class Gateways:
    """The container's gateways, as an endpoint is told: by their endpoints' ids."""

    endpoint: str
    ipv4: str | None
    ipv6: str | None

    def of(self, version: int) -> str | None:
        """Of a family."""
        return self.ipv4 if version == 4 else self.ipv6


def publish(network: str, endpoint: str, gateways: Gateways, bindings: list[PortBinding]) -> None:
    """Publishes these ports instead of those that were published before."""
    before = revoke(network, endpoint)
    its_network = Network.find(network)
    record = endpoints.Endpoint.find(network, endpoint)
    if its_network.internal:
        return
    for binding in bindings:
        record.published += _take(binding, _routes(binding, gateways, its_network, record), before)
    rules = [rule for port in record.published for rule in _rules(port)]
    for some in itertools.batched(rules, RULES):
        nftables.add(some)
    record.save(network, endpoint)


def revoke(network: str, endpoint: str) -> list[endpoints.Published]:
    """Takes all ports back and says which they were. There is nothing to do for an endpoint without any, or for none."""
    record = endpoints.Endpoint.get(network, endpoint)
    if record is None or not record.published:
        return []
    # An endpoint has no other rules.
    for some in itertools.batched(nftables.list(), RULES):
        nftables.remove(some)
    published, record.published = record.published, []
    for port in published:
        ports.release(port.protocol, [port.host_address], port.host_port)
    record.save(network, endpoint)
    return published


def _routes(
    binding: PortBinding, gateways: Gateways, network: Network, endpoint: endpoints.Endpoint
) -> list[tuple[Address, Address]]:
    """From where on the host to where in the container a binding leads, for each family that it has."""
    wanted = values.address(binding.host_address) if binding.host_address else network.host_binding
    port = f"port {binding.container_port}/{_name(binding.protocol)}"
    if wanted and gateways.of(wanted.version) is None:
        raise invalid_argument(f"{port} can't be published on {wanted}: the container has no gateway of that family")
    if wanted == IPv6Address("::1"):
        # It has no route_localnet for IPv6: a packet to ::1 is never sent elsewhere.
        raise invalid_argument(
            f"{port} can't be published on ::1: the kernel translates no packets to that address; use 127.0.0.1"
        )
    named = values.address(binding.container_address) if binding.container_address else None
    routes: list[tuple[Address, Address]] = []
    for own, everywhere in ((endpoint.ipv4, IPv4Address("0.0.0.0")), (endpoint.ipv6, IPv6Address("::"))):
        container = named if named and named.version == everywhere.version else own
        host = wanted or everywhere
        if container and host.version == everywhere.version and gateways.of(host.version) == gateways.endpoint:
            routes.append((host, container))
    return routes


def _name(protocol: int) -> str:
    return {6: "tcp", 17: "udp", 132: "sctp"}.get(protocol, str(protocol))


def _take(binding: PortBinding, routes: list[tuple[Address, Address]], before: list[endpoints.Published]) -> list[endpoints.Published]:
    """Takes a port of the host, the same one for all families of a binding."""
    if not routes:
        return []
    host_port = _take_one(binding, [host for host, _ in routes], before)
    return [
        endpoints.Published(binding.protocol, host, host_port, container, binding.container_port) for host, container in routes
    ]


def _take_one(binding: PortBinding, hosts: list[Address], before: list[endpoints.Published]) -> int:
    first, last = binding.host_port, binding.host_port_end or binding.host_port
    # Where there is a choice, a port stays what it was when the gateways change.
    for old in before:
        is_same = (old.protocol, old.container_port) == (binding.protocol, binding.container_port)
        if is_same and (first == 0 or first <= old.host_port <= last):
            try:
                return ports.take(binding.protocol, hosts, old.host_port, old.host_port)
            except Err as error:
                if not is_kind(error, ErrorKind.ALREADY_EXISTS):
                    raise
    return ports.take(binding.protocol, hosts, first, last)


def _rules(port: endpoints.Published) -> list[Rule]:
    """What is sent to a published port goes to the container: from outside, and from the host itself."""
    host = port.host_address
    destination = DESTINATION_LOCAL if host.is_unspecified else nftables.destination(host)
    conditions = [destination, nftables.protocol(port.protocol), nftables.destination_port(port.host_port)]
    verdict = nftables.destination_nat(port.container_address, port.container_port)
    return [Rule(chain, verdict).when(*conditions) for chain in (NAT_PREROUTING, NAT_OUTPUT)]
