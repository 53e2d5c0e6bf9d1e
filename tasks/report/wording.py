"""How numbers and names are written: in one place, so that every face writes the same."""

from __future__ import annotations

import unicodedata
from typing import Any

from tasks.errors import catalogue
from tasks.evaluation.results import Estimate, PerThousand, Results

NOTHING = "–"
WITHHELD = "withheld"
MEASURES = (("AUC", "auc"), ("Sensitivity", "sensitivity"), ("Specificity", "specificity"), ("PPV", "ppv"), ("NPV", "npv"))


def estimate(value: Estimate, *, suppressed: bool = False, signed: bool = False) -> str:
    """`0.930 (0.880–0.960)`, or why there is no number; a bound that does not exist is infinite.

    Where bounds may be negative, an en dash between them would be read as a minus: `signed` numbers are parted by `to`.
    """
    if suppressed:
        return WITHHELD
    if value.status != "estimated" or value.estimate is None:
        return f"not estimable: {value.reason}"
    if value.lower is None and value.upper is None:
        return decimal(value.estimate, signed=signed)
    return bounds(value.estimate, value.lower, value.upper, signed=signed)


def bounds(value: float, lower: float | None, upper: float | None, *, signed: bool = False) -> str:
    """`0.930 (0.880–0.960)`; a bound that does not exist is infinite. `signed` as in `estimate`."""
    low = "−∞" if lower is None else decimal(lower, signed=signed)
    high = "∞" if upper is None else decimal(upper, signed=signed)
    between = " to " if signed else "–"
    return f"{decimal(value, signed=signed)} ({low}{between}{high})"


def decimal(value: float, *, signed: bool = False) -> str:
    """Three digits behind the point, and no minus before a zero; `signed` numbers have their sign."""
    rounded = f"{value:+.3f}" if signed else f"{value:.3f}"
    if float(rounded) == 0:
        return "0.000"
    return rounded.replace("-", "−")


def beside(value: float, other: float) -> str:
    """A number with as many digits, three at least, as tell it from another: a bound that misses its limit must not look equal to it."""
    digits = 3
    while digits < 12 and value != other and f"{value:.{digits}f}" == f"{other:.{digits}f}":
        digits += 1
    rounded = f"{value:.{digits}f}"
    return rounded.removeprefix("-") if float(rounded) == 0 else rounded.replace("-", "−")


def p_value(value: float) -> str:
    """Three digits behind the point, and never a zero."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def minutes(value: float) -> str:
    """`12 min`, `3.5 h` from two hours on."""
    return f"{value:.0f} min" if value < 120 else f"{value / 60:.1f} h"


def count(n: int, *, suppressed: bool = False) -> str:
    """A count with thousands apart, or withheld."""
    return WITHHELD if suppressed else f"{n:,}".replace(",", "\u202f")


def counted(n: int, unit: str) -> str:
    """`1 study`, `15 020 instances`."""
    return f"{count(n)} {noun(n, unit)}"


def noun(n: int, unit: str) -> str:
    """`study` of one, `studies` of several."""
    return unit if n == 1 else {"study": "studies", "series": "series"}.get(unit, f"{unit}s")


def versioned(version: str) -> str:
    """`version 1.2.0`."""
    return f"version {version}" if version else "(version not stated)"


def share(part: int, whole: int, *, suppressed: bool = False) -> str:
    """`40.3 %` of `whole`; a dash where there is nothing to share."""
    if suppressed:
        return WITHHELD
    return f"{100 * part / whole:.1f}\u202f%" if whole else NOTHING


def percent(confidence: float) -> str:
    """`95 %`."""
    return f"{100 * confidence:g}\u202f%"


def prevalence(value: float) -> str:
    """`39.9 %`, in three digits."""
    return f"{100 * value:.3g}\u202f%"


#: The cells of 1,000 cases, in the order in which `of_thousand` gives them.
OF_THOUSAND = ("positives", "tp", "fn", "negatives", "fp", "tn")


def of_thousand(value: PerThousand) -> dict[str, int]:
    """1,000 cases in whole numbers that add up: found and missed to those with the finding, these and all others to 1,000."""
    positives = round(value.positives)
    tp, fp = min(round(value.tp), positives), min(round(value.fp), 1000 - positives)
    whole = (positives, tp, positives - tp, 1000 - positives, fp, 1000 - positives - fp)
    return dict(zip(OF_THOUSAND, whole, strict=True))


def metric(field: str) -> str:
    """`AUC` of `auc`, as `MEASURES` names it."""
    return next(name for name, known in MEASURES if known == field)


def attribute(name: str) -> str:
    """`slice_thickness` and `SliceThickness` as people write them: `slice thickness`, `Slice Thickness`."""
    parted = "".join(f" {c}" if c.isupper() and before.islower() else c for before, c in zip(f" {name}", name, strict=False))
    return parted.replace("_", " ")


def group(name: str, level: str) -> str:
    """A subgroup's name."""
    return f"{attribute(name)}: {level}" if name else "All cases"


def reason(code: str) -> str:
    """A reason code with its meaning, as far as this version knows it."""
    if not code:
        return NOTHING
    known = catalogue().get(code)
    return f"{code}: {known.meaning}" if known is not None else code


def elided(text: str, length: int) -> str:
    """At most `length` characters, the middle left out: long names of a series differ at their ends."""
    if len(text) <= length:
        return text
    head = (length - 1) // 2
    return f"{text[:head]}…{text[head + 1 - length :]}"


def printable(results: Results) -> Results:
    """The same results with text that every format can hold.

    Control characters and line breaks become spaces, what Unicode reserves for no character becomes U+FFFD, and the controls
    that turn the direction of the text that follows are dropped.
    """
    return Results.model_validate(_printable(results.model_dump()))


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isascii() and value.isprintable() else "".join(map(_character, value))
    if isinstance(value, dict):
        return {name: _printable(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return value if value and isinstance(value[0], float) else [_printable(part) for part in value]
    return value


def _character(character: str) -> str:
    code, category = ord(character), unicodedata.category(character)
    if category in {"Cc", "Zl", "Zp"}:
        return " "
    if 0x202A <= code <= 0x202E or 0x2066 <= code <= 0x2069:
        return ""
    return "\ufffd" if category == "Cs" or code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF else character
