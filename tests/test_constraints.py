"""The constraints pin every package that the project installs, at the version that is here, and none that it does not."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LINES = (Path(__file__).parents[1] / "constraints.txt").read_text("utf-8").split()
PINS = {canonicalize_name(name): pinned for name, _, pinned in (line.partition("==") for line in LINES)}


def needed() -> dict[str, str]:
    """Every package that safelight[dev] needs here, directly or not, with its version."""
    found: dict[str, str] = {}
    waiting = [("safelight", extra) for extra in ("", "dev")]
    seen = set(waiting)
    while waiting:
        name, extra = waiting.pop()
        for line in requires(name) or ():
            wanted = Requirement(line)
            if wanted.marker is not None and not wanted.marker.evaluate({"extra": extra}):
                continue
            each = canonicalize_name(wanted.name)
            try:
                found[each] = version(each).partition("+")[0]
            except PackageNotFoundError:
                found[each] = "not installed"
                continue
            fresh = {(each, inner) for inner in ("", *wanted.extras)} - seen
            seen |= fresh
            waiting += fresh
    return found


def test_every_package_is_pinned_at_the_version_that_is_here() -> None:
    assert {name: PINS.get(name) for name in needed()} == needed()


def test_nothing_is_pinned_that_is_not_needed() -> None:
    assert set(PINS) - set(needed()) <= {"colorama", "exceptiongroup", "tzdata", "importlib-metadata", "typing-extensions"}
