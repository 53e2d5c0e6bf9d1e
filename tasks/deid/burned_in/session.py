"""Opens a network for onnxruntime on one thread: a night has a worker a core. Nothing is downloaded and nothing is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tasks.errors import SafelightError


def opened(weights: Path) -> Any:
    """An `onnxruntime.InferenceSession` for a file of weights.

    Raises:
        SafelightError: E-DEID-TEXT-DETECTOR, when the package or the file is missing, or the file is no network.
    """
    try:
        import onnxruntime
    except ImportError:
        raise SafelightError("E-DEID-TEXT-DETECTOR", "onnxruntime is not installed") from None
    try:
        onnxruntime.disable_telemetry_events()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        return onnxruntime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - the runtime's errors have no common class; they name the weights' path, not data
        raise SafelightError("E-DEID-TEXT-DETECTOR", type(error).__name__) from None
