"""The factor from a PET series' values to standardised uptake values by body weight, where every input is there.

SUVbw = activity concentration (Bq/ml) × body weight (g) / dose at the time that the images are corrected to (Bq). The steps are those of the QIBA
FDG-PET profile and its published pseudo-code ("happy path" for BQML with decay correction to the series' start or to administration).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from pydicom import Dataset

from tasks.dicom.headers import number, positive, value, word
from tasks.volumes.frames import Frame

_PHILIPS = (0x7053, "Philips PET Private Group", 0x00)


def factor(frames: Sequence[Frame]) -> tuple[float | None, str]:
    """The factor in g/ml per unit, and the keyword of the first input that is missing (empty where there is a factor).

    Values that are SUV by body weight already (Units GML) have the factor 1; Philips' own factor is used where Units is CNTS.
    """
    frame = frames[0]
    header = frame.instance.whole
    units = word(header, "Units")
    if units == "GML":
        kind = word(header, "SUVType")
        return (1.0, "") if kind in {None, "BW"} else (None, "SUVType")
    if units == "CNTS":
        stated = frame.instance.header.private(*_PHILIPS)
        return (float(stated), "") if isinstance(stated, float) and stated > 0 else (None, "Units")
    if units != "BQML":
        return None, "Units"
    corrected = set((word(header, "CorrectedImage") or "").split("\\"))
    if not {"ATTN", "DECY"} <= corrected:
        return None, "CorrectedImage"
    sequence = value(header, "RadiopharmaceuticalInformationSequence")
    drug = sequence[0] if sequence else Dataset()
    dose, half_life, weight = (
        number(drug, "RadionuclideTotalDose"),
        number(drug, "RadionuclideHalfLife"),
        positive(header, "PatientWeight"),
    )
    for found, keyword in ((dose, "RadionuclideTotalDose"), (half_life, "RadionuclideHalfLife"), (weight, "PatientWeight")):
        if not found or found <= 0:
            return None, keyword
    decay = word(header, "DecayCorrection")
    if decay == "ADMIN":
        left = float(dose or 0)
    elif decay == "START":
        if (missing := _not_the_start(frames, header)) is not None:
            return None, missing
        waited = _waited(header, drug)
        if waited is None:
            return None, "RadiopharmaceuticalStartTime" if _start(drug, header) is None else "SeriesTime"
        left = float(dose or 0) * math.exp(-math.log(2) * waited.total_seconds() / float(half_life or 1))
    else:
        return None, "DecayCorrection"
    return float(weight or 0) * 1000 / left, ""


def _not_the_start(frames: Sequence[Frame], header: Dataset) -> str | None:
    """What keeps the series' time from being the one that images are corrected to, or None.

    A series that was computed later than its images were taken states the time of the computation.
    """
    scan = _moment(word(header, "SeriesDate"), word(header, "SeriesTime"))
    for frame in frames:
        date, time = word(frame.header, "AcquisitionDate") or word(header, "SeriesDate"), word(frame.header, "AcquisitionTime")
        taken = _moment(date, time)
        if taken is None:
            return "AcquisitionTime"
        if scan is not None and taken < scan:
            return "SeriesTime"
    return None


def _waited(header: Dataset, drug: Dataset) -> timedelta | None:
    """From administration to the start of the series; None where either is not known to the second, or they contradict each other."""
    start, scan = _start(drug, header), _moment(word(header, "SeriesDate"), word(header, "SeriesTime"))
    if start is None or scan is None:
        return None
    waited = scan - start
    if word(drug, "RadiopharmaceuticalStartDateTime") is None and waited < timedelta(0):
        waited += timedelta(days=1)  # administered before midnight
    return waited if timedelta(0) <= waited < timedelta(days=1) else None


def _start(drug: Dataset, header: Dataset) -> datetime | None:
    whole = word(drug, "RadiopharmaceuticalStartDateTime")
    if whole is not None:
        return _moment(whole[:8], whole[8:])
    return _moment(word(header, "SeriesDate"), word(drug, "RadiopharmaceuticalStartTime"))


def _moment(date: str | None, time: Any) -> datetime | None:
    match = re.match(r"(\d{8})(\d{6})", f"{date or ''}{time or ''}") if len(date or "") == 8 else None
    try:
        return datetime.strptime(match[1] + match[2], "%Y%m%d%H%M%S") if match else None
    except ValueError:
        return None
