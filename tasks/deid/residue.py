"""The proof: a study's own identifiers are looked for in the bytes that are about to be released. A finding names the tag, never the value.

It does not trust the rewriter: the header is taken apart anew from its bytes, every value is compared decoded, and the bytes are searched
raw, also as UTF-16. Elements that were searched before, byte by byte, are not searched again: those of a series repeat. Pixel data are
proven elsewhere; comments inside compressed frames are handed over with the header.

Left out of the comparison are the words that Safelight itself writes (the method's name and codes, the lake's keys) and CodeMeaning,
which is the standard's own text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property

from tasks.deid.identifiers import UID, Identifiers, fold, short
from tasks.deid.rules import BULK, NUMBER_TEXT, NUMBERS
from tasks.dicom.elements import EXPLICIT_LITTLE, Element, Encoding, items, walk
from tasks.dicom.instances import of_bytes
from tasks.dicom.stretches import Stretch, Stretches

_OURS = frozenset({0x00120062, 0x00120063, 0x00120064, 0x00280303, 0x00080104})
_WORD = re.compile(r"[^\W_]+")
_OUR_UID = re.compile(r"2\.25\.[0-9]{1,39}")
_RAW = "raw"
_BLANK = bytes(128) + b"DICM"
_OVERLAP = 256
_MOST_REMEMBERED = 100_000


@dataclass
class Residue:
    """Searches released headers for one study's identifiers."""

    identifiers: Identifiers
    _judged: dict[tuple[str, str], bool] = field(default_factory=dict, repr=False)
    _clean: set[bytes | Stretch] = field(default_factory=set, repr=False)
    _stretches: Stretches = field(default_factory=Stretches, repr=False)

    def find(self, header: bytes, comments: bytes = b"") -> set[str]:
        """Where identifiers are left: tags as `(gggg,eeee)`, or `raw` for bytes that no decoded value explains.

        Args:
            header: a whole PS3.10 file up to its pixel data.
            comments: text found inside compressed frames.

        Raises:
            SafelightError: E-DEID-UNREADABLE, E-DEID-TRUNCATED: what was written is no whole data set.
        """
        released = of_bytes(header, self._stretches)
        fresh = [header[:132]] if header[:132] != _BLANK else []
        covered, found, marks = 132, set(), list[bytes | Stretch]()
        for elements, encoding, stretch in (
            *(((released.meta, EXPLICIT_LITTLE, None),) if released.meta else ()),
            *((elements, released.encoding, stretch) for elements, stretch in released.parts()),
        ):
            covered += elements[-1][4] - elements[0][2]
            if stretch is not None:
                if stretch in self._clean:
                    continue
                marks.append(stretch)
            for element in elements:
                raw = header[element[2] : element[4]]
                mark = short(raw)
                if mark in self._clean:
                    continue
                fresh.append(raw)
                marks.append(mark)
                for tag, vr, text in _texts(header, element, encoding, 0):
                    if self._is_residue(vr, text):
                        found.add(f"({tag >> 16:04X},{tag & 0xFFFF:04X})")
        searched = b"".join(fresh) if covered == len(header) else header
        if not found and (self._in_bytes(searched) or (comments and self._judge("UT", comments.decode("latin-1")))):
            found.add(_RAW)
        if not found and len(self._clean) < _MOST_REMEMBERED:
            self._clean.update(marks)
        return found

    def find_raw(self, blocks: Iterable[bytes]) -> set[str]:
        """`raw` where bytes that should be pixels hold an identifier, across the borders of blocks too."""
        before = b""
        for block in blocks:
            if self._in_bytes(before + block):
                return {_RAW}
            before = block[-_OVERLAP:]
        return set()

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
        if vr in ("DA", "DT") and known.profile.dates == "shift":
            return False  # a moved date may be another day of the same study
        folded = fold(text)
        if any(uid in known.uids for uid in UID.findall(folded)):
            return True
        folded = _OUR_UID.sub(" ", folded)
        words = set(_WORD.findall(folded))
        if words & known.words or words & known.dates:
            return True
        if any(_stands_in(each, folded) for each in known.long if each in folded):
            return True
        return any(date in folded for date in known.dates if not date.isdigit())

    def _is_number_of_a_person(self, text: str) -> bool:
        """Whether a DS or IS is one of the study's dates, or an identifying number, with other leading zeros or decimals too."""
        try:
            whole = f"{abs(int(Decimal(text.strip()))):d}" if text.strip() else ""
        except (ArithmeticError, ValueError):
            whole = text.strip("+- ")
        dates = self.identifiers.dates
        return (
            whole in self.identifiers.numbers
            or whole in self._bare_numbers
            or whole in dates
            or (len(whole) > 8 and whole[:8] in dates)
        )

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
            if any(_stands_in(each, folded, strict=True) for each in self._long_as_bytes if each in folded):
                return True
        return False

    @cached_property
    def _long_as_bytes(self) -> tuple[str, ...]:
        """Long identifiers as they look in bytes that were decoded as Latin-1: ASCII as it is, others as UTF-8."""
        return tuple(each if each.isascii() else each.encode().decode("latin-1") for each in self.identifiers.long)


def _stands_in(needle: str, text: str, *, strict: bool = False) -> bool:
    """Whether an identifier stands in a text. A number must not be a part of a longer number, nor (strict) of a decimal."""
    if needle not in text:
        return False
    if not needle.isdigit():
        return True
    edge = r"[0-9.]" if strict else r"[0-9]"
    return re.search(rf"(?<!{edge}){re.escape(needle)}(?!{edge})", text) is not None


def _texts(data: bytes, element: Element, encoding: Encoding, depth: int) -> Iterator[tuple[int, str, str]]:
    """Every textual value of an element, at every depth, as (tag, VR, decoded text)."""
    tag, vr, _head, start, end, _ = element
    if vr == "SQ":
        if tag in _OURS:
            return
        for first, last in items(data, element, encoding, depth):
            for each in walk(data, first, last, encoding, depth + 1):
                yield from _texts(data, each, encoding, depth + 1)
    elif tag not in _OURS and vr not in NUMBERS and vr not in BULK and end > start:  # bulk and binary numbers are searched raw
        text = data[start:end].decode("utf-8", "replace")
        for part in text.split("\\") if vr in ("UI", "DA", "TM", "DT") else (text,):
            yield tag, vr, part.strip(" \0")
