"""How numbers are written: in one place, so that every face writes the same."""

from __future__ import annotations

from tasks.evaluation.results import Estimate

NOTHING = "–"


def estimate(value: Estimate, *, suppressed: bool = False) -> str:
    """`0.930 (0.880–0.960)`, or why there is no number."""
    if suppressed:
        return "withheld"
    if value.status != "estimated" or value.estimate is None:
        return f"not estimable: {value.reason}"
    if value.lower is None or value.upper is None:
        return f"{value.estimate:.3f}"
    return f"{value.estimate:.3f} ({value.lower:.3f}–{value.upper:.3f})"


def short_estimate(value: Estimate, *, suppressed: bool = False) -> str:
    """The same for a cell of a wide table: the reason stands in the table's note."""
    written = estimate(value, suppressed=suppressed)
    return "not estimable" if written.startswith("not estimable") else written


def count(n: int, *, suppressed: bool = False) -> str:
    """A count with thousands apart, or withheld."""
    return "withheld" if suppressed else f"{n:,}".replace(",", "\u202f")


def percent(confidence: float) -> str:
    """`95 %`."""
    return f"{100 * confidence:g}\u202f%"


def group(attribute: str, level: str) -> str:
    """A subgroup's name."""
    return f"{attribute.replace('_', ' ')}: {level}" if attribute else "All cases"
