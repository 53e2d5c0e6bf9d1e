"""A ledger whose clock is put on by hand, and by whoever sleeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tasks.ledger import Ledger
from tasks.pacs.settings import PacsSettings


@dataclass
class Time:
    """Seconds since the epoch; `sleep` puts the clock on and then does what was to happen meanwhile."""

    now: float = 1_780_000_000.0
    slept: list[float] = field(default_factory=list)
    meanwhile: Callable[[], object] = lambda: None

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self.slept.append(seconds)
        self.now += seconds
        self.meanwhile()


@pytest.fixture
def time() -> Time:
    """The clock of a test."""
    return Time()


@pytest.fixture
def ledger(tmp_path: Path, time: Time) -> Iterator[Ledger]:
    """A ledger of that clock."""
    opened = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}", clock=time)
    yield opened
    opened.close()


def pacs(**manners: object) -> PacsSettings:
    """A PACS with these manners."""
    return PacsSettings(host="127.0.0.1", port=104, ae_title="A", manners=manners)  # type: ignore[arg-type]
