"""What a release freezes, that it never changes, and that every volume of the lake is in it or has a reason."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_contracts.release_members import CONTRACT
from tasks.errors import ConfigurationError, SafelightError
from tasks.lake import Lake
from tasks.release.freeze import freeze
from tasks.release.frozen import read, verify, versions
from tasks.release.making import make
from tests.tasks.release.conftest import frozen, request, silent
from tests.tasks.release.made import patient, several, study


def everything(lake: Lake) -> dict[str, bytes]:
    return {path: lake.read(path) for path in lake.files("") if not path.startswith(("volumes/", "manifests/volumes"))}


def test_every_row_of_the_lake_is_in_the_release_or_has_a_reason(lake: Lake) -> None:
    made = frozen(lake)
    assert not made.known
    assert (made.patients, made.studies, made.volumes) == (20, 21, 21)
    rows = lake.table(CONTRACT).to_pylist()
    assert Counter(row["reason_code"] for row in rows) == {"": 21, "E-RELEASE-SHEARED": 1, "E-RELEASE-QUARANTINED": 1}
    assert all((row["split"] is not None) == row["included"] == (row["reason_code"] == "") for row in rows)
    by_patient: dict[str, set[str]] = {}
    for row in rows:
        if row["included"]:
            by_patient.setdefault(row["PatientID"], set()).add(row["split"])
    assert all(len(splits) == 1 for splits in by_patient.values())
    assert sum(made.by_split.values()) == 21


def test_coreutils_finds_every_checksum_right(lake: Lake) -> None:
    frozen(lake)
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "releases/chest/1.0.0/SHA256SUMS"],
        cwd=lake.url,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(": OK") == 21 + len(lake.files("releases/chest/1.0.0")) - 1


def test_the_same_again_is_said_and_changes_nothing(lake: Lake) -> None:
    frozen(lake)
    before = everything(lake)
    assert frozen(lake).known
    assert everything(lake) == before


@pytest.mark.parametrize(
    "change",
    [{"seed": 1}, {"stratify": ()}, {"where": "volume_index = 0"}, {"shares": {"train": 0.5, "test": 0.5}}, {"small_cells": 5}],
)
def test_the_same_version_with_other_content_is_refused(lake: Lake, change: dict[str, Any]) -> None:
    frozen(lake)
    before = everything(lake)
    with pytest.raises(ConfigurationError, match="E-RELEASE-EXISTS"):
        frozen(lake, **change)
    assert everything(lake) == before


def test_a_lake_that_has_grown_is_other_content(lake: Lake) -> None:
    frozen(lake)
    study(lake, 30)
    with pytest.raises(ConfigurationError, match="E-RELEASE-EXISTS"):
        frozen(lake)
    assert frozen(lake, version="1.1.0").volumes == 22
    assert versions(lake, "chest") == ["1.0.0", "1.1.0"]


def test_two_lakes_of_the_same_tables_give_the_same_release(lake: Lake, tmp_path: Path) -> None:
    shutil.copytree(lake.url, tmp_path / "other")
    other = Lake.open(tmp_path / "other")
    frozen(lake)
    frozen(other)
    dated = re.compile(rb"20\d\d-\d\d-\d\d")  # midnight may pass between the two
    mine, theirs = (
        {
            path: b"" if "SUMS" in path or "croissant" in path else dated.sub(b"", each.read(path))
            for path in each.files("releases")
        }
        for each in (lake, other)
    )
    assert mine == theirs


def test_a_volume_that_is_not_what_the_table_says_stops_it_before_anything_is_published(lake: Lake) -> None:
    path = Path(lake.url) / lake.files("volumes")[3]
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(SafelightError, match="E-RELEASE-VOLUME"):
        frozen(lake)
    path.unlink()
    with pytest.raises(SafelightError, match="E-RELEASE-VOLUME"):
        frozen(lake)
    assert not lake.files("releases")
    assert not lake.files("tables/release_members")


def test_verifying_finds_what_changed_and_what_is_missing(lake: Lake) -> None:
    frozen(lake)
    whole = verify(lake, "chest", "1.0.0", silent)
    assert (whole.changed, whole.missing) == ((), ())
    volumes = [row["path"] for row in read(lake, "chest", "1.0.0").volumes]
    (Path(lake.url) / volumes[0]).write_bytes(b"")
    (Path(lake.url) / volumes[1]).unlink()
    (Path(lake.url) / "releases/chest/1.0.0/card.md").write_text("better", "utf-8")
    found = verify(lake, "chest", "1.0.0", silent)
    assert set(found.changed) == {volumes[0], "releases/chest/1.0.0/card.md"}
    assert found.missing == (volumes[1],)
    assert found.intact == whole.intact - 3
    with pytest.raises(ConfigurationError, match="E-RELEASE-MISSING"):
        verify(lake, "chest", "2.0.0", silent)


def test_a_release_whose_own_tables_changed_is_not_read(lake: Lake) -> None:
    frozen(lake)
    (Path(lake.url) / "releases/chest/1.0.0/volumes.csv").write_text("x", "utf-8")
    with pytest.raises(SafelightError, match="E-RELEASE-DAMAGED"):
        read(lake, "chest", "1.0.0")
    assert "releases/chest/1.0.0/volumes.csv" in verify(lake, "chest", "1.0.0", silent).changed


def test_release_json_says_all_that_it_depends_on(lake: Lake) -> None:
    frozen(lake, where="Manufacturer LIKE '%Beta'")
    said = json.loads(lake.read("releases/chest/1.0.0/release.json"))
    assert said["selection"]["where"] == "Manufacturer LIKE '%Beta'"
    assert said["left_out"]["E-RELEASE-NOT-CHOSEN"] == 11
    assert all(re.fullmatch("[0-9a-f]{64}", said[name]) for name in ("selection_sha256", "upstream_sha256", "content_sha256"))
    assert read(lake, "chest", "1.0.0").facts == said


def test_reference_labels_go_along_with_the_studies_of_the_release(lake: Lake) -> None:
    frozen(lake, where="SELECT StudyInstanceUID FROM reference WHERE label = 1")
    labels = read(lake, "chest", "1.0.0").labels
    assert [row["label"] for row in labels] == [1] * 8
    assert {row["StudyInstanceUID"] for row in labels} == {
        row["StudyInstanceUID"] for row in read(lake, "chest", "1.0.0").volumes
    }


def test_patients_found_to_be_one_person_are_in_one_split(lake: Lake, tmp_path: Path) -> None:
    file = tmp_path / "merges.csv"
    pairs = [(patient(n), patient(n + 1)) for n in range(1, 12)]
    file.write_text("PatientID,same_as\n" + "".join(f"{one},{other}\n" for one, other in pairs), "utf-8")
    made = frozen(lake, merges=file)
    assert made.patients == 9
    rows = read(lake, "chest", "1.0.0").patients
    assert len({row["split"] for row in rows if row["PatientID"] in {each for pair in pairs for each in pair}}) == 1
    assert any("11 patients" in note for note in made.notes)


def test_a_later_version_keeps_the_splits_and_a_merge_takes_the_person_to_the_first_split(lake: Lake, tmp_path: Path) -> None:
    frozen(lake)
    first = {row["PatientID"]: row["split"] for row in read(lake, "chest", "1.0.0").patients}
    several(lake, *range(1, 21), *range(40, 50))
    frozen(lake, version="1.1.0", keep="1.0.0", seed=9)
    second = {row["PatientID"]: row["split"] for row in read(lake, "chest", "1.1.0").patients}
    assert {each: second[each] for each in first} == first
    assert Counter(second.values()) == {"train": 18, "validation": 6, "test": 6}
    train, test = (next(each for each, split in first.items() if split == name) for name in ("train", "test"))
    (tmp_path / "merges.csv").write_text(f"PatientID,same_as\n{test},{train}\n", "utf-8")
    made = frozen(lake, version="2.0.0", keep="1.1.0", merges=tmp_path / "merges.csv")
    third = {row["PatientID"]: row["split"] for row in read(lake, "chest", "2.0.0").patients}
    assert third == second | {test: "train"}
    assert any(note.startswith("1 patients changed their split") for note in made.notes)


def test_who_is_not_in_a_version_is_remembered_for_the_next(lake: Lake) -> None:
    frozen(lake)
    first = {row["PatientID"]: row["split"] for row in read(lake, "chest", "1.0.0").patients}
    frozen(lake, version="1.1.0", keep="1.0.0", where="Manufacturer LIKE '%Beta'")
    frozen(lake, version="1.2.0", keep="1.1.0")
    assert {row["PatientID"]: row["split"] for row in read(lake, "chest", "1.2.0").patients} == first


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    pairs=st.lists(st.tuples(st.integers(1, 20), st.integers(1, 20)), max_size=12), seed=st.integers(0, 99), narrow=st.booleans()
)
def test_whatever_is_merged_no_person_is_in_two_splits(
    shared: tuple[Lake, Any], tmp_path: Path, pairs: list[tuple[int, int]], seed: int, narrow: bool
) -> None:
    lake, _ = shared
    file = tmp_path / "merges.csv"
    file.write_text("PatientID,same_as\n" + "".join(f"{patient(one)},{patient(other)}\n" for one, other in pairs), "utf-8")
    where = "Manufacturer LIKE '%Beta'" if narrow else None
    made = make(lake, request(version="2.0.0", keep="1.0.0", merges=file, seed=seed, where=where))
    split_of = {row["PatientID"]: row["split"] for row in made.patients}
    assert all(split_of[patient(one)] == split_of[patient(other)] for one, other in pairs)
    assert all(row["split"] == split_of[row["PatientID"]] for row in (*made.volumes, *made.studies, *made.labels))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"name": "Chest"}, "E-RELEASE-NAME"), ({"name": "verify"}, "E-RELEASE-NAME"), ({"version": "1.0"}, "E-RELEASE-NAME"),
        ({"name": "../x"}, "E-RELEASE-NAME"), ({"where": "SELEKT 1 FROM"}, "E-RELEASE-SQL"), ({"where": "SELECT 1 AS one"}, "E-RELEASE-SQL"),
        ({"where": "SELECT * FROM read_text('/etc/hostname')"}, "E-RELEASE-SQL"), ({"where": "1 = 0"}, "E-RELEASE-EMPTY"),
        ({"stratify": ("shoe_size",)}, "E-RELEASE-STRATIFY"), ({"stratify": ("label:fracture",)}, "E-RELEASE-STRATIFY"),
        ({"keep": "0.9.0"}, "E-RELEASE-MISSING"), ({"keep": "1.0.0"}, "E-RELEASE-SPLITS"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_before_anything_is_published(lake: Lake, change: dict[str, Any], code: str) -> None:
    with pytest.raises(ConfigurationError, match=code):
        freeze(lake, request(**change), silent)
    assert not lake.files("releases")


@pytest.mark.parametrize(
    ("where", "n"),
    [
        ("SliceThickness <= 2 -- thin", 21),
        ("SELECT path FROM volumes WHERE Manufacturer = 'SYNTHETIC Beta'", 11),
        ("SELECT DISTINCT StudyInstanceUID FROM cohort WHERE race = 'Asian'", 10),
        ("WITH f AS (SELECT PatientID FROM studies WHERE PatientSex = 'F') FROM f", 10),
        ("SELECT SeriesInstanceUID, volume_index FROM volumes ORDER BY 1 LIMIT 5", 5),
    ],
)
def test_a_selection_gives_volumes_by_any_key(lake: Lake, where: str, n: int) -> None:
    assert sum(row["included"] for row in make(lake, request(where=where)).members) == pytest.approx(n, abs=1)


def test_a_lake_that_is_no_local_folder_is_frozen_and_verified_too_but_for_sql(lake: Lake) -> None:
    remote = Lake.open(f"file://{lake.url}")
    assert remote.root is None
    assert frozen(remote).volumes == 21
    whole = verify(remote, "chest", "1.0.0", silent)
    assert (whole.changed, whole.missing) == ((), ())
    assert frozen(lake).known
    with pytest.raises(ConfigurationError, match="E-RELEASE-SQL"):
        frozen(remote, version="2.0.0", where="volume_index = 0")
