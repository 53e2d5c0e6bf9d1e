"""Runs a torch module: dtype, device, memory layout and autocast, the same for every format that torch opens."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch

from tasks.errors import ConfigurationError
from tasks.inference.bundle import Bundle
from tasks.inference.execution import Execution, be_deterministic

_DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


class TorchNetwork:
    """A torch callable as a `tasks.inference.adapters.opening.Network`."""

    def __init__(self, module: Callable[..., Any], bundle: Bundle, how: Execution) -> None:
        self._how, self._device = how, be_deterministic(how)
        self._dtype = _DTYPES[bundle.manifest.input.dtype]
        self._module = module
        if isinstance(module, torch.nn.Module):
            module.to(self._device)
            if self._dtype != torch.float32:
                module.to(self._dtype)
            if "channels_last" in how.variant:
                module.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload] # torch's stubs lack it
        elif "channels_last" in how.variant:
            raise ConfigurationError("E-INFER-VARIANT", f"{bundle.label}: channels_last needs a module")

    def __call__(self, batch: torch.Tensor) -> Any:
        """See `Network`."""
        be_deterministic(self._how)
        given = batch.to(self._device, self._dtype)
        if "channels_last" in self._how.variant:
            given = given.to(memory_format=torch.channels_last_3d)
        halved = torch.autocast(self._device.type, torch.bfloat16) if "bf16" in self._how.variant else nullcontext()
        with torch.inference_mode(), halved:
            return _on_processor(self._module(given))


def _on_processor(given: Any) -> Any:
    """A tensor, or a tuple of several; a tuple of one is that one."""
    if isinstance(given, torch.Tensor):
        return given.to("cpu", torch.float32 if given.is_floating_point() else given.dtype)
    members = tuple(_on_processor(each) for each in given)
    return members[0] if len(members) == 1 else members
