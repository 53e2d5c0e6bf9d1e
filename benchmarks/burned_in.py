"""How much burned-in text is found, by size and contrast, how many clean frames are touched, and how long a series takes.

    python -m benchmarks.burned_in [--lines 2] [--clean 1] [--slices 200] [--kinds CT MR PT US DX SC]

On generated pictures (`benchmarks/burned_in_pictures.py`), with the look that the stage takes at a single frame. A line counts as found when
95 % of the pixels of its letters lie inside boxes. `--lines`: how many lines a size, contrast and kind; `--clean`: how many times the 1,030
clean frames (0: none). The contrast is a part of the kind's whole range; the second figure of a kind is its noise on the same scale.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from benchmarks.burned_in_pictures import KINDS, NOISE, RANGE, SHAPES, clean, line, stored, written
from tasks.deid.burned_in.frames import picture
from tasks.deid.burned_in.letters import lines
from tasks.deid.burned_in.looking import look
from tasks.deid.burned_in.policy import PixelPolicy

SIZES = (7, 9, 12, 16, 24)
CONTRASTS = (0.5, 0.25, 0.12, 0.06, 0.03)
#: How many clean frames of each kind: 1,030 in all.
CLEAN = {"CT": 150, "MR": 350, "PT": 400, "US": 60, "DX": 10, "SC": 60}
POLICY = PixelPolicy()


def recall(kind: str, size: int, contrast: float, count: int) -> int:
    """How many of so many lines are found on pictures of a kind."""
    found = 0
    for seed in range(count):
        text = line(SHAPES[kind], size, seed)
        seen = lines(picture(stored(kind, written(kind, clean(kind, seed), text, contrast))), POLICY.threshold)
        found += text.share_covered(seen) >= 0.95
    return found


def touched(kind: str, first: int, count: int) -> int:
    """How many of so many clean pictures of a kind get a box."""
    return sum(bool(lines(picture(stored(kind, clean(kind, seed))), POLICY.threshold)) for seed in range(first, first + count))


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
    parser.add_argument("--lines", type=int, default=2)
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
    for kind in said.kinds:
        if said.lines:
            print(f"\n{kind} (noise {NOISE[kind] / RANGE[kind]:.3f}): lines found of {said.lines}, by size (down) and contrast")
            print("      " + "".join(f"{contrast:>6}" for contrast in CONTRASTS), flush=True)
        for size in SIZES if said.lines else ():
            counts = [recall(kind, size, contrast, 1 if kind == "DX" else said.lines) for contrast in CONTRASTS]
            print(f"{size:>4}  " + "".join(f"{count:>6}" for count in counts), flush=True)
    wrong = np.zeros(2, int)
    for kind in said.kinds if said.clean else ():
        count = CLEAN[kind] * said.clean
        for first in range(0, count, 50):
            part = min(50, count - first)
            counted = np.array([touched(kind, 1000 + first, part), part])
            wrong += counted
            print(f"clean {kind}: {counted[0]} of {counted[1]} touched", flush=True)
    if wrong[1]:
        print(f"clean frames touched: {wrong[0]} of {wrong[1]} ({wrong[0] / wrong[1]:.2%})")


if __name__ == "__main__":
    main()
