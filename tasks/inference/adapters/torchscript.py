"""TorchScript: a program and its weights in one file, run by torch's own interpreter, which knows tensors and nothing of this machine."""

from __future__ import annotations

import io
import warnings

import torch

from tasks.errors import ConfigurationError
from tasks.inference.adapters.running import TorchNetwork
from tasks.inference.bundle import Bundle
from tasks.inference.execution import Execution


def open_script(bundle: Bundle, how: Execution) -> TorchNetwork:
    """The program, in evaluation mode."""
    content = bundle.weights()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # torch prefers torch.export; hospitals have these files
            script = torch.jit.load(io.BytesIO(content), map_location="cpu")  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError):
        raise ConfigurationError("E-INFER-ARCHITECTURE", f"{bundle.label}: not a TorchScript file") from None
    return TorchNetwork(script.eval(), bundle, how)
