"""What a driver remembers between calls: values by key, as JSON. All networks of the driver share one key space."""

import json
from typing import Any

from wit_world.imports import store


def get(key: str) -> Any:
    """The value of a key; none where there is none."""
    value = store.get(key)
    return None if value is None else json.loads(value)


def entries(prefix: str) -> list[tuple[str, Any]]:
    """What stands behind a prefix, without it, and the values, in the order of the keys."""
    return [(key.removeprefix(prefix), json.loads(value)) for key, value in store.list(prefix)]


def put(key: str, value: Any) -> None:
    """Sets a key: at most 64 KiB of JSON."""
    store.set(key, json.dumps(value, separators=(",", ":")).encode())


def remove(key: str) -> None:
    """Nothing to do where there is no such key."""
    store.remove(key)


def take(key: str) -> Any:
    """Removes a key and gives back what it had."""
    value = get(key)
    if value is not None:
        remove(key)
    return value
