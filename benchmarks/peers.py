"""Other de-identifiers, each in a Python of its own, so that what they bring does not meet what we bring.

A peer's process is started once and stays: neither its start nor its imports are in a turn. It is asked through a pipe.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

#: Runs in the peer's Python. dicom-anonymizer's own function for a file, with the rules and the edition that it uses by itself.
_DICOM_ANONYMIZER = """
import json, os, sys, warnings
warnings.simplefilter("ignore")
from importlib.metadata import version
from dicomanonymizer.simpledicomanonymizer import anonymize_dicom_file
print(json.dumps(version("dicom-anonymizer")), flush=True)
for line in sys.stdin:
    files, target = json.loads(line)
    for number, file in enumerate(files):
        anonymize_dicom_file(file, os.path.join(target, f"{number}.dcm"))
    print(json.dumps("done"), flush=True)
"""


class PeerMissingError(Exception):
    """The peer cannot be imported by that Python."""


class DicomAnonymizer:
    """`dicom-anonymizer` (PyPI), all private elements deleted, as it does by itself."""

    def __init__(self, python: str) -> None:
        """Start it with the interpreter of an environment that has it; PeerMissingError where it has not."""
        self._process = subprocess.Popen(
            [python, "-c", _DICOM_ANONYMIZER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        try:
            self.name = f"dicom-anonymizer {self._answer()}"
        except PeerMissingError:
            self._process.communicate()
            raise

    def work(self, files: Sequence[Path], target: Path) -> None:
        """De-identify the files, one after the other, into a folder."""
        if self._process.stdin is None:
            raise PeerMissingError
        self._process.stdin.write(json.dumps([[str(file) for file in files], str(target)]) + "\n")
        self._process.stdin.flush()
        self._answer()
        if len(list(target.glob("*.dcm"))) != len(files):
            raise SystemExit("dicom-anonymizer did not write every file: its figures would mean nothing")

    def _answer(self) -> str:
        line = self._process.stdout.readline() if self._process.stdout is not None else ""
        if not line:
            raise PeerMissingError
        return str(json.loads(line))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.communicate()
