"""How it stands with a study and a model: read, not read and why, failed, or waiting; by the ledger, which alone knows all studies."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

import pyarrow.parquet as pq

from data_contracts import detections, predictions, segments
from data_contracts.contract import Contract
from tasks.delivery.served import Served
from tasks.errors import SafelightError
from tasks.lake import Lake, Manifest
from tasks.ledger import Ledger, Result, Study, is_current
from tasks.stage import STUDY_STAGES

Status = Literal["read", "not_read", "failed", "waiting"]

#: Columns of a table that are used, where not all are: a study has a few rows, and reading costs by the column.
_USED = {"predictions": ["finding", "status", "score", "manifest_sha256"]}
#: Outcomes of a stage that say why a study went no further.
_HELD = {"quarantined", "rejected", "failed", "not_read", "refused"}


@dataclass(frozen=True, slots=True)
class Standing:
    """A study as one model left it. Times are seconds since the epoch: they stay in the vault.

    Attributes:
        study: as the hospital knows it.
        status: `not_read` is an end, with its reason; `failed` may be tried again; `waiting` has not come to it yet.
        reason_code: why it was not read, or failed.
        complete_at: when all of it had been pulled; None before.
        row: the ledger's row of the model's stage, where it is of today's input.
    """

    study: Study
    status: Status
    reason_code: str
    complete_at: float | None
    row: Result | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What a model wrote of a study: rows of the tables `predictions` (what is used of them), `detections` and `segments`."""

    predictions: tuple[Mapping[str, Any], ...]
    detections: tuple[Mapping[str, Any], ...]
    segments: tuple[Mapping[str, Any], ...]

    @property
    def scores(self) -> dict[str, float]:
        """The highest score of each finding that has one."""
        found: dict[str, float] = {}
        for row in self.predictions:
            if row["status"] == "read" and row["score"] is not None:
                found[row["finding"]] = max(row["score"], found.get(row["finding"], 0.0))
        return found


def standings(ledger: Ledger, models: Iterable[Served]) -> dict[str, list[Standing]]:
    """Every study that the ledger knows, in the order of keys, for each model by its label."""
    studies = ledger.studies()
    results = ledger.results()
    return {one.label: [_standing(study, results, one.label) for study in studies.values()] for one in models}


def reading(lake: Lake, standing: Standing, one: Served) -> Reading:
    """What a model wrote of a study that it has read.

    Raises:
        SafelightError: E-DELIVER-STALE where the lake has not what the ledger says; E-DELIVER-MANIFEST where the study was read under another
            manifest than the one that would explain its scores.
    """
    key = standing.study.study_key
    published = lake.manifest(one.label, key)
    if published is None or standing.row is None or published.digest != standing.row.output:
        raise SafelightError("E-DELIVER-STALE", f"study {key}")
    tables = [
        _rows(lake, published, contract, one, key) for contract in (predictions.CONTRACT, detections.CONTRACT, segments.CONTRACT)
    ]
    found = Reading(*tables)
    if any(row["manifest_sha256"] != one.manifest_sha256 for row in found.predictions):
        raise SafelightError("E-DELIVER-MANIFEST", f"study {key}")
    if not {row["finding"] for row in found.predictions} <= set(one.findings):
        raise SafelightError("E-DELIVER-STALE", f"study {key}")
    return found


def _rows(lake: Lake, published: Manifest, contract: Contract, one: Served, key: str) -> tuple[Mapping[str, Any], ...]:
    path = f"tables/{contract.name}/{one.manifest.name}/{one.manifest.version}/{key}.parquet"
    if path not in published.files:
        return ()
    content = lake.read(path) if lake.exists(path) else b""
    if sha256(content).hexdigest() != published.files[path]:
        raise SafelightError("E-DELIVER-STALE", f"study {key}")
    return tuple(pq.read_table(io.BytesIO(content), columns=_USED.get(contract.name), use_threads=False).to_pylist())


def _standing(study: Study, results: Mapping[tuple[str, str], Result], label: str) -> Standing:
    before: Result | None = None
    complete_at: float | None = None
    for stage in (*STUDY_STAGES[:-1], label):
        row = results.get((study.study_key, stage))
        renewed = (
            row is not None and stage == STUDY_STAGES[0] and row.inputs != study.found_digest
        )  # it has changed since it was pulled
        if row is None or renewed or row.status in {"running", "interrupted", "postponed"} or not is_current(row, before):
            return Standing(study, "waiting", "", complete_at)
        if row.status == "failed":
            return Standing(study, "failed", row.reason_code, complete_at)
        if stage == STUDY_STAGES[0]:
            complete_at = row.finished_at
        if not row.passed:
            return Standing(study, "not_read", _why(row), complete_at, row if stage == label else None)
        before = row
    return Standing(study, "read", "", complete_at, before)


def _why(row: Result) -> str:
    """The most frequent reason that a stage counted."""
    held = [count for count in row.tally if count.reason_code and count.outcome in _HELD]
    return max(held, key=lambda count: (count.n, count.reason_code)).reason_code if held else "E-DELIVER-NOTHING"
