"""The stage `deidentify`: one study from the vault's spool into the lake, instance by instance, each released or quarantined with a reason.

Nothing is published before the whole study has been read: its identifiers are collected from every instance, also from those that are
held back, and every header that is about to be released is searched for all of them. Until then its files wait in the vault.
"""

from __future__ import annotations

import shutil
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from pydicom import config as pydicom_config
from pydicom.dataset import FileDataset

from data_contracts.deid_audit import CONTRACT
from tasks.deid import instances, quarantine
from tasks.deid.drafts import waiting
from tasks.deid.header import Audit, Rewriter, encode
from tasks.deid.identifiers import Identifiers
from tasks.deid.pixels import Evidence, FaceCheck, compressed_comments
from tasks.deid.residue import Residue
from tasks.deid.rules import Profile, keyword, load
from tasks.errors import SafelightError
from tasks.guard import ErrorLog
from tasks.lake import Lake, Publication
from tasks.pseudonyms import Pseudonyms
from tasks.stage import Outcome, tally
from tasks.vault import Vault

_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")


@dataclass(frozen=True)
class DeidentifyStage:
    """De-identifies one study by a profile of `configs/profiles/`, or by a path to one."""

    name: ClassVar[str] = "deidentify"
    upstream: ClassVar[str | None] = "pull"
    revision: ClassVar[int] = 2

    vault: Vault
    lake: Lake
    profile: str

    def label(self) -> str:
        """The ledger's name of this stage."""
        return self.name

    def configuration(self) -> dict[str, Any]:
        """The profile with everything that it draws on, as a digest."""
        profile = load(self.profile)
        return {"profile": profile.name, "edition": profile.edition, "content": profile.digest}

    def run(self, study_key: str, inputs: str, fingerprint: str) -> Outcome:  # noqa: ARG002 - the spool is the input
        """De-identify one study.

        Raises:
            SafelightError: E-DEID-SPOOL-EMPTY where the study's files are gone: what is in the lake stays as it is.
        """
        spool = self.vault.spool / study_key
        paths = sorted(spool.glob("*/*.dcm"))
        if not paths:
            raise SafelightError("E-DEID-SPOOL-EMPTY", f"study {study_key}")
        work = _Study(load(self.profile), Pseudonyms(self.vault.site_key()), study_key, ErrorLog(self.vault.errors))
        with (
            self.lake.publication(self.label(), study_key, fingerprint) as publication,
            waiting(self.vault) as drafts,
            _lenient(),
        ):
            for path in paths:
                work.take(path, drafts / f"{len(work.ends)}.dcm")
            work.prove()
            audit: Audit = Counter()
            for draft in work.drafts.values():
                shutil.move(draft.file, publication.path(draft.lake_path))  # the vault may be on another file system
                audit.update(draft.audit)
            self._write_audit(publication, work, audit)
            counts = tally(("quarantined" if code else "released", code, "instance") for code in work.ends.values())
            held = {instance: code for instance, code in work.ends.items() if code}
            quarantine.write(self.vault, study_key, held, tuple(sorted(work.residue)))
            manifest = publication.commit(tally=counts, passed=len(work.drafts))
        return Outcome("done", output=manifest.digest, passed=len(work.drafts), tally=counts)

    def withdraw(self, study_key: str) -> None:
        """Take the study out of the lake, and its list out of the quarantine."""
        self.lake.withdraw(self.label(), study_key)
        quarantine.write(self.vault, study_key, {})

    def _write_audit(self, publication: Publication, work: _Study, audit: Audit) -> None:
        shared = {
            "StudyInstanceUID": work.study_key, "PatientID": work.patient_key, "profile": work.profile.name, "edition": work.profile.edition,
        }  # fmt: skip
        publication.write_table(CONTRACT, [
            {**shared, "tag": f"({tag >> 16:04X},{tag & 0xFFFF:04X})", "keyword": keyword(tag), "rule": rule, "action": action, "n": n}
            for (tag, rule, action), n in sorted(audit.items())
        ])  # fmt: skip


@contextmanager
def _lenient() -> Iterator[None]:
    """Read what other systems wrote without complaint: what matters is checked here, and pydicom's warnings hold values."""
    with warnings.catch_warnings(), pydicom_config.disable_value_validation():
        warnings.simplefilter("ignore")
        yield


@dataclass(frozen=True)
class _Draft:
    """An instance that may be released once the whole study is proven."""

    file: Path
    lake_path: str
    series: str
    header: bytes = field(repr=False)
    comments: bytes = field(repr=False)
    audit: Audit


@dataclass
class _Study:
    """What is known of a study while its instances are read. `ends`: instance → reason code, empty while it may be released."""

    profile: Profile
    pseudonyms: Pseudonyms
    study_key: str
    errors: ErrorLog
    ends: dict[str, str] = field(default_factory=dict)
    drafts: dict[str, _Draft] = field(default_factory=dict)
    residue: set[str] = field(default_factory=set)
    patients: set[str] = field(default_factory=set)
    paths: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.identifiers = Identifiers(self.profile)
        self.evidence = Evidence(self.profile)
        self.faces = FaceCheck(self.profile)
        self.rewriter = Rewriter(self.profile, self.pseudonyms)

    @property
    def patient_key(self) -> str:
        """The lake's PatientID of the study's one patient."""
        return next(iter(self.patients)) if len(self.patients) == 1 else ""

    def take(self, path: Path, held: Path) -> None:
        """Read one instance, and draft its release into `held`, or note why it is not released."""
        instance = f"{path.parent.name}/{path.stem}"
        try:
            self.ends[instance] = self._take(instance, path, held)
        except SafelightError as refused:
            self.ends[instance] = refused.code
        except (MemoryError, OSError):  # the machine's fault, not the file's: the study is tried again
            raise
        except Exception as error:  # noqa: BLE001 - one odd file must not hold back a study; the detail stays in the vault
            self.errors.record(f"deidentify {self.study_key} {instance}", error)
            self.ends[instance] = "E-DEID-FAILED"

    def _take(self, instance: str, path: Path, held: Path) -> str:
        dataset = instances.read(path)
        self.identifiers.collect(dataset)
        uids = [str(dataset.get(name) or "") for name in _UIDS]
        if not all(uids) or any(self.profile.is_well_known(uid) for uid in uids[:3]):  # a registered UID is nobody's own
            return "E-DEID-NO-UID"
        if self.pseudonyms.study(str(dataset.StudyInstanceUID)) != self.study_key:
            return "E-DEID-WRONG-STUDY"
        patient_key = self._patient(dataset)
        code = self.evidence.refusal(dataset) or ("" if patient_key else "E-DEID-NO-PATIENT-ID")
        if code:
            return code
        self.faces.see(path.parent.name, dataset)
        comments = compressed_comments(dataset)
        audit = self.rewriter.rewrite(dataset, patient_key)
        lake_path = f"dicom/{patient_key}/{self.study_key}/{dataset.SeriesInstanceUID}/{dataset.SOPInstanceUID}.dcm"
        if lake_path in self.paths:
            return "E-DEID-CONFLICT"
        self.paths.add(lake_path)
        header, pixels = encode(dataset)
        with held.open("wb") as stream:
            stream.write(header)
            stream.write(pixels)
        self.drafts[instance] = _Draft(held, lake_path, path.parent.name, header, comments, audit)
        return ""

    def _patient(self, dataset: FileDataset) -> str:
        """The patient's key, noted among the study's patients; empty where the instance names no patient."""
        patient_id = str(dataset.get("PatientID") or "").strip()
        if not patient_id:
            return ""
        key = self.pseudonyms.patient(str(dataset.get("IssuerOfPatientID") or ""), patient_id)
        self.patients.add(key)
        return key

    def prove(self) -> None:
        """Hold back what only the whole study can tell: several patients, faces, and identifiers that are left."""
        for instance, draft in list(self.drafts.items()):
            if len(self.patients) > 1:
                self._hold(instance, "E-DEID-MIXED-PATIENTS")
            elif self.faces.refuses(draft.series):
                self._hold(instance, "E-DEID-FACE-UNPROVEN")
        search = Residue(self.identifiers)
        for draft in self.drafts.values():
            self.residue |= search.find(draft.header, draft.comments)
        if self.residue:
            for instance in list(self.drafts):
                self._hold(instance, "E-DEID-RESIDUE")

    def _hold(self, instance: str, code: str) -> None:
        self.ends[instance] = code
        del self.drafts[instance]
