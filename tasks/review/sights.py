"""A case's key images: planes of its volume with boxes and outlines beside them, never in them.

Classification: the three middle planes, for the tables name no place. Detection: the planes through each box's centre. Segmentation: of
each finding the plane with the largest area, in all three directions. One volume, and its label map, is in memory at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from tasks.errors import SafelightError
from tasks.imaging.grids import SAME_PLACE, Grid
from tasks.inference.manifest import Manifest
from tasks.inference.volume import Volume, read_volume
from tasks.lake import Lake
from tasks.review import outline, windows
from tasks.review.cases import Case, Reading, Row
from tasks.review.planes import NAMES, Plane, Planes, Rectangle, Voxel, center, middle
from tasks.review.words import number
from tasks.volumes.preview import eight_bits

#: Boxes of a case that are pictured, and segmented findings.
BOXES, SEGMENTS = 6, 12
_QUALITY, _METHOD = 85, 4
_LABELS = 256


@dataclass(frozen=True, slots=True)
class Mark:
    """Something beside a picture, in voxels of the plane: a rectangle, or the path of an outline.

    Args:
        text: what it is.
        colour: number of the finding, by which it is coloured.
        is_main: whether the picture is there for it.
    """

    text: str
    colour: int
    is_main: bool
    rectangle: Rectangle | None = None
    path: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """A plane as WebP, and what stands beside it."""

    plane: Plane
    content: bytes
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Sight:
    """Pictures of one place. `title` says of which, `note` what else is to be known."""

    title: str
    pictures: tuple[Picture, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Sights:
    """All pictures of a case, the name of their window, and what was left out."""

    sights: tuple[Sight, ...]
    window: str
    left_out: str = ""


def of(lake: Lake, case: Case, manifest: Manifest) -> Sights:
    """The key images of a case.

    Args:
        lake: that holds the volume.
        case: with a volume.
        manifest: the model's.

    Raises:
        SafelightError: E-REVIEW-STALE where the lake no longer has what was read; E-INFER-STALE where a file is not the one that its table
            names; E-REVIEW-LABELS where a label map is not of the volume; E-REVIEW-PLACE where a box is not within it.
    """
    row = case.volume
    if row is None or not case.is_current:
        raise SafelightError("E-REVIEW-STALE", f"study {case.study}")
    padding = row["padding_range"]
    with lake.local([row["path"]]) as files:
        volume = read_volume(files[row["path"]], (padding[0], padding[1]) if padding else None, row["sha256"])
    if list(volume.voxels.shape) != [row["n_columns"], row["n_rows"], row["n_slices"]]:
        raise SafelightError("E-INFER-STALE", f"study {case.study}: another size than its row says")
    return _Drawing(lake, case, manifest, row, volume).all()


class _Drawing:
    def __init__(self, lake: Lake, case: Case, manifest: Manifest, row: Row, volume: Volume) -> None:
        self._lake, self._case, self._row, self._volume = lake, case, row, volume
        self._grid = volume.grid
        self._planes = Planes.of(self._grid)
        middles = [self._planes.cut(volume.voxels, self._planes.plane(name, middle(self._grid))) for name in NAMES]
        self._window = windows.choose(row, manifest.input, middles)
        self._colours = {said.finding: place for place, said in enumerate(manifest.findings)}

    def all(self) -> Sights:
        """By what the model gives."""
        readings = [reading for reading in self._case.readings if reading.segment is not None]
        if readings:
            return self._segmented(readings)
        boxes = sorted(
            ((box, reading) for reading in self._case.readings for box in reading.boxes),
            key=lambda each: (-each[0]["score"], each[0]["finding"], each[0]["detection_index"]),
        )
        if boxes:
            return self._detected(boxes)
        return Sights((self._sight("Middle planes", middle(self._grid), ()),), self._window.name)

    def _detected(self, boxes: list[tuple[Row, Reading]]) -> Sights:
        shown = boxes[:BOXES]
        sights = []
        for box, _ in shown:
            others = [each for each, _ in boxes if each is not box]
            where = center(box["voxel_start"], box["voxel_stop"])
            sights.append(self._sight(f"{_box_name(box)}, score {number(box['score'])}", where, (box, *others)))
        left = len(boxes) - len(shown)
        return Sights(
            tuple(sights), self._window.name, f"{left} more boxes with lower scores are in the table alone." if left else ""
        )

    def _segmented(self, readings: list[Reading]) -> Sights:
        maps = {(reading.segment["path"], reading.segment["sha256"]) for reading in readings if reading.segment is not None}
        if len(maps) != 1:
            raise SafelightError("E-REVIEW-LABELS", f"study {self._case.study}: several label maps")
        labels = self._labels(*maps.pop())
        areas = _areas(labels)
        said = [(reading.finding.finding, reading.segment) for reading in readings if reading.segment is not None]
        for _, segment in said:
            if int(areas[2][segment["label"]].sum()) != segment["n_voxels"]:
                raise SafelightError("E-REVIEW-LABELS", f"study {self._case.study}: another number of voxels than the table says")
        there = sorted((each for each in said if each[1]["n_voxels"]), key=lambda each: (-each[1]["n_voxels"], each[0]))
        if not there:
            sight = self._sight("Middle planes", middle(self._grid), (), note="No voxel was segmented.")
            return Sights((sight,), self._window.name)
        sights = []
        for finding, segment in there[:SEGMENTS]:
            at = tuple(int(areas[axis][segment["label"]].argmax()) for axis in range(3))
            others = [each for each in there if each[0] != finding]
            pictures = []
            for name in NAMES:
                plane = self._planes.plane(name, (at[0], at[1], at[2]))
                cut = self._planes.cut(labels, plane)
                outlines = [
                    Mark(_words(each), self._colours[each], each == finding, path=outline.path(cut == row["label"]))
                    for each, row in [(finding, segment), *others]
                ]
                pictures.append(self._picture(plane, tuple(mark for mark in outlines if mark.path)))
            title = f"{_words(finding)}, {number(segment['volume_ml'])} ml"
            sights.append(Sight(title, tuple(pictures), "Each plane is the one with the largest area."))
        left = len(there) - len(sights)
        return Sights(tuple(sights), self._window.name, f"{left} smaller structures are in the table alone." if left else "")

    def _labels(self, path: str, sha256: str) -> NDArray[np.uint8]:
        """The label map, on the volume's own voxels."""
        with self._lake.local([path]) as files:
            found = read_volume(files[path], None, sha256)
        same = found.voxels.dtype == np.uint8 and found.voxels.ndim == 3
        if not same or not Grid(found.grid.shape, found.affine_ras).same_as(self._grid, 1e3 * SAME_PLACE):
            raise SafelightError("E-REVIEW-LABELS", f"study {self._case.study}")
        labels: NDArray[np.uint8] = found.voxels
        return labels

    def _sight(self, title: str, where: Voxel, boxes: tuple[Row, ...], note: str = "") -> Sight:
        pictures = []
        for name in NAMES:
            plane = self._planes.plane(name, where)
            pictures.append(self._picture(plane, tuple(self._rectangles(plane, boxes))))
        return Sight(title, tuple(pictures), note)

    def _rectangles(self, plane: Plane, boxes: tuple[Row, ...]) -> Iterator[Mark]:
        for place, box in enumerate(boxes):
            found = self._planes.within(plane, box["voxel_start"], box["voxel_stop"])
            if found is not None:
                yield Mark(_box_name(box), self._colours[box["finding"]], place == 0, rectangle=found)

    def _picture(self, plane: Plane, marks: tuple[Mark, ...]) -> Picture:
        pixels = self._planes.cut(self._volume.voxels, plane)
        inverted = self._row["PhotometricInterpretation"] == "MONOCHROME1"
        image = eight_bits(pixels, (self._window.low, self._window.high), self._volume.padding, inverted=inverted)
        out = BytesIO()
        image.save(out, "WEBP", quality=_QUALITY, method=_METHOD)
        return Picture(plane, out.getvalue(), marks)


def _areas(labels: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Voxels of each label in each plane across i, j and k: three arrays (256, planes); slice by slice, so that little memory is needed."""
    across_i, across_j, across_k = (np.zeros((_LABELS, n), np.int64) for n in labels.shape)
    for k in range(labels.shape[2]):
        plane = labels[:, :, k]
        i, j = np.nonzero(plane)
        if not len(i):
            continue
        found = plane[i, j].astype(np.int64)
        across_k[:, k] = np.bincount(found, minlength=_LABELS)
        across_i += _pairs(found, i, labels.shape[0])
        across_j += _pairs(found, j, labels.shape[1])
    return across_i, across_j, across_k


def _pairs(found: NDArray[np.int64], place: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """How often each label is at each of n places: (256, n)."""
    return np.bincount(found * n + place, minlength=_LABELS * n).reshape(_LABELS, n)


def _box_name(box: Row) -> str:
    return f"{_words(box['finding'])} {box['detection_index'] + 1}"


def _words(finding: str) -> str:
    return finding.replace("_", " ")


def caption(plane: Plane) -> str:
    """`axial, k 44 of 0 to 119`, and by how much it is turned from the patient."""
    axis = "ijk"[plane.axis]
    turned = f", turned {plane.turned_deg:.0f}°" if plane.turned_deg >= 1 else ""
    return f"{plane.name}, {axis} {plane.index} of 0 to {plane.depth - 1}{turned}"
