"""Coded concepts: a code that PS3.16 knows keeps its value and takes the standard's own meaning; any other becomes `Unknown`.

CodeMeaning is free text that people type into, and a local CodeValue can be a number of a person. So neither is passed on: the
meaning is looked up (pydicom's copy of PS3.16's context groups), and what cannot be looked up is replaced by SNOMED CT 261665006.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydicom.sr import _concepts_dict, _snomed_dict  # the public `codes` object cannot be asked by value

from tasks.deid.structured.units import is_unit

UNKNOWN = ("261665006", "SCT", "Unknown")

CODE_VALUE, SCHEME, SCHEME_VERSION, CODE_MEANING, LONG_CODE_VALUE, URN_CODE_VALUE = (
    0x00080100, 0x00080102, 0x00080103, 0x00080104, 0x00080119, 0x00080120,
)  # fmt: skip
CODE_TAGS = frozenset({CODE_VALUE, SCHEME, SCHEME_VERSION, CODE_MEANING, LONG_CODE_VALUE, URN_CODE_VALUE})

#: Legacy names of schemes (PS3.16 section 8): SNOMED RT codes are looked up by their SNOMED CT equivalents.
_SNOMED_RT = frozenset({"SRT", "SNM3", "99SDM"})


@cache
def _meanings() -> dict[tuple[str, str], str]:
    found = {}
    listed: Mapping[str, Any] = _concepts_dict.concepts
    for scheme, concepts in listed.items():
        for codes in concepts.values():
            for value, entry in codes.items():
                found[scheme, value] = entry[0][:64]
    return found


@cache
def meaning(value: str, scheme: str) -> str | None:
    """The standard's meaning (ASCII, at most 64 characters) of a code, or None where PS3.16 does not list it."""
    if scheme in _SNOMED_RT:
        value, scheme = _snomed_dict.mapping["SRT"].get(value, ""), "SCT"
    known = _meanings().get((scheme, value))
    return None if known is None else known.encode("ascii", "replace").decode()


@cache
def values() -> frozenset[str]:
    """Every code value that PS3.16 lists, of any scheme."""
    return frozenset(value for _scheme, value in _meanings()) | frozenset(_snomed_dict.mapping["SRT"])


def clean(stated: Mapping[int, str]) -> tuple[tuple[str, str, str], bool]:
    """The code to release for one that a data set states, and whether it is known.

    Args:
        stated: the values of the attributes of `CODE_TAGS` that are there, by tag.

    Returns:
        code value, coding scheme designator and code meaning.
    """
    value, scheme = stated.get(CODE_VALUE, ""), stated.get(SCHEME, "")
    known = meaning(value, scheme) or (value if scheme == "UCUM" and is_unit(value) else None)
    return ((value, scheme, known), True) if known is not None else (UNKNOWN, False)
