"""The proof: a study's own identifiers are looked for in the bytes that are about to be released. A finding names the tag, never the value.

It does not trust the rewriter: the header is parsed anew from its bytes, every value is compared decoded, and the bytes are searched
raw, also as UTF-16. Pixel data are proven elsewhere; comments inside compressed frames are handed over with the header.

Left out of the comparison are the words that Safelight itself writes (the method's name and codes, the lake's keys) and CodeMeaning,
which is the standard's own text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO

from pydicom import Dataset, dcmread

from tasks.deid.identifiers import UID, Identifiers, fold
from tasks.deid.rules import BULK, NUMBER_TEXT, NUMBERS

_OURS = frozenset({0x00120062, 0x00120063, 0x00120064, 0x00280303, 0x00080104})
_WORD = re.compile(r"[^\W_]+")
_OUR_UID = re.compile(r"2\.25\.[0-9]{1,39}")
_RAW = "raw"


@dataclass
class Residue:
    """Searches released headers for one study's identifiers."""

    identifiers: Identifiers
    _judged: dict[tuple[str, str], bool] = field(default_factory=dict, repr=False)

    def find(self, header: bytes, comments: bytes = b"") -> set[str]:
        """Where identifiers are left: tags as `(gggg,eeee)`, or `raw` for bytes that no decoded value explains.

        Args:
            header: a whole PS3.10 file up to its pixel data.
            comments: text found inside compressed frames.
        """
        found = {f"({tag >> 16:04X},{tag & 0xFFFF:04X})" for tag, vr, text in _texts(header) if self._is_residue(vr, text)}
        if not found and (self._in_bytes(header) or (comments and self._is_residue("UT", comments.decode("latin-1")))):
            found.add(_RAW)
        return found

    def _is_residue(self, vr: str, text: str) -> bool:
        mark = (vr, text)
        known = self._judged.get(mark)
        if known is None:
            known = self._judged[mark] = self._judge(vr, text)
        return known

    def _judge(self, vr: str, text: str) -> bool:
        known = self.identifiers
        if vr in NUMBER_TEXT:
            return any(self._is_number_of_a_person(part.strip(" \0+")) for part in text.split("\\"))
        if vr == "UI":
            return text in known.uids
        folded = fold(text)
        if any(uid in known.uids for uid in UID.findall(folded)):
            return True
        folded = _OUR_UID.sub(" ", folded)
        words = set(_WORD.findall(folded))
        if words & known.words or words & known.dates:
            return True
        if any(_stands_in(each, folded) for each in known.long):
            return True
        return any(date in folded for date in known.dates if not date.isdigit())

    def _is_number_of_a_person(self, text: str) -> bool:
        """Whether a DS or IS is one of the study's dates, or an identifying number, with other leading zeros or decimals too."""
        whole = re.sub(r"\.0*$", "", text)
        return whole in self.identifiers.numbers or whole.lstrip("0") in self._bare_numbers or whole in self.identifiers.dates

    @cached_property
    def _bare_numbers(self) -> frozenset[str]:
        bare = (number.lstrip("0") for number in self.identifiers.numbers)
        return frozenset(number for number in bare if len(number) >= 5 and len(set(number)) > 1)

    def _in_bytes(self, header: bytes) -> bool:
        known = self.identifiers
        raw = header.decode("latin-1")
        for text in {raw, raw.replace("\0", "")}:
            if any(uid in known.uids for uid in UID.findall(text)):
                return True
            folded = _OUR_UID.sub(" ", text).lower()
            if any(_stands_in(each, folded, strict=True) for each in self._long_as_bytes()):
                return True
        return False

    def _long_as_bytes(self) -> Iterator[str]:
        """Long identifiers as they look in bytes that were decoded as Latin-1: ASCII as it is, others as UTF-8."""
        for each in self.identifiers.long:
            yield each if each.isascii() else each.encode().decode("latin-1")


def _stands_in(needle: str, text: str, *, strict: bool = False) -> bool:
    """Whether an identifier stands in a text. A number must not be a part of a longer number, nor (strict) of a decimal."""
    if needle not in text:
        return False
    if not needle.isdigit():
        return True
    edge = r"[0-9.]" if strict else r"[0-9]"
    return re.search(rf"(?<!{edge}){re.escape(needle)}(?!{edge})", text) is not None


def _texts(header: bytes) -> Iterator[tuple[int, str, str]]:
    """Every textual value of a file, and of its file meta information, as (tag, VR, decoded text)."""
    dataset = dcmread(BytesIO(header), stop_before_pixels=True)
    yield from _values(dataset.file_meta)
    yield from _values(dataset)


def _values(dataset: Dataset) -> Iterator[tuple[int, str, str]]:
    for tag in list(dataset.keys()):
        element = dataset.get_item(tag)
        vr = element.VR or dataset[tag].VR
        if tag in _OURS or vr in NUMBERS or vr in BULK:  # bulk and binary numbers are searched raw
            continue
        if vr == "SQ":
            for item in dataset[tag].value:
                yield from _values(item)
        elif element.value:
            value = element.value
            text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
            for part in text.split("\\") if vr in ("UI", "DA", "TM", "DT") else (text,):
                yield int(tag), vr, part.strip(" \0")
