"""Phantoms to train, tune and measure a model on: prepared as the stage prepares volumes, from seeds that no cohort can contain."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from tasks.inference.manifest import Input
from tasks.inference.preprocess import Prepared, prepare
from tasks.inference.volume import Volume
from tasks.synthetic.phantom import MEDIUM, SCANNER_NOISE_HU, SHARP_NOISE, THICK, THIN, Kernel, Phantom, chest
from tasks.synthetic.seeds import training_seed

#: Seeds of `training_seed`, one a purpose, so that no phantom serves two.
TRAIN, VALIDATE, TEST = 1, 2, 3

PROTOCOLS = {"thin": THIN, "medium": MEDIUM, "thick": THICK}

#: The training has only thin slices, as a model's developer may have had: what that costs elsewhere, the evaluation is to find.
TRAINED_ON = ("thin",)


@dataclass(frozen=True, slots=True)
class Case:
    """A prepared phantom.

    Args:
        protocol: a name of `PROTOCOLS`.
        volume: as the stage would read it from NIfTI.
        prepared: the network's input.
        centers: nodules' centres in the input's voxels, float64 (n, 3) as (z, y, x).
        radii: their radii in millimetres, float64 (n,).
    """

    protocol: str
    volume: Volume = field(repr=False)
    prepared: Prepared = field(repr=False)
    centers: NDArray[np.float64]
    radii: NDArray[np.float64]

    @property
    def label(self) -> int:
        """1 where there is a nodule."""
        return int(len(self.radii) > 0)


def as_volume(phantom: Phantom) -> Volume:
    """A phantom, whose axes are (z, y, x) in LPS, with the axes and the affine that a NIfTI file of it has."""
    z, y, x = phantom.spacing_mm
    return Volume(phantom.volume.transpose(2, 1, 0), np.diag([-x, -y, z, 1.0]))


def cases(purpose: int, numbers: range, how: Input, *, progress: Callable[[], None] = lambda: None) -> Iterator[Case]:
    """Cases by number: protocols in turn, kernel and noise drawn over what the cohort's scanners have.

    Training cases (`TRAIN`) are of the protocols `TRAINED_ON`, and without nodules, or with two or three, by turns; others are of all
    protocols, and have one or two nodules, as the cohort's have, in five of eleven.
    """
    protocols = TRAINED_ON if purpose == TRAIN else tuple(PROTOCOLS)
    for number in numbers:
        name = protocols[number % len(protocols)]
        nominal = PROTOCOLS[name]
        rng = np.random.Generator(np.random.PCG64((purpose, number)))
        kernel: Kernel = "sharp" if rng.random() < 0.5 else "smooth"
        noise = SCANNER_NOISE_HU[nominal.slice_thickness_mm] * rng.uniform(0.85, 1.3)
        protocol = replace(nominal, kernel=kernel, noise_hu=float(noise) * (SHARP_NOISE if kernel == "sharp" else 1.0))
        turn = number // len(protocols)
        nodules = (0, 2, 3)[turn % 3] if purpose == TRAIN else (1 + turn % 2) * (turn % 11 in {0, 3, 5, 8, 10})
        phantom = chest(training_seed(purpose, number), protocol=protocol, nodules=nodules)
        yield as_case(name, phantom, how)
        progress()


def as_case(protocol: str, phantom: Phantom, how: Input) -> Case:
    """A phantom prepared, and where its nodules are in the network's input."""
    volume = as_volume(phantom)
    half = np.array(phantom.spacing_mm) / 2
    from_corner = np.array([nodule.center_mm for nodule in phantom.nodules]).reshape(-1, 3) + half
    centers = from_corner / np.array(how.spacing_mm) - 0.5
    radii = np.array([nodule.diameter_mm / 2 for nodule in phantom.nodules])
    return Case(protocol, volume, prepare(volume, how), centers, radii)


def auc(scores: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """The area under the ROC curve: the share of pairs in the right order, ties half (Hanley and McNeil 1982)."""
    differences = scores[labels == 1][:, None] - scores[labels == 0][None, :]
    return float(((differences > 0) + 0.5 * (differences == 0)).mean())
