"""What Python would ask of the operating system, asked of the host.

A driver has no WASI: the functions that Python calls for the time, random bytes or output end the call without a word, and the state of `random` is the
one that it had when the component was built: the same "random" MAC in every call.
"""

import builtins
import errno
import io
import os
import random as random_module
import sys
import time
from typing import Any, Callable, NoReturn

from wit_world.imports import clock, log
from wit_world.imports import random as host_random


class Lines(io.TextIOBase):
    """A stream whose lines go to the operator's log."""

    def __init__(self, level: log.Level) -> None:
        self.level = level
        self.line = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *whole, self.line = (self.line + text).split("\n")
        for line in whole:
            log.log(self.level, line)
        return len(text)


def _bytes(count: int) -> bytes:
    # The host gives at most 4,096 at once.
    return b"".join(host_random.bytes(min(4096, count - start)) for start in range(0, count, 4096))


def _without(what: str) -> Callable[..., NoReturn]:
    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise OSError(errno.ENOSYS, f"a driver has no {what}: there is no WASI")

    return refuse


_FILES, _SLEEP = _without("files"), _without("timers")
_OUT, _ERR = Lines(log.Level.INFO), Lines(log.Level.ERROR)
_RANDOM = {
    name: getattr(random_module.SystemRandom(), name)
    for name in random_module.__all__
    if name[0].islower() and name not in ("getstate", "setstate", "seed")
}


def begin() -> None:
    """Called first thing in every call. Not when the component is built: there is no host then."""
    sys.stdout, sys.stderr = _OUT, _ERR
    time.time, time.time_ns = (lambda: clock.now() / 1e9), clock.now
    os.urandom = random_module._urandom = _bytes  # type: ignore[attr-defined]
    vars(random_module).update(_RANDOM)
    builtins.open = io.open = os.open = _FILES
    time.sleep = _SLEEP
