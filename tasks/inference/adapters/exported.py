"""torch.export's .pt2. What `torch.export.load` would unpickle is looked at first, and a file that holds somebody's image is refused.

`torch.export.save` writes the example input into the file, so that a model that was exported with a patient's volume hands that on
with every copy. Only examples whose values are all one number pass.
"""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import torch
from torch.utils import _pytree as pytree

from tasks.errors import ConfigurationError
from tasks.inference.adapters.pickles import tensors_only
from tasks.inference.adapters.running import TorchNetwork
from tasks.inference.bundle import Bundle
from tasks.inference.execution import Execution


def open_exported(bundle: Bundle, how: Execution) -> TorchNetwork:
    """The exported program as a module."""
    content = bundle.weights()
    check(content, bundle.label)
    try:
        program = torch.export.load(io.BytesIO(content))
    except Exception:  # noqa: BLE001 - torch raises whatever comes up in a file that it cannot read
        raise ConfigurationError("E-INFER-ARCHITECTURE", f"{bundle.label}: not a program of this version of torch") from None
    return TorchNetwork(program.module(), bundle, how)


def check(content: bytes, where: str) -> None:
    """Look at what a .pt2 holds beside its program.

    Raises:
        ConfigurationError: E-INFER-EXAMPLE where an example input is more than one repeated number, E-INFER-PICKLE where a part would
            run code when opened, E-INFER-ARCHITECTURE where it is no such file.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
        parts = {name.partition("/")[2]: name for name in archive.namelist()}
        pickled = [name for name in parts if name.startswith("data/sample_inputs/")]
        for config in (name for name in parts if name.startswith("data/") and name.endswith("_config.json")):
            said = json.loads(archive.read(parts[config]))["config"]
            folder = config.rpartition("/")[0]
            pickled += [f"{folder}/{each['path_name']}" for each in said.values() if each["use_pickle"]]
        known = ("data/weights/weight_", "data/constants/tensor_", *pickled)
        if any(name.startswith("data/") and not name.endswith(".json") and not name.startswith(known) for name in parts):
            raise ConfigurationError("E-INFER-PICKLE", where)
        opened = {name: tensors_only(archive.read(parts[name]), where) for name in pickled}
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError):
        raise ConfigurationError("E-INFER-ARCHITECTURE", f"{where}: not a torch.export file") from None
    for name, value in opened.items():
        if name.startswith("data/sample_inputs/") and not all(_constant(leaf) for leaf in pytree.tree_leaves(value)):
            raise ConfigurationError("E-INFER-EXAMPLE", where)


def _constant(leaf: Any) -> bool:
    """Whether something holds no image: one repeated number, or no tensor at all."""
    return not isinstance(leaf, torch.Tensor) or leaf.numel() < 2 or bool((leaf == leaf.reshape(-1)[0]).all())
