"""Routes through the driver's own links. (A container's routes are `JoinInfo`'s.)"""

import builtins
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from wit_world.imports import routes
from wit_world.imports.links import Link
from wit_world.imports.routes import Route, RouteInfo, WholeRoute

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
