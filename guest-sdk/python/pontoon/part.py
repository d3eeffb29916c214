"""What a driver's classes inherit."""

import functools
import traceback
from typing import Any, Callable

from wit_world.exports.driver import Registration
from wit_world.imports import log
from wit_world.imports.types import Capability, Scope

from . import runtime
from .error import Err, internal


def _answering(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(*arguments: Any) -> Any:
        runtime.begin()
        try:
            return method(*arguments)
        except Err:
            raise
        except BaseException as exception:
            raise _explained(exception) from None

    return call


def _explained(exception: BaseException) -> Err[Any]:
    # Not by `traceback`, which would look for the source's lines, and so for files.
    place = ""
    for frame, line in traceback.walk_tb(exception.__traceback__):
        place = f"{frame.f_code.co_filename}, line {line}, in {frame.f_code.co_name}"
        log.log(log.Level.ERROR, place)
    what = f"{type(exception).__name__}: {exception}"
    log.log(log.Level.ERROR, what)
    return internal(f"{what} ({place})")


class Part:
    """A part of the interface. An exception that no method of it caught is logged with its traceback and ends the call as an internal error
    that names it: all that the generated bindings could do is trap, without a word."""

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        for name, method in list(vars(cls).items()):
            if callable(method) and not name.startswith("_"):
                setattr(cls, name, _answering(method))


class Driver(Part):
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
