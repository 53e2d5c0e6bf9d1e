"""A vault and a lake for each test, and a way to bend the profile."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pydicom
import pytest
import yaml

from tasks.lake import Lake
from tasks.vault import Vault


@pytest.fixture(autouse=True)
def lenient() -> Iterator[None]:
    """Tests write values that no device should; what the stage does with them is the question, not what pydicom says."""
    with pydicom.config.disable_value_validation():
        yield


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    opened = Vault.open(tmp_path / "vault")
    (opened.root / "site.key").write_bytes(b"0123456789abcdef0123456789abcdef")
    return opened


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.open(tmp_path / "lake")


@pytest.fixture
def bent(tmp_path: Path) -> Callable[..., str]:
    """Writes `safe_harbor` with changes (top-level keys) to a file and returns its path, as `--profile` takes it."""
    declared: dict[str, Any] = yaml.safe_load(files("configs").joinpath("profiles", "safe_harbor.yaml").read_text("utf-8"))

    def bend(**changes: Any) -> str:
        changed = copy.deepcopy(declared)
        for name, value in changes.items():
            changed[name] = {**changed[name], **value} if isinstance(value, dict) else value
        path = tmp_path / f"bent-{len(list(tmp_path.glob('bent-*')))}.yaml"
        path.write_text(yaml.safe_dump(changed), "utf-8")
        return str(path)

    return bend
