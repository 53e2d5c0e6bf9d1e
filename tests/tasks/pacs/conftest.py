"""A site in a temporary folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tasks.pacs.hospital import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A vault, a ledger and a receiver port."""
    return Site(tmp_path)


@pytest.fixture
def hospital(tmp_path: Path) -> Path:
    """An empty folder for the hospital's files."""
    folder = tmp_path / "hospital"
    folder.mkdir()
    return folder
