"""How much burned-in text is found, by size and contrast, how many clean frames are touched, and how long a series takes.

    python -m benchmarks.burned_in [--pictures 2] [--clean 1] [--slices 200] [--kinds CT MR PT US DX SC MG XA]

On generated pictures (`benchmarks/burned_in_pictures.py`), with the look that the stage takes at a single frame. A line counts as found when
95 % of the pixels of its letters lie inside boxes. `--pictures`: how many pictures a size, contrast and kind, each with up to six lines that
do not touch; `--clean`: how many times the 1,000 clean frames (0: none). The contrast is a part of the kind's whole range; the figure beside a
kind is its noise on the same scale; beside the whole stands how many are found of those that can be read (`benchmarks/legibility.py`), and what
the network of PP-OCRv4 finds alone, as the stage once looked. Seeds below
30,000 were used for tuning, and are not used here. Intervals are Wilson's, 95 %.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from benchmarks.burned_in_pictures import KINDS, NOISE, RANGE, SHAPES, Line, clean, line, stored, written
from benchmarks.legibility import is_legible
from tasks.deid.burned_in import letters
from tasks.deid.burned_in.box import Box
from tasks.deid.burned_in.looking import look
from tasks.deid.burned_in.policy import PixelPolicy
from tasks.deid.burned_in.searching import lines
from tasks.evaluation.proportions import wilson

SIZES = (7, 9, 12, 16, 24)
CONTRASTS = (0.5, 0.25, 0.12, 0.06, 0.03)
#: How many clean frames of each kind: 1,000 in all.
CLEAN = {"CT": 140, "MR": 300, "PT": 340, "US": 60, "DX": 40, "SC": 60, "MG": 20, "XA": 40}
#: The first seed of what is measured; those below it were used for tuning.
FIRST = 30000
POLICY = PixelPolicy()


def apart(shape: tuple[int, int], size: int, seed: int, most: int = 6) -> list[Line]:
    """Lines of one size on one picture, none near another."""
    chosen: list[Line] = []
    taken = np.zeros(shape, bool)
    for number in range(60):
        candidate = line(shape, size, seed * 1000 + number)
        rows, columns = (np.flatnonzero((candidate.ink > 0).any(axis)) for axis in (1, 0))
        around = np.s_[max(0, rows[0] - size) : rows[-1] + size, max(0, columns[0] - 2 * size) : columns[-1] + 2 * size]
        if not taken[around].any():
            taken[around] = True
            chosen.append(candidate)
        if len(chosen) == most:
            break
    return chosen


@dataclass(frozen=True)
class Recall:
    """How many lines are found, of how many, and the same of those that can be read by one who is told where they are."""

    found: int = 0
    lines: int = 0
    legible_found: int = 0
    legible: int = 0

    def __add__(self, other: Recall) -> Recall:
        return Recall(*map(sum, zip(astuple(self), astuple(other), strict=True)))


Seek = Callable[[NDArray[Any], float], tuple[Box, ...]]


def recall(
    kind: str, size: int, contrast: float, pictures: int, first: int = FIRST, seekers: Sequence[Seek] = (lines,)
) -> list[Recall]:
    """How many lines each seeker finds on so many pictures of a kind; without any, by what the stage looks with."""
    counts = [Recall() for _ in seekers]
    for seed in range(first, first + pictures):
        ground = clean(kind, seed)
        lines_on_it = apart(ground.shape[:2], size, seed)
        for each in lines_on_it:
            ground = written(kind, ground, each, contrast)
        picture = stored(kind, ground)
        legible = [is_legible(picture, each) for each in lines_on_it]
        for number, seek in enumerate(seekers):
            seen = seek(picture, POLICY.threshold)
            found = [each.share_covered(seen) >= 0.95 for each in lines_on_it]
            both = sum(each and other for each, other in zip(found, legible, strict=True))
            counts[number] += Recall(sum(found), len(found), both, sum(legible))
    return counts


def alone(picture: NDArray[Any], threshold: float) -> tuple[Box, ...]:
    """What PP-OCRv4's network finds, all that it is sure enough of."""
    return tuple(each.box for each in letters.lines(picture, threshold))


def touched(kind: str, first: int, count: int) -> int:
    """How many of so many clean pictures of a kind get a box."""
    return sum(bool(lines(stored(kind, clean(kind, seed)), POLICY.threshold)) for seed in range(first, first + count))


def interval(part: int, whole: int) -> str:
    """Wilson's interval of a proportion, as percentages."""
    if not whole:
        return "none"
    low, high = wilson(part, whole, 0.95)
    return f"{100 * part / whole:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def series(folder: Path, slices: int) -> list[Path]:
    """A CT series of the size of a real one, on disk."""
    made: list[Path] = []
    drawn = [stored("CT", clean("CT", seed)).tobytes() for seed in range(4)]
    for number in range(slices):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = CTImageStorage, ExplicitVRLittleEndian
        meta.MediaStorageSOPInstanceUID = f"1.2.3.{number + 1}"
        slice_ = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        slice_.SOPClassUID, slice_.SOPInstanceUID = CTImageStorage, f"1.2.3.{number + 1}"
        slice_.Modality, slice_.ImageType, slice_.Manufacturer = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"], "SYNTHETIC"
        slice_.Rows, slice_.Columns = SHAPES["CT"]
        slice_.SamplesPerPixel, slice_.PhotometricInterpretation, slice_.PixelRepresentation = 1, "MONOCHROME2", 1
        slice_.BitsAllocated, slice_.BitsStored, slice_.HighBit = 16, 16, 15
        slice_.PixelData = drawn[number % len(drawn)]
        slice_["PixelData"].VR = "OW"
        made.append(folder / f"{number}.dcm")
        slice_.save_as(made[-1], enforce_file_format=True)
    return made


def main(given: Sequence[str] | None = None) -> None:
    """Measure all three."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=2)
    parser.add_argument("--clean", type=int, default=1)
    parser.add_argument("--slices", type=int, default=200, help="of the series that is timed; 0: none")
    parser.add_argument("--kinds", nargs="*", choices=KINDS, default=list(KINDS))
    said = parser.parse_args(given)
    if said.slices:
        with tempfile.TemporaryDirectory() as folder:
            paths = series(Path(folder), said.slices)
            look(paths[:2], policy=POLICY)
            begun, processor = time.perf_counter(), time.process_time()
            found = look(paths, policy=POLICY)
            print(
                f"a series of {said.slices} CT slices: {time.perf_counter() - begun:.1f} s, of the processor {time.process_time() - processor:.1f} s,"
                f" {sum(map(bool, found.boxes))} touched",
                flush=True,
            )
    for kind in said.kinds if said.pictures else ():
        print(f"\n{kind} (noise {NOISE[kind] / RANGE[kind]:.3f}): lines found, by size (down) and contrast")
        print("      " + "".join(f"{contrast:>9}" for contrast in CONTRASTS), flush=True)
        both, theirs = [Recall()] * len(CONTRASTS), [Recall()] * len(CONTRASTS)
        for size in SIZES:
            row = [recall(kind, size, contrast, said.pictures, seekers=(lines, alone)) for contrast in CONTRASTS]
            both = [done + each for done, (each, _) in zip(both, row, strict=True)]
            theirs = [done + each for done, (_, each) in zip(theirs, row, strict=True)]
            print(f"{size:>4}  " + "".join(f"{f'{each.found}/{each.lines}':>9}" for each, _ in row), flush=True)
        for contrast, seen, other in zip(CONTRASTS, both, theirs, strict=True):
            print(
                f"      {contrast}: {interval(seen.found, seen.lines)}; of {seen.legible} that can be read"
                f" {interval(seen.legible_found, seen.legible)}; PP-OCRv4 alone {interval(other.found, other.lines)}",
                flush=True,
            )
    wrong = np.zeros(2, int)
    for kind in said.kinds if said.clean else ():
        count = CLEAN[kind] * said.clean
        for first in range(0, count, 50):
            part = min(50, count - first)
            counted = np.array([touched(kind, FIRST + first, part), part])
            wrong += counted
            print(f"clean {kind}: {counted[0]} of {counted[1]} touched", flush=True)
    if wrong[1]:
        print(f"clean frames touched: {wrong[0]} of {wrong[1]}: {interval(int(wrong[0]), int(wrong[1]))}")


if __name__ == "__main__":
    main()
