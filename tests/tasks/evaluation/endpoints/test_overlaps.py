"""`safelight overlaps`: pairs of files become the table; ITK finds the same, and what can't be compared says why."""

from __future__ import annotations

import csv

import nibabel
import numpy as np
import pyarrow as pa
import pytest
import SimpleITK
import typer
from typer.testing import CliRunner

from tasks.errors import ConfigurationError
from tasks.evaluation.endpoints.command import overlaps_table
from tasks.evaluation.endpoints.further import Tables
from tasks.evaluation.endpoints.overlaps import overlaps
from tests.tasks.evaluation.cohorts import study
from tests.tasks.evaluation.endpoints.made import evaluated

#: Axes permuted and turned round, steps of 0.7, 0.8 and 2.5 mm.
AFFINE = np.array([[0.0, -0.8, 0.0, 10.0], [-0.7, 0.0, 0.0, -5.0], [0.0, 0.0, 2.5, 3.0], [0.0, 0.0, 0.0, 1.0]])


def balls(middle, other=6.0):
    """1 in a ball, 2 in another, in voxels of `AFFINE`."""
    grid = np.stack(np.meshgrid(np.arange(40) * 0.7, np.arange(36) * 0.8, np.arange(14) * 2.5, indexing="ij"), axis=-1)
    made = np.zeros(grid.shape[:3], np.uint8)
    made[np.linalg.norm(grid - [8, 8, 16], axis=-1) <= other] = 2
    made[np.linalg.norm(grid - np.array(middle), axis=-1) <= 7.0] = 1
    return made


def save(path, voxels, affine=AFFINE):
    nibabel.save(nibabel.Nifti1Image(voxels, affine), path)


@pytest.fixture
def folders(tmp_path):
    for name in ("masks", "references"):
        (tmp_path / name).mkdir()
    masks, references = tmp_path / "masks", tmp_path / "references"
    save(masks / f"{study(0)}.nii.gz", balls([18, 18, 18]))
    save(references / f"{study(0)}.nii.gz", balls([16, 18, 18], 5.0))
    save(masks / f"{study(1)}.nii", np.zeros((40, 36, 14), np.uint8))
    save(references / f"{study(1)}.nii.gz", balls([16, 18, 18]))
    return masks, references


def test_files_are_compared_as_itk_compares_them(folders):
    rows = overlaps(*folders, {"ball": 1, "other": 2}).to_pylist()
    images = [SimpleITK.ReadImage(str(folder / f"{study(0)}.nii.gz")) == 1 for folder in folders]
    measures = SimpleITK.LabelOverlapMeasuresImageFilter()
    measures.Execute(*images)
    distances = SimpleITK.HausdorffDistanceImageFilter()
    distances.Execute(*images)
    first = rows[0]
    assert (first["StudyInstanceUID"], first["structure"], first["tolerance"]) == (study(0), "ball", 1.0)
    assert first["dice"] == pytest.approx(measures.GetDiceCoefficient(), rel=1e-12)
    assert first["hausdorff"] == pytest.approx(distances.GetHausdorffDistance(), rel=1e-6)
    assert first["volume"] == pytest.approx(float(SimpleITK.GetArrayFromImage(images[0]).sum()) * 0.7 * 0.8 * 2.5, rel=1e-6)


def test_an_empty_mask_has_a_dice_of_zero_and_no_distance(folders):
    row = overlaps(*folders, {"ball": 1}).to_pylist()[1]
    assert (row["dice"], row["hausdorff"], row["volume"], row["reason_code"]) == (0.0, None, 0.0, None)
    assert row["reference_volume"] > 0


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda folder: (folder / f"{study(0)}.nii.gz").unlink(), "E-EVAL-MASK-MISSING"),
        (lambda folder: (folder / f"{study(0)}.nii.gz").write_bytes(b"\x1f\x8b none"), "E-EVAL-MASK-FILE"),
        (lambda folder: save(folder / f"{study(0)}.nii.gz", np.full((40, 36, 14), 0.5, np.float32)), "E-EVAL-MASK-FILE"),
        (lambda folder: save(folder / f"{study(0)}.nii.gz", balls([18, 18, 18])[:-1]), "E-EVAL-MASK-GRID"),
        (
            lambda folder: save(folder / f"{study(0)}.nii.gz", balls([18, 18, 18]), AFFINE + np.eye(4, k=3) * 2),
            "E-EVAL-MASK-GRID",
        ),
    ],
)
def test_a_pair_that_can_not_be_compared_says_why_and_others_are_compared(folders, spoil, code):
    spoil(folders[0])
    rows = overlaps(*folders, {"ball": 1, "other": 2}).to_pylist()
    assert [row["reason_code"] for row in rows] == [code, code, None, None]
    assert rows[0]["dice"] is None


def test_sheared_grids_are_refused(folders):
    sheared = AFFINE.copy()
    sheared[0, 2] = 0.5
    for folder in folders:
        save(folder / f"{study(0)}.nii.gz", balls([18, 18, 18]), sheared)
    assert overlaps(*folders, {"ball": 1}).to_pylist()[0]["reason_code"] == "E-EVAL-MASK-GRID"


@pytest.mark.parametrize("structures", [{}, {"a": 1, "b": 1}, {"a": 0}])
def test_structures_need_numbers_of_their_own(folders, structures):
    with pytest.raises(ConfigurationError, match="E-EVAL-MASKS"):
        overlaps(*folders, structures)


def run(*arguments):
    app = typer.Typer()
    app.command()(overlaps_table)
    return CliRunner().invoke(app, [str(each) for each in arguments])


def test_the_command_writes_a_table_that_the_evaluation_takes(folders, tmp_path):
    out = tmp_path / "overlaps.csv"
    ended = run(*folders, "--structure", "lesion=1", "--out", out)
    assert ended.exit_code == 0, ended.output
    assert "overlaps: 2 studies, 1 structures, 2 rows" in ended.output
    from tasks.evaluation.tables import read_table

    results = evaluated(
        given=Tables(overlaps=read_table(out, "overlaps")), minimum_cases=1, segmentation={"structures": ["lesion"]}
    )
    with out.open() as stream:
        rows = list(csv.DictReader(stream))
    assert results.segmentation[0].dice.estimate == pytest.approx(np.mean([float(row["dice"]) for row in rows]))
    assert results.segmentation[0].one_empty == 1


def test_the_command_ends_with_1_where_something_could_not_be_compared_and_names_no_file(folders, tmp_path):
    (folders[0] / f"{study(0)}.nii.gz").rename(folders[0] / "Mustermann.nii.gz")
    ended = run(*folders, "--structure", "lesion=1", "--out", tmp_path / "overlaps.csv")
    assert ended.exit_code == 1
    assert "2 not compared (E-EVAL-MASK-MISSING)" in ended.output
    assert "Mustermann" not in ended.output


@pytest.mark.parametrize("structure", ["lesion", "=1", "lesion=x"])
def test_the_command_refuses_what_is_no_structure(folders, tmp_path, structure):
    assert run(*folders, "--structure", structure, "--out", tmp_path / "o.csv").exit_code == 2


def test_the_schema_is_that_of_the_evaluations_table(folders):
    from tasks.evaluation.tables import COLUMNS

    assert set(COLUMNS["overlaps"]) < set(overlaps(*folders, {"ball": 1}).column_names)
    assert overlaps(*folders, {"ball": 1}).schema.field("dice").type == pa.float64()
