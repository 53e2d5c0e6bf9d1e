"""How many classes of series other converters turn into a wrong volume, on the phantom whose voxels state their own positions.

    python -m benchmarks.outcomes [--dcm2niix PATH] [--peer-python PATH]

A class counts as *silently wrong* where a file that was written has a voxel that states another position than the file's affine gives it (by
more than the phantom's rounding and 0.1 mm), and the tool said nothing; as *wrong, said* where it printed a warning; as *refused* where it
wrote nothing; else as *right*. Classes of projections, of text and of unreadable files have no positions and are left out.
The Python of `--peer-python` has dicom2nifti and SimpleITK; a peer that is not there is left out.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import nibabel
import numpy as np

from tests.tasks.volumes.classes import CLASSES, Class
from tests.tasks.volumes.made import WEIGHTS, save
from tests.tasks.volumes.phantom import run

#: Where values say no position, or where there is nothing that any tool could read.
_WITHOUT = (
    "PET", "CR", "DX", "mammograms", "ultrasound", "XA", "no positions", "values that leave",
    "colour among", "a table instead", "without a rescale", "more bits",
)  # fmt: skip
Tool = Callable[[Path, Path], str]


def misplaced(file: Path) -> bool:
    """Whether a voxel states another position than the affine gives it, or the values of one volume are of two stacks."""
    image = nibabel.load(file)
    voxels = np.asarray(image.dataobj, np.float64)
    if voxels.ndim < 3:
        voxels = voxels.reshape(*voxels.shape, *[1] * (3 - voxels.ndim))
    voxels = voxels.reshape(*voxels.shape[:3], -1)
    index = np.stack(np.meshgrid(*(np.arange(n) for n in voxels.shape[:3]), indexing="ij"), axis=-1)
    lps = nibabel.affines.apply_affine(image.affine, index) * [-1, -1, 1]
    above = voxels - (lps @ WEIGHTS)[..., None]
    middle = np.median(above, axis=(0, 1, 2), keepdims=True)
    return bool(np.abs(above - middle).max() > 1.0 + 0.1 * np.abs(WEIGHTS).sum())


def dcm2niix(program: str) -> Tool:
    """dcm2niix; its tilted output is judged as it is."""

    def convert(source: Path, target: Path) -> str:
        done = subprocess.run(
            [program, "-z", "n", "-f", "%s_%p", "-o", str(target), str(source)], capture_output=True, text=True, check=False
        )
        return done.stdout + done.stderr

    return convert


def by_python(python: str, code: str) -> Tool:
    """A few lines of another package."""

    def convert(source: Path, target: Path) -> str:
        done = subprocess.run([python, "-c", code, str(source), str(target)], capture_output=True, text=True, check=False)
        return done.stderr

    return convert


DICOM2NIFTI = (
    "import sys,logging,dicom2nifti\n"
    "logging.disable(50)\n"
    "dicom2nifti.convert_directory(sys.argv[1],sys.argv[2],compression=False,reorient=False)"
)
SIMPLEITK = (
    "import sys,SimpleITK as s\n"
    "for k,i in enumerate(s.ImageSeriesReader.GetGDCMSeriesIDs(sys.argv[1])):\n"
    " r=s.ImageSeriesReader();r.SetFileNames(s.ImageSeriesReader.GetGDCMSeriesFileNames(sys.argv[1],i))\n"
    " s.WriteImage(r.Execute(),f'{sys.argv[2]}/{k}.nii')"
)


def judged(tool: Tool, case: Class, folder: Path) -> str:
    """What a tool makes of a class."""
    source, target = save(folder / "dicom", case.make()), folder / "out"
    target.mkdir()
    said = tool(source, target)
    files = [file for file in target.rglob("*.nii*") if file.is_file()]
    if not files:
        return "refused"
    if not any(misplaced(file) for file in files):
        return "right"
    return "wrong, said" if "warn" in said.lower() or "error" in said.lower() else "silently wrong"


def ours(case: Class, folder: Path) -> str:
    """What this project makes of it; resampled voxels outside of the source say nothing."""
    ran = run(folder, case.make(), case.settings)
    files = [
        folder / "lake" / row["path"]
        for row in ran.rows
        if row["path"] and row["status"] == "converted" and row["affine"] is not None
    ]
    return "silently wrong" if any(misplaced(file) for file in files) else "right" if files else "refused"


def main(given: Sequence[str] | None = None) -> None:
    """Judge every tool on every class."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dcm2niix", default=shutil.which("dcm2niix"))
    parser.add_argument("--peer-python")
    said = parser.parse_args(given)
    tools: dict[str, Callable[[Class, Path], str]] = {"Safelight": ours}
    peers = {"dcm2niix": dcm2niix(said.dcm2niix)} if said.dcm2niix else {}
    if said.peer_python:
        peers |= {"dicom2nifti": by_python(said.peer_python, DICOM2NIFTI), "SimpleITK": by_python(said.peer_python, SIMPLEITK)}
    tools |= {name: (lambda case, folder, tool=tool: judged(tool, case, folder)) for name, tool in peers.items()}
    cases = {name: case for name, case in CLASSES.items() if not any(part in name for part in _WITHOUT)}
    wrong: dict[str, list[str]] = {}
    for tool, judge in tools.items():
        counted: Counter[str] = Counter()
        for name, case in cases.items():
            with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                end = judge(case, Path(folder))
            counted[end] += 1
            if end == "silently wrong":
                wrong.setdefault(tool, []).append(name)
        print(f"{tool:12s}" + "  ".join(f"{end} {counted[end]}" for end in ("right", "refused", "wrong, said", "silently wrong")))
    for tool, names in wrong.items():
        print(f"\n{tool}, silently wrong: {'; '.join(names)}")


if __name__ == "__main__":
    main()
