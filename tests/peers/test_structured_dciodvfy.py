"""Reports and presentation states that were cleaned have no error that their originals had not, by dciodvfy, and dsrdump reads them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import FileDataset

from tasks.deid.structured.content import clean_content
from tests.peers.programs import find
from tests.tasks.deid.structured.making import PLANTED, Answers, code, encoded, item, number, reference, report

pytestmark = [pytest.mark.peer("dciodvfy"), pytest.mark.filterwarnings("ignore::UserWarning:pydicom")]

OPTIONS = [
    frozenset[str](),
    frozenset({"clean_descriptors", "retain_longitudinal_modified_dates", "retain_patient_characteristics"}),
]


def errors(dataset: FileDataset, path: Path) -> set[str]:
    """dciodvfy's errors without values and item numbers."""
    path.write_bytes(encoded(dataset))
    done = subprocess.run(["dciodvfy", "-new", str(path)], capture_output=True, check=False)
    lines = (done.stdout + done.stderr).decode("utf-8", "replace").splitlines()
    assert any("SR" in line or "Report" in line for line in lines), "examined as a report"
    found = (line for line in lines if line.startswith("Error"))
    return {re.sub(r"\[\d+\]", "[]", re.sub(r"= <.*>", "", line)) for line in found}


def reads(path: Path) -> bool:
    """Whether DCMTK's dsrdump understands the whole tree, references and relationships included."""
    program = find("dsrdump")
    if program is None:
        pytest.skip("dsrdump is not installed: apt-get install dcmtk")
    done = subprocess.run([str(program), str(path)], capture_output=True, check=False)
    return done.returncode == 0 and b"E:" not in done.stderr


def made() -> FileDataset:
    """A report with every value type, observers, coordinates and references between items."""
    observer = item("PNAME", code("121008", meaning="Person Observer Name"), relationship="HAS OBS CONTEXT", **PLANTED["PNAME"])
    subject = item("PNAME", code("121029", meaning="Subject Name"), relationship="HAS OBS CONTEXT", **PLANTED["PNAME"])
    age = item(
        "NUM", code("121033", meaning="Subject Age"), relationship="HAS OBS CONTEXT", MeasuredValueSequence=number("93", "a")
    )
    image = item("IMAGE", None, relationship="SELECTED FROM", ReferencedSOPSequence=[reference("1.2.3.4.5.6")])
    region = item("SCOORD", None, image, relationship="INFERRED FROM", GraphicType="POINT", GraphicData=[1.0, 2.0])
    length = item("NUM", code("410668003", "SCT", "Length"), region, MeasuredValueSequence=number("12.5"))
    every = [
        item(kind, code("121071" if kind == "TEXT" else "121106"), **PLANTED[kind])
        for kind in ("TEXT", "DATE", "TIME", "DATETIME", "UIDREF")
    ]
    secret = item("TEXT", code("121022", meaning="Accession Number"), TextValue="4711")
    finding = item("CODE", code("121071", meaning="Finding"), ConceptCodeSequence=[code("27925004", "SCT", "Nodule")])
    findings = item(
        "CONTAINER", code("121070", meaning="Findings"), secret, length, finding, *every, ContinuityOfContent="SEPARATE"
    )
    return report(observer, subject, age, secret, findings)


def real(name: str) -> FileDataset:
    path = get_testdata_file(name)
    assert isinstance(path, str)
    return dcmread(path)


@pytest.mark.parametrize("options", OPTIONS, ids=["basic", "options"])
@pytest.mark.parametrize("name", ["made", "test-SR.dcm", "reportsi.dcm"])
def test_a_cleaned_report_has_no_error_that_its_original_had_not(name: str, options: frozenset[str], tmp_path: Path) -> None:
    dataset = made() if name == "made" else real(name)
    before = errors(dataset, tmp_path / "before.dcm")
    was_read = reads(tmp_path / "before.dcm")
    assert was_read or name == "reportsi.dcm", "dsrdump does not take that one to begin with"
    assert clean_content(dataset, options=options, transforms=Answers())
    after = errors(dataset, tmp_path / "after.dcm")
    assert after - before == set()
    assert reads(tmp_path / "after.dcm") == was_read
    if name == "made":
        content = (tmp_path / "after.dcm").read_bytes()
        assert not any(original in content for original in (b"Zwiebelturm", b"19640229", b"1.2.3.4.5.6", b"4711"))


def test_a_tree_that_is_broken_on_purpose_is_found(tmp_path: Path) -> None:
    dataset = made()
    before = errors(dataset, tmp_path / "before.dcm")
    del dataset.ContentSequence[0].ValueType
    assert errors(dataset, tmp_path / "broken.dcm") - before or not reads(tmp_path / "broken.dcm")
