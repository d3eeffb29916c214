"""Whether values are of the interface's types, and numbers in their ranges. The generated bindings end a call without a word where one is not."""

import dataclasses
import functools
import inspect
import reprlib
import sys
import typing
from typing import Any, Callable, Union

from .ranges import BITS


class Wrong(Exception):
    """A value, or a part of it, is not of its type: where it lies in the whole, and what is wrong."""

    def __init__(self, value: Any, wanted: str) -> None:
        there = f"{reprlib.repr(value)}, of type {type(value).__name__}"
        self.place, self.what = "", f"{there}; the interface has {wanted} there"

    def within(self, place: str) -> "Wrong":
        self.place = place + self.place
        return self

    def __str__(self) -> str:
        return f"{self.place} is {self.what}"


def _name(hint: Any) -> str:
    origin, arms = typing.get_origin(hint), [_name(arm) for arm in typing.get_args(hint)]
    if origin is None:
        return "None" if hint is type(None) else str(hint.__name__)
    return " or ".join(arms) if origin is Union else f"{origin.__name__}[{', '.join(arms)}]"


@functools.cache
def check(hint: Any, bits: int | None = None) -> Callable[[Any], None]:
    """What looks at a value of this type, whose numbers have so many bits, and raises `Wrong`. It is put together once, when the component is
    built."""
    origin = typing.get_origin(hint)
    if hint is Any:
        return lambda value: None
    if origin is Union:
        return _union(hint, bits)
    if origin in (list, tuple):
        return _sequence(hint, origin, bits)
    if dataclasses.is_dataclass(hint):
        return _record(hint)
    return _number(bits) if hint is int and bits else _plain(hint)


def _plain(hint: Any) -> Callable[[Any], None]:
    def plain(value: Any) -> None:
        if not isinstance(value, hint):
            raise Wrong(value, _name(hint))

    return plain


def _number(bits: int) -> Callable[[Any], None]:
    first, last = (0, 2**bits - 1) if bits > 0 else (-(2 ** (-bits - 1)), 2 ** (-bits - 1) - 1)

    def number(value: Any) -> None:
        if not isinstance(value, int):
            raise Wrong(value, "int")
        if not first <= value <= last:
            raise Wrong(value, f"a number from {first} to {last}")

    return number


def _union(hint: Any, bits: int | None) -> Callable[[Any], None]:
    arms = {typing.get_origin(arm) or arm: check(arm, bits) for arm in typing.get_args(hint)}

    def union(value: Any) -> None:
        its = arms.get(type(value)) or next((its for arm, its in arms.items() if isinstance(value, arm)), None)
        if its is None:
            raise Wrong(value, _name(hint))
        its(value)

    return union


def _record(hint: Any) -> Callable[[Any], None]:
    fields = [(name, check(its, _bits(hint, name))) for name, its in typing.get_type_hints(hint).items()]

    def record(value: Any) -> None:
        if not isinstance(value, hint):
            raise Wrong(value, _name(hint))
        for name, its in fields:
            try:
                its(getattr(value, name))
            except Wrong as wrong:
                raise wrong.within(f".{name}") from None

    return record


def _bits(owner: Any, name: str) -> int | None:
    """Those of the numbers in a record's field or a function's parameter."""
    return BITS.get(f"{owner.__module__.rpartition('.')[2]}.{owner.__qualname__}.{name}")


def _sequence(hint: Any, origin: Any, bits: int | None) -> Callable[[Any], None]:
    """A list, all of whose parts are of one type, or a tuple, whose parts have one each."""
    types = [check(arm, bits) for arm in typing.get_args(hint)]

    def sequence(value: Any) -> None:
        if not isinstance(value, origin) or origin is tuple and len(value) != len(types):
            raise Wrong(value, _name(hint))
        for index, part in enumerate(value):
            try:
                types[index if origin is tuple else 0](part)
            except Wrong as wrong:
                raise wrong.within(f"[{index}]") from None

    return sequence


def imports() -> None:
    """Has the host's functions look at what they are given."""
    for module in [module for name, module in sys.modules.items() if name.startswith("wit_world.imports.")]:
        classes = [one for one in vars(module).values() if inspect.isclass(one) and one.__module__ == module.__name__]
        for place in [module, *(one for one in classes if not dataclasses.is_dataclass(one))]:
            for name, function in list(vars(place).items()):
                if inspect.isfunction(function) and not name.startswith("_"):
                    setattr(place, name, _looking(function))


def _looking(function: Callable[..., Any]) -> Callable[..., Any]:
    hints = typing.get_type_hints(function)
    parameters = inspect.signature(function).parameters
    types = [(name, check(hints[name], _bits(function, name)) if name in hints else None) for name in parameters]

    @functools.wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        for (name, its), value in zip(types, arguments):
            _look(function, name, its, value)
        for name, its in types:
            if name in named:
                _look(function, name, its, named[name])
        return function(*arguments, **named)

    return call


def _look(function: Callable[..., Any], name: str, its: Callable[[Any], None] | None, value: Any) -> None:
    try:
        if its is not None:  # A method's own object has no type.
            its(value)
    except Wrong as wrong:
        raise TypeError(f"{function.__qualname__}: {wrong.within(name)}") from None
