"""Where the night stands: per stage, how many studies are done, failed, in work or waiting."""

from __future__ import annotations

from dataclasses import dataclass

from rich.table import Table

from tasks.ledger import Ledger, Result, is_current
from tasks.stage import STUDY_STAGES


@dataclass(frozen=True, slots=True)
class StageStatus:
    """One stage's studies. `ended` counts those for which nothing came from the stage before: they need no work here."""

    stage: str
    done: int
    failed: int
    running: int
    waiting: int
    ended: int

    @property
    def total(self) -> int:
        """Studies that this stage has to deal with."""
        return self.done + self.failed + self.running + self.waiting


def overview(ledger: Ledger) -> list[StageStatus]:
    """Every stage of the night, in its order."""
    studies = ledger.studies()
    by_stage: dict[str, dict[str, Result]] = {stage: {} for stage in STUDY_STAGES}
    for (key, label), result in ledger.results().items():
        stage = label.partition(":")[0]
        if stage in by_stage:
            by_stage[stage][key] = result
    found = []
    incoming, before = set(studies), dict[str, Result]()
    for stage in STUDY_STAGES:
        rows = {key: row for key, row in by_stage[stage].items() if key in incoming and _counts(row, before.get(key))}
        counted = {
            status: sum(row.status == status for row in rows.values()) for status in ("done", "failed", "running", "interrupted")
        }
        waiting = len(incoming) - len(rows) + counted["interrupted"]
        found.append(
            StageStatus(stage, counted["done"], counted["failed"], counted["running"], waiting, len(studies) - len(incoming))
        )
        incoming -= {key for key, row in rows.items() if row.status == "failed" or (row.status == "done" and not row.passed)}
        before = by_stage[stage]
    return found


def _counts(row: Result, before: Result | None) -> bool:
    """Whether a row is of what the stage before last handed on, or is in work; otherwise the study waits."""
    return row.status == "running" or is_current(row, before)


def table(stages: list[StageStatus], title: str = "") -> Table:
    """The overview for a terminal."""
    drawn = Table(title=title or None, expand=False)
    drawn.add_column("stage")
    for heading in ("done", "failed", "in work", "waiting", "nothing to do"):
        drawn.add_column(heading, justify="right")
    for status in stages:
        drawn.add_row(status.stage, *(str(n) for n in (status.done, status.failed, status.running, status.waiting, status.ended)))
    return drawn
