"""Which files of a study may be used: readable, marked as de-identified, keyed by us, and without contradiction.

A file that may not be used gets no row in any table, because its header may hold identifiers; it is counted, and the series
that it names is refused as a whole.
"""

from __future__ import annotations

import re
import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

from pydicom import config, dcmread

from data_contracts.contract import PATIENT_PATTERN, UID_PATTERN
from tasks.dicom.headers import word


@dataclass(frozen=True, slots=True)
class Instance:
    """A released instance: its header (a pydicom data set without pixels), its file, and its lake path where it has one."""

    header: Any
    file: Path
    lake_path: str | None

    @property
    def key(self) -> str:
        """Its SOPInstanceUID."""
        return str(self.header.SOPInstanceUID)


@dataclass(frozen=True, slots=True)
class Intake:
    """What the files of one study are.

    series: usable instances by series key, each in the order of their keys.
    refused: series of which nothing may be converted, by series key, with the reason.
    ends: (outcome, reason code) of each file that is not in `series`: `rejected`, or `duplicate` for a second copy.
    """

    series: Mapping[str, tuple[Instance, ...]]
    refused: Mapping[str, str]
    ends: tuple[tuple[str, str], ...]


def read_header(file: Path, tags: list[str] | None = None) -> Any | None:
    """A file's data set without pixels, or None where it cannot be read as PS3.10."""
    # A file that cannot be opened is the machine's fault: that error passes, and the study is tried again.
    with file.open("rb") as stream, warnings.catch_warnings(), config.disable_value_validation():
        warnings.simplefilter("ignore")
        try:
            return dcmread(stream, stop_before_pixels=True, specific_tags=tags)
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - whatever a parser makes of a damaged file: it is no DICOM that can be used
            return None


def take_in(files: Iterable[tuple[Path, str | None]], study_key: str) -> Intake:
    """Look at a study's files, each with its lake path or None; their order does not matter."""
    by_key: dict[str, list[Instance]] = defaultdict(list)
    refused: dict[str, str] = {}
    ends: list[tuple[str, str]] = []

    def refuse(series: str, reason: str) -> None:
        if re.fullmatch(UID_PATTERN, series):
            refused[series] = min(reason, refused.get(series, reason))

    for file, lake_path in files:
        header = read_header(file)
        if header is None or (reason := _fault(header, study_key)):
            reason = "E-VOLUME-NOT-DICOM" if header is None else reason
            ends.append(("rejected", reason))
            refuse(PurePosixPath(lake_path).parent.name if lake_path is not None else "", reason)
            refuse("" if header is None else word(header, "SeriesInstanceUID") or "", reason)
        else:
            by_key[str(header.SOPInstanceUID)].append(Instance(header, file, lake_path))
    series: dict[str, list[Instance]] = defaultdict(list)
    for _, claims in sorted(by_key.items()):
        chosen, more = _one_of(claims)
        ends += more
        if any(outcome == "rejected" for outcome, _ in more):
            for claim in claims:
                refuse(str(claim.header.SeriesInstanceUID), "E-VOLUME-CONFLICT")
        series[str(chosen.header.SeriesInstanceUID)].append(chosen)
    if len({str(instance.header.PatientID) for members in series.values() for instance in members}) > 1:
        refused.update(dict.fromkeys(series, "E-VOLUME-CONFLICT"))
    return Intake({key: tuple(members) for key, members in sorted(series.items())}, refused, tuple(ends))


def _fault(header: Any, study_key: str) -> str:
    """Why an instance may not be used: empty where it says that it is de-identified, and its keys are of our making."""
    if word(header, "PatientIdentityRemoved") != "YES":
        return "E-VOLUME-IDENTIFIED"
    uids = [word(header, keyword) or "" for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")]
    ours = re.fullmatch(PATIENT_PATTERN, word(header, "PatientID") or "") and all(re.fullmatch(UID_PATTERN, uid) for uid in uids)
    return "" if ours and uids[0] == study_key else "E-VOLUME-FOREIGN-KEYS"


def _one_of(claims: list[Instance]) -> tuple[Instance, list[tuple[str, str]]]:
    """The instance among all files of one SOPInstanceUID that gets the row, and the ends of the others."""
    if len(claims) == 1:
        return claims[0], []
    by_content = sorted((sha256(claim.file.read_bytes()).hexdigest(), str(claim.file), claim) for claim in claims)
    first = by_content[0]
    ends = [("duplicate", "") if content == first[0] else ("rejected", "E-VOLUME-CONFLICT") for content, _, _ in by_content[1:]]
    return first[2], ends
