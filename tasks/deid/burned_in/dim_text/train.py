"""`python -m tasks.deid.burned_in.dim_text.train`: train the network that finds dim text, on drawn pictures, and write it with what is known of it.

Seeded: the same machine, versions and fonts give the same weights. The fonts are those of Debian's packages (fonts-liberation, fonts-roboto-unhinted,
fonts-noto-core and others that `configs/text/dim_text.yaml` names by file); families that the measurement draws with are not among them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
import torch
import typer
import yaml
from numpy.typing import NDArray

from tasks.console import one_sentence, say
from tasks.deid.burned_in.dim_text import printing
from tasks.deid.burned_in.dim_text.examples import example
from tasks.deid.burned_in.dim_text.learning import learn
from tasks.deid.burned_in.dim_text.network import LineNet
from tasks.deid.burned_in.dim_text.planes import CHANNELS
from tasks.errors import ConfigurationError

#: Where the network and its description lie in the project.
FOLDER = Path(__file__).parents[4] / "configs" / "text"
NAME = "dim_text"
_HEADER = (
    "# What the network in dim_text.onnx is; written by `make train-text-model`. docs/deidentify/pixels.md says what it finds.\n"
)

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the network is made: processes draw the pictures, threads train."""

    seed: int = 1
    processes: int = 2
    threads: int = 2
    pictures: int = 20000
    side: int = 192
    steps: int = 16000


def train(folder: Path, fonts: Path, recipe: Recipe, report: Say = lambda _line: None) -> None:
    """Draw the pictures, train a network, and write `dim_text.onnx` and `dim_text.yaml` into a folder.

    Raises:
        ConfigurationError: E-DEID-TEXT-FONTS, when no font is found to draw with.
    """
    files = printing.fonts(fonts)
    if not files:
        raise ConfigurationError("E-DEID-TEXT-FONTS", fonts.name)
    torch.set_num_threads(recipe.threads)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(recipe.seed)
    shown, wanted = _drawn(fonts, recipe)
    report(f"{len(shown)} pictures are drawn, with {len(files)} fonts")
    network = LineNet()
    losses: list[float] = []

    def after(step: int, loss: float) -> None:
        losses.append(loss)
        if step % 50 == 0 or step == recipe.steps:
            report(f"step {step} of {recipe.steps}: mean loss {np.mean(losses[-50:]):.3f}")

    learn(network, shown, wanted, seed=recipe.seed, steps=recipe.steps, report=after)
    weights = exported(network)
    facts = {
        "sha256": sha256(weights).hexdigest(), "program": "python -m tasks.deid.burned_in.dim_text.train",
        "data": "pictures drawn by tasks.deid.burned_in.dim_text.examples; no image of a patient", "seed": recipe.seed,
        "pictures": recipe.pictures, "side": recipe.side, "steps": recipe.steps, "loss": round(float(np.mean(losses[-200:])), 4),
        "parameters": sum(each.numel() for each in network.parameters()), "torch": torch.__version__.partition("+")[0],
        "scripts": printing.script_fonts(fonts), "fonts": [path.name for path in files],
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{NAME}.onnx").write_bytes(weights)
    (folder / f"{NAME}.yaml").write_text(_HEADER + yaml.safe_dump(facts, sort_keys=False, width=140), "utf-8")


def exported(network: LineNet) -> bytes:
    """A network in ONNX, for pictures of any size; the normalisations are folded into the convolutions."""
    sides = {2: "rows", 3: "columns"}
    with warnings.catch_warnings(), TemporaryDirectory() as folder:
        warnings.simplefilter("ignore", DeprecationWarning)  # the exporter by traces needs no package but onnx
        file = Path(folder) / "network.onnx"
        torch.onnx.export(
            network.eval(), (torch.zeros(1, CHANNELS, 64, 64),), file, dynamo=False, opset_version=17,
            input_names=["shown"], output_names=["logits"], dynamic_axes={"shown": sides, "logits": sides},
        )  # fmt: skip
        return file.read_bytes()


def _drawn(fonts: Path, recipe: Recipe) -> tuple[NDArray[np.int8], NDArray[np.uint8]]:
    """All examples; how many processes draw them changes nothing."""
    shown = np.empty((recipe.pictures, CHANNELS, recipe.side, recipe.side), np.int8)
    wanted = np.empty((recipe.pictures, recipe.side // 2, recipe.side // 2), np.uint8)
    one = partial(_one, recipe.seed, recipe.side, fonts)
    with ProcessPoolExecutor(recipe.processes) as pool:
        for number, (x, y) in enumerate(pool.map(one, range(recipe.pictures), chunksize=16)):
            shown[number], wanted[number] = x, y
    return shown, wanted


def _one(seed: int, side: int, fonts: Path, number: int) -> tuple[NDArray[np.int8], NDArray[np.uint8]]:
    made = example(seed, number, side, fonts)
    return made.shown, made.wanted


def main(
    folder: Annotated[Path, typer.Option(help="Where network and description are written.")] = FOLDER,
    fonts: Annotated[Path, typer.Option(help="A folder with TrueType fonts.")] = Path("/usr/share/fonts/truetype"),
    seed: Annotated[int, typer.Option(help="Seed of pictures and first weights.")] = Recipe().seed,
) -> None:
    """Train the network that finds dim text anew; it takes an hour on two cores.

    Example: `python -m tasks.deid.burned_in.dim_text.train --folder /tmp/text`
    """
    with one_sentence():
        train(folder, fonts, Recipe(seed=seed), say)
        say(f"{NAME}.onnx and {NAME}.yaml are in {folder}")


if __name__ == "__main__":
    typer.run(main)
