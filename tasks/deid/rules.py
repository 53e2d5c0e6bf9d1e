"""A de-identification profile, compiled: which action each attribute meets, and under which rule.

Sources: PS3.15 Table E.1-1 (its edition is in the file's name) and a reviewable profile in YAML. Compound codes are resolved so that
an attribute never keeps its value and an object never becomes less valid than it was:

- dates and times whose code allows a dummy (D) get one; a Type 1 date stays Type 1;
- other attributes whose code allows Z are emptied: right for Type 2, allowed for Type 3;
- X/D becomes X: no attribute with this code is Type 1 in the SOP classes that profiles allow;
- sequences are emptied where the code allows Z or D: a dummy item would itself need dummies;
- U* (a sequence that stays, with new UIDs) is chosen where the code offers it.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import yaml
from pydicom._uid_dict import UID_dictionary
from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag, tag_for_keyword

from tasks.errors import ConfigurationError

#: remove; empty; dummy value; new UID; the lake's PatientID; the year alone; keep if its VR's rule lets it; sequence: apply inside.
Action = Literal["remove", "empty", "dummy", "uid", "patient", "year", "keep", "recurse"]
_ACTIONS = ("remove", "empty", "dummy", "uid", "patient", "recurse")

TEXT = frozenset({"AE", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
NUMBER_TEXT = frozenset({"DS", "IS"})
NUMBERS = frozenset({"AT", "FD", "FL", "SL", "SS", "SV", "UL", "US", "UV"})
BULK = frozenset({"OB", "OD", "OF", "OL", "OV", "OW"})

_CHARACTERISTICS = "retain_patient_characteristics"
#: What a profile declares; all of it, and nothing else, so that a slip of the pen is not a rule that is missing.
_DECLARED = frozenset({
    "name", "meaning", "edition", "options", "method_codes", "attributes", "sop_classes", "pixels", "faces", "face_slices",
    "face_free_body_parts", "head_words", "highest_age", "most_text_digits", "keep_text", "code_strings", "keep_bulk",
    "longest_number_list", "keep_uids",
})  # fmt: skip
_WORD = re.compile(r"[\s,;/\\()&=^_-]+")


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to an attribute, and the rule that says so (a word for the audit table)."""

    action: Action
    rule: str


@dataclass(frozen=True, slots=True)
class TextRule:
    """Which values of one text attribute are released; `otherwise` what the others become."""

    words: frozenset[str]
    pattern: re.Pattern[str] | None
    word_pattern: re.Pattern[str] | None
    otherwise: Literal["empty", "dummy"]
    most_digits: int

    def allows(self, value: str) -> bool:
        """Whether one value (not a multi-valued string) may be released as it is."""
        value = value.strip()
        if not value.isascii() or len(value) > 64:
            return False
        if self.pattern is not None and self.pattern.fullmatch(value):
            return True
        if sum(map(str.isdigit, value)) > self.most_digits:
            return False
        tokens = [token for token in _WORD.split(value) if token.strip(".*+")]
        return bool(tokens or not value) and all(self._allows_word(token) for token in tokens)

    def _allows_word(self, token: str) -> bool:
        if token.lower() in self.words:
            return True
        return self.word_pattern is not None and all(
            self.word_pattern.fullmatch(part) for part in re.split(r"[.*]+", token) if part
        )


@dataclass(frozen=True)
class Profile:
    """A profile with its tables. Make one with `load`, or from data with `Profile.compile`."""

    name: str
    edition: str
    digest: str
    method_codes: tuple[tuple[str, str], ...]
    sop_classes: frozenset[str]
    image_type: tuple[str, ...]
    burned_in_catalogue: bool
    faces: Literal["quarantine", "keep"]
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
    options: frozenset[str]
    groups_removed: bool = True
    private_removed: bool = True
    _decided: dict[tuple[int, str], Decision] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def compile(cls, declared: Mapping[str, Any]) -> Profile:
        """Compile a profile's declaration (the YAML's content) with the vocabulary and the standard's table.

        Raises:
            ValueError, KeyError, TypeError, OSError: for the first thing that is not as a profile declares it.
        """
        if odd := sorted(set(declared) ^ _DECLARED):
            raise ValueError(f"missing or unknown: {', '.join(map(str, odd))}")
        if not re.fullmatch("[a-z][a-z0-9_]{0,39}", str(declared["name"])):
            raise ValueError("name")
        vocabulary = _vocabulary()
        rows, table_bytes = _table(str(declared["edition"]))
        codes = declared["method_codes"]
        strings = declared["code_strings"]
        material = repr((_canonical(declared), _canonical(vocabulary), hashlib.sha256(table_bytes).hexdigest()))
        return cls(
            name=declared["name"],
            edition=declared["edition"],
            digest=hashlib.sha256(material.encode()).hexdigest(),
            method_codes=tuple((str(codes[name][0]), str(codes[name][1])) for name in ("basic", *declared["options"])),
            sop_classes=frozenset(declared["sop_classes"]),
            image_type=tuple(declared["pixels"]["image_type"]),
            burned_in_catalogue=bool(declared["pixels"]["burned_in_catalogue"]),
            faces=_choice(declared["faces"], "quarantine", "keep"),
            face_slices=int(declared["face_slices"]),
            face_free_body_parts=frozenset(declared["face_free_body_parts"]),
            head_words=frozenset(declared["head_words"]),
            highest_age=int(declared["highest_age"]),
            keep_text={
                _tag(name): _text_rule(rule, vocabulary, int(declared["most_text_digits"]))
                for name, rule in declared["keep_text"].items()
            },
            code_string=re.compile(strings["pattern"]),
            most_code_digits=int(strings["most_digits"]),
            code_string_words={_tag(name): _words(lists, vocabulary) for name, lists in strings["words"].items()},
            code_string_otherwise={_tag(name): str(value) for name, value in strings["otherwise"].items()},
            keep_bulk=frozenset(_tag(name) for name in declared["keep_bulk"]),
            longest_number_list=int(declared["longest_number_list"]),
            keep_uid=re.compile("|".join(f"(?:{pattern})" for pattern in declared["keep_uids"])),
            vocabulary=_words(list(vocabulary), vocabulary),
            attributes={_tag(name): _action(action) for name, action in declared["attributes"].items()},
            rows=rows,
            options=frozenset(declared["options"]),
        )

    def is_well_known(self, uid: str) -> bool:
        """Whether a UID is registered in PS3.6 Annex A, or is one that the profile names; only these are released."""
        return uid in UID_dictionary or self.keep_uid.fullmatch(uid) is not None

    def decide(self, tag: int, vr: str) -> Decision:
        """The action for an attribute as it stands in a data set; `vr` is the VR that it is encoded with there."""
        known = self._decided.get((tag, vr))
        if known is None:
            known = self._decided[tag, vr] = self._decide(tag, vr)
        return known

    def _decide(self, tag: int, vr: str) -> Decision:
        group, element = tag >> 16, tag & 0xFFFF
        if group % 2:
            return Decision("remove" if self.private_removed else "keep", "private")
        if element == 0 or tag in (0x00080001, 0x00280003):
            return Decision("remove", "group length")
        if self.groups_removed and (group >> 8) in (0x50, 0x60):
            return Decision("remove", "curve or overlay")
        if vr == "UN" or not dictionary_has_tag(tag):
            return Decision("remove", "unknown")
        if not _fits(vr, dictionary_VR(tag)):
            return Decision("remove", "wrong VR")
        if tag in self.attributes:
            return Decision(self.attributes[tag], "profile")
        if tag in self.rows:
            return self._from_table(self.rows[tag], vr)
        return self._unlisted(tag, vr)

    def _from_table(self, row: Row, vr: str) -> Decision:
        granted = {row.options[option] for option in self.options & row.options.keys()}
        if "K" in granted:
            return Decision("recurse" if vr == "SQ" else "keep", "E.1-1 option")
        if "C" in granted and vr in ("DA", "DT"):
            return Decision("year", "year only")
        return Decision(resolve(row.basic, vr), "E.1-1")

    def _unlisted(self, tag: int, vr: str) -> Decision:
        if vr == "SQ":
            return Decision("recurse", "unlisted")
        if vr == "UI":
            return Decision("uid", "unlisted")
        if vr in ("DA", "DT"):
            return Decision("year", "year only")
        if vr == "TM":
            return Decision("empty", "time")
        if vr in BULK:
            return Decision("keep", "bulk list") if tag in self.keep_bulk else Decision("remove", "bulk list")
        return Decision("keep", "unlisted")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of Table E.1-1: the basic profile's code, and the code (K or C) by option where there is one."""

    basic: str
    options: Mapping[str, str]
    clean_descriptors: bool


def resolve(code: str, vr: str) -> Action:
    """One action for a code of Table E.1-1 in an attribute of this VR; the reasons are in the module's description."""
    choices = code.split("/")
    if "U*" in choices:
        return "recurse"
    if choices == ["U"]:
        return "recurse" if vr == "SQ" else "uid"
    if choices == ["X"] or vr in BULK or vr == "UN":
        return "remove"
    if vr == "SQ":
        return "empty" if "Z" in choices or choices == ["D"] else "remove"
    if vr in ("DA", "TM", "DT") and "D" in choices:
        return "dummy"
    if "Z" in choices:
        return "empty"
    return "remove" if "X" in choices else ("uid" if vr == "UI" else "dummy")


@cache
def load(profile: str) -> Profile:
    """A profile by its name in `configs/profiles/`, or by the path of a YAML file.

    Raises:
        ConfigurationError: E-DEID-PROFILE where there is none, or it does not say what a profile must.
    """
    path = Path(profile)
    source: Any = path if profile.endswith(".yaml") else files("configs").joinpath("profiles", f"{profile}.yaml")
    if not source.is_file():
        raise ConfigurationError("E-DEID-PROFILE", path.name)
    try:
        return Profile.compile(yaml.safe_load(source.read_text("utf-8")))
    except (yaml.YAMLError, OSError, KeyError, TypeError, ValueError, AttributeError, re.error) as error:
        said = str(error) if type(error) in (ValueError, KeyError) else type(error).__name__
        raise ConfigurationError("E-DEID-PROFILE", f"{path.name}: {said}") from None


def identifying_text_tags(profile: Profile) -> frozenset[int]:
    """Text attributes that Table E.1-1 protects because they identify, not because somebody may have typed an identifier into them."""
    return frozenset(
        tag
        for tag, row in profile.rows.items()
        if dictionary_has_tag(tag)
        and dictionary_VR(tag) in TEXT
        and not row.clean_descriptors
        and not row.options.get(_CHARACTERISTICS)
    )


def _fits(vr: str, declared: str) -> bool:
    """Whether a VR found is the dictionary's, or of the same kind: old encoders mix LO with SH, OB with OW, US with SS."""
    allowed = declared.split(" or ")
    if vr in allowed:
        return True
    return any({vr, other} <= kind for other in allowed for kind in (TEXT, NUMBER_TEXT, NUMBERS, BULK))


def _tag(keyword: str) -> int:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise ValueError(keyword)
    return tag


def _action(name: str) -> Action:
    if name not in _ACTIONS:
        raise ValueError(name)
    return name  # type: ignore[return-value]


def _choice(value: Any, *allowed: str) -> Any:
    if value not in allowed:
        raise ValueError(f"{value} is none of {', '.join(allowed)}")
    return value


def _words(lists: list[str], vocabulary: Mapping[str, list[Any]]) -> frozenset[str]:
    return frozenset(str(word).lower() for name in lists for word in vocabulary[name])


def _text_rule(rule: Mapping[str, Any], vocabulary: Mapping[str, list[Any]], most_digits: int) -> TextRule:
    def joined(patterns: list[str] | None) -> re.Pattern[str] | None:
        return re.compile("|".join(f"(?:{pattern})" for pattern in patterns)) if patterns else None

    words = _words(rule.get("words", []), vocabulary)
    otherwise = _choice(rule.get("otherwise", "empty"), "empty", "dummy")
    return TextRule(words, joined(rule.get("patterns")), joined(rule.get("word_patterns")), otherwise, most_digits)


def _canonical(value: Any) -> Any:
    if isinstance(value, Mapping):
        return sorted((str(name), _canonical(entry)) for name, entry in value.items())
    return [_canonical(entry) for entry in value] if isinstance(value, list) else value


@cache
def _vocabulary() -> dict[str, list[Any]]:
    text = files("configs").joinpath("profiles", "vocabulary", "released_text.yaml").read_text("utf-8")
    loaded: dict[str, list[Any]] = yaml.safe_load(text)
    return loaded


@cache
def _table(edition: str) -> tuple[dict[int, Row], bytes]:
    content = files("configs").joinpath("standards", f"{edition}.csv").read_bytes()
    rows = {}
    for entry in csv.DictReader(io.StringIO(content.decode())):
        if re.fullmatch("[0-9A-F]{8}", entry["tag"]):  # repeating groups and PRIVATE are rules of their own, above
            options = {name: code for name, code in entry.items() if name not in _NOT_OPTIONS and code}
            rows[int(entry["tag"], 16)] = Row(entry["basic"], options, bool(entry["clean_descriptors"]))
    return rows, content


_NOT_OPTIONS = ("tag", "keyword", "name", "retired", "basic")


def keyword(tag: int) -> str:
    """The attribute's keyword, empty for private and unknown ones."""
    return "" if (tag >> 16) % 2 else keyword_for_tag(tag)
