"""What a card counts: patients, studies and volumes of every level in every split, and which small counts are not shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

ALL = "all"


@dataclass
class Cell:
    """Who and what is in one level and split."""

    patients: set[str] = field(default_factory=set)
    studies: set[str] = field(default_factory=set)
    volumes: int = 0


@dataclass(frozen=True)
class Counted:
    """One attribute's table: level → column (`all`, then each split) → cell. Every level has every column."""

    attribute: str
    columns: tuple[str, ...]
    cells: Mapping[str, Mapping[str, Cell]]

    def patients(self, level: str, column: str = ALL) -> int:
        """Patients of a level, in all or in one split."""
        return len(self.cells[level][column].patients)


def count(attribute: str, entries: Iterable[tuple[str, str, str, str]], splits: Sequence[str], levels: Sequence[str]) -> Counted:
    """Count volumes.

    Args:
        entries: of each volume its level, split, patient and study.
        levels: those that stand first, even where nobody has them; others follow in the order of the alphabet.
    """
    columns = (ALL, *splits)
    cells = {level: {column: Cell() for column in columns} for level in levels}
    for level, split, patient, study in entries:
        row = cells.setdefault(level, {column: Cell() for column in columns})
        for column in (ALL, split):
            row[column].patients.add(patient)
            row[column].studies.add(study)
            row[column].volumes += 1
    order = [*levels, *sorted(cells.keys() - set(levels))]
    return Counted(attribute, columns, {level: cells[level] for level in order})


def hidden(counted: Counted, minimum: int) -> set[tuple[str, str]]:
    """The cells (level, column) that are not shown: those of some patients but fewer than `minimum`, and as many others as are
    needed so that none can be worked out from what is shown.

    The splits of a level add up to `all`, and the levels of a column to the column's total, which the card states. So no line of
    the table may have just one hidden cell: the smallest other one that is not empty is hidden with it.
    """
    patients = {(level, column): counted.patients(level, column) for level in counted.cells for column in counted.columns}
    away = {place for place, n in patients.items() if 0 < n < minimum}
    lines = [[(level, column) for column in counted.columns] for level in counted.cells]
    lines += [[(level, column) for level in counted.cells] for column in counted.columns]
    changed = bool(away)
    while changed:
        changed = False
        for line in lines:
            shown = sorted((patients[place], place) for place in line if place not in away and patients[place])
            if len(away.intersection(line)) == 1 and shown:
                away.add(shown[0][1])
                changed = True
    return away
