"""The errors that a driver and its host tell each other.

The host's functions raise `Err`, whose `value` has a kind, a message for a person and the kernel's errno; so does a driver.
"""

from componentize_py_types import Err
from wit_world.imports.types import Error, ErrorKind

__all__ = ["Err", "Error", "ErrorKind", "already_exists", "context", "forbidden", "internal", "invalid_argument", "is_kind", "not_found",
           "not_implemented", "unavailable"]


def invalid_argument(message: str) -> Err[Error]:
    """An argument has a value that can't be used."""
    return Err(Error(ErrorKind.INVALID_ARGUMENT, message, None))


def not_found(message: str) -> Err[Error]:
    """There is no such network, endpoint, link, key or rule."""
    return Err(Error(ErrorKind.NOT_FOUND, message, None))


def already_exists(message: str) -> Err[Error]:
    """It is there already."""
    return Err(Error(ErrorKind.ALREADY_EXISTS, message, None))


def forbidden(message: str) -> Err[Error]:
    """Not allowed: by ownership, or by the state that something is in."""
    return Err(Error(ErrorKind.FORBIDDEN, message, None))


def not_implemented(message: str) -> Err[Error]:
    """This driver can't do it."""
    return Err(Error(ErrorKind.NOT_IMPLEMENTED, message, None))


def unavailable(message: str) -> Err[Error]:
    """It may work later."""
    return Err(Error(ErrorKind.UNAVAILABLE, message, None))


def internal(message: str) -> Err[Error]:
    """Anything else."""
    return Err(Error(ErrorKind.INTERNAL, message, None))


def is_kind(err: Err[Error], kind: ErrorKind) -> bool:
    """Whether an error is of this kind."""
    return isinstance(err.value, Error) and err.value.kind is kind


def context(err: Err[Error], text: str) -> Err[Error]:
    """The same error, with a text before its message."""
    return Err(Error(err.value.kind, f"{text}: {err.value.message}", err.value.kernel_errno))
