"""What a model may be shown: by the header before a volume is opened, by what is in it before it is read.

Each gate compares one measured value with what the manifest accepts. Missing counts as not accepted, where anything is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.inference.manifest import Accepted, Manifest, Profile, Range
from tasks.inference.statistics import Statistics
from tasks.inference.volume import Volume

Row = Mapping[str, Any]

#: Devices of the synthetic cohort say so; a model that is for synthetic data reads no other.
SYNTHETIC = "SYNTHETIC"

_SLICES = 16


@dataclass(frozen=True, slots=True)
class Gate:
    """One comparison. `accepted` is None where the manifest asks for nothing."""

    reason_code: str
    measured: Any
    accepted: Any
    is_open: bool


def _listed(code: str, value: Any, accepted: tuple[str, ...] | None) -> Gate:
    return Gate(code, value, accepted, accepted is None or value in accepted)


def _ranged(code: str, values: Sequence[float | None], accepted: Range | None) -> Gate:
    return Gate(code, tuple(values), accepted, accepted is None or all(_within(value, accepted) for value in values))


def _modality(row: Row, said: Manifest) -> Gate:
    return _listed("E-INFER-MODALITY", row["Modality"], said.accepted.modality)


def _body_part(row: Row, said: Manifest) -> Gate:
    return _listed("E-INFER-BODY-PART", row["BodyPartExamined"], said.accepted.body_part)


def _synthetic(row: Row, said: Manifest) -> Gate:
    maker = str(row["Manufacturer"] or "")
    wanted = SYNTHETIC if said.synthetic_only else None
    return Gate("E-INFER-NOT-SYNTHETIC", maker, wanted, wanted is None or maker.startswith(SYNTHETIC))


def _kernel(row: Row, said: Manifest) -> Gate:
    return _listed("E-INFER-KERNEL", row["ConvolutionKernel"], said.accepted.convolution_kernel)


def _tube_voltage(row: Row, said: Manifest) -> Gate:
    return _ranged("E-INFER-KVP", [row["KVP"]], said.accepted.kvp)


def _echo_time(row: Row, said: Manifest) -> Gate:
    return _ranged("E-INFER-ECHO-TIME", [row["EchoTime"]], said.accepted.echo_time_ms)


def _contrast(row: Row, said: Manifest) -> Gate:
    agents = row.get("ContrastBolusAgent")
    given = None if agents is None else "with" if any(agents) else "without"
    return _listed("E-INFER-CONTRAST", given, None if said.accepted.contrast is None else (said.accepted.contrast,))


def _slices(row: Row, said: Manifest) -> Gate:
    return _ranged("E-INFER-SPACING", [slice_mm(row)], said.accepted.slice_mm)


def _pixels(row: Row, said: Manifest) -> Gate:
    return _ranged("E-INFER-PIXEL-SPACING", [row["column_spacing_mm"], row["row_spacing_mm"]], said.accepted.pixel_mm)


def _length(row: Row, said: Manifest) -> Gate:
    return _ranged("E-INFER-LENGTH", [row["n_slices"] * float(row["slice_spacing_mm"])], said.accepted.length_mm)


def _complete(row: Row, said: Manifest) -> Gate:
    missing = len(row["missing_positions_mm"] or ())
    return Gate("E-INFER-INCOMPLETE", missing, 0 if said.accepted.complete else None, not (said.accepted.complete and missing))


#: The header's gates, in the order in which a volume meets them.
_HEADER: tuple[Callable[[Row, Manifest], Gate], ...] = (
    _modality, _body_part, _synthetic, _kernel, _tube_voltage, _echo_time, _contrast, _slices, _pixels, _length, _complete,
)  # fmt: skip

#: All of them in that order. A study that is not read gives the reason of the volume that came furthest.
GATES = (
    "E-INFER-NO-VOLUME", "E-INFER-MODALITY", "E-INFER-BODY-PART", "E-INFER-NOT-SYNTHETIC", "E-INFER-KERNEL", "E-INFER-KVP", "E-INFER-ECHO-TIME",
    "E-INFER-CONTRAST", "E-INFER-SPACING", "E-INFER-PIXEL-SPACING", "E-INFER-LENGTH", "E-INFER-INCOMPLETE", "E-INFER-GEOMETRY",
    "E-INFER-INPUT",
)  # fmt: skip


def header(row: Row, manifest: Manifest) -> list[Gate]:
    """Every gate of the header, by a volume's row of the table `volumes` and its series' `ContrastBolusAgent` of the table `series`."""
    return [gate(row, manifest) for gate in _HEADER]


def by_header(row: Row, manifest: Manifest) -> str:
    """Why the model may not be shown a volume: the first gate that is closed, or empty."""
    return next((gate.reason_code for gate in header(row, manifest) if not gate.is_open), "")


def slice_mm(row: Row) -> float:
    """What one slice stands for along the slice axis: the larger of the slices' distance and their stated thickness, in mm."""
    return max(float(row["slice_spacing_mm"]), float(row["SliceThickness"] or 0))


def choose(eligible: Sequence[Row]) -> Row | None:
    """The one volume of a study that is read: with the thinnest slices, then the most slices, then the first by its path."""
    return min(eligible, key=lambda row: (slice_mm(row), -row["n_slices"], row["path"]), default=None)


def content_share(volume: Volume, content: Range | None) -> float | None:
    """The share of a volume's voxels whose values are within a range; padding never is. None without a range."""
    if content is None:
        return None
    low, high = content
    found = 0
    for start in range(0, volume.voxels.shape[2], _SLICES):
        voxels = volume.voxels[:, :, start : start + _SLICES]
        inside = (voxels >= low) & (voxels <= high)
        if volume.padding is not None:
            inside &= (voxels < volume.padding[0]) | (voxels > volume.padding[1])
        found += int(np.count_nonzero(inside))
    return found / max(volume.voxels.size, 1)


def plausible(statistics: Statistics, share: float | None, profile: Profile) -> bool:
    """Whether an input is like those of the training; a wrong rescale, a wrong window or another body part makes it unlike them."""
    held: list[tuple[float | None, Range | None]] = [
        (statistics.mean, profile.mean), (statistics.std, profile.std), (share, profile.content_share),
        (statistics.p01, profile.p01), (statistics.p50, profile.p50), (statistics.p99, profile.p99),
    ]  # fmt: skip
    finite = all(math.isfinite(value) for value, _ in held if value is not None)
    return finite and all(limits is None or _within(value, limits) for value, limits in held)


def furthest(reasons: Sequence[str]) -> str:
    """Of the reasons of several volumes the one whose gate comes last."""
    return max(reasons, key=GATES.index, default=GATES[0])


def needs_series(accepted: Accepted) -> bool:
    """Whether the header gate asks for something that the table `series` alone tells."""
    return accepted.contrast is not None


def _within(value: float | None, limits: Range) -> bool:
    """Whether a number is within limits, give or take what a decimal string loses."""
    return value is not None and limits[0] - 1e-6 <= value <= limits[1] + 1e-6
