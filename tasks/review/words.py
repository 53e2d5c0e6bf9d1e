"""Numbers and keys as a page says them."""

from __future__ import annotations

MINUS = "−"


def number(value: float | None, digits: int = 4) -> str:
    """A number with so many significant digits, without an exponent from a thousandth to a million, and with a minus that is one."""
    if value is None:
        return ""
    text = f"{value:.{digits}g}"
    if "e" in text and 1e-3 <= abs(value) < 1e6:
        text = f"{value:.0f}"
    return text.replace("-", MINUS)


def span(limits: tuple[float, float]) -> str:
    """A range."""
    return f"{number(limits[0])} to {number(limits[1])}"


def short(key: str) -> str:
    """The end of a UID, for all begin alike."""
    return f"…{key[-8:]}" if len(key) > 9 else key
