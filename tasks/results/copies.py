"""De-identified copies of a result's objects for the lake: the same objects, built anew from the lake's own images, and searched before they go."""

from __future__ import annotations

import io
from collections.abc import Sequence

from pydicom.dataset import Dataset

from tasks.errors import SafelightError
from tasks.lake import Lake
from tasks.results.headers import Headers, read

#: Whose values must not be found in a copy; shorter ones than this prove nothing.
_IDENTIFYING = (
    "PatientName", "PatientID", "PatientBirthDate", "AccessionNumber", "ReferringPhysicianName", "StudyInstanceUID", "SeriesInstanceUID",
    "SOPInstanceUID", "FrameOfReferenceUID",
)  # fmt: skip
_LEAST = 4


def lake_headers(lake: Lake, study_key: str, wanted: Sequence[str]) -> Headers:
    """Headers of the lake's images by their SOPInstanceUIDs.

    Args:
        lake: that holds them.
        study_key: their study.
        wanted: SOPInstanceUIDs; empty for all of the study.

    Raises:
        SafelightError: E-RETURN-STALE where one is not published.
    """
    published = lake.manifest("deidentify", study_key)
    files = (
        {name.rpartition("/")[2].removesuffix(".dcm"): name for name in published.files if name.endswith(".dcm")}
        if published
        else {}
    )
    names = set(wanted) or set(files)  # of a study that was not read
    if not names <= set(files):
        raise SafelightError("E-RETURN-STALE", f"study {study_key}: images that are not in the lake")
    with lake.local([files[name] for name in sorted(names)]) as local:
        return {name: read(local[files[name]]) for name in sorted(names)}


def encoded(made: Dataset) -> bytes:
    """An object as a DICOM file (PS3.10)."""
    stream = io.BytesIO()
    made.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def residue(content: bytes, originals: Sequence[Dataset]) -> list[str]:
    """Keywords of the originals whose values a file holds: none may be.

    Args:
        content: the file.
        originals: the headers that it was not made of.
    """
    found = set()
    for image in originals:
        for keyword in _IDENTIFYING:
            value = str(image.get(keyword, "") or "")
            parts = {value, *value.replace("=", "^").split("^")} if keyword.endswith("Name") else {value}
            if any(len(part) >= _LEAST and part.encode() in content for part in parts):
                found.add(keyword)
    return sorted(found)
