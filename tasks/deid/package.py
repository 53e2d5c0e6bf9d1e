"""The `deid` package as this project uses it: without its messages. It prints every line of every recipe that it reads unless it is told not to."""

from __future__ import annotations

import warnings
from typing import Any

#: Below the least of the package's levels of messages, -5.
_NOTHING = -6


def recipes() -> Any:
    """The package's class `DeidRecipe`. Imported when first needed: it takes time, and uses deprecated names of pydicom's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from deid.config import DeidRecipe
        from deid.logger import bot

    bot.level = _NOTHING
    return DeidRecipe
