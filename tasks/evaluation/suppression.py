"""Which levels of an attribute are too small to show, and which others must be hidden so that these can't be worked out."""

from __future__ import annotations

from collections.abc import Mapping, Set

import numpy as np
from numpy.typing import NDArray

Pair = tuple[str, str]


def _few(minimum: int) -> str:
    return f"fewer than {minimum} patients"


def _withheld(minimum: int) -> str:
    return f"withheld, since a level of fewer than {minimum} patients could be worked out from it"


#: Why a level is hidden that is hidden in the table of performance.
ELSEWHERE = "withheld, as in the table of performance"


def withheld(
    patients: Mapping[str, int], minimum: int, *, complementary: bool = True, also: Set[str] = frozenset(), why: str = ELSEWHERE
) -> dict[str, str]:
    """Levels to hide, and why.

    A level with some patients but fewer than `minimum` is hidden. Since an attribute's levels add up to all cases, what is hidden
    must hold at least two levels and `minimum` patients together, or the total minus the shown levels would give it back: so
    the smallest level that is shown is hidden too, until this holds or none is left. An empty level is shown as empty.

    Args:
        patients: level → patients, for all levels of one attribute.
        minimum: the fewest patients that may be shown.
        complementary: whether other levels are hidden with it; without, the hidden counts can be worked out.
        also: levels that are hidden for another reason, whatever their size here; `why` says which.

    Returns:
        level → reason, for the levels to hide.
    """
    hidden = {
        level: _few(minimum) if n < minimum else why for level, n in patients.items() if n and (n < minimum or level in also)
    }
    shown = sorted((n, level) for level, n in patients.items() if n and level not in hidden)
    while complementary and hidden and shown and (len(hidden) < 2 or sum(patients[level] for level in hidden) < minimum):
        hidden[shown.pop(0)[1]] = _withheld(minimum)
    return hidden


def withheld_pairs(
    patients: Mapping[Pair, int],
    outside: Mapping[str, int],
    minimum: int,
    *,
    margins: tuple[Set[str], Set[str]] = (frozenset(), frozenset()),
    complementary: bool = True,
    also: Set[Pair | str] = frozenset(),
    why: str = ELSEWHERE,
) -> tuple[dict[Pair, str], dict[str, str]]:
    """Pairs of two attributes' levels to hide, where the levels of each attribute are shown as well.

    A pair with some patients but fewer than `minimum` is hidden. A level's pairs add up to the level, and all pairs and the rows
    outside (`not stated`, `not declared`) to all cases. So what is hidden of each such sum must hold two entries and `minimum`
    patients, and no hidden entry may follow from all sums together (a rank test): else the smallest shown entry is hidden too.

    Args:
        patients: pair → patients, for all pairs of declared levels.
        outside: row → patients, for the rows that are not pairs.
        margins: the levels of either attribute that are hidden themselves.
        also: pairs and rows outside that are hidden for another reason; `why` says which.

    Returns:
        pair → reason, and row outside → reason.
    """
    entries: dict[Pair | str, int] = dict(patients.items())
    entries.update(outside)
    hidden = {
        entry: _few(minimum) if n < minimum else why for entry, n in entries.items() if n and (n < minimum or entry in also)
    }
    sums = _sums(patients, outside, margins)
    while complementary:
        short = next((line for line in sums if _gives_away(line, entries, hidden, minimum)), None)
        if short is None:
            told = _determined(sums, hidden, entries)
            short = next((line for line in sums if told & line[0] and _smallest(line[0], entries, hidden) is not None), None)
        more = None if short is None else _smallest(short[0], entries, hidden)
        if more is None:
            break
        hidden[more] = _withheld(minimum)
    pairs = {entry: why for entry, why in hidden.items() if isinstance(entry, tuple)}
    return pairs, {entry: why for entry, why in hidden.items() if isinstance(entry, str)}


#: Entries that add up, and the margin that they add up to where it is hidden; None where the sum is shown.
_Line = tuple[frozenset[Pair | str], str | None]


def _sums(patients: Mapping[Pair, int], outside: Mapping[str, int], margins: tuple[Set[str], Set[str]]) -> list[_Line]:
    made: list[_Line] = [(frozenset([*patients, *outside]), None)]
    for side, hidden in enumerate(margins):
        for level in dict.fromkeys(pair[side] for pair in patients):
            line = frozenset(pair for pair in patients if pair[side] == level)
            made.append((line, f"{side} {level}" if level in hidden else None))
    return made


def _gives_away(line: _Line, entries: Mapping[Pair | str, int], hidden: Mapping[Pair | str, str], minimum: int) -> bool:
    """Whether what is hidden of a sum can be worked out from what is shown of it, and there is more to hide."""
    inside = [entry for entry in line[0] if entry in hidden]
    if _smallest(line[0], entries, hidden) is None:
        return False
    if line[1] is not None:  # the sum itself is hidden: it must not follow from its parts
        return not inside
    return bool(inside) and (len(inside) < 2 or sum(entries[entry] for entry in inside) < minimum)


def _smallest(
    line: frozenset[Pair | str], entries: Mapping[Pair | str, int], hidden: Mapping[Pair | str, str]
) -> Pair | str | None:
    shown = [(entries[entry], str(entry), entry) for entry in line if entries[entry] > 0 and entry not in hidden]
    return min(shown)[2] if shown else None


def _determined(sums: list[_Line], hidden: Mapping[Pair | str, str], entries: Mapping[Pair | str, int]) -> set[Pair | str]:
    """Hidden entries that follow from all sums together, as the solution of linear equations."""
    names = [*(entry for entry in entries if entry in hidden), *sorted({line[1] for line in sums if line[1] is not None})]
    if not names:
        return set()
    place = {name: number for number, name in enumerate(names)}
    rows: NDArray[np.float64] = np.zeros((len(sums), len(names)))
    for row, (line, margin) in zip(rows, sums, strict=True):
        for entry in line & set(hidden):
            row[place[entry]] = 1.0
        if margin is not None:
            row[place[margin]] = -1.0
    _, values, directions = np.linalg.svd(rows)
    free = directions[int(np.count_nonzero(values > 1e-9)) :]  # in these directions nothing that is shown changes
    return {name for name in names if name in hidden and not np.any(np.abs(free[:, place[name]]) > 1e-9)}
