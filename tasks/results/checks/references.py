"""Every object that is named exists: in the evidence of the report, and in the study; and every UID is one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydicom.dataset import Dataset

from tasks.pacs.uids import is_uid
from tasks.results.checks.template import items

Reference = tuple[str, str]


def problems(made: Dataset, images: Sequence[Dataset], beside: Sequence[Dataset]) -> list[str]:
    """References of an object that lead nowhere, and UIDs that are none."""
    known = {_reference(each): str(each.SeriesInstanceUID) for each in (*images, *beside)}
    return _names(made, images) + _of_report(made, known) + _of_picture(made, known)


def _names(made: Dataset, images: Sequence[Dataset]) -> list[str]:
    """UIDs, and whose the object is."""
    found = []
    for element in made.iterall():
        values = element.value if element.VM > 1 else [element.value]
        if element.VR == "UI" and element.value and not all(is_uid(str(value)) for value in values):
            found.append(f"{element.keyword}: not a UID")
    for keyword in ("StudyInstanceUID", "PatientID", "PatientName"):
        if {str(made.get(keyword, ""))} != {str(image.get(keyword, "")) for image in images}:
            found.append(f"{keyword}: not that of the images")
    if str(made.get("SOPInstanceUID", "")) != str(made.file_meta.MediaStorageSOPInstanceUID):
        found.append("SOPInstanceUID: not that of the file")
    return found


def _of_report(made: Dataset, known: dict[Reference, str]) -> list[str]:
    """Its evidence, what its content names, and what it replaces."""
    found = []
    evidence = list(_evidence(made))
    for reference, series, study in evidence:
        if known.get(reference) != series or study != str(made.get("StudyInstanceUID", "")):
            found.append("evidence: an object that is not in the study")
    listed = {reference for reference, _, _ in evidence}
    for item in items(made):
        for named in item.get("ReferencedSOPSequence") or ():
            if (str(named.get("ReferencedSOPClassUID", "")), str(named.get("ReferencedSOPInstanceUID", ""))) not in listed:
                found.append("content: an object that is not in the evidence")
    for document in made.get("PredecessorDocumentsSequence") or ():
        if "StudyInstanceUID" not in document or not all(all(each) for each in _of_series(document)):
            found.append("PredecessorDocumentsSequence: names no document")
    return found


def _of_picture(made: Dataset, known: dict[Reference, str]) -> list[str]:
    """The images that a segmentation or a presentation state lists by series."""
    found = []
    keyword = {"SEG": "ReferencedInstanceSequence", "PR": "ReferencedImageSequence"}.get(str(made.get("Modality", "")))
    for series in made.get("ReferencedSeriesSequence") or () if keyword is not None else ():
        for item in series.get(keyword) or ():
            named = (str(item.get("ReferencedSOPClassUID", "")), str(item.get("ReferencedSOPInstanceUID", "")))
            if known.get(named) != str(series.get("SeriesInstanceUID", "")):
                found.append(f"{keyword}: an image that is not in the study")
    for item in made.get("SourceImageSequence") or ():
        if (str(item.get("ReferencedSOPClassUID", "")), str(item.get("ReferencedSOPInstanceUID", ""))) not in known:
            found.append("SourceImageSequence: an image that is not in the study")
    return found


def _evidence(made: Dataset) -> Iterator[tuple[Reference, str, str]]:
    for study in made.get("CurrentRequestedProcedureEvidenceSequence") or ():
        for reference, series in _of_series(study):
            yield reference, series, str(study.get("StudyInstanceUID", ""))


def _of_series(item: Dataset) -> Iterator[tuple[Reference, str]]:
    for series in item.get("ReferencedSeriesSequence") or ():
        for each in series.get("ReferencedSOPSequence") or ():
            yield (
                (str(each.get("ReferencedSOPClassUID", "")), str(each.get("ReferencedSOPInstanceUID", ""))),
                str(series.get("SeriesInstanceUID", "")),
            )


def _reference(made: Dataset) -> Reference:
    return str(made.SOPClassUID), str(made.SOPInstanceUID)
