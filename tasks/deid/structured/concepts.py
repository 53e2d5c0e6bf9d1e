"""PS3.15 Table E.3.4-1: what happens to a content item, by the concept that names it and its value type.

The options are columns as in Table E.1-1. K (retain) of an option that is active wins, then C (clean), then the basic code. X/D means that
an item may be removed where its template does not demand it; templates are not known here, so such an item gets a dummy: right in both cases.

An item whose concept is listed for other value types only, and whose own type can hold the same information (text, names, dates, UIDs),
meets the strictest basic code of its concept: nobody escapes by writing a birth date as a text.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from pydicom.sr import _snomed_dict

EDITION = "ps3_15_table_e3_4_1_2026d"
#: PS3.15 names the Clean Structured Content Option as the one under which the table applies; the table's own columns are these.
OPTIONS = (
    "retain_uids", "retain_device_identity", "retain_institution_identity", "retain_patient_characteristics",
    "retain_longitudinal_full_dates", "retain_longitudinal_modified_dates", "clean_descriptors",
)  # fmt: skip
_INTERCHANGEABLE = frozenset({"TEXT", "PNAME", "DATE", "TIME", "DATETIME", "UIDREF"})
_SNOMED_RT = frozenset({"SRT", "SNM3", "99SDM"})

#: remove with all below; a dummy by value type; leave the value; clean it (texts by words, dates by the profile); as an unlisted concept.
Ending = Literal["remove", "dummy", "keep", "clean", "unlisted"]


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the basic code (X, D or X/D), and the codes (K or C) by option."""

    basic: str
    options: Mapping[str, str]


@cache
def rows() -> Mapping[tuple[str, str, str], Row]:
    """The table by coding scheme designator, code value and value type."""
    text = files("configs").joinpath("standards", f"{EDITION}.csv").read_text("utf-8")
    return {
        (entry["scheme"], entry["code"], entry["value_type"]): Row(
            entry["basic"], {name: entry[name] for name in OPTIONS if entry[name]}
        )
        for entry in csv.DictReader(text.splitlines())
    }


@cache
def _strictest() -> Mapping[tuple[str, str], Ending]:
    """For each concept that is listed with a type which can hold text: the strictest ending of those rows."""
    found: dict[tuple[str, str], Ending] = {}
    for (scheme, code, value_type), row in rows().items():
        if value_type in _INTERCHANGEABLE:
            before = found.get((scheme, code))
            found[scheme, code] = "remove" if row.basic == "X" or before == "remove" else "dummy"
    return found


def ending(scheme: str, code: str, value_type: str, options: frozenset[str]) -> tuple[Ending, str]:
    """What happens to a content item, and the rule that says so.

    Args:
        scheme: CodingSchemeDesignator of the concept name; SNOMED RT codes are looked up by their SNOMED CT equivalents.
        code: CodeValue of the concept name.
        value_type: ValueType of the item (PS3.3 Table C.17.3-7).
        options: the active options, named as the table's columns.
    """
    if scheme in _SNOMED_RT:
        scheme, code = "SCT", _snomed_dict.mapping["SRT"].get(code, "")
    row = rows().get((scheme, code, value_type))
    if row is None:
        strict = _strictest().get((scheme, code)) if value_type in _INTERCHANGEABLE else None
        return ("unlisted", "unlisted concept") if strict is None else (strict, "E.3.4-1")
    granted = {row.options[option] for option in options & row.options.keys()}
    if "K" in granted:
        return "keep", "E.3.4-1 option"
    if "C" in granted:
        return "clean", "E.3.4-1 option"
    return ("remove" if row.basic == "X" else "dummy"), "E.3.4-1"
