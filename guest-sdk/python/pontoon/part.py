"""What the classes of a driver's parts inherit."""

import functools
import os
import traceback
import typing
from typing import Any, Callable

from wit_world import exports
from wit_world.imports import log
from wit_world.imports.types import Error, TableEvent, TableEvent_Created, TableEvent_Deleted

from . import runtime
from .checked import Wrong, check
from .errors import Err, internal

SDK = os.path.dirname(__file__)


def _answering(method: Callable[..., Any], result: Any) -> Callable[..., Any]:
    code, its, its_error = method.__code__, check(result), check(Error)

    @functools.wraps(method)
    def call(*arguments: Any) -> Any:
        runtime.begin()
        try:
            value = method(*arguments)
            its(value)
            return value
        except Wrong as wrong:
            place = f"{code.co_name} ({code.co_filename}, line {code.co_firstlineno})"
            raise _explained(TypeError(f"{place}: {wrong.within('what it returns')}"), wrong) from None
        except Err as error:
            try:
                its_error(error.value)
            except Wrong as wrong:
                raised = TypeError(f"{code.co_name}: {wrong.within('the value of its error')}")
                raise _explained(raised, error) from None
            raise
        except BaseException as exception:
            raise _explained(exception, exception) from None

    return call


def _explained(exception: BaseException, raised: BaseException) -> Err[Any]:
    # Not by `traceback`, which would look for the source's lines, and so for files.
    place = ""
    for frame, line in traceback.walk_tb(raised.__traceback__):
        here = f"{frame.f_code.co_filename}, line {line}, in {frame.f_code.co_name}"
        log.log(log.Level.ERROR, here)
        if not frame.f_code.co_filename.startswith(SDK):
            place = f" ({here})"
    what = f"{type(exception).__name__}: {exception}"
    log.log(log.Level.ERROR, what)
    return internal(f"{what}{place}")


class Part:
    """A part of the interface. An exception that no method of it caught is logged with its traceback and ends the call as an internal error
    that names it: all that the generated bindings could do is trap, without a word. So is a value that is not of the interface's type."""

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        for name, method in list(vars(cls).items()):
            if callable(method) and not name.startswith("_"):
                setattr(cls, name, _answering(method, cls._result(name)))

    @classmethod
    def _result(cls, name: str) -> Any:
        """What the interface says that a function returns. Nothing is anything: what is returned instead goes nowhere."""
        for base in cls.__mro__:
            if base.__module__ == exports.__name__ and name in vars(base):
                result = typing.get_type_hints(vars(base)[name])["return"]
                return Any if result is type(None) else result
        return Any


def before_and_after(event: TableEvent) -> tuple[bytes | None, bytes | None]:
    """An entry's values before and after a change: none before for a new one, none after for one that is gone."""
    match event:
        case TableEvent_Created(value):
            return None, value
        case TableEvent_Deleted(value):
            return value, None
        case update:
            return update.value.previous, update.value.value
