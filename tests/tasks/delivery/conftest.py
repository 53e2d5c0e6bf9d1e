"""A site of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tasks.delivery import made


@pytest.fixture
def world(tmp_path: Path) -> Iterator[made.World]:
    """A site, in the evening."""
    with made.world(tmp_path) as site:
        yield site
