"""Whether values are of the interface's types. The generated bindings end a call without a word where one is not."""

import dataclasses
import functools
import inspect
import reprlib
import sys
import typing
from typing import Any, Callable, Union


def fault(value: Any, hint: Any, place: str) -> str | None:
    """Where in a value something is not of its type, and what stands there; none if all is."""
    wanted = typing.get_origin(hint) or hint
    if wanted is Any:
        return None
    if wanted is Union:
        fits = (arm for arm in typing.get_args(hint) if isinstance(value, typing.get_origin(arm) or arm))
        arm = next(fits, None)
        return _says(value, hint, place) if arm is None else fault(value, arm, place)
    if not isinstance(value, wanted) or wanted is tuple and len(value) != len(typing.get_args(hint)):
        return _says(value, hint, place)
    for name, part, its in _parts(value, wanted, hint):
        if (found := fault(part, its, place + name)) is not None:
            return found
    return None


def _parts(value: Any, wanted: Any, hint: Any) -> list[tuple[str, Any, Any]]:
    if dataclasses.is_dataclass(wanted):
        return [(f".{name}", getattr(value, name), its) for name, its in _fields(wanted).items()]
    if wanted is list:
        return [(f"[{index}]", part, typing.get_args(hint)[0]) for index, part in enumerate(value)]
    if wanted is tuple:
        return [(f"[{index}]", part, its) for index, (part, its) in enumerate(zip(value, typing.get_args(hint)))]
    return []


@functools.cache
def _fields(record: Any) -> dict[str, Any]:
    return typing.get_type_hints(record)


def _says(value: Any, hint: Any, place: str) -> str:
    return f"{place} is {reprlib.repr(value)}, of type {type(value).__name__}; the interface has {_name(hint)} there"


def _name(hint: Any) -> str:
    if typing.get_origin(hint) is None:
        return "None" if hint is type(None) else str(hint.__name__)
    arms = [_name(arm) for arm in typing.get_args(hint)]
    return " or ".join(arms) if typing.get_origin(hint) is Union else f"{typing.get_origin(hint).__name__}[{', '.join(arms)}]"


def imports() -> None:
    """Has the host's functions look at what they are given. What there is to know of types is looked up now, when the component is built."""
    for module in [module for name, module in sys.modules.items() if name.startswith("wit_world.")]:
        classes = [one for one in vars(module).values() if inspect.isclass(one) and one.__module__ == module.__name__]
        for record in filter(dataclasses.is_dataclass, classes):
            _fields(record)
        if module.__name__.startswith("wit_world.imports."):
            for place in [module, *(one for one in classes if not dataclasses.is_dataclass(one))]:
                for name, function in list(vars(place).items()):
                    if inspect.isfunction(function) and not name.startswith("_"):
                        setattr(place, name, _looking(function))


def _looking(function: Callable[..., Any]) -> Callable[..., Any]:
    types = [(name, its) for name, its in typing.get_type_hints(function).items() if name != "return"]
    skipped = 1 if "self" in inspect.signature(function).parameters else 0

    @functools.wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        given = dict(zip((name for name, _ in types), arguments[skipped:])) | named
        for name, its in types:
            if name in given and (found := fault(given[name], its, name)) is not None:
                raise TypeError(f"{function.__qualname__}: {found}")
        return function(*arguments, **named)

    return call
