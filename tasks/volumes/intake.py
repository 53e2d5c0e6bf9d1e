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
from functools import cached_property
from hashlib import sha256
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

from pydicom import Dataset, config, dcmread

from data_contracts.contract import PATIENT_PATTERN, UID_PATTERN
from tasks.dicom import instances
from tasks.dicom.fields import Fields
from tasks.dicom.headers import word
from tasks.errors import SafelightError


@dataclass(frozen=True)
class Instance:
    """A released instance.

    Attributes:
        header: reads like a pydicom data set without pixels; sequences are read when they are asked for.
        file: where it is.
        lake_path: its path in the lake, where it has one.
        source: the file taken apart; None where it is damaged behind its header, so that its series cannot be converted.
    """

    header: Any
    file: Path
    lake_path: str | None
    source: instances.Instance | None

    @cached_property
    def whole(self) -> Dataset:
        """All of its header, as pydicom reads it."""
        return self.header if self.source is None else self.source.header()

    @cached_property
    def syntax(self) -> str | None:
        """Its transfer syntax UID."""
        return word(self.header.file_meta, "TransferSyntaxUID") if self.source is None else self.source.syntax

    @cached_property
    def key(self) -> str:
        """Its SOPInstanceUID."""
        return word(self.header, "SOPInstanceUID") or ""


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


def read(file: Path, lake_path: str | None = None) -> Instance | None:
    """A file, or None where it cannot be read as PS3.10."""
    try:
        # What cannot be opened is the machine's fault, and passes: the study is tried again.
        source = instances.read(file).bare()
        return Instance(Fields(source), file, lake_path, source)
    except SafelightError:
        content = file.read_bytes()
    with warnings.catch_warnings(), config.disable_value_validation():
        warnings.simplefilter("ignore")
        try:
            return Instance(dcmread(BytesIO(content), stop_before_pixels=True), file, lake_path, None)
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
        instance = read(file, lake_path)
        if instance is None or (reason := _fault(instance.header, study_key)):
            reason = "E-VOLUME-NOT-DICOM" if instance is None else reason
            ends.append(("rejected", reason))
            refuse(PurePosixPath(lake_path).parent.name if lake_path is not None else "", reason)
            refuse("" if instance is None else word(instance.header, "SeriesInstanceUID") or "", reason)
            continue
        by_key[instance.key].append(instance)
        if instance.source is None:
            refuse(_series(instance), "E-VOLUME-DECODE")
    series: dict[str, list[Instance]] = defaultdict(list)
    for _, claims in sorted(by_key.items()):
        chosen, more = _one_of(claims)
        ends += more
        if any(outcome == "rejected" for outcome, _ in more):
            for claim in claims:
                refuse(_series(claim), "E-VOLUME-CONFLICT")
        series[_series(chosen)].append(chosen)
    if len({word(instance.header, "PatientID") for members in series.values() for instance in members}) > 1:
        refused.update(dict.fromkeys(series, "E-VOLUME-CONFLICT"))
    return Intake({key: tuple(members) for key, members in sorted(series.items())}, refused, tuple(ends))


def _series(instance: Instance) -> str:
    return word(instance.header, "SeriesInstanceUID") or ""


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
