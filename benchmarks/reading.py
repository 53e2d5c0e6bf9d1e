"""Seconds a scan of a model that outlines tile by tile, against loops as people write them, with the same network and the same outputs.

    python -m benchmarks.reading [--slices 300] [--scans 3] [--threads 2] [--repeat 2]

A CT of 300 × 512 × 512 voxels is brought to 2 mm, windowed, shown to a U-Net of 404,185 parameters in tiles of 96³ that overlap by a
quarter, and outlined on its own voxels. Contenders:

- **nibabel and scipy**: float64 voxels, `scipy.ndimage.zoom`, a loop over tiles, maps of all classes for the whole scan, `zoom` back;
- **MONAI**: its transforms, its `sliding_window_inference`, its inverse;
- **the stage**: scans overlap as in the night: one is with the network while another is read, prepared, outlined and published;
- **floor**: the network on tiles that are ready, and nothing else.

How much their labels agree is printed: figures of loops that say something else would mean nothing.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from safetensors.torch import save
from scipy import ndimage

from benchmarks.measure import Contender, alternate, arguments, show
from data_contracts import segments
from tasks.executor import run_by_manifest
from tasks.guard import ErrorLog
from tasks.imaging.grids import Grid
from tasks.inference.bundle import Bundle, load
from tasks.inference.execution import Execution, be_deterministic
from tasks.inference.manifest import Input
from tasks.inference.preprocess import input_grid
from tasks.inference.reader import ManifestReader, open_reader
from tasks.inference.stage import InferStage
from tasks.inference.tiling import slabs
from tasks.inference.volume import read_volume
from tasks.lake import Lake
from tasks.threaded_pool import ThreadedPool
from tests.tasks.inference.made import PATIENT, lps, publish, volume

NETWORK = {
    "spatial_dims": 3,
    "in_channels": 1,
    "out_channels": 3,
    "channels": [16, 32, 64, 96],
    "strides": [2, 2, 2],
    "num_res_units": 0,
}
SPACING, TILE, OVERLAP = (0.7, 0.7, 1.0), (96, 96, 96), 0.25
LOW, HIGH = -1000.0, 500.0
INPUT = {
    "spacing_mm": [2.0, 2.0, 2.0], "orientation": "RAS", "interpolation": "linear", "order": "resample_then_window", "padding": LOW,
    "window": {"kind": "window", "center": (LOW + HIGH) / 2, "width": HIGH - LOW},
    "tiling": {"shape": list(TILE), "overlap": OVERLAP, "blend": "gaussian", "batch": 1},
}  # fmt: skip
HOW = Input.model_validate(INPUT)
Labels = NDArray[np.uint8]


def model(folder: Path) -> Bundle:
    """A bundle of the network with random weights."""
    from monai.networks.nets.unet import UNet

    torch.manual_seed(0)
    content = save(UNet(**NETWORK).state_dict())
    folder.mkdir()
    (folder / "w.safetensors").write_bytes(content)
    code = {"scheme": "SCT", "value": "39607008", "meaning": "Lung"}
    said = {
        "name": "benchmark", "version": "1.0.0", "intended_use": "To be timed.", "synthetic_only": True,
        "weights": {
            "format": "safetensors", "file": "w.safetensors", "sha256": sha256(content).hexdigest(),
            "architecture": {"network": "monai.networks.nets.unet:UNet", "arguments": NETWORK},
        },
        "input": INPUT,
        "accepted": {"modality": ["CT"], "slice_mm": [0.5, 5]},
        "profile": {"mean": [0, 1], "std": [0, 1]},
        "head": {"kind": "segmentation", "activation": "softmax"},
        "findings": [{"finding": f"part_{n}", "channel": n, "code": code} for n in (1, 2)],
        "training": {},
    }  # fmt: skip
    (folder / "manifest.yaml").write_text(yaml.safe_dump(said), "utf-8")
    return load(folder)


def scan(seed: int, slices: int) -> NDArray[np.int16]:
    """(i, j, k) HU: a body with two lungs, in noise."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.linspace(-1, 1, 512), np.linspace(-1, 1, 512), indexing="ij")
    body = np.where(x**2 + (y * 1.3) ** 2 < 0.8, 40.0, -1000.0)
    body[((np.abs(x) - 0.4) / 0.25) ** 2 + (y / 0.4) ** 2 < 1] = -850
    made = np.empty((512, 512, slices), np.int16, order="F")
    for k in range(slices):
        made[:, :, k] = body + rng.normal(0, 20, body.shape)
    return made


def naive(path: Path, network: Any) -> Labels:
    """As people write it with nibabel and scipy."""
    image = nibabel.as_closest_canonical(nibabel.load(path))
    voxels = image.get_fdata()
    zoom = np.array(image.header.get_zooms()[:3]) / 2.0
    small = ndimage.zoom(voxels, zoom, order=1, mode="nearest", grid_mode=True).astype(np.float32)
    given = np.clip((small - LOW) / (HIGH - LOW), 0, 1)
    total, share = np.zeros((3, *given.shape), np.float32), np.zeros(given.shape, np.float32)
    off = (np.arange(96) - 47.5) / (0.125 * 96)
    bell = np.exp(-0.5 * off**2)
    weights = np.maximum(bell[:, None, None] * bell[None, :, None] * bell[None, None, :], 1e-3).astype(np.float32)
    starts = [sorted({min(s, n - 96) for s in range(0, n - 96 + 72, 72)}) for n in given.shape]
    with torch.inference_mode():
        for i in starts[0]:
            for j in starts[1]:
                for k in starts[2]:
                    here = (slice(i, i + 96), slice(j, j + 96), slice(k, k + 96))
                    tile = torch.from_numpy(np.ascontiguousarray(given[here].transpose(2, 1, 0)))[None, None]
                    total[:, *here] += network(tile)[0].numpy().transpose(0, 3, 2, 1) * weights
                    share[here] += weights
    labels = (total / share).argmax(axis=0).astype(np.uint8)
    return ndimage.zoom(labels, np.array(voxels.shape) / labels.shape, order=0, mode="nearest", grid_mode=True)


def monais(path: Path, network: Any) -> Labels:
    """As MONAI's own examples do it, on float32; on the grid that the manifest means, so that the network sees the same."""
    from monai.inferers import sliding_window_inference
    from monai.transforms import (
        Compose,
        EnsureChannelFirst,
        LoadImage,
        Orientation,
        ScaleIntensityRange,
        SpatialResample,
        Transpose,
    )

    header = nibabel.load(path)
    wanted = input_grid(Grid(header.shape, header.affine), HOW)
    prepare = Compose([
        LoadImage(image_only=True), EnsureChannelFirst(), Orientation("RAS", labels=None),
        lambda image: SpatialResample(mode="bilinear", padding_mode="border")(image, wanted.affine_ras, wanted.shape),
        ScaleIntensityRange(LOW, HIGH, 0, 1, clip=True),
    ])  # fmt: skip
    image = prepare(path)
    turned = Transpose((0, 3, 2, 1))(image.as_tensor())
    with torch.inference_mode():
        maps = sliding_window_inference(turned[None], TILE, 1, network, overlap=OVERLAP, mode="gaussian", sigma_scale=0.125)
    labels = maps[0].argmax(0, keepdim=True).permute(0, 3, 2, 1).to(torch.float32)
    back = torch.nn.functional.interpolate(labels[None], tuple(header.shape), mode="nearest-exact")
    return np.asarray(back[0, 0].to(torch.uint8))


def main(given: Sequence[str] | None = None) -> None:
    """Measure."""
    parser = arguments(__doc__, repeat=2)
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--scans", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    said = parser.parse_args(given)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "errors").mkdir(mode=0o700)
        lake, bundle, how = Lake.open(folder / "lake"), model(folder / "model"), Execution(threads=said.threads)
        keys = [publish(lake, n, volume(n, voxels=scan(n, said.slices), affine=lps(SPACING))) for n in range(said.scans)]
        paths = [folder / f"lake/volumes/{PATIENT}/{key}/2.25.{n}_0.nii.gz" for n, key in enumerate(keys)]
        reader = open_reader(bundle, how)
        assert isinstance(reader, ManifestReader)
        network: Any = reader.network
        be_deterministic(how)
        ready = reader.prepare(read_volume(paths[0]))
        pool_errors = ErrorLog(folder / "errors")
        pool, reading = ThreadedPool(1, 2, pool_errors), InferStage(lake, str(folder / "model"), how)

        def stage() -> None:
            inputs = {published.key: published.digest for published in lake.manifests("volumes")}
            ended = run_by_manifest(reading, inputs, lake=lake, pool=pool, errors=pool_errors, whole=True)
            if ended.studies["done"] != said.scans:
                raise SystemExit(f"not every scan was read: {ended.studies}")

        def forget() -> None:
            for key in keys:
                lake.withdraw("infer:benchmark@1.0.0", key)

        def forward() -> None:
            for _ in paths:
                for _slab in slabs(network, ready.voxels, bundle.manifest.input.tiling, 0.0):
                    pass

        timed = alternate(
            [
                Contender("stage", stage, forget),
                Contender("nibabel and scipy", lambda: [naive(path, network) for path in paths]),
                Contender("MONAI", lambda: [monais(path, network) for path in paths]),
                Contender("floor: network on ready tiles", forward),
            ],
            said.repeat,
        )
        show(
            f"reading, {said.scans} scans of {said.slices} slices, {said.threads} threads", timed[0], timed[1:],
            lambda seconds: f"{seconds / said.scans:.2f} s a scan",
        )  # fmt: skip
        rows = {row["StudyInstanceUID"]: row["path"] for row in lake.table(segments.CONTRACT).to_pylist()}
        ours = np.asarray(nibabel.as_closest_canonical(nibabel.load(folder / "lake" / rows[keys[0]])).dataobj)
        for other, labels in (("nibabel and scipy", naive(paths[0], network)), ("MONAI", monais(paths[0], network))):
            print(f"  labels as those of {other}: {np.mean(ours == labels):.3%}")
        for part, work in {
            "read": lambda: read_volume(paths[0]),
            "prepare": lambda: reader.prepare(read_volume(paths[0])),
        }.items():
            begun = time.perf_counter()
            work()
            print(f"  {part:<30} {time.perf_counter() - begun:.3f} s")
        found = reader.infer(ready)
        begun = time.perf_counter()
        reader.finish(found, ready)
        print(f"  {'finish':<30} {time.perf_counter() - begun:.3f} s")
        pool.close()


if __name__ == "__main__":
    main()
