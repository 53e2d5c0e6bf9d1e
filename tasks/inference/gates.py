"""What a model may be shown: by the header before a volume is opened, by what is in it before it is read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tasks.inference.bundle import Manifest, Range
from tasks.inference.preprocess import Prepared, Volume

Row = Mapping[str, Any]

#: Devices of the synthetic cohort say so; a model that is for synthetic data reads no other.
SYNTHETIC = "SYNTHETIC"

#: The gates in the order in which a volume meets them. A study that is not read gives the reason of the volume that came furthest.
GATES = (
    "E-INFER-NO-VOLUME",
    "E-INFER-MODALITY",
    "E-INFER-BODY-PART",
    "E-INFER-NOT-SYNTHETIC",
    "E-INFER-KERNEL",
    "E-INFER-SPACING",
    "E-INFER-GEOMETRY",
    "E-INFER-INPUT",
)


def by_header(row: Row, manifest: Manifest) -> str:
    """Why the model may not be shown a volume, by its row of the table `volumes`: the first gate that is closed, or empty."""
    accepted = manifest.accepted
    closed = {
        "E-INFER-MODALITY": row["Modality"] not in accepted.modality,
        "E-INFER-BODY-PART": accepted.body_part is not None and row["BodyPartExamined"] not in accepted.body_part,
        "E-INFER-NOT-SYNTHETIC": manifest.synthetic_only and not str(row["Manufacturer"] or "").startswith(SYNTHETIC),
        "E-INFER-KERNEL": (
            accepted.convolution_kernel is not None and row["ConvolutionKernel"] not in accepted.convolution_kernel
        ),
        "E-INFER-SPACING": not _within(slice_mm(row), accepted.slice_mm),
    }
    return next((gate for gate in GATES if closed.get(gate)), "")


def slice_mm(row: Row) -> float:
    """What one slice stands for along the slice axis: the larger of the slices' distance and their stated thickness, in mm."""
    return max(float(row["slice_spacing_mm"]), float(row["SliceThickness"] or 0))


def choose(eligible: Sequence[Row]) -> Row | None:
    """The one volume of a study that is read: with the thinnest slices, then the most slices, then the first by its path."""
    return min(eligible, key=lambda row: (slice_mm(row), -row["n_slices"], row["path"]), default=None)


def content_share(volume: Volume, content_hu: Range) -> float:
    """The share of a volume's voxels whose HU are within a range; padding never is."""
    low, high = content_hu
    found = (volume.voxels >= low) & (volume.voxels <= high)
    if volume.padding is not None:
        found &= (volume.voxels < volume.padding[0]) | (volume.voxels > volume.padding[1])
    return float(np.count_nonzero(found) / max(found.size, 1))


def plausible(prepared: Prepared, share: float, manifest: Manifest) -> bool:
    """Whether an input is like those of the training; a wrong rescale, a wrong window or another body part makes it unlike them."""
    profile = manifest.profile
    measured = ((prepared.mean, profile.mean), (prepared.std, profile.std), (share, profile.content_share))
    return all(math.isfinite(value) and _within(value, limits) for value, limits in measured)


def furthest(reasons: Sequence[str]) -> str:
    """Of the reasons of several volumes the one whose gate comes last."""
    return max(reasons, key=GATES.index, default=GATES[0])


def _within(value: float, limits: Range) -> bool:
    """Whether a number is within limits, give or take what a decimal string loses."""
    return limits[0] - 1e-6 <= value <= limits[1] + 1e-6
