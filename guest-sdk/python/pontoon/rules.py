"""Policy rules: which packets look into which routing table."""

import builtins
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network

from wit_world.imports import rules
from wit_world.imports.links import Link
from wit_world.imports.namespaces import Namespace
from wit_world.imports.rules import Family, Rule, RuleInfo, WholeRule

from .values import wit_network

__all__ = ["Family", "Rule", "RuleInfo", "WholeRule", "add", "add_of_family", "list", "list_whole", "remove", "remove_of_family", "rule"]


def rule(
    priority: int,
    table: int,
    *,
    source: IPv4Network | IPv6Network | None = None,
    destination: IPv4Network | IPv6Network | None = None,
    input_link: Link | None = None,
    mark: tuple[int, int] | None = None,
) -> Rule:
    """A rule: at least one of source, destination and input link is given. A mark has a mask of the bits that count."""
    of = [None if network is None else wit_network(network) for network in (source, destination)]
    return Rule(priority, of[0], of[1], input_link, mark, table)


def add(values: Iterable[Rule], namespace: Namespace | None = None) -> None:
    """Adds rules, each for the family of its source and destination, and for IPv4 where it has neither: see `add_of_family`."""
    rules.add(namespace, [*values])


def remove(values: Iterable[Rule], namespace: Namespace | None = None) -> None:
    """Removes rules. Nothing to do for those that are not there."""
    rules.remove(namespace, [*values])


def list(namespace: Namespace | None = None) -> builtins.list[RuleInfo]:
    """The network's rules in a namespace, without their families and input links: see `list_whole`."""
    return rules.list(namespace)


def add_of_family(family: Family, values: Iterable[Rule], namespace: Namespace | None = None) -> None:
    """Adds rules for one family, said also where neither source nor destination says it."""
    rules.add_of_family(family, namespace, [*values])


def remove_of_family(family: Family, values: Iterable[Rule], namespace: Namespace | None = None) -> None:
    """Removes rules of one family. Nothing to do for those that are not there."""
    rules.remove_of_family(family, namespace, [*values])


def list_whole(namespace: Namespace | None = None) -> builtins.list[WholeRule]:
    """The network's rules in a namespace, of both families; `links.get` finds an input link by its name."""
    return rules.list_whole(namespace)
