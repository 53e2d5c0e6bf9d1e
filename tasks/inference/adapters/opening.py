"""A bundle's network, of whatever format its weights are; opened once a process and kept while it is used."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Protocol

import torch

from tasks.errors import ConfigurationError
from tasks.inference.bundle import Bundle
from tasks.inference.execution import Execution
from tasks.stage import digest

#: Networks that a process keeps at once: a night with several models goes through them batch by batch.
_KEPT = 3


class Network(Protocol):
    """A network in evaluation mode on its device."""

    def __call__(self, batch: torch.Tensor) -> Any:
        """What it gives for float32 (n, 1, z, y, x) on the processor: float32 there, or a tuple of them."""
        ...


Opener = Callable[[Bundle, Execution], Network]

_lock = threading.Lock()
_networks: OrderedDict[str, Network] = OrderedDict()


def open_network(bundle: Bundle, how: Execution) -> Network:
    """The bundle's network with its weights, ready; kept for the next study.

    Raises:
        ConfigurationError: E-INFER-WEIGHTS, E-INFER-ARCHITECTURE, E-INFER-PICKLE, E-INFER-EXAMPLE, E-INFER-VARIANT, E-INFER-DEVICE,
            E-INFER-PACKAGE.
    """
    key = digest({
        "weights": bundle.manifest.weights.model_dump(mode="json"), "dtype": bundle.manifest.input.dtype,
        "device": how.device, "threads": how.threads, "variant": list(how.variant),
    })  # fmt: skip
    with _lock:
        if key not in _networks:
            _networks[key] = _opener(bundle)(bundle, how)
            while len(_networks) > _KEPT:
                _networks.popitem(last=False)
        _networks.move_to_end(key)
        return _networks[key]


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
