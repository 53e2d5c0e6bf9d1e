"""The stage reads one volume of a study, accounts for all of them, and gives the same bytes each time by any number of workers."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from data_contracts.predictions import CONTRACT
from tasks.errors import SafelightError
from tasks.executor import run_by_manifest
from tasks.guard import ErrorLog
from tasks.inference.bundle import load
from tasks.inference.execution import REFERENCE, Execution
from tasks.inference.preprocess import Prepared
from tasks.inference.reader import open_reader
from tasks.inference.stage import InferStage
from tasks.inference.statistics import measure
from tasks.inference.volume import Volume
from tasks.lake import Lake
from tasks.pools import make_pool
from tasks.stage import Count, Outcome, fingerprint
from tasks.threaded_pool import ThreadedPool
from tests.tasks.inference.made import PATIENT, bundle, bytes_below, chest_like, lps, manifest, publish, volume


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.open(tmp_path / "lake")


@pytest.fixture
def model(tmp_path: Path) -> str:
    return bundle(tmp_path / "tiny")


def read(lake: Lake, model: str, key: str) -> tuple[list[dict[str, Any]], Outcome]:
    stage = InferStage(lake, model)
    outcome = stage.run(key, "input", fingerprint(stage, "input"))
    rows = pq.read_table(Path(lake.url) / f"tables/predictions/tiny/1.0.0/{key}.parquet").to_pylist()
    return sorted(rows, key=lambda row: row["SeriesInstanceUID"] or ""), outcome


def test_a_study_is_read_and_its_row_says_by_what(lake: Lake, model: str) -> None:
    key = publish(lake, 1, volume(7))
    (row,), outcome = read(lake, model, key)
    opened = load(model)
    assert outcome.status == "done"
    assert (outcome.passed, outcome.tally) == (1, (Count("read", "", "study", 1),))
    assert 0 <= row["score"] <= 1
    assert (row["StudyInstanceUID"], row["PatientID"], row["SeriesInstanceUID"]) == (key, PATIENT, "2.25.7")
    assert (row["status"], row["reason_code"], row["finding"]) == ("read", "", "nodule")
    assert row["volume_path"] == f"volumes/{PATIENT}/{key}/2.25.7_0.nii.gz"
    assert row["weights_sha256"] == opened.manifest.weights.sha256
    assert row["manifest_sha256"] == opened.manifest_sha256
    assert row["preprocessing_sha256"] == opened.preprocessing_sha256
    assert row["input_content_share"] == pytest.approx((np.abs(chest_like(7) + 800) <= 150).mean())
    published = lake.manifest("infer:tiny@1.0.0", key)
    assert published is not None
    assert outcome.output == published.digest


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"Modality": "MR"}, "E-INFER-MODALITY"),
        ({"BodyPartExamined": "ABDOMEN"}, "E-INFER-BODY-PART"),
        ({"Manufacturer": "ACME"}, "E-INFER-NOT-SYNTHETIC"),
        ({"SliceThickness": 20.0}, "E-INFER-SPACING"),
        ({"affine": lps() @ np.array([[1, 0, 0, 0], [0, 1, 0.3, 0], [0, 0, 1, 0], [0, 0, 0, 1]])}, "E-INFER-GEOMETRY"),
        ({"voxels": chest_like() + np.int16(1024)}, "E-INFER-INPUT"),
        ({"voxels": np.full((8, 8, 8), -1000, np.int16)}, "E-INFER-INPUT"),
        ({"voxels": np.full((8, 8, 8), np.nan, np.float32)}, "E-INFER-INPUT"),
        ({"voxels": np.where(chest_like() < -1, chest_like(), np.float32(np.nan))}, "E-INFER-INPUT"),
    ],
)
def test_a_refused_study_has_a_row_with_the_reason_and_no_score(
    lake: Lake, model: str, change: dict[str, Any], reason: str
) -> None:
    (row,), outcome = read(lake, model, publish(lake, 1, volume(7, **change)))
    assert (row["status"], row["reason_code"], row["score"]) == ("not_read", reason, None)
    assert (outcome.status, outcome.passed, outcome.tally) == ("done", 0, (Count("not_read", reason, "study", 1),))


def test_one_of_several_volumes_is_read_and_each_other_has_its_reason(lake: Lake, model: str) -> None:
    key = publish(
        lake, 1, volume(1, affine=lps((2.5, 2.5, 5.0))), volume(2), volume(3, Modality="MR"), volume(4, quarantined=True),
        volume(5, affine=lps((2.5, 2.5, 4.0))),
    )  # fmt: skip
    rows, outcome = read(lake, model, key)
    assert [(row["SeriesInstanceUID"], row["reason_code"]) for row in rows] == [
        ("2.25.1", "E-INFER-OTHER-SERIES"), ("2.25.2", ""), ("2.25.3", "E-INFER-MODALITY"), ("2.25.5", "E-INFER-OTHER-SERIES"),
    ]  # fmt: skip
    assert [row["score"] is not None for row in rows] == [False, True, False, False]
    assert outcome.tally == (Count("read", "", "study", 1),)


def test_when_the_chosen_volume_is_implausible_no_other_is_tried(lake: Lake, model: str) -> None:
    key = publish(lake, 1, volume(1, voxels=chest_like() + np.int16(1024)), volume(2, affine=lps((2.5, 2.5, 5.0))))
    rows, outcome = read(lake, model, key)
    assert [row["reason_code"] for row in rows] == ["E-INFER-INPUT", "E-INFER-OTHER-SERIES"]
    assert outcome.tally == (Count("not_read", "E-INFER-INPUT", "study", 1),)


def test_a_study_without_a_volume_has_a_row_too(lake: Lake, model: str) -> None:
    (row,), outcome = read(lake, model, publish(lake, 1, volume(4, quarantined=True)))
    assert (row["SeriesInstanceUID"], row["reason_code"]) == (None, "E-INFER-NO-VOLUME")
    assert outcome.tally == (Count("not_read", "E-INFER-NO-VOLUME", "study", 1),)


def test_a_study_is_counted_once_whatever_becomes_of_it(lake: Lake, model: str) -> None:
    for number, volumes in enumerate(
        [[volume(1)], [volume(1), volume(2)], [volume(1, Modality="MR"), volume(2)], [volume(3, quarantined=True)]]
    ):
        rows, outcome = read(lake, model, publish(lake, number, *volumes))
        assert sum(count.n for count in outcome.tally) == 1
        assert sum(row["status"] == "read" for row in rows) == outcome.passed


def test_the_volumes_padding_is_not_part_of_the_patient(lake: Lake, model: str) -> None:
    padded = chest_like(3)
    padded[0], padded[-1] = 3000, 2990
    black = np.where(padded >= 2990, np.int16(-1024), padded)
    stated = publish(lake, 1, volume(3, voxels=padded, padding_range=[2990.0, 3000.0]))
    other = publish(lake, 2, volume(3, voxels=black))
    unstated = publish(lake, 3, volume(3, voxels=padded))
    scores = [read(lake, model, key)[0][0]["score"] for key in (stated, other, unstated)]
    assert scores[0] == scores[1] != scores[2]


def test_bytes_that_were_not_published_are_not_read(lake: Lake, model: str) -> None:
    for change in ("volume", "table", "gone", "unpublished"):
        key = publish(lake, 1, volume(1))
        path = Path(lake.url) / (
            f"volumes/{PATIENT}/{key}/2.25.1_0.nii.gz" if change in {"volume", "gone"} else f"tables/volumes/{key}.parquet"
        )
        if change == "gone":
            path.unlink()
        elif change == "unpublished":
            key = "2.25.404"
        else:
            path.write_bytes(path.read_bytes() + b"\0")
        with pytest.raises(SafelightError, match="E-INFER-STALE"):
            InferStage(lake, model).run(key, "input", "f")


def test_the_way_the_file_stores_the_patient_does_not_change_the_score(lake: Lake, model: str) -> None:
    image = nibabel.Nifti1Image(chest_like(3), lps((2.0, 2.5, 3.0)))
    turned = image.as_reoriented(np.array([[2, -1], [0, 1], [1, -1]]))
    header = {"slice_spacing_mm": 3.0, "SliceThickness": 3.0}
    straight = publish(lake, 1, volume(1, voxels=chest_like(3), affine=image.affine, **header))
    other = publish(lake, 2, volume(1, voxels=np.asarray(turned.dataobj), affine=turned.affine, **header))
    (first,), _ = read(lake, model, straight)
    (second,), _ = read(lake, model, other)
    assert turned.shape != image.shape
    assert first["score"] == second["score"]


def test_a_mirrored_patient_is_another_patient(lake: Lake, model: str) -> None:
    """The other side of the test above: voxels that are flipped without their affine do change the input."""
    (first,), _ = read(lake, model, publish(lake, 1, volume(3)))
    (second,), _ = read(lake, model, publish(lake, 2, volume(3, voxels=chest_like(3)[::-1].copy())))
    assert first["score"] != second["score"]


def run_all(lake: Lake, model: str, folder: Path, *, workers: int, kind: Any = "processes") -> None:
    inputs = {published.key: published.digest for published in lake.manifests("volumes")}
    errors = ErrorLog(folder)
    pool = ThreadedPool(workers, 2, errors) if kind == "threads" else make_pool(kind, workers, errors)
    try:
        summary = run_by_manifest(InferStage(lake, model), inputs, lake=lake, pool=pool, errors=errors, whole=True)
    finally:
        pool.close()
    assert not summary.failures, summary.failures


def test_one_and_two_workers_and_this_process_give_the_same_bytes_twice(tmp_path: Path, model: str) -> None:
    made = []
    (tmp_path / "errors").mkdir(mode=0o700)
    for number, (kind, workers) in enumerate([("inline", 1), ("threads", 1), ("processes", 2), ("inline", 1), ("threads", 2)]):
        lake = Lake.open(tmp_path / f"lake{number}")
        for study in range(6) if number != 3 else reversed(range(6)):  # nor does it matter what was read before
            publish(lake, study, volume(study), volume(90, Modality="MR"))
        run_all(lake, model, tmp_path / "errors", workers=workers, kind=kind)
        made.append(bytes_below(Path(lake.url)))
    assert made[0] == made[1] == made[2] == made[3] == made[4]
    assert sum(name.startswith("tables/predictions/") for name in made[0]) == 6
    scores = Lake(str(tmp_path / "lake0")).table(CONTRACT)["score"].drop_null().to_pylist()
    assert len(set(scores)) == 6


def test_a_score_does_not_depend_on_how_many_threads_torch_had(model: str) -> None:
    opened = load(model)
    voxels = np.random.default_rng(1).random((20, 30, 40), np.float32)
    grid = Volume(np.zeros((40, 30, 20), np.int16), lps()).grid
    prepared = Prepared(voxels, 0.0, measure(voxels), grid, grid)
    reader = open_reader(opened, REFERENCE)
    first = reader.infer(prepared)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert reader.infer(prepared) == first
        assert open_reader(opened, Execution(threads=2)).infer(prepared).scores == pytest.approx(first.scores, abs=1e-6)
    finally:
        torch.set_num_threads(before)


def test_a_worker_reads_deterministically_and_without_torchs_compiler(model: str) -> None:
    code = (
        "import sys\nfrom tasks.inference.execution import REFERENCE\nfrom tasks.inference.bundle import load\n"
        "from tasks.inference.reader import open_reader\nopen_reader(load(sys.argv[1]), REFERENCE)\nimport torch\n"
        "assert torch.are_deterministic_algorithms_enabled() and not torch.is_deterministic_algorithms_warn_only_enabled()\n"
        "assert torch.get_num_threads() == 1 and 'torch._inductor' not in sys.modules\n"
        "index = torch.zeros(1, dtype=torch.long)\n"
        "try: torch.zeros(4).put_(index, torch.ones(1)); print('put')\n"
        "except RuntimeError: print('refused')\n"
    )
    done = subprocess.run([sys.executable, "-c", code, model], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == "refused\n", done.stderr


def test_a_network_that_gives_no_score_fails_the_study_and_publishes_nothing(tmp_path: Path, lake: Lake) -> None:
    key = publish(lake, 1, volume(1))
    with pytest.raises(SafelightError, match="E-INFER-SCORE"):
        InferStage(lake, bundle(tmp_path / "broken", scale=float("nan"))).run(key, "input", "f")
    assert not lake.files("tables/predictions")


def test_manifest_weights_and_preprocessing_make_studies_due_again(tmp_path: Path, lake: Lake, model: str) -> None:
    stages = [
        InferStage(lake, model),
        InferStage(lake, bundle(tmp_path / "use", intended_use="Another.")),
        InferStage(lake, bundle(tmp_path / "order", input=manifest()["input"] | {"order": "window_then_resample"})),
    ]
    assert len({fingerprint(stage, "x") for stage in stages}) == 3
    assert {stage.label() for stage in stages} == {"infer:tiny@1.0.0"}
    assert set(stages[0].configuration()) == {"manifest", "weights", "preprocessing", "variant", "device"}
    assert stages[1].configuration()["preprocessing"] == stages[0].configuration()["preprocessing"]
    assert stages[2].configuration()["preprocessing"] != stages[0].configuration()["preprocessing"]


def test_where_the_bundle_lies_does_not_matter(tmp_path: Path, lake: Lake, model: str) -> None:
    elsewhere = bundle(tmp_path / "deep" / "elsewhere")
    assert fingerprint(InferStage(lake, elsewhere), "x") == fingerprint(InferStage(lake, model), "x")


def test_two_versions_live_side_by_side(tmp_path: Path, lake: Lake, model: str) -> None:
    key = publish(lake, 1, volume(1))
    read(lake, model, key)
    other = InferStage(lake, bundle(tmp_path / "next", version="1.0.1"))
    other.run(key, "input", "f")
    assert sorted(lake.table(CONTRACT)["model_version"].to_pylist()) == ["1.0.0", "1.0.1"]


def test_a_study_that_became_unreadable_loses_its_score(lake: Lake, model: str) -> None:
    read(lake, model, publish(lake, 1, volume(1)))
    (row,), _ = read(lake, model, publish(lake, 1, volume(1, Modality="MR")))
    assert row["score"] is None
    assert lake.table(CONTRACT).num_rows == 1


def test_the_stage_travels_with_the_bundle_that_was_checked(lake: Lake, model: str) -> None:
    stage = InferStage(lake, model)
    opened = stage.bundle
    assert pickle.loads(pickle.dumps(stage)).bundle == opened
