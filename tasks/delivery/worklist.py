"""A worklist: every study that was due, in the order in which it should be read; with lake keys in the lake, with the hospital's in the vault."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Literal

from data_contracts.worklist import CONTRACT
from tasks.delivery.priority import Priority, is_calibrated, priority
from tasks.delivery.served import Served
from tasks.delivery.standing import Standing
from tasks.lake import Lake
from tasks.ledger import Study
from tasks.stage import digest

STAGE = "worklist"
#: What is said instead of a band.
NOT_CALIBRATED = "not calibrated"
#: What a list says of each study beside its identifiers: nothing that names a finding.
SHOWN = ("status", "priority", "band", "probability_low", "probability_high", "reason_code")

#: A study's scores by one model (finding to score), and the reason where they cannot be used.
Scores = Callable[[Served, Standing], tuple[Mapping[str, float], str]]


@dataclass(frozen=True, slots=True)
class Entry:
    """A study in a list, before it has a place."""

    study: Study
    status: Literal["read", "partly_read", "not_read", "waiting"]
    priority: Priority | None
    reason_code: str
    complete_at: float | None


@dataclass(frozen=True, slots=True)
class Worklist:
    """A list in its order. `calibrated`: whether priorities are probabilities."""

    name: str
    calibrated: bool
    entries: tuple[Entry, ...]


def lists(
    models: Sequence[Served], standings: Mapping[str, Sequence[Standing]], scores: Scores, *, unread: Literal["last", "first"]
) -> list[Worklist]:
    """All worklists, by name. Second readers stand in none: a first reader must not see what they think.

    Args:
        models: that read for the site.
        standings: for each model by its label, the studies that are delivered; the same ones for each.
        scores: what a model gave to a study that it has read.
        unread: where studies without a score stand.
    """
    made = []
    for name in sorted({one.delivery.worklist for one in models if one.mode != "second_reader"}):
        within = [one for one in models if one.mode != "second_reader" and one.delivery.worklist == name]
        calibrated = is_calibrated(one.manifest for one in within)
        by_study = zip(*(standings[one.label] for one in within), strict=True)
        entries = [_entry(within, each, scores, calibrated) for each in by_study]
        made.append(Worklist(name, calibrated, tuple(in_order(entries, unread=unread))))
    return made


def in_order(entries: Sequence[Entry], *, unread: Literal["last", "first"]) -> list[Entry]:
    """Those with a score by priority, ties by waiting time (the longest first), then by key; those without by waiting time, then key."""

    def place(entry: Entry) -> tuple[int, float, float, str]:
        without = 1 if unread == "last" else -1
        group = without if entry.priority is None else 0
        waited_since = float("inf") if entry.complete_at is None else entry.complete_at
        return group, -entry.priority.value if entry.priority else 0.0, waited_since, entry.study.study_key

    return sorted(entries, key=place)


def rows(made: Worklist) -> list[dict[str, Any]]:
    """The list as rows of the contract `worklist`."""
    return [
        {
            "worklist": made.name, "rank": rank, "StudyInstanceUID": entry.study.study_key, "PatientID": entry.study.patient_key,
            **_shown(entry),
        }
        for rank, entry in enumerate(made.entries, start=1)
    ]  # fmt: skip


def publish(lake: Lake, made: Worklist) -> bool:
    """Publish a list in the lake as `worklist/<name>.csv` and `.json`, and as part of the table; False where it lies there already."""
    found = rows(made)
    fingerprint = digest({"rows": found, "calibrated": made.calibrated})
    earlier = lake.manifest(STAGE, made.name)
    if earlier is not None and earlier.fingerprint == fingerprint and lake.intact(earlier):
        return False
    columns = ("rank", "StudyInstanceUID", "PatientID", *SHOWN)
    with lake.publication(STAGE, made.name, fingerprint) as publication:
        publication.write(f"worklist/{made.name}.csv", as_csv(found, columns))
        publication.write(f"worklist/{made.name}.json", as_json(made, found, columns))
        publication.write_table(CONTRACT, found, part=made.name)
        publication.commit(passed=len(found))
    return True


def identified(
    made: Worklist, identify: Callable[[Study], Mapping[str, str]], by: Sequence[str], zone: tzinfo
) -> dict[str, bytes]:
    """The list as the hospital knows its studies: file name to bytes. For the vault alone.

    Args:
        identify: a study's identifiers.
        by: their names, in order.
        zone: of `complete_at`, when all of the study had been pulled.
    """
    found = []
    for rank, entry in enumerate(made.entries, start=1):
        complete = (
            "" if entry.complete_at is None else datetime.fromtimestamp(entry.complete_at, zone).isoformat(timespec="seconds")
        )
        found.append(
            {"rank": rank, **identify(entry.study), **_shown(entry), "complete_at": complete, "study_key": entry.study.study_key}
        )
    columns = ("rank", *by, *SHOWN, "complete_at", "study_key")
    return {f"{made.name}.csv": as_csv(found, columns), f"{made.name}.json": as_json(made, found, columns)}


def as_csv(found: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> bytes:
    """RFC 4180 in UTF-8: a header line, CRLF, an empty field for what is not known."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([["" if row[name] is None else row[name] for name in columns] for row in found])
    return text.getvalue().encode()


def as_json(made: Worklist, found: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> bytes:
    """The same as one object: the list's name, what its priorities are, and its studies in order."""
    scale = "calibrated probability" if made.calibrated else "score beside its operating point (0.5)"
    body = {"worklist": made.name, "priority_scale": scale, "studies": [{name: row[name] for name in columns} for row in found]}
    return (json.dumps(body, indent=1, ensure_ascii=False) + "\n").encode()


def _shown(entry: Entry) -> dict[str, Any]:
    given = entry.priority
    band = None if given is None else given.band
    return {
        "status": entry.status, "priority": None if given is None else given.value,
        "band": None if given is None else NOT_CALIBRATED if band is None else band.name,
        "probability_low": None if band is None else band.probability[0],
        "probability_high": None if band is None else band.probability[1],
        "reason_code": entry.reason_code,
    }  # fmt: skip


def _entry(models: Sequence[Served], each: Sequence[Standing], scores: Scores, calibrated: bool) -> Entry:
    """One study, as all models of a list left it."""
    places: list[Priority] = []
    reasons: list[str] = []
    n_read = n_waiting = 0
    for one, standing in zip(models, each, strict=True):
        if standing.status != "read":
            n_waiting += standing.status == "waiting"
            reasons += [standing.reason_code] if standing.reason_code else []
            continue
        given, reason = scores(one, standing)
        place = priority(one.findings, given, calibrated=calibrated)
        if place is not None:
            places.append(place)
        elif not reason:
            reason = "E-DELIVER-NO-SCORE"
        reasons += [reason] if reason else []
        n_read += not reason or place is not None or reason == "E-DELIVER-NO-SCORE"
    status: Literal["read", "partly_read", "not_read", "waiting"] = (
        "read" if n_read == len(models) else "partly_read" if n_read else "waiting" if n_waiting else "not_read"
    )
    best = max(places, key=lambda place: place.value, default=None)
    return Entry(each[0].study, status, best, reasons[0] if reasons else "", each[0].complete_at)  # the same for each model
