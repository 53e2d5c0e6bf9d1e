"""Collects a study's own identifiers from its original instances, so that a proof can look for them in what is about to be released.

What counts: every part of a person's name; every value of an attribute that Table E.1-1 protects as identifying; every date; every UID;
and in any other text, private element or unknown bytes: tokens that look like an identifier (numbers, mixed numbers and letters, names
with a caret, addresses of the net, phone numbers, dates, UIDs).

What does not, so that clean studies are not held back: name parts of fewer than 3 letters; identifiers of fewer than 3 characters, and parts
of them of fewer than 5 (4 letters); numbers of fewer than 5 digits in free text; numbers of one repeated digit; YYYY0101, which is how a year
is released; codes of PS3.16; and the words of the released vocabulary: released text can be built from those alone, whoever is called Chest.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass, field

from tasks.deid import codes
from tasks.deid.rules import TEXT, Profile, identifying_text_tags
from tasks.deid.values import decoded
from tasks.dicom.elements import EXPLICIT_LITTLE, Element, Encoding, items, walk
from tasks.dicom.instances import Instance, character_sets
from tasks.dicom.stretches import Stretch

UID = re.compile(r"(?<![0-9.])[0-2](?:\.[0-9]{1,62}){3,32}(?![0-9.])")
_WORD = re.compile(r"[^\W_]+")
#: Bounded on both sides, so that a long run of letters takes no longer than its length.
_NAME_WITH_CARET = re.compile(r"(?<![^\W\d_])[^\W\d_]{2,64}(?:\^[^\W\d_]{0,64})+")
_CONTACT = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64})+|https?://\S{1,256}|www\.\S{1,256}")
_PHONE = re.compile(r"\+?[0-9][0-9 ()/.-]{6,20}[0-9]")
_DATES = (
    re.compile(r"(?<!\d)(?P<y>(?:18|19|20)\d\d)[-./]?(?P<m>0[1-9]|1[0-2])[-./]?(?P<d>0[1-9]|[12]\d|3[01])(?!\d)"),
    re.compile(r"(?<!\d)(?P<d>\d?\d)[-./](?P<m>\d?\d)[-./](?P<y>(?:18|19|20)\d\d)(?!\d)"),
)
_DIGITS = re.compile(r"[0-9]{5,}")
_PRINTABLE = re.compile(rb"[\x20-\x7e\x80-\xff]{4,}")
#: ImplementationClassUID and ImplementationVersionName: they name a program, perhaps ours.
_SOFTWARE = frozenset({0x00020012, 0x00020013})
_PIXEL_GROUP = 0x7FE0
_CHARACTER_SET, _SOP_CLASS = 0x00080005, 0x00080016
#: Elements that are remembered as seen, so that they are read once; those beyond are read each time.
_MOST_REMEMBERED = 100_000
_SHORT = 256
#: Private elements of these VRs are read as what they say they are; others are searched for text.
_READ_BY_VR = TEXT | {"UI", "PN", "DA", "DT"}
_LONGEST = 1 << 16
#: What this software itself writes into a header.
_OWN_WORDS = frozenset({"removed", "safelight", "modified"})
_RELEASED_YEAR = re.compile(r"(18|19|20)[0-9]{2}0101")


def short(value: bytes) -> bytes:
    """What is remembered of bytes in order to know them again: themselves, or a digest of long ones."""
    return value if len(value) <= _SHORT else hashlib.blake2b(value, digest_size=16).digest()


def fold(text: str) -> str:
    """Text as it is compared: without accents and case."""
    return "".join(each for each in unicodedata.normalize("NFKD", text).casefold() if not unicodedata.combining(each))


@dataclass
class Identifiers:
    """A study's identifiers. They never leave the process, and its repr shows none.

    Attributes:
        words: folded tokens that must not stand alone in released text.
        numbers: those identifying numbers (5 digits or more) that may not be the value of a DS or IS either.
        long: folded values and tokens of 6 characters or more that must not stand anywhere, not even in raw bytes.
        dates: dates in every spelling; compact ones as YYYYMMDD.
        uids: original UIDs.
        names: every part of a person's name, the field's own words too: whoever is called Chest, no description of hers says CHEST.
    """

    profile: Profile = field(repr=False)
    words: set[str] = field(default_factory=set, repr=False)
    numbers: set[str] = field(default_factory=set, repr=False)
    long: set[str] = field(default_factory=set, repr=False)
    dates: set[str] = field(default_factory=set, repr=False)
    uids: set[str] = field(default_factory=set, repr=False)
    names: set[str] = field(default_factory=set, repr=False)
    _seen: set[tuple[int, str, bytes]] = field(default_factory=set, repr=False)
    _seen_elements: dict[object, set[bytes | Stretch | None]] = field(default_factory=dict, repr=False)
    _strong: frozenset[int] = field(default_factory=frozenset, repr=False)

    def __post_init__(self) -> None:
        self._strong = identifying_text_tags(self.profile)

    def collect(self, instance: Instance) -> None:
        """Add what one original instance holds, at every depth. What was seen before, byte by byte, adds nothing."""
        sop_class = instance.text(_SOP_CLASS)
        for element in instance.meta:
            self._once(instance.meta_data, element, ["iso8859"], EXPLICIT_LITTLE, (sop_class, ()))
        data, sets = instance.data, instance.character_sets
        seen = self._seen_elements.setdefault((sop_class, instance.encoding, tuple(sets)), set())
        for elements, stretch in instance.parts():
            if stretch in seen:
                continue
            for element in elements:
                mark = short(data[element[2] : element[4]])
                if mark not in seen:
                    if len(seen) < _MOST_REMEMBERED:
                        seen.add(mark)
                    self._once(data, element, sets, instance.encoding, (sop_class, ()))
            if stretch is not None and len(seen) < _MOST_REMEMBERED:
                seen.add(stretch)

    def forbidden(self) -> frozenset[str]:
        """Folded tokens that no cleaned text may hold. To be asked when everything has been collected."""
        return frozenset(
            self.words | self.names | self.dates | {part for each in self.long for part in _WORD.findall(each) if len(part) > 3}
        )

    def _once(
        self, data: bytes, element: Element, sets: list[str], encoding: Encoding, place: tuple[str, tuple[int, ...]]
    ) -> None:
        """One element; `place`: SOP class, and the sequences that lead here."""
        tag, vr, _head, start, end, _ = element
        sop_class, path = place
        if vr == "SQ":
            for first, last in items(data, element, encoding, len(path)):
                inner = walk(data, first, last, encoding, len(path) + 1)
                own = next((character_sets(data[e[3] : e[4]]) for e in inner if e[0] == _CHARACTER_SET), sets)
                for each in inner:
                    self._once(data, each, own, encoding, (sop_class, (*path, tag)))
            return
        value = data[start:end]
        if not value or tag in _SOFTWARE or tag >> 16 == _PIXEL_GROUP:
            return
        if self.profile.decide(tag, vr, sop_class, path).action == "retain":
            return  # by the profile it stays; where the same value stands elsewhere, it counts from there
        known = "UN" if (tag >> 16) % 2 and vr not in _READ_BY_VR else vr
        mark = (tag, known, short(value))
        if mark in self._seen:
            return
        if len(self._seen) < _MOST_REMEMBERED:
            self._seen.add(mark)
        self._element(tag, known, value, sets)

    def _element(self, tag: int, vr: str, value: bytes, encodings: list[str]) -> None:
        if vr == "UI":
            for uid in value.decode("latin-1").split("\\"):
                self._uid(uid.strip(" \0"))
        elif vr in ("DA", "DT"):
            for text in value.decode("latin-1").split("\\"):
                self._date(text.strip(" \0"), birth=tag == 0x00100030)
        elif vr == "PN":
            for name in _decode(value, encodings):
                self._name(name)
        elif vr in TEXT:
            strong = vr == "AE" or tag in self._strong
            for text in _decode(value, encodings):
                if tag == codes.CODE_VALUE and text.strip() in codes.values():
                    continue  # a standard's number, not a person's
                if strong:
                    self._identifier(text)
                self._free_text(text)
        elif vr in ("UN", "OB") and len(value) <= _LONGEST:
            # private data: text in an unknown encoding; UTF-16 text of Latin letters shows when its zeros are left out
            for run in (*_PRINTABLE.findall(value), *(_PRINTABLE.findall(value.replace(b"\0", b"")) if b"\0" in value else ())):
                self._free_text(run.decode("latin-1"))

    def _uid(self, uid: str) -> None:
        if len(uid) >= 8 and not self.profile.is_well_known(uid):
            self.uids.add(uid)

    def _name(self, name: str) -> None:
        for part in _WORD.findall(fold(name)):
            self.names.add(part)
            letters = sum(not each.isdigit() for each in part)
            if letters >= 3 or (letters == 2 and not part.isascii()):
                self._word(part)
        whole = fold(name).strip()
        if len(whole) >= 6 and not self._is_vocabulary(whole):
            self.long.add(whole)

    def _identifier(self, text: str) -> None:
        whole = fold(text).strip()
        if len(whole) >= 6 and not self._is_vocabulary(whole) and any(map(str.isalnum, whole)):
            self.long.add(whole)
        for token in _WORD.findall(whole):
            digits = sum(map(str.isdigit, token))
            if (
                len(token) >= 5
                or (len(token) == 4 and (not digits or token == whole))
                or (token == whole and digits and len(token) == 3)
            ):
                self._word(token)
                self.numbers.update(part for part in _DIGITS.findall(token) if len(set(part)) > 1)

    def _free_text(self, text: str) -> None:
        folded = fold(text[:_LONGEST])
        for uid in UID.findall(folded):
            self._uid(uid)
        for pattern in _DATES:
            for match in pattern.finditer(folded):
                self._spell(int(match["y"]), int(match["m"]), int(match["d"]), birth=False)
        if "^" in folded:
            for name in _NAME_WITH_CARET.findall(folded):
                self._name(name)
        if "@" in folded or "://" in folded or "www." in folded:
            self.long.update(_CONTACT.findall(folded))
        for phone in _PHONE.findall(UID.sub(" ", folded)):
            if sum(map(str.isdigit, phone)) >= 7 and not phone.replace(".", "").isdigit():
                self.long.add(phone)
        for token in _WORD.findall(folded):
            digits = sum(map(str.isdigit, token))
            if (digits == len(token) >= 5) or (len(token) >= 6 and 3 <= digits < len(token)):
                self._word(token, raw=False)

    def _date(self, text: str, *, birth: bool) -> None:
        match = _DATES[0].match(text[:10]) or _DATES[0].match(text[:8])
        if match is not None:
            self._spell(int(match["y"]), int(match["m"]), int(match["d"]), birth=birth)

    def _spell(self, y: int, m: int, d: int, *, birth: bool) -> None:
        """Every spelling of a date. A first of January is how a year is released, so its compact form alone proves nothing."""
        if self.profile.dates == "keep":
            return  # by the profile they stay
        for a, b in ((d, m), (m, d)):
            for sign in "-./":
                self.dates.update((f"{a:02d}{sign}{b:02d}{sign}{y}", f"{a}{sign}{b}{sign}{y}", f"{y}{sign}{b:02d}{sign}{a:02d}"))
        if (m, d) != (1, 1):
            self.dates.update((f"{y}{m:02d}{d:02d}", f"{d:02d}{m:02d}{y}", f"{m:02d}{d:02d}{y}"))
        if birth:
            self.dates.add(f"{y}-{m:02d}-{d:02d}")

    def _word(self, token: str, *, raw: bool = True) -> None:
        if token in self.profile.vocabulary or token in _OWN_WORDS or len(set(token)) == 1 or _RELEASED_YEAR.fullmatch(token):
            return
        self.words.add(token)
        if raw and len(token) >= 6:
            self.long.add(token)

    def _is_vocabulary(self, whole: str) -> bool:
        return all(
            token in self.profile.vocabulary or token in _OWN_WORDS or len(token) < 3 or len(set(token)) == 1
            for token in _WORD.findall(whole)
        )


def _decode(value: bytes, encodings: list[str]) -> list[str]:
    texts = [decoded(value, encodings)]
    if not value.isascii():  # the character set that is stated may be wrong
        texts += [value.decode("latin-1"), value.decode("utf-8", "ignore")]
    return texts
