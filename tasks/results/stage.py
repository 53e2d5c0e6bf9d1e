"""The stage `return`: one study's results by one model version as DICOM objects, to the PACS and, de-identified, into the lake."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, ClassVar

from pydicom.dataset import Dataset

from tasks.errors import ConfigurationError, SafelightError
from tasks.guard import ErrorLog
from tasks.lake import Lake
from tasks.pseudonyms import Pseudonyms
from tasks.results.checks import problems
from tasks.results.commitment import Commitments
from tasks.results.copies import encoded, lake_headers, residue
from tasks.results.headers import Headers
from tasks.results.identity import Identity
from tasks.results.objects import Made, is_source, make
from tasks.results.occasion import Occasion
from tasks.results.passport import passport
from tasks.results.policy import ReturnsSettings, Sayable, sayable
from tasks.results.reading import Said, take
from tasks.results.report import Predecessor
from tasks.results.sender import Sender
from tasks.results.sent import Entry, Sent
from tasks.stage import Outcome, digest, tally
from tasks.vault import Vault

#: Ends in which the PACS could not be worked with at all: the study stays due.
AWAY = ("E-RETURN-UNREACHABLE", "E-RETURN-AE-REJECTED")
#: (outcome, reason code, unit) of one object.
End = tuple[str, str, str]


@dataclass(frozen=True)
class Reading:
    """What the ledger knows of a study that a model has read.

    Args:
        study_instance_uid: the original one.
        pulled: digest of what came from the PACS.
        read_at: when the model ended with it (seconds since the epoch).
    """

    study_instance_uid: str
    pulled: str
    read_at: float


@dataclass(frozen=True)
class ReturnStage:
    """Returns over associations that live in this process: it does not travel to workers.

    Args:
        vault, lake: of the site.
        settings: where to, and how objects are marked.
        model: its name.
        version: of it.
        sender: to the PACS.
        commitments: with the PACS.
        errors: the vault's error log.
        readings: what the ledger knows, by study key.
        final: whether a study's first read is final, by its key.
    """

    name: ClassVar[str] = "return"
    upstream: ClassVar[str | None] = "infer"
    revision: ClassVar[int] = 1

    vault: Vault
    lake: Lake
    settings: ReturnsSettings
    model: str
    version: str
    sender: Sender
    commitments: Commitments
    errors: ErrorLog
    readings: dict[str, Reading]
    final: Callable[[str], bool]

    def label(self) -> str:
        """`return:NAME@VERSION`."""
        return f"{self.name}:{self.model}@{self.version}"

    def configuration(self) -> dict[str, Any]:
        """What changes the objects, or where they go."""
        said, node = self.settings, self.settings.node
        return {
            "mode": said.mode(self.model), "qualification": said.qualification, "series_description": said.series_description,
            "series_number": said.series_number, "unread": said.unread, "node": [node.ae_title, node.host, node.port],
        }  # fmt: skip

    def run(self, study_key: str, inputs: str, fingerprint: str) -> Outcome:  # noqa: ARG002 - the fingerprint covers the inputs
        """Make, check, send, and copy into the lake what may be said of a study.

        Tally, in objects: `stored`, `committed`, `unchanged` (sent on another day, with the same content) and `refused` with the reason;
        or the study once, `withheld` with the reason. A study is done when no object was refused.

        Raises:
            SafelightError: E-RETURN-STALE, E-RETURN-SOURCES, E-RETURN-GEOMETRY, E-RETURN-INVALID, E-RETURN-RESIDUE: nothing was sent.
        """
        reading = self.readings[study_key]
        allowed = sayable(self.settings.mode(self.model), final=self.final(study_key))
        said = take(self.lake, self.model, self.version, study_key)
        held = allowed.reason_code or ("" if said.read or self.settings.unread else "E-RETURN-UNREAD")
        if held:
            if (self.vault.spool / study_key).exists():
                passport(self.vault, study_key, reading.pulled)  # so that a later change of the mode needs no spool
            self.withdraw(study_key)
            withheld = tally([("withheld", held, "study")])
            if held == "E-RETURN-NOT-FINAL":
                return Outcome("postponed", reason_code=held, tally=withheld)
            return Outcome("done", tally=withheld)
        wanted = list(said.volume["source_instances"]) if said.volume is not None else []
        copies_of = {
            name: header for name, header in lake_headers(self.lake, study_key, wanted).items() if said.read or is_source(header)
        }
        known = passport(self.vault, study_key, reading.pulled)
        if not set(copies_of) <= set(known):
            raise SafelightError("E-RETURN-SOURCES", f"study {study_key}: images of the lake without an original")
        originals = {name: known[name] for name in copies_of}
        sent = Sent(self.vault, study_key, self.model)
        node = self.settings.node
        place = f"{node.ae_title} at {node.host}:{node.port}"
        entry = sent.begin(_core(self, said, allowed, originals), reading.read_at, version("safelight"), place)
        made, copies = self._made(said, allowed, (originals, copies_of), entry, study_key)
        self._hold(made, copies, study_key)
        output = self._publish(study_key, copies, fingerprint)
        return self._sent(study_key, made, sent, entry, output)

    def withdraw(self, study_key: str) -> None:
        """Take the copies out of the lake. What the PACS has, it keeps: DICOM has no service to take it back."""
        self.lake.withdraw(self.label(), study_key)

    def _made(
        self, said: Said, allowed: Sayable, headers: tuple[Headers, Headers], entry: Entry, study_key: str
    ) -> tuple[Made, Made]:
        """The objects under the original identity, and under the lake's; of each its headers."""
        keys = Pseudonyms(self.vault.site_key())
        study = self.readings[study_key].study_instance_uid
        identities = [Identity(keys, study, said.model, in_lake) for in_lake in (False, True)]
        before = entry.predecessor
        content = digest([entry.digest, entry.read_at, entry.software, dataclasses.asdict(before) if before else None])
        hospital, lake = (
            Occasion(identity, self.settings, content, read_at, entry.software)
            for identity, read_at in zip(identities, (entry.read_at, None), strict=True)
        )
        mapped = _mapped(before, identities[1]) if before is not None else None
        return make(said, headers[0], allowed, hospital, before), make(said, headers[1], allowed, lake, mapped)

    def _hold(self, made: Made, copies: Made, study_key: str) -> None:
        """Raise where an object is not what it must be, or a copy holds what it must not."""
        for each in (made, copies):
            for kind, one in each.objects.items():
                beside = [other for other in each.objects.values() if other is not one]
                wrong = problems(one, each.images, beside)
                if wrong:
                    raise SafelightError("E-RETURN-INVALID", f"study {study_key}, {kind}: {'; '.join(wrong[:5])}")
        for kind, one in copies.objects.items():
            left = residue(encoded(one), [*made.images, *made.objects.values()])
            if left:
                raise SafelightError("E-RETURN-RESIDUE", f"study {study_key}, {kind}: {', '.join(left)}")

    def _publish(self, study_key: str, copies: Made, fingerprint: str) -> str:
        patient = str(copies.images[0].PatientID)
        folder = f"results/{patient}/{study_key}/{self.model}/{self.version}"
        with self.lake.publication(self.label(), study_key, fingerprint) as publication:
            for one in copies.objects.values():
                publication.write(f"{folder}/{one.SOPInstanceUID}.dcm", encoded(one))
            published = publication.commit(passed=len(copies.objects))
        return published.digest

    def _sent(self, study_key: str, made: Made, sent: Sent, entry: Entry, output: str) -> Outcome:
        """Send what is not at the PACS, ask for its commitment, and note how far each object has come."""
        report = made.objects.get("report")
        entry.report = _predecessor(report) if report is not None else None
        ends: dict[str, End] = {}
        unchanged = {uid for uid, state in entry.states.items() if state != "made"}
        try:
            for kind, one in made.objects.items():
                uid = str(one.SOPInstanceUID)
                if uid in unchanged:
                    ends[uid] = ("unchanged", "", "object")
                    continue
                entry.states[uid] = "made"
                answer = self.sender.store(one)
                if answer.reason_code:
                    self._note(study_key, answer.reason_code, kind, answer.status)
                    ends[uid] = ("refused", answer.reason_code, "object")
                else:
                    entry.states[uid], ends[uid] = "stored", ("stored", "", "object")
                sent.save()
            self._commit(study_key, made, sent, entry, ends)
        except ConfigurationError as error:
            sent.save()
            if error.code not in AWAY:
                raise
            error_id = self.errors.record(f"{self.label()} {study_key}", error)
            return Outcome("postponed", reason_code=error.code, error_id=error_id)
        counted = tally(ends.values())
        codes = [code for _, code, _ in ends.values() if code]
        if codes:
            return Outcome("failed", reason_code=codes[0], tally=counted)
        return Outcome("done", output=output, passed=len(ends), tally=counted)

    def _commit(self, study_key: str, made: Made, sent: Sent, entry: Entry, ends: dict[str, End]) -> None:
        """Ask for the commitment of all that is stored and not committed to."""
        waiting = {uid for uid, state in entry.states.items() if state == "stored"}
        asked = [
            (str(one.SOPClassUID), str(one.SOPInstanceUID)) for one in made.objects.values() if one.SOPInstanceUID in waiting
        ]
        if not asked:
            return
        said = self.commitments.ask(asked, f"2.25.{secrets.randbits(128)}")
        if said is None:
            return
        for _, uid in asked:
            if uid not in said:
                self._note(study_key, "E-RETURN-NO-COMMITMENT", "object", None)
                ends[uid] = ("refused", "E-RETURN-NO-COMMITMENT", "object")
            elif said[uid] is not None:
                self._note(study_key, "E-RETURN-NOT-COMMITTED", "object", said[uid])
                entry.states[uid], ends[uid] = "made", ("refused", "E-RETURN-NOT-COMMITTED", "object")
            else:
                entry.states[uid] = "committed"
                ends[uid] = ("committed", "", "object")
        sent.save()

    def _note(self, study_key: str, code: str, kind: str, status: int | None) -> None:
        said = "no status" if status is None else f"0x{status:04X}"
        self.errors.record(f"{self.label()} {study_key}", SafelightError(code, f"{kind}: {said}"))


def _core(stage: ReturnStage, said: Said, allowed: Sayable, originals: Headers) -> str:
    """Digest of what a result says, of whom, of which images, and how it is marked: another needs other objects."""
    about = [header.to_json_dict() for _, header in sorted(originals.items())]
    settings = {key: value for key, value in stage.configuration().items() if key != "node"}
    return digest([said.digest, dataclasses.asdict(allowed), settings, about, stage.revision, said.model])


def _predecessor(report: Dataset) -> Predecessor:
    return Predecessor(
        str(report.StudyInstanceUID), str(report.SeriesInstanceUID), str(report.SOPClassUID), str(report.SOPInstanceUID)
    )


def _mapped(before: Predecessor, identity: Identity) -> Predecessor:
    """A report of ours as the lake names it."""
    uids = [identity.mapped(uid) for uid in (before.study_instance_uid, before.series_instance_uid, before.sop_instance_uid)]
    return Predecessor(uids[0], uids[1], before.sop_class_uid, uids[2])
