"""One study taken through the real stages once, and copied for each test that changes it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.lake import Lake
from tasks.ledger import Ledger
from tasks.vault import Vault
from tests.tasks.results import made
from tests.tasks.results.made import Ward


@pytest.fixture(scope="session")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Ward:
    root = tmp_path_factory.mktemp("results") / "site"
    root.mkdir()
    first = made.ward(root)
    first.ledger.close()
    return first


@pytest.fixture
def ward(origin: Ward, tmp_path: Path) -> Iterator[Ward]:
    """A copy of the study's site."""
    yield from _copied(origin, tmp_path / "site")


@pytest.fixture
def wards(origin: Ward, tmp_path: Path) -> Callable[[str], Ward]:
    """As many copies as a test wants."""
    return lambda name: next(_copied(origin, tmp_path / name))


def _copied(origin: Ward, root: Path) -> Iterator[Ward]:
    shutil.copytree(origin.vault.root.parent, root)
    vault = Vault.open(root / "vault")
    ledger = Ledger(vault.ledger_url)
    yield replace(origin, vault=vault, lake=Lake.open(root / "lake"), ledger=ledger)
    ledger.close()
