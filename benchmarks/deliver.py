"""Seconds of `deliver` (every study's reading becomes a worklist), against its floor: the predictions read, and the lists written.

    python -m benchmarks.deliver [--repeat 3] [--studies 500]

The floor reads the table of every study's predictions, sorts them by score, and writes CSV and JSON. Besides, the stage asks the ledger how it
stands with every study, holds each table against its manifest and SHA-256, and writes the lists twice: with the lake's keys and with the hospital's.
"""

from __future__ import annotations

import csv
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.measure import Contender, alternate, arguments, show
from tests.tasks.delivery.made import BANDS, World, finding, manifest, world


def floor(site: World, out: Path) -> None:
    """Read, sort, write."""
    assert site.lake.root is not None
    paths = sorted((site.lake.root / "tables" / "predictions" / "chest" / "1.0.0").iterdir())
    rows = [
        row for path in paths for row in pq.read_table(path, columns=["StudyInstanceUID", "score"], use_threads=False).to_pylist()
    ]
    rows.sort(key=lambda row: -row["score"])
    with (out / "worklist.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, ["StudyInstanceUID", "score"])
        writer.writeheader()
        writer.writerows(rows)
    (out / "worklist.json").write_text(json.dumps(rows))


def main(given: Sequence[str] | None = None) -> None:
    """Measure the delivery of one night's studies."""
    parser = arguments(__doc__, repeat=3)
    parser.add_argument("--studies", type=int, default=500, help="that were read (default: %(default)s)")
    said = parser.parse_args(given)
    with tempfile.TemporaryDirectory() as name, world(Path(name)) as site:
        model = site.model(manifest("chest", finding(bands=BANDS)))
        for number in range(said.studies):
            site.read(site.study(number), model, {"nodule": number / said.studies})

        def clear() -> None:
            shutil.rmtree(site.vault.root / "worklist", ignore_errors=True)
            site.lake.withdraw("worklist", "worklist")

        stage, least, again = alternate(
            [
                Contender("stage", site.deliver, clear),
                Contender("floor: predictions read, lists written", lambda: floor(site, Path(name))),
                Contender("the stage again, nothing new", site.deliver, site.deliver),
            ],
            said.repeat,
        )
        show(f"deliver, {said.studies} studies", stage, [least, again], lambda seconds: f"{said.studies / seconds:.0f} studies/s")


if __name__ == "__main__":
    main()
