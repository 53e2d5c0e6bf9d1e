"""What becomes of results that contradict themselves: an error that names the subgroup and the number."""

from __future__ import annotations

from tasks.errors import SafelightError

TOLERANCE = 1e-9


def hold(condition: bool, where: str, what: str) -> None:
    """Raises SafelightError E-REPORT-MISMATCH unless the condition holds."""
    if not condition:
        raise mismatch(where, what)


def mismatch(where: str, what: str) -> SafelightError:
    """The error E-REPORT-MISMATCH of a number at a place."""
    return SafelightError("E-REPORT-MISMATCH", f"{where}: {what}")
