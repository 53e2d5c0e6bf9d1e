"""Folder mode: DICOM files below a folder become studies in the ledger and links in the vault's spool, as if they had been pulled.

Every file is accounted for: linked, the same instance twice, another content under the same UID, without UIDs, or no DICOM at all.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydicom import config as pydicom_config
from pydicom import dcmread
from pydicom.filereader import read_file_meta_info

from tasks.dicom import instances
from tasks.dicom.elements import DEFLATED
from tasks.dicom.instances import is_dicom
from tasks.errors import ConfigurationError
from tasks.ledger import Ledger, Study
from tasks.processes import ProcessId
from tasks.pseudonyms import Pseudonyms
from tasks.stage import Outcome, digest, tally
from tasks.vault import Vault, private_folder

SOURCE = "folder"
_NAMES = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "PatientID", "IssuerOfPatientID", "AccessionNumber")


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    sha256: str
    header: dict[str, str] = field(repr=False)

    @property
    def has_uids(self) -> bool:
        return all(self.header.get(name) for name in _NAMES[:3])


@dataclass
class Intake:
    """What a scan found.

    Attributes:
        keys: the studies, by key.
        files: how many files met which end: `linked`, `duplicate`, `conflict`, `rejected` (with a reason code), `pulled` (left alone,
            because the study came from a PACS).
    """

    keys: list[str] = field(default_factory=list)
    files: Counter[tuple[str, str]] = field(default_factory=Counter)

    def line(self) -> str:
        """The counts in words."""
        said = ", ".join(f"{n} {end}" + (f" ({code})" if code else "") for (end, code), n in sorted(self.files.items()))
        return f"files: {sum(self.files.values())} found: {said or 'none'}"


def take_in(source: Path, *, vault: Vault, ledger: Ledger, run: str, leave_out: tuple[Path, ...] = ()) -> Intake:
    """Link the DICOM files below `source` into the spool and finish stage `pull` for their studies.

    A study that an earlier scan has seen gains the new files; links to files that are gone are dropped.

    Args:
        source: a folder, read at any depth; symbolic links to folders are not followed.
        run: the ledger's run in whose name studies are claimed.
        leave_out: folders that are not scanned (the lake, the vault).

    Raises:
        ConfigurationError: E-DEID-SOURCE where there is no such folder, or it lies in one that is left out.
    """
    if not source.is_dir():
        raise ConfigurationError("E-DEID-SOURCE")
    closed = {folder.resolve() for folder in leave_out}
    if closed & {source.resolve(), *source.resolve().parents}:
        raise ConfigurationError("E-DEID-SOURCE", "it lies inside the lake or the vault")
    pseudonyms = Pseudonyms(vault.site_key())
    filing = _Filing(pseudonyms, vault, ledger, run)
    intake = filing.intake
    studies: dict[str, list[_File]] = defaultdict(list)
    for path in _walk(source, closed):
        found = _read(path)
        if isinstance(found, str):
            intake.files["rejected", found] += 1
        else:
            studies[_key(found, pseudonyms)].append(found)
    known = ledger.studies(list(studies))
    for key in sorted(studies):
        if key in known and known[key].source != SOURCE:
            intake.files["pulled", ""] += len(studies[key])
            continue
        filing.study(key, studies[key])
    return intake


def _walk(source: Path, closed: set[Path]) -> Iterator[Path]:
    """Every file, and every link and folder that leads nowhere or may not be read: they are counted too."""
    unreadable: list[OSError] = []
    for folder, folders, names in os.walk(source, onerror=unreadable.append):
        folders[:] = sorted(name for name in folders if (Path(folder) / name).resolve() not in closed)
        for name in sorted(names):
            path = Path(folder) / name
            if path.is_file() or not path.exists():
                yield path.absolute()
    yield from (Path(error.filename).absolute() for error in unreadable)


def _read(path: Path) -> _File | str:
    """A file's identity, or the code under which it is rejected."""
    sha = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            head = stream.read(132)
            if not is_dicom(head):
                return "E-DEID-NOT-DICOM"
            sha.update(head)
            while block := stream.read(1 << 20):
                sha.update(block)
    except OSError:
        return "E-DEID-UNREADABLE"
    header: dict[str, str] = {}
    with warnings.catch_warnings(), pydicom_config.disable_value_validation():
        warnings.simplefilter("ignore")
        try:
            if _is_deflated(path):
                instances.read(path)  # refuses what inflates further than it may
            dataset = dcmread(path, stop_before_pixels=True, specific_tags=list(_NAMES))
            header = {name: str(dataset.get(name) or "").strip(" \0") for name in _NAMES}
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - whatever a parser makes of damaged input; the stage quarantines it with a reason
            header = {}
    return _File(path, sha.hexdigest(), header)


def _is_deflated(path: Path) -> bool:
    return str(read_file_meta_info(path).get("TransferSyntaxUID")) == DEFLATED


@dataclass
class _Filing:
    """Links studies into the spool and finishes their `pull`."""

    pseudonyms: Pseudonyms
    vault: Vault
    ledger: Ledger
    run: str
    intake: Intake = field(default_factory=Intake)

    def study(self, key: str, files: list[_File]) -> None:
        """File one study. Of several files of one instance the first one, by the order of their paths, is used."""
        folder = self.vault.spool / key
        now = {each.path: each for each in files}
        earlier = (each for each in _linked_before(folder, now) if _key(each, self.pseudonyms) == key)
        by_path = {each.path: each for each in [*earlier, *files]}
        chosen: dict[tuple[str, str], _File] = {}
        ends: dict[Path, tuple[str, str]] = {}
        for path, each in by_path.items():
            first = chosen.setdefault(_place(each, self.pseudonyms), each)
            if path != first.path:
                ends[path] = ("duplicate", "") if each.sha256 == first.sha256 else ("conflict", "E-DEID-CONFLICT")
        self.intake.keys.append(key)
        self.intake.files.update(ends.get(each.path, ("linked", "")) for each in files)
        found = digest(sorted([*place, each.sha256] for place, each in chosen.items()))
        self.ledger.register([_study(key, chosen, self.pseudonyms, found)])
        _link(folder, {place: each.path for place, each in chosen.items()})
        told = sorted(ends.values())
        if self.ledger.claim("pull", key, digest({"source": SOURCE, "found": found, "ends": told}), self.run, inputs=found):
            counts = tally([("pulled", "", "instance")] * len(chosen) + [(end, code, "instance") for end, code in told])
            self.ledger.finish("pull", key, self.run, Outcome("done", output=found, passed=len(chosen), tally=counts))


def _key(each: _File, pseudonyms: Pseudonyms) -> str:
    """The key of the study that a file belongs to; a file without UIDs is a study of its own."""
    return pseudonyms.study(each.header["StudyInstanceUID"]) if each.has_uids else pseudonyms.file(each.sha256)


def _place(each: _File, pseudonyms: Pseudonyms) -> tuple[str, str]:
    """Series key and instance key."""
    if not each.has_uids:
        return pseudonyms.file(each.sha256), pseudonyms.file(each.sha256)
    return pseudonyms.uid(each.header["SeriesInstanceUID"]), pseudonyms.uid(each.header["SOPInstanceUID"])


def _linked_before(folder: Path, now: dict[Path, _File]) -> list[_File]:
    """The files that an earlier scan linked and that are still there, as they are now; those of this scan are not read again."""
    targets = [link.readlink() for link in sorted(folder.glob("*/*.dcm")) if link.is_symlink() and link.exists()]
    return [found for target in targets if isinstance(found := now.get(target) or _read(target), _File)]


def _study(key: str, chosen: dict[tuple[str, str], _File], pseudonyms: Pseudonyms, found: str) -> Study:
    first = chosen[min(chosen)]
    # What has no UIDs is never released; the numbers of its study stay that study's alone, or tables could not be mapped by them.
    header = first.header if first.has_uids else {}
    patient, issuer = header.get("PatientID", ""), header.get("IssuerOfPatientID", "")
    owner = pseudonyms.patient(issuer, patient) if patient else pseudonyms.patient("no PatientID", key)
    accession = next((number for _, each in sorted(chosen.items()) if (number := each.header.get("AccessionNumber", ""))), "")
    expected = Counter(each.header.get("SeriesInstanceUID", "") for each in chosen.values())
    return Study(
        study_key=key, patient_key=owner, source=SOURCE, study_instance_uid=header.get("StudyInstanceUID", ""), patient_id=patient,
        issuer=issuer, accession_number=accession if header else "", expected=dict(expected), found_digest=found,
    )  # fmt: skip


def _link(folder: Path, targets: dict[tuple[str, str], Path]) -> None:
    """Replace a study's folder in the spool by one with these links, by one rename."""
    mark = f"{ProcessId.current()}-{secrets.token_hex(4)}"
    fresh = private_folder(folder.with_name(f"{folder.name}.incoming-{mark}"))
    for (series, instance), target in sorted(targets.items()):
        private_folder(fresh / series)
        (fresh / series / f"{instance}.dcm").symlink_to(target)
    old = folder.with_name(f"{folder.name}.outgoing-{mark}")
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
