"""What a file of the hospital's says of its studies: which first reads are final (CSV, HL7 ORU^R01), and clinical facts (CSV).

Files are taken whole or not at all: one wrong line, and nothing of the file counts.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Literal

from tasks.delivery import hl7
from tasks.errors import SafelightError

Kind = Literal["first_read", "clinical"]

#: HL7 table 0123 without the codes for queries: what OBR-25 may say of a report. F and C: it is final, and corrected since.
STATUSES = frozenset("OISAPCRFXMN")
_KEYS = ("AccessionNumber", "StudyInstanceUID")
_COLUMNS: Mapping[Kind, tuple[str, ...]] = {
    "first_read": ("status", "at"),
    "clinical": ("at", "age_years", "risk", "immunosuppressed", "known_cancer", "screening"),
}
_YES_NO = {"yes": True, "no": False}
#: Observations that name the study (DICOM PS3.16, annex D: Study Instance UID; IHE: DICOM Study).
_STUDY_UID_CODES = {"110180", "113014"}


@dataclass(frozen=True, slots=True)
class Saying:
    """One statement about one study. Identified: it stays in the vault.

    `said`: `{"status": "F"}` of a first read, facts of a patient otherwise. `said_at`: seconds since the epoch, when it became true; None
    where the file does not tell. `id`: the same for the same statement of the same file, read as often as one likes.
    """

    id: str
    kind: Kind
    accession_number: str
    study_instance_uid: str
    patient_ids: tuple[str, ...]
    said: Mapping[str, Any]
    said_at: float | None


def read(name: str, content: bytes, zone: tzinfo, accession: Sequence[str]) -> list[Saying]:
    """All statements of a file.

    Args:
        name: of the file: `finals*.csv`, `clinical*.csv` or `*.hl7`.
        content: its bytes.
        zone: of times that name none.
        accession: where OBR has the AccessionNumber, the first that is not empty: `OBR-18`, `OBR-3`.

    Raises:
        SafelightError: E-DELIVER-FILE, E-DELIVER-COLUMN, E-DELIVER-VALUE, E-DELIVER-HL7, E-DELIVER-HL7-TYPE, E-DELIVER-HL7-KEY. Their places
            name lines, columns and fields.
    """
    digest = hashlib.sha256(content).hexdigest()
    if name.endswith(".hl7"):
        return list(_reports(content, digest, zone, accession))
    for prefix, kind in (("finals", "first_read"), ("clinical", "clinical")):
        if name.startswith(prefix) and name.endswith(".csv"):
            return list(_rows(content, digest, kind, zone))  # type: ignore[arg-type] # mypy widens the literals of a tuple
    raise SafelightError("E-DELIVER-FILE")


def _reports(content: bytes, digest: str, zone: tzinfo, accession: Sequence[str]) -> Iterator[Saying]:
    """A statement for each OBR of each message."""
    for number, message in enumerate(hl7.messages(content), start=1):
        place = f"message {number}"
        if (message.header.field(9, 1), message.header.field(9, 2)) != ("ORU", "R01"):
            raise SafelightError("E-DELIVER-HL7-TYPE", place)
        patient = tuple(value for each in message.segments if each.name == "PID" for value in each.repetitions(3) if value)
        orders = [place for place, segment in enumerate(message.segments) if segment.name == "OBR"]
        if not orders:
            raise SafelightError("E-DELIVER-HL7", f"{place}: no OBR")
        for at, until in zip(orders, [*orders[1:], len(message.segments)], strict=True):
            order = message.segments[at]
            status = order.field(25)
            if status not in STATUSES or not status:
                raise SafelightError("E-DELIVER-HL7", f"{place}: OBR-25")
            named = (order.field(int(field.removeprefix("OBR-"))) for field in accession)
            number_of_order = next((value for value in named if value), "")
            uid = _study_uid(message.segments[at:until], alone=len(orders) == 1)
            if not number_of_order and not uid:
                raise SafelightError("E-DELIVER-HL7-KEY", place)
            stamp = order.field(22) or message.header.field(7)
            said_at = hl7.moment(stamp, zone)
            if said_at is None:
                raise SafelightError("E-DELIVER-HL7", f"{place}: OBR-22, MSH-7")
            yield _saying(digest, f"{number}.{at}", "first_read", number_of_order, uid, patient, {"status": status}, said_at)


def _study_uid(segments: Sequence[hl7.Segment], *, alone: bool) -> str:
    """The StudyInstanceUID that an order's observations, or the message's ZDS segment, name; empty where none does."""
    for segment in segments:
        if segment.name == "OBX" and segment.field(3) in _STUDY_UID_CODES:
            return segment.field(5)
        if segment.name == "ZDS" and alone:
            return segment.field(1)
    return ""


def _rows(content: bytes, digest: str, kind: Kind, zone: tzinfo) -> Iterator[Saying]:
    """A statement for each row of a table."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SafelightError("E-DELIVER-VALUE", "the file is not UTF-8") from None
    first = text.split("\n", 1)[0]
    reader = csv.DictReader(io.StringIO(text), delimiter=";" if ";" in first else ",", strict=True)
    names = [str(name).strip() for name in reader.fieldnames or ()]
    unknown = set(names) - {*_KEYS, "PatientID", *_COLUMNS[kind]}
    if unknown or len(set(names)) < len(names) or not set(names) & set(_KEYS):
        raise SafelightError("E-DELIVER-COLUMN", f"allowed: {', '.join((*_KEYS, 'PatientID', *_COLUMNS[kind]))}")
    reader.fieldnames = names
    try:
        for number, row in enumerate(reader, start=2):
            if None in row or None in row.values():
                raise SafelightError("E-DELIVER-VALUE", f"row {number}: not as many values as columns")
            values = {name: value.strip() for name, value in row.items()}
            key, uid = values.get("AccessionNumber", ""), values.get("StudyInstanceUID", "")
            if not key and not uid:
                raise SafelightError("E-DELIVER-VALUE", f"row {number}: no key")
            said = _status(values, number) if kind == "first_read" else _facts(values, number)
            patient = (values["PatientID"],) if values.get("PatientID") else ()
            yield _saying(digest, str(number), kind, key, uid, patient, said, _at(values.get("at", ""), zone, number))
    except csv.Error:
        raise SafelightError("E-DELIVER-VALUE", "the file is no CSV") from None


def _status(values: Mapping[str, str], number: int) -> dict[str, Any]:
    status = values.get("status", "") or "F"
    if status not in STATUSES:
        raise SafelightError("E-DELIVER-VALUE", f"row {number}: status")
    return {"status": status}


def _facts(values: Mapping[str, str], number: int) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for name in _COLUMNS["clinical"][1:]:
        value = values.get(name, "")
        if not value:
            continue
        if name == "age_years":
            said[name] = int(value) if value.isascii() and value.isdigit() and int(value) < 130 else None
        elif name == "risk":
            said[name] = value if value in {"low", "high"} else None
        else:
            said[name] = _YES_NO.get(value)
        if said[name] is None:
            raise SafelightError("E-DELIVER-VALUE", f"row {number}: {name}")
    return said


def _at(text: str, zone: tzinfo, number: int) -> float | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise SafelightError("E-DELIVER-VALUE", f"row {number}: at") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()


def _saying(
    digest: str, place: str, kind: Kind, key: str, uid: str, patient: tuple[str, ...], said: Mapping[str, Any], at: float | None
) -> Saying:
    unique = hashlib.sha256(json.dumps([digest, place]).encode()).hexdigest()
    return Saying(unique, kind, key, uid, patient, said, at)
