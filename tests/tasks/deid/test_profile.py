"""A profile is read whole or not at all: a slip in a site's own file is told, and never a rule that is silently missing."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.deid.rules import load
from tasks.errors import ConfigurationError

TEXT = files("configs").joinpath("profiles", "safe_harbor.yaml").read_text("utf-8")


def test_the_file_that_ships_is_a_profile() -> None:
    assert load("safe_harbor").name == "safe_harbor"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"faces": "Quarantine"}, "Quarantine"), ({"faces": None}, "None"), ({"head_wrods": ["head"]}, "head_wrods"),
        ({"name": "Our Profile"}, "name"),
        ({"attributes": {"PatientNmae": "patient"}}, "PatientNmae"), ({"attributes": {"PatientID": "keep"}}, "keep"),
        ({"keep_text": {"StationNmae": {}}}, "StationNmae"), ({"keep_text": {"StationName": {"otherwise": "keep"}}}, "keep"),
        ({"keep_text": {"StationName": {"words": ["no such list"]}}}, "no such list"), ({"options": ["retain_everything"]}, "retain_everything"),
        ({"keep_bulk": ["PixelDate"]}, "PixelDate"), ({"highest_age": "old"}, "old"), ({"edition": "ps3_15_table_e1_1_1999a"}, "FileNotFoundError"),
        ({"keep_uids": ["1.2.("]}, "error"), ({"pixels": None}, "TypeError"), ({"code_strings": {"pattern": "("}}, "error"),
    ],
)  # fmt: skip
def test_a_slip_is_told(changes: dict[str, Any], told: str, bent: Callable[..., str]) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load(bent(**changes))
    assert refused.value.code == "E-DEID-PROFILE"
    assert told in refused.value.place


@pytest.mark.parametrize("entry", re.findall(r"^([a-z_]+):", TEXT, re.MULTILINE))
def test_no_entry_may_be_missing(entry: str, tmp_path: Path) -> None:
    declared = yaml.safe_load(TEXT)
    del declared[entry]
    (tmp_path / "site.yaml").write_text(yaml.safe_dump(declared))
    with pytest.raises(ConfigurationError, match=f"E-DEID-PROFILE.*{entry}"):
        load(str(tmp_path / "site.yaml"))


@pytest.mark.parametrize("content", ["", "[]", "name: [", "a: b: c", "\x00", "just text"])
def test_a_file_that_is_no_profile_is_one_sentence(content: str, tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(content)
    with pytest.raises(ConfigurationError, match="E-DEID-PROFILE"):
        load(str(tmp_path / "site.yaml"))


def test_every_change_of_a_rule_changes_the_digest(bent: Callable[..., str]) -> None:
    changes: list[dict[str, Any]] = [
        {"faces": "keep"}, {"highest_age": 88}, {"most_text_digits": 6}, {"attributes": {"StudyID": "remove"}}, {"head_words": ["head"]},
        {"keep_text": {"Manufacturer": {"words": []}}}, {"face_slices": 9}, {"pixels": {"burned_in_catalogue": False}},
    ]  # fmt: skip
    digests = {load("safe_harbor").digest, *(load(bent(**change)).digest for change in changes)}
    assert len(digests) == len(changes) + 1


def test_a_sites_own_rule_is_followed(bent: Callable[..., str]) -> None:
    profile = load(bent(attributes={"PatientSize": "empty"}, name="our_site"))
    assert (profile.name, profile.decide(0x00101020, "DS").action) == ("our_site", "empty")
    assert load("safe_harbor").decide(0x00101020, "DS").action == "keep"
