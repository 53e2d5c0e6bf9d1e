"""The synthetic hospital's studies as each stage finds them: files of an archive, a vault's spool, a lake's DICOM, a lake's volumes.

The headers are the demo's, with identifiers in every usual place (210 elements). A slice has 128 × 128 pixels (39 kB a file), or, where
it is enlarged, 512 × 512 as a scanner makes them (532 kB): the same header on pixels that are repeated.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

import numpy as np
from pydicom import dcmread

from tasks.deid.stage import DeidentifyStage
from tasks.lake import Lake
from tasks.pseudonyms import Pseudonyms
from tasks.synthetic.cohort import make_cohort
from tasks.vault import Vault, private_folder
from tasks.volumes.stage import VolumesStage

#: How often each pixel is repeated along a row and along a column, by what the size is called.
SIZES = {"128 × 128": 1, "512 × 512": 4}


def archive(folder: Path, patients: int, times: int = 1, slices: int | None = None) -> list[Path]:
    """The files of a hospital's archive, written below `folder/dicom`: so many slices of each study at the most."""
    make_cohort(folder, patients=patients)
    for study in (folder / "dicom").glob("*/*"):
        for file in sorted(study.glob("*.dcm"))[slices or sys.maxsize :]:
            file.unlink()
    files = sorted((folder / "dicom").rglob("*.dcm"))
    if times > 1:
        for file in files:
            _enlarge(file, times)
    return files


def add_arguments(parser: argparse.ArgumentParser, patients: int) -> None:
    """What can be said of the archive on a benchmark's command line."""
    parser.add_argument("--patients", type=int, default=patients, help="of the synthetic cohort (default: %(default)s)")
    parser.add_argument("--slices", type=int, help="of each study, at the most (default: all)")


def spooled(vault: Vault, files: list[Path]) -> list[str]:
    """Put files into the spool as `pull` leaves them; return the keys of their studies."""
    keys = Pseudonyms(vault.site_key())
    studies = set()
    for file in files:
        header = dcmread(file, specific_tags=["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"], stop_before_pixels=True)
        study = keys.study(header.StudyInstanceUID)
        folder = private_folder(vault.spool / study / keys.uid(header.SeriesInstanceUID))
        shutil.copyfile(file, folder / f"{keys.uid(header.SOPInstanceUID)}.dcm")
        studies.add(study)
    return sorted(studies)


def converted(folder: Path, patients: int, slices: int | None = None) -> tuple[Lake, list[str]]:
    """A lake with the volumes of a small cohort, and the keys of its studies; `slices` as in `archive`."""
    vault, lake = Vault.open(folder / "vault"), Lake.open(folder / "lake")
    keys = spooled(vault, archive(folder / "hospital", patients, slices=slices))
    for stage in (DeidentifyStage(vault, lake, "safe_harbor"), VolumesStage(lake)):
        for key in keys:
            stage.run(key, "", "benchmark")
    return lake, keys


def _enlarge(file: Path, times: int) -> None:
    dataset = dcmread(file)
    pixels = np.frombuffer(dataset.PixelData, "<u2").reshape(dataset.Rows, dataset.Columns)
    dataset.PixelData = np.kron(pixels, np.ones((times, times), "<u2")).astype("<u2").tobytes()
    dataset.Rows, dataset.Columns = dataset.Rows * times, dataset.Columns * times
    dataset.PixelSpacing = [spacing / times for spacing in dataset.PixelSpacing]
    dataset.save_as(file)
