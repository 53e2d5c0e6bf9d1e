"""Coded errors: what went wrong, where, and what to do next, in words that can never hold a patient's value.

Every code is declared once, in `configs/reasons/*.yaml`, with its meaning and its remedy. Raising an undeclared code is a
programming error. The `place` of an error may only be a pseudonymous key, a tag, a column, a count or a path of our own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from tasks.declarations import parsed


@dataclass(frozen=True, slots=True)
class Reason:
    """One declared code: a stable name, what it means, and what the reader should do."""

    code: str
    meaning: str
    remedy: str


@cache
def catalogue() -> dict[str, Reason]:
    """All declared codes by name, from `configs/reasons/*.yaml`; a code declared twice raises ValueError."""
    found: dict[str, Reason] = {}
    for source in sorted(files("configs").joinpath("reasons").iterdir(), key=lambda entry: entry.name):
        if not source.name.endswith(".yaml"):
            continue
        for code, entry in (parsed(source.read_text("utf-8")) or {}).items():
            if code in found:
                raise ValueError(f"{code} is declared twice, the second time in {source.name}")
            found[code] = Reason(code, entry["meaning"], entry["remedy"])
    return found


class SafelightError(Exception):
    """A failure that the design foresaw. Its text is safe to show, log and store anywhere.

    Args:
        code: a code of `catalogue()`, such as `E-PULL-INCOMPLETE`.
        place: where: a pseudonymous key, a tag, a column, counts, or a path of ours. Never a value from a patient's data.
    """

    def __init__(self, code: str, place: str = "") -> None:
        self.reason = catalogue()[code]
        self.code = code
        self.place = place
        super().__init__(code, place)

    def __str__(self) -> str:
        where = f" ({self.place})" if self.place else ""
        return f"{self.code}: {self.reason.meaning}{where}. {self.reason.remedy}"


class ConfigurationError(SafelightError):
    """The work could not start: the command line ends with exit code 2."""
