"""Masks against reference masks, from the table of overlaps to every row that is shown."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tasks.errors import SafelightError
from tasks.evaluation import tables
from tasks.evaluation.cases import Assembled
from tasks.evaluation.endpoints.density import density
from tasks.evaluation.endpoints.means import limits, mean, no_limits
from tasks.evaluation.endpoints.parts import Given, Segmented
from tasks.evaluation.endpoints.rows import STUDY, People, Row, in_order, people, places, rows
from tasks.evaluation.intervals import not_estimable
from tasks.evaluation.plan import Plan, Segmentation

Array = NDArray[np.float64]
SHARES, DISTANCES, VOLUMES = (
    ("dice", "surface_dice"),
    ("mean_distance", "hausdorff", "hausdorff_95"),
    ("volume", "reference_volume"),
)
_ML = 1000.0


def segmentation(
    table: pa.Table, wanted: Segmentation, assembled: Assembled, plan: Plan, unseen: Set[tuple[str, str]]
) -> tuple[tuple[Segmented, ...], Given]:
    """Overlap, distances and volumes of every structure in all cases and each level.

    Args:
        table: a row a study and structure: StudyInstanceUID, structure, dice, volume and reference_volume (mm³); where there are such
            columns surface_dice, mean_distance, hausdorff, hausdorff_95 (mm), and reason_code of masks that could not be compared.
            Numbers are null where a mask is empty (`tasks.evaluation.segmentation.Overlap`).
        unseen: (attribute, level) that the table of performance does not show.

    Raises:
        ConfigurationError: E-EVAL-COLUMN.
        SafelightError: E-EVAL-DUPLICATE; E-EVAL-OVERLAPS with counts for numbers that can't be.
    """
    tables.require(table, (STUDY, "structure", "dice", *VOLUMES), "overlaps")
    used = in_order(tables.select(table, tables.COLUMNS["overlaps"]), [STUDY, "structure"], "overlaps")
    numbers = {name: tables.number(used, name, "overlaps") for name in (*SHARES, *DISTANCES, *VOLUMES)}
    _check(numbers)
    studies = places(used, "overlaps", assembled)
    named = tables.text(used, "structure", "overlaps")
    asked = np.asarray(pc.fill_null(pc.is_in(named, value_set=pa.array(wanted.structures)), False))
    failed = ~(np.isfinite(numbers["volume"]) & np.isfinite(numbers["reference_volume"]))
    if "reason_code" in used.column_names:
        failed |= np.asarray(pc.is_valid(tables.text(used, "reason_code", "overlaps")))
    kept = (studies >= 0) & asked & ~failed
    given = Given(
        name="overlaps", sha256=tables.content_sha256(used, tables.MEASURED), rows=used.num_rows, used=int(kept.sum()),
        unknown=int((studies < 0).sum()), not_in_plan=int(((studies >= 0) & ~asked).sum()),
        unusable=int(((studies >= 0) & asked & failed).sum()),
    )  # fmt: skip
    found: list[Segmented] = []
    structures = np.asarray(named, dtype=object)
    for structure in wanted.structures:
        mine = kept & (structures == structure)
        values = _Values(people(assembled, studies[mine]), {name: each[mine] for name, each in numbers.items()})
        found += [values.row(structure, row, plan) for row in rows(values.who, plan, unseen)]
    return tuple(found), given


def _check(numbers: dict[str, Array]) -> None:
    for name, values in numbers.items():
        most = 1.0 if name in SHARES else np.inf
        wrong = int(np.count_nonzero(np.isinf(values) | (values < 0.0) | (values > most)))
        if wrong:
            raise SafelightError("E-EVAL-OVERLAPS", f"{wrong} values of {name} lie outside of what it can be")
    full = (numbers["volume"] > 0.0) | (numbers["reference_volume"] > 0.0)
    wrong = int(np.count_nonzero(full & np.isnan(numbers["dice"])))
    if wrong:
        raise SafelightError("E-EVAL-OVERLAPS", f"{wrong} rows have no dice, though a mask is not empty")


@dataclass(frozen=True)
class _Values:
    """One structure's rows of the table."""

    who: People
    numbers: dict[str, Array]

    def row(self, structure: str, row: Row, plan: Plan) -> Segmented:
        about = {"attribute": row.attribute, "level": row.level, "structure": structure}
        metrics = (*SHARES, *DISTANCES)
        if row.hidden:
            none = not_estimable(row.hidden, plan.confidence)
            return Segmented(
                **about, patients=0, cases=0, one_empty=0, both_empty=0, **dict.fromkeys(metrics, none),
                volumes=no_limits(row.hidden, plan), suppressed=True,
            )  # fmt: skip
        inside, patients = row.inside, self.who.patients[row.inside]
        numbers = {name: values[inside] for name, values in self.numbers.items()}
        volume, reference = numbers["volume"] / _ML, numbers["reference_volume"] / _ML
        empty = (volume == 0.0).astype(int) + (reference == 0.0)
        estimates = {name: mean(numbers[name], patients, plan, most=1.0 if name in SHARES else np.inf) for name in metrics}
        return Segmented(
            **about, patients=self.who.count(inside), cases=int(inside.sum()), one_empty=int((empty == 1).sum()),
            both_empty=int((empty == 2).sum()), **estimates, volumes=limits(volume, reference, patients, plan),
            density=() if row.attribute else density(volume, reference, patients, plan.minimum_cases),
        )  # fmt: skip
