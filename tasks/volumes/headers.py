"""Single values of de-identified headers as real types: a number, a word, or null; never NaN, never an empty string."""

from __future__ import annotations

import math
from typing import Any


def number(header: Any, keyword: str) -> float | None:
    """A finite number, or None."""
    try:
        value = float(header.get(keyword))
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None


def positive(header: Any, keyword: str) -> float | None:
    """A finite number of at least zero, or None."""
    value = number(header, keyword)
    return value if value is not None and value >= 0 else None


def integer(header: Any, keyword: str) -> int | None:
    """A whole number, or None."""
    value = number(header, keyword)
    return int(value) if value is not None and value.is_integer() else None


def word(header: Any, keyword: str) -> str | None:
    """A text without surrounding spaces, or None; several values are joined by a backslash, as in the file."""
    value = header.get(keyword)
    if value is None:
        return None
    text = (
        value if isinstance(value, str) else "\\".join(str(part) for part in value) if hasattr(value, "__iter__") else str(value)
    )
    return text.strip() or None


def numbers(header: Any, keyword: str) -> list[float] | None:
    """A list of finite numbers, or None."""
    try:
        values = [float(value) for value in header.get(keyword)]
    except (TypeError, ValueError):
        return None
    return values if values and all(math.isfinite(value) for value in values) else None
