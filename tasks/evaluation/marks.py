"""A detection device's marks and the reference's lesions, from tables to every row that is shown."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tasks.errors import ConfigurationError, SafelightError
from tasks.evaluation import tables
from tasks.evaluation.cases import Assembled, Cases
from tasks.evaluation.lesions import Marks, detection
from tasks.evaluation.plan import Plan
from tasks.evaluation.results import Detection

_STUDY = "StudyInstanceUID"


def detections(
    assembled: Assembled, marks: pa.Table | None, lesions: pa.Table | None, plan: Plan, shown: Iterable[tuple[str, str]]
) -> tuple[Detection, ...]:
    """Detection in all analysed cases and in each level that is shown.

    Args:
        marks: StudyInstanceUID, score, and `lesion`: the lesion that the mark is on, null where it is on none.
        lesions: StudyInstanceUID and `lesion`, the lesion's name within its study.
        shown: (attribute, level) of the rows of which numbers are shown.

    Returns:
        nothing where the plan asks for no detection, or neither table is given.

    Raises:
        ConfigurationError: E-EVAL-MARKS where one table is given without the other or without the plan's `detection`; E-EVAL-COLUMN.
        SafelightError: E-EVAL-MARKS with counts: scores that are not finite, marks on unknown lesions, or cases whose label does not
            agree with whether they have lesions; E-EVAL-DUPLICATE for a lesion that stands twice.
    """
    if marks is None and lesions is None:
        return ()
    if marks is None or lesions is None or plan.detection is None:
        raise ConfigurationError("E-EVAL-MARKS", "marks, lesions and the plan's `detection` belong together")
    tables.require(marks, (_STUDY, "score", "lesion"), "marks")
    tables.require(lesions, (_STUDY, "lesion"), "lesions")
    cases = _by_key(assembled)
    found = _of_cases(assembled, cases, marks, lesions)
    masks = [("", "", np.ones(cases.labels.size, dtype=np.bool_))]
    for attribute, level in shown:
        levels = cases.levels[attribute]
        if level in levels.names:
            masks.append((attribute, level, levels.codes == levels.names.index(level)))
    return tuple(
        detection(
            _inside(found, mask), cases.patients[mask], at=plan.detection.false_positives, confidence=plan.confidence,
            attribute=attribute, level=level,
        )
        for attribute, level, mask in masks
    )  # fmt: skip


def _by_key(assembled: Assembled) -> Cases:
    """The analysed cases in the order of their studies' keys: sums over them must not depend on the order of the rows."""
    keys = assembled.studies.take(pa.array(assembled.analysed.places))
    return assembled.analysed.taken(np.asarray(pc.sort_indices(keys)).astype(np.int64))


def _of_cases(assembled: Assembled, cases: Cases, marks: pa.Table, lesions: pa.Table) -> Marks:
    place = np.full(len(assembled.studies) + 1, -1, dtype=np.int64)
    place[cases.places] = np.arange(cases.places.size)
    lesion_case, mark_case = (_cases(table, assembled, place, what) for table, what in ((lesions, "lesions"), (marks, "marks")))
    scores = tables.number(marks, "score", "marks")
    bad = int(np.count_nonzero(~np.isfinite(scores)))
    if bad:
        raise SafelightError("E-EVAL-MARKS", f"{bad} of {scores.size} marks have no finite score")
    named = tables.text(marks, "lesion", "marks").to_pylist()
    names = tables.text(lesions, "lesion", "lesions").to_pylist()
    known = {(int(case), name): number for number, (case, name) in enumerate(zip(lesion_case, names, strict=True)) if case >= 0}
    inside = int(np.count_nonzero(lesion_case >= 0))
    if len(known) < inside:
        raise SafelightError("E-EVAL-DUPLICATE", f"lesions: {inside - len(known)} rows beyond the first of their lesion")
    best = np.full(lesion_case.size, -np.inf)
    false_case, false_score, unknown = [], [], 0
    for case, score, name in zip(mark_case.tolist(), scores.tolist(), named, strict=True):
        if case < 0:
            continue
        if name is None:
            false_case.append(case)
            false_score.append(score)
        elif (case, name) in known:
            best[known[case, name]] = max(best[known[case, name]], score)
        else:
            unknown += 1
    if unknown:
        raise SafelightError("E-EVAL-MARKS", f"{unknown} marks are on lesions that the table of lesions does not have")
    kept = lesion_case >= 0
    has = np.bincount(lesion_case[kept], minlength=cases.labels.size) > 0
    disagree = int(np.count_nonzero(has != (cases.labels == 1.0)))
    if disagree:
        raise SafelightError("E-EVAL-MARKS", f"{disagree} cases have lesions and a label of 0, or none and a label of 1")
    hit = _sorted(lesion_case[kept], best[kept])
    false = _sorted(np.array(false_case, dtype=np.int64), np.array(false_score, dtype=np.float64))
    return Marks(*hit, *false, cases.labels.size)


def _sorted(case: NDArray[np.int64], score: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    order = np.lexsort((score, case))
    return case[order], score[order]


def _cases(table: pa.Table, assembled: Assembled, place: NDArray[np.int64], what: str) -> NDArray[np.int64]:
    """The analysed case of each row; -1 where it is of another study."""
    numbers = pc.index_in(tables.text(table, _STUDY, what), value_set=assembled.studies)
    return np.asarray(place[np.asarray(pc.fill_null(numbers, len(assembled.studies)))])


def _inside(found: Marks, mask: NDArray[np.bool_]) -> Marks:
    """The marks and lesions of some of the cases."""
    number = np.cumsum(mask) - 1
    lesions, alarms = mask[found.lesion_case], mask[found.false_case]
    return Marks(
        number[found.lesion_case[lesions]], found.lesion_score[lesions], number[found.false_case[alarms]], found.false_score[alarms],
        int(mask.sum()),
    )  # fmt: skip
