"""What every check says: a condition holds, or the report is refused with the place and the number."""

from __future__ import annotations

from tasks.errors import SafelightError
from tasks.evaluation.results import Performance

#: Of numbers up to 1; of larger ones relative to them.
TOLERANCE = 1e-9


def hold(condition: bool, where: str, what: str) -> None:
    """Raises `SafelightError` E-REPORT-MISMATCH with both where the condition does not hold."""
    if not condition:
        raise mismatch(where, what)


def mismatch(where: str, what: str) -> SafelightError:
    """The error that refuses a report."""
    return SafelightError("E-REPORT-MISMATCH", f"{where}: {what}")


def close(one: float | None, other: float | None, tolerance: float = TOLERANCE) -> bool:
    """Whether two numbers are the same but for rounding; None is the same as None alone."""
    if one is None or other is None:
        return one is other
    return abs(one - other) <= tolerance * max(1.0, abs(other))


def whole(value: float) -> bool:
    """Whether a number is a whole one but for rounding."""
    return close(value, round(value))


def named(attribute: str, level: str) -> str:
    """A row as messages call it."""
    return f"{attribute}: {level}" if attribute else "all cases"


def place(row: Performance) -> str:
    """A row of the subgroup table as messages call it."""
    return named(row.attribute, row.level)


def single(row: Performance) -> bool:
    """Whether each patient of a row has one case: then every interval follows from the counts alone."""
    return row.patients == row.studies
