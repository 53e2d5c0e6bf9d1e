"""Units of measurement: which UCUM codes are made of known units, so that a number keeps the unit without which it says nothing.

PS3.16 lists only some units in its context groups, and dose reports need others (mGy.cm). UCUM has a grammar (The Unified Code for Units of
Measure, section 2): terms of a prefix, an atom and an exponent, joined by `.` and `/`. Annotations in braces are free text and are not let
through, nor are factors.
"""

from __future__ import annotations

import re

_PREFIX = "(?:da|[YZEPTGMkhdcmunpfazy])"
_METRIC = r"m|g|s|l|L|Gy|Sv|Bq|Ci|eV|Hz|V|A|T|W|J|N|Pa|K|mol|rad|cd|lm|lx|C|F|Ohm|S|Wb|H|bar|cal|sr"
_PLAIN = r"%|deg|min|h|d|wk|mo|a|u|Cel|\[hnsf'U\]|\[ppm\]|1"
_TERM = rf"(?:(?:{_PREFIX})?(?:{_METRIC})|{_PLAIN})(?:-?[1-4])?"
_UNIT = re.compile(rf"(?:/?{_TERM})(?:[./]{_TERM}){{0,3}}")


def is_unit(code: str) -> bool:
    """Whether a UCUM code is made of known units alone: `mGy.cm`, `g/mL` and `mm2/s` are, `{Doe}` is not."""
    return len(code) <= 16 and _UNIT.fullmatch(code) is not None
