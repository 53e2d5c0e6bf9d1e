"""Worklists: every study that was due, in order, whole at any moment; the hospital's identifiers in the vault alone."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from typing import Any

import pyarrow.parquet as pq
import pytest

from tasks.delivery.outbox import replace_all
from tasks.errors import ConfigurationError
from tasks.stage import Outcome
from tests.tasks.delivery.made import BANDS, World, finding, manifest

CALIBRATED = manifest("chest", finding(bands=BANDS))


def rows(world: World, name: str = "worklist") -> list[dict[str, str]]:
    content = (world.vault.root / "worklist" / f"{name}.csv").read_bytes()
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def test_by_band_then_by_waiting_time_and_what_was_not_read_with_its_reason(world: World) -> None:
    model = world.model(CALIBRATED)
    keys: dict[int, str] = {}
    for number in range(1, 9):
        world.at(60 * number)
        keys[number] = world.study(number, volumes=0 if number == 5 else 1)
    for number, score in {1: 0.1, 2: 0.85, 3: 0.4, 4: 0.99}.items():
        world.read(keys[number], model, {"nodule": score})
    world.read(keys[6], model, {"nodule": None}, reason="E-INFER-KERNEL")
    volumes = world.ledger.results("volumes", [keys[7]])[keys[7], "volumes"].output
    world.finish("infer:chest@1.0.0", keys[7], volumes, Outcome("failed", reason_code="E-STAGE-UNEXPECTED"))
    made = world.deliver()
    found = rows(world)
    assert [(row["AccessionNumber"], row["status"], row["band"], row["reason_code"]) for row in found] == [
        ("ACC-2", "read", "high", ""), ("ACC-4", "read", "high", ""),  # one band: who waits longer, not whose score is higher
        ("ACC-3", "read", "middle", ""), ("ACC-1", "read", "low", ""),
        ("ACC-5", "not_read", "", "E-VOLUME-MISSING-SLICES"), ("ACC-6", "not_read", "", "E-INFER-KERNEL"),
        ("ACC-7", "not_read", "", "E-STAGE-UNEXPECTED"), ("ACC-8", "waiting", "", ""),
    ]  # fmt: skip
    assert [row["rank"] for row in found] == [str(place) for place in range(1, 9)]
    assert (found[0]["priority"], found[0]["probability_low"], found[0]["probability_high"]) == ("0.75", "0.6", "0.9")
    assert found[0]["complete_at"] == "2026-03-02T20:02:00+00:00"
    assert made.lists["worklist"] == {"read": 4, "not_read": 3, "waiting": 1}
    world.deliver(unread="first")
    assert [row["AccessionNumber"] for row in rows(world)][:5] == ["ACC-5", "ACC-6", "ACC-7", "ACC-8", "ACC-2"]


def test_json_and_table_say_the_same(world: World) -> None:
    model = world.model(CALIBRATED)
    world.read(world.study(1), model, {"nodule": 0.5})
    world.study(2)
    world.deliver()
    assert world.lake.root is not None
    body = json.loads((world.vault.root / "worklist" / "worklist.json").read_bytes())
    assert body["priority_scale"] == "calibrated probability"
    assert [{name: "" if value is None else str(value) for name, value in study.items()} for study in body["studies"]] == rows(
        world
    )
    table = pq.read_table(world.lake.root / "tables" / "worklist" / "worklist.parquet").to_pylist()
    lake = json.loads((world.lake.root / "worklist" / "worklist.json").read_bytes())["studies"]
    assert [{name: value for name, value in row.items() if name != "worklist"} for row in table] == lake
    assert [study["status"] for study in body["studies"]] == [row["status"] for row in table] == ["read", "waiting"]


def test_an_uncalibrated_model_says_so(world: World) -> None:
    model = world.model(manifest("chest", finding(threshold=0.2)))
    world.read(world.study(1), model, {"nodule": 0.2})
    world.deliver()
    assert [(row["priority"], row["band"], row["probability_low"]) for row in rows(world)] == [("0.5", "not calibrated", "")]
    assert json.loads((world.vault.root / "worklist" / "worklist.json").read_bytes())["priority_scale"].startswith("score beside")


def test_several_models_share_a_list_or_have_their_own(world: World) -> None:
    first, second = world.model(CALIBRATED), world.model(manifest("vessels", finding("embolism", bands=BANDS)))
    keys = [world.study(number) for number in (1, 2, 3)]
    world.read(keys[0], first, {"nodule": 0.4})
    world.read(keys[0], second, {"embolism": 0.9})
    world.read(keys[1], first, {"nodule": 0.5})
    world.read(keys[1], second, {"embolism": None}, reason="E-INFER-KERNEL")
    world.deliver()
    assert [(row["AccessionNumber"], row["status"], row["band"], row["reason_code"]) for row in rows(world)] == [
        ("ACC-1", "read", "high", ""), ("ACC-2", "partly_read", "middle", "E-INFER-KERNEL"), ("ACC-3", "waiting", "", ""),
    ]  # fmt: skip
    world.deliver(models={"vessels": {"worklist": "urgent"}})
    assert [row["status"] for row in rows(world)] == ["read", "read", "waiting"]
    assert {row["AccessionNumber"]: row["status"] for row in rows(world, "urgent")} == {
        "ACC-1": "read",
        "ACC-2": "not_read",
        "ACC-3": "waiting",
    }
    world.deliver()  # a list that is no more is taken away, in the lake too
    assert {path.name for path in (world.vault.root / "worklist").iterdir()} == {"worklist.csv", "worklist.json"}
    assert not world.lake.files("tables/worklist/urgent.parquet") + [
        path for path in world.lake.files("worklist") if "urgent" in path
    ]


def test_a_segmentation_has_no_place_and_says_so(world: World) -> None:
    model = world.model(manifest("chest", finding(), head="segmentation"))
    world.read(world.study(1), model, {"nodule": None}, volumes_ml=3.5)
    world.deliver()
    assert [(row["status"], row["priority"], row["reason_code"]) for row in rows(world)] == [("read", "", "E-DELIVER-NO-SCORE")]


def test_a_study_that_changed_after_it_was_read_waits_again(world: World) -> None:
    model = world.model(CALIBRATED)
    key = world.study(1)
    world.read(key, model, {"nodule": 0.9})
    study = world.ledger.study(key)
    grown = {name: getattr(study, name) for name in study.__slots__} | {"found_digest": "grown"}
    world.ledger.register([type(study)(**grown)])
    world.deliver()
    assert [(row["status"], row["band"]) for row in rows(world)] == [("waiting", "")]


@pytest.mark.parametrize("breakage", ["part", "manifest", "other"])
def test_results_that_are_not_those_of_the_ledger_are_not_shown(world: World, breakage: str) -> None:
    model = world.model(CALIBRATED)
    key = world.study(1)
    world.read(key, model, {"nodule": 0.9})
    assert world.lake.root is not None
    if breakage == "part":
        (world.lake.root / f"tables/predictions/chest/1.0.0/{key}.parquet").write_bytes(b"other")
    elif breakage == "manifest":
        world.lake.withdraw("infer:chest@1.0.0", key)
    else:  # other bands under the same version: what was 'high' may be 'low'
        world.model(manifest("chest", finding(bands=[band | {"lowest": band["lowest"] / 2} for band in BANDS])))
    made = world.deliver()
    code = "E-DELIVER-MANIFEST" if breakage == "other" else "E-DELIVER-STALE"
    assert [(row["status"], row["band"], row["reason_code"]) for row in rows(world)] == [("not_read", "", code)]
    assert (dict(made.reasons), made.doubts) == ({code: 1}, 1)


def test_studies_too_old_are_left_out_and_counted(world: World) -> None:
    world.model(CALIBRATED)
    world.study(1)
    world.at(3600 * 2)
    world.study(2)
    made = world.deliver(keep_hours=1)
    assert ([row["AccessionNumber"] for row in rows(world)], made.aged) == (["ACC-2"], 1)


def test_the_same_input_gives_the_same_bytes_and_writes_nothing(world: World) -> None:
    model = world.model(CALIBRATED)
    world.read(world.study(1), model, {"nodule": 0.9})
    assert world.deliver().changed == 2
    before = {name: (content, (world.folder / name).stat().st_mtime_ns) for name, content in world.delivered().items()}
    world.at(600)
    assert world.deliver().changed == 0
    assert {name: (content, (world.folder / name).stat().st_mtime_ns) for name, content in world.delivered().items()} == before


def test_no_identifier_reaches_the_lake(world: World) -> None:
    model = world.model(CALIBRATED)
    key = world.study(1, patient="PLANTEDPATIENT", accession="PLANTEDNUMBER")
    world.read(key, model, {"nodule": 0.9})
    world.drop("finals.csv", "AccessionNumber\nPLANTEDNUMBER\n")
    world.deliver()
    planted = [b"PLANTED", b"1.2.826.0.1.999", b"2026-03-02"]
    assert world.lake.root is not None
    for path in world.lake.root.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        if path.suffix == ".parquet":
            content = json.dumps(pq.read_table(path).to_pylist()).encode()
        assert not [each for each in planted if each in content or each.decode() in str(path)], path
    assert all(
        each in (world.vault.root / "worklist" / "worklist.csv").read_bytes() for each in planted
    )  # they were there to be found
    for path in (world.vault.root / "worklist").iterdir():
        assert path.stat().st_mode & 0o077 == 0


def test_what_identifies_a_study_is_configured(world: World) -> None:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    world.model(CALIBRATED)
    key = world.study(1)
    world.at(60)
    world.study(2)
    instance, instance.file_meta = Dataset(), FileMetaDataset()
    instance.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    instance.PatientName, instance.preamble = "DOE^JANE", bytes(128)
    folder = world.vault.spool / key / "1"
    folder.mkdir(parents=True)
    instance.save_as(folder / "1.dcm", enforce_file_format=False)
    world.deliver(identify_by=["PatientName", "AccessionNumber"])
    assert [(row["PatientName"], row["AccessionNumber"]) for row in rows(world)] == [("DOE^JANE", "ACC-1"), ("", "ACC-2")]
    assert "PatientID" not in rows(world)[0]


@pytest.mark.parametrize("wrong", [{"models": {"other": {}}}, {"models": {"chest": {"fleischner": {"embolism": "solid"}}}}])
def test_a_model_or_finding_that_is_not_there_is_refused(world: World, wrong: dict[str, Any]) -> None:
    world.model(CALIBRATED)
    with pytest.raises(ConfigurationError, match="E-DELIVER-MODEL"):
        world.deliver(**wrong)


def test_a_name_means_the_version_that_was_promoted_or_the_one_that_is_named(world: World) -> None:
    for version in ("1.10.0", "1.9.0"):
        world.model(manifest("chest", finding(bands=BANDS), version=version))
    assert [one.label for one in world.served()] == ["infer:chest@1.9.0"]
    world.models = ["chest@1.10.0"]
    assert [one.label for one in world.served()] == ["infer:chest@1.10.0"]
    world.models = ["demo_nodule"]
    assert [one.manifest.name for one in world.served()] == ["demo_nodule"]  # what is shipped
    world.models = ["demo_nodule@0.0.1"]
    with pytest.raises(ConfigurationError, match="E-DELIVER-MODEL"):
        world.served()


READER = """
import json, sys
from pathlib import Path
path, seen = Path(sys.argv[1]), set()
print("ready", flush=True)
while not Path(sys.argv[2]).exists():
    try:
        body = json.loads(path.read_bytes())
    except FileNotFoundError:
        sys.exit("the list was gone for a moment")
    rows = body["studies"]
    if {row["generation"] for row in rows} != {body["generation"]} or len(rows) != 2000:
        sys.exit("half a list")
    seen.add(body["generation"])
print(len(seen))
"""


def test_a_reader_never_sees_half_a_list(world: World) -> None:
    folder, stop = world.folder / "worklist", world.folder / "stop"

    def generation(number: int) -> dict[str, bytes]:
        return {"worklist.json": json.dumps({"generation": number, "studies": [{"generation": number}] * 2000}).encode()}

    replace_all(folder, generation(0))
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, str(folder / "worklist.json"), str(stop)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert reader.stdout is not None
    assert reader.stdout.readline() == "ready\n"
    for number in range(1, 150):
        assert replace_all(folder, generation(number)) == 1
    stop.touch()
    said, complaint = reader.communicate(timeout=60)
    assert (reader.returncode, complaint) == (0, "")
    assert int(said) > 1  # it read while lists were replaced
    assert os.listdir(folder) == ["worklist.json"]  # noqa: PTH208
