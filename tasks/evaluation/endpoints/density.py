"""A Bland-Altman plot that shows nobody: how many patients lie in each cell of a grid, for cells of enough of them."""

from __future__ import annotations

from math import ceil, floor, log10, sqrt

import numpy as np
from numpy.typing import NDArray

from tasks.evaluation.endpoints.parts import DensityCell

Array = NDArray[np.float64]
_MOST = 24


def density(measured: Array, reference: Array, patients: NDArray[np.int64], minimum: int) -> tuple[DensityCell, ...]:
    """Cells of the mean of both measurements by their difference, measured minus reference.

    Steps are 1, 2 or 5 times a power of ten and begin at zero, so that no edge tells a value. Their number grows with the root of the number
    of patients, so that cells are full enough to be shown.

    Args:
        measured, reference: finite, shape (cases,).
        patients: one number a case, shape (cases,).
        minimum: the fewest patients of a cell.

    Returns:
        the cells of at least that many patients, by mean and difference.
    """
    if not measured.size:
        return ()
    axes = ((measured + reference) / 2.0, measured - reference)
    wanted = min(max(floor(sqrt(np.unique(patients).size / (2.0 * minimum))), 1), _MOST)
    steps = [_step(values, wanted) for values in axes]
    numbers = np.stack([np.floor(values / step).astype(np.int64) for values, step in zip(axes, steps, strict=True)], axis=1)
    found, cell = np.unique(numbers, axis=0, return_inverse=True)
    cell = cell.reshape(-1)
    cases = np.bincount(cell, minlength=len(found))
    pairs = np.unique(np.stack([cell, patients], axis=1), axis=0)
    people = np.bincount(pairs[:, 0], minlength=len(found))
    made = []
    for place in np.flatnonzero(people >= minimum).tolist():
        (x0, x1), (y0, y1) = (
            (float(step * number), float(step * (number + 1))) for step, number in zip(steps, found[place].tolist(), strict=True)
        )
        made.append(DensityCell(mean=(x0, x1), difference=(y0, y1), patients=int(people[place]), cases=int(cases[place])))
    return tuple(made)


def _step(values: Array, wanted: int) -> float:
    """The width of a cell: the next of 1, 2, 5, 10 … in which the middle 95 % of the values take no more than the wanted cells."""
    low, high = np.quantile(values, [0.025, 0.975])
    least = float(high - low) / wanted or max(abs(float(high)), 1.0)
    power = 10.0 ** floor(log10(least))
    return (
        power * next(each for each in (1, 2, 5, 10) if each >= least / power * (1 - 1e-12)) if least > 0 else float(ceil(least))
    )
