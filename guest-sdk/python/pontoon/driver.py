"""The part `driver`, which a component that only manages addresses does not have."""

from wit_world import exports
from wit_world.exports.driver import Registration
from wit_world.imports.types import Capability, Scope

from .part import Part


class Driver(Part, exports.Driver):
    """The part `driver`, which every driver has. The methods of this class are the ones that may be left out; there are `register`,
    `create_network`, `create_endpoint` and `join` beside them: see `wit_world.exports.Driver`."""

    def delete_network(self, network: str) -> None:
        """What a network still owns goes with it."""

    def delete_endpoint(self, network: str, endpoint: str) -> None:
        """What an endpoint still owns goes with it."""

    def endpoint_oper_info(self, network: str, endpoint: str) -> list[tuple[str, str]]:
        """JSON text by key."""
        return []

    def leave(self, network: str, endpoint: str) -> None:
        """Undoes what `join` did."""


def registration(network_type: str, data_scope: Scope = Scope.LOCAL, connectivity_scope: Scope = Scope.LOCAL) -> Registration:
    """What a driver says of itself."""
    return Registration(network_type, False, Capability(data_scope, connectivity_scope))
