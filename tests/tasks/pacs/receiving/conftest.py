"""A receiver of each engine, and what it receives into."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from tasks.pacs.receiving.desk import Desk
from tasks.pacs.receiving.intake import Intake
from tasks.pacs.receiving.receiver import Receiver
from tests.tasks.pacs.hospital import ROOT, Site

ENGINES = ("direct", "pynetdicom")
Listen = Callable[..., Receiver]


@pytest.fixture(autouse=True)
def _nothing_stays(site: Site) -> Iterator[None]:
    """When a test is over, so are its threads and its open files."""
    threads, before = set(threading.enumerate()), opened()
    yield
    for thread in set(threading.enumerate()) - threads:
        thread.join(30)
        assert not thread.is_alive(), thread
    after = opened()
    assert len(after) <= len(before), {number: after[number] for number in after if after[number] != before.get(number)}


def opened() -> dict[str, str]:
    """This process's open files: what each number stands for."""
    found = {}
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # that of the listing itself is gone again
            found[entry.name] = str(entry.readlink())
    return found


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """Either engine."""
    return str(request.param)


@pytest.fixture
def desk(site: Site) -> Desk:
    """Where instances go."""
    return Desk(site.vault.spool)


@pytest.fixture
def listen(site: Site, desk: Desk) -> Iterator[Listen]:
    """Starts receivers: `listen(engine, **what Receiver and ReceiverSettings take)`."""
    with ExitStack() as stack:

        def start(engine: str = "direct", **changes: Any) -> Receiver:
            own = {key: changes.pop(key) for key in ("allowed", "greeting_s", "silence_s") if key in changes}
            return stack.enter_context(Receiver(site.receiver(engine=engine, **changes), desk, **own))

        yield start


@pytest.fixture
def receiver(listen: Listen, engine: str) -> Receiver:
    """A listening receiver of either engine."""
    return listen(engine)


def make_intake(site: Site, study: int = 1) -> Intake:
    """The intake of a study of the hospital."""
    return Intake(f"{ROOT}.{study}", site.vault.spool / f"in-{study}", site.vault.quarantine / f"{study}", site.keys)


@pytest.fixture
def intake(site: Site, desk: Desk) -> Iterator[Intake]:
    """The first study is expected."""
    with desk.expecting(make_intake(site)) as made:
        yield made


def files(folder: Path) -> list[Path]:
    """All files below a folder, hidden ones too."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def strays(desk: Desk) -> dict[str, int]:
    """Who was turned away, once anybody was: a peer may know before it is counted."""
    for _ in range(2000):
        if desk.strays:
            break
        time.sleep(0.005)
    return dict(desk.strays)
