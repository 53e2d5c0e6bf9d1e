"""ONNX, run by onnxruntime: on the processor, or with CUDA where its GPU build is installed."""

from __future__ import annotations

from typing import Any

import torch

from tasks.errors import ConfigurationError
from tasks.inference.bundle import Bundle
from tasks.inference.execution import Execution


class _Session:
    """An onnxruntime session as a `Network`; its first input takes the batch."""

    def __init__(self, session: Any) -> None:
        self._session, self._input = session, session.get_inputs()[0].name

    def __call__(self, batch: torch.Tensor) -> Any:
        """See `Network`."""
        given = [torch.from_numpy(each) for each in self._session.run(None, {self._input: batch.numpy()})]
        return given[0] if len(given) == 1 else tuple(given)


def open_session(bundle: Bundle, how: Execution) -> _Session:
    """The model as a session that gives the same bits for the same input each time."""
    import onnxruntime

    if set(how.variant) - {"whole"} or bundle.manifest.input.dtype != "float32":
        raise ConfigurationError("E-INFER-VARIANT", f"{bundle.label}: ONNX is run as it is, in float32")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = how.threads, 1
    options.use_deterministic_compute = True
    options.log_severity_level = 3
    provider = "CUDAExecutionProvider" if how.device == "cuda" else "CPUExecutionProvider"
    if provider not in onnxruntime.get_available_providers():
        raise ConfigurationError("E-INFER-DEVICE", f"{how.device}: onnxruntime has no {provider}")
    try:
        return _Session(onnxruntime.InferenceSession(bundle.weights(), options, providers=[provider]))
    except ConfigurationError:
        raise
    except Exception:  # noqa: BLE001 - onnxruntime's exceptions have no common class
        raise ConfigurationError("E-INFER-ARCHITECTURE", f"{bundle.label}: not an ONNX model") from None
