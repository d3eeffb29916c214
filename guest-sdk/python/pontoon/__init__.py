"""What generated bindings leave to the author of a driver.

A driver is a module with a class `Driver`, and one for each other part that its world exports, named as the part is: `class Ipam(Part,
exports.Ipam)`, `class Migration(Part, exports.Migration)`. Every call runs in a
fresh instance: globals are as they were when the component was built, and what is to be remembered goes into the `store`. Every call is a
transaction: what it changed stays if it returns, and is undone if it raises.

The modules here are the host's functions: `links`, `nftables`, `addresses`, `routes`, `rules`, `neighbours` and `ports` take addresses as
`ipaddress` has them; the others are as `wit/deps/pontoon-driver` says.
"""

from wit_world import exports
from wit_world.imports import clock, configuration, forwarding, log, namespaces, random, shaping, sysctls, tables
from wit_world.imports.capabilities import InterfaceInfo, JoinInfo, NetworkInfo, RouteType
from wit_world.imports.types import EndpointOptions, IpamData, NetworkOptions, ObjectType, PortBinding, Scope, TableEvent, TransportPort

from . import addresses, checked, errors, links, neighbours, nftables, ports, routes, rules, store, values
from .errors import Err
from .part import Part, before_and_after

checked.imports()

__all__ = [
    "EndpointOptions", "Err", "InterfaceInfo", "IpamData", "JoinInfo", "NetworkInfo", "NetworkOptions", "ObjectType", "Part",
    "PortBinding", "RouteType", "Scope", "TableEvent", "TransportPort", "addresses", "before_and_after", "clock",
    "configuration", "errors", "exports", "forwarding", "links", "log", "namespaces", "neighbours", "nftables", "ports", "random",
    "routes", "rules", "shaping", "store", "sysctls", "tables", "values",
]  # fmt: skip

# Not of a world that has the part `ipam` alone.
if hasattr(exports, "Driver"):
    from .driver import Driver, Registration, registration

    __all__ += ["Driver", "Registration", "registration"]
