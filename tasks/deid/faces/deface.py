"""Takes the face out of CT, and of MR and PET in a CT's frame of reference: what lies in front of a surface around the brain becomes air.

The outer ears go too. One cut is made for all images of a frame of reference, from the CT in which the brain is found best, so that no
series still shows what was taken out of another. What lies outside of the cut keeps every bit. Nothing here is random.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread

from tasks.deid.faces.cut import Cut, brain_of, cut_of
from tasks.deid.faces.grid import Grid, Mask, sample
from tasks.deid.faces.judge import NOSE_MM, STEP_MM, is_nose, renderable
from tasks.deid.faces.planes import Plane, Stack, UnplacedError, planes_of, quiet, stacks_of
from tasks.deid.faces.skin import body_of, ridges, skin_of, threshold
from tasks.errors import SafelightError

#: What replaces the face in CT, HU.
AIR_HU = -1000.0
#: Of the skin from brow to mouth, 45 mm to both sides, this share must be gone or lie deeper by this, mm.
MOVED_SHARE, MOVED_MM, _FACE_HALF_MM = 0.9, 5.0, 45.0
#: Skin that must be in view for a share of it to mean anything, samples.
_FEWEST_SAMPLES = 60
#: A chin that is left so far below the cut is still one, mm.
_BELOW_MM = 60.0
_NATIVE = {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"}
_BIG_ENDIAN = "1.2.840.10008.1.2.2"


@dataclass(frozen=True, slots=True)
class Changes:
    """For the record. voxels: in the files changed or not; taken: in the cut; changed: those whose stored value is another now.
    skin_moved: the smallest share, over all volumes that were looked at again, of the face's skin that is gone or lies deeper."""

    voxels: int
    taken: int
    changed: int
    skin_moved: float

    @property
    def share(self) -> float:
        """Changed voxels as a share of all."""
        return self.changed / self.voxels if self.voxels else 0.0


class Defaced(Mapping[int, bytes]):
    """Index of a path → its new PixelData value (native, in the file's own transfer syntax, byte order, padding and unused bits).

    Each is made when it is asked for, and not kept. `left_out` are the indices without an entry: projections (localizers of CT), which
    show a profile and have no place in the volume. They are not defaced, and must not be released with it.
    """

    def __init__(
        self, paths: Sequence[Path], planes: Sequence[Plane], cuts: Mapping[str, tuple[Cut, float]], air: Mapping[int, float]
    ) -> None:
        self._paths = tuple(paths)
        self._planes: dict[int, list[Plane]] = defaultdict(list)
        for plane in planes:
            self._planes[plane.index].append(plane)
        self._cuts, self._air = dict(cuts), dict(air)
        self._counts: dict[int, tuple[int, int, int]] = {}
        self.left_out = tuple(index for index in range(len(paths)) if index not in self._planes)

    def __len__(self) -> int:
        return len(self._planes)

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self._planes))

    def __getitem__(self, index: int) -> bytes:
        planes = self._planes.get(index)
        if planes is None:
            raise KeyError(index)
        dataset = _read(self._paths[index])
        raw = bytes(dataset.PixelData)
        frames = _words(dataset, raw, len(planes))
        taken = changed = 0
        for plane in planes:
            mask = covered(plane, self._cuts[plane.reference][0])
            fill = _stored(dataset, plane, self._air[index])
            taken += int(mask.sum())
            changed += int((frames[plane.frame][mask] != fill).sum())
            frames[plane.frame][mask] = fill
        self._counts[index] = (frames.size, taken, changed)
        return frames.tobytes() + raw[frames.nbytes :]

    def changes(self) -> Changes:
        """Numbers for the record; instances that were not asked for yet are made for it."""
        for index in self:
            if index not in self._counts:
                _ = self[index]
        voxels, taken, changed = (sum(count[k] for count in self._counts.values()) for k in range(3))
        return Changes(voxels, taken, changed, round(min(moved for _, moved in self._cuts.values()), 3))


def deface(paths: Sequence[Path]) -> Defaced:
    """Prepare the removal of the face from images of one or more frames of reference; nothing is written.

    Taken away are, from the brow to the chin and from ear to ear: forehead in front of the frontal lobes, orbits with the eyes, nose, cheeks,
    lips, jaws, the front of the neck below the chin's level, and the outer ears. The brain and 5 mm around it stay.

    Args:
        paths: all files of the frames of reference, so that one cut fits all series. Single-frame or enhanced; one of
            them must be a CT that shows the skull around the brain.

    Raises:
        SafelightError: E-DEID-DEFACE-SYNTAX (compressed, or pixels that are not 8, 16 or 32 bit whole numbers),
            E-DEID-DEFACE-GEOMETRY (planes that cannot be placed, pixels that cannot be read), E-DEID-DEFACE-UNPROVEN (no brain is found that
            the cut could go by, or afterwards a nose or the face's skin is left).
        OSError: a file that cannot be opened.
    """
    try:
        planes = planes_of(paths)
        stacks = stacks_of(planes)
        references = {plane.reference for plane in planes}
        if not planes or "" in references:  # without a frame of reference positions of two series mean nothing to each other
            raise UnplacedError
        for index in sorted({plane.index for plane in planes}):
            _check_syntax(paths[index])
        cuts, air = {}, {}
        for reference in sorted(references):
            own = [stack for stack in stacks if stack.planes[0].reference == reference]
            grids = [(stack, sample(stack, STEP_MM)) for stack in own]
            cut = _cut(grids)
            cuts[reference] = (cut, _proven(grids, cut))
            for stack, grid in grids:
                value = AIR_HU if stack.modality == "CT" else _background(grid, stack.modality)
                air.update({plane.index: value for plane in stack.planes})
    except UnplacedError:
        raise SafelightError("E-DEID-DEFACE-GEOMETRY", f"{len(paths)} files") from None
    return Defaced(paths, planes, cuts, air)


def covered(plane: Plane, cut: Cut) -> Mask:
    """(rows, columns), which pixels of a plane lie in the cut, by their centres (PS3.3 C.7.6.2.1.1)."""
    i = np.arange(plane.shape[1])[None, :] * plane.spacing[1]
    j = np.arange(plane.shape[0])[:, None] * plane.spacing[0]
    x, y, z = (plane.position[axis] + i * plane.row[axis] + j * plane.column[axis] for axis in range(3))
    return cut.covers(x, y, z)


def without(grid: Grid, cut: Cut, air: float) -> Grid:
    """The sampled volume with the cut made."""
    z, y, x = (grid.axis(axis).astype(np.float64) for axis in range(3))
    taken = cut.covers(x[None, None, :], y[None, :, None], z[:, None, None])
    return Grid(np.where(taken, np.float32(air), grid.values), grid.seen, grid.origin, grid.step)


def _cut(grids: Sequence[tuple[Stack, Grid]]) -> Cut:
    """The cut by the CT in which a brain is found, the one with the most planes first. MR shows no bone, and PET no surface to go by."""
    fit = [(stack, grid) for stack, grid in grids if renderable(stack) and stack.modality == "CT"]
    for _, grid in sorted(fit, key=lambda each: (-len(each[0].planes), each[0].planes[0].index)):
        brain = brain_of(grid)
        if brain is not None:
            return cut_of(grid, brain)
    raise SafelightError("E-DEID-DEFACE-UNPROVEN", "no brain found")


def _proven(grids: Sequence[tuple[Stack, Grid]], cut: Cut) -> float:
    """Look at each volume again: the least share of the face's skin that is gone.

    Raises:
        SafelightError: E-DEID-DEFACE-UNPROVEN.
    """
    least = 1.0
    for stack, before in grids:
        if not renderable(stack):
            continue
        air = AIR_HU if stack.modality == "CT" else 0.0
        level = threshold(before, stack.modality)
        after = without(before, cut, min(air, level - 1))
        body = body_of(after, level)
        old, new = skin_of(before, body_of(before, level), level), skin_of(after, body, level)
        if any(
            is_nose(ridge) and ridge.relief_mm >= NOSE_MM and _is_face_level(before, cut, ridge.z)
            for ridge in ridges(new, NOSE_MM)
        ):
            raise SafelightError("E-DEID-DEFACE-UNPROVEN", "a nose is left")
        z, x = before.axis(0)[:, None], before.axis(2)[None, :]
        face = np.isfinite(old.depth) & (z >= cut.mouth) & (z <= cut.brow) & (np.abs(x - cut.middle) <= _FACE_HALF_MM)
        if int(face.sum()) < _FEWEST_SAMPLES:
            continue
        deeper = np.nan_to_num(new.depth[face], nan=np.inf) - old.depth[face]
        least = min(least, float((deeper >= MOVED_MM).mean()))
    if least < MOVED_SHARE:
        raise SafelightError("E-DEID-DEFACE-UNPROVEN", f"{least:.2f} of the skin moved")
    return least


def _is_face_level(grid: Grid, cut: Cut, z: int) -> bool:
    at = float(grid.axis(0)[z])
    return bool(cut.z[0] - _BELOW_MM <= at <= cut.z[-1])


def _background(grid: Grid, modality: str) -> float:
    """What air is in an MR or PET volume: the median of what is no body, rescaled; 0 where all is body."""
    air = grid.values[grid.seen & ~body_of(grid, threshold(grid, modality))]
    return float(np.median(air)) if air.size else 0.0


def _read(path: Path) -> Dataset:
    content = path.read_bytes()
    with quiet():
        try:
            return dcmread(BytesIO(content))
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - a parser may raise anything on damaged input, with values in its message
            raise SafelightError("E-DEID-DEFACE-GEOMETRY") from None


def _check_syntax(path: Path) -> None:
    dataset = _read(path)
    whole = "PixelData" in dataset and dataset.get("BitsAllocated") in (8, 16, 32) and dataset.get("SamplesPerPixel") == 1
    if str(dataset.file_meta.get("TransferSyntaxUID", "")) not in _NATIVE or not whole:
        raise SafelightError("E-DEID-DEFACE-SYNTAX")


def _words(dataset: Dataset, raw: bytes, frames: int) -> NDArray[Any]:
    """(frames, rows, columns), the stored words as they are in the file, with their unused bits; writable."""
    order = ">" if dataset.file_meta.TransferSyntaxUID == _BIG_ENDIAN else "<"
    kind = np.dtype(f"{order}{'i' if dataset.PixelRepresentation else 'u'}{int(dataset.BitsAllocated) // 8}")
    shape = (frames, int(dataset.Rows), int(dataset.Columns))
    size = int(np.prod(shape))
    if len(raw) < size * kind.itemsize:
        raise SafelightError("E-DEID-DEFACE-GEOMETRY")
    return np.frombuffer(raw, kind, size).reshape(shape).copy()


def _stored(dataset: Dataset, plane: Plane, value: float) -> int:
    """A rescaled value as it is stored, within what BitsStored allows."""
    bits = int(dataset.BitsStored)
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if dataset.PixelRepresentation else (0, (1 << bits) - 1)
    return int(np.clip(round((value - plane.intercept) / plane.slope), low, high))
