"""Readers with and without the model, from the table of readings to every row that is shown."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasks.errors import SafelightError
from tasks.evaluation import clusters, ranking, tables
from tasks.evaluation.cases import Assembled
from tasks.evaluation.endpoints.parts import (
    Generalized,
    Given,
    ModalityDifference,
    ModalityMean,
    ReaderFigure,
    ReaderStudy,
    ReaderTest,
)
from tasks.evaluation.endpoints.rows import STUDY, People, Row, in_order, people, places, rows
from tasks.evaluation.estimate import Estimate
from tasks.evaluation.intervals import estimated
from tasks.evaluation.plan import Plan
from tasks.evaluation.plan import ReaderStudy as Wanted
from tasks.evaluation.readers import Analysis, Figures, Study, analyse, figures

Array = NDArray[np.float64]
_CLUSTERED = "Obuchowski (patients as clusters)"


def reader_study(
    table: pa.Table, wanted: Wanted, assembled: Assembled, plan: Plan, unseen: Set[tuple[str, str]]
) -> tuple[tuple[ReaderStudy, ...], Given]:
    """The reader study in all cases and each level.

    Args:
        table: a row a study, reader and modality: StudyInstanceUID, reader, modality, score. The reference standard is that of the evaluation.

    Raises:
        ConfigurationError: E-EVAL-COLUMN.
        SafelightError: E-EVAL-DUPLICATE; E-EVAL-READINGS where there is no reading of a modality, or a score is infinite.
    """
    tables.require(table, (STUDY, "reader", "modality", "score"), "readings")
    used = in_order(tables.select(table, tables.COLUMNS["readings"]), [STUDY, "reader", "modality"], "readings")
    scores = tables.number(used, "score", "readings")
    if np.isinf(scores).any():
        raise SafelightError("E-EVAL-READINGS", f"{int(np.isinf(scores).sum())} scores are infinite")
    studies = places(used, "readings", assembled)
    modality = np.array([_place(name, wanted.modalities) for name in tables.text(used, "modality", "readings").to_pylist()])
    named = np.array(tables.text(used, "reader", "readings").to_pylist(), dtype=object)
    known, asked = studies >= 0, modality >= 0
    truth = assembled.everyone.labels[np.maximum(studies, 0)]
    there = known & asked & np.isfinite(truth) & np.isfinite(scores) & np.array([name is not None for name in named])
    silent = [name for place, name in enumerate(wanted.modalities) if not (there & (modality == place)).any()]
    if silent:
        raise SafelightError(
            "E-EVAL-READINGS", f"{len(silent)} of {len(wanted.modalities)} modalities of the plan have no readings"
        )
    readers, reader = np.unique(named[there].astype(str), return_inverse=True)
    cases, case = np.unique(studies[there], return_inverse=True)
    grid = np.full((len(wanted.modalities), readers.size, cases.size), np.nan)
    grid[modality[there], reader.reshape(-1), case.reshape(-1)] = scores[there]
    complete = np.isfinite(grid).all(axis=(0, 1))
    counted = int(complete.sum()) * grid.shape[0] * grid.shape[1]
    given = Given(
        name="readings", sha256=tables.content_sha256(used, tables.MEASURED), rows=used.num_rows, used=counted,
        unknown=int((~known).sum()), not_in_plan=int((known & ~asked).sum()), unusable=int((known & asked).sum()) - counted,
    )  # fmt: skip
    if wanted.threshold is not None:
        grid = np.where(np.isfinite(grid), grid >= wanted.threshold, np.nan)
    read = _Read(grid[:, :, complete], people(assembled, cases[complete]), wanted, int((~complete).sum()))
    return tuple(read.row(row, plan) for row in rows(read.who, plan, unseen)), given


def _place(name: str | None, names: tuple[str, ...]) -> int:
    return names.index(name) if name in names else -1


@dataclass(frozen=True)
class _Read:
    """Scores or calls of shape (modalities, readers, cases), of the cases that everybody read in every modality; and how many others there are."""

    grid: Array
    who: People
    wanted: Wanted
    incomplete: int

    def row(self, row: Row, plan: Plan) -> ReaderStudy:
        inside, wanted = row.inside, self.wanted
        about: dict[str, Any] = {
            "attribute": row.attribute, "level": row.level, "figure": wanted.figure, "incomplete": None if row.attribute else self.incomplete,
        }  # fmt: skip
        if row.hidden:
            return ReaderStudy(
                **about, covariance="", readers=0, patients=0, cases=0, positives=0, suppressed=True, reason=row.hidden
            )
        patients, labels, grid = self.who.patients[inside], self.who.labels[inside], self.grid[:, :, inside]
        clustered = np.unique(patients).size < patients.size
        about |= {
            "covariance": _CLUSTERED if clustered else wanted.covariance, "readers": grid.shape[1], "patients": self.who.count(inside),
            "cases": int(inside.sum()), "positives": int(labels.sum()),
        }  # fmt: skip
        if not patients.size:
            return ReaderStudy(**about, reason="no cases")
        try:
            found = analyse(self._figures(grid, labels, patients, clustered), confidence=plan.confidence)
        except ValueError as error:  # the library's words for a study that can't be analysed; they hold no value
            return ReaderStudy(**about, reason=str(error))
        return ReaderStudy(**about, **_said(found, wanted, plan.confidence))

    def _figures(self, grid: Array, labels: Array, patients: NDArray[np.int64], clustered: bool) -> Figures:
        if clustered:
            return clustered_figures(grid, labels, patients, self.wanted.figure)
        return figures(grid, labels, figure=self.wanted.figure, covariance=self.wanted.covariance)


def clustered_figures(scores: Array, labels: Array, patients: NDArray[np.int64], figure: str) -> Figures:
    """Figures with covariances over patients who may have several cases: Obuchowski's, which are DeLong's where each has one.

    Args:
        scores: finite, shape (modalities, readers, cases); calls, 0 or 1, for sensitivity and specificity.
        labels: 0 or 1, shape (cases,).
        patients: one number a case, shape (cases,).

    Raises:
        ValueError: fewer than two patients with or without the finding.
    """
    ill, codes = labels == 1.0, clusters.encode(patients, labels.size)
    if min(np.unique(codes[ill]).size, np.unique(codes[~ill]).size) < 2:
        raise ValueError("there must be at least two patients with the finding and two without")
    flat = scores.reshape(-1, labels.size)
    if figure == "auc":
        parts = [ranking.influence(ranking.rank(each, ill, codes)[0]) for each in flat]
        values = np.array([each.auc for each in parts])
        covariance = np.array([[ranking.covariance(one, other) for other in parts] for one in parts])
    else:
        right = flat[:, ill] if figure == "sensitivity" else 1.0 - flat[:, ~ill]
        owner = clusters.encode(codes[ill if figure == "sensitivity" else ~ill], right.shape[1])
        k, values = int(owner.max()) + 1, right.mean(axis=1)
        sums = np.stack([clusters.sums(owner, each - value, k) for each, value in zip(right, values, strict=True)])
        covariance = k / (k - 1) * (sums @ sums.T) / right.shape[1] ** 2
    return Figures(values.reshape(scores.shape[:2]), covariance, labels.size)


def _said(found: Study, wanted: Wanted, confidence: float) -> dict[str, Any]:
    names = wanted.modalities
    analyses: list[tuple[Generalized, Analysis]] = [("cases", found.random_cases)]
    if found.random_readers_and_cases is not None and found.random_readers is not None:
        analyses = [("readers_and_cases", found.random_readers_and_cases), *analyses, ("readers", found.random_readers)]
    method = "Obuchowski-Rockette, Hillis' degrees of freedom"
    means, differences, tests = [], [], []
    for how, each in analyses:
        for name, value in zip(names, each.modalities, strict=True):
            figure = _estimate(value.value, value.lower, value.upper, value.error, value.freedom, confidence, method, 0.0)
            means.append(ModalityMean(generalized=how, modality=name, figure=figure))
        for pair in each.differences:
            apart = _estimate(pair.difference, pair.lower, pair.upper, pair.error, pair.freedom, confidence, method, -1.0)
            differences.append(ModalityDifference(
                generalized=how, first=names[pair.first], second=names[pair.second], difference=apart, p=pair.p, margin=wanted.margin,
                non_inferior=pair.non_inferior(wanted.margin),
            ))  # fmt: skip
        if each.statistic is not None and each.freedom is not None and each.p is not None and isfinite(each.statistic):
            tests.append(
                ReaderTest(
                    generalized=how, statistic=each.statistic, freedom=(each.freedom[0], _finite(each.freedom[1])), p=each.p
                )
            )
    values = found.figures.values
    return {
        "figures": tuple(
            ReaderFigure(modality=name, reader=reader + 1, value=float(values[place, reader]))
            for place, name in enumerate(names) for reader in range(values.shape[1])
        ),
        "means": tuple(means), "differences": tuple(differences), "tests": tuple(tests),
        "mean_squares": tuple(_finite(found.mean_squares[name]) for name in ("T", "R", "TR")), "variance": _finite(found.variance),
        "covariances": tuple(map(_finite, (found.cov1, found.cov2, found.cov3))),
    }  # fmt: skip


def _estimate(
    value: float, lower: float, upper: float, error: float, freedom: float, confidence: float, method: str, least: float
) -> Estimate:
    return estimated(
        value, lower, upper, confidence, method, least=least, standard_error=error, scale="identity", freedom=_finite(freedom)
    )


def _finite(value: float) -> float | None:
    return float(value) if isfinite(value) else None
