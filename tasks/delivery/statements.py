"""What the hospital has said of studies, kept in the ledger; looked up by what a study is called there. Identified: never leaves the vault."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from tasks import ledger_tables as tables
from tasks.delivery.sayings import Kind, Saying
from tasks.ledger import Ledger, Study

#: Keys in one statement; SQLite takes 32,766 parameters.
_AT_ONCE = 10_000

State = Literal["final", "not_final", "withdrawn", "ambiguous", "conflicting"]


@dataclass(frozen=True, slots=True)
class FirstRead:
    """How it stands with a study's first read.

    Attributes:
        state: `final`; `not_final` (also where nothing was ever said); `withdrawn`: it was final and is not any more; `ambiguous`: what was
            said names an AccessionNumber of several patients; `conflicting`: it names another patient than the study has.
        since: when it became so, in seconds since the epoch; None where nothing was said.
        corrected: a correction came after it was final.
    """

    state: State
    since: float | None = None
    corrected: bool = False


class Statements:
    """The ledger's table `statements`."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def add(self, sayings: Iterable[Saying]) -> int:
        """Note what a file says, all or nothing; give how much of it is new. What tells no time became true now."""
        now = self._ledger.now()
        rows = [
            {
                "id": said.id, "kind": said.kind, "accession_number": said.accession_number, "study_instance_uid": said.study_instance_uid,
                "patient_ids": json.dumps(said.patient_ids), "said": json.dumps(dict(said.said), sort_keys=True),
                "said_at": now if said.said_at is None else said.said_at, "received_at": now,
            }
            for said in sayings
        ]  # fmt: skip
        new = 0
        with self._ledger.writing() as connection:
            for row in rows:
                statement = self._ledger.insert(tables.statements).values(row).on_conflict_do_nothing()
                new += connection.execute(statement).rowcount
        return new

    def first_reads(self, studies: Sequence[Study]) -> dict[str, FirstRead]:
        """How it stands with each study's first read, by study key."""
        return {study.study_key: _first_read(study, told) for study, told in self._about("first_read", studies)}

    def clinical(self, studies: Sequence[Study]) -> dict[str, dict[str, Any]]:
        """Clinical facts by study key: the latest that was said of each; none of a study whose key is ambiguous or of another patient."""
        found = {}
        for study, told in self._about("clinical", studies):
            facts: dict[str, Any] = {}
            for row in _usable(study, told)[1]:
                facts |= json.loads(row["said"])
            found[study.study_key] = facts
        return found

    def _about(self, kind: Kind, studies: Sequence[Study]) -> list[tuple[Study, list[dict[str, Any]]]]:
        """Each study with what was said of it, oldest first; `ambiguous` marks what names it by an AccessionNumber of several patients."""
        by_number, by_uid = defaultdict(list), defaultdict(list)
        for row in self._rows(kind, tables.statements.c.accession_number, {study.accession_number.strip() for study in studies}):
            by_number[row["accession_number"]].append(row)
        for row in self._rows(kind, tables.statements.c.study_instance_uid, {study.study_instance_uid for study in studies}):
            by_uid[row["study_instance_uid"]].append(row)
        shared = self._shared_numbers()
        found = []
        for study in studies:
            number = study.accession_number.strip()
            told = {row["id"]: row for row in by_uid[study.study_instance_uid]}
            for row in by_number[number]:
                if not row["study_instance_uid"]:  # otherwise it names one study of the order
                    told[row["id"]] = row | {"ambiguous": number in shared and row["patient_ids"] == "[]"}
            found.append((study, sorted(told.values(), key=lambda row: (row["said_at"], row["received_at"], row["id"]))))
        return found

    def _rows(self, kind: Kind, column: sa.Column[str], wanted: set[str]) -> list[dict[str, Any]]:
        keys = sorted(wanted - {""})
        found: list[dict[str, Any]] = []
        with self._ledger.reading() as connection:
            for start in range(0, len(keys), _AT_ONCE):
                query = sa.select(tables.statements).where(
                    tables.statements.c.kind == kind, column.in_(keys[start : start + _AT_ONCE])
                )
                found += [{**row, "ambiguous": False} for row in connection.execute(query).mappings()]
        return found

    def _shared_numbers(self) -> set[str]:
        """AccessionNumbers of more than one patient."""
        patients: dict[str, set[str]] = defaultdict(set)
        with self._ledger.reading() as connection:
            for number, patient in connection.execute(sa.select(tables.studies.c.accession_number, tables.studies.c.patient_key)):
                patients[number.strip()].add(patient)
        return {number for number, of in patients.items() if len(of) > 1}


def _usable(study: Study, told: Sequence[dict[str, Any]]) -> tuple[State | None, list[dict[str, Any]]]:
    """What was said of this very patient; and why something else was not used."""
    said_of = [row for row in told if not (ids := json.loads(row["patient_ids"])) or study.patient_id.strip() in ids]
    clear = [row for row in said_of if not row["ambiguous"]]
    if len(said_of) < len(told):
        return "conflicting", clear
    return ("ambiguous" if len(clear) < len(said_of) else None), clear


def _first_read(study: Study, told: Sequence[dict[str, Any]]) -> FirstRead:
    """By what was said last (HL7 table 0123: F final, C corrected and final)."""
    doubt, rows = _usable(study, told)
    if doubt is not None and not rows:
        return FirstRead(doubt)
    if not rows:
        return FirstRead("not_final")
    statuses = [json.loads(row["said"])["status"] for row in rows]
    finals = [place for place, status in enumerate(statuses) if status in {"F", "C"}]
    if statuses[-1] in {"F", "C"}:
        return FirstRead("final", rows[finals[0]]["said_at"], corrected="C" in statuses)
    return FirstRead("withdrawn" if finals else "not_final", rows[-1]["said_at"])
