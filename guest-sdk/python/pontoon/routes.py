"""Routes through the driver's own links. (A container's routes are `JoinInfo`'s.)"""

import builtins
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from wit_world.imports import routes
from wit_world.imports.links import Link
from wit_world.imports.namespaces import Namespace
from wit_world.imports.routes import NextHop, Path, PathName, Route, RouteInfo, Way, WholeRoute

from .values import wit_network, wit_option


def route(
    link: Link,
    destination: IPv4Network | IPv6Network,
    *,
    gateway: IPv4Address | IPv6Address | None = None,
    source: IPv4Address | IPv6Address | None = None,
    table: int | None = None,
    metric: int | None = None,
) -> Route:
    """A route: without a gateway directly on the link, without a table in main."""
    return Route(link, wit_network(destination), wit_option(gateway), wit_option(source), table, metric)


def next_hop(
    link: Link, gateway: IPv4Address | IPv6Address | None = None, *, on_link: bool = False, weight: int = 1
) -> NextHop:
    """A next hop of a path."""
    return NextHop(link, wit_option(gateway), on_link, weight)


def path(
    destination: IPv4Network | IPv6Network,
    way: Way,
    *,
    source: IPv4Address | IPv6Address | None = None,
    table: int | None = None,
    metric: int | None = None,
    mtu: int | None = None,
) -> Path:
    """A route by several next hops, by a parent, or to nowhere: `Way_NextHops([...])`, `Way_Blackhole()` and its like."""
    return Path(wit_network(destination), way, wit_option(source), table, metric, mtu)


def add_paths(values: Iterable[Path], namespace: Namespace | None = None) -> None:
    """Adds paths. They belong to the endpoint or network of the call."""
    routes.add_paths(namespace, [*values])


def remove_paths(values: Iterable[Path], namespace: Namespace | None = None) -> None:
    """Removes paths of the network. Nothing to do for those that are not there."""
    routes.remove_paths(namespace, [PathName(path.destination, path.table, path.metric) for path in values])


def add(values: Iterable[Route]) -> None:
    """Adds routes."""
    routes.add([*values])


def remove(values: Iterable[Route]) -> None:
    """Removes routes. Nothing to do for those that are not there."""
    routes.remove([*values])


def list(link: Link) -> builtins.list[RouteInfo]:
    """The routes through a link that this driver made, without their source addresses: see `list_whole`."""
    return routes.list(link)


def list_whole(link: Link) -> builtins.list[WholeRoute]:
    """The same with all that names a route."""
    return routes.list_whole(link)
