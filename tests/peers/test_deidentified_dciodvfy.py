"""dciodvfy (dicom3tools) finds no error in a de-identified object that it does not find in the original: synthetic scanners and real ones."""

from __future__ import annotations

import gzip
import re
import subprocess
from functools import cache
from importlib.resources import files
from pathlib import Path

import pydicom
import pytest
from pydicom import dcmread

from tasks.deid.folder import take_in
from tasks.deid.rules import load
from tasks.deid.stage import DeidentifyStage
from tasks.dicom import instances
from tasks.errors import SafelightError
from tasks.executor import run_by_ledger
from tasks.guard import ErrorLog
from tasks.lake import Lake
from tasks.ledger import Ledger
from tasks.pools import InlinePool
from tasks.pseudonyms import Pseudonyms
from tasks.synthetic.cohort import make_cohort
from tasks.vault import Vault
from tests.tasks.deid import making

pytestmark = [pytest.mark.peer("dciodvfy"), pytest.mark.filterwarnings("ignore::UserWarning:pydicom")]

PYDICOM = Path(pydicom.__file__).parent / "data" / "test_files"
NIBABEL = Path(str(files("nibabel"))) / "nicom" / "tests" / "data"
IODS = {"CTImage", "MRImage", "EnhancedMRImage"}
#: Their SOP classes; all others are in `test_profiles_dciodvfy.py`.
TESTED = {"1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.4.1"}
SCANNERS = {("SYNTHETIC Alpha", "SYNTHETIC A64"), ("SYNTHETIC Beta", "SYNTHETIC B16"), ("SYNTHETIC Beta", "SYNTHETIC B64"),
            ("SYNTHETIC Gamma", "SYNTHETIC G128")}  # fmt: skip
PROFILE = load("safe_harbor")


def examined(path: Path) -> tuple[str, frozenset[str]]:
    """The IOD that dciodvfy examined the file by, and its errors without values and item numbers."""
    done = subprocess.run(["dciodvfy", "-new", str(path)], capture_output=True, check=False)
    lines = (done.stdout + done.stderr).decode("utf-8", "replace").splitlines()
    [iod] = IODS & set(lines)
    found = (line for line in lines if line.startswith("Error"))
    return iod, frozenset(re.sub(r"\[\d+\]", "[]", re.sub(r"= <.*>", "", line)) for line in found)


@cache
def real() -> tuple[Path, ...]:
    """pydicom's real files of the SOP classes that the profile allows; the pixel evidence is another matter."""
    found = []
    for path in sorted(PYDICOM.glob("*.dcm")):
        try:
            instance = instances.read(path)
        except SafelightError:
            continue
        if instance.text(0x00080016) in TESTED:
            found.append(path)
    return tuple(found)


def rewritten(path: Path, out: Path) -> Path:
    """The file with its header de-identified, whatever its pixels show."""
    with pydicom.config.disable_value_validation():
        out.write_bytes(making.rewritten(path.read_bytes()))
    return out


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Path]:
    """Originals (the first and last slice of each synthetic study, and pydicom's real CT and MR) and what the stage released of them."""
    root = tmp_path_factory.mktemp("released")
    cohort = make_cohort(root / "hospital", patients=8)
    source = root / "source"
    source.mkdir()
    for number, study in enumerate(cohort.studies):
        for name in ("i0001.dcm", f"i{study.instances:04d}.dcm"):
            (cohort.folder / study.folder / name).rename(source / f"{number}{name}")
    for path in real():
        (source / path.name).write_bytes(path.read_bytes())
    vault, lake = Vault.open(root / "vault"), Lake.open(root / "lake")
    ledger = Ledger(vault.ledger_url)
    with ledger.run("deidentify") as run:
        keys = take_in(source, vault=vault, ledger=ledger, run=run).keys
        stage = DeidentifyStage(vault, lake, "safe_harbor")
        run_by_ledger(stage, keys, ledger=ledger, run=run, pool=InlinePool(), errors=ErrorLog(vault.errors))
    ledger.close()
    released = {Path(name).stem: root / "lake" / name for name in lake.files("dicom")}
    keys_of = Pseudonyms(vault.site_key())
    originals = {path: keys_of.uid(dcmread(path, stop_before_pixels=True).SOPInstanceUID) for path in sorted(source.iterdir())}
    return {path: released[key] for path, key in originals.items() if key in released}


def test_a_released_object_has_no_error_that_its_original_had_not(pairs: dict[Path, Path]) -> None:
    for original, released in pairs.items():
        before, after = examined(original), examined(released)
        assert before[0] == after[0]
        assert after[1] - before[1] == set(), original.name


def test_every_scanner_and_some_real_files_were_compared(pairs: dict[Path, Path]) -> None:
    headers = [dcmread(original, stop_before_pixels=True) for original in pairs]
    made_by = {(str(header.Manufacturer), str(header.ManufacturerModelName)) for header in headers}
    assert made_by >= SCANNERS
    assert made_by - SCANNERS, "at least one real scanner"
    assert {examined(original)[0] for original in pairs} == {"CTImage", "MRImage"}


def test_a_header_of_a_real_file_has_no_error_that_its_original_had_not(tmp_path: Path) -> None:
    seen = set()
    for path in real():
        before, after = examined(path), examined(rewritten(path, tmp_path / "out.dcm"))
        assert before[0] == after[0]
        assert after[1] - before[1] == set(), path.name
        seen.add(before[0])
    assert seen == {"CTImage", "MRImage"}


@pytest.mark.parametrize("name", ["philips_mprage", "siemens_dwi_0"])
def test_a_real_enhanced_mr_and_a_real_mosaic_do_not_become_worse(name: str, tmp_path: Path) -> None:
    (tmp_path / "in.dcm").write_bytes(gzip.decompress((NIBABEL / f"{name}.dcm.gz").read_bytes()))
    before, after = examined(tmp_path / "in.dcm"), examined(rewritten(tmp_path / "in.dcm", tmp_path / "out.dcm"))
    assert before[0] == after[0] == {"philips_mprage": "EnhancedMRImage", "siemens_dwi_0": "MRImage"}[name]
    assert after[1] - before[1] == set()


def test_a_rule_that_breaks_an_object_would_be_found(pairs: dict[Path, Path], tmp_path: Path) -> None:
    original, released = next(iter(pairs.items()))
    dataset = dcmread(released)
    del dataset.ImageType
    dataset.ReferencedStudySequence = []
    dataset.save_as(tmp_path / "broken.dcm")
    worse = examined(tmp_path / "broken.dcm")[1] - examined(original)[1]
    assert {"ImageType", "ReferencedStudySequence"} == {
        name for name in ("ImageType", "ReferencedStudySequence") if name in str(worse)
    }
