"""Private elements that may stay (PS3.15 E.3.10, Retain Safe Private Option), by their creator: numbers and closed code strings only.

Of Siemens' private header, a binary block with everything in it, one vector is written anew: without it a mosaic's slices have no direction.

The list is data: `configs/profiles/safe_private.csv`, each row with its source. It is a part of Table E.3.10-1, which also names texts,
sequences and binary blocks, and a few rows of which diffusion and slice timing depend. A value is checked before it stays.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from tasks.dicom import csa
from tasks.dicom.vrs import NUMBER_TEXT

_WIDTHS = {"FD": 8, "FL": 4, "SL": 4, "SS": 2, "UL": 4, "US": 2}
_NUMBER = re.compile(r"[+-]?([0-9]{1,16}(\.[0-9]{0,15})?|\.[0-9]{1,15})([eE][+-]?[0-9]{1,3})?")
_CODE = re.compile("[A-Z][A-Z0-9_ ]{0,15}")
_ELEMENT = re.compile("([0-9A-F]{3}[13579BDF])xx([0-9A-F]{2})")
_MOST_CODE_DIGITS = 4
_MOST_VALUES = 1024
#: The one binary header of which a part may stay.
_BINARY_HEADER, _CSA_CREATOR = "OB", "siemens csa header"

#: Creator as `normal` writes it, group, and the element's number in its block.
Key = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class SafePrivate:
    """One private element that may stay: its VR, how many values it has, and why.

    Attributes:
        fewest, most: number of values (`most` is 1,024 where the source says n).
    """

    vr: str
    fewest: int
    most: int
    meaning: str
    source: str

    def kept(self, value: bytes) -> bytes | None:
        """What stays of a value: all of it, the one vector of Siemens' private header, or None."""
        if self.vr == _BINARY_HEADER:
            return csa.direction_only(value)
        return value if self.allows(value) else None

    def allows(self, value: bytes) -> bool:
        """Whether a value is what the list says: so many numbers, or code strings. Empty values are.

        Text that stands where binary numbers should is refused from 8 bytes on.
        """
        if not value.strip(b" \0"):
            return True
        if self.vr in _WIDTHS:
            n, rest = divmod(len(value), _WIDTHS[self.vr])
            text = len(value) >= 8 and all(0x20 <= byte < 0x7F for byte in value.rstrip(b"\0"))
            return not rest and not text and self.fewest <= n <= self.most
        parts = [part.strip(" \0") for part in value.decode("latin-1").split("\\")]
        if not self.fewest <= len(parts) <= self.most:
            return False
        if self.vr in NUMBER_TEXT:
            return all(_NUMBER.fullmatch(part) or not part for part in parts)
        return all(_CODE.fullmatch(part) and sum(map(str.isdigit, part)) <= _MOST_CODE_DIGITS for part in parts if part)


def normal(creator: str) -> str:
    """A creator without padding and regard to case: scanners of one maker write it in both."""
    return " ".join(creator.strip(" \0").split()).lower()


@cache
def safe_private(name: str) -> tuple[Mapping[Key, SafePrivate], bytes]:
    """The list `configs/profiles/<name>.csv`, or a CSV file of a site's own, and its content.

    Raises:
        ValueError, OSError: for the first row that is not as a row must be, or a file that is not there.
    """
    path: Any = Path(name) if name.endswith(".csv") else files("configs").joinpath("profiles", f"{name}.csv")
    content: bytes = path.read_bytes()
    found: dict[Key, SafePrivate] = {}
    for number, row in enumerate(csv.DictReader(io.StringIO(content.decode())), 2):
        try:
            place = _ELEMENT.fullmatch(row["element"])
            fewest, _, most = row["vm"].partition("-")
            most = most or fewest
            known = row["vr"] in (*_WIDTHS, *NUMBER_TEXT, "CS") or (row["vr"], normal(row["creator"])) == (
                _BINARY_HEADER,
                _CSA_CREATOR,
            )
            if place is None or not known or not row["source"] or not row["creator"]:
                raise ValueError
            key = (normal(row["creator"]), int(place[1], 16), int(place[2], 16))
            if key in found:
                raise ValueError
            bound = _MOST_VALUES if most == "n" else int(most)
            found[key] = SafePrivate(row["vr"], int(fewest), bound, row["meaning"], row["source"])
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ValueError(f"safe_private: line {number}") from None
    return found, content
