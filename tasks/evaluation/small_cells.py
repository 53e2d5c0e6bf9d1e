"""Levels that are shown, but have a cell of few patients: what of them is withheld, so that no such cell can be worked out.

A count of one false negative in a level of forty patients tells of one person whoever knows who was in the level. Agencies therefore set a
least count for every published cell, and not for the table's rows alone: CMS does not release counts of 1 to 10, nor what they could be
derived from (CMS cell size suppression policy; Hundepool et al., Statistical Disclosure Control, 2012, chapter 4, for complementary cells).
"""

from __future__ import annotations

from collections.abc import Mapping, Set

from tasks.evaluation.cells import FN, FP, TN, TP, Cells
from tasks.evaluation.suppression import withheld, withheld_pairs

#: What a reader may know to be a cell of the table at one operating point.
_CELLS = ((TP,), (FN,), (FP,), (TN,))
#: What a reader may know to be one whatever the operating point is.
_SIDES = ((TP, FN), (FP, TN))
Pair = tuple[str, str]


def reason(minimum: int) -> str:
    """Why the cells of a level are withheld."""
    return f"withheld, since the level has a cell of fewer than {minimum} patients, or one could be worked out from it"


def one_sided(counts: Cells, minimum: int) -> bool:
    """Whether few patients, but some, have the finding in a level, or have it not."""
    return any(0 < counts.patients(*side) < minimum for side in _SIDES)


def small(counts: Cells, minimum: int) -> bool:
    """Whether a cell of reference standard and reading has few patients, but some."""
    return any(0 < counts.patients(*cell) < minimum for cell in _CELLS)


def withheld_cells(counts: Mapping[str, Cells], unknown: Set[str], minimum: int, *, complementary: bool = True) -> frozenset[str]:
    """Levels of one attribute whose cells are withheld: those with a small one, and others with which they are hidden.

    The levels add up to all cases, whose row is shown. So at least two levels are unknown, and of each cell the unknown ones hold none, at
    least `minimum` studies, or all that there are.

    Args:
        counts: of every level.
        unknown: levels of which nothing is shown.
    """
    found = {level for level, each in counts.items() if level not in unknown and small(each, minimum)}
    if not found or not complementary:
        return frozenset(found)
    hidden = found | unknown
    left = sorted((each.patients(), level) for level, each in counts.items() if each.patients() and level not in hidden)
    while True:
        # With the finding and without it, each for itself: who is hidden beside a small cell must have cases of its kind.
        for side in _SIDES:
            hidden |= set(withheld({level: each.patients(*side) for level, each in counts.items()}, 1, also=hidden))
        left = [each for each in left if each[1] not in hidden]
        if not left or _spread(counts, hidden, minimum):
            return frozenset(hidden - unknown)
        hidden.add(left.pop(0)[1])


def withheld_crossed(
    counts: Mapping[Pair, Cells],
    outside: Mapping[str, Cells],
    unknown: Set[Pair | str],
    minimum: int,
    *,
    margins: tuple[Set[str], Set[str]],
    complementary: bool = True,
) -> frozenset[Pair | str]:
    """The same for two attributes crossed: no withheld cell may follow from the margins that are shown, and no withheld margin from its cells.

    Args:
        counts, outside: of every pair of levels, and of the rows that are no pairs.
        unknown: pairs and rows of which nothing is shown.
        margins: levels of either attribute of which the cells are not shown.
    """
    everything: dict[Pair | str, Cells] = dict(counts.items())
    everything.update(outside.items())
    found: set[Pair | str] = {entry for entry, each in everything.items() if entry not in unknown and small(each, minimum)}
    if not complementary or not (found or margins[0] or margins[1]):
        return frozenset(found)
    hidden: set[Pair | str] = {*found, *unknown}
    before = -1
    while len(hidden) > before:
        before = len(hidden)
        for side in _SIDES:
            pairs, rest = withheld_pairs(
                {pair: each.patients(*side) for pair, each in counts.items()}, {name: each.patients(*side) for name, each in outside.items()}, 1,
                margins=margins, also=hidden,
            )  # fmt: skip
            hidden |= {*pairs, *rest}
    return frozenset(hidden - unknown)


def _spread(counts: Mapping[str, Cells], hidden: Set[str], minimum: int) -> bool:
    for cell in (TP, FN, FP, TN):
        inside = sum(each.totals[cell] for level, each in counts.items() if level in hidden)
        if 0 < inside < minimum and inside < sum(each.totals[cell] for each in counts.values()):
            return False
    return True
