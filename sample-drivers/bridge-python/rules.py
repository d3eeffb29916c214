"""Filter and translation of a whole network. What a published port adds stands in `ports`."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import TYPE_CHECKING

from pontoon.nftables import FORWARD, NAT_POSTROUTING, RAW_PREROUTING, unless, when
from pontoon.values import wit_network
from wit_world.imports.links import Link
from wit_world.imports.nftables import (
    ConnectionStates,
    Property_Connection,
    Property_Destination,
    Property_DestinationTranslated,
    Property_InputLink,
    Property_OutputLink,
    Property_Source,
    Rule,
    Verdict_Accept,
    Verdict_Drop,
    Verdict_Masquerade,
)

if TYPE_CHECKING:
    from network import Network, Subnet

LOOPBACK = wit_network(IPv4Network("127.0.0.0/8"))


def of_network(network: Network, bridge: Link) -> list[Rule]:
    """The rules of a network, to be added together."""
    into, out_of = Property_OutputLink(bridge), Property_InputLink(bridge)
    if network.internal:
        rules = [
            Rule(FORWARD, [when(out_of), unless(into)], Verdict_Drop()),
            Rule(FORWARD, [when(into), unless(out_of)], Verdict_Drop()),
        ]
    else:
        rules = _filter(bridge)
        for subnet in network.subnets:
            rules += _translation(subnet, network.masquerade, bridge)
        if network.has(4):
            rules += _loopback(bridge)
    if not network.icc:
        # Ports are isolated, but a packet that is sent to the gateway would be routed back.
        rules.append(Rule(FORWARD, [when(out_of), when(into)], Verdict_Drop()))
    return rules


def _filter(bridge: Link) -> list[Rule]:
    """Into the network come answers and what was sent to a published port, and nothing else."""
    into = Property_OutputLink(bridge)
    answers = Property_Connection(ConnectionStates.ESTABLISHED | ConnectionStates.RELATED)
    return [
        Rule(FORWARD, [when(into), when(answers)], Verdict_Accept()),
        Rule(FORWARD, [when(into), when(Property_DestinationTranslated())], Verdict_Accept()),
        Rule(FORWARD, [when(into), unless(Property_InputLink(bridge))], Verdict_Drop()),
    ]


def _translation(subnet: Subnet, masquerade: bool, bridge: Link) -> list[Rule]:
    pool = wit_network(subnet.pool)
    # A container that uses a published port of its own network has to get its answer through the host as well.
    within = [when(Property_Source(pool)), when(Property_Destination(pool)), when(Property_DestinationTranslated())]
    rules = [Rule(NAT_POSTROUTING, within, Verdict_Masquerade())]
    if masquerade:
        outside = [when(Property_Source(pool)), unless(Property_OutputLink(bridge))]
        rules.insert(0, Rule(NAT_POSTROUTING, outside, Verdict_Masquerade()))
    return rules


def _loopback(bridge: Link) -> list[Rule]:
    """Ports that are published on 127.0.0.1: the container can't answer to that address, and must not send to it."""
    return [
        Rule(NAT_POSTROUTING, [when(Property_Source(LOOPBACK)), when(Property_OutputLink(bridge))], Verdict_Masquerade()),
        Rule(RAW_PREROUTING, [when(Property_InputLink(bridge)), when(Property_Destination(LOOPBACK))], Verdict_Drop()),
    ]
