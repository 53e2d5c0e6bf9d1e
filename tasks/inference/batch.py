"""One batch of studies through every model of the site: the most urgent model first, tonight's studies before those of earlier nights."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Any

from tasks.delivery.urgency import Due, first_deadline, order, urgency
from tasks.errors import ConfigurationError
from tasks.executor import OnEnd, Summary, run_by_ledger
from tasks.guard import ErrorLog
from tasks.inference.equivalence import require
from tasks.inference.execution import Execution, variant_of
from tasks.inference.policy import InferenceSettings, ModelSettings
from tasks.inference.registry import register, settle
from tasks.inference.stage import InferStage
from tasks.lake import Lake
from tasks.ledger import Ledger, Result
from tasks.ledger_history import first as first_turn
from tasks.pools import Pool
from tasks.stage import fingerprint


@dataclass(frozen=True, slots=True)
class Unusable:
    """A model of the configuration that cannot read, and why."""

    model: str
    error: ConfigurationError


def stages(lake: Lake, settings: InferenceSettings) -> tuple[list[tuple[ModelSettings, InferStage]], list[Unusable]]:
    """The stages of all models that can be opened, the most urgent first; and the others."""
    usable, unusable = [], []
    for each in settings.models:
        try:
            how = Execution(settings.device, settings.threads, variant_of(each.variant))
            stage = InferStage(lake, each.model, how)
            require(lake, stage.bundle, how)
            usable.append((each, stage))
        except ConfigurationError as error:
            unusable.append(Unusable(each.model, error))
    return sorted(usable, key=lambda pair: (urgency(pair[1].bundle.manifest), pair[1].label())), unusable


def rank(arguments: tuple[Any, ...]) -> float:
    """How urgent a piece of work of the executor is, among all batches under way: the urgency of its stage's model."""
    return urgency(next(each for each in arguments if isinstance(each, InferStage)).bundle.manifest)


def read_batch(
    settings: InferenceSettings,
    keys: Sequence[str],
    *,
    lake: Lake,
    ledger: Ledger,
    run: str,
    pool: Pool,
    errors: ErrorLog,
    max_attempts: int,
    zone: tzinfo = UTC,
    on_end: OnEnd | None = None,
) -> Summary:
    """Read what is due of a batch with every model. A model that cannot be used is counted as `unusable` and leaves the others alone.

    `zone` is the site's, in which a manifest's hours of the morning are meant.
    """
    summary = Summary("infer")
    usable, unusable = stages(lake, settings)
    for each, stage in usable:
        try:
            with ledger.lock(f"models {stage.bundle.label}"):  # another batch may be about to do the same
                register(lake, stage.bundle)
                settle(lake, each.model, stage.bundle)
        except ConfigurationError as error:
            unusable.append(Unusable(each.model, error))
            continue
        wanted = in_turn(stage, keys, ledger, run, each.backfill, zone)
        made = run_by_ledger(
            stage, wanted, ledger=ledger, run=run, pool=pool, errors=errors, max_attempts=max_attempts, on_end=on_end
        )  # fmt: skip
        summary.studies += made.studies
        summary.units += made.units
        summary.failures |= {f"{key} {stage.label()}": outcome for key, outcome in made.failures.items()}
    for gone in unusable:
        errors.record(f"infer {gone.model.rpartition('/')[2]}", gone.error)
    if unusable:
        summary.studies["unusable"] = len(unusable)
    return summary


_settling = threading.Lock()
_allowed: dict[tuple[str, str, str], frozenset[str]] = {}


def in_turn(stage: InferStage, keys: Sequence[str], ledger: Ledger, run: str, limit: int | None, zone: tzinfo = UTC) -> list[str]:
    """The studies of a batch in the order in which they are read: the sooner deadline first; those of earlier nights last, the newest first, and
    at most `limit` of all batches together.

    A study is of an earlier night where it was converted before the model version had its first turn at this site, or was read by
    it before from the same volumes. What of such studies a run may read is settled when it first asks.
    """
    converted = ledger.results("volumes", list(keys))
    read = ledger.results(stage.label(), list(keys))
    first = first_turn(ledger, stage.label())
    rows = {key: (row, read.get((key, stage.label()))) for (key, _), row in converted.items()}
    late = [key for key in keys if key in rows and _is_backfill(*rows[key], first)]
    own = [key for key in keys if key not in set(late)]
    if limit is not None:
        place = (ledger.url, run, stage.label())
        with _settling:
            if place not in _allowed:
                for old in [
                    each for each in _allowed if each[:2] != place[:2]
                ]:  # of other runs; this one may have several models
                    del _allowed[old]
                _allowed[place] = _settled(stage, ledger, first, limit)
        late = [key for key in late if key in _allowed[place] or not _is_due(stage, *rows[key])]
    return _by_deadline(stage, own, ledger, zone) + sorted(late, key=lambda key: -(rows[key][0].finished_at or 0.0))


def _by_deadline(stage: InferStage, keys: Sequence[str], ledger: Ledger, zone: tzinfo) -> list[str]:
    """Studies by when their results are late: a study is complete when it has been pulled."""
    manifest = stage.bundle.manifest
    if all(said.service_level is None for said in manifest.findings):
        return list(keys)
    pulled = {key: row.finished_at for (key, _), row in ledger.results("pull", list(keys)).items()}
    due = [
        Due(key, stage.bundle.label, urgency(manifest), first_deadline(manifest, pulled.get(key) or ledger.now(), zone)) for key in keys
    ]  # fmt: skip
    return [each.study_key for each in order(due)]


def _settled(stage: InferStage, ledger: Ledger, first: float | None, limit: int) -> frozenset[str]:
    """The due studies of earlier nights that a run may read: those converted last."""
    read = ledger.results(stage.label())
    rows = [(row, read.get((key, stage.label()))) for (key, _), row in ledger.results("volumes").items()]
    due = [row for row, before in rows if _is_backfill(row, before, first) and _is_due(stage, row, before)]
    latest = sorted(due, key=lambda row: (-(row.finished_at or 0.0), row.study_key))
    return frozenset(row.study_key for row in latest[:limit])


def _is_backfill(converted: Result, read: Result | None, first: float | None) -> bool:
    if read is not None and read.inputs == converted.output:
        return True
    return first is None or (converted.finished_at or 0.0) < first


def _is_due(stage: InferStage, converted: Result, read: Result | None) -> bool:
    passed = converted.status == "done" and converted.passed
    done = read is not None and read.status == "done" and read.fingerprint == fingerprint(stage, converted.output)
    return bool(passed and not done)
