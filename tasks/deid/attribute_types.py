"""The type of an attribute (1, 1C, 2, 2C) in the object's IOD and at its place in it, from PS3.3.

The two files in `configs/standards/` are derived by `configs/standards/derive_types.py`, which says what they hold and what they leave out.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_TYPES = "ps3_3_attribute_types_2026b.csv"
_IODS = "ps3_3_sop_class_iods_2026b.csv"
_SHARED_FUNCTIONAL_GROUPS, _PER_FRAME_FUNCTIONAL_GROUPS = 0x52009229, 0x52009230
_CONTENT_SEQUENCE = 0x0040A730

Place = tuple[tuple[int, ...], int]


@dataclass(frozen=True)
class AttributeTypes:
    """Types by place, for the SOP classes that the shipped profiles allow.

    Attributes:
        iods: IOD by SOP class UID.
        places: for the tags of the sequences that lead to an attribute, and its own tag: its types, each with its IODs (None: all).
        content: the files' bytes, for a profile's digest.
    """

    iods: Mapping[str, str]
    places: Mapping[Place, tuple[tuple[str, frozenset[str] | None], ...]]
    content: bytes

    def kind(self, sop_class: str, path: tuple[int, ...], tag: int) -> str | None:
        """The attribute's type there: 1, 1C, 2 or 2C; empty for Type 3 and what is not of the IOD; None where the IOD is not known.

        Args:
            sop_class: UID of the object's SOP class.
            path: tags of the sequences from the outermost to the one that the attribute's data set is an item of.
            tag: the attribute.
        """
        iod = self.iods.get(sop_class)
        if iod is None:
            return None
        for kind, iods in self.places.get(_place(path, tag), ()):
            if iods is None or iod in iods:
                return kind
        return ""


def _place(path: tuple[int, ...], tag: int) -> Place:
    """The place as the file writes it: one kind of functional group, and content items of any depth as those of the first."""
    if _PER_FRAME_FUNCTIONAL_GROUPS in path:
        path = tuple(_SHARED_FUNCTIONAL_GROUPS if each == _PER_FRAME_FUNCTIONAL_GROUPS else each for each in path)
    deep = 0
    while deep < len(path) and path[deep] == _CONTENT_SEQUENCE:
        deep += 1
    if deep:
        path = path[deep - 1 :]
        if path == (_CONTENT_SEQUENCE,) and tag == _CONTENT_SEQUENCE:
            path = ()
    return path, tag


@cache
def attribute_types() -> AttributeTypes:
    """The types of `configs/standards/`."""
    folder = files("configs").joinpath("standards")
    listed, mapped = folder.joinpath(_TYPES).read_bytes(), folder.joinpath(_IODS).read_bytes()
    places: dict[Place, tuple[tuple[str, frozenset[str] | None], ...]] = {}
    paths: dict[str, tuple[int, ...]] = {"": ()}
    sets: dict[str, frozenset[str] | None] = {"*": None}
    for path, tag, _keyword, kind, iods in csv.reader(io.StringIO(listed.decode())):
        if tag == "tag":
            continue
        if path not in paths:
            paths[path] = tuple(int(each, 16) for each in path.split("."))
        if iods not in sets:
            sets[iods] = frozenset(iods.split())
        place = (paths[path], int(tag, 16))
        places[place] = (*places.get(place, ()), (kind, sets[iods]))
    return AttributeTypes(dict(csv.reader(io.StringIO(mapped.decode()))), places, listed + mapped)
