"""The stage `pull`: one study from the PACS into the spool, complete to the instance or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from tasks.errors import ConfigurationError, SafelightError
from tasks.guard import ErrorLog
from tasks.ledger import Study
from tasks.pacs.association import Requestor
from tasks.pacs.book import Book
from tasks.pacs.moving.carrier import Carrier
from tasks.pacs.moving.retrieve import OURS, Patience, Retrieved, Wanted, retrieve
from tasks.pacs.receiving.arrival import trouble
from tasks.pacs.receiving.desk import Desk
from tasks.pacs.receiving.intake import Intake
from tasks.pacs.spool import incoming, publish, settle
from tasks.pseudonyms import Pseudonyms
from tasks.stage import Count, Outcome, digest
from tasks.vault import Vault

#: Reasons that are the connection's, and pass.
PASSING = ("E-PULL-UNREACHABLE", "E-PULL-BUSY", "E-PULL-NO-ANSWER")
#: Ends of a C-MOVE that are no refusal: success, with warnings, out of resources for some, none (the PACS went away).
_NOT_REFUSED = (0x0000, 0xB000, 0xA702, None)


class _Identity:
    """What the ledger knows the stage by, whoever does the work."""

    name: ClassVar[str] = "pull"
    upstream: ClassVar[str | None] = None
    revision: ClassVar[int] = 1

    def label(self) -> str:
        """`pull`."""
        return self.name

    def configuration(self) -> dict[str, Any]:
        """Nothing: the PACS's instances are taken as they come."""
        return {}


IDENTITY = _Identity()


@dataclass(frozen=True)
class PullStage(_Identity):
    """Pulls over associations that live in this process: unlike other stages it does not travel to workers."""

    vault: Vault
    #: What the ledger knows of those that are to be pulled.
    studies: Mapping[str, Study]
    book: Book
    requestor: Requestor
    carrier: Carrier
    desk: Desk
    patience: Patience
    #: Whether receivers force each file to disk (`fsync: instance`), and not all of a study at its end.
    forced: bool
    errors: ErrorLog
    #: Told how long the PACS takes between two instances, in seconds (the median of a study).
    paused: Callable[[float], None]

    def run(self, study_key: str, inputs: str, fingerprint: str) -> Outcome:  # noqa: ARG002 - the shape of every stage
        """Retrieve a study and publish it as `spool/<study key>/<series key>/<instance key>.dcm` by one rename.

        Tally, in instances: `pulled` + `failed` = found; `refused` are those that came unasked for, twice with different
        content, or in a way that could not be taken. Nothing of an incomplete study is published; what has come of it is kept aside, and
        the next attempt asks for the rest. Where the PACS cannot be worked with just now, the study is postponed. What is noted of the
        attempt is kept in the book until the caller has it written (`Book.settle`).
        """
        study = self.studies[study_key]
        try:
            folder = incoming(self.vault, study_key, study.found_digest, forced=self.forced)
        except OSError as error:
            error_id = self.errors.record(f"{self.name} {study_key}", error)
            return Outcome("postponed", reason_code=trouble(error), error_id=error_id)
        conflicts = self.vault.quarantine / study_key / "pull"
        only = frozenset(study.expected) if study.selected else None
        intake = Intake(study.study_instance_uid, folder, conflicts, Pseudonyms(self.vault.site_key()), only=only)
        attempt = self.book.begin(study_key, study.source)
        retrieved, reason, place, postponed = None, "E-STAGE-UNEXPECTED", "", False
        try:
            with self.desk.expecting(intake):
                wanted = Wanted(study.expected, study.selected)
                retrieved = retrieve(self.requestor, self.carrier, intake, wanted, self.patience)
            reason = _reason(retrieved, intake)
            postponed = reason in OURS
            if not reason:
                if not settle(folder, {f"{each.series_key}/{each.instance_key}.dcm" for each in intake.received.values()}):
                    raise OSError
                intake.flush()
                publish(folder, self.vault.spool / study_key)
        except SafelightError as error:
            reason, place = error.code, error.place
            postponed = isinstance(error, ConfigurationError) or reason in PASSING
        except OSError as error:
            reason, postponed = trouble(error), True
        finally:
            self.book.keep(attempt, **_said(retrieved, intake, reason))
        if intake.pause is not None:
            self.paused(intake.pause)
        outcome = self._outcome(study, intake, retrieved, reason, place)
        return replace(outcome, status="postponed", tally=()) if postponed else outcome

    def withdraw(self, study_key: str) -> None:
        """Take the study out of the spool."""
        shutil.rmtree(self.vault.spool / study_key, ignore_errors=True)

    def _outcome(self, study: Study, intake: Intake, retrieved: Retrieved | None, reason: str, place: str) -> Outcome:
        received = intake.received
        if not reason:
            output = digest(sorted((entry.series_key, entry.instance_key, entry.sha256) for entry in received.values()))
            return Outcome("done", output=output, passed=len(received), tally=_tally(intake, len(received), 0, ""))
        if retrieved is not None:
            status = retrieved.moved.status
            said = "none" if status is None else f"0x{status:04X}"
            pulled, failed = len(received), retrieved.missing
            place = f"{pulled} pulled, {failed} failed, last status {said} after {retrieved.requests} requests"
        else:
            pulled, failed = 0, sum(study.expected.values())
        error = SafelightError(reason, f"study {study.study_key}: {place}")
        error_id = self.errors.record(f"{self.name} {study.study_key}", error)
        return Outcome("failed", reason_code=reason, error_id=error_id, tally=_tally(intake, pulled, failed, reason))


def _reason(retrieved: Retrieved, intake: Intake) -> str:
    """Why a study is incomplete: our own trouble with writing first, then what the PACS said, else that it is; empty where it is not."""
    if not retrieved.missing and not retrieved.growing and intake.received:
        return ""
    for code in OURS:
        if intake.refused[code]:
            return code
    if retrieved.growing:
        return "E-PULL-GROWING"
    refused = retrieved.moved.status not in _NOT_REFUSED
    # A study without any instance is one that the PACS does not show just now.
    return "E-PULL-MOVE-FAILED" if refused and not intake.received else "E-PULL-INCOMPLETE"


def _said(retrieved: Retrieved | None, intake: Intake, reason: str) -> dict[str, Any]:
    """What is noted of an attempt."""
    status = retrieved.moved.status if retrieved is not None else None
    return {
        "modality": retrieved.present.modality if retrieved is not None else "",
        "requests": retrieved.requests if retrieved is not None else 0,
        "instances": len(intake.received),
        "bytes": intake.bytes,
        "last_status": "" if status is None else f"0x{status:04X}",
        "reason_code": reason,
    }


def _tally(intake: Intake, pulled: int, failed: int, reason: str) -> tuple[Count, ...]:
    counts = [Count("pulled", "", "instance", pulled), Count("failed", reason, "instance", failed)]
    counts += [Count("refused", code, "instance", n) for code, n in intake.refused.items()]
    return tuple(sorted(count for count in counts if count.n))
