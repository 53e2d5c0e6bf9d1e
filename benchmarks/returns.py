"""Seconds to make, check and encode the objects of one segmented CT, against their floor: the label map's bits packed, and hashed.

    python -m benchmarks.returns [--repeat 3] [--slices 300] [--side 512]

The floor packs the voxels of each finding slice by slice (PS3.5 8.1.1), only where there are some, into the bytes that PixelData has, and takes
their SHA-256. Besides, the stage writes where each frame lies and of which image it is, a report over all images, and holds both to their rules. It
does so twice a study, under either identity; here once. The PACS's time is not in it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from pydicom.dataset import Dataset

from benchmarks.measure import Contender, alternate, arguments, show
from tasks.lake import Lake
from tasks.pseudonyms import Pseudonyms
from tasks.results.checks import problems
from tasks.results.copies import encoded
from tasks.results.geometry import Slices
from tasks.results.headers import cut
from tasks.results.identity import Identity
from tasks.results.occasion import Occasion
from tasks.results.reading import Said
from tasks.results.report import report
from tasks.results.segmentation import segmentation
from tests.tasks.results import made
from tests.tasks.results.makes import READ_AT, settings


@dataclass(frozen=True)
class Work:
    """A segmented study."""

    said: Said
    slices: Slices
    occasion: Occasion

    def make(self) -> tuple[Dataset, Dataset]:
        """The segmentation and the report."""
        seg = segmentation(self.said, self.slices, self.occasion)
        assert seg is not None
        return seg, report(self.said, (), self.slices, self.slices.sources, seg, None, self.occasion)

    def stage(self) -> int:
        """Made, held to the rules, encoded; bytes."""
        seg, document = self.make()
        assert problems(seg, self.slices.sources) == problems(document, self.slices.sources, [seg]) == []
        return len(encoded(seg)) + len(encoded(document))

    def floor(self) -> str:
        """Bits packed and hashed."""
        digest, labels = sha256(), self.said.labels
        assert labels is not None
        for label in (1, 2):
            for k in range(labels.shape[2]):
                plane = np.equal(labels[:, :, k].T, label)
                if plane.any():
                    digest.update(np.packbits(plane, bitorder="little"))
        return digest.hexdigest()


def study(lake: Lake, slices: int, side: int) -> Work:
    """A ball within a ball, in a stack of 0.7 × 0.7 × 1 mm."""
    manifest = made.model(lake, "segmentation")
    images = []
    for number in range(1, slices + 1):
        image = made.image(number)
        del image.PixelData
        image.Rows = image.Columns = side
        image.PixelSpacing, image.ImageOrientationPatient = [0.7, 0.7], [1, 0, 0, 0, 1, 0]
        image.ImagePositionPatient, image.SliceThickness = [-180, -180, number], 1
        images.append(cut(image))
    i, j, k = (np.linspace(-1, 1, n, dtype=np.float32) for n in (side, side, slices))
    labels = np.zeros((side, side, slices), np.uint8, order="F")
    for n in range(slices):
        radius = i[:, None] ** 2 + j[None, :] ** 2 + k[n] ** 2
        labels[:, :, n] = np.where(radius < 0.1, 1, np.where(radius < 0.8, 2, 0))
    rows = [
        {"finding": each.finding, "label": each.channel, "n_voxels": int((labels == each.channel).sum()), "volume_ml": 1.0}
        for each in manifest.findings
    ]
    predictions = tuple({"finding": each.finding, "score": None} for each in manifest.findings)
    affine = np.diag([0.7, 0.7, 1.0, 1.0])
    affine[:3, 3] = [-180, -180, 1]
    said = Said(manifest, "a" * 64, "b" * 64, predictions, (), tuple(rows), {"path": "volume"}, labels)
    identity = Identity(Pseudonyms(b"k" * 32), made.STUDY, said.model, in_lake=False)
    occasion = Occasion(identity, settings(), "digest", READ_AT, "1")
    return Work(said, Slices(affine, (side, side, slices), tuple(images), None, aligned=True), occasion)


def main(given: Sequence[str] | None = None) -> None:
    """Measure one study's objects."""
    parser = arguments(__doc__, repeat=3)
    parser.add_argument("--slices", type=int, default=300, help="of the volume (default: %(default)s)")
    parser.add_argument("--side", type=int, default=512, help="rows and columns (default: %(default)s)")
    said = parser.parse_args(given)
    with tempfile.TemporaryDirectory() as name:
        work = study(Lake.open(name), said.slices, said.side)
        stage, least, making = alternate(
            [
                Contender("stage", work.stage),
                Contender("floor: bits packed, hashed", work.floor),
                Contender("objects made by highdicom", work.make),
            ],
            said.repeat,
        )
    title = f"returns, {said.slices} slices of {said.side} × {said.side}, 2 segments"
    show(title, stage, [least], lambda seconds: f"{1000 * seconds / said.slices:.1f} ms a slice", [making])


if __name__ == "__main__":
    main()
