"""YAML files of our own, under `configs/`: read by libyaml where PyYAML has it, several times as fast as in Python.

What people write (a site's configuration, a plan, a recipe) is read in Python, whose errors show the line.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def shipped(*place: str) -> Any:
    """The content of a file by its folders and name below `configs/`."""
    return parsed(files("configs").joinpath(*place).read_text("utf-8"))


def parsed(text: str) -> Any:
    """The content of a file of ours that has been read."""
    return yaml.load(text, _LOADER)  # noqa: S506 - both loaders are safe ones
