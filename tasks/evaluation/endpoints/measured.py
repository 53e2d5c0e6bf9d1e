"""Measurements against reference measurements, and repeated measurements: from one table to every row that is shown."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasks.errors import SafelightError
from tasks.evaluation import tables
from tasks.evaluation.agreement import deming, errors
from tasks.evaluation.cases import Assembled
from tasks.evaluation.endpoints.density import density
from tasks.evaluation.endpoints.means import lacking, limits, no_limits
from tasks.evaluation.endpoints.parts import Agreed, Given, Repeated
from tasks.evaluation.endpoints.rows import STUDY, People, Row, in_order, people, places, rows
from tasks.evaluation.intervals import not_estimable
from tasks.evaluation.plan import Measurement, Plan
from tasks.evaluation.replicates import repeatability

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Measured:
    """The table of measurements, with whom its rows are of.

    Args:
        names: the measurement of each row.
        targets: what was measured of the patient, as a number over all rows: repeated measurements are of one target.
        studies: the study of each row among all of the evaluation; -1 where it is none of them, or of no known patient.
    """

    names: NDArray[np.object_]
    values: Array
    references: Array
    targets: NDArray[np.int64]
    studies: NDArray[np.int64]
    sha256: str

    @classmethod
    def of(cls, table: pa.Table, assembled: Assembled) -> Measured:
        """Read the table.

        Args:
            table: StudyInstanceUID, measurement and value; `reference_value` where agreement is asked for; `target` (which of a patient's
                lesions, say) and `repeat` where a study has several values of a measurement.

        Raises:
            ConfigurationError: E-EVAL-COLUMN.
            SafelightError: E-EVAL-DUPLICATE; E-EVAL-MEASUREMENTS for values that are infinite.
        """
        tables.require(table, (STUDY, "measurement", "value"), "measurements")
        used = in_order(
            tables.select(table, tables.COLUMNS["measurements"]), [STUDY, "measurement", "target", "repeat"], "measurements"
        )
        values, references = (tables.number(used, name, "measurements") for name in ("value", "reference_value"))
        wrong = int(np.count_nonzero(np.isinf(values) | np.isinf(references)))
        if wrong:
            raise SafelightError("E-EVAL-MEASUREMENTS", f"{wrong} rows have a value that is infinite")
        studies = places(used, "measurements", assembled)
        targets = np.zeros(used.num_rows, dtype=np.int64)
        if "target" in used.column_names:
            named = [name or "" for name in tables.text(used, "target", "measurements").to_pylist()]
            targets = np.unique(np.array(named, dtype=str), return_inverse=True)[1].reshape(-1).astype(np.int64)
        names = np.array(tables.text(used, "measurement", "measurements").to_pylist(), dtype=object)
        return cls(names, values, references, targets, studies, tables.content_sha256(used, tables.MEASURED))

    def given(self, plan: Plan) -> Given:
        """Where the rows went: those with a value of a measurement of the plan are used."""
        asked = {
            each.name for wanted in (plan.agreement, plan.repeatability) if wanted is not None for each in wanted.measurements
        }
        named = np.array([name in asked for name in self.names], dtype=np.bool_)
        known = self.studies >= 0
        used = known & named & np.isfinite(self.values)
        return Given(
            name="measurements", sha256=self.sha256, rows=self.values.size, used=int(used.sum()), unknown=int((~known).sum()),
            not_in_plan=int((known & ~named).sum()), unusable=int((known & named & ~np.isfinite(self.values)).sum()),
        )  # fmt: skip

    def of_measurement(self, name: str) -> NDArray[np.bool_]:
        """The rows of known patients that have a value of a measurement."""
        return np.asarray((self.names == name) & (self.studies >= 0) & np.isfinite(self.values))


def agreement(found: Measured, assembled: Assembled, plan: Plan, unseen: Set[tuple[str, str]]) -> tuple[Agreed, ...]:
    """Every measurement of the plan's `agreement` in all cases and each level, over the rows that have both values."""
    made: list[Agreed] = []
    for wanted in plan.agreement.measurements if plan.agreement is not None else ():
        mine = found.of_measurement(wanted.name) & np.isfinite(found.references)
        who = people(assembled, found.studies[mine])
        made += [_agreed(wanted, row, found.values[mine], found.references[mine], who, plan) for row in rows(who, plan, unseen)]
    return tuple(made)


def _agreed(wanted: Measurement, row: Row, values: Array, references: Array, who: People, plan: Plan) -> Agreed:
    about = {"attribute": row.attribute, "level": row.level, "measurement": wanted.name, "unit": wanted.unit}
    measured, reference, patients = values[row.inside], references[row.inside], who.patients[row.inside]
    reason = row.hidden or lacking(patients, plan)
    if reason:
        none = not_estimable(reason, plan.confidence)
        return Agreed(
            **about, patients=0, cases=0, mean_absolute_error=none, root_mean_square_error=none, limits=no_limits(reason, plan), slope=none,
            intercept=none, suppressed=bool(row.hidden),
        )  # fmt: skip
    absolute, root = errors(measured, reference, patients, confidence=plan.confidence)
    line = deming(measured, reference, patients, ratio=wanted.error_ratio, confidence=plan.confidence)
    return Agreed(
        **about, patients=who.count(row.inside), cases=int(row.inside.sum()), mean_absolute_error=absolute, root_mean_square_error=root,
        limits=limits(measured, reference, patients, plan), slope=line.slope, intercept=line.intercept,
        density=() if row.attribute else density(measured, reference, patients, plan.minimum_cases),
    )  # fmt: skip


def repeated(found: Measured, assembled: Assembled, plan: Plan, unseen: Set[tuple[str, str]]) -> tuple[Repeated, ...]:
    """Every measurement of the plan's `repeatability` in all cases and each level, over the targets that were measured at least twice.

    What was measured twice in a level counts there: of a patient whose two measurements lie in different levels, it is neither's.
    """
    made: list[Repeated] = []
    for wanted in plan.repeatability.measurements if plan.repeatability is not None else ():
        mine = np.flatnonzero(found.of_measurement(wanted.name))
        who = people(assembled, found.studies[mine])
        twice = _twice(_subjects(who.patients, found.targets[mine]))
        mine, who = mine[twice], who.where(twice)
        made += [_repeated(wanted, row, found.values[mine], found.targets[mine], who, plan) for row in rows(who, plan, unseen)]
    return tuple(made)


def _repeated(wanted: Measurement, row: Row, values: Array, targets: NDArray[np.int64], who: People, plan: Plan) -> Repeated:
    about = {"attribute": row.attribute, "level": row.level, "measurement": wanted.name, "unit": wanted.unit}
    patients = who.patients[row.inside]
    again = _twice(_subjects(patients, targets[row.inside]))
    reason = row.hidden or (lacking(patients[again], plan) if patients.size else "no patient was measured twice")
    if reason:
        none = not_estimable(reason, plan.confidence)
        return Repeated(
            **about,
            patients=0,
            measurements=0,
            freedom=0,
            wsd=none,
            coefficient=none,
            cv_percent=none,
            suppressed=bool(row.hidden),
        )
    subjects = _subjects(patients[again], targets[row.inside][again])
    value = repeatability(values[row.inside][again], subjects, confidence=plan.confidence)
    return Repeated(
        **about, patients=int(np.unique(patients[again]).size), measurements=int(again.sum()), freedom=value.freedom, wsd=value.wsd,
        coefficient=value.coefficient, cv_percent=value.cv_percent,
    )  # fmt: skip


def _subjects(patients: NDArray[np.int64], targets: NDArray[np.int64]) -> NDArray[np.int64]:
    """A number for each patient and target."""
    if not patients.size:
        return np.empty(0, dtype=np.int64)
    return np.unique(np.stack([patients, targets], axis=1), axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _twice(subjects: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which measurements are of a subject that was measured at least twice."""
    return np.asarray(np.bincount(subjects)[subjects] > 1) if subjects.size else np.empty(0, dtype=np.bool_)
