"""Seconds of the stage `evaluate` (`analyse`: join, all estimates with their intervals, ROC curves) for 40 subgroups, against its floor.

    python -m benchmarks.evaluate [--rows 10000 100000] [--repeat 3]

The floor is one sort of all scores: without it there is no AUC. Each case is in one level of each of eight attributes, so a sort for each
row of the table sorts every score nine times; that is the second line. `--rows 1000000` takes some minutes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmarks.measure import Contender, alternate, arguments, show
from benchmarks.tables import plan, tables
from tasks.evaluation.analysis import analyse
from tasks.evaluation.plan import Plan


def sort_each(scores: NDArray[np.float64], masks: Sequence[NDArray[np.bool_]]) -> None:
    """Sort the scores of all cases, and of every subgroup."""
    np.sort(scores)
    for mask in masks:
        np.sort(scores[mask])


def subgroups(cohort: pa.Table, scheme: Plan) -> list[NDArray[np.bool_]]:
    """Which cases are in each subgroup of the plan."""
    return [np.asarray(pc.equal(cohort[group.attribute], level)) for group in scheme.subgroups for level in group.levels]


def measure(rows: int, repeat: int) -> None:
    """One number of rows."""
    (predictions, reference, cohort), scheme = tables(rows), plan()
    scores, masks = np.asarray(predictions["score"]), subgroups(cohort, scheme)
    timed = alternate(
        [
            Contender("stage", lambda: analyse(predictions, reference, cohort, scheme)),
            Contender("floor: one sort of the scores", lambda: np.sort(scores)),
            Contender("a sort for each row of the table", lambda: sort_each(scores, masks)),
        ],
        repeat,
    )
    show(
        f"evaluate, {rows} rows, {len(masks)} subgroups",
        timed[0],
        timed[1:],
        lambda seconds: f"{seconds / rows * 1e6:.2f} µs a row",
    )


def main(given: Sequence[str] | None = None) -> None:
    """Measure each number of rows."""
    parser = arguments(__doc__, repeat=3)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000], help="studies (default: 10000 100000)")
    said = parser.parse_args(given)
    for rows in said.rows:
        measure(rows, said.repeat)


if __name__ == "__main__":
    main()
