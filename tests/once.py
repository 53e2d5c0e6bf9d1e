"""What takes long to make and is the same for all tests is made once a test session, by the first of its processes that asks."""

from __future__ import annotations

import fcntl
import pickle
from collections.abc import Callable
from functools import cache, wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

Made = TypeVar("Made")
P = ParamSpec("P")
#: The folder of this test session, which all its processes share; set by `tests/conftest.py`.
folder: list[Path] = []


def once(name: str, make: Callable[[], Made]) -> Made:
    """What `make` gives, from the session's folder where another process has made it; a name means one thing in a session."""
    if not folder:
        return make()
    path = folder[-1] / f"{name}.pickle"
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            made = make()
            making = path.with_suffix(".part")
            making.write_bytes(pickle.dumps(made))
            making.rename(path)
            return made
    found: Made = pickle.loads(path.read_bytes())
    return found


def made_once(function: Callable[P, Made]) -> Callable[P, Made]:
    """A function of what never changes, computed once a session for each of its arguments, and kept in each process that asks."""

    @cache
    def kept(*arguments: P.args, **named: P.kwargs) -> Made:
        name = "-".join(
            [function.__module__, function.__qualname__, *map(str, arguments), *(f"{key}={each}" for key, each in named.items())]
        )
        return once(name, lambda: function(*arguments, **named))

    return wraps(function)(kept)
