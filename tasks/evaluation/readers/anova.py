"""The analysis of variance of Obuchowski and Rockette with Hillis' degrees of freedom, for random or fixed readers and cases."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import inf, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import special

from tasks.evaluation.readers.covariance import Figures


@dataclass(frozen=True)
class Estimate:
    """A figure of merit, averaged over readers where there are several.

    Args:
        freedom: degrees of freedom of Student's t; infinite where the interval is a normal one.
    """

    value: float
    error: float
    freedom: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Comparison:
    """One modality minus another: `first` and `second` are their places.

    Args:
        p: two-sided, of no difference.
        freedom: as in `Estimate`.
    """

    first: int
    second: int
    difference: float
    error: float
    freedom: float
    lower: float
    upper: float
    p: float

    def superior(self) -> bool:
        """Whether the whole interval lies above zero: the first modality is better."""
        return self.lower > 0.0

    def non_inferior(self, margin: float) -> bool:
        """Whether the whole interval lies above -margin. At 95 % two-sided that is a one-sided test at 2.5 %."""
        if margin <= 0.0:
            raise ValueError("a margin must be above zero")
        return self.lower > -margin

    def p_non_inferior(self, margin: float) -> float:
        """The one-sided p value of the null hypothesis that the first modality is worse by `margin` or more."""
        if margin <= 0.0:
            raise ValueError("a margin must be above zero")
        return _upper_tail((self.difference + margin) / self.error, self.freedom)


@dataclass(frozen=True)
class Analysis:
    """One generalization: to the population of readers, of cases, or of both.

    Args:
        statistic, freedom, p: the global test of equal modalities: F with its two degrees of freedom, or chi-squared with one and
            an infinite second; None where there is a single modality.
        differences: every pair of modalities.
        modalities: each modality's figure.
    """

    statistic: float | None
    freedom: tuple[float, float] | None
    p: float | None
    differences: tuple[Comparison, ...]
    modalities: tuple[Estimate, ...]


@dataclass(frozen=True)
class Study:
    """A reader study's analysis.

    Args:
        figures: what was analysed.
        mean_squares: of modality, reader and their interaction (`T`, `R`, `TR`); NaN where there is no such factor.
        variance, cov1, cov2, cov3: mean error variance, and mean covariance of the same reader in different modalities, of different
            readers in the same modality, and of both different; NaN where there are none.
        random_readers_and_cases, random_readers: None where there is a single reader.
        random_cases: for just these readers.
    """

    figures: Figures
    mean_squares: dict[str, float]
    variance: float
    cov1: float
    cov2: float
    cov3: float
    random_readers_and_cases: Analysis | None
    random_cases: Analysis
    random_readers: Analysis | None


def analyse(found: Figures, *, confidence: float = 0.95) -> Study:
    """Analyse figures of merit with their covariances over cases; see `tasks.evaluation.readers`.

    Raises:
        ValueError: the confidence is not between 0 and 1, or the error variance of a comparison is zero.
    """
    if not 0.0 < confidence < 1.0:
        raise ValueError("the confidence must lie between 0 and 1")
    values = found.values
    i, j = values.shape
    table = found.covariance.reshape(i, j, i, j)
    variance, cov1, cov2, cov3 = _means(table)
    of_modality = [_means(table[k : k + 1, :, k : k + 1, :]) for k in range(i)]
    grand, by_modality, by_reader = values.mean(), values.mean(axis=1), values.mean(axis=0)
    residual = values - by_modality[:, None] - by_reader[None, :] + grand
    squares = {
        "T": j * float(np.sum((by_modality - grand) ** 2)) / (i - 1) if i > 1 else float("nan"),
        "R": i * float(np.sum((by_reader - grand) ** 2)) / (j - 1) if j > 1 else float("nan"),
        "TR": float(np.sum(residual**2)) / ((i - 1) * (j - 1)) if min(i, j) > 1 else float("nan"),
    }
    readers = [float(np.sum((values[k] - by_modality[k]) ** 2)) / (j - 1) if j > 1 else 0.0 for k in range(i)]
    apart = max(0.0 if j == 1 or i == 1 else cov2 - cov3, 0.0)
    shared = [max(each[2], 0.0) if j > 1 else 0.0 for each in of_modality]
    both = only_readers = None
    if j > 1:
        error = squares["TR"] + j * apart
        freedom = _hillis(error, squares["TR"], (i - 1) * (j - 1))
        singles = [readers[k] + j * shared[k] for k in range(i)]
        both = _random(
            squares["T"], error, freedom, values,
            [(single / j, _hillis(single, readers[k], j - 1)) for k, single in enumerate(singles)], confidence,
        )  # fmt: skip
        only_readers = _random(
            squares["T"],
            squares["TR"],
            float((i - 1) * (j - 1)),
            values,
            [(each / j, float(j - 1)) for each in readers],
            confidence,
        )
    # With the readers fixed, all that is left of chance is the cases.
    error = (variance - cov1 if i > 1 else variance) + (j - 1) * apart
    fixed = _random(
        squares["T"],
        error,
        inf,
        values,
        [((each[0] + (j - 1) * shared[k]) / j, inf) for k, each in enumerate(of_modality)],
        confidence,
    )
    return Study(found, squares, variance, cov1, cov2, cov3, both, fixed, only_readers)


def _means(table: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Mean of the error variances, and of the three kinds of covariances; NaN where there are none."""
    i, j = table.shape[:2]
    flat, modality, reader = table.reshape(i * j, i * j), np.repeat(np.arange(i), j), np.tile(np.arange(j), i)
    same_modality, same_reader = modality[:, None] == modality, reader[:, None] == reader
    kinds = (
        same_modality & same_reader,
        ~same_modality & same_reader,
        same_modality & ~same_reader,
        ~same_modality & ~same_reader,
    )
    first, second, third, fourth = (float(flat[kind].mean()) if kind.any() else float("nan") for kind in kinds)
    return first, second, third, fourth


def _hillis(error: float, mean_square: float, freedom: float) -> float:
    """Hillis' degrees of freedom: error² / (mean square² / freedom); infinite where the mean square is zero."""
    return error**2 / (mean_square**2 / freedom) if mean_square > 0.0 and freedom > 0 else inf


def _random(
    between: float,
    error: float,
    freedom: float,
    values: NDArray[np.float64],
    singles: list[tuple[float, float]],
    confidence: float,
) -> Analysis:
    """One generalization, from its error term, its degrees of freedom, and each modality's variance with its own."""
    i, j = values.shape
    means = values.mean(axis=1)
    modalities = []
    for mean, (variance, own) in zip(means.tolist(), singles, strict=True):
        reach = _quantile(confidence, own) * sqrt(variance)
        modalities.append(Estimate(mean, sqrt(variance), own, mean - reach, mean + reach))
    if i == 1:
        return Analysis(None, None, None, (), tuple(modalities))
    if not error > 0.0:
        raise ValueError("the error variance of the comparison is zero: the figures do not vary as the model has it")
    spread = sqrt(2.0 * error / j)
    reach = _quantile(confidence, freedom) * spread
    differences = []
    for first, second in combinations(range(i), 2):
        apart = float(means[first] - means[second])
        p = 2.0 * _upper_tail(abs(apart) / spread, freedom)
        differences.append(Comparison(first, second, apart, spread, freedom, apart - reach, apart + reach, p))
    statistic = between / error if freedom < inf else (i - 1) * between / error
    p = special.fdtrc(i - 1, freedom, statistic) if freedom < inf else special.chdtrc(i - 1, statistic)
    return Analysis(statistic, (float(i - 1), freedom), float(p), tuple(differences), tuple(modalities))


def _quantile(confidence: float, freedom: float) -> float:
    tail = (1.0 - confidence) / 2.0
    return -float(special.ndtri(tail) if freedom == inf else special.stdtrit(freedom, tail))


def _upper_tail(t: float, freedom: float) -> float:
    return float(special.ndtr(-t) if freedom == inf else special.stdtr(freedom, -t))
