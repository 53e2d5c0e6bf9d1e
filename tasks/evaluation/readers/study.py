"""From readers' scores to the analysis in one step."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from tasks.evaluation.readers.anova import Comparison, Study, analyse
from tasks.evaluation.readers.covariance import Figure, Method, figures


def compare(
    scores: ArrayLike, labels: ArrayLike, *, figure: Figure = "auc", covariance: Method = "jackknife", confidence: float = 0.95
) -> Study:
    """Compare modalities that the same readers used on the same cases.

    Args:
        scores: finite, shape (modalities, readers, cases); for sensitivity and specificity the calls, 0 or 1.
        labels: 0 or 1, shape (cases,).
        figure, covariance: see `figures`.
        confidence: of the two-sided intervals.

    Returns:
        the study, generalized to readers and cases, to cases alone (these readers), and to readers alone (these cases).

    Raises:
        ValueError: see `figures` and `analyse`.
    """
    return analyse(figures(scores, labels, figure=figure, covariance=covariance), confidence=confidence)


def one_reader(
    with_ai: ArrayLike,
    without_ai: ArrayLike,
    labels: ArrayLike,
    *,
    figure: Figure = "auc",
    covariance: Method = "delong",
    confidence: float = 0.95,
) -> Comparison:
    """One reader (or a model alone) in two modalities: with AI minus without it, generalized to cases.

    With DeLong's covariance this is the paired test of DeLong 1988.

    Args:
        with_ai, without_ai: finite, shape (cases,).
        labels: 0 or 1, shape (cases,).
    """
    scores = np.stack([np.asarray(with_ai, dtype=np.float64), np.asarray(without_ai, dtype=np.float64)])[:, None, :]
    return compare(scores, labels, figure=figure, covariance=covariance, confidence=confidence).random_cases.differences[0]
