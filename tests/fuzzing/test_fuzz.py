"""2,000 mutants of five transfer syntaxes: each is released or quarantined with a reason, the counts balance, and no identifier gets out.

The mutants run in two processes of their own, so that a crash or a hang of the stage is seen here as what it is.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from functools import reduce
from io import BytesIO
from itertools import pairwise
from operator import add
from pathlib import Path
from typing import Any

import pydicom
import pytest

from tests.fuzzing import mutations, run
from tests.fuzzing.seeds import PLANTED, SYNTAXES, seed

ROOT = Path(__file__).parents[2]
MUTANTS, PROCESSES, SECONDS = 2_000, 2, 500
BOMB_MIB, BOMB_PEAK_MIB, SPACE_MIB = 2_048, 900, 4_096


def start(folder: Path, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.fuzzing.run", str(folder), *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def result(process: subprocess.Popen[str], seconds: float = SECONDS) -> dict[str, Any]:
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert process.returncode == 0, err[-2000:]
    found: dict[str, Any] = json.loads(out)
    return found


@pytest.mark.slow
def test_every_mutant_ends_and_none_passes_unchecked(tmp_path: Path, tell: Callable[[str], None]) -> None:
    borders = [MUTANTS * part // PROCESSES for part in range(PROCESSES + 1)]
    running = [start(tmp_path / str(first), first, last) for first, last in pairwise(borders)]
    results = [result(process) for process in running]
    ends: Counter[str] = reduce(add, (Counter(each["ends"]) for each in results))
    codes: Counter[str] = reduce(add, (Counter(each["quarantined"]) for each in results))
    released, linked = (sum(each[name] for each in results) for name in ("released", "linked"))
    tell(
        f"fuzzer: {MUTANTS} mutants, {sum(each['studies'] for each in results)} studies, {released} released, {dict(ends)}\n"
        f"quarantined: {dict(codes.most_common())}\n"
        f"seconds {[each['seconds'] for each in results]}, slowest study {max(each['slowest_study'] for each in results)} s"
    )
    for each in results:
        assert each["hung"] == []
        assert each["odd"] == []
        assert each["leaks"] == {}
        assert each["undeclared"] == []
        assert each["in_lake"] == each["released"]
    assert sum(ends.values()) == MUTANTS
    assert ends["linked"] == linked == released + codes.total()
    # A fuzzer whose every file is thrown out at the door tests nothing.
    assert released >= MUTANTS // 20
    assert len(codes) >= 6


@pytest.mark.slow
def test_a_bomb_is_quarantined_in_little_memory_and_its_neighbour_released(tmp_path: Path) -> None:
    found = result(start(tmp_path / "bomb", 0, 0, "--bomb", BOMB_MIB, "--memory", SPACE_MIB), 200)
    assert (tmp_path / "bomb" / "source" / "bomb.dcm").stat().st_size < 4 << 20
    assert (found["hung"], found["odd"], found["leaks"]) == ([], [], {})
    assert sum(found["ends"].values()) == 2
    assert found["released"] == 1
    assert found["peak_mib"] < BOMB_PEAK_MIB


def test_a_bomb_is_a_file_that_can_be_read_as_far_as_memory_goes() -> None:
    dataset = pydicom.dcmread(BytesIO(mutations.bomb(seed("explicit", 1, 1), 1 << 20)))
    assert dataset.PatientName == "Zwiebelturm^Ottokarine"
    assert len(dataset[0x00291005].value) == 1 << 20


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_every_seed_is_sound_holds_what_is_planted_and_is_released_without_it(syntax: str, tmp_path: Path) -> None:
    content = seed(syntax, 1, 1)
    dataset = pydicom.dcmread(BytesIO(content))
    assert dataset.file_meta.TransferSyntaxUID == SYNTAXES[syntax]
    said = "\n".join(str(element.value) for element in dataset.iterall())
    assert [word for word in PLANTED if word not in said] == []
    found = run.run(tmp_path / "run", {"seed.dcm": content})
    assert found["released"] == 1, found
    assert found["leaks"] == {}


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_the_search_finds_what_is_planted_in_every_syntax(syntax: str) -> None:
    found = run.leaks(seed(syntax, 1, 1))
    assert {word.casefold() for word in PLANTED} <= set(found)


def test_the_search_finds_a_name_in_two_bytes_a_letter_and_half_a_name() -> None:
    clean = seed("explicit", 1, 1)
    for word in PLANTED:
        for code in ("ascii", "utf-16-le"):
            clean = clean.replace(word.encode(code), b"x" * len(word.encode(code)))
    assert run.leaks(clean) == []
    assert run.leaks(clean + "ZWIEBELTURM".encode("utf-16-be")) == ["elturm", "zwiebe", "zwiebelturm"]
    assert run.leaks(clean + b"Zwiebe") == ["zwiebe"]


def test_a_study_that_hangs_or_raises_or_loses_count_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tasks.deid.stage import DeidentifyStage

    sound = {"a.dcm": seed("explicit", 1, 1)}
    monkeypatch.setattr(run, "STUDY_SECONDS", 0.2)

    def hang(*_: object) -> None:
        while True:
            pass

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DeidentifyStage, "run", hang)
        assert run.run(tmp_path / "hang", sound)["hung"] == [["a.dcm"]]

    def explode(*_: object) -> None:
        raise ValueError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DeidentifyStage, "run", explode)
        assert run.run(tmp_path / "explode", sound)["odd"] == [["ValueError", "a.dcm"]]

    def lose(*_: object) -> object:
        from tasks.stage import Outcome

        return Outcome("done", passed=0)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DeidentifyStage, "run", lose)
        assert run.run(tmp_path / "lose", sound)["odd"] == [["counts", "a.dcm"]]


def test_a_mutant_is_the_same_each_time_and_most_differ() -> None:
    some = [run.mutant(number) for number in range(0, MUTANTS, 37)]
    assert some == [run.mutant(number) for number in range(0, MUTANTS, 37)]
    assert len({content for _, _, content in some}) > 0.9 * len(some)
    assert {kind for kind, _, _ in (run.mutant(number) for number in range(len(mutations.MUTATIONS)))} == set(mutations.MUTATIONS)
