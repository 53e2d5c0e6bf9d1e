"""A reader study: averages, mean squares, error terms, degrees of freedom and tests, from each reader's figures and the covariances.

Sources: Obuchowski and Rockette, Commun Stat Simul 1995;24:285; Hillis, Stat Med 2007;26:596 (degrees of freedom).
"""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from tasks.evaluation.endpoints.parts import ModalityDifference, ReaderStudy
from tasks.evaluation.results import Results
from tasks.report.checks import again, estimates
from tasks.report.checks.holding import close, hold, mismatch, named
from tasks.report.checks.measured import add_up, check_shown

Terms = dict[str, tuple[float, float | None]]


def check_readers(results: Results) -> None:
    """Every row."""
    seen = [(row.attribute, row.level) for row in results.reader_study]
    hold(len(set(seen)) == len(seen), "reader study", "a row stands twice")
    if results.reader_study:
        add_up(results.reader_study, ("cases", "positives"), "reader study")
    for row in results.reader_study:
        where = f"{named(row.attribute, row.level)}: reader study"
        check_shown(row.attribute, row.level, results, where, cases=row.cases)
        _check_counts(row, results, where)
        if row.figures:
            _Study(row, results, where).check()
        else:
            bare = not (row.means or row.tests or row.differences) and row.variance is None
            hold(bare and bool(row.reason), where, "there are neither figures nor a reason")


def _check_counts(row: ReaderStudy, results: Results, where: str) -> None:
    if row.suppressed:
        bare = not (row.readers or row.patients or row.cases or row.positives or row.figures)
        hold(bare, where, "the counts of a withheld level are shown")
        return
    hold(row.positives <= row.cases and row.patients <= row.cases, where, "cases")
    hold(not row.patients or row.patients >= results.minimum_cases, where, "a level too small to be shown is shown")
    hold((row.incomplete is None) == bool(row.attribute), where, "incomplete cases of a level")
    clustered = row.covariance.startswith("Obuchowski")
    hold(not row.cases or clustered == (row.patients < row.cases), where, "covariance")
    if row.incomplete is not None and row.readers:
        given = next((each for each in results.given if each.name == "readings"), None)
        modalities = len({each.modality for each in row.figures})
        hold(given is None or not modalities or given.used == row.cases * row.readers * modalities, where, "readings")


class _Study:
    def __init__(self, row: ReaderStudy, results: Results, where: str) -> None:
        self._row, self._results, self._where = row, results, where
        self._names = list(dict.fromkeys(each.modality for each in row.figures))
        self._values = self._table()

    def _table(self) -> NDArray[np.float64]:
        """Figures, shape (modalities, readers)."""
        found = {(each.modality, each.reader): each.value for each in self._row.figures}
        wanted = [(name, reader) for name in self._names for reader in range(1, self._row.readers + 1)]
        hold(
            set(found) == set(wanted) and len(self._row.figures) == len(wanted),
            self._where,
            "a reader's figure is missing, or stands twice",
        )
        hold(all(0.0 <= value <= 1.0 for value in found.values()), self._where, "figures")
        return np.array([found[each] for each in wanted]).reshape(len(self._names), self._row.readers)

    def check(self) -> None:
        """Everything that follows from the figures."""
        row, where = self._row, self._where
        hold(not row.reason and row.variance is not None, where, "figures, and a reason why there are none")
        self._check_squares()
        terms = self._terms()
        hold({each.generalized for each in row.means} == set(terms), where, "generalizations")
        self._check_means()
        for test in row.tests:
            self._check_test(test.generalized, test.statistic, test.freedom, test.p, terms)
        hold(len({test.generalized for test in row.tests}) == len(row.tests), where, "a test stands twice")
        pairs = len(self._names) * (len(self._names) - 1) // 2
        hold(len(row.differences) == pairs * len(terms), where, "a difference is missing")
        for each in row.differences:
            self._check_difference(each, terms)

    def _check_squares(self) -> None:
        """Two-way analysis of variance without replication, by residuals of a least-squares fit."""
        values, (i, j) = self._values, self._values.shape
        ones = np.ones(values.size)
        of_modality = np.repeat(np.eye(i), j, axis=0)
        of_reader = np.tile(np.eye(j), (i, 1))
        flat = values.reshape(-1)

        def left(*parts: NDArray[np.float64]) -> float:
            design = np.column_stack(parts)
            fitted = design @ np.linalg.lstsq(design, flat, rcond=None)[0]
            return float(np.sum((flat - fitted) ** 2))

        total, without_readers, without_modalities = left(ones), left(ones, of_modality), left(ones, of_reader)
        both = left(ones, of_modality, of_reader)
        wanted = (
            (total - without_readers) / (i - 1) if i > 1 else None, (total - without_modalities) / (j - 1) if j > 1 else None,
            both / ((i - 1) * (j - 1)) if min(i, j) > 1 else None,
        )  # fmt: skip
        for name, found, again_ in zip(["T", "R", "TR"], self._row.mean_squares, wanted, strict=True):
            hold(close(found, again_), self._where, f"mean square {name}")

    def _terms(self) -> Terms:
        """Generalization → the error term of a comparison and its degrees of freedom."""
        row, (i, j) = self._row, self._values.shape
        first, second, third = (float(each or 0.0) for each in row.covariances)
        apart = max(second - third, 0.0) if i > 1 and j > 1 else 0.0
        made: Terms = {"cases": (float(row.variance or 0.0) - (first if i > 1 else 0.0) + (j - 1) * apart, None)}
        if j > 1:
            square, freedom = float(row.mean_squares[2] or 0.0), float((i - 1) * (j - 1))
            error = square + j * apart
            made["readers_and_cases"] = error, freedom * error**2 / square**2 if square and freedom else None
            made["readers"] = square, freedom
        return made

    def _check_means(self) -> None:
        row, results, j = self._row, self._results, self._values.shape[1]
        names = [(each.generalized, each.modality) for each in row.means]
        hold(len(set(names)) == len(names), self._where, "an average stands twice")
        for each in row.means:
            where = f"{self._where}: average of {each.modality} ({each.generalized})"
            if each.modality not in self._names:
                raise mismatch(where, "there is no such modality")
            values, figure = self._values[self._names.index(each.modality)], each.figure
            if not estimates.normal(figure, results.confidence, where, "figure", least=0.0, most=1.0):
                raise mismatch(where, "figure")
            hold(close(figure.estimate, float(values.sum()) / j), where, "it is not the readers' average")
            hold(figure.scale == "identity" and figure.method.startswith("Obuchowski-Rockette"), where, "method")
            own = float(values.var(ddof=1)) if j > 1 else 0.0
            error = float(figure.standard_error or 0.0)
            if each.generalized == "readers":
                hold(close(error, sqrt(own / j)) and figure.freedom == j - 1, where, "standard error")
            elif each.generalized == "readers_and_cases":
                freedom = (j - 1) * (j * error**2) ** 2 / own**2 if own > 0.0 else None
                hold(close(figure.freedom, freedom, 1e-6), where, "degrees of freedom")
                hold(error**2 * j >= own * (1 - 1e-9), where, "standard error")
            else:
                hold(figure.freedom is None, where, "degrees of freedom")

    def _check_test(self, how: str, statistic: float, freedom: tuple[float, float | None], p: float, terms: Terms) -> None:
        where, i = f"{self._where}: test ({how})", len(self._names)
        if how not in terms or i < 2:
            raise mismatch(where, "there is no such test")
        error, second = terms[how]
        between = float(self._row.mean_squares[0] or 0.0)
        wanted = between / error if second is not None else (i - 1) * between / error
        hold(close(statistic, wanted, 1e-8), where, "statistic")
        hold(close(freedom[0], i - 1) and close(freedom[1], second, 1e-8), where, "degrees of freedom")
        hold(close(p, again.f_p(statistic, freedom[0], freedom[1]), 1e-8), where, "p")

    def _check_difference(self, each: ModalityDifference, terms: Terms) -> None:
        where = f"{self._where}: {each.first} minus {each.second} ({each.generalized})"
        known = each.generalized in terms and {each.first, each.second} <= set(self._names) and each.first != each.second
        hold(known, where, "there is no such difference")
        found, j = each.difference, self._values.shape[1]
        if not estimates.normal(found, self._results.confidence, where, "difference", least=-1.0, most=1.0):
            raise mismatch(where, "difference")
        one, other = (float(self._values[self._names.index(name)].mean()) for name in (each.first, each.second))
        error, freedom = terms[each.generalized]
        hold(close(found.estimate, one - other), where, "difference")
        hold(close(found.standard_error, sqrt(2.0 * error / j), 1e-8), where, "standard error")
        hold(close(found.freedom, freedom, 1e-8), where, "degrees of freedom")
        hold(found.method.startswith("Obuchowski-Rockette") and found.scale == "identity", where, "method")
        hold(close(each.p, again.student_p((one - other) / sqrt(2.0 * error / j), freedom), 1e-8), where, "p")
        lower = float(found.lower or 0.0)
        hold(each.non_inferior == (lower > -each.margin), where, "the verdict does not follow from bound and margin")
