"""Other converters of DICOM to .nii.gz, each as its users call it: dcm2niix and pigz as programs, SimpleITK here, dicom2nifti in a Python of its own.

A peer's Python is started once and stays: neither its start nor its imports are in a turn. It is asked through a pipe.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import SimpleITK

#: Runs in the peer's Python.
_DICOM2NIFTI = """
import json, logging, sys, warnings
warnings.simplefilter("ignore")
logging.disable()
import dicom2nifti
from importlib.metadata import version
print(json.dumps(version("dicom2nifti")), flush=True)
for line in sys.stdin:
    source, target = json.loads(line)
    dicom2nifti.dicom_series_to_nifti(source, target, reorient_nifti=False)
    print(json.dumps("done"), flush=True)
"""


class PeerMissingError(Exception):
    """The peer is not on this machine."""


def beside(python: str, name: str) -> str:
    """A program that was installed beside a Python, else the one on the path; PeerMissingError where there is neither."""
    near = Path(python).parent / name
    found = str(near) if os.access(near, os.X_OK) else shutil.which(name)
    if found is None:
        raise PeerMissingError(name)
    return found


def dcm2niix(python: str, *options: str) -> tuple[str, Callable[[Path, Path], object]]:
    """`dcm2niix -z y` without its JSON, with its name and version. It calls pigz where there is one."""
    program = beside(python, "dcm2niix")
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout.split()
    name = next((word for word in said if word.startswith("v1")), "")

    def work(source: Path, target: Path) -> None:
        command = [
            program,
            "-z",
            "y",
            "-b",
            "n",
            *options,
            "-o",
            str(target.parent),
            "-f",
            target.name.removesuffix(".nii.gz"),
            str(source),
        ]
        subprocess.run(command, check=True, capture_output=True)

    return " ".join(["dcm2niix", name, *options]), work


def simpleitk() -> tuple[str, Callable[[Path, Path], object]]:
    """SimpleITK reads a series by GDCM and writes it compressed, at its default level."""

    def work(source: Path, target: Path) -> None:
        reader = SimpleITK.ImageSeriesReader()
        reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(source)))
        SimpleITK.WriteImage(reader.Execute(), str(target), useCompression=True)

    return f"SimpleITK {SimpleITK.Version_VersionString()}", work


def dicom2nifti(python: str) -> tuple[str, Callable[[Path, Path], object]]:
    """`dicom2nifti`, with no reorientation, in the Python that has it."""
    process = subprocess.Popen(
        [python, "-c", _DICOM2NIFTI], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )

    def answer() -> str:
        line = process.stdout.readline() if process.stdout is not None else ""
        if not line:
            process.communicate()
            raise PeerMissingError("dicom2nifti")
        return str(json.loads(line))

    def work(source: Path, target: Path) -> None:
        if process.stdin is None:
            raise PeerMissingError("dicom2nifti")
        process.stdin.write(json.dumps([str(source), str(target)]) + "\n")
        process.stdin.flush()
        answer()

    return f"dicom2nifti {answer()}", work


def pigz(voxels: Path) -> tuple[str, Callable[[Path, Path], object]]:
    """`pigz -1` of the voxels, whatever they were read from."""
    program = beside("", "pigz")

    def work(source: Path, target: Path) -> None:  # noqa: ARG001 - the voxels are ready
        with target.open("wb") as stream:
            subprocess.run([program, "-1", "-c", str(voxels)], check=True, stdout=stream)

    return "pigz -1, of the voxels", work
