"""A small lake that the tests of releases share: written once, copied for those that change it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from tasks.lake import Lake
from tasks.release.freeze import Result, freeze
from tasks.release.frozen import Frozen, read
from tasks.release.making import Request
from tests.tasks.release.made import findings, people, several, study

SHARES = {"train": 0.6, "validation": 0.2, "test": 0.2}


def silent(_total: int) -> Any:
    """A progress bar that shows nothing."""
    return nullcontext(lambda: None)


def request(**changes: Any) -> Request:
    """A release as tests ask for it."""
    return Request(**{"name": "chest", "version": "1.0.0", "shares": SHARES, "stratify": ("sex",)} | changes)


def frozen(lake: Lake, **changes: Any) -> Result:
    """Freeze a release."""
    return freeze(lake, request(**changes), silent)


@pytest.fixture(scope="session")
def _lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    made = Lake.open(tmp_path_factory.mktemp("release") / "lake")
    several(made, *range(1, 21))
    study(
        made, 21, {"is_sheared": True, "regularly_spaced_3d_volume": False}, {"status": "resampled", "is_sheared": False}, who=1
    )
    study(made, 22, {"status": "quarantined", "reason_code": "E-VOLUME-SINGLE-SLICE"})
    people(made, *range(1, 11), race="Asian")
    findings(made, *range(1, 17))
    return made


@pytest.fixture
def lake(_lake: Lake, tmp_path: Path) -> Lake:
    """A lake of the test's own: 21 studies of 20 patients with a volume, one study with none."""
    shutil.copytree(_lake.url, tmp_path / "lake")
    return Lake.open(tmp_path / "lake")


@pytest.fixture(scope="session")
def shared(_lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, Frozen]:
    """A lake with the release `chest` 1.0.0, for tests that change neither."""
    copied = tmp_path_factory.mktemp("frozen") / "lake"
    shutil.copytree(_lake.url, copied)
    made = Lake.open(copied)
    frozen(made)
    return made, read(made, "chest", "1.0.0")


@pytest.fixture
def bar() -> Callable[[int], Any]:
    """A progress bar that shows nothing."""
    return silent
