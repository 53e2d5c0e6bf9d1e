"""PS3.15 Table E.1-1: its rows, its options, and one action for each of its codes.

Compound codes (X/Z, X/D, X/Z/D, Z/D, X/Z/U*) leave the choice to the attribute's type in the object's IOD, and plain codes may break an
IOD too. So that an object never becomes less valid than it was, and no attribute stays for no reason:

| type | text, dates, numbers | sequences |
|---|---|---|
| 1, 1C | a dummy value, whatever the code | D, Z: the sequence stays, the rules apply inside; X: removed |
| 2, 2C | emptied where Z or nothing but X is offered, else a dummy | emptied; U*: stays |
| 3, or not of the IOD | removed where X is offered, else emptied (Z) or a dummy (D) | removed |

X/Z/U* keeps the sequence, with new UIDs, where it is Type 1, 1C, 2 or 2C: without the references that it holds other attributes of the
object would be wrong (PS3.3 C.12.2, Common Instance Reference). The table's Z allows a dummy (PS3.15 E.1), so Type 1 with Z is in order. A
sequence has no dummy item, since that would itself need dummies. U is always a new UID. Bulk data are removed.

Where the IOD is not known, the choice is the one that is right for most IODs: dates become dummies where D is offered, other
attributes are emptied where Z is, U* and plain U sequences stay, other sequences are emptied or removed.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from tasks.dicom.vrs import BULK, TEMPORAL

#: remove; empty; dummy value; new UID; the lake's PatientID; a date's year alone; a date moved by the patient's days; retain: verbatim, by an
#: option; keep: as far as the value's VR allows; clean: text token by token; recurse: a sequence stays, the rules apply inside.
Action = Literal["remove", "empty", "dummy", "uid", "patient", "year", "shift", "retain", "keep", "clean", "recurse"]

OPTIONS = (
    "retain_safe_private", "retain_uids", "retain_device_identity", "retain_institution_identity", "retain_patient_characteristics",
    "retain_longitudinal_full_dates", "retain_longitudinal_modified_dates", "clean_descriptors", "clean_structured_content", "clean_graphics",
)  # fmt: skip
_METHODS = "ps3_16_cid_7050_2026d.csv"


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the basic profile's code, and the code (K or C) by option where there is one."""

    basic: str
    options: Mapping[str, str]

    @property
    def clean_descriptors(self) -> bool:
        """Whether the row is protected because people type into it, rather than because it identifies."""
        return "clean_descriptors" in self.options


@cache
def table(edition: str) -> tuple[dict[int, Row], bytes]:
    """The rows of `configs/standards/<edition>.csv` by tag, and the file's content.

    Repeating groups (50xx, 60xx) and the row of private attributes are not among them: they are rules of their own.
    """
    content = files("configs").joinpath("standards", f"{edition}.csv").read_bytes()
    rows = {}
    for entry in csv.DictReader(io.StringIO(content.decode())):
        if re.fullmatch("[0-9A-F]{8}", entry["tag"]):
            rows[int(entry["tag"], 16)] = Row(entry["basic"], {name: entry[name] for name in OPTIONS if entry[name]})
    return rows, content


@cache
def methods() -> dict[str, tuple[str, str]]:
    """Code value and meaning (PS3.16 CID 7050) by option, and those of the profile itself under `basic`."""
    text = files("configs").joinpath("standards", _METHODS).read_text("utf-8")
    return {row["option"]: (row["code"], row["meaning"]) for row in csv.DictReader(io.StringIO(text))}


def resolve(code: str, vr: str, kind: str | None = None) -> Action:
    """One action for a code of the table in an attribute of this VR; the reasons are in the module's description.

    Args:
        code: as the table writes it, such as `X/Z/D`.
        vr: the VR that the attribute is encoded with.
        kind: its type in the object's IOD, at its place: 1, 1C, 2, 2C, empty for Type 3 and for what is not of the IOD; None: unknown.
    """
    choices = frozenset(code.split("/"))
    if choices == {"U"}:
        return "recurse" if vr == "SQ" else "uid"
    if vr in BULK or vr == "UN":
        return "remove"
    if vr == "SQ":
        return _sequence(choices, kind)
    return _unknown(choices, vr) if kind is None else _value(choices, vr, kind)


def _value(choices: frozenset[str], vr: str, kind: str) -> Action:
    if kind in ("1", "1C"):
        return "uid" if vr == "UI" else "dummy"
    if kind in ("2", "2C"):
        return "empty" if "Z" in choices or choices == {"X"} else _dummy(vr)
    if "X" in choices:
        return "remove"
    return "empty" if "Z" in choices else _dummy(vr)


def _sequence(choices: frozenset[str], kind: str | None) -> Action:
    if kind is None:
        if "U*" in choices:
            return "recurse"
        return "empty" if choices != {"X"} and ("Z" in choices or choices == {"D"}) else "remove"
    if kind in ("1", "1C"):
        return "remove" if choices == {"X"} else "recurse"
    if kind in ("2", "2C"):
        return "recurse" if "U*" in choices else "empty"
    return "remove"


def _unknown(choices: frozenset[str], vr: str) -> Action:
    if choices == {"X"}:
        return "remove"
    if vr in TEMPORAL and "D" in choices:
        return "dummy"
    if "Z" in choices:
        return "empty"
    return "remove" if "X" in choices else _dummy(vr)


def _dummy(vr: str) -> Action:
    return "uid" if vr == "UI" else "dummy"
