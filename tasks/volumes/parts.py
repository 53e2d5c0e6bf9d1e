"""What becomes of a series, from its headers alone: its parts, each a volume, an image, or held back with a reason."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from tasks.dicom.headers import count, positive, word
from tasks.errors import SafelightError
from tasks.volumes.frames import Frame, frames_of
from tasks.volumes.grouping import Group, SamePixels, split
from tasks.volumes.intake import Instance
from tasks.volumes.kinds import Kind
from tasks.volumes.policy import VolumesSettings
from tasks.volumes.stack import MAX_POSITION_ERROR_MM, Planes, Stack, arrange, position_error


class Regrid(Enum):
    """Onto which other grid voxels are resampled, and the reason for it."""

    ORTHOGONAL = "E-VOLUME-TILT"
    FILLED = "E-VOLUME-MISSING-SLICES"
    EVEN = "E-VOLUME-UNEVEN-SPACING"


@dataclass(frozen=True)
class Part:
    """A part of a series.

    Attributes:
        instances: all that it is of, in the order of their keys.
        frames: in the order of the voxels, the fourth axis slowest; in the order of their keys where there is no volume.
        copies: frames left out because another has their position and their pixels.
        kind: `3d`, `4d` or `2d`; None where it is no image.
        reason_code: why it is held back; empty where it is a volume or an image.
        planes: of all frames; None where one does not say where it is, or it is a projection.
        stack: the geometry of each volume; None for projections and where it is held back.
        n_volumes: length of the fourth axis.
        missing: positions along the normal, in mm, at which slices are missing.
        regrid: the grid onto which it is resampled besides (a sheared stack), or instead (a reason is given too, then).
    """

    instances: tuple[Instance, ...]
    frames: tuple[Frame, ...] = ()
    copies: tuple[Frame, ...] = ()
    kind: str | None = None
    reason_code: str = ""
    planes: Planes | None = None
    stack: Stack | None = None
    n_volumes: int = 1
    split_by: tuple[str, ...] = ()
    fourth_axis: str | None = None
    fourth_values: tuple[float, ...] = ()
    missing: tuple[float, ...] = ()
    regrid: Regrid | None = None


def parts_of(instances: Sequence[Instance], same_pixels: SamePixels, settings: VolumesSettings, refused: str = "") -> list[Part]:
    """The parts of a series, in a stable order; every instance is in at least one.

    Args:
        same_pixels: looks at pixels where nothing else tells frames of one position apart.
        refused: the reason for which the series must not be converted, where there is one already.
    """
    members = tuple(sorted(instances, key=lambda instance: instance.key))
    if refused:
        return [Part(members, reason_code=refused, planes=_planes_if_all(members))]
    framed, reasons = _framed(members)
    others = [Part(tuple(which), reason_code=code) for code, which in sorted(reasons.items())]
    slices = [frame for frame in framed if frame.kind is Kind.CROSS_SECTION]
    # One that cannot be taken apart may be a slice of any of them: a volume with a hole would look right.
    spoilt = next((code for code in sorted(reasons) if code != "E-VOLUME-SOP-CLASS"), "")
    groups = [_volume(group, settings, spoilt) for group in split(slices, same_pixels)] if slices else []
    return [*sorted([*groups, *_images(framed)], key=_first), *others]


def _first(part: Part) -> tuple[int, str, int, int]:
    return min(frame.key for frame in (*part.frames, *part.copies))


def _framed(members: Sequence[Instance]) -> tuple[list[Frame], dict[str, list[Instance]]]:
    """All frames, and the instances that have none, by reason."""
    found: list[Frame] = []
    without: dict[str, list[Instance]] = defaultdict(list)
    for instance in members:
        try:
            frames = frames_of(instance)
            if not frames:
                raise SafelightError("E-VOLUME-SOP-CLASS")
            for frame in frames:
                _check_pixels(frame)
        except SafelightError as refusal:
            without[refusal.code].append(instance)
        else:
            found += frames
    return found, without


def _check_pixels(frame: Frame) -> None:
    """Hold that a frame's pixels are laid out in a way that is understood.

    Raises:
        SafelightError: E-VOLUME-PHOTOMETRIC, E-VOLUME-BITS.
    """
    header = frame.header
    photometric, samples = word(header, "PhotometricInterpretation"), count(header, "SamplesPerPixel")
    grey = photometric in {"MONOCHROME1", "MONOCHROME2"} and samples in {None, 1}
    if not grey and frame.kind is not Kind.PROJECTION:
        raise SafelightError("E-VOLUME-PHOTOMETRIC")
    allocated, stored, high = (count(header, keyword) for keyword in ("BitsAllocated", "BitsStored", "HighBit"))
    if allocated not in {8, 16, 32} or not stored or stored > allocated or high is None or not stored - 1 <= high < allocated:
        raise SafelightError("E-VOLUME-BITS")


def _planes_if_all(members: Sequence[Instance]) -> Planes | None:
    """The planes of single-frame instances that all say where they are."""
    try:
        frames = [frame for instance in members for frame in frames_of(instance)]
    except SafelightError:
        return None
    return _planes(frames)


def _planes(frames: Sequence[Frame]) -> Planes | None:
    planes = [frame.plane for frame in frames if frame.plane is not None]
    return Planes.of(planes) if planes and len(planes) == len(frames) else None


def _instances(frames: Sequence[Frame]) -> tuple[Instance, ...]:
    return tuple(sorted({frame.instance.key: frame.instance for frame in frames}.values(), key=lambda instance: instance.key))


def _images(framed: Sequence[Frame]) -> list[Part]:
    """Projections: one image an instance, its frames along the fourth axis."""
    by_instance: dict[str, list[Frame]] = defaultdict(list)
    for frame in framed:
        if frame.kind is Kind.PROJECTION:
            by_instance[frame.instance.key].append(frame)
    found = []
    for frames in by_instance.values():
        several = len(frames) > 1
        part = Part(_instances(frames), tuple(frames), kind="2d", n_volumes=len(frames))
        found.append(
            replace(part, fourth_axis="NumberOfFrames", fourth_values=tuple(map(float, range(1, len(frames) + 1))))
            if several
            else part
        )
    return found


def _volume(group: Group, settings: VolumesSettings, spoilt: str) -> Part:
    """A group's geometry, with its certificate, or the reason why it has none."""
    frames, n = group.frames, len(group.volumes)
    planes = _planes(frames)
    part = Part(
        _instances((*frames, *group.copies)), frames, group.copies, "4d" if n > 1 else "3d", group.reason_code or spoilt, planes,
        n_volumes=n, split_by=group.split_by, fourth_axis=group.fourth_axis, fourth_values=group.fourth_values,
    )  # fmt: skip
    if part.reason_code or planes is None:
        return part
    stacks = [Planes.of([frame.plane for frame in volume if frame.plane is not None]) for volume in group.volumes]
    try:
        stack = arrange(stacks[0], positive(frames[0].header, "SliceThickness"))
        worst = max(position_error(each, stack.order, stack.affine_lps) for each in stacks)
        if worst > MAX_POSITION_ERROR_MM:
            raise SafelightError("E-VOLUME-CERTIFICATE", f"{worst:.3f} mm")
    except SafelightError as refusal:
        return _uneven(replace(part, reason_code=refusal.code), stacks[0], settings)
    stack = replace(stack, max_position_error_mm=worst)
    tilted = stack.is_sheared and settings.orthogonal
    return replace(part, stack=stack, regrid=Regrid.ORTHOGONAL if tilted else None)


def _uneven(part: Part, planes: Planes, settings: VolumesSettings) -> Part:
    """What is allowed for a stack whose slices are not evenly spaced."""
    missing = tuple(planes.missing_positions or ()) if part.reason_code == "E-VOLUME-MISSING-SLICES" else ()
    part = replace(part, missing=missing)
    straight = _is_straight(planes)
    if missing and straight and _longest_run(planes) <= settings.fill_missing:
        return replace(part, regrid=Regrid.FILLED)
    if part.reason_code == "E-VOLUME-UNEVEN-SPACING" and straight and settings.even_out:
        return replace(part, regrid=Regrid.EVEN)
    return part


def _longest_run(planes: Planes) -> int:
    """The most slices that are missing between two others."""
    gaps = np.diff(np.sort(planes.along))
    return round(float(gaps.max() / np.median(gaps))) - 1


def _is_straight(planes: Planes) -> bool:
    """Whether the first pixels stand on a line along the normal: a stack that leans as well is not resampled along one axis only."""
    row, column = planes.orientation[:, :3].mean(axis=0), planes.orientation[:, 3:].mean(axis=0)
    return all(float(np.ptp(planes.position @ axis)) <= MAX_POSITION_ERROR_MM for axis in (row, column))
