"""A bundle's network, of whatever format its weights are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch

from tasks.errors import ConfigurationError
from tasks.inference.bundle import Bundle
from tasks.inference.execution import Execution


class Network(Protocol):
    """A network in evaluation mode on its device."""

    def __call__(self, batch: torch.Tensor) -> Any:
        """What it gives for float32 (n, 1, z, y, x) on the processor: float32 there, or a tuple of them."""
        ...


Opener = Callable[[Bundle, Execution], Network]


def open_network(bundle: Bundle, how: Execution) -> Network:
    """The bundle's network with its weights, ready.

    Raises:
        ConfigurationError: E-INFER-WEIGHTS, E-INFER-ARCHITECTURE, E-INFER-PICKLE, E-INFER-EXAMPLE, E-INFER-VARIANT, E-INFER-DEVICE,
            E-INFER-PACKAGE.
    """
    return _opener(bundle)(bundle, how)


def _opener(bundle: Bundle) -> Opener:
    """Imported when needed: a night without ONNX does not load its runtime."""
    kind = bundle.manifest.weights.format
    if kind in {"safetensors", "state_dict"}:
        from tasks.inference.adapters.modules import open_module

        return open_module
    if kind == "torchscript":
        from tasks.inference.adapters.torchscript import open_script

        return open_script
    if kind == "pt2":
        from tasks.inference.adapters.exported import open_exported

        return open_exported
    if kind == "onnx":
        from tasks.inference.adapters.onnx import open_session

        return open_session
    if kind == "monai":
        from tasks.inference.adapters.monai import open_monai

        return open_monai
    raise ConfigurationError("E-INFER-ARCHITECTURE", f"{bundle.label}: {kind} has a reader of its own")
