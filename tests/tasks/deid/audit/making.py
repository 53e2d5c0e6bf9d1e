"""What the audit's tests share: a slice large enough for text, and stages that release everything or nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.dataset import FileDataset

from tasks.deid.stage import DeidentifyStage
from tasks.errors import SafelightError
from tasks.lake import Lake
from tasks.stage import Count, Outcome
from tasks.vault import Vault
from tests.tasks.deid.making import ct, encoded, spool

ROWS, COLUMNS = 120, 160


def noisy(number: int = 1, **attributes: object) -> FileDataset:
    """A CT slice of noise around 1000, 12 bits stored."""
    made = ct(number)
    made.Rows, made.Columns = ROWS, COLUMNS
    made.PixelData = np.random.default_rng(number).integers(900, 1100, (ROWS, COLUMNS), dtype=np.uint16).tobytes()
    made.add_new(0x00290010, "LO", "VENDOR")
    made.add_new(0x00291001, "LO", "gantry 7")
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


def filled(vault: Vault, *slices: FileDataset) -> dict[Path, bytes]:
    """Put slices into the spool, each as a study and series of its own; returns every file of the spool."""
    for place, each in enumerate(slices):
        each.StudyInstanceUID = f"1.3.6.1.4.1.99999.77.5000.{place}"
        each.SeriesInstanceUID = f"1.3.6.1.4.1.99999.77.6000.{place}"
        spool(vault, [encoded(each)], study=each.StudyInstanceUID)
    return {path: path.read_bytes() for path in vault.spool.rglob("*.dcm")}


class Careless(DeidentifyStage):
    """Releases every file as it came."""

    def run(self, study_key: str, inputs: str, fingerprint: str) -> Outcome:
        paths = sorted((self.vault.spool / study_key).glob("*/*.dcm"))
        with self.lake.publication(self.label(), study_key, fingerprint) as publication:
            for path in paths:
                publication.write(f"dicom/SL-AAAAAAAAAAAA/{study_key}/{path.parent.name}/{path.name}", path.read_bytes())
            publication.commit(tally=(Count("released", "", "instance", len(paths)),), passed=len(paths))
        return Outcome("done", passed=len(paths))


class Wary(DeidentifyStage):
    """Releases nothing."""

    def run(self, study_key: str, inputs: str, fingerprint: str) -> Outcome:
        raise SafelightError("E-DEID-SOP-CLASS")


def stage(kind: type[DeidentifyStage], vault: Vault, lake: Lake, profile: str = "safe_harbor") -> DeidentifyStage:
    return kind(vault, lake, profile)
