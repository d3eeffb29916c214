"""Rules that read like rules: `Rule(FORWARD, DROP).when(input_link(bridge)).unless(output_link(bridge))`."""

import builtins
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from wit_world.imports import nftables
from wit_world.imports.links import Link
from wit_world.imports.namespaces import Namespace
from wit_world.imports.nftables import (
    Action,
    Action_DestinationNatBy,
    Action_Log,
    Action_Plain,
    Action_Proceed,
    Action_Reject,
    Chain,
    ChainRule,
    ChainType,
    Condition,
    ConnectionStates,
    Counter,
    Element,
    Element_HostPort,
    Element_Mark,
    Element_Network,
    Element_Ports,
    Hook,
    HostPortTarget,
    MarkBits,
    MarkLookup,
    Member,
    NetworkMark,
    PacketCondition,
    PacketField,
    PacketLog,
    PacketProperty,
    PacketProperty_IcmpType,
    PacketProperty_Mark,
    PacketProperty_Member,
    PacketProperty_Plain,
    PacketProperty_TcpFlags,
    PortRange,
    Property,
    Property_Connection,
    Property_Destination,
    Property_DestinationLocal,
    Property_DestinationPort,
    Property_DestinationTranslated,
    Property_InputLink,
    Property_OutputLink,
    Property_Protocol,
    Property_Source,
    Property_SourcePort,
    Rate,
    RateUnit,
    Rejection,
    SegmentSize_Exact,
    SegmentSize_Route,
    SetKind,
    Statement,
    Statement_ClampSegmentSize,
    Statement_Counter,
    Statement_Limit,
    Statement_SetMark,
    Statement_SetMarkBy,
    Statement_Untrack,
    Target,
    TcpFlags,
    TcpFlagsMatch,
    Verdict,
    Verdict_Accept,
    Verdict_DestinationNat,
    Verdict_Drop,
    Verdict_Masquerade,
    Verdict_SourceNat,
)

from .values import wit_address, wit_network

RAW_PREROUTING = Chain(ChainType.FILTER, Hook.PREROUTING, -300)
"""What comes in, before connection tracking."""
FORWARD = Chain(ChainType.FILTER, Hook.FORWARD, 0)
"""What is forwarded."""
OUTPUT = Chain(ChainType.FILTER, Hook.OUTPUT, 0)
"""What the host sends."""
NAT_PREROUTING = Chain(ChainType.NAT, Hook.PREROUTING, -100)
"""Destinations of what comes in."""
NAT_OUTPUT = Chain(ChainType.NAT, Hook.OUTPUT, -100)
"""Destinations of what the host sends."""
NAT_POSTROUTING = Chain(ChainType.NAT, Hook.POSTROUTING, 100)
"""Sources of what goes out."""

ACCEPT = Verdict_Accept()
"""It passes this chain."""
DROP = Verdict_Drop()
"""It goes no further."""
MASQUERADE = Verdict_Masquerade()
"""Its source becomes the address of the link that it leaves by."""

DESTINATION_LOCAL = Property_DestinationLocal()
"""It goes to an address of this namespace (fib daddr type local)."""
DESTINATION_TRANSLATED = Property_DestinationTranslated()
"""The connection's destination was translated (ct status dnat)."""
ESTABLISHED_RELATED = Property_Connection(ConnectionStates.ESTABLISHED | ConnectionStates.RELATED)
"""Answers, and what belongs to them."""


class Rule(nftables.Rule):
    """A rule of a chain, without a condition at first."""

    def __init__(self, chain: Chain, verdict: Verdict, conditions: Iterable[Condition] = ()) -> None:
        super().__init__(chain, [*conditions], verdict)

    def when(self, *properties: Property) -> "Rule":
        """The rule where these properties must hold, too."""
        return Rule(self.chain, self.verdict, [*self.conditions, *(Condition(one, False) for one in properties)])

    def unless(self, *properties: Property) -> "Rule":
        """The rule where these properties must not hold."""
        return Rule(self.chain, self.verdict, [*self.conditions, *(Condition(one, True) for one in properties)])


class PacketRule(nftables.PacketRule):
    """A rule with more than a `Rule` has: `PacketRule(FORWARD, PROCEED).when(input_link(bridge), in_set("hosts", PacketField.SOURCE)).and_(COUNTER)`.
    Its action may be a verdict, its properties those of a `Rule`."""

    def __init__(
        self,
        chain: Chain,
        action: Action | Verdict,
        conditions: Iterable[PacketCondition] = (),
        statements: Iterable[Statement] = (),
    ) -> None:
        verdicts = (Verdict_Accept, Verdict_Drop, Verdict_Masquerade, Verdict_SourceNat, Verdict_DestinationNat)
        super().__init__(chain, [*conditions], [*statements], Action_Plain(action) if isinstance(action, verdicts) else action)

    def when(self, *properties: PacketProperty | Property) -> "PacketRule":
        """The rule where these properties must hold, too."""
        return self._with(properties, False)

    def unless(self, *properties: PacketProperty | Property) -> "PacketRule":
        """The rule where these properties must not hold."""
        return self._with(properties, True)

    def and_(self, *statements: Statement) -> "PacketRule":
        """The rule that does these, too, in this order."""
        return PacketRule(self.chain, self.action, self.conditions, [*self.statements, *statements])

    def _with(self, properties: Iterable[PacketProperty | Property], negated: bool) -> "PacketRule":
        more = [PacketCondition(_packet_property(one), negated) for one in properties]
        return PacketRule(self.chain, self.action, [*self.conditions, *more], self.statements)


_OF_PACKETS = (PacketProperty_Plain, PacketProperty_Member, PacketProperty_Mark, PacketProperty_TcpFlags, PacketProperty_IcmpType)


def _packet_property(given: PacketProperty | Property) -> PacketProperty:
    return given if isinstance(given, _OF_PACKETS) else PacketProperty_Plain(given)


def in_set(name: str, field: PacketField) -> PacketProperty:
    """A set has this part of the packet in it. One of ports needs a `protocol` before it in the rule, as `destination_port` does."""
    return PacketProperty_Member(Member(field, name))


def mark(value: int, mask: int) -> PacketProperty:
    """Of the packet's mark, the bits of the mask are these."""
    return PacketProperty_Mark(MarkBits(value, mask))


def tcp_flags(those: TcpFlags, mask: TcpFlags) -> PacketProperty:
    """Of the flags in the mask, those are set and no others. Needs a `protocol` of TCP before it in the rule."""
    return PacketProperty_TcpFlags(TcpFlagsMatch(those, mask))


def icmp_type(number: int) -> PacketProperty:
    """The type of an ICMP message. Needs a `protocol` of ICMP or ICMPv6 before it in the rule."""
    return PacketProperty_IcmpType(number)


COUNTER = Statement_Counter()
"""Counts packets and bytes: see `read_counters`. Once in a rule."""
UNTRACK = Statement_Untrack()
"""The packet is in no connection. It is a permission of its own."""
PROCEED = Action_Proceed()
"""It goes on to the next rule."""


def limit(amount: int, burst: int, unit: RateUnit = RateUnit.PACKETS, *, over: bool = False) -> Statement:
    """The rule goes on for packets up to so many a second, and ends for the rest; with `over` the other way round."""
    return Statement_Limit(Rate(amount, unit, burst, over))


def set_mark(value: int, mask: int) -> Statement:
    """Sets bits of the packet's mark. The grant names them."""
    return Statement_SetMark(MarkBits(value, mask))


def set_mark_by(field: PacketField, map: str, mask: int) -> Statement:
    """The packet's mark becomes what a map of marks has for the address, where it has no other bits than the mask's. The grant names those."""
    return Statement_SetMarkBy(MarkLookup(field, map, mask))


def clamp_segment_size(size: int | None = None) -> Statement:
    """Makes the largest segment that a TCP connection is told no larger than this; without a size, than the MTU of the route allows."""
    return Statement_ClampSegmentSize(SegmentSize_Route() if size is None else SegmentSize_Exact(size))


def reject(rejection: Rejection) -> Action:
    """It is dropped, and its sender is told."""
    return Action_Reject(rejection)


def log_packets(prefix: str, rate: int) -> Action:
    """It is logged, at most so many a second, and goes on. It is a permission of its own."""
    return Action_Log(PacketLog(prefix, rate))


def destination_nat_by(map: str) -> Action:
    """What comes to a port of the host that this map has goes where it says."""
    return Action_DestinationNatBy(map)


def input_link(link: Link) -> Property:
    """It came in by this link."""
    return Property_InputLink(link)


def output_link(link: Link) -> Property:
    """It leaves by this link."""
    return Property_OutputLink(link)


def source(network: IPv4Network | IPv6Network | IPv4Address | IPv6Address) -> Property:
    """It comes from there."""
    return Property_Source(wit_network(network))


def destination(network: IPv4Network | IPv6Network | IPv4Address | IPv6Address) -> Property:
    """It goes there."""
    return Property_Destination(wit_network(network))


def protocol(number: int) -> Property:
    """The IP protocol's number is this."""
    return Property_Protocol(number)


def source_port(first: int, last: int | None = None) -> Property:
    """Needs a `protocol` of TCP, UDP or SCTP before it in the rule."""
    return Property_SourcePort(PortRange(first, first if last is None else last))


def destination_port(first: int, last: int | None = None) -> Property:
    """Needs a `protocol` of TCP, UDP or SCTP before it in the rule."""
    return Property_DestinationPort(PortRange(first, first if last is None else last))


def connection(states: ConnectionStates) -> Property:
    """The state of its connection is one of these."""
    return Property_Connection(states)


def source_nat(address: IPv4Address | IPv6Address, port: int | None = None) -> Verdict:
    """Its source becomes this."""
    return Verdict_SourceNat(Target(wit_address(address), port))


def destination_nat(address: IPv4Address | IPv6Address, port: int | None = None) -> Verdict:
    """Its destination becomes this, in one of the network's pools."""
    return Verdict_DestinationNat(Target(wit_address(address), port))


def add(rules: Iterable[nftables.Rule], namespace: Namespace | None = None) -> builtins.list[int]:
    """Adds rules at the ends of their chains, and gives their ids. They belong to the endpoint or network of the call."""
    return nftables.add(namespace, [*rules])


def remove(ids: Iterable[int]) -> None:
    """Removes rules. Nothing to do for those that are not there."""
    nftables.remove([*ids])


def list() -> builtins.list[int]:
    """The rules of the call's endpoint, or of its network where the call has no endpoint."""
    return nftables.list()


def element(network: IPv4Network | IPv6Network | IPv4Address | IPv6Address) -> Element:
    """An element of a set of addresses."""
    return Element_Network(wit_network(network))


def ports_element(first: int, last: int | None = None) -> Element:
    """An element of a set of ports."""
    return Element_Ports(PortRange(first, first if last is None else last))


def host_port_element(protocol: int, port: int, address: IPv4Address | IPv6Address, target_port: int) -> Element:
    """An element of a map of the host's ports: what comes to this port goes there."""
    return Element_HostPort(HostPortTarget(protocol, port, wit_address(address), target_port))


def mark_element(network: IPv4Network | IPv6Network | IPv4Address | IPv6Address, mark: int) -> Element:
    """An element of a map of marks."""
    return Element_Mark(NetworkMark(wit_network(network), mark))


def add_set(name: str, kind: SetKind, namespace: Namespace | None = None) -> None:
    """Makes an empty set, which belongs to the endpoint or network of the call."""
    nftables.add_set(namespace, name, kind)


def remove_set(name: str) -> None:
    """Removes a set that no rule looks into. Nothing to do if it is not there."""
    nftables.remove_set(name)


def list_sets() -> builtins.list[str]:
    """The names of the network's sets."""
    return nftables.list_sets()


def add_elements(name: str, elements: Iterable[Element]) -> None:
    """Adds to a set. What is added belongs to the endpoint or network of the call."""
    nftables.add_elements(name, [*elements])


def remove_elements(name: str, elements: Iterable[Element]) -> None:
    """Removes from a set. Nothing to do for what is not in it."""
    nftables.remove_elements(name, [*elements])


def list_elements(name: str) -> builtins.list[Element]:
    """What is in a set."""
    return nftables.list_elements(name)


def add_packet_rules(rules: Iterable[nftables.PacketRule], namespace: Namespace | None = None) -> builtins.list[int]:
    """Adds rules with more than a `Rule` has: sets, counters, limits, marks, a log."""
    return nftables.add_packet_rules(namespace, [*rules])


def add_chain(name: str, base: Chain, namespace: Namespace | None = None) -> None:
    """Makes an empty chain behind a base chain, which belongs to the endpoint or network of the call. `Action_Jump` and `Action_Goto` lead there."""
    nftables.add_chain(namespace, name, base)


def remove_chain(name: str) -> None:
    """Removes a chain in which no rule stands, and that none leads to. Nothing to do if it is not there."""
    nftables.remove_chain(name)


def list_chains() -> builtins.list[str]:
    """The names of the network's chains."""
    return nftables.list_chains()


def add_chain_rules(chain: str, rules: Iterable[ChainRule]) -> builtins.list[int]:
    """Adds rules at the end of a chain that `add_chain` made, and gives their ids."""
    return nftables.add_chain_rules(chain, [*rules])


def read_counters(ids: Iterable[int]) -> builtins.list[Counter | None]:
    """What rules of the network have counted; None for one without a counter."""
    return nftables.read_counters([*ids])
