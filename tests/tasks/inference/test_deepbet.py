"""A published model on a published head: deepbet outlines the brain of the ICBM 152 average of 152 people's T1 scans (from nilearn)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import nilearn.datasets
import numpy as np
import pytest

from data_contracts import predictions, segments
from tasks.inference.stage import InferStage
from tasks.lake import Lake
from tests.tasks.inference.made import publish, volume

_DATA = Path(nilearn.datasets.__file__).parent / "data"


def template(kind: str) -> Any:
    return nibabel.load(_DATA / f"mni_icbm152_{kind}_tal_nlin_sym_09a_converted.nii.gz")


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, Any]:
    """The head, stored as a scanner would, sagittal with its axes turned; and what was said of it."""
    lake = Lake.open(tmp_path_factory.mktemp("lake"))
    image = template("t1")
    wanted = nibabel.orientations.axcodes2ornt(("P", "I", "R"))
    turned = image.as_reoriented(nibabel.orientations.ornt_transform(nibabel.io_orientation(image.affine), wanted))
    mr = {"Modality": "MR", "BodyPartExamined": "HEAD", "EchoTime": 2.98, "column_spacing_mm": 1.0, "row_spacing_mm": 1.0}
    head = volume(
        1, voxels=np.asarray(turned.dataobj).astype(np.int16), affine=np.asarray(turned.affine), Manufacturer="ACME", **mr
    )
    key = publish(lake, 1, head, volume(2, **mr | {"EchoTime": 90.0}))
    assert InferStage(lake, "deepbet").run(key, "input", "f").passed == 1
    return lake, turned


def test_the_brain_is_outlined_and_the_t2_is_not_read(read: tuple[Lake, Any]) -> None:
    lake, turned = read
    rows = {row["SeriesInstanceUID"]: row for row in lake.table(predictions.CONTRACT).to_pylist()}
    assert (rows["2.25.1"]["status"], rows["2.25.1"]["model_version"]) == ("read", "1.0.2")
    assert rows["2.25.2"]["reason_code"] == "E-INFER-ECHO-TIME"
    (row,) = lake.table(segments.CONTRACT).to_pylist()
    made = nibabel.load(Path(lake.url) / row["path"])
    np.testing.assert_allclose(made.affine, turned.affine, atol=1e-5)
    back = made.as_reoriented(nibabel.io_orientation(made.affine))
    brain = np.asarray(back.dataobj) > 0
    matter = (np.asarray(template("gm").dataobj).astype(float) + np.asarray(template("wm").dataobj)) / 255 > 0.5
    head = np.asarray(template("t1").dataobj) > 0  # the template without skull: brain and the liquor around it
    assert (brain & matter).sum() / matter.sum() > 0.999
    assert 2 * (brain & head).sum() / (brain.sum() + head.sum()) > 0.95
    assert row["volume_ml"] == pytest.approx(brain.sum() / 1000)
    assert 1700 < row["volume_ml"] < 2100


@pytest.mark.filterwarnings("ignore:`torch.jit.load`")
def test_it_says_what_the_package_itself_says(read: tuple[Lake, Any]) -> None:
    """The oracle is deepbet's own function on the same file, from orientation to mask."""
    from deepbet.bet import BrainExtraction

    lake, turned = read
    (row,) = lake.table(segments.CONTRACT).to_pylist()
    _, mask, millilitres = BrainExtraction(no_gpu=True).run(turned)
    np.testing.assert_array_equal(np.asarray(nibabel.load(Path(lake.url) / row["path"]).dataobj), np.asarray(mask.dataobj))
    assert row["volume_ml"] == pytest.approx(float(millilitres), rel=1e-6)
