"""The rows of a further table: who they are of, and which levels are shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tasks.errors import SafelightError
from tasks.evaluation import tables
from tasks.evaluation.cases import Assembled
from tasks.evaluation.levels import Levels
from tasks.evaluation.plan import Plan
from tasks.evaluation.visible import Visible

STUDY = "StudyInstanceUID"


@dataclass(frozen=True)
class People:
    """Whom the rows of a table are of.

    Args:
        patients: the patient's number of each row, int64 of shape (rows,).
        labels: the study's label of each row, float64; NaN where it has none.
        levels: attribute → the level of each row.
    """

    patients: NDArray[np.int64]
    labels: NDArray[np.float64]
    levels: dict[str, Levels]

    def where(self, mask: NDArray[np.bool_]) -> People:
        """Those rows for which `mask` holds."""
        return People(self.patients[mask], self.labels[mask], {name: each.inside(mask) for name, each in self.levels.items()})

    def count(self, mask: NDArray[np.bool_] | None = None) -> int:
        """How many patients there are."""
        return int(np.unique(self.patients if mask is None else self.patients[mask]).size)


@dataclass(frozen=True)
class Row:
    """All cases (`attribute` empty) or a level: which rows of the table are of it, and why it is hidden, if it is."""

    attribute: str
    level: str
    inside: NDArray[np.bool_]
    hidden: str = ""


def places(table: pa.Table, what: str, assembled: Assembled) -> NDArray[np.int64]:
    """The study of each row among all studies of the evaluation, int64; -1 where it is none of them, or of no known patient."""
    found = pc.index_in(tables.text(table, STUDY, what), value_set=assembled.studies)
    numbers: NDArray[np.int64] = np.asarray(pc.fill_null(found, -1)).astype(np.int64)
    known = np.append(assembled.named, np.False_)  # the last one is that of -1
    return np.where(known[numbers], numbers, -1)


def people(assembled: Assembled, studies: NDArray[np.int64]) -> People:
    """Patients, labels and levels of rows, by the numbers of their studies."""
    everyone = assembled.everyone
    levels = {name: found.inside(studies) for name, found in everyone.levels.items()}
    return People(everyone.patients[studies], everyone.labels[studies], levels)


def in_order(table: pa.Table, columns: list[str], what: str) -> pa.Table:
    """The rows in the order of these columns, so that theirs does not matter; no two may agree in all of them.

    Raises:
        SafelightError: E-EVAL-DUPLICATE with the number of rows beyond the first.
    """
    keys = pa.table({name: tables.text(table, name, what) for name in columns if name in table.column_names})
    order = pc.sort_indices(keys, sort_keys=[(name, "ascending") for name in keys.column_names])
    twice = table.num_rows - keys.group_by(keys.column_names).aggregate([]).num_rows
    if twice:
        raise SafelightError("E-EVAL-DUPLICATE", f"{what}: {twice} rows beyond the first of their {', '.join(keys.column_names)}")
    return table.take(order)


def rows(who: People, plan: Plan, unseen: Set[tuple[str, str]]) -> Iterator[Row]:
    """All cases, then every level of every attribute.

    Args:
        unseen: (attribute, level) of what the table of performance does not show: it is not shown here either.
    """
    everything = np.ones(who.patients.size, dtype=np.bool_)
    few = f"fewer than {plan.minimum_cases} patients"
    yield Row("", "", everything, few if 0 < who.count() < plan.minimum_cases else "")
    sizes: dict[str, Mapping[str, int]] = {
        attribute: {level: who.count(found.codes == place) for place, level in enumerate(found.names)}
        for attribute, found in who.levels.items()
    }
    also = {attribute: {level for name, level in unseen if name == attribute} for attribute in sizes}
    visible = Visible(sizes, plan, also)
    for attribute, found in who.levels.items():
        hidden = visible.hidden(attribute)
        for place, level in enumerate(found.names):
            yield Row(attribute, level, found.codes == place, hidden.get(level, ""))
