"""dciodvfy (dicom3tools) finds no error in the synthetic headers against the CT Image IOD."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pydicom
import pytest

from tasks.synthetic.cohort import Cohort, make_cohort

pytestmark = pytest.mark.peer("dciodvfy")


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return make_cohort(Path(tmp_path_factory.mktemp("synthetic")), patients=8)


def errors(path: Path) -> list[str]:
    done = subprocess.run(["dciodvfy", str(path)], capture_output=True, check=False)
    lines = (done.stdout + done.stderr).decode("utf-8", "replace").splitlines()
    assert "CTImage" in lines, lines
    return [line for line in lines if not line.startswith("Warning") and " - Warning - " not in line and line != "CTImage"]


def test_no_header_has_an_error(cohort: Cohort) -> None:
    for study in cohort.studies:
        folder = cohort.folder / study.folder
        for name in ("i0001.dcm", f"i{study.instances:04d}.dcm"):
            assert errors(folder / name) == [], study.folder


def test_a_missing_attribute_would_be_found(cohort: Cohort, tmp_path: Path) -> None:
    dataset = pydicom.dcmread(cohort.folder / cohort.studies[0].folder / "i0001.dcm")
    del dataset.RescaleIntercept
    dataset.save_as(tmp_path / "broken.dcm")
    assert any("RescaleIntercept" in line or "Rescale Intercept" in line for line in errors(tmp_path / "broken.dcm"))
