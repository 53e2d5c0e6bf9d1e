"""Which levels of an attribute are too small to show, and which others must be hidden so that these can't be worked out."""

from __future__ import annotations

from collections.abc import Mapping


def withheld(patients: Mapping[str, int], minimum: int, *, complementary: bool = True) -> dict[str, str]:
    """Levels to hide, and why.

    A level with some patients but fewer than `minimum` is hidden. Since an attribute's levels add up to all cases, what is hidden
    must hold at least two levels and `minimum` patients together, or the total minus the shown levels would give it back: so
    the smallest level that is shown is hidden too, until this holds or none is left. An empty level is shown as empty.

    Args:
        patients: level → patients, for all levels of one attribute.
        minimum: the fewest patients that may be shown.
        complementary: whether other levels are hidden with it; without, the hidden counts can be worked out.

    Returns:
        level → reason, for the levels to hide.
    """
    hidden = {level: f"fewer than {minimum} patients" for level, n in patients.items() if 0 < n < minimum}
    shown = sorted((n, level) for level, n in patients.items() if n >= minimum)
    while complementary and hidden and shown and (len(hidden) < 2 or sum(patients[level] for level in hidden) < minimum):
        hidden[shown.pop(0)[1]] = f"withheld, since a level of fewer than {minimum} patients could be worked out from it"
    return hidden
