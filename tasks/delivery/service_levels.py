"""From the study being complete to its result: what came in time, what came late, and what is late and has not come."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Literal

import sqlalchemy as sa

from data_contracts.service_levels import CONTRACT
from tasks import ledger_tables as tables
from tasks.delivery.served import Served
from tasks.delivery.standing import Standing
from tasks.delivery.urgency import deadline
from tasks.inference.manifest import ServiceLevel
from tasks.lake import Lake, Manifest
from tasks.ledger import Ledger
from tasks.stage import digest

STAGE = "service_levels"
_KEY = "night"

State = Literal["reached", "missed", "pending", "overdue", "not_read", "backfill"]
#: What someone should look at.
LATE = ("missed", "overdue")


@dataclass(frozen=True, slots=True)
class Level:
    """One study, model and finding with a service level. Its times (seconds since the epoch) stay in the vault."""

    standing: Standing
    model: Served
    finding: str
    level: ServiceLevel
    state: State
    reason_code: str
    deadline: float | None
    result_at: float | None

    def is_late(self, since: float, overdue_since: float) -> bool:
        """Whether its result came too late since a time, or is overdue since another (or a later one)."""
        if self.state == "missed":
            return self.result_at is not None and self.result_at >= since
        return self.state == "overdue" and self.deadline is not None and self.deadline >= overdue_since


@dataclass(frozen=True, slots=True)
class History:
    """What the ledger tells of one model, any version: when the run began in which it first read, and when studies were read.

    A version that did not read a study, by its gates say, gave no result of it. Of what the ledger noted before it told of readings, the present
    row says so.
    """

    began_at: float | None
    done_at: Mapping[str, Sequence[float]]

    def first_result(self, study_key: str, complete_at: float) -> float | None:
        """When a study was first done after it was complete; a later reading, by a new version say, does not make it late."""
        return min((at for at in self.done_at.get(study_key, ()) if at >= complete_at), default=None)


def history(ledger: Ledger, names: Collection[str]) -> dict[str, History]:
    """The history of each model, by its name."""
    event, run = tables.events.c, tables.runs.c
    query = (
        sa.select(event.stage, event.study_key, event.event, event.at, event.run, event.said)
        .where(event.stage.like("infer:%"))
        .order_by(event.id)
    )
    began: dict[str, float] = {}
    done: dict[str, dict[str, list[float]]] = {name: {} for name in names}
    with ledger.reading() as connection:
        outcome = tables.results.c
        refused = {
            (row.study_key, row.stage)
            for row in connection.execute(
                sa.select(outcome.study_key, outcome.stage).where(
                    outcome.stage.like("infer:%"), outcome.status == "done", outcome.passed == 0
                )
            )
        }
        starts = {row.run: row.started_at for row in connection.execute(sa.select(run.run, run.started_at))}
        for row in connection.execute(query):
            name = row.stage.removeprefix("infer:").partition("@")[0]
            if name not in done:
                continue
            began.setdefault(name, starts.get(row.run, row.at))
            if row.event == "done" and (_was_read(row.said) if row.said else (row.study_key, row.stage) not in refused):
                done[name].setdefault(row.study_key, []).append(row.at)
    return {name: History(began.get(name), done[name]) for name in names}


def _was_read(said: str) -> bool:
    """Whether a reading that is told of gave a result."""
    return not json.loads(said)["reason_code"]


def levels(
    models: Sequence[Served],
    standings: Mapping[str, Sequence[Standing]],
    histories: Mapping[str, History],
    *,
    now: float,
    zone: tzinfo,
) -> list[Level]:
    """Every study, model and finding with a service level, by model, finding and study."""
    return [
        _level(standing, one, finding.finding, finding.service_level, histories[one.manifest.name], now, zone)
        for one in models
        for finding in one.manifest.findings
        if finding.service_level is not None
        for standing in standings[one.label]
    ]


def rows(found: Sequence[Level]) -> list[dict[str, Any]]:
    """Rows of the contract `service_levels`: durations only."""
    made = []
    for each in found:
        complete, minutes, by = each.standing.complete_at, each.level.minutes, each.level.by
        took = None if complete is None or each.result_at is None else round((each.result_at - complete) / 60, 1)
        made.append({
            "StudyInstanceUID": each.standing.study.study_key, "PatientID": each.standing.study.patient_key,
            "model_name": each.model.manifest.name, "model_version": each.model.manifest.version, "finding": each.finding,
            "target": f"{minutes} min" if minutes is not None else f"by {by}", "target_minutes": None if minutes is None else float(minutes),
            "minutes": took, "reached": {"reached": True, "missed": False}.get(each.state), "state": each.state,
            "reason_code": each.reason_code,
        })  # fmt: skip
    return made


def publish(lake: Lake, found: Sequence[Level]) -> Manifest:
    """Write the table `service_levels`, where it is not the same already."""
    made = rows(found)
    fingerprint = digest(made)
    earlier = lake.manifest(STAGE, _KEY)
    if earlier is not None and earlier.fingerprint == fingerprint and lake.intact(earlier):
        return earlier
    with lake.publication(STAGE, _KEY, fingerprint) as publication:
        publication.write_table(CONTRACT, made)
        return publication.commit(passed=len(made))


def late(found: Sequence[Level], since: float, overdue_since: float) -> Counter[tuple[str, str, str]]:
    """How many are late, by model, finding and state.

    Args:
        since: results that came too late before then are left out: another night has told of them.
        overdue_since: what became overdue before then is left out. Earlier than `since`: what is still missing is told again.
    """
    return Counter((each.model.manifest.name, each.finding, each.state) for each in found if each.is_late(since, overdue_since))


def _level(standing: Standing, one: Served, finding: str, level: ServiceLevel, past: History, now: float, zone: tzinfo) -> Level:
    complete = standing.complete_at

    def made(state: State, until: float | None = None, result_at: float | None = None) -> Level:
        return Level(standing, one, finding, level, state, standing.reason_code, until, result_at)

    if complete is None:  # the clock has not begun
        return made("not_read" if standing.status == "not_read" else "pending")
    until = deadline(level, complete, zone)
    if past.began_at is not None and complete < past.began_at:
        return made("backfill", until)
    if standing.status == "not_read":
        return made("not_read", until)
    result_at = past.first_result(standing.study.study_key, complete)
    if result_at is not None:
        return made("reached" if result_at <= until else "missed", until, result_at)
    return made("pending" if now <= until else "overdue", until)
