"""A de-identification profile, compiled: which action each attribute meets, and under which rule.

Sources: PS3.15 Table E.1-1 with its options (`table_e1_1`), the attributes' types in PS3.3 (`attribute_types`), and a reviewable profile in
YAML (`declared`). The order of the rules:

1. Private elements, group lengths, overlays and curves, attributes that are not known or have another VR than the standard's: removed;
   private elements that the list of safe ones names stay (`decide_private`).
2. The profile's own `attributes`. What the IOD requires is emptied (Type 2) or replaced (Type 1) instead of removed.
3. The table: an option's K (retain; sequences are recursed into), an option's C (clean; dates as `dates` says), else the basic code.
   K of Retain Patient Characteristics only keeps what the value's VR allows, so that ages stay under the highest and texts on their lists.
4. All other attributes, by VR.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydicom._uid_dict import UID_dictionary
from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag, tag_for_keyword

from tasks.deid import declared as declarations
from tasks.deid.attribute_types import AttributeTypes, attribute_types
from tasks.deid.burned_in.policy import PixelPolicy
from tasks.deid.safe_private import Key, SafePrivate, normal, safe_private
from tasks.deid.table_e1_1 import Action, Row, methods, resolve, table
from tasks.deid.text_rules import TextRule, text_rule, vocabulary, vocabulary_content, words_of
from tasks.dicom.vrs import BULK, NUMBER_TEXT, NUMBERS, TEMPORAL, TEXT, fits
from tasks.errors import ConfigurationError

#: What the profile's own `attributes` may ask for: nothing that keeps an attribute against the table.
_OWN_ACTIONS = ("remove", "empty", "dummy", "uid", "patient", "recurse")
_CHARACTERISTICS = "retain_patient_characteristics"
_FULL, _MODIFIED, _UIDS = "retain_longitudinal_full_dates", "retain_longitudinal_modified_dates", "retain_uids"
_SAFE_PRIVATE = "retain_safe_private"

Dates = Literal["remove", "year", "shift", "keep"]
Kind = Literal["image", "structured", "presentation"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to an attribute, and the rule that says so (a word for the audit table)."""

    action: Action
    rule: str


@dataclass(frozen=True, slots=True)
class SopClass:
    """A SOP class that a profile allows: its name, and whether its objects are images, structured content or presentations."""

    name: str
    kind: Kind


@dataclass(frozen=True)
class Profile:
    """A profile with its tables. Make one with `load`, or from data with `Profile.compile`.

    Attributes:
        method_codes: (code value, meaning) of PS3.16 CID 7050 for what the profile applies, the basic profile first.
        safe_private: private elements that may stay; in force under the option of that name only.
        types: the attributes' types by SOP class and place.
    """

    name: str
    edition: str
    digest: str
    safe_harbor: bool
    options: frozenset[str]
    dates: Dates
    method_codes: tuple[tuple[str, str], ...]
    sop_classes: Mapping[str, SopClass]
    safe_private: Mapping[Key, SafePrivate]
    pixels: PixelPolicy
    faces: Literal["quarantine", "keep", "deface"]
    face_slices: int
    face_free_body_parts: frozenset[str]
    head_words: frozenset[str]
    highest_age: int
    keep_text: Mapping[int, TextRule]
    code_string: re.Pattern[str]
    most_code_digits: int
    code_string_words: Mapping[int, frozenset[str]]
    code_string_otherwise: Mapping[int, str]
    keep_bulk: frozenset[int]
    longest_number_list: int
    keep_uid: re.Pattern[str]
    vocabulary: frozenset[str]
    attributes: Mapping[int, Action]
    rows: Mapping[int, Row]
    types: AttributeTypes
    _decided: dict[tuple[int, str, str, tuple[int, ...]], Decision] = field(default_factory=dict, repr=False, compare=False)
    _required: dict[tuple[int, str, tuple[int, ...]], bool] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def compile(cls, declared: Mapping[str, Any]) -> Profile:
        """Compile a profile's declaration (the YAML's content, merged) with the vocabulary and the standards' tables.

        Raises:
            ValueError, KeyError, TypeError, OSError, re.error: for the first thing that is not as a profile declares it.
        """
        declarations.check(declared)
        words = vocabulary()
        rows, table_content = table(str(declared["edition"]))
        private, private_content = safe_private(str(declared["safe_private"]))
        types = attribute_types()
        strings, options, dates = declared["code_strings"], list(declared["options"]), declared["dates"]
        contents = (table_content, private_content, types.content, vocabulary_content())
        material = repr((_canonical(declared), [hashlib.sha256(content).hexdigest() for content in contents]))
        applied = [option for option in options if option != _MODIFIED or dates != "keep"]
        return cls(
            name=declared["name"],
            edition=declared["edition"],
            digest=hashlib.sha256(material.encode()).hexdigest(),
            safe_harbor=declared["safe_harbor"],
            options=frozenset(options),
            dates=dates,
            method_codes=tuple(methods()[option] for option in ("basic", *dict.fromkeys(applied))),
            sop_classes={
                str(uid): SopClass(str(name), kind)
                for kind, each in declared["sop_classes"].items()
                for uid, name in each.items()
            },
            safe_private=private,
            pixels=PixelPolicy.of(declared["pixels"]),
            faces=_choice(declared["faces"], "quarantine", "keep", "deface"),
            face_slices=int(declared["face_slices"]),
            face_free_body_parts=frozenset(declared["face_free_body_parts"]),
            head_words=frozenset(declared["head_words"]),
            highest_age=int(declared["highest_age"]),
            keep_text={
                _tag(name): text_rule(rule, words, int(declared["most_text_digits"]))
                for name, rule in declared["keep_text"].items()
            },
            code_string=re.compile(strings["pattern"]),
            most_code_digits=int(strings["most_digits"]),
            code_string_words={_tag(name): words_of(lists, words) for name, lists in strings["words"].items()},
            code_string_otherwise={_tag(name): str(value) for name, value in strings["otherwise"].items()},
            keep_bulk=frozenset(_tag(name) for name in declared["keep_bulk"]),
            longest_number_list=int(declared["longest_number_list"]),
            keep_uid=re.compile("|".join(f"(?:{pattern})" for pattern in declared["keep_uids"])),
            vocabulary=words_of(list(words), words),
            attributes={_tag(name): _choice(action, *_OWN_ACTIONS) for name, action in declared["attributes"].items()},
            rows=rows,
            types=types,
        )

    def is_well_known(self, uid: str) -> bool:
        """Whether a UID is registered in PS3.6 Annex A, or is one that the profile names; only these are released."""
        return uid in UID_dictionary or self.keep_uid.fullmatch(uid) is not None

    def decide(self, tag: int, vr: str, sop_class: str = "", path: tuple[int, ...] = ()) -> Decision:
        """The action for an attribute as it stands in a data set.

        Args:
            tag: the attribute.
            vr: the VR that it is encoded with there.
            sop_class: the object's SOP class UID; with an unknown one, codes are resolved without types.
            path: tags of the sequences that lead to the data set, outermost first.
        """
        key = (tag, vr, sop_class, path)
        known = self._decided.get(key)
        if known is None:
            known = self._decided[key] = self._decide(tag, vr, sop_class, path)
        return known

    def decide_private(self, creator: str, tag: int, vr: str) -> Decision:
        """The action for a private element: keep if the option is on and the list names creator, element and VR; else remove.

        UN counts as the list's VR: that is how private elements of implicit VR come. The value is still to be checked, with
        `safe(creator, tag).allows(value)`.
        """
        entry = self.safe(creator, tag)
        if entry is not None and vr in (entry.vr, "UN"):
            return Decision("keep", "safe private")
        return Decision("remove", "private")

    def safe(self, creator: str, tag: int) -> SafePrivate | None:
        """The entry of the safe list for a private element, with its VR; None where it may not stay under this profile."""
        if _SAFE_PRIVATE not in self.options:
            return None
        return self.safe_private.get((normal(creator), tag >> 16, tag & 0xFF))

    def must_have_value(self, tag: int, sop_class: str, path: tuple[int, ...] = ()) -> bool:
        """Whether the object's IOD asks for a value there (Type 1 or 1C), so that a text that may not stay is replaced, not emptied."""
        key = (tag, sop_class, path)
        known = self._required.get(key)
        if known is None:
            known = self._required[key] = self.types.kind(sop_class, path, tag) in ("1", "1C")
        return known

    def _decide(self, tag: int, vr: str, sop_class: str, path: tuple[int, ...]) -> Decision:
        group, element = tag >> 16, tag & 0xFFFF
        if group % 2:
            return Decision("remove", "private")
        if element == 0 or (group in (0x0000, 0x0004) and tag not in self.rows) or tag in (0x00080001, 0x00280003):
            return Decision("remove", "group length")
        if (group >> 8) in (0x50, 0x60):
            return Decision("remove", "curve or overlay")
        if vr == "UN" or not dictionary_has_tag(tag):
            return Decision("remove", "unknown")
        if not fits(vr, dictionary_VR(tag)):
            return Decision("remove", "wrong VR")
        kind = self.types.kind(sop_class, path, tag)
        if tag in self.attributes:
            return Decision(_fitted(self.attributes[tag], vr, kind), "profile")
        if tag in self.rows:
            return self._from_table(self.rows[tag], vr, kind)
        return self._unlisted(tag, vr, kind)

    def _from_table(self, row: Row, vr: str, kind: str | None) -> Decision:
        granted = {option: code for option, code in row.options.items() if option in self.options}
        if vr in TEMPORAL and _MODIFIED in granted and _FULL not in granted:
            if self.dates == "shift":
                return Decision("shift", "dates shifted")
            return Decision(resolve(row.basic, vr, kind), "E.1-1") if vr == "TM" else Decision("year", "year only")
        if "K" in granted.values():
            if vr == "SQ":
                return Decision("recurse", "E.1-1 option")
            keeping = {option for option, code in granted.items() if code == "K"}
            return Decision("keep" if keeping == {_CHARACTERISTICS} or vr == "AS" else "retain", "E.1-1 option")
        if granted.keys() - {_MODIFIED}:
            if vr == "SQ":
                return Decision("recurse", "E.1-1 option")
            if vr in TEXT:
                return Decision("clean", "E.1-1 option")
        return Decision(resolve(row.basic, vr, kind), "E.1-1")

    def _unlisted(self, tag: int, vr: str, kind: str | None) -> Decision:
        if vr == "SQ":
            return Decision("recurse", "unlisted")
        if vr == "UI":
            return Decision("retain" if _UIDS in self.options else "uid", "unlisted")
        if vr in TEMPORAL:
            return self._unlisted_date(vr, kind)
        if vr in BULK:
            return Decision("keep", "bulk list") if tag in self.keep_bulk else Decision("remove", "bulk list")
        return Decision("keep", "unlisted")

    def _unlisted_date(self, vr: str, kind: str | None) -> Decision:
        if self.dates == "keep":
            return Decision("retain", "dates kept")
        if self.dates == "shift":
            return Decision("shift", "dates shifted")
        if self.dates == "year" and vr != "TM":
            return Decision("year", "year only")
        return Decision("dummy" if kind in ("1", "1C") else "empty", "time" if vr == "TM" else "date")


def _fitted(action: Action, vr: str, kind: str | None) -> Action:
    """An action of the profile's own on an attribute of this type. What is conditional (1C) goes as asked: its condition goes with it."""
    if kind in ("2", "2C") and action == "remove":
        return "empty"
    if kind == "1" and action in ("remove", "empty") and vr != "SQ" and vr not in BULK:
        return "uid" if vr == "UI" else "dummy"
    return action


@cache
def load(profile: str) -> Profile:
    """A profile by its name in `configs/profiles/`, or by the path of a YAML file.

    Raises:
        ConfigurationError: E-DEID-PROFILE where there is none, or it does not say what a profile must.
    """
    try:
        return Profile.compile(declarations.read(profile))
    except (yaml.YAMLError, OSError, KeyError, TypeError, ValueError, AttributeError, re.error) as error:
        said = str(error) if type(error) in (ValueError, KeyError) else type(error).__name__
        raise ConfigurationError("E-DEID-PROFILE", f"{Path(profile).name}: {said}") from None


def identifying_text_tags(profile: Profile) -> frozenset[int]:
    """Text attributes that Table E.1-1 protects because they identify, not because somebody may have typed an identifier into them.

    Those that an option of the profile retains are not among them: what may be released is no residue.
    """
    return frozenset(
        tag
        for tag, row in profile.rows.items()
        if dictionary_has_tag(tag)
        and dictionary_VR(tag) in TEXT
        and not row.clean_descriptors
        and not row.options.get(_CHARACTERISTICS)
        and all(code != "K" for option, code in row.options.items() if option in profile.options)
    )


def keyword(tag: int) -> str:
    """The attribute's keyword, empty for private and unknown ones."""
    return "" if (tag >> 16) % 2 else keyword_for_tag(tag)


def _tag(keyword: str) -> int:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise ValueError(keyword)
    return tag


def _choice(value: Any, *allowed: str) -> Any:
    if value not in allowed:
        raise ValueError(f"{value} is none of {', '.join(allowed)}")
    return value


def _canonical(value: Any) -> Any:
    if isinstance(value, Mapping):
        return sorted((str(name), _canonical(entry)) for name, entry in value.items())
    return [_canonical(entry) for entry in value] if isinstance(value, list) else value


__all__ = [
    "BULK", "NUMBERS", "NUMBER_TEXT", "TEMPORAL", "TEXT", "Action", "Dates", "Decision", "Profile", "Row", "SafePrivate", "SopClass", "TextRule",
    "identifying_text_tags", "keyword", "load", "resolve",
]  # fmt: skip
