"""Single values of de-identified headers as real types: a number, a word, or null; never NaN, never an empty string.

A value that cannot be read is null here. Where that would change what a voxel means, callers ask `is_stated` too.
"""

from __future__ import annotations

import math
from typing import Any

_INT32_MAX = 2**31 - 1


def value(header: Any, keyword: str) -> Any:
    """The element's value as pydicom reads it, or None where there is none or it breaks its value representation."""
    try:
        return header.get(keyword)
    except (ValueError, TypeError, OverflowError, AttributeError, NotImplementedError, LookupError):
        return None


def is_stated(header: Any, keyword: str) -> bool:
    """Whether the element is there, readable or not, empty or not."""
    return keyword in header


def number(header: Any, keyword: str) -> float | None:
    """A finite number, or None."""
    try:
        found = float(value(header, keyword))
    except (TypeError, ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def positive(header: Any, keyword: str) -> float | None:
    """A finite number of at least zero, or None."""
    found = number(header, keyword)
    return found if found is not None and found >= 0 else None


def integer(header: Any, keyword: str) -> int | None:
    """A whole number of 32 bits with sign, or None."""
    found = number(header, keyword)
    return int(found) if found is not None and found.is_integer() and abs(found) <= _INT32_MAX else None


def count(header: Any, keyword: str) -> int | None:
    """A whole number of at least zero, or None."""
    found = integer(header, keyword)
    return found if found is not None and found >= 0 else None


def word(header: Any, keyword: str) -> str | None:
    """A text without surrounding spaces, or None; several values are joined by a backslash, as in the file."""
    found = value(header, keyword)
    if found is None:
        return None
    parts = found if hasattr(found, "__iter__") and not isinstance(found, str | bytes) else [found]
    return "\\".join(str(part) for part in parts).strip(" \0") or None


def numbers(header: Any, keyword: str) -> list[float] | None:
    """A list of finite numbers, or None."""
    try:
        found = [float(part) for part in value(header, keyword)]
    except (TypeError, ValueError, OverflowError):
        return None
    return found if found and all(math.isfinite(part) for part in found) else None
