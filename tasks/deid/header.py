"""Rewrites the header of one instance by a profile, at every depth, as bytes: the file that may be released, up to its pixel data.

It is written from scratch: a zeroed preamble, file meta information of our own (PS3.10 section 7.1), then the data set without group
lengths. Elements that stay as they are are copied. The instances of a series repeat most of their elements byte by byte, so what
becomes of an element is worked out once and looked up by its bytes and its place from then on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pydicom.uid import ExplicitVRLittleEndian

from tasks.deid import codes
from tasks.deid.identifiers import short
from tasks.deid.rules import Decision, Profile
from tasks.deid.values import Changed, Values, texts
from tasks.dicom.elements import EXPLICIT_LITTLE, LONG, PIXELS, Element, Encoding, items, walk
from tasks.dicom.instances import Instance, character_sets
from tasks.dicom.stretches import Stretch
from tasks.errors import SafelightError

#: Names this software in file meta information (PS3.7 D.3.3.2): a UUID of our own in PS3.5 B.2's form.
IMPLEMENTATION_CLASS_UID = "2.25.204816371518316512406384275113963110271"
IMPLEMENTATION_VERSION_NAME = "SAFELIGHT"

_MOST_REMEMBERED = 50_000
_LONGEST_REMEMBERED = 1 << 16
_CHARACTER_SET = 0x00080005
#: Without these pixels cannot be read rightly, or placed: where one has a value that cannot be released (another VR than the standard's, a number
#: that is none), nothing of the instance is. PS3.3 C.7.6.2, C.7.6.3, C.11.1, C.8.9.1; UIDs: C.12.1, C.7.2, C.7.3, C.7.4.
ESSENTIAL = frozenset({
    0x00080016, 0x00080018, 0x0020000D, 0x0020000E, 0x00200052, 0x00080060, 0x00200032, 0x00200037, 0x00280030, 0x00181164, 0x00180088,
    0x00280002, 0x00280004, 0x00280006, 0x00280008, 0x00280010, 0x00280011, 0x00280100, 0x00280101, 0x00280102, 0x00280103,
    0x00281052, 0x00281053, 0x00541001, 0x00541102, 0x00189087,
})  # fmt: skip
_SIGNED = frozenset({0x00120062, 0x00120063, 0x00120064, 0x00280303, _CHARACTER_SET})
_PHOTOMETRIC = 0x00280004
#: Palettes and their descriptors stay in the image that is shown through them, and nowhere else: bytes that no one looks at could hold anything.
_PALETTES = (
    frozenset(range(0x00281101, 0x00281105)) | frozenset(range(0x00281201, 0x00281205)) | frozenset(range(0x00281221, 0x00281224))
)

#: (tag, rule, action) → how many elements.
Audit = Counter[tuple[int, str, str]]


@dataclass(slots=True)
class _Outcome:
    """What became of one element: its new bytes, what the audit says, and how often that was used since the audit was last told."""

    content: bytes
    marks: tuple[tuple[tuple[int, str, str], int], ...]
    flags: frozenset[str] = frozenset()
    uses: int = 0


@dataclass(slots=True)
class _Together:
    """What became of the elements of a stretch: their (tag, bytes), and otherwise as `_Outcome`."""

    parts: list[tuple[int, bytes]]
    marks: tuple[tuple[tuple[int, str, str], int], ...]
    flags: frozenset[str]
    uses: int = 0

    @classmethod
    def of(cls, parts: list[tuple[int, bytes]], outcomes: Iterable[_Outcome]) -> _Together:
        """Outcomes put together."""
        marks: Audit = Counter()
        flags: set[str] = set()
        for outcome in outcomes:
            flags |= outcome.flags
            for mark, n in outcome.marks:
                marks[mark] += n
        return cls(parts, tuple(marks.items()), frozenset(flags))


_Used = _Outcome | _Together


@dataclass(frozen=True)
class _Place:
    """Where a data set stands: the sequences that lead to it, and what is known of elements there. The same bytes mean the same only here."""

    sop_class: str
    path: tuple[int, ...]
    encoding: Encoding
    character_sets: tuple[str, ...]
    coloured: bool
    known: dict[object, _Outcome] = field(default_factory=dict, repr=False)
    together: dict[Stretch | bytes, _Together] = field(default_factory=dict, repr=False)


@dataclass
class Rewriter:
    """Applies one profile to the instances of one study."""

    profile: Profile
    values: Values
    audit: Audit = field(default_factory=Counter)
    _places: dict[object, _Place] = field(default_factory=dict, repr=False)
    _remembered: int = 0
    _long: list[_Outcome] = field(default_factory=list, repr=False)
    _used: Sequence[_Used] = field(default=(), repr=False)
    _statements: dict[object, list[tuple[int, bytes]]] = field(default_factory=dict, repr=False)

    def rewrite(self, instance: Instance, *, methods: Iterable[str] = (), stated: Mapping[int, str] | None = None) -> bytes:
        """The file to release, up to its pixel data. What was done is added to `audit`; values never appear there.

        A deflated data set is written as Explicit VR Little Endian, which has the same pixel bytes; other transfer syntaxes stay.

        Args:
            instance: an original.
            methods: further codes of PS3.16 CID 7050 that say what was done to the pixels.
            stated: outermost attributes of VR CS that say what was done, in place of the original's.
        """
        self._count_long()
        if self._remembered > _MOST_REMEMBERED:
            self._forget()
        coloured = instance.text(_PHOTOMETRIC) == "PALETTE COLOR"
        place = self._place(instance.text(0x00080016), (), instance.encoding, tuple(instance.character_sets), coloured=coloured)
        parts, used = self._outermost(instance, place)
        flags: set[str] = set()
        for outcome in used:
            outcome.uses += 1
            flags |= outcome.flags
        self._used = used
        said = dict(stated or {})
        parts = [part for part in parts if part[0] not in _SIGNED and part[0] not in said]
        parts.extend(self._statement(instance.encoding, frozenset(flags), tuple(methods)))
        parts.extend((tag, instance.encoding.element(tag, "CS", value.encode())) for tag, value in said.items())
        parts.sort()
        body = b"".join([content for _, content in parts])
        return self._preamble(instance) + body

    def undo(self) -> None:
        """Do not count the instance that was rewritten last: it is not released after all."""
        for outcome in self._used:
            outcome.uses -= 1
        self._used = ()

    def finish(self) -> Audit:
        """What was done to which tag, how often, in all instances that were rewritten."""
        self._forget()
        return self.audit

    def _forget(self) -> None:
        """Tell the audit of everything that was remembered, and remember it no longer."""
        self._count_long()
        self._used = ()
        for place in self._places.values():
            for outcome in place.known.values():
                self._count(outcome)
            for together in place.together.values():
                self._count(together)
            place.known.clear()
            place.together.clear()
        self._remembered = 0

    def _count_long(self) -> None:
        for outcome in self._long:
            self._count(outcome)
        self._long = []

    def _count(self, outcome: _Used) -> None:
        for mark, n in outcome.marks if outcome.uses else ():
            self.audit[mark] += n * outcome.uses

    def _place(
        self, sop_class: str, path: tuple[int, ...], encoding: Encoding, sets: tuple[str, ...], *, coloured: bool = False
    ) -> _Place:
        key = (sop_class, path, encoding, sets, coloured)
        known = self._places.get(key)
        if known is None:
            known = self._places[key] = _Place(*key)
        return known

    # ---- data sets ----------------------------------------------------------------------------------------------------

    def _outermost(self, instance: Instance, place: _Place) -> tuple[list[tuple[int, bytes]], Sequence[_Used]]:
        """As `_data_set`, for the outermost elements: known stretches are looked up as a whole."""
        parts: list[tuple[int, bytes]] = []
        used: list[_Used] = []
        single: list[Element] = []
        for elements, stretch in instance.parts():
            known = place.together.get(stretch) if stretch is not None else None
            if known is None:
                if stretch is None or stretch.is_private or any(element[0] in codes.CODE_TAGS for element in elements):
                    single += elements  # what becomes of these depends on others
                    continue
                known = place.together[stretch] = _Together.of(*self._data_set(instance.data, elements, place, 0))
                self._remembered += len(elements)
            parts += known.parts
            used.append(known)
        if any(element[0] & 0x10000 for element in single):
            own = self._private_together(instance.data, [element for element in single if element[0] & 0x10000], place)
            parts += own.parts
            used.append(own)
            single = [element for element in single if not element[0] & 0x10000]
        rest, outcomes = self._data_set(instance.data, single, place, 0)
        return parts + rest, used + outcomes

    def _private_together(self, data: bytes, private: list[Element], place: _Place) -> _Together:
        """All outermost private elements: what becomes of one depends on the creators among them."""
        mark = short(b"".join([data[element[2] : element[4]] for element in private]))
        known = place.together.get(mark)
        if known is None:
            long = len(self._long)
            known = _Together.of(*self._data_set(data, private, place, 0))
            if len(self._long) > long:  # it is counted here, with the others
                del self._long[long:]
            place.together[mark] = known
            self._remembered += len(private)
        return known

    def _data_set(
        self, data: bytes, elements: list[Element], place: _Place, depth: int
    ) -> tuple[list[tuple[int, bytes]], list[_Outcome]]:
        """What is left of a data set's elements, as (tag, bytes), and what was done, element by element."""
        parts: list[tuple[int, bytes]] = []
        used: list[_Outcome] = []
        known = place.known
        private: list[Element] = []
        coded: list[Element] = []
        for element in elements:
            tag, _vr, head, _value, end, _ = element
            if tag & 0x10000:
                private.append(element)
                continue
            if tag in codes.CODE_TAGS:
                coded.append(element)
                continue
            raw = data[head:end]
            outcome = known.get(raw)
            if outcome is None:
                outcome = self._remember(place, raw, self._element(data, element, place, depth))
            used.append(outcome)
            if outcome.content:
                parts.append((tag, outcome.content))
        if coded:
            outcome = self._code(data, coded, place)
            used.append(outcome)
            parts.append((codes.CODE_VALUE, outcome.content))
        if private:
            self._private(data, private, place, parts, used, depth)
        return parts, used

    def _remember(self, place: _Place, key: object, outcome: _Outcome) -> _Outcome:
        if isinstance(key, bytes) and len(key) > _LONGEST_REMEMBERED:
            self._long.append(outcome)  # counted when its instance is done, and not found again
            return outcome
        place.known[key] = outcome
        self._remembered += 1
        return outcome

    def _element(self, data: bytes, element: Element, place: _Place, depth: int) -> _Outcome:
        tag, vr, _head, value, end, _ = element
        outcome = self._outcome(data, element, place, depth)
        if (
            tag in ESSENTIAL
            and not (outcome.content and self._has_value(outcome.content, place.encoding, vr))
            and data[value:end].strip(b" \0")
        ):
            raise SafelightError("E-DEID-ESSENTIAL", f"({tag >> 16:04X},{tag & 0xFFFF:04X})")
        return outcome

    def _outcome(self, data: bytes, element: Element, place: _Place, depth: int) -> _Outcome:
        tag, vr, _head, value, end, _ = element
        if tag in PIXELS:
            decision = Decision("remove", "nested pixels")
        elif tag in _PALETTES and not place.coloured:
            decision = Decision("remove", "bulk list")
        else:
            decision = self.profile.decide(tag, vr, place.sop_class, place.path)
        return self._decided(data, element, place, depth, decision, data[value:end])

    @staticmethod
    def _has_value(content: bytes, encoding: Encoding, vr: str) -> bool:
        return len(content) > (12 if vr in LONG and not encoding.implicit else 8)

    def _decided(self, data: bytes, element: Element, place: _Place, depth: int, decision: Decision, value: bytes) -> _Outcome:
        tag, vr, head, _value, end, _ = element
        encoding = place.encoding
        if vr == "SQ":
            if decision.action in ("keep", "recurse", "retain", "clean"):
                return self._sequence(data, element, place, depth, decision)
            if decision.action == "remove":
                return _Outcome(b"", (((tag, decision.rule, "remove"), 1),))
            return _Outcome(encoding.element(tag, vr, b""), (((tag, decision.rule, "empty"), 1),))
        required = self.profile.must_have_value(tag, place.sop_class, place.path)
        changed = self.values.change(tag, vr, value, decision, place.character_sets, required=required)
        if changed.value is None:
            content = b""
        elif changed.value is value or changed.value == value:
            content = data[head:end]
        else:
            content = encoding.element(tag, vr, changed.value)
        return _Outcome(content, (((tag, changed.rule, changed.action), 1),), _flags(changed))

    def _sequence(self, data: bytes, element: Element, place: _Place, depth: int, decision: Decision) -> _Outcome:
        tag, vr = element[0], element[1]
        encoding = place.encoding
        inner = (*place.path, tag)
        marks: Audit = Counter({(tag, decision.rule, "recurse"): 1})
        flags: set[str] = set()
        content = []
        for start, end in items(data, element, encoding, depth):
            elements = walk(data, start, end, encoding, depth + 1)
            sets = next(
                (tuple(character_sets(data[e[3] : e[4]])) for e in elements if e[0] == _CHARACTER_SET), place.character_sets
            )
            below = self._place(place.sop_class, inner, encoding, sets)
            parts, used = self._data_set(data, elements, below, depth + 1)
            for outcome in used:
                flags |= outcome.flags
                for mark, n in outcome.marks:
                    marks[mark] += n
            parts.sort()
            content.append(encoding.item(b"".join([each for _, each in parts])))
        return _Outcome(encoding.element(tag, vr, b"".join(content)), tuple(marks.items()), frozenset(flags))

    def _code(self, data: bytes, coded: list[Element], place: _Place) -> _Outcome:
        """The elements of one coded concept, together: known codes take the standard's meaning, others become `Unknown`."""
        stated = {e[0]: (texts(data[e[3] : e[4]]) or [""])[0] for e in coded}
        key = tuple(sorted(stated.items()))
        outcome = place.known.get(key)
        if outcome is None:
            (value, scheme, meaning), known = codes.clean(stated)
            content = b"".join(
                place.encoding.element(tag, vr, text.encode("ascii", "replace"))
                for tag, vr, text in (
                    (codes.CODE_VALUE, "SH", value),
                    (codes.SCHEME, "SH", scheme),
                    (codes.CODE_MEANING, "LO", meaning),
                )
            )
            mark = (codes.CODE_VALUE, "codes", "keep" if known else "dummy")
            outcome = self._remember(place, key, _Outcome(content, ((mark, 1),)))
        return outcome

    def _private(
        self, data: bytes, private: list[Element], place: _Place, parts: list[tuple[int, bytes]], used: list[_Outcome], depth: int
    ) -> None:
        """Private elements (PS3.5 section 7.8): those that the profile knows by their creator stay, with the creator."""
        creators = {
            (e[0] & 0xFFFF0000) | (e[0] & 0xFF) << 8: (e, data[e[3] : e[4]].decode("latin-1").strip(" \0"))
            for e in private
            if 0x10 <= (e[0] & 0xFFFF) <= 0xFF
        }
        needed: set[int] = set()
        for element in private:
            tag, _vr, head, _value, end, _ = element
            block = tag & 0xFFFFFF00
            if 0x10 <= (tag & 0xFFFF) <= 0xFF:
                continue
            creator = creators[block][1] if block in creators else ""
            key = (creator, data[head:end])
            outcome = place.known.get(key)
            if outcome is None:
                outcome = self._remember(place, key, self._private_element(data, element, creator, place, depth))
            used.append(outcome)
            if outcome.content:
                parts.append((tag, outcome.content))
                needed.add(block)
        for block, (element, creator) in creators.items():
            kept = block in needed
            own = ("creator", kept, data[element[2] : element[4]])
            outcome = place.known.get(own)
            if outcome is None:
                content = place.encoding.element(element[0], "LO", creator.encode("latin-1")) if kept else b""
                mark = (element[0], "private", "keep" if kept else "remove")
                outcome = self._remember(place, own, _Outcome(content, ((mark, 1),)))
            used.append(outcome)
            if outcome.content:
                parts.append((element[0], outcome.content))

    def _private_element(self, data: bytes, element: Element, creator: str, place: _Place, depth: int) -> _Outcome:
        """A private element: kept where the list of safe ones names it and its value is what the list says; else as decided."""
        tag, vr, _head, start, end, _ = element
        decision = self.profile.decide_private(creator, tag, vr)
        entry = self.profile.safe(creator, tag)
        value = data[start:end]
        if decision.rule == "safe private" and entry is not None:
            kept = None if element[5] else entry.kept(value)
            if kept is None:
                return _Outcome(b"", (((tag, "private", "remove"), 1),))
            action = "keep" if kept == value else "clean"
            return _Outcome(place.encoding.element(tag, entry.vr, kept), (((tag, decision.rule, action), 1),))
        return self._decided(data, element, place, depth, decision, value)

    # ---- what is written anew ---------------------------------------------------------------------------------------

    def _statement(self, encoding: Encoding, flags: frozenset[str], methods: tuple[str, ...]) -> list[tuple[int, bytes]]:
        """State what was done (PS3.3 C.7.1.1, PS3.15 E.1.1)."""
        key = (encoding, flags, methods)
        if key not in self._statements:
            self._statements[key] = self._stated(encoding, flags, methods)
        return self._statements[key]

    def _stated(self, encoding: Encoding, flags: frozenset[str], methods: tuple[str, ...]) -> list[tuple[int, bytes]]:
        temporal = "MODIFIED" if "modified" in flags else "UNMODIFIED" if "retained" in flags else "REMOVED"
        applied = dict((*self.profile.method_codes, *((code, codes.meaning(code, "DCM") or "") for code in methods)))
        listed = b"".join(
            encoding.item(
                encoding.element(codes.CODE_VALUE, "SH", value.encode())
                + encoding.element(codes.SCHEME, "SH", b"DCM")
                + encoding.element(codes.CODE_MEANING, "LO", meaning.encode())
            )
            for value, meaning in applied.items()
        )
        said = [
            (0x00120062, encoding.element(0x00120062, "CS", b"YES")),
            (0x00120063, encoding.element(0x00120063, "LO", f"Safelight profile {self.profile.name}".encode())),
            (0x00120064, encoding.element(0x00120064, "SQ", listed)),
            (0x00280303, encoding.element(0x00280303, "CS", temporal.encode())),
        ]
        if "utf8" in flags:
            said.append((_CHARACTER_SET, encoding.element(_CHARACTER_SET, "CS", b"ISO_IR 192")))
        return said

    def _preamble(self, instance: Instance) -> bytes:
        """Preamble, prefix and file meta information (PS3.10 section 7.1)."""
        syntax = ExplicitVRLittleEndian if instance.inflated else instance.syntax
        one = EXPLICIT_LITTLE.element
        group = b"".join((
            one(0x00020001, "OB", b"\0\1"),
            one(0x00020002, "UI", instance.text(0x00080016).encode("ascii", "replace")),
            one(0x00020003, "UI", self.values.uid(instance.text(0x00080018)).encode("ascii", "replace")),
            one(0x00020010, "UI", syntax.encode()),
            one(0x00020012, "UI", IMPLEMENTATION_CLASS_UID.encode()),
            one(0x00020013, "SH", IMPLEMENTATION_VERSION_NAME.encode()),
        ))  # fmt: skip
        return bytes(128) + b"DICM" + one(0x00020000, "UL", len(group).to_bytes(4, "little")) + group


def _flags(changed: Changed) -> frozenset[str]:
    return frozenset({*([changed.dates] if changed.dates else []), *(["utf8"] if changed.utf8 else [])})


__all__ = ["IMPLEMENTATION_CLASS_UID", "Audit", "Rewriter"]
