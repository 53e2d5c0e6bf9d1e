"""The four cells of reference standard and reading, counted patient by patient: all that proportions over patients need.

Source: Rao and Scott 1992, eq. 1 (a proportion over clusters as a ratio estimator).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tasks.evaluation import clusters
from tasks.evaluation.ranking import Ranked

TN, FP, FN, TP = range(4)
#: Metric → the cells that count as its successes, and those that it is a share of.
SHARES: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "sensitivity": ((TP,), (TP, FN)), "specificity": ((TN,), (TN, FP)), "ppv": ((TP,), (TP, FP)), "npv": ((TN,), (TN, FN)),
    "prevalence": ((TP, FN), (TN, FP, FN, TP)), "positive_calls": ((TP, FP), (TN, FP, FN, TP)),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Share:
    """A proportion of cases of several patients.

    Args:
        successes, cases: in whole numbers.
        patients: patients with at least one of the cases.
        squares: Σ (y_i - p·n_i)² over patients with n_i cases and y_i successes, where p = successes / cases.
    """

    successes: int
    cases: int
    patients: int
    squares: float


@dataclass(frozen=True, slots=True)
class Cells:
    """Cases by cell and patient.

    Args:
        totals: cases in TN, FP, FN, TP.
        products: int of shape (4, 4): Σ over patients of the product of a patient's counts in two cells.
        present: bit mask of the cells in which a patient has cases → how many patients have just these.
    """

    totals: tuple[int, int, int, int]
    products: NDArray[np.int64]
    present: tuple[int, ...]

    def share(self, metric: str) -> Share:
        """One of the proportions of `SHARES`."""
        hits, among = SHARES[metric]
        successes, cases = sum(self.totals[cell] for cell in hits), sum(self.totals[cell] for cell in among)
        squares = 0.0
        if cases:
            yy, yn, nn = (self._sum(a, b) for a, b in ((hits, hits), (hits, among), (among, among)))
            # (n·y_i - y·n_i)² / n², in whole numbers until the last step: nothing cancels
            squares = (cases * cases * yy - 2 * successes * cases * yn + successes * successes * nn) / (cases * cases)
        return Share(successes, cases, self.patients(*among), squares)

    def covariance(self, first: str, second: str) -> float:
        """Σ (y_i - p·n_i)(y'_i - p'·n'_i) over patients, for two proportions of `SHARES`; zero where one has no cases."""
        (hits, among), (others, within) = SHARES[first], SHARES[second]
        y, n = sum(self.totals[cell] for cell in hits), sum(self.totals[cell] for cell in among)
        v, w = sum(self.totals[cell] for cell in others), sum(self.totals[cell] for cell in within)
        if not n or not w:
            return 0.0
        whole = n * w * self._sum(hits, others) - n * v * self._sum(hits, within)
        whole += -y * w * self._sum(among, others) + y * v * self._sum(among, within)
        return whole / (n * w)

    def patients(self, *cells: int) -> int:
        """How many patients have a case in any of these cells; in any at all where none is named."""
        wanted = sum(1 << cell for cell in cells) or 0b1111
        return sum(n for mask, n in enumerate(self.present) if mask & wanted)

    def _sum(self, first: tuple[int, ...], second: tuple[int, ...]) -> int:
        return sum(int(self.products[a, b]) for a in first for b in second)

    def without(self, part: Cells, whole: NDArray[np.float64], inside: NDArray[np.float64]) -> Cells:
        """What is left of these cells when a part of the cases is taken away.

        Args:
            part: the cells of that part.
            whole: counts in all cells of the part's patients, float64 of shape (4, patients of the part).
            inside: their counts in the part alone, of the same shape.
        """
        crossed = (whole @ inside.T).astype(np.int64)
        products = self.products - crossed - crossed.T + part.products
        before, after = _present(whole), _present(whole - inside)
        present = tuple(n - old + new for n, old, new in zip(self.present, before, after, strict=True))
        tn, fp, fn, tp = (a - b for a, b in zip(self.totals, part.totals, strict=True))
        return Cells((tn, fp, fn, tp), products, (0, *present[1:]))


def _present(cells: NDArray[np.float64]) -> tuple[int, ...]:
    """How many patients have cases in just the cells of each bit mask."""
    seen = (cells > 0).view(np.uint8)
    masks = seen[TN] | seen[FP] << 1 | seen[FN] << 2 | seen[TP] << 3
    return (0, *np.bincount(masks, minlength=16)[1:].tolist())


def summed(cells: NDArray[np.float64]) -> Cells:
    """Counts by cell and patient, float64 of shape (4, patients), as what proportions need of them."""
    products = (cells @ cells.T).astype(np.int64)  # sums of whole numbers below 2**53: exact, whatever the order
    tn, fp, fn, tp = cells.sum(axis=1).astype(np.int64).tolist()
    return Cells((tn, fp, fn, tp), products, _present(cells))


def by_patient(cases: Ranked, cut: int) -> NDArray[np.float64]:
    """Count the cases of each patient by reference standard and reading.

    Args:
        cut: the lowest of `cases.ranks` that is a positive reading.

    Returns:
        float64 of shape (4, cases.among): whole numbers, in TN, FP, FN, TP.
    """
    k = cases.among
    below = int(np.searchsorted(cases.ranks, cut))  # the positive readings are the end of the order
    cells = np.empty((4, k))
    for read, part in ((0, slice(0, below)), (1, slice(below, None))):
        patients, positive = cases.patients[part], cases.positive[part]
        cells[2 + read] = np.bincount(patients[positive], minlength=k)
        cells[read] = np.bincount(patients, minlength=k) - cells[2 + read]
    return cells


def counts(labels: ArrayLike, calls: ArrayLike, patients: ArrayLike | None = None) -> Cells:
    """The four cells over patients, from arrays of shape (cases,): what likelihood ratios and predictive values are made of.

    Args:
        labels, calls: 0 or 1 (or bool): the reference standard, and the reading.
        patients: one key a case; None where every case is a patient of its own.

    Raises:
        ValueError: values other than 0 and 1, or shapes that differ.
    """
    (truth, wrong), (called, odd) = clusters.binary(labels), clusters.binary(calls)
    if truth.shape != called.shape or truth.ndim != 1 or wrong or odd:
        raise ValueError("labels and calls must be 0 or 1, one-dimensional and of the same length")
    codes = clusters.encode(None if patients is None else np.asarray(patients), truth.size)
    # Both readings stand in the order, so that a positive one has rank 1 also where all are positive.
    ranks = np.sort(called).astype(np.int32)
    order = np.argsort(called, kind="stable")
    ranked = Ranked(ranks, truth[order] == 1.0, codes[order], int(codes.max()) + 1 if codes.size else 0)
    return summed(by_patient(ranked, 1))
