"""What a profile's YAML file declares: reading it, the file that it extends, and the checks that need no table.

`extends: <name>` starts from a profile of `configs/profiles/`; a mapping is merged entry by entry (`~` takes one out), everything else is
replaced. So a file shows what differs, and a check sees the whole.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from tasks.deid.table_e1_1 import OPTIONS
from tasks.errors import ConfigurationError

#: What a profile declares; all of it, and nothing else, so that a slip of the pen is not a rule that is missing.
DECLARED = frozenset({
    "name", "meaning", "safe_harbor", "edition", "options", "dates", "safe_private", "attributes", "sop_classes", "pixels", "faces",
    "face_slices", "face_free_body_parts", "head_words", "highest_age", "most_text_digits", "keep_text", "code_strings", "keep_bulk",
    "longest_number_list", "keep_uids",
})  # fmt: skip
#: What no profile takes over from the one that it extends.
OWN = ("name", "meaning")
KINDS = ("image", "structured", "presentation")
DATES = ("remove", "year", "shift", "keep")

_FULL, _MODIFIED = "retain_longitudinal_full_dates", "retain_longitudinal_modified_dates"
#: Options that keep what 45 CFR 164.514(b)(2)(i) lists: dates (C), device identifiers (M), places and institutions (B), any other unique number (R).
_NOT_SAFE_HARBOR = (_FULL, "retain_device_identity", "retain_institution_identity", "retain_uids")
_SAFE_HARBOR_AGE = 89
_CLEANING = {"structured": "clean_structured_content", "presentation": "clean_graphics"}


def read(profile: str) -> dict[str, Any]:
    """The declaration of a profile by its name in `configs/profiles/` or the path of a YAML file, with what it extends merged in.

    Raises:
        ConfigurationError: E-DEID-PROFILE where there is no such file.
        ValueError, yaml.YAMLError, OSError: for what is not as a profile must be.
    """
    return _read(profile, ())


def _read(profile: str, extended_by: tuple[str, ...]) -> dict[str, Any]:
    if profile in extended_by:
        raise ValueError(f"extends: {profile} extends itself")
    declared = _parsed(Path(profile)) if profile.endswith(".yaml") else _shipped(profile)
    base = declared.get("extends")
    if "extends" not in declared:
        return dict(declared)
    if not isinstance(base, str) or not re.fullmatch("[a-z][a-z0-9_]*", base):
        raise ValueError("extends: names a profile of configs/profiles")
    if missing := [entry for entry in OWN if entry not in declared]:
        raise ValueError(f"missing: {', '.join(missing)}")
    own = {entry: value for entry, value in declared.items() if entry != "extends"}
    return merged(_read(base, (*extended_by, profile)), own)


@cache
def _shipped(name: str) -> Mapping[str, Any]:
    return _parsed(files("configs").joinpath("profiles", f"{name}.yaml"))


def _parsed(source: Any) -> Mapping[str, Any]:
    if not source.is_file():
        raise ConfigurationError("E-DEID-PROFILE", source.name)
    declared = yaml.safe_load(source.read_text("utf-8"))
    if not isinstance(declared, Mapping):
        raise ValueError("no mapping")
    return declared


def merged(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """A declaration over the one that it extends: mappings entry by entry, without those that are None; everything else replaced."""
    result = dict(base)
    for entry, value in own.items():
        if isinstance(value, Mapping) and isinstance(base.get(entry), Mapping):
            both = {**base[entry], **value}
            result[entry] = {name: each for name, each in both.items() if each is not None}
        else:
            result[entry] = value
    return result


def check(declared: Mapping[str, Any]) -> None:
    """Refuse a declaration that misses an entry, has one too many, or contradicts itself.

    Raises:
        ValueError: names what is wrong; where two entries do not go together, both.
    """
    if odd := sorted(set(declared) ^ DECLARED, key=str):
        raise ValueError(f"missing or unknown: {', '.join(map(str, odd))}")
    if not re.fullmatch("[a-z][a-z0-9_]{0,39}", str(declared["name"])):
        raise ValueError("name")
    options = declared["options"]
    if not isinstance(options, list):
        raise ValueError("options: no list")
    if odd := [str(option) for option in options if option not in OPTIONS]:
        raise ValueError(f"options: no option of Table E.1-1: {', '.join(odd)}")
    _check_dates(str(declared["dates"]), options)
    _check_sop_classes(declared["sop_classes"], options)
    if declared["safe_harbor"] not in (True, False):
        raise ValueError("safe_harbor: is true or false")
    if declared["safe_harbor"]:
        _check_safe_harbor(declared)


def _check_dates(dates: str, options: list[str]) -> None:
    if dates not in DATES:
        raise ValueError(f"dates: {dates} is none of {', '.join(DATES)}")
    option, fitting = "no option about dates", ["remove"]
    if _FULL in options:
        option, fitting = _FULL, ["keep"]
    elif _MODIFIED in options:
        option, fitting = _MODIFIED, ["year", "shift"]
    if dates not in fitting:
        raise ValueError(f"dates: {dates} does not go with {option}, which needs {' or '.join(fitting)}")


def _check_sop_classes(sop_classes: Any, options: list[str]) -> None:
    if not isinstance(sop_classes, Mapping) or set(sop_classes) - set(KINDS):
        raise ValueError(f"sop_classes: by kind, which is one of {', '.join(KINDS)}")
    listed = [str(uid) for kind in sop_classes.values() for uid in kind]
    if len(set(listed)) != len(listed):
        raise ValueError("sop_classes: one is there twice")
    for kind, option in _CLEANING.items():
        if sop_classes.get(kind) and option not in options:
            raise ValueError(f"sop_classes: {kind} needs the option {option}")


def _check_safe_harbor(declared: Mapping[str, Any]) -> None:
    for option in _NOT_SAFE_HARBOR:
        if option in declared["options"]:
            raise ValueError(f"safe_harbor: true does not go with the option {option}")
    if declared["dates"] == "shift":
        raise ValueError("safe_harbor: true does not go with dates: shift")
    if int(declared["highest_age"]) > _SAFE_HARBOR_AGE:
        raise ValueError(f"safe_harbor: true does not go with highest_age over {_SAFE_HARBOR_AGE}")
