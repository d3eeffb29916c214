"""What a driver remembers between calls: values by key, as JSON. All networks of the driver share one key space."""

import builtins
import json
from typing import Any, Generic, TypeVar

from wit_world.imports import store

from .errors import internal

T = TypeVar("T")


class Key(Generic[T]):
    """A key, and the type of its value: what `json` makes of it.

    The version of that type is kept beside the value. Choose the next number when the type changes: what an earlier build of the driver wrote
    is an error then, and is not misread."""

    def __init__(self, name: str, version: int | None = None) -> None:
        self.name, self.version = name, version

    def get(self) -> T | None:
        """The value; none where there is none."""
        value = store.get(self.name)
        return None if value is None else self._read(self.name, value)

    def set(self, value: T) -> None:
        """Sets the value: at most 64 KiB of JSON."""
        written = value if self.version is None else {"version": self.version, "value": value}
        store.set(self.name, json.dumps(written, separators=(",", ":")).encode())

    def remove(self) -> None:
        """Nothing to do where there is no value."""
        store.remove(self.name)

    def take(self) -> T | None:
        """Removes the value and gives it back."""
        value = self.get()
        if value is not None:
            self.remove()
        return value

    def list(self) -> builtins.list[tuple[str, T]]:
        """The values whose keys start with this one's name, each with the rest of its key, in the order of the keys."""
        return [(name.removeprefix(self.name), self._read(name, value)) for name, value in store.list(self.name)]

    def _read(self, name: str, value: bytes) -> T:
        content: Any = json.loads(value)
        version = None
        if isinstance(content, dict) and content.keys() == {"version", "value"} and isinstance(content["version"], int):
            version, content = content["version"], content["value"]
        if version != self.version:
            wanted = f"this build of the driver reads {_text(self.version)}: have it read that, too, or use another key"
            raise internal(f"the store's {name} has {_text(version)}, and {wanted}")
        return content


def _text(version: int | None) -> str:
    return "no version" if version is None else f"version {version}"
