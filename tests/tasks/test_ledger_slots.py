"""Slots: at most so many holders over all processes, however they come and go, and a killed one gives its slot back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tasks.ledger import Ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield opened
    opened.close()


def free(ledger: Ledger, n: int) -> set[int]:
    """The slots that nobody holds, as one who may look once sees them."""
    with ExitStack() as held:
        taken = set()
        while (slot := held.enter_context(ledger.slots("pacs", n, stopped=Once()))) is not None:
            taken.add(slot)
    return taken


class Once:
    """Says at the second question that it is over."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> bool:
        self.asked += 1
        return self.asked > 1


def no_pause(_seconds: float) -> None:
    """Looks again at once."""


#: Enters again and again, and leaves a mark while it is inside; prints the greatest number of marks that it has seen.
_VISITOR = textwrap.dedent("""
    import sys, threading, time
    from pathlib import Path
    from tasks.ledger import Ledger
    url, folder, name = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    ledger, seen, deadline = Ledger(url), [], time.monotonic() + 60
    def visit(number):
        for turn in range(8):
            with ledger.slots("pacs", 3, sleep=lambda _: time.sleep(0.002)):
                mark = folder / f"{name}-{number}-{turn}"
                mark.touch()
                seen.append(len(list(folder.iterdir())))
                while max(seen) < 3 and time.monotonic() < deadline:  # on a busy machine the others come late
                    time.sleep(0.002)
                    seen.append(len(list(folder.iterdir())))
                time.sleep(0.005)
                mark.unlink()
    threads = [threading.Thread(target=visit, args=(number,)) for number in range(3)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    print(max(seen))
""")


def visited(url: str, folder: Path) -> list[int]:
    """Three processes of three threads each: the greatest number of marks that each has seen."""
    folder.mkdir()
    command = [sys.executable, "-c", _VISITOR, url, str(folder)]
    processes = [subprocess.Popen([*command, str(n)], stdout=subprocess.PIPE, text=True) for n in range(3)]
    return [int(process.communicate(timeout=120)[0]) for process in processes]


def test_at_most_n_are_inside_over_all_threads_and_processes_and_all_n_are_used(tmp_path: Path) -> None:
    assert max(visited(f"sqlite:///{tmp_path / 'ledger.db'}", tmp_path / "marks")) == 3


def test_a_killed_process_gives_its_slot_back(ledger: Ledger) -> None:
    code = "import sys, time; from tasks.ledger import Ledger\nwith Ledger(sys.argv[1]).slots('pacs', 2) as n: print(n, flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", code, ledger.url], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "0\n"
        assert free(ledger, 2) == {1}
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert free(ledger, 2) == {0, 1}


def test_a_slot_is_given_back_by_whoever_fails_in_it(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="odd"), ledger.slots("pacs", 1):
        raise ValueError("odd")
    assert free(ledger, 1) == {0}


def test_threads_exclude_each_other_too(ledger: Ledger) -> None:
    with ledger.slots("pacs", 2) as one, ledger.slots("pacs", 2) as other:
        assert {one, other} == {0, 1}
        assert free(ledger, 2) == set()


def test_whoever_waits_gets_the_slot_that_comes_free(ledger: Ledger) -> None:
    got: list[int | None] = []
    waits = threading.Event()

    def second() -> None:
        with ledger.slots("pacs", 1, sleep=lambda _: waits.set()) as slot:
            got.append(slot)

    with ledger.slots("pacs", 1):
        thread = threading.Thread(target=second)
        thread.start()
        waits.wait()
        assert got == []
    thread.join()
    assert got == [0]


def test_the_limit_is_asked_at_each_try_and_lowers_the_number_while_one_waits(ledger: Ledger) -> None:
    limits = iter([0.25, 1.0, 1.2])
    with ledger.slots("pacs", 3) as first, ledger.slots("pacs", 3, limit=lambda: next(limits), sleep=no_pause) as second:
        assert (first, second) == (0, 1)
    assert list(limits) == []


def test_a_limit_above_n_is_n_and_one_below_one_is_one(ledger: Ledger) -> None:
    with ledger.slots("pacs", 1, limit=lambda: 0.25) as slot:
        assert slot == 0
        with ledger.slots("pacs", 1, limit=lambda: 99.0, sleep=no_pause, stopped=Once()) as none:
            assert none is None


def test_whoever_is_stopped_waits_no_longer_and_holds_nothing(ledger: Ledger) -> None:
    with ledger.slots("pacs", 1, stopped=lambda: True) as slot:
        assert slot is None
        assert free(ledger, 1) == {0}


def test_the_pauses_between_two_looks_are_short_and_differ(ledger: Ledger) -> None:
    pauses: list[float] = []
    with ledger.slots("pacs", 1), ledger.slots("pacs", 1, sleep=pauses.append, stopped=lambda: len(pauses) == 50):
        pass
    assert all(0 < pause <= 1 for pause in pauses)
    assert len(set(pauses)) > 40


@pytest.mark.parametrize("name", ["A/B", "../up", "with blank", "ä", "x" * 500])
def test_a_name_may_hold_what_a_file_name_may_not(ledger: Ledger, tmp_path: Path, name: str) -> None:
    with ledger.lock(name), ledger.slots(name, 1) as slot:
        assert slot == 0
    assert {path.parent for path in tmp_path.rglob("*.lock")} == {tmp_path}
