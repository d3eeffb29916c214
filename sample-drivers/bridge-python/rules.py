"""Filter and translation of a whole network. What a published port adds stands in `ports`."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import TYPE_CHECKING

from pontoon.links import Link
from pontoon.nftables import (
    ACCEPT,
    DESTINATION_TRANSLATED,
    DROP,
    ESTABLISHED_RELATED,
    FORWARD,
    MASQUERADE,
    NAT_POSTROUTING,
    RAW_PREROUTING,
    Rule,
    destination,
    input_link,
    output_link,
    source,
)

if TYPE_CHECKING:
    from network import Network, Subnet

LOOPBACK = IPv4Network("127.0.0.0/8")


def of_network(network: Network, bridge: Link) -> list[Rule]:
    """The rules of a network, to be added together."""
    into, out_of = output_link(bridge), input_link(bridge)
    if network.internal:
        rules = [Rule(FORWARD, DROP).when(out_of).unless(into), Rule(FORWARD, DROP).when(into).unless(out_of)]
    else:
        rules = _filter(bridge)
        for subnet in network.subnets:
            rules += _translation(subnet, network.masquerade, bridge)
        if network.has(4):
            rules += _loopback(bridge)
    if not network.icc:
        # Ports are isolated, but a packet that is sent to the gateway would be routed back.
        rules.append(Rule(FORWARD, DROP).when(out_of, into))
    return rules


def _filter(bridge: Link) -> list[Rule]:
    """Into the network come answers and what was sent to a published port, and nothing else."""
    into = output_link(bridge)
    return [
        Rule(FORWARD, ACCEPT).when(into, ESTABLISHED_RELATED),
        Rule(FORWARD, ACCEPT).when(into, DESTINATION_TRANSLATED),
        Rule(FORWARD, DROP).when(into).unless(input_link(bridge)),
    ]


def _translation(subnet: Subnet, masquerade: bool, bridge: Link) -> list[Rule]:
    pool = source(subnet.pool)
    # A container that uses a published port of its own network has to get its answer through the host as well.
    within = Rule(NAT_POSTROUTING, MASQUERADE).when(pool, destination(subnet.pool), DESTINATION_TRANSLATED)
    outside = Rule(NAT_POSTROUTING, MASQUERADE).when(pool).unless(output_link(bridge))
    return [outside, within] if masquerade else [within]


def _loopback(bridge: Link) -> list[Rule]:
    """Ports that are published on 127.0.0.1: the container can't answer to that address, and must not send to it."""
    return [
        Rule(NAT_POSTROUTING, MASQUERADE).when(source(LOOPBACK), output_link(bridge)),
        Rule(RAW_PREROUTING, DROP).when(input_link(bridge), destination(LOOPBACK)),
    ]
