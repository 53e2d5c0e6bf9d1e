"""Where everything went: the ledger's tallies as one table of the lake, and the check that they balance to the instance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from data_contracts.accountability import CONTRACT
from tasks.errors import SafelightError
from tasks.lake import Lake, Manifest
from tasks.ledger import Ledger, Result, Study, is_current
from tasks.pacs.book import Book
from tasks.stage import NIGHT, STUDY_STAGES, digest

#: What one stage hands on is what the next must account for: stage, the outcome it hands on, the unit, and who receives it.
HANDED_ON = (
    ("pull", "pulled", "instance", "deidentify"),
    ("deidentify", "released", "instance", "volumes"),
)


#: Stage → the stage before it.
_BEFORE = {after: before for before, after in pairwise(STUDY_STAGES)}
#: The end of a study in a stage that failed before it could count anything: it is tried again, and balances then.
_FAILED = ("failed", "study")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the night's table: how many studies met an end in a stage, and how many instances, where these are counted."""

    stage: str
    outcome: str
    reason_code: str
    studies: int
    instances: int | None


def rows(ledger: Ledger) -> list[dict[str, Any]]:
    """Study × stage × outcome rows of all that the ledger knows; a stage in flight or not begun has the outcome `waiting`."""
    results = ledger.results()
    by_study: dict[str, list[Result]] = defaultdict(list)
    for (key, _), result in results.items():
        by_study[key].append(result)
    return [row for study in ledger.studies().values() for row in _study_rows(study, by_study[study.study_key])]


def check(accounted: Iterable[Mapping[str, Any]]) -> None:
    """Hold that nothing was lost or made up between stages.

    Raises:
        SafelightError: E-BALANCE with the study's key, the stage, and both counts.
    """
    by_study: dict[tuple[str, str], dict[tuple[str, str], int]] = defaultdict(dict)
    waiting: set[tuple[str, str]] = set()
    for row in accounted:
        if row["outcome"] == "waiting":
            waiting.add((row["StudyInstanceUID"], row["stage"]))
        else:
            ends = by_study[row["StudyInstanceUID"], row["stage"]]
            end = (row["outcome"], row["unit"])
            ends[end] = ends.get(end, 0) + row["n"]
    for (key, stage), ends in by_study.items():
        sent = sum(ends.get((outcome, "instance"), 0) for outcome in ("pulled", "failed"))
        found = by_study.get((key, "find"), {}).get(("found", "instance"), 0)
        if stage == "pull" and _FAILED not in ends and sent < found:  # more than found: the study has grown since
            raise SafelightError("E-BALANCE", f"study {key}: {found} instances found, pull accounts for {sent}")
    for giver, outcome, unit, receiver in HANDED_ON:
        for key, stage in list(by_study):
            if stage == receiver and _FAILED not in by_study[key, stage] and (key, giver) not in waiting:
                given = by_study[key, giver].get((outcome, unit), 0)
                received = sum(n for (_, counted), n in by_study[key, receiver].items() if counted == unit)
                if given != received:
                    raise SafelightError(
                        "E-BALANCE", f"study {key}: {giver} handed on {given} {unit}s, {receiver} accounts for {received}"
                    )


def publish(ledger: Ledger, lake: Lake) -> Manifest:
    """Check the balance and write the table `accountability`."""
    accounted = rows(ledger)
    check(accounted)
    fingerprint = digest(accounted)
    earlier = lake.manifest("accountability", "night")
    if earlier is not None and earlier.fingerprint == fingerprint:
        return earlier
    with lake.publication("accountability", "night", fingerprint) as publication:
        publication.write_table(CONTRACT, accounted)
        return publication.commit()


def totals(accounted: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str, str, str], int]:
    """Sums over all studies by (stage, outcome, reason code, unit), in the order of the night."""
    summed: dict[tuple[str, str, str, str], int] = defaultdict(int)
    for row in accounted:
        summed[row["stage"].partition(":")[0], row["outcome"], row["reason_code"], row["unit"]] += row["n"]
    return dict(sorted(summed.items(), key=lambda item: (_place(item[0][0]), item[0])))


def lines(ledger: Ledger, lake: Lake) -> list[Line]:
    """Where everything went: the ledger's studies and instances stage by stage, the rows of imported tables, the studies of evaluations."""
    studies: dict[tuple[str, str, str], int] = defaultdict(int)
    instances: dict[tuple[str, str, str], int] = {}
    for row in rows(ledger):
        end = (row["stage"], row["outcome"], row["reason_code"])
        if row["unit"] == "instance":
            instances[end] = instances.get(end, 0) + row["n"]
        studies[end] += row["n"] if row["unit"] == "study" else 1
    for code, n in Book(ledger).refusals().items():
        studies["find", "refused", code] += n
    counted = [
        Line(*end, n, instances.get(end)) for end, n in sorted(studies.items(), key=lambda item: (_place(item[0][0]), item[0]))
    ]
    for stage, suffix in (("import", " rows"), ("evaluate", "")):
        for manifest in lake.manifests(stage):
            counted += [
                Line(f"{stage}:{manifest.key}", count.outcome + suffix, count.reason_code, count.n, None)
                for count in manifest.tally
            ]
    return counted


def _place(stage: str) -> int:
    """Where a stage stands in the night."""
    order = ("find", *NIGHT)
    name = stage.partition(":")[0]
    return order.index(name) if name in order else len(order)


def _is_of(returned: Result, reading: Result | None) -> bool:
    """Whether what was returned is of a model's last reading: it takes more than the reading in, so the times tell."""
    ended = reading.finished_at if reading is not None and reading.status == "done" else None
    return ended is not None and ended <= returned.started_at


def _study_rows(study: Study, results: list[Result]) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    expected = sum(study.expected.values())

    def add(stage: str, outcome: str, reason: str, unit: str, n: int) -> None:
        made.append({
            "StudyInstanceUID": study.study_key, "PatientID": study.patient_key, "stage": stage, "outcome": outcome,
            "reason_code": reason, "unit": unit, "n": n,
        })  # fmt: skip

    add("find", "found", "", "instance", expected)
    latest = {result.stage.partition(":")[0]: result for result in results}
    readings = {result.stage.partition(":")[2]: result for result in results if result.stage.startswith("infer:")}
    for result in results:
        stage, _, model = result.stage.partition(":")
        renewed = stage == STUDY_STAGES[0] and result.inputs != study.found_digest  # found anew since it was pulled
        current = (
            _is_of(result, readings.get(model)) if stage == "return" else is_current(result, latest.get(_BEFORE.get(stage, "")))
        )
        if renewed or not current:
            add(result.stage, "waiting", "", "study", 1)  # due again: what it counted was of another input
            continue
        for count in result.tally:
            add(result.stage, count.outcome, count.reason_code, count.unit, count.n)
        if result.status == "failed" and not result.tally:
            add(result.stage, "failed", result.reason_code, "study", 1)
        if result.status in {"running", "interrupted"}:
            add(result.stage, "waiting", "", "study", 1)
    if not any(result.stage == "pull" for result in results):
        add("pull", "waiting", "", "study", 1)
    return made
