"""A small hospital for tests: made-up studies on disk, a node that serves them, and a site that pulls from it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from tasks.executor import OnWait, Summary
from tasks.guard import ErrorLog
from tasks.ledger import Ledger
from tasks.pacs.asking.find import FoundStudy, find, register
from tasks.pacs.batch import pull_batch
from tasks.pacs.embedded.node import PacsNode
from tasks.pacs.settings import CohortSettings, PacsSettings, ReceiverSettings
from tasks.pseudonyms import Pseudonyms
from tasks.settings import Settings
from tasks.vault import Vault
from tests.ports import free_port

#: Values that must never be seen outside the vault's files.
NAME, MRN, ROOT = "Testperson^Ottilie", "MRN-774411", "1.2.826.0.1.3680043.9.7133"


def instance(study: int = 1, series: int = 1, number: int = 1, **changes: Any) -> Dataset:
    """A tiny CT-like instance; `changes` are DICOM keywords."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.SpecificCharacterSet = "ISO_IR 100"
    made.SOPClassUID = CTImageStorage
    made.StudyInstanceUID = f"{ROOT}.{study}"
    made.SeriesInstanceUID = f"{ROOT}.{study}.{series}"
    made.SOPInstanceUID = f"{ROOT}.{study}.{series}.{number}"
    made.StudyDate = "20240315"
    made.Modality = "CT"
    made.PatientName, made.PatientID, made.AccessionNumber = NAME, MRN, f"ACC{study}"
    made.InstanceNumber = number
    made.Rows = made.Columns = 4
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 12, 11, 0
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.PixelData = bytes(range(32))
    for keyword, value in changes.items():
        setattr(made, keyword, value)
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
    made.file_meta.MediaStorageSOPInstanceUID = made.get("SOPInstanceUID", "1.2.3")
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return made


def save(made: Dataset, folder: Path, name: str) -> Path:
    """Write a file as the hospital has it."""
    folder.mkdir(parents=True, exist_ok=True)
    made.save_as(folder / name, enforce_file_format=True)
    return folder / name


def fill(folder: Path, study: int = 1, series: int = 2, per_series: int = 3, **changes: Any) -> None:
    """A study of `series` × `per_series` instances."""
    for s in range(1, series + 1):
        for n in range(1, per_series + 1):
            save(instance(study, s, n, **changes), folder, f"{study}-{s}-{n}.dcm")


@dataclass
class Site:
    """A vault with its ledger, and a receiver port of its own."""

    root: Path
    receiver_port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        self.vault = Vault.open(self.root / "vault")
        self.ledger = Ledger(self.vault.ledger_url)
        self.errors = ErrorLog(self.vault.errors)
        self.keys = Pseudonyms(self.vault.site_key())

    def pacs(self, port: int, **changes: Any) -> PacsSettings:
        """Settings for a PACS on loopback."""
        plain = {
            "host": "127.0.0.1", "port": port, "ae_title": "HOSPITAL",
            "acse_timeout_s": 5, "dimse_timeout_s": 5, "network_timeout_s": 5,
            "manners": {"associations": 1, "backoff_s": 0.01, "retries": 2, "settle_s": 0.05, "breaker_s": 0.1, "give_up_s": 0.3},
        }  # fmt: skip
        return PacsSettings(**{**plain, **changes})

    def receiver(self, **changes: Any) -> ReceiverSettings:
        """Settings of our receiver."""
        return ReceiverSettings(**{"port": self.receiver_port, **changes})

    def settings(self, *pacs: PacsSettings, **receiver: Any) -> Settings:
        """A configuration around them."""
        return Settings(
            site="test", vault=self.vault.root, lake=str(self.root / "lake"), pacs=pacs, receivers=self.receiver(**receiver)
        )

    def destination(self) -> dict[str, tuple[str, int]]:
        """What the PACS's administrator enters for us."""
        return {"SAFELIGHT": ("127.0.0.1", self.receiver_port)}

    def find(self, port: int, cohort: CohortSettings | None = None) -> list[FoundStudy]:
        """Plan and register."""
        found = find(self.pacs(port), cohort or CohortSettings())
        register(self.ledger, self.vault, found)
        return found

    def find_in(self, pacs: PacsSettings) -> list[FoundStudy]:
        """Plan and register what one PACS has."""
        found = find(pacs, CohortSettings())
        register(self.ledger, self.vault, found)
        return found

    def pull_from(self, *pacs: PacsSettings, on_wait: OnWait | None = None, **receiver: Any) -> Summary:
        """Pull all that is due from these PACSs."""
        with self.ledger.run("pull") as run:
            return pull_batch(
                self.settings(*pacs, **receiver), self.vault, self.ledger, run, list(self.ledger.studies()), self.errors,
                on_wait=on_wait,
            )  # fmt: skip

    def pull(self, port: int, receiver: dict[str, Any] | None = None, **changes: Any) -> Summary:
        """Pull all that is due; `changes` are of the PACS's settings."""
        return self.pull_from(self.pacs(port, **changes), **(receiver or {}))

    def spooled(self) -> list[Path]:
        """Every file of the spool's studies."""
        return sorted(path for key in self.published() for path in (self.vault.spool / key).rglob("*") if path.is_file())

    def published(self) -> list[str]:
        """The keys of the spool's studies: what gathers beside them is none."""
        return sorted(path.name for path in self.vault.spool.iterdir() if "." not in path.name.removeprefix("2.25."))

    def key(self, study: int = 1) -> str:
        """A study's key."""
        return self.keys.study(f"{ROOT}.{study}")


@contextmanager
def serving(folder: Path, site: Site, kind: type[PacsNode] = PacsNode) -> Iterator[PacsNode]:
    """A node over `folder` that may send to the site."""
    with kind(folder, "HOSPITAL", destinations=site.destination()) as node:
        yield node


def counts(summary: Summary) -> dict[tuple[str, str], int]:
    """Instances by outcome and reason."""
    return {(count.outcome, count.reason_code): count.n for count in summary.counts() if count.unit == "instance"}


def same_elements(one: Path, other: Path) -> bool:
    """Whether two files hold the same data set, element by element, as pydicom reads them."""
    return bool(dcmread(one) == dcmread(other))
