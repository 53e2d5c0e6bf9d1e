"""Each benchmark runs, on as little as it takes, and says how the stage stands to its floor. How fast either is, is not asserted."""

from __future__ import annotations

import random
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from heapq import heapreplace
from importlib import import_module
from pathlib import Path

import pytest

from benchmarks import night, receive
from benchmarks.__main__ import STAGES
from benchmarks.measure import Contender, Timed, alternate, show
from benchmarks.replay import Claimed, replay
from tasks.ledger import Ledger, Study
from tasks.stage import Outcome
from tasks.vault import Vault

ROOT = Path(__file__).parents[2]
LEAST = {
    "pull": ["--patients", "1", "--slices", "4", "--sizes", "512 × 512"],
    "deidentify": ["--patients", "1", "--slices", "4", "--sizes", "512 × 512"],
    "volumes": ["--series", "64 slices of 128 × 128"],
    "infer": ["--patients", "1", "--slices", "12"],
    "deliver": ["--studies", "4"],
    "returns": ["--slices", "6", "--side", "32"],
    "evaluate": ["--rows", "400"],
    "publish": ["--rows", "100", "--attributes", "1"],
}


@pytest.mark.parametrize("stage", STAGES)
def test_each_stage_is_held_against_its_floor(stage: str, capsys: pytest.CaptureFixture[str]) -> None:
    import_module(f"benchmarks.{stage}").main([*LEAST[stage], "--repeat", "1"])
    title, first, *others = capsys.readouterr().out.splitlines()
    assert title.startswith(f"{stage}, ")
    assert first.startswith("  stage ")
    floors = [line for line in others if line.startswith("  floor: ")]
    assert len(floors) == (3 if stage == "evaluate" else 1)  # the evaluation's table stands beside it, with the rest and without
    assert all(re.search(r" ratio \d+\.\d$", floor) for floor in floors)


@pytest.mark.peer("Orthanc", "storescu", "storescp", "movescu")
def test_the_receiver_is_held_against_storescp_and_its_floor(capsys: pytest.CaptureFixture[str]) -> None:
    receive.main(["--studies", "2", "--slices", "2", "--side", "64", "--associations", "2", "--repeat", "1"])
    title, first, *others = capsys.readouterr().out.splitlines()
    assert title == "receive, 4 instances, 0 MB, 2 associations"
    assert first.startswith("  stage ")
    assert len(others) == 7
    assert re.search(r"^  floor: .* ratio \d+\.\d$", "\n".join(others), re.MULTILINE)


def test_the_contenders_take_turns_after_one_that_is_not_counted() -> None:
    done: list[str] = []
    stage, floor = (Contender(name, lambda name=name: done.append(name), lambda: done.append("clear")) for name in "AB")
    timed = alternate([stage, floor], 2)
    assert "".join(done) == "clearAclearB" * 3
    assert [len(each.seconds) for each in timed] == [2, 2]


def test_the_ratio_is_that_of_the_medians(capsys: pytest.CaptureFixture[str]) -> None:
    show("title", Timed("stage", (9.0, 3.0, 1.0)), [Timed("floor", (0.5, 8.0, 2.0))], parts=[Timed("half of it", (1.5,))])
    _, stage, floor, part = capsys.readouterr().out.splitlines()
    assert "3.0000 s" in stage
    assert floor.endswith("ratio 1.5")
    assert part.endswith("50% of the stage")


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_the_replay_finds_out_when_a_worker_took_each_study_up(workers: int) -> None:
    chance = random.Random(workers)
    free, began, rows, now = [0.0] * workers, [], [], 0.0
    for _ in range(200):
        now += chance.choice([0.0, 0.001, chance.expovariate(workers / 2)])
        start = max(now, free[0])
        began.append(start)
        rows.append(Claimed("volumes", now, start + chance.expovariate(0.6)))
        heapreplace(free, rows[-1].ended)
    in_order = sorted(zip(rows, began, strict=True), key=lambda pair: (pair[0].claimed, pair[0].ended))
    if workers == 1:
        assert [row.began for row in replay(rows, workers)] == pytest.approx([start for _, start in in_order])
    busy = sum(row.seconds for row in replay(rows, workers))
    assert busy == pytest.approx(sum(row.ended - start for row, start in in_order))


def test_a_night_is_told_from_a_copy_of_its_ledger(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "safelight.yaml").write_text("{site: test, vault: vault, lake: lake, executor: {workers: 1}}", "utf-8")
    ledger = _one_night(Vault.open(tmp_path / "vault"))
    before = {path: path.read_bytes() for path in sorted((tmp_path / "vault").iterdir()) if path.is_file()}
    night.main([str(tmp_path)])
    assert before == {path: path.read_bytes() for path in sorted((tmp_path / "vault").iterdir()) if path.is_file()}
    ledger.close()
    said = capsys.readouterr().out
    # Three studies are claimed at 10, 11 and 12 s; each is in work for two seconds, of which the others wait.
    assert re.search(r"^pull +3 +6\.0 +50\.0% +2\.00 +2\.00 +1\.00$", said, re.MULTILINE)
    assert re.search(r"^volumes +3 +6\.0 +50\.0% +2\.00 +2\.00 +1\.00$", said, re.MULTILINE)
    assert "10.0 s before the first study" in said
    assert "workers (1) busy for 6.0 s" in said


def test_a_folder_without_a_night_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="E-CONFIG-MISSING"):
        night.main([str(tmp_path)])
    (tmp_path / "safelight.yaml").write_text("{site: test, vault: vault, lake: lake}", "utf-8")
    with pytest.raises(SystemExit, match="no night has done anything here yet"):
        night.main([str(tmp_path)])


def test_a_ledger_of_another_version_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "safelight.yaml").write_text("{site: test, vault: vault, lake: lake}", "utf-8")
    with closing(sqlite3.connect(Vault.open(tmp_path / "vault").root / "ledger.db")) as connection:
        connection.execute("CREATE TABLE results (study_key TEXT)")
        connection.commit()
    with pytest.raises(SystemExit, match=r"E-LEDGER-VERSION: .*earlier version"):
        night.main([str(tmp_path)])


def test_a_benchmark_is_a_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.night", "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "FOLDER" in done.stdout


def _one_night(vault: Vault) -> Ledger:
    """A ledger, still open, in which two stages claim three studies a second apart, and end one every two seconds."""
    now = [0.0]
    ledger = Ledger(vault.ledger_url, clock=lambda: now[0])
    keys = ["2.25.1", "2.25.2", "2.25.3"]
    ledger.register(Study(key, "SL-A", "PACS", f"1.2.{key}", "P", "", "", {}, "d") for key in keys)
    with ledger.run("night") as run:
        for stage, start in (("pull", 10.0), ("volumes", 20.0)):
            for number, key in enumerate(keys):
                now[0] = start + number
                assert ledger.claim(stage, key, "f", run)
            for number, key in enumerate(keys):
                now[0] = start + 2.0 * (number + 1)
                ledger.finish(stage, key, run, Outcome("done"))
        now[0] = 30.0
    return ledger
