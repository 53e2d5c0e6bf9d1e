"""A long scan stays within the stated memory: 512 × 512 × 800 voxels, outlined tile by tile, by a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from data_contracts import segments
from tasks.inference.stage import InferStage
from tasks.lake import Lake
from tasks.volumes.nifti import write
from tests.tasks.inference.made import PATIENT, lps, publish, volume
from tests.tasks.inference.networks import LABELS, Brightness, plain

#: docs/models.md states it: the volume as it is stored (16 bits), its label map (8 bits), and 200 MiB for tiles and what is passing.
BOUND_MIB = 400 + 200 + 200
SHAPE = (512, 512, 800)

READ = """
import resource, sys
from tasks.inference.stage import InferStage
from tasks.lake import Lake
stage = InferStage(Lake(sys.argv[1]), sys.argv[2])
stage._reader()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
assert stage.run(sys.argv[3], "input", "f").passed == 1
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10, before)
"""


def test_a_long_scan_is_read_within_the_stated_memory(tmp_path: Path) -> None:
    lake = Lake.open(tmp_path / "lake")
    affine = lps((0.7, 0.7, 1.0))
    key = publish(lake, 1, volume(1, voxels=np.zeros((4, 4, 4), np.int16), affine=affine))
    plane = np.full((1, 512, 512), -1000, np.int16)
    plane[0, 100:400, 100:400] = 500
    path = f"volumes/{PATIENT}/{key}/2.25.1_0.nii.gz"
    digest = write(Path(lake.url) / path, (plane for _ in range(SHAPE[2])), SHAPE, np.int16, affine)
    manifest = Path(lake.url) / f"manifests/volumes/{key}.json"
    published = lake.manifest("volumes", key)
    assert published is not None
    manifest.write_text(manifest.read_text().replace(published.files[path], digest))
    model = plain(
        tmp_path / "m", Brightness, {"kind": "segmentation", "activation": "softmax"}, LABELS[:1],
        profile={"mean": [-1e9, 1e9], "std": [0, 1e9]},
        input={
            "spacing_mm": [2.0, 2.0, 2.0], "orientation": "LPS", "interpolation": "linear", "order": "resample_then_window",
            "window": {"kind": "window", "center": 0, "width": 2000}, "padding": -1024.0, "tiling": {"shape": [64, 96, 96], "overlap": 0.25},
        },
    )  # fmt: skip
    ended = subprocess.run([sys.executable, "-c", READ, lake.url, model, key], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]
    peak, before = (int(word) for word in ended.stdout.split())
    assert peak - before < BOUND_MIB, f"{peak} MiB, {before} of them before the scan"
    (row,) = lake.table(segments.CONTRACT).to_pylist()
    assert abs(row["volume_ml"] - 300 * 300 * 0.49 * 800 / 1000) < 0.02 * row["volume_ml"]
    assert InferStage(lake, model).bundle.manifest.head.kind == "segmentation"
