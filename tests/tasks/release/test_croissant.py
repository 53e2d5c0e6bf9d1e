"""The manifest is Croissant 1.1 by the judgement of mlcroissant, which reads the release's tables through it."""

from __future__ import annotations

import json
import warnings
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tasks.lake import Lake
from tasks.release.about import About
from tasks.release.frozen import Frozen
from tests.tasks.release.conftest import frozen

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # those of its dependencies, at import
    import mlcroissant

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::PendingDeprecationWarning", "ignore::FutureWarning"
)
#: What the standard requires of a data set (section "Dataset-level information").
REQUIRED = {
    "@context",
    "@type",
    "conformsTo",
    "description",
    "license",
    "name",
    "url",
    "creator",
    "datePublished",
    "distribution",
}


def path(lake: Lake) -> Path:
    return Path(lake.url) / "releases/chest/1.0.0/croissant.json"


def test_mlcroissant_has_nothing_to_say_against_it(lake: Lake, caplog: pytest.LogCaptureFixture) -> None:
    about = About(
        licence="CC-BY-4.0", creator="Example Hospital", url="https://example.org/chest", citation="Example Hospital, 2026."
    )
    frozen(lake, about=about)
    dataset = mlcroissant.Dataset(path(lake))
    assert (dataset.metadata.ctx.issues.errors, dataset.metadata.ctx.issues.warnings) == (set(), set())
    assert dataset.metadata.ctx.is_v1_1()
    assert not [record for record in caplog.records if record.levelname in {"WARNING", "ERROR"}]
    assert json.loads(path(lake).read_text("utf-8")).keys() >= REQUIRED


def test_what_nobody_stated_is_still_valid(shared: tuple[Lake, Frozen]) -> None:
    assert mlcroissant.Dataset(path(shared[0])).metadata.ctx.issues.errors == set()


@pytest.mark.parametrize("name", ["volumes", "studies", "patients", "labels"])
def test_the_tables_are_read_through_it(shared: tuple[Lake, Frozen], name: str) -> None:
    lake, made = shared
    rows: list[dict[str, Any]] = list(mlcroissant.Dataset(path(lake)).records(name))
    wanted = getattr(made, name)
    assert len(rows) == len(wanted) > 0
    key = "path" if name == "volumes" else "PatientID"
    assert [row[f"{name}/{key}"].decode() for row in rows] == [row[key] for row in wanted]
    assert [row[f"{name}/split"].decode() for row in rows] == [row["split"] for row in wanted]


def test_the_splits_are_a_record_set_of_their_own(shared: tuple[Lake, Frozen]) -> None:
    rows = list(mlcroissant.Dataset(path(shared[0])).records("splits"))
    assert [row["splits/name"] for row in rows] in (["train", "validation", "test"], [b"train", b"validation", b"test"])


def test_every_file_object_leads_to_a_file_of_its_checksum_and_size(shared: tuple[Lake, Frozen]) -> None:
    lake, made = shared
    said = json.loads(path(lake).read_text("utf-8"))["distribution"]
    files = [each for each in said if each["@type"] == "cr:FileObject"]
    for each in files:
        content = (path(lake).parent / each["contentUrl"]).read_bytes()
        assert sha256(content).hexdigest() == each["sha256"]
        assert each["contentSize"] == f"{len(content)} B"
    sets = [each for each in said if each["@type"] == "cr:FileSet"]
    assert sorted(file for each in sets for file in each["includes"]) == sorted(f"../../../{row['path']}" for row in made.volumes)
    assert len(files) == len(made.volumes) + 6


def test_of_very_many_volumes_the_table_alone_holds_the_checksums(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.release.croissant.MOST_FILES", 20)
    frozen(lake)
    said = json.loads(path(lake).read_text("utf-8"))["distribution"]
    assert sum(each["@type"] == "cr:FileObject" for each in said) == 6
    assert sum(len(each["includes"]) for each in said if each["@type"] == "cr:FileSet") == 21
    assert mlcroissant.Dataset(path(lake)).metadata.ctx.issues.errors == set()
