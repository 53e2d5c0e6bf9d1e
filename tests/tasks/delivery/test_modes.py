"""What each mode lets out: triage no finding at all, a second reader nothing before the first read is final."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tasks.delivery import stage as delivery
from tasks.delivery.panel import panel
from tasks.delivery.served import told
from tasks.delivery.statements import FirstRead
from tasks.errors import ConfigurationError
from tasks.inference.manifest import parse
from tests.tasks.delivery.made import BANDS, UTC, World, finding, manifest, obr, oru

DETECTOR = manifest("chest", finding(bands=BANDS), head="detection")
SECOND = {"models": {"chest": {"mode": "second_reader"}}}
SUPPORT = {"models": {"chest": {"mode": "decision_support", "fleischner": {"nodule": "solid"}}}}
SECRETS = ("nodule", "lung", "27925004", "39607008", "screening", "chest", "30.2", "0.93")


def leaks(world: World) -> set[tuple[str, str]]:
    """Which words that tell a finding, its place or its score are in any byte of what was delivered, or in its names; tables decoded."""
    found = set()
    for name, content in world.delivered().items():
        text = (
            json.dumps(pq.read_table(world.folder / name).to_pylist()) if name.endswith(".parquet") else content.decode("latin-1")
        )
        text = re.sub(r"2\.25\.\d+|1\.2\.826\.[0-9.]+", "", f"{name} {text}".lower())  # keys are digits by chance
        found |= {(name, word) for word in SECRETS if word in text}
    return found


def read_study(world: World, number: int = 1) -> str:
    key = world.study(number)
    world.numbered(key) if number == 1 else None
    world.read(key, "chest", {"nodule": 0.93}, boxes=[{"score": 0.93}, {"score": 0.2}])
    return key


def files(world: World, folder: str) -> list[Path]:
    return sorted(path for path in (world.vault.root / folder).iterdir() if path.is_file())


def test_triage_gives_an_order_and_nothing_else(world: World) -> None:
    world.model(DETECTOR)
    read_study(world)
    world.deliver()  # not configured: triage is the default
    assert len(world.delivered()) == 5
    assert leaks(world) == set()
    assert (files(world, "panels"), files(world, "fields")) == ([], [])


def test_the_search_for_leaks_finds_them(world: World) -> None:
    world.model(DETECTOR)
    read_study(world)
    world.deliver(**SUPPORT)
    assert {word for _, word in leaks(world)} == set(SECRETS)


@pytest.mark.parametrize("wrong", ["a likely nodule", "Lung", "27925004"])
def test_a_band_or_list_whose_name_would_tell_is_refused(world: World, wrong: str) -> None:
    world.model(manifest("chest", finding(bands=[*BANDS[:2], BANDS[2] | {"name": wrong}])))
    with pytest.raises(ConfigurationError, match="E-DELIVER-WORDS"):
        world.deliver()
    world.deliver(**SECOND)  # it stands in no list


def test_a_list_that_is_called_after_its_finding_is_refused(world: World) -> None:
    world.model(DETECTOR)
    with pytest.raises(ConfigurationError, match="E-DELIVER-WORDS"):
        world.deliver(models={"chest": {"worklist": "nodules"}})
    assert told(parse(DETECTOR, "chest")) == {"chest", "nodule", "27925004", "39607008", "lung", "structure"}


def test_a_second_reader_shows_nothing_before_the_first_read_is_final(world: World) -> None:
    world.model(DETECTOR)
    key = read_study(world)
    made = world.deliver(**SECOND)
    assert made.studies == {"chest@1.0.0 (second_reader)": {"held": 1}}
    assert "1 held" in " ".join(made.lines())
    assert world.delivered() == {}  # no panel, and no place in a list that would tell what it thinks
    world.drop("p.hl7", oru(obr("ACC-1", "P", at="202603022030")))
    assert world.deliver(**SECOND).studies == {"chest@1.0.0 (second_reader)": {"held": 1}}
    assert files(world, "panels") == []
    world.drop("f.hl7", oru(obr("ACC-1", "F", at="202603022040")))
    assert world.deliver(**SECOND).studies == {"chest@1.0.0 (second_reader)": {"shown": 1}}
    (page,) = files(world, "panels")
    assert page.name == f"{key}_chest.html"
    assert page.stat().st_mode & 0o077 == 0
    text = page.read_text()
    for word in (
        "Nodule",
        "Lung structure",
        "present",
        "0.930",
        "8.0 × 6.0 × 7.5",
        "112",
        "ACC-1",
        "PAT-1",
        "final since 2026-03-02 20:40 UTC",
        "1 below it",
    ):
        assert word in text, word
    assert "corrected" not in text


def test_a_correction_is_said_and_a_withdrawn_final_takes_the_panel_away(world: World) -> None:
    world.model(DETECTOR)
    read_study(world)
    world.drop("f.hl7", oru(obr("ACC-1", "F", at="202603022040")))
    world.drop("c.hl7", oru(obr("ACC-1", "C", at="202603022050"), control="2"))
    world.deliver(**SECOND)
    assert "corrected after that" in files(world, "panels")[0].read_text()
    world.drop("x.hl7", oru(obr("ACC-1", "X", at="202603022100"), control="3"))
    made = world.deliver(**SECOND)
    assert made.studies == {"chest@1.0.0 (second_reader)": {"withdrawn": 1}}
    assert files(world, "panels") == []


def test_the_guard_of_the_panel_fires_where_the_release_would_forget_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.model(DETECTOR)
    read_study(world)
    (one,) = world.served(**SECOND)
    with pytest.raises(ValueError, match="final"):
        panel(one, [], {}, FirstRead("not_final"), UTC)
    monkeypatch.setattr(
        delivery.Statements, "first_reads", lambda _self, studies: {each.study_key: FirstRead("withdrawn") for each in studies}
    )
    assert world.deliver(**SECOND).studies == {"chest@1.0.0 (second_reader)": {"withdrawn": 1}}


def test_every_study_of_a_second_reader_is_counted(world: World) -> None:
    world.model(DETECTOR)
    keys = [read_study(world, number) for number in (1, 2)]
    world.study(3, volumes=0)
    world.study(4)
    world.drop("finals.csv", "AccessionNumber\nACC-1\nACC-2\nACC-3\nACC-4\n")
    assert world.lake.root is not None
    (world.lake.root / f"tables/detections/chest/1.0.0/{keys[1]}.parquet").write_bytes(b"other")
    made = world.deliver(**SECOND)
    assert made.studies == {"chest@1.0.0 (second_reader)": {"shown": 1, "unusable": 1, "not_read": 1, "waiting": 1}}
    assert (dict(made.reasons), made.doubts) == ({"E-DELIVER-STALE": 1}, 1)


def test_a_mode_that_shows_less_takes_away_what_the_other_showed(world: World) -> None:
    world.model(DETECTOR)
    read_study(world)
    world.deliver(**SUPPORT)
    assert len(files(world, "fields")) == 1
    world.deliver()
    assert leaks(world) == set()
    assert files(world, "fields") == []


def test_fields_for_the_report(world: World) -> None:
    world.model(DETECTOR)
    key = read_study(world)
    world.deliver(**SUPPORT)
    (path,) = files(world, "fields")
    said = json.loads(path.read_bytes())
    assert path.name == f"{key}_chest.json"
    assert said["study"] == {"AccessionNumber": "ACC-1", "PatientID": "PAT-1", "StudyInstanceUID": "1.2.826.0.1.999.1"}
    (entry,) = said["findings"]
    assert (entry["present"], entry["count"], entry["n_below"], entry["probability"]) == (
        True,
        1,
        1,
        {"band": "high", "low": 0.6, "high": 0.9},
    )
    assert {name: entry["detections"][0][name] for name in ("long_mm", "short_mm", "across_mm", "series_number", "image_number")} == {
        "long_mm": 8.0, "short_mm": 6.0, "across_mm": 7.5, "series_number": 4, "image_number": 112,
    }  # fmt: skip
    advice = said["fleischner_2017"]
    assert (advice["recommendation"], advice["nodules"], advice["largest_mean_mm"]) == (None, 1, 7)
    assert advice["why_not"] == [
        f"{name} is not known" for name in ("age_years", "immunosuppressed", "known_cancer", "screening")
    ]
    world.drop(
        "clinical.csv",
        "AccessionNumber,PatientID,age_years,risk,immunosuppressed,known_cancer,screening\nACC-1,PAT-1,61,high,no,no,no\n",
    )
    world.deliver(**SUPPORT)
    advice = json.loads(path.read_bytes())["fleischner_2017"]
    assert (advice["row"], advice["recommendation"], advice["why_not"]) == (
        "solid-single-from_6_to_8-high",
        "CT at 6-12 months; then CT at 18-24 months.",
        [],
    )


@pytest.mark.parametrize(("content", "attenuation", "scores", "why"), [
    (DETECTOR, "unknown", {"nodule": 0.93}, "ground-glass is not known"),
    (manifest("chest", finding()), "solid", {"nodule": 0.93}, "the model gives no sizes"),
    (DETECTOR, "solid", {"nodule": 0.0}, "no nodule"),
])  # fmt: skip
def test_no_recommendation_without_what_it_needs(
    world: World, content: bytes, attenuation: str, scores: dict[str, Any], why: str
) -> None:
    world.model(content)
    key = world.study(1)
    world.read(key, "chest", scores, boxes=[{"score": 0.93}] if scores["nodule"] and content is DETECTOR else [])
    world.drop("clinical.csv", "AccessionNumber,age_years,risk,immunosuppressed,known_cancer,screening\nACC-1,61,high,no,no,no\n")
    world.deliver(models={"chest": {"mode": "decision_support", "fleischner": {"nodule": attenuation}}})
    advice = json.loads(files(world, "fields")[0].read_bytes())["fleischner_2017"]
    assert advice["recommendation"] is None
    assert why in advice["why_not"][0]


def test_an_outlined_volume_is_given(world: World) -> None:
    world.model(manifest("chest", finding(), head="segmentation"))
    world.read(world.study(1), "chest", {"nodule": None}, volumes_ml=3.5)
    world.deliver(models={"chest": {"mode": "decision_support"}})
    (entry,) = json.loads(files(world, "fields")[0].read_bytes())["findings"]
    assert (entry["volume_ml"], entry["score"], entry["present"]) == (3.5, None, None)


def test_the_same_input_gives_the_same_bytes(world: World) -> None:
    world.model(DETECTOR)
    read_study(world)
    world.deliver(**SUPPORT)
    before = world.delivered()
    world.at(900)
    assert world.deliver(**SUPPORT).changed == 0
    assert world.delivered() == before
