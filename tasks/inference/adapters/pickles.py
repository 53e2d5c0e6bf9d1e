"""Opens what torch pickled, as far as it is tensors and plain containers; anything that could run code is refused unopened."""

from __future__ import annotations

import io
import pickle
from typing import Any

import torch

from tasks.errors import ConfigurationError


def tensors_only(content: bytes, where: str) -> Any:
    """What a file of `torch.save` holds.

    Raises:
        ConfigurationError: E-INFER-PICKLE where it holds anything but tensors, numbers, text and containers of them.
    """
    try:
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, AttributeError, ImportError):
        raise ConfigurationError("E-INFER-PICKLE", where) from None
