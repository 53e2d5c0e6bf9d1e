"""Files of our own say the same to libyaml and to PyYAML's reader in Python."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tasks.declarations import parsed, shipped

CONFIGS = Path(__file__).parents[2] / "configs"
OURS = sorted(CONFIGS.rglob("*.yaml"))


@pytest.mark.parametrize("path", OURS, ids=lambda path: str(path.relative_to(CONFIGS)))
def test_both_readers_say_the_same(path: Path) -> None:
    text = path.read_text("utf-8")
    said = yaml.load(text, yaml.SafeLoader)
    assert repr(parsed(text)) == repr(said)  # types too: 1 is not 1.0
    assert shipped(*path.relative_to(CONFIGS).parts) == said


def test_nothing_but_data_is_read() -> None:
    with pytest.raises(yaml.YAMLError):
        parsed("!!python/object/apply:os.getcwd []")
