"""A site's own recipe on top of a profile: the `%header` section of a file in the format of the `deid` package.

    FORMAT dicom
    %header
    REMOVE SoftwareVersions
    BLANK (0018,0020)
    REPLACE StudyDescription CT CHEST
    KEEP PatientSex

A recipe may be stricter than the profile, never weaker. KEEP says that a value is meant to stay: where the profile takes it away, that is an
error which names both sides. REPLACE may write words of the vocabulary only, so that nobody writes an identifier into every study.
Whatever else the format can say (JITTER, ADD, LABEL, filters, lists, functions, field expanders) is refused. The `deid` package leaves out
lines that it does not understand; here each line must become an action, or the recipe is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag, tag_for_keyword

from tasks.deid import declared, package
from tasks.deid.rules import Profile, load
from tasks.deid.words import standard
from tasks.errors import ConfigurationError

_ACTIONS = {"REMOVE": "remove", "BLANK": "empty", "REPLACE": "replace", "KEEP": "keep"}
_WHY_NOT = {
    "JITTER": "shifted dates are not Safe Harbor; the profile decides about dates",
    "ADD": "attributes that were not there cannot be added; REPLACE changes one that is",
    "LABEL": "labels belong to filters, and filters are decided by the profile",
}
#: Profile actions that take a value or a whole attribute away.
_TAKES_AWAY = frozenset({"remove", "empty", "dummy", "uid", "patient", "year", "shift", "clean"})
#: How strict an action is: a recipe's may not be below the profile's. A dummy is as good as nothing (PS3.15 E.3, code Z).
_STRICTNESS = {"clean": 1, "year": 1, "shift": 1, "uid": 1, "patient": 1, "dummy": 2, "empty": 2, "remove": 3}
#: VRs that REPLACE can write as text, with their longest value in characters (PS3.5 table 6.2-1).
_LENGTHS = {"CS": 16, "SH": 16, "LO": 64, "ST": 1024, "LT": 10240, "UC": 10240, "UT": 10240, "DS": 16, "IS": 12}
_TAG = re.compile(r"\(?([0-9A-Fa-f]{4}),? ?([0-9A-Fa-f]{4})\)?")
_NUMBER = re.compile(r"[+-]?[0-9]{1,4}(\.[0-9]{1,3})?")
#: Without these a file is not a DICOM object of its study, or its pixels cannot be read.
_NEEDED_GROUPS = (0x0002, 0x0028, 0x7FE0)
_NEEDED = frozenset(
    {0x00080016, 0x00080018, 0x0020000D, 0x0020000E, 0x00100010, 0x00100020, 0x00120062, 0x00120063, 0x00120064, 0x00280303}
)


class Decided(Protocol):
    """What a profile decides about an attribute: `tasks.deid.rules.Decision`."""

    @property
    def action(self) -> str:
        """What is done to the attribute."""

    @property
    def rule(self) -> str:
        """The rule that says so."""


Decide = Callable[[int, str], Decided]


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a recipe: what it does to which attribute, and the literal that REPLACE writes."""

    line: int
    verb: str
    tag: int
    literal: str = ""

    @property
    def field(self) -> str:
        """The attribute's keyword."""
        return keyword_for_tag(self.tag)


def load_with(profile: str, recipe: Path | None) -> tuple[Profile, dict[int, str]]:
    """A profile with a recipe on top, compiled, and the literals of the recipe by tag.

    The profile's digest covers the recipe's actions; the literals have to be part of a stage's configuration beside it.

    Raises:
        ConfigurationError: E-DEID-PROFILE or E-DEID-RECIPE.
    """
    base = load(profile)
    if recipe is None:
        return base, {}
    merged, literals = merge(declared.read(profile), recipe, base.decide)
    try:
        return Profile.compile(merged), literals
    except ValueError as error:
        raise ConfigurationError("E-DEID-RECIPE", f"{recipe.name}: {error}") from None


def merge(declaration: Mapping[str, Any], recipe: Path, decide: Decide) -> tuple[dict[str, Any], dict[int, str]]:
    """Add a recipe to a profile's declaration.

    Args:
        declaration: the content of the profile's YAML file, with what it extends merged in.
        recipe: a file in the format of the `deid` package.
        decide: the profile's decision for (tag, VR), without the recipe: `Profile.decide`.

    Returns:
        the declaration with the recipe's actions among its `attributes` (remove, empty, dummy), and the literals that REPLACE writes, by
        tag: the attributes that `attributes` has as dummy and that get this value instead of the usual one.

    Raises:
        ConfigurationError: E-DEID-RECIPE, with the line and, for a conflict, what it stands against. Values of REPLACE are not repeated.
    """
    attributes: dict[str, str] = dict(declaration.get("attributes", {}))
    literals: dict[int, str] = {}
    seen: dict[int, Step] = {}
    for step in parse(recipe):
        if step.tag in seen:
            raise _refused(step.line, f"{step.verb} {step.field}, against {seen[step.tag].verb} in line {seen[step.tag].line}")
        seen[step.tag] = step
        decided = decide(step.tag, dictionary_VR(step.tag).split(" or ")[0])
        _check_conflict(step, decided, str(declaration.get("name", "")))
        if step.verb == "KEEP":
            continue
        if step.verb == "REPLACE":
            _check_literal(step)
            literals[step.tag] = step.literal
        attributes[step.field] = "dummy" if step.verb == "REPLACE" else _ACTIONS[step.verb]
    return {**declaration, "attributes": attributes}, literals


def parse(recipe: Path) -> list[Step]:
    """The lines of a recipe in their order.

    Raises:
        ConfigurationError: E-DEID-RECIPE for a file that cannot be read, and for each line that is not one of the four actions.
    """
    try:
        text = recipe.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError("E-DEID-RECIPE", f"{recipe.name} cannot be read") from None
    lines = _lines(text)
    understood = _understood(recipe)
    if len(understood) != len(lines):
        raise ConfigurationError(
            "E-DEID-RECIPE", f"{recipe.name}: {len(lines)} lines with actions, but {len(understood)} are understood"
        )
    return [_step(number, line, action) for (number, line), action in zip(lines, understood, strict=True)]


def _lines(text: str) -> list[tuple[int, str]]:
    """The lines with actions and their numbers, of a file that has a format and one header section."""
    found: list[tuple[int, str]] = []
    section = kind = ""
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("%"):
            section = line[1:].split("#")[0].strip().lower()
            if section != "header":
                raise _refused(number, "only a %header section is supported")
        elif not section and line.split()[0].upper() == "FORMAT":
            kind = line.split("#")[0].split(maxsplit=1)[-1].strip().lower()
        elif not section:
            raise _refused(number, "an action before %header")
        else:
            found.append((number, line))
    if kind != "dicom" or section != "header":
        raise ConfigurationError("E-DEID-RECIPE", "a recipe begins with FORMAT dicom and %header")
    for number, line in found:
        verb = line.split()[0]
        if verb not in _ACTIONS:
            said = verb if verb in _WHY_NOT else "no action"
            raise _refused(number, f"{said}: {_WHY_NOT.get(verb, 'use REMOVE, BLANK, REPLACE or KEEP')}")
        if len(line.split("#")[0].split()) < (3 if verb == "REPLACE" else 2):
            raise _refused(number, f"{verb} needs a field{' and a value' if verb == 'REPLACE' else ''}")
    return found


def _understood(recipe: Path) -> list[dict[str, str]]:
    """What the `deid` package reads in the header section."""
    try:
        actions = package.recipes()(str(recipe.resolve())).get_actions()
    except SystemExit:  # how the package refuses
        raise ConfigurationError("E-DEID-RECIPE", f"{recipe.name} is refused by the deid package") from None
    return list(actions)


def _step(number: int, line: str, action: Mapping[str, str]) -> Step:
    verb, field = str(action["action"]), str(action["field"])
    words = line.split("#", maxsplit=1)[0].split()
    if verb != words[0] or not line[len(verb) :].strip().startswith(field):
        raise _refused(number, "is not what the deid package reads there")
    literal = str(action.get("value", "")).split("#")[0].strip()
    if literal.startswith(("func:", "var:", "deid_func:")):
        raise _refused(number, f"{verb}: functions and variables are not supported")
    rest = line[line.index(field, len(verb)) + len(field) :].split("#", maxsplit=1)[0].strip()
    if rest and verb != "REPLACE":
        raise _refused(number, f"{verb} takes a field and nothing else")
    return Step(number, verb, _tag(field, number), literal)


def _tag(field: str, number: int) -> int:
    match = _TAG.fullmatch(field)
    tag = int(match[1] + match[2], 16) if match else tag_for_keyword(field)
    if tag is None or not dictionary_has_tag(tag):
        raise _refused(
            number, "the field is no keyword or (gggg,eeee) of PS3.6; field expanders and private fields are not supported"
        )
    if tag >> 16 in _NEEDED_GROUPS or tag in _NEEDED:
        raise _refused(number, f"{keyword_for_tag(tag)} is written by the engine or needed to read the object")
    return int(tag)


def _check_conflict(step: Step, decided: Decided, profile: str) -> None:
    against = f"against {decided.rule} ({decided.action}) of profile {profile}"
    if step.verb == "KEEP":
        if decided.action in _TAKES_AWAY:
            raise _refused(step.line, f"KEEP {step.field}, {against}")
        return
    own = "dummy" if step.verb == "REPLACE" else _ACTIONS[step.verb]
    if _STRICTNESS[own] < _STRICTNESS.get(decided.action, 0):
        raise _refused(step.line, f"{step.verb} {step.field}, {against}")


def _check_literal(step: Step) -> None:
    """A literal must be a number, or words that may stay in anybody's text."""
    vr = dictionary_VR(step.tag).split(" or ")[0]
    longest = _LENGTHS.get(vr)
    if longest is None:
        raise _refused(step.line, f"REPLACE {step.field}: an attribute with VR {vr} cannot be replaced by a text")
    if len(step.literal) > longest:
        raise _refused(step.line, f"REPLACE {step.field}: longer than {longest} characters")
    number = _NUMBER.fullmatch(step.literal) is not None
    if vr in ("DS", "IS"):
        fine = number and (vr == "DS" or "." not in step.literal)
    else:
        fine = standard().allows(step.literal) or step.literal == "REMOVED"
        fine = fine and (vr != "CS" or re.fullmatch("[A-Z0-9_ ]{1,16}", step.literal) is not None)
    if not fine:
        raise _refused(
            step.line, f"REPLACE {step.field}: the value is not made of words of the vocabulary, and no number fit for VR {vr}"
        )


def _refused(line: int, why: str) -> ConfigurationError:
    return ConfigurationError("E-DEID-RECIPE", f"line {line}: {why}")
