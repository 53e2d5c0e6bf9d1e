"""A MONAI bundle: the network that `configs/inference.json` describes, with the state dict of `models/`.

Such a description can name any callable and hold expressions that are evaluated. Only classes of MONAI's and torch's networks are made,
from plain values; a description with more than that is refused.
"""

from __future__ import annotations

import json
from typing import Any

from torch import nn

from tasks.errors import ConfigurationError
from tasks.inference.adapters.modules import fill
from tasks.inference.adapters.pickles import tensors_only
from tasks.inference.adapters.running import TorchNetwork
from tasks.inference.bundle import Bundle
from tasks.inference.execution import Execution

CONFIG = "configs/inference.json"
_NETWORKS = ("monai.networks.", "torch.nn.")


def open_monai(bundle: Bundle, how: Execution) -> TorchNetwork:
    """The bundle's network with its weights.

    Raises:
        ConfigurationError: E-INFER-MONAI where the description is not named or asks for more than a network;
            E-INFER-PACKAGE without the extra `monai`.
    """
    try:
        from monai.bundle.config_parser import ConfigParser
    except ImportError:
        raise ConfigurationError("E-INFER-PACKAGE", f"{bundle.label} needs the package monai") from None
    weights = bundle.manifest.weights
    if CONFIG not in weights.also:
        raise ConfigurationError("E-INFER-MONAI", f"{bundle.label}: weights.also does not name {CONFIG}")
    try:
        said: Any = json.loads(bundle.read(CONFIG))
    except ValueError:
        raise ConfigurationError("E-INFER-MONAI", f"{bundle.label}: {CONFIG} is not JSON") from None
    described = said.get(weights.network_id) if isinstance(said, dict) else None
    resolved = _resolved(described, said, bundle.label, 0)
    parser = ConfigParser({weights.network_id: resolved})
    try:
        network = parser.get_parsed_content(weights.network_id)
    except (TypeError, ValueError, RuntimeError, KeyError, AttributeError):
        raise ConfigurationError("E-INFER-MONAI", f"{bundle.label}: {weights.network_id} makes no network") from None
    if not isinstance(network, nn.Module):
        raise ConfigurationError("E-INFER-MONAI", f"{bundle.label}: {weights.network_id} makes no network")
    fill(network, tensors_only(bundle.weights(), bundle.label), bundle.label)
    return TorchNetwork(network.eval(), bundle, how)


def _resolved(node: Any, whole: dict[str, Any], where: str, depth: int) -> Any:
    """A description with its references (`@id`) put in, held to plain values and networks."""
    if depth > 16 or (isinstance(node, str) and node.startswith(("$", "%"))):
        raise ConfigurationError("E-INFER-MONAI", f"{where}: an expression")
    if isinstance(node, str) and node.startswith("@"):
        name = node[1:]
        if name not in whole:
            raise ConfigurationError("E-INFER-MONAI", f"{where}: a reference to nothing")
        return _resolved(whole[name], whole, where, depth + 1)
    if isinstance(node, dict):
        target = node.get("_target_")
        if target is not None and not _is_network(target):
            raise ConfigurationError("E-INFER-MONAI", f"{where}: something that is no network")
        return {key: _resolved(value, whole, where, depth + 1) for key, value in node.items() if not key.startswith("_desc")}
    if isinstance(node, list):
        return [_resolved(value, whole, where, depth + 1) for value in node]
    return node


def _is_network(target: Any) -> bool:
    """Whether a name is that of a class of networks: MONAI resolves a bare name among its own."""
    if not isinstance(target, str):
        return False
    if "." in target:
        return target.startswith(_NETWORKS)
    from monai.networks import nets

    found = getattr(nets, target, None)
    return isinstance(found, type) and issubclass(found, nn.Module)
