"""Predictions, reference standard and cohort become cases: each study once, with its patient, or excluded for a stated reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tasks.errors import ConfigurationError, SafelightError
from tasks.evaluation import clusters, levels, tables
from tasks.evaluation.levels import Levels
from tasks.evaluation.plan import NOT_DECLARED, NOT_STATED, Plan
from tasks.evaluation.studies import Keys, readings

_STUDY, _PATIENT = "StudyInstanceUID", "PatientID"
#: The attribute that is made from SliceThickness (mm), and its levels.
SLICE_THICKNESS = "slice_thickness"
THIN, THICK = "thin (<= 3 mm)", "thick (> 3 mm)"
_THIN_MM = 3.0 + 1e-6  # a decimal string such as 3.0000001 is a 3 mm slice

_NO_REFERENCE, _NO_PREDICTION, _NO_PATIENT = "E-EVAL-NO-REFERENCE", "E-EVAL-NO-PREDICTION", "E-EVAL-NO-PATIENT"
_SCORE, _INDETERMINATE = "E-EVAL-SCORE", "E-EVAL-INDETERMINATE"


@dataclass(frozen=True)
class Cases:
    """Studies with a reference standard, in any order: nothing that is computed depends on it (`ordered`).

    Args:
        patients: the patient's number among all patients of the tables, in the order of their keys; int64 of shape (cases,).
        scores: float64 of shape (cases,); NaN where the model did not read the case.
        labels: 0 or 1, float64 of shape (cases,).
        levels: attribute → its levels.
        places: the study's number among all studies of the tables, int64 of shape (cases,).
    """

    patients: clusters.Codes
    scores: NDArray[np.float64]
    labels: NDArray[np.float64]
    levels: dict[str, Levels]
    places: NDArray[np.int64]

    def ordered(self) -> Cases:
        """The same cases by patient, score and label: sums of fractions depend on the order in their last digits."""
        return self.taken(np.lexsort((self.labels, self.scores, self.patients)))

    def taken(self, order: NDArray[np.int64]) -> Cases:
        """The same cases in another order."""
        inside = {name: Levels(found.names, found.codes[order]) for name, found in self.levels.items()}
        return Cases(self.patients[order], self.scores[order], self.labels[order], inside, self.places[order])

    def with_(self, other: Cases) -> Cases:
        """These cases and others of the same tables."""
        both = {
            name: levels.joined(found, other.levels[name]) for name, found in self.levels.items()
        }  # fmt: skip
        return Cases(
            np.concatenate([self.patients, other.patients]),
            np.concatenate([self.scores, other.scores]),
            np.concatenate([self.labels, other.labels]),
            both,
            np.concatenate([self.places, other.places]),
        )

    def where(self, mask: NDArray[np.bool_]) -> Cases:
        """Those cases for which `mask` holds."""
        inside = {attribute: found.inside(mask) for attribute, found in self.levels.items()}
        return Cases(self.patients[mask], self.scores[mask], self.labels[mask], inside, self.places[mask])


@dataclass(frozen=True)
class Assembled:
    """All that the tables gave.

    Args:
        analysed: cases with a reference standard and a score.
        unread: cases with a reference standard that the model did not read; they count as errors in the worst case.
        indeterminate: cases with a score whose label is null: NaN in `labels`.
        excluded: reason code → studies that are not in `analysed`.
        everyone: all studies of the tables, by their numbers: whoever has measured something else in them finds patient and levels here.
        named: which of them are of a known patient, bool of shape (studies,).
        studies: the keys of all studies of the tables, by their numbers.
        model_version, weights_sha256: of the predictions; empty where they do not say.
        predictions_sha256, reference_sha256, cohort_sha256: of what was used of each table.
    """

    analysed: Cases
    unread: Cases
    indeterminate: Cases
    excluded: dict[str, int]
    everyone: Cases
    named: NDArray[np.bool_]
    studies: pa.Array
    model_version: str
    weights_sha256: str
    predictions_sha256: str
    reference_sha256: str
    cohort_sha256: str


def assemble(predictions: pa.Table, reference: pa.Table, cohort: pa.Table, plan: Plan) -> Assembled:
    """Join the three tables by StudyInstanceUID.

    Args:
        predictions: StudyInstanceUID and score; PatientID, SeriesInstanceUID, model_name, model_version, finding, reason_code,
            weights_sha256, Manufacturer, SliceThickness (mm) and ConvolutionKernel where there are such columns. A row with a
            reason_code, or without a finite score, is a case that was not read.
        reference: StudyInstanceUID and label (0, 1 or null); finding and PatientID where there are such columns.
        cohort: StudyInstanceUID and the attributes that the plan names; PatientID where there is such a column.

    Raises:
        ConfigurationError: E-EVAL-COLUMN, E-EVAL-ATTRIBUTE, E-EVAL-MODEL, E-EVAL-VERSIONS.
        SafelightError: E-EVAL-DUPLICATE, E-EVAL-LABEL, E-EVAL-PATIENT; each with counts.
    """
    attributes = plan.attributes
    sources = [("SliceThickness" if name == SLICE_THICKNESS else name) for name in attributes]
    tables.require(predictions, (_STUDY, "score"), "predictions")
    tables.require(reference, (_STUDY, "label"), "reference")
    tables.require(cohort, (_STUDY,), "cohort")
    used = {
        "predictions": tables.select(predictions, tables.COLUMNS["predictions"]),
        "reference": tables.select(reference, tables.COLUMNS["reference"]),
        "cohort": tables.select(cohort, sorted({_STUDY, _PATIENT, *attributes, *sources})),
    }
    _known(attributes, used["predictions"], used["cohort"])
    read = _of_the_plan(used["predictions"], plan)
    version, weights = (_only(read, name) for name in ("model_version", "weights_sha256"))
    truth = _with_studies(_truth(used["reference"], plan), "reference")
    known = _with_studies(used["cohort"], "cohort")
    keys = Keys.of(read, truth, known)
    for table, what, place in ((truth, "reference", 1), (known, "cohort", 2)):
        twice = table.num_rows - int(np.count_nonzero(np.bincount(keys.studies[place])))
        if twice:
            raise SafelightError("E-EVAL-DUPLICATE", f"{what}: {twice} rows beyond the first of their study")
    scores, chosen = readings(read, keys.studies[0], keys.among, plan.several_series)
    labels = np.full(keys.among, np.nan)
    labels[keys.studies[1]] = tables.number(truth, "label", "reference")
    patients = _patients(keys)
    open_ended = np.zeros(keys.among, dtype=np.bool_)
    open_ended[keys.studies[1]] = np.isnan(labels[keys.studies[1]])
    reasons, codes = _reasons(read, labels, scores, chosen, patients)
    reasons[open_ended] = codes.index(_INDETERMINATE)
    # A study of nobody known is not analysed; where it counts as an error of the worst case, it is a patient of its own.
    alone = patients.max(initial=-1) + 1 + np.arange(keys.among)
    cases = Cases(
        np.where(patients < 0, alone, patients), scores, labels, _levels(plan, read, known, keys, chosen), np.arange(keys.among)
    )
    excluded = {code: int(np.count_nonzero(reasons == place)) for place, code in enumerate(codes) if code}
    unread = ~np.isin(reasons, [codes.index(code) for code in (_NO_REFERENCE, _INDETERMINATE, _NO_PATIENT, "")])
    return Assembled(
        analysed=cases.where(reasons == codes.index("")),
        unread=cases.where(unread),
        indeterminate=cases.where(open_ended & ~np.isnan(scores) & (patients >= 0)),
        excluded={code: n for code, n in sorted(excluded.items()) if n},
        everyone=cases,
        named=patients >= 0,
        studies=keys.names,
        model_version=version,
        weights_sha256=weights,
        **{f"{name}_sha256": tables.content_sha256(table) for name, table in used.items()},
    )


def both_versions(predictions: pa.Table, reference: pa.Table, cohort: pa.Table, plan: Plan) -> tuple[Cases, NDArray[np.float64]]:
    """The cases that both the plan's model and its comparator read, with a label and a patient.

    Returns:
        the cases with the scores of the plan's model, and the comparator's scores, float64 of shape (cases,).

    Raises:
        ConfigurationError, SafelightError: those of `assemble`; E-EVAL-MODEL where one of the two has no predictions.
    """
    if plan.comparator is None:
        raise ValueError("the plan names no comparator")
    used = tables.select(predictions, tables.COLUMNS["predictions"])
    read = _of_the_plan(used, plan)
    earlier = _of_the_plan(used, plan.model_copy(update={"model": plan.comparator.model}))
    truth = _with_studies(_truth(tables.select(reference, tables.COLUMNS["reference"]), plan), "reference")
    known = _with_studies(cohort, "cohort")
    keys = Keys.of(read, truth, known, earlier)
    scores, chosen = readings(read, keys.studies[0], keys.among, plan.several_series)
    before, _ = readings(earlier, keys.studies[3], keys.among, plan.several_series)
    labels = np.full(keys.among, np.nan)
    labels[keys.studies[1]] = tables.number(truth, "label", "reference")
    patients = _patients(keys)
    both = np.isfinite(scores) & np.isfinite(before) & np.isfinite(labels) & (patients >= 0)
    cases = Cases(patients, scores, labels, _levels(plan, read, known, keys, chosen), np.arange(keys.among))
    return cases.where(both), before[both]


def _known(attributes: list[str], predictions: pa.Table, cohort: pa.Table) -> None:
    columns = {*cohort.column_names, *(name for name in tables.ACQUISITION if name in predictions.column_names)}
    if "SliceThickness" in columns:
        columns.add(SLICE_THICKNESS)
    unknown = [name for name in attributes if name not in columns]
    if unknown:
        raise ConfigurationError("E-EVAL-ATTRIBUTE", ", ".join(unknown))


def _of_the_plan(table: pa.Table, plan: Plan) -> pa.Table:
    """The predictions of the plan's model for its finding, of those rows that name a study; texts are trimmed, and null where empty."""
    made = {name: tables.text(table, name, "predictions") for name in table.column_names if name not in tables.NUMBERS}
    made |= {name: tables.number(table, name, "predictions") for name in table.column_names if name in tables.NUMBERS}
    read = pa.table(made)
    wanted = None
    for name, value in (("model_name", plan.model_name), ("model_version", plan.model_version), ("finding", plan.finding)):
        if name in read.column_names and value:
            here = pc.fill_null(pc.equal(read[name], value), True)
            wanted = here if wanted is None else pc.and_(wanted, here)
    if wanted is not None and not pc.all(wanted).as_py():
        read = read.filter(wanted)
    if table.num_rows and not read.num_rows:
        raise ConfigurationError("E-EVAL-MODEL", f"{table.num_rows} rows of predictions, none of {plan.model} for {plan.finding}")
    return _with_studies(read, "predictions")


def _with_studies(table: pa.Table, what: str) -> pa.Table:
    """The rows that name a study, with study and patient as text."""
    for name in (_STUDY, _PATIENT):
        if name in table.column_names:
            table = table.set_column(table.column_names.index(name), name, tables.text(table, name, what))
    return table.filter(pc.is_valid(table[_STUDY])) if table[_STUDY].null_count else table


def _truth(table: pa.Table, plan: Plan) -> pa.Table:
    """The reference standard's rows about the plan's finding, whose labels are 0, 1 or null."""
    if "finding" in table.column_names:
        mine = pc.fill_null(pc.equal(tables.text(table, "finding", "reference"), plan.finding), False)
        rows, table = table.num_rows, table.filter(mine)
        if rows and not table.num_rows:
            raise ConfigurationError("E-EVAL-MODEL", f"{rows} rows of the reference, none for {plan.finding}")
    table = table.filter(pc.is_valid(table[_STUDY]))
    try:
        labels = tables.number(table, "label", "reference")
    except ConfigurationError:
        raise SafelightError("E-EVAL-LABEL", "reference: the column label is not a number everywhere") from None
    silent = np.asarray(table["label"].is_null(), dtype=np.bool_)
    wrong = int(np.count_nonzero(~silent & (labels != 0.0) & (labels != 1.0)))
    if wrong:
        raise SafelightError("E-EVAL-LABEL", f"reference: {wrong} of {table.num_rows} labels")
    return table


def _only(table: pa.Table, name: str) -> str:
    found = pc.unique(table[name]).drop_null().to_pylist() if name in table.column_names else []
    if len(found) > 1:
        raise ConfigurationError("E-EVAL-VERSIONS", f"{name}: {len(found)} different ones")
    return str(found[0]) if found else ""


def _patients(keys: Keys) -> clusters.Codes:
    """Each study's patient, from whichever table names it; -1 where none does."""
    found, disagree = np.full(keys.among, -1, dtype=np.int64), np.zeros(keys.among, dtype=np.bool_)
    for studies, patients in zip(keys.studies, keys.patients, strict=True):
        named = patients >= 0
        where, who = studies[named], patients[named]
        earlier = found[where]
        found[where] = np.where(earlier < 0, who, earlier)
        # Several rows of one study in one table must agree as well: what was just written is compared with every one of them.
        disagree[where[found[where] != who]] = True
    if disagree.any():
        raise SafelightError("E-EVAL-PATIENT", f"{int(disagree.sum())} studies have more than one PatientID")
    if found.size and (found < 0).all():
        raise ConfigurationError("E-EVAL-PATIENT", "no table has a PatientID")
    return found


def _levels(plan: Plan, read: pa.Table, known: pa.Table, keys: Keys, chosen: NDArray[np.int64]) -> dict[str, Levels]:
    """Each study's level of every attribute: the cohort's, or, where it is silent, that of the series that was read."""
    made = {}
    for group in plan.subgroups:
        banded = group.attribute == SLICE_THICKNESS and group.attribute not in known.column_names
        source = "SliceThickness" if banded else group.attribute
        unstated = len(group.levels)
        codes = np.full(keys.among, unstated, dtype=np.int16)
        if source in known.column_names:
            codes[keys.studies[2]] = levels.coded(_values(known, source, "cohort"), group.levels, _band if banded else _as_text)
        if source in read.column_names:
            beside = levels.coded(_values(read, source, "predictions"), group.levels, _band if banded else _as_text)
            silent = (codes == unstated) & (chosen >= 0)
            codes[silent] = beside[chosen[silent]]
        made[group.attribute] = levels.compact([*group.levels, NOT_STATED, NOT_DECLARED], codes)
    for first, second in plan.intersections:
        made[f"{first}{levels.CROSS}{second}"] = levels.crossed(made[first], made[second])
    return made


def _values(table: pa.Table, name: str, what: str) -> pa.ChunkedArray | pa.Array:
    return pa.array(tables.number(table, name, what)) if name in tables.NUMBERS else tables.text(table, name, what)


def _as_text(value: Any) -> str | None:
    """A level as a plan writes it: a number without needless digits (2.5, 5)."""
    if isinstance(value, float):
        return f"{value:g}" if np.isfinite(value) else None
    return None if value is None else str(value)


def _band(millimetres: float) -> str | None:
    if not np.isfinite(millimetres) or millimetres <= 0:
        return None
    return THIN if millimetres <= _THIN_MM else THICK


def _reasons(
    read: pa.Table, labels: NDArray[np.float64], scores: NDArray[np.float64], chosen: NDArray[np.int64], patients: clusters.Codes
) -> tuple[NDArray[np.int64], list[str]]:
    """Why each study is not analysed, the first reason that applies.

    Returns:
        the place of each study's code, int64 of shape (studies,); and the codes, "" for those that are analysed.
    """
    given = tables.text(read, "reason_code", "predictions") if "reason_code" in read.column_names else None
    encoded = pc.dictionary_encode(given if given is not None else pa.nulls(read.num_rows, pa.string()))
    encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
    ours = ["", _NO_REFERENCE, _INDETERMINATE, _NO_PREDICTION, _SCORE, _NO_PATIENT]
    codes = [*ours, *(code for code in encoded.dictionary.to_pylist() if code not in ours)]
    of_value = np.array([codes.index(code) for code in encoded.dictionary.to_pylist()] + [codes.index(_SCORE)], dtype=np.int64)
    of_row = of_value[np.asarray(pc.fill_null(encoded.indices, len(encoded.dictionary)))]
    reasons = np.where(patients < 0, codes.index(_NO_PATIENT), codes.index(""))
    unscored = np.isnan(scores)
    there = unscored & (chosen >= 0)
    reasons[there] = of_row[chosen[there]]
    reasons[unscored & (chosen < 0)] = codes.index(_NO_PREDICTION)
    reasons[np.isnan(labels)] = codes.index(_NO_REFERENCE)
    return reasons, codes
