"""Predictions, reference standard and cohort become cases: each study once, with its patient, or excluded for a stated reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from tasks.errors import ConfigurationError, SafelightError
from tasks.evaluation import clusters, tables
from tasks.evaluation.plan import NOT_DECLARED, NOT_STATED, Plan

_STUDY, _SERIES, _PATIENT = "StudyInstanceUID", "SeriesInstanceUID", "PatientID"
_PREDICTIONS = (
    _STUDY, _SERIES, _PATIENT, "model_name", "model_version", "finding", "score", "reason_code", "weights_sha256",
)  # fmt: skip
_REFERENCE = (_STUDY, _PATIENT, "finding", "label")
#: Acquisition attributes may stand beside the predictions, since they belong to the series that was read.
ACQUISITION = ("Manufacturer", "SliceThickness", "ConvolutionKernel")

#: The attribute that is made from SliceThickness (mm), and its levels.
SLICE_THICKNESS = "slice_thickness"
THIN, THICK = "thin (<= 3 mm)", "thick (> 3 mm)"
_THIN_MM = 3.0 + 1e-6  # a decimal string such as 3.0000001 is a 3 mm slice

_NO_REFERENCE, _NO_PREDICTION, _NO_PATIENT = "E-EVAL-NO-REFERENCE", "E-EVAL-NO-PREDICTION", "E-EVAL-NO-PATIENT"
_SCORE = "E-EVAL-SCORE"


@dataclass(frozen=True)
class Cases:
    """Studies with a reference standard, sorted by StudyInstanceUID.

    Args:
        patients: the patient's number among all studies of the tables, in the order of the keys; int64 of shape (cases,).
        scores: float64 of shape (cases,); NaN where the model did not read the case.
        labels: 0 or 1, float64 of shape (cases,).
        levels: attribute → the level of each case, object of shape (cases,); values as the cohort has them, or `not stated`.
    """

    patients: clusters.Codes
    scores: NDArray[np.float64]
    labels: NDArray[np.float64]
    levels: dict[str, NDArray[Any]]

    def where(self, mask: NDArray[np.bool_]) -> Cases:
        """Those cases for which `mask` holds."""
        levels = {attribute: values[mask] for attribute, values in self.levels.items()}
        return Cases(self.patients[mask], self.scores[mask], self.labels[mask], levels)

    def inside(self, mask: NDArray[np.bool_]) -> Cases:
        """Those cases for which `mask` holds, without their levels: what one row of a table is made from."""
        return Cases(self.patients[mask], self.scores[mask], self.labels[mask], {})


@dataclass(frozen=True)
class Assembled:
    """All that the tables gave.

    Args:
        analysed: cases with a reference standard and a score.
        unread: cases with a reference standard that the model did not read; they count as errors in the worst case.
        excluded: reason code → studies that are not in `analysed`.
        model_version, weights_sha256: of the predictions; empty where they do not say.
        predictions_sha256, reference_sha256, cohort_sha256: of what was used of each table.
    """

    analysed: Cases
    unread: Cases
    excluded: dict[str, int]
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
    attributes = [group.attribute for group in plan.subgroups]
    sources = [("SliceThickness" if name == SLICE_THICKNESS else name) for name in attributes]
    tables.require(predictions, (_STUDY, "score"), "predictions")
    tables.require(reference, (_STUDY, "label"), "reference")
    tables.require(cohort, (_STUDY,), "cohort")
    used_predictions = tables.select(predictions, [*_PREDICTIONS, *ACQUISITION])
    used_reference = tables.select(reference, _REFERENCE)
    used_cohort = tables.select(cohort, sorted({_STUDY, _PATIENT, *attributes, *sources}))
    _known(attributes, used_predictions, used_cohort)
    read = _predictions(used_predictions, plan)
    version, weights = (_only(read[name], name) for name in ("model_version", "weights_sha256"))
    truth = _reference(used_reference, plan)
    known = _cohort(used_cohort)
    studies = _studies(read, plan)
    universe = known.index.union(truth.index).union(studies.index).sort_values()
    known, truth, studies = (frame.reindex(universe) for frame in (known, truth, studies))
    patients = _patients(known, truth, studies)
    reasons = _reasons(truth, studies, patients)
    own = np.where(patients.isna(), universe.to_numpy(dtype=object), patients.to_numpy(dtype=object))
    levels = {name: _levels(name, known, studies) for name in attributes}
    cases = Cases(
        clusters.encode(own.astype(str), len(own)),
        studies["score"].to_numpy(np.float64),
        truth["label"].to_numpy(np.float64),
        levels,
    )
    unread = np.isin(reasons, [_NO_REFERENCE, _NO_PATIENT, ""], invert=True)
    codes, counts = np.unique(reasons[reasons != ""].astype(str), return_counts=True)
    return Assembled(
        analysed=cases.where(reasons == ""),
        unread=cases.where(unread),
        excluded={str(code): int(n) for code, n in zip(codes, counts, strict=True)},
        model_version=version,
        weights_sha256=weights,
        predictions_sha256=tables.content_sha256(used_predictions),
        reference_sha256=tables.content_sha256(used_reference),
        cohort_sha256=tables.content_sha256(used_cohort),
    )


def _known(attributes: list[str], predictions: pa.Table, cohort: pa.Table) -> None:
    columns = {*cohort.column_names, *(name for name in ACQUISITION if name in predictions.column_names)}
    if "SliceThickness" in columns:
        columns.add(SLICE_THICKNESS)
    unknown = [name for name in attributes if name not in columns]
    if unknown:
        raise ConfigurationError("E-EVAL-ATTRIBUTE", ", ".join(unknown))


def _predictions(table: pa.Table, plan: Plan) -> pd.DataFrame:
    """The predictions of the plan's model for its finding; one row a row."""
    texts = [name for name in table.column_names if name not in {"score", "SliceThickness"}]
    columns = {**dict.fromkeys(_PREDICTIONS), **{name: tables.text(table, name, "predictions") for name in texts}}
    frame = pd.DataFrame(columns, index=pd.RangeIndex(table.num_rows), dtype=object)
    frame["score"] = tables.number(table, "score", "predictions")
    if "SliceThickness" in table.column_names:
        frame["SliceThickness"] = tables.number(table, "SliceThickness", "predictions")
    wanted = pd.Series(data=True, index=frame.index)
    for name, value in (("model_name", plan.model_name), ("model_version", plan.model_version), ("finding", plan.finding)):
        if name in table.column_names and value:
            wanted &= frame[name].isna() | (frame[name] == value)
    if table.num_rows and not wanted.any():
        raise ConfigurationError("E-EVAL-MODEL", f"{table.num_rows} rows of predictions, none of {plan.model} for {plan.finding}")
    return frame[wanted & frame[_STUDY].notna()]


def _studies(read: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """One row a study: its score, and why there is none."""
    frame = read.drop(columns=["model_name", "model_version", "finding", "weights_sha256"])
    scored = frame["reason_code"].isna() & np.isfinite(frame["score"])
    frame.loc[~scored & frame["reason_code"].isna(), "reason_code"] = _SCORE
    twice = frame.loc[scored].duplicated([_STUDY, _SERIES] if plan.several_series == "maximum" else [_STUDY])
    if twice.any():
        raise SafelightError("E-EVAL-DUPLICATE", f"predictions: {int(twice.sum())} rows beyond the first of their study")
    frame["scored"] = scored
    frame.loc[~scored, "score"] = np.nan
    frame = frame.sort_values([_STUDY, "scored", "score", "reason_code", _SERIES], ascending=[True, False, False, True, True])
    return frame.drop_duplicates(_STUDY).set_index(_STUDY).drop(columns=[_SERIES, "scored"])


def _reference(table: pa.Table, plan: Plan) -> pd.DataFrame:
    finding = tables.text(table, "finding", "reference")
    try:
        labels = tables.number(table, "label", "reference")
    except ConfigurationError:
        raise SafelightError("E-EVAL-LABEL", "reference: the column label is not a number everywhere") from None
    frame = pd.DataFrame({_STUDY: tables.text(table, _STUDY, "reference"), "label": labels})
    frame[_PATIENT] = tables.text(table, _PATIENT, "reference")
    wanted = frame[_STUDY].notna()
    if "finding" in table.column_names:
        wanted &= finding == plan.finding
        if table.num_rows and not wanted.any():
            raise ConfigurationError("E-EVAL-MODEL", f"{table.num_rows} rows of the reference, none for {plan.finding}")
    frame = frame[wanted]
    wrong = int((~frame["label"].isin([0.0, 1.0]) & ~_null(table, "label")[wanted.to_numpy()]).sum())
    if wrong:
        raise SafelightError("E-EVAL-LABEL", f"reference: {wrong} of {len(frame)} labels")
    return _unique(frame, "reference")


def _null(table: pa.Table, column: str) -> NDArray[np.bool_]:
    return np.asarray(table[column].is_null(), dtype=np.bool_)


def _cohort(table: pa.Table) -> pd.DataFrame:
    frame = pd.DataFrame({
        name: tables.number(table, name, "cohort") if name == "SliceThickness" else tables.text(table, name, "cohort")
        for name in table.column_names
    })  # fmt: skip
    if _PATIENT not in frame:
        frame[_PATIENT] = None
    return _unique(frame[frame[_STUDY].notna()], "cohort")


def _unique(frame: pd.DataFrame, what: str) -> pd.DataFrame:
    twice = int(frame[_STUDY].duplicated().sum())
    if twice:
        raise SafelightError("E-EVAL-DUPLICATE", f"{what}: {twice} rows beyond the first of their study")
    return frame.set_index(_STUDY)


def _only(values: pd.Series[Any], name: str) -> str:
    found = sorted(values.dropna().unique())
    if len(found) > 1:
        raise ConfigurationError("E-EVAL-VERSIONS", f"{name}: {len(found)} different ones")
    return str(found[0]) if found else ""


def _patients(known: pd.DataFrame, truth: pd.DataFrame, studies: pd.DataFrame) -> pd.Series[Any]:
    """Each study's patient, from whichever table names it; None where none does."""
    found, disagree = studies[_PATIENT], pd.Series(data=False, index=studies.index)
    for other in (known[_PATIENT], truth[_PATIENT]):
        disagree |= found.notna() & other.notna() & (found != other)
        found = found.where(found.notna(), other)
    if disagree.any():
        raise SafelightError("E-EVAL-PATIENT", f"{int(disagree.sum())} studies have more than one PatientID")
    if len(found) and found.isna().all():
        raise ConfigurationError("E-EVAL-PATIENT", "no table has a PatientID")
    return found


def _levels(attribute: str, known: pd.DataFrame, studies: pd.DataFrame) -> NDArray[Any]:
    """Each study's level: the cohort's, or, where it is silent, that of the series that was read."""
    banded = attribute == SLICE_THICKNESS and attribute not in known
    source = "SliceThickness" if banded else attribute
    values = pd.Series([None] * len(known), index=known.index, dtype=object)
    for frame in (known, studies):
        if source in frame:
            given = frame[source].map(_band if banded else _as_text)
            values = values.where(values.notna(), given.astype(object))
    return np.where(values.isna(), NOT_STATED, values).astype(object)


def _as_text(value: Any) -> str | None:
    """A level as a plan writes it: a number without needless digits (2.5, 5)."""
    if isinstance(value, float):
        return f"{value:g}" if np.isfinite(value) else None
    return None if value is None else str(value)


def _band(millimetres: float) -> str | None:
    if not np.isfinite(millimetres) or millimetres <= 0:
        return None
    return THIN if millimetres <= _THIN_MM else THICK


def _reasons(truth: pd.DataFrame, studies: pd.DataFrame, patients: pd.Series[Any]) -> NDArray[Any]:
    """Why each study is not analysed, the first that applies; empty for those that are."""
    scored = studies["score"].notna() & studies["reason_code"].isna()
    reasons = np.where(scored, "", studies["reason_code"])
    reasons = np.where((reasons == "") & patients.isna(), _NO_PATIENT, reasons)
    reasons = np.where(studies["score"].isna() & studies["reason_code"].isna(), _NO_PREDICTION, reasons)
    return np.where(truth["label"].isna(), _NO_REFERENCE, reasons).astype(object)


def declared(values: NDArray[Any], levels: tuple[str, ...]) -> list[tuple[str, NDArray[np.bool_]]]:
    """An attribute's rows: every declared level, then `not stated` and `not declared` where there are such cases."""
    rows = [(level, values == level) for level in levels]
    unstated = values == NOT_STATED
    others = ~unstated & ~np.isin(values.astype(str), levels)
    return rows + [(name, mask) for name, mask in ((NOT_STATED, unstated), (NOT_DECLARED, others)) if mask.any()]
