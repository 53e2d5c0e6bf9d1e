"""Seconds of the stage `evaluate` for 40 subgroups (eight attributes of five levels), against its floor and beside scikit-learn.

    python -m benchmarks.evaluate [--rows 100000 1000000] [--repeat 3]

- stage: `analyse` from Arrow tables to results: keys joined, inputs hashed, all estimates and ROC curves.
- from Parquet: the same with the three tables read from files that have twenty columns more than are needed.
- the table: from arrays to every estimate with its interval (AUC with clustered variance, sensitivity, specificity, predictive values,
  overall, in each level and in the rest of each level).
- without the rest: the same without holding each level against all other cases.
- floor: one argsort of all scores: without it there is no AUC.
- scikit-learn: `roc_auc_score` of all cases and of each level, without any interval.

Below them, in turns of their own, the processor's seconds of the table (which other programs slow less than the clock's), and the most memory
that it took beyond its input arrays, as a multiple of these (`tracemalloc`).
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.metrics import roc_auc_score

from benchmarks.measure import Contender, alternate, arguments, show
from benchmarks.tables import plan, tables
from tasks.evaluation.analysis import analyse
from tasks.evaluation.cases import Cases, assemble
from tasks.evaluation.plan import Plan
from tasks.evaluation.subgroups import Table
from tasks.evaluation.tables import read_table

ROLES = ("predictions", "reference", "cohort")


def table(cases: Cases, scheme: Plan, *, rest: bool = True) -> None:
    """Every row of the subgroup table."""
    made = Table.of(cases, 0.5, scheme)
    made.overall()
    for attribute in cases.levels:
        for _ in made.levels(attribute, rest=rest):
            pass


def areas(cases: Cases) -> None:
    """scikit-learn's AUC of all cases and of every level."""
    roc_auc_score(cases.labels, cases.scores)
    for levels in cases.levels.values():
        for place in range(len(levels.names)):
            mask = levels.codes == place
            roc_auc_score(cases.labels[mask], cases.scores[mask])


def written(folder: Path, given: Sequence[pa.Table]) -> list[Path]:
    """The tables as Parquet, each with twenty columns that nothing needs."""
    paths = []
    for name, each in zip(ROLES, given, strict=True):
        more = {f"more_{n}": np.random.default_rng(n).random(each.num_rows) for n in range(20)}
        paths.append(folder / f"{name}.parquet")
        pq.write_table(pa.table({**{column: each[column] for column in each.column_names}, **more}), paths[-1])
    return paths


def memory(cases: Cases, scheme: Plan) -> float:
    """The most memory that the table takes at a time, as a multiple of its input arrays."""
    arrays = [cases.patients, cases.scores, cases.labels, *(levels.codes for levels in cases.levels.values())]
    tracemalloc.start()
    table(cases, scheme)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most / sum(each.nbytes for each in arrays)


def processor(work: Callable[[], object]) -> float:
    """Seconds of the processor, the fewest of three turns."""
    turns = []
    for _ in range(3):
        begun = time.process_time()
        work()
        turns.append(time.process_time() - begun)
    return min(turns)


def measure(rows: int, repeat: int) -> None:
    """One number of rows."""
    given, scheme = tables(rows), plan()
    cases = assemble(*given, scheme).analysed
    with TemporaryDirectory() as folder:
        paths = written(Path(folder), given)
        timed = alternate(
            [
                Contender("stage", lambda: analyse(*given, scheme)),
                Contender("from Parquet", lambda: analyse(*(read_table(*each, scheme) for each in zip(paths, ROLES, strict=True)), scheme)),
                Contender("the table", lambda: table(cases, scheme)),
                Contender("without the rest", lambda: table(cases, scheme, rest=False)),
                Contender("floor: one argsort of the scores", lambda: np.argsort(cases.scores)),
                Contender("scikit-learn: 41 AUCs, no intervals", lambda: areas(cases)),
            ],
            repeat,
        )  # fmt: skip
    rates = lambda seconds: f"{seconds / rows * 1e6:.2f} µs a row"  # noqa: E731
    show(f"evaluate, {rows} rows, 40 subgroups", timed[0], timed[4:], rates)
    show("  of which", timed[2], timed[4:], rates)
    show("  and", timed[3], [timed[1], *timed[4:]], rates)
    seconds = processor(lambda: table(cases, scheme)), processor(lambda: table(cases, scheme, rest=False))
    floor = processor(lambda: np.argsort(cases.scores))
    print(f"  processor: the table {seconds[0]:.3f} s, without the rest {seconds[1]:.3f} s, one argsort {floor:.3f} s")
    print(f"  memory of the table: {memory(cases, scheme):.1f} times its input")


def main(given: Sequence[str] | None = None) -> None:
    """Measure each number of rows."""
    parser = arguments(__doc__, repeat=3)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000], help="studies (default: 100000 1000000)")
    said = parser.parse_args(given)
    for rows in said.rows:
        measure(rows, said.repeat)


if __name__ == "__main__":
    main()
