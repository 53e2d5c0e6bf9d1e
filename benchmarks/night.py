"""Where a night's time went, from its ledger: each stage's share of the work, and how busy the workers were.

    python -m benchmarks.night FOLDER

FOLDER is what `safelight demo --out FOLDER` wrote, or any folder with a `safelight.yaml` and its vault. The ledger is copied first: nothing
is written into FOLDER. Of several nights the last one that did anything is shown.

The seconds are those in work, without the wait for a worker (see `benchmarks/replay.py`). `pull` runs in the flow's own process, one study
after the other; `deidentify`, `volumes` and `infer` share the workers; the others follow once, on the whole cohort.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from sqlalchemy.exc import DatabaseError

from benchmarks.replay import Claimed, Worked, replay
from tasks.errors import SafelightError
from tasks.ledger import Ledger, Run, Turn
from tasks.settings import load
from tasks.stage import COHORT_STAGES, STUDY_STAGES


@dataclass(frozen=True)
class Night:
    """One run of the ledger: its rows by stage, replayed; its turns at the whole cohort; and the workers that it had."""

    run: Run
    rows: dict[str, list[Worked]]
    turns: list[Turn]
    workers: int

    @property
    def wall(self) -> float:
        """Seconds from the run's first moment to its last: the start of the server and of the flow are not in it."""
        return (self.run.finished_at or self.run.heartbeat_at) - self.run.started_at

    @property
    def worked(self) -> dict[str, float]:
        """Seconds in work by stage, in the order of the night."""
        stages = {stage: sum(row.seconds for row in rows) for stage, rows in self.rows.items()}
        return stages | {turn.stage: turn.seconds for turn in self.turns}


def read(folder: Path) -> Night:
    """The last night of a folder that did anything; SystemExit with what is missing where there is none."""
    settings = load(folder / "safelight.yaml")
    executor = settings.executor
    with tempfile.TemporaryDirectory() as name:
        for file in settings.vault.glob("ledger.db*"):
            shutil.copyfile(file, Path(name) / file.name)
        with closing(Ledger(f"sqlite:///{name}/ledger.db")) as ledger:
            ended = [row for row in ledger.results().values() if row.finished_at is not None]
            owners = {row.owner for row in ended}
            run = next((run for run in ledger.runs() if run.run in owners), None)
            if run is None:
                raise SystemExit(f"{folder}: no night has done anything here yet")
            turns = ledger.turns(run.started_at)
    done = [Claimed(row.stage, row.started_at, row.finished_at or row.started_at) for row in ended if row.owner == run.run]
    workers = 1 if executor.kind == "inline" else executor.workers
    pulled = replay((row for row in done if row.stage == "pull"), 1)
    others = replay((row for row in done if row.stage != "pull"), workers)
    stages = sorted({row.stage for row in done}, key=lambda stage: STUDY_STAGES.index(stage.partition(":")[0]))
    until = run.finished_at or run.heartbeat_at
    return Night(
        run,
        {stage: [row for row in (*pulled, *others) if row.stage == stage] for stage in stages},
        [turns[stage] for stage in COHORT_STAGES if stage in turns and turns[stage].at <= until],
        workers,
    )


def table(night: Night) -> list[str]:
    """The stages, one a line: studies, seconds in work, share of all work, median and maximum of a study, median wait."""
    total = sum(night.worked.values())
    lines = [f"{'stage':<26} {'studies':>7} {'seconds':>8} {'share':>6} {'median':>7} {'maximum':>7} {'waited':>7}"]
    for stage, seconds in night.worked.items():
        rows = night.rows.get(stage)
        if rows is None:
            lines.append(f"{stage:<26} {'cohort':>7} {seconds:8.1f} {seconds / total:6.1%}")
            continue
        each = [row.seconds for row in rows]
        waited = median(row.waited for row in rows)
        lines.append(
            f"{stage:<26} {len(rows):7d} {seconds:8.1f} {seconds / total:6.1%} {median(each):7.2f} {max(each):7.2f} {waited:7.2f}"
        )
    return lines


def summary(night: Night) -> list[str]:
    """The wall clock: how long, in which parts, and how busy the workers were while there were studies for them."""
    rows = [row for rows in night.rows.values() for row in rows]
    pooled = [row for stage, rows in night.rows.items() if stage != "pull" for row in rows]
    first, last = min(row.claimed for row in rows), max(row.ended for row in rows)
    began = night.run.started_at
    busy = sum(row.seconds for row in pooled)
    pulling = night.worked.get("pull", 0.0)
    return [
        f"wall clock {night.wall:.1f} s: {first - began:.1f} s before the first study, {last - first:.1f} s with studies, "
        f"{night.wall - (last - began):.1f} s after the last",
        f"workers ({night.workers}) busy for {busy:.1f} s, {busy / (night.workers * night.wall):.0%} of the wall clock, "
        f"{busy / (night.workers * (last - first)):.0%} while there were studies",
        f"pull busy for {pulling:.1f} s, {pulling / night.wall:.0%} of the wall clock, in the flow's own process",
    ]


def main(given: Sequence[str] | None = None) -> None:
    """Print the table of a folder's last night."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a finished `safelight demo --out FOLDER`")
    said = parser.parse_args(given)
    try:
        night = read(said.folder)
    except SafelightError as error:
        sys.exit(str(error))
    except DatabaseError:
        sys.exit(f"{said.folder}: its ledger was written by another version of Safelight; run the demo anew")
    print("\n".join([*table(night), "", *summary(night)]))


if __name__ == "__main__":
    main()
