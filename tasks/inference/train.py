"""`python -m tasks.inference.train`: train the demo's model on phantoms that no cohort contains, and write its bundle.

Seeded: the same machine and versions give the same weights. Three sets of phantoms with seeds of their own: one to train on, one for
the score's scale, the operating points and the input gate's ranges, and one that is only measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
import yaml
from numpy.typing import NDArray
from safetensors.torch import save

from tasks.console import one_sentence, say
from tasks.errors import ConfigurationError
from tasks.inference.adapters.modules import build
from tasks.inference.bundle import MANIFEST, folder_of
from tasks.inference.execution import Execution, be_deterministic
from tasks.inference.gates import content_share
from tasks.inference.learning import learn
from tasks.inference.manifest import Manifest, OperatingPoint, Profile, Range, parse
from tasks.inference.networks import NoduleNet
from tasks.inference.phantoms import PROTOCOLS, TEST, TRAIN, TRAINED_ON, VALIDATE, Case, auc, cases
from tasks.inference.preprocess import Image

_HEADER = """# The model's manifest; docs/models.md says what each entry means. weights.sha256, profile, operating_points and training are written by
# `make train-demo-model`, which raises the last part of the version when the weights become others.
"""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the demo's model is made; validation and test have a third of each protocol: six phantoms or more."""

    seed: int = 1
    threads: int = 2
    phantoms: int = 240
    steps: int = 1200
    validation: int = 150
    test: int = 300


@dataclass(frozen=True, slots=True)
class Measured:
    """One phantom through the network: the hottest logit, the truth, and what the input gate measures."""

    protocol: str
    hottest: float
    label: int
    mean: float
    std: float
    share: float


def train(folder: Path, recipe: Recipe, report: Say = lambda _line: None) -> Manifest:
    """Train the network of a bundle anew; write its weights and what is known of them into the folder.

    Raises:
        ConfigurationError: E-INFER-MODEL-MISSING, E-INFER-MANIFEST, E-INFER-ARCHITECTURE, E-INFER-TRAINING.
    """
    if not (folder / MANIFEST).is_file():
        raise ConfigurationError("E-INFER-MODEL-MISSING", folder.name)
    manifest = parse((folder / MANIFEST).read_bytes(), folder.name)
    be_deterministic(Execution(threads=recipe.threads))
    torch.manual_seed(recipe.seed)
    network = None if manifest.weights.architecture is None else build(manifest.weights.architecture)
    if not isinstance(network, NoduleNet):
        raise ConfigurationError("E-INFER-TRAINING", manifest.name)
    shown = [*cases(TRAIN, range(recipe.phantoms), manifest.input)]
    report(f"{len(shown)} training phantoms are ready")
    losses: list[float] = []

    def after(step: int, loss: float) -> None:
        losses.append(loss)
        if step % 50 == 0 or step == recipe.steps:
            report(f"step {step} of {recipe.steps}: mean loss {np.mean(losses[-50:]):.3f}")

    learn(network, shown, manifest.input.spacing_mm or (1.0, 1.0, 1.0), seed=recipe.seed, steps=recipe.steps, report=after)
    tuned = [_measure(network, case, manifest) for case in cases(VALIDATE, range(recipe.validation), manifest.input)]
    scale, offset = calibrate(_column(tuned, "hottest"), _column(tuned, "label"))
    network.scale.fill_(scale)
    network.offset.fill_(offset)
    report(f"validation: AUC {_auc(tuned):.3f} on {len(tuned)} phantoms")
    held_out = [_measure(network, case, manifest) for case in cases(TEST, range(recipe.test), manifest.input)]
    made = _described(manifest, network, recipe, tuned, held_out)
    for name in PROTOCOLS:
        report(f"test, {name}: AUC {made.training[f'test_auc_{name}']}")
    (folder / made.weights.file).write_bytes(_weights(network))
    (folder / MANIFEST).write_text(as_yaml(made), "utf-8")
    return made


def calibrate(logits: NDArray[np.float64], labels: NDArray[np.float64]) -> tuple[float, float]:
    """Scale and offset of a logistic function of logits: maximum likelihood with Platt's smoothed targets, by Newton's method.

    Source: Platt, Probabilistic outputs for support vector machines, 1999, section 2.2. The scale is at least 0.05, so that the
    score never turns the order around.
    """
    n_positive = labels.sum()
    high, low = (n_positive + 1) / (n_positive + 2), 1 / (len(labels) - n_positive + 2)
    wanted = np.where(labels == 1, high, low)
    mean, spread = logits.mean(), logits.std() or 1.0
    design = np.stack([(logits - mean) / spread, np.ones_like(logits)], axis=1)
    weights = np.zeros(2)
    for _ in range(50):
        found = 1 / (1 + np.exp(-design @ weights))
        curvature = (design * (found * (1 - found))[:, None]).T @ design + 1e-6 * np.eye(2)
        step = np.linalg.solve(curvature, design.T @ (wanted - found) - 1e-6 * weights)
        weights += step * min(1.0, 2.0 / float(np.abs(step).max() or 1.0))
    scale = max(float(weights[0] / spread), 0.05)
    return scale, float(weights[1] - scale * mean)


def threshold_at(sensitivity: float, scores: NDArray[np.float64], labels: NDArray[np.float64]) -> float:
    """The highest score, cut to four decimals, from which on at least this share of the positives is called positive."""
    positives = np.sort(scores[labels == 1])
    may_miss = math.floor((1 - sensitivity) * len(positives) + 1e-9)
    return math.floor(float(positives[may_miss]) * 1e4) / 1e4


def as_yaml(manifest: Manifest) -> str:
    """A manifest as its file holds it."""
    body = yaml.safe_dump(
        manifest.model_dump(mode="json", exclude_defaults=True),
        sort_keys=False,
        default_flow_style=None,
        width=120,
        allow_unicode=True,
    )
    return _HEADER + body


def _measure(network: NoduleNet, case: Case, manifest: Manifest) -> Measured:
    prepared = case.prepared
    share = content_share(case.volume, manifest.profile.content_range) or 0.0
    return Measured(
        case.protocol, _hottest(network, prepared.voxels), case.label, prepared.statistics.mean, prepared.statistics.std, share
    )


def _hottest(network: NoduleNet, voxels: Image) -> float:
    with torch.inference_mode():
        return float(network.hottest(torch.from_numpy(voxels)[None, None])[0])


def _described(
    manifest: Manifest, network: NoduleNet, recipe: Recipe, tuned: list[Measured], held_out: list[Measured]
) -> Manifest:
    """The manifest with what this training found."""
    digest = sha256(_weights(network)).hexdigest()
    scale, offset = float(network.scale), float(network.offset)
    scores, labels = 1 / (1 + np.exp(-(scale * _column(tuned, "hottest") + offset))), _column(tuned, "label")
    of_validation = f"{len(tuned)} validation phantoms of all protocols; no phantom of a cohort was used"
    points = tuple(
        OperatingPoint(
            name=name,
            threshold=threshold_at(sensitivity, scores, labels),
            source=f"highest threshold with a sensitivity of at least {sensitivity:.0%} on {of_validation}",
        )
        for name, sensitivity in (("screening", 0.9), ("specific", 0.7))
    )
    facts: dict[str, str | int | float] = {
        "program": "python -m tasks.inference.train",
        "data": f"synthetic phantoms (tasks.synthetic), training seeds, protocol {' and '.join(TRAINED_ON)}",
        "seed": recipe.seed, "phantoms": recipe.phantoms, "steps": recipe.steps, "parameters": _size(network),
        "torch": torch.__version__.partition("+")[0],
        "validation_phantoms": len(tuned), "validation_auc": round(_auc(tuned), 3), "test_phantoms": len(held_out),
    }  # fmt: skip
    for name in PROTOCOLS:
        facts[f"test_auc_{name}"] = round(_auc([one for one in held_out if one.protocol == name]), 3)
    profile = Profile(
        mean=_range(tuned, "mean"), std=_range(tuned, "std"), content_range=manifest.profile.content_range,
        content_share=_range(tuned, "share"),
    )  # fmt: skip
    return manifest.model_copy(update={
        "version": manifest.version if digest == manifest.weights.sha256 else _next(manifest.version),
        "weights": manifest.weights.model_copy(update={"sha256": digest}), "profile": profile, "training": facts,
        "findings": (manifest.findings[0].model_copy(update={"operating_points": points}), *manifest.findings[1:]),
    })  # fmt: skip


def _range(measured: list[Measured], name: str) -> Range:
    """From the least to the largest, half of the distance wider on both sides; not below 0."""
    values = _column(measured, name)
    margin = 0.5 * (values.max() - values.min())
    return round(max(float(values.min() - margin), 0.0), 3), round(float(values.max() + margin), 3)


def _column(measured: list[Measured], name: str) -> NDArray[np.float64]:
    return np.array([getattr(one, name) for one in measured], np.float64)


def _auc(measured: list[Measured]) -> float:
    return auc(_column(measured, "hottest"), _column(measured, "label").astype(np.int64))


def _weights(network: NoduleNet) -> bytes:
    content: bytes = save({name: value.contiguous() for name, value in network.state_dict().items()})
    return content


def _size(network: NoduleNet) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _next(version: str) -> str:
    major, minor, patch = version.split(".")
    return f"{major}.{minor}.{int(patch) + 1}"


def main(
    bundle: Annotated[Path | None, typer.Option(help="The bundle's folder; the demo's model without one.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the network's first weights and of the choice of crops.")] = Recipe().seed,
) -> None:
    """Train the demo's model anew.

    Example: `python -m tasks.inference.train --seed 2`
    """
    with one_sentence():
        folder: Any = bundle or folder_of("demo_nodule")
        made = train(folder, Recipe(seed=seed), say)
        say(f"{made.name} {made.version}: weights and manifest are in {folder}")


if __name__ == "__main__":
    typer.run(main)
