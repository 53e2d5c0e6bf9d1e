"""Splits the cross-sections of a series into groups that can each be one volume, or one volume at several times; never interleaves, never guesses.

Frames that differ in a trait of `traits.ALWAYS`, in matrix, orientation or pixel spacing never share a volume. Where positions repeat after that, a
trait has to tell the frames apart: one that may be an axis makes a fourth dimension where all its stacks stand at the same positions, else
each stack is a volume of its own. Frames that nothing tells apart are copies if their pixels are the same; else the group is refused.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tasks.dicom.headers import integer
from tasks.volumes.frames import Frame, Plane
from tasks.volumes.stack import MAX_POSITION_ERROR_MM, SAME_DIRECTION, SAME_POSITION_MM, Planes
from tasks.volumes.traits import ALWAYS, AXES, SPLITS, Rule, classes

#: Whether frames of one position have the same pixels.
SamePixels = Callable[[Sequence[Frame]], bool]


@dataclass(frozen=True)
class Group:
    """Frames of one volume, or of one at several times.

    Attributes:
        volumes: its stacks in the order of the fourth axis, each ascending along the normal. One where there is no fourth axis.
        split_by: keywords by which it was told from the rest of its series.
        copies: frames left out because another has their position and their pixels.
        reason_code: why it can be no volume; its frames are in `volumes` in the order of their keys then.
        fourth_axis, fourth_values: keyword and values of the fourth axis; three values a volume where they are directions.
    """

    volumes: tuple[tuple[Frame, ...], ...]
    split_by: tuple[str, ...] = ()
    copies: tuple[Frame, ...] = ()
    reason_code: str = ""
    fourth_axis: str | None = None
    fourth_values: tuple[float, ...] = ()

    @property
    def frames(self) -> tuple[Frame, ...]:
        """All frames with a place, the fourth axis slowest."""
        return tuple(frame for volume in self.volumes for frame in volume)


def split(frames: Sequence[Frame], same_pixels: SamePixels) -> list[Group]:
    """The groups of a series' cross-sections, in the order of their first frames' keys."""
    families: list[tuple[list[Frame], tuple[str, ...]]] = [(sorted(frames, key=lambda frame: frame.key), ())]
    for keyword, rule in ALWAYS.items():
        families = [part for family in families for part in _by_rule(*family, keyword, rule)]
    groups: list[Group] = []
    for family, split_by in families:
        if any(frame.plane is None for frame in family):
            groups.append(Group((tuple(family),), split_by, reason_code="E-VOLUME-GEOMETRY"))
            continue
        for part, why in _by_plane(family, split_by):
            groups += [replace(group, split_by=(*why, *group.split_by)) for group in _separate(part, same_pixels)]
    return sorted(groups, key=lambda group: min(frame.key for frame in (*group.frames, *group.copies)))


def _parts(frames: Sequence[Frame], labels: Sequence[int]) -> list[list[Frame]]:
    found: dict[int, list[Frame]] = defaultdict(list)
    for frame, label in zip(frames, labels, strict=True):
        found[label].append(frame)
    return [found[label] for label in sorted(found)]


def _by_rule(
    frames: list[Frame], split_by: tuple[str, ...], keyword: str, rule: Rule
) -> list[tuple[list[Frame], tuple[str, ...]]]:
    parts = _parts(frames, classes(frames, rule))
    if len(parts) == 1 or (rule.may_vary and _tells_nothing(frames, parts)):
        return [(frames, split_by)]
    return [(part, (*split_by, keyword)) for part in parts]


#: Of fewer slices it cannot be said that a number differs from each to the next by habit.
_A_FEW = 5


def _tells_nothing(frames: list[Frame], parts: list[list[Frame]]) -> bool:
    """Whether a trait differs from slice to slice of what is one stack anyway."""
    return (
        len(frames) >= _A_FEW
        and len(parts) > len(frames) / 2
        and all(frame.plane is not None for frame in frames)
        and max(_positions(frames).values()) == 1
    )


def _plane(frame: Frame) -> Plane:
    if frame.plane is None:
        raise ValueError("a frame without a plane has no place")
    return frame.plane


def _by_plane(frames: list[Frame], split_by: tuple[str, ...]) -> list[tuple[list[Frame], tuple[str, ...]]]:
    """By matrix, orientation and pixel spacing."""
    families: list[tuple[list[Frame], tuple[str, ...]]] = [(frames, split_by)]
    for keywords, alike in (
        (("Rows", "Columns"), lambda one, other: one.matrix == other.matrix),
        (("ImageOrientationPatient",), _same_direction),
        (("PixelSpacing",), _same_spacing),
    ):
        families = [part for family in families for part in _by_likeness(*family, keywords, alike)]
    return families


def _by_likeness(
    frames: list[Frame], split_by: tuple[str, ...], keywords: tuple[str, ...], alike: Callable[[Plane, Plane], bool]
) -> list[tuple[list[Frame], tuple[str, ...]]]:
    parts: list[list[Frame]] = []
    for frame in frames:
        for part in parts:
            if alike(_plane(part[0]), _plane(frame)):
                part.append(frame)
                break
        else:
            parts.append([frame])
    return [(frames, split_by)] if len(parts) == 1 else [(part, (*split_by, *keywords)) for part in parts]


def _same_direction(one: Plane, other: Plane) -> bool:
    return all(abs(a - b) <= SAME_DIRECTION for a, b in zip((*one.row, *one.column), (*other.row, *other.column), strict=True))


def _same_spacing(one: Plane, other: Plane) -> bool:
    """To 0.1 mm over the whole width and height."""
    return all(
        abs(a - b) * n <= MAX_POSITION_ERROR_MM for a, b, n in zip(one.spacing, other.spacing, one.matrix, strict=True)
    )  # fmt: skip


def _positions(frames: Sequence[Frame]) -> Counter[int]:
    """How many frames stand at each position along the normal."""
    return Counter(_places(frames).tolist())


def _places(frames: Sequence[Frame]) -> NDArray[np.int64]:
    """(n,) number of each frame's position along the normal, from 0 upwards."""
    return _steps(Planes.of([_plane(frame) for frame in frames]).along, SAME_POSITION_MM)


def _ascending(frames: Sequence[Frame]) -> tuple[Frame, ...]:
    return tuple(frames[index] for index in np.argsort(_places(frames), kind="stable"))


def _separate(frames: list[Frame], same_pixels: SamePixels) -> list[Group]:
    """Groups of frames at positions of their own."""
    most = max(_positions(frames).values())
    if most == 1:
        return [Group((_ascending(frames),))]
    for keyword, rule in (*AXES.items(), *SPLITS.items(), (_IN_PLANE, None)):
        parts = _parts(frames, _in_plane(frames) if rule is None else classes(frames, rule))
        if _partitions(parts, frames, most):
            below = [_separate(part, same_pixels) for part in parts]
            joined = _joined(keyword, rule, below) if rule is not None and AXES.get(keyword) is rule else None
            return [joined] if joined else [replace(one, split_by=(keyword, *one.split_by)) for each in below for one in each]
    return [_ranked(frames, most, same_pixels)]


#: The keyword of stacks that are shifted against each other within their plane.
_IN_PLANE = "ImagePositionPatient"


def _in_plane(frames: Sequence[Frame]) -> list[int]:
    """Classes by where the first pixel is within the plane."""
    planes = Planes.of([_plane(frame) for frame in frames])
    label: dict[tuple[int, ...], int] = {}
    along_axes = [
        _steps(planes.position @ planes.orientation[:, axes].mean(axis=0), MAX_POSITION_ERROR_MM) for axes in (_ROW, _COLUMN)
    ]
    return [label.setdefault((int(u), int(v)), len(label)) for u, v in zip(*along_axes, strict=True)]


_ROW, _COLUMN = slice(0, 3), slice(3, 6)


def _steps(values: NDArray[np.float64], gap: float) -> NDArray[np.int64]:
    """(n,) class of each value, from 0 upwards; a distance of `gap` between neighbours begins another one."""
    order = np.argsort(values, kind="stable")
    found = np.empty(len(values), np.int64)
    found[order] = np.concatenate([[0], np.cumsum(np.diff(values[order]) >= gap)])
    return found


def _partitions(parts: list[list[Frame]], frames: list[Frame], most: int) -> bool:
    """Whether a trait sorts frames into stacks: fewer of them share a position, and it does not just number them all."""
    if len(parts) == 1 or max(max(_positions(part).values()) for part in parts) >= most:
        return False
    sizes = sorted(len(part) for part in parts)
    return len(parts) == most or sizes[len(sizes) // 2] >= 2 or len(_positions(frames)) == 1


def _joined(keyword: str, rule: Rule, below: list[list[Group]]) -> Group | None:
    """One group with a fourth axis, where every value of it has one whole stack and all stand at the same positions."""
    if any(len(groups) > 1 or groups[0].reason_code or groups[0].fourth_axis for groups in below):
        return None
    stacks = [groups[0].volumes[0] for groups in below]
    if not _at_the_same_positions(stacks):
        return None
    if keyword == "DiffusionGradientOrientation":  # there is no order of directions but that of their instances
        stacks.sort(key=lambda stack: min(frame.key for frame in stack))
    values = [rule.read(stack[0].header) for stack in stacks]
    flat = [part for value in values for part in (value if isinstance(value, tuple) else (value,))]
    copies = tuple(frame for groups in below for frame in groups[0].copies)
    numeric = all(isinstance(part, float) for part in flat)
    return Group(
        tuple(stacks), copies=copies, fourth_axis=keyword, fourth_values=tuple(float(part) for part in flat) if numeric else ()
    )


def _at_the_same_positions(stacks: Sequence[tuple[Frame, ...]]) -> bool:
    if len({len(stack) for stack in stacks}) > 1:
        return False
    positions = np.array([[_plane(frame).position for frame in stack] for stack in stacks])
    return bool(np.ptp(positions, axis=0).max() <= SAME_POSITION_MM)


def _ranked(frames: list[Frame], most: int, same_pixels: SamePixels) -> Group:
    """Frames that no trait sorts as it stands: by their rank at each position, as copies, or not at all."""
    places = _places(frames)
    by_place: dict[int, list[Frame]] = defaultdict(list)
    for frame, place in zip(frames, places.tolist(), strict=True):
        by_place[place].append(frame)
    whole = all(len(each) == most for each in by_place.values())
    for keyword, rule in AXES.items():
        if whole and (ranked := _by_rank(by_place, rule)) is not None:
            return _ranked_group(keyword, rule, ranked)
    if all(same_pixels(each) for each in by_place.values() if len(each) > 1):
        kept = [min(each, key=lambda frame: frame.key) for each in by_place.values()]
        copies = tuple(frame for frame in frames if frame not in kept)
        return Group((_ascending(kept),), copies=copies)
    numbered = Rule(lambda header: float(integer(header, "InstanceNumber") or 0))
    if whole and (ranked := _by_rank(by_place, numbered)) is not None and _in_blocks(ranked, numbered):
        return _ranked_group("InstanceNumber", numbered, ranked)
    return Group((tuple(frames),), reason_code="E-VOLUME-DUPLICATE-POSITION")


def _by_rank(by_place: dict[int, list[Frame]], rule: Rule) -> list[tuple[Frame, ...]] | None:
    """Stacks of the first, the second … frame of each position by a number; None where it does not tell them apart at each."""
    ordered = []
    for place in sorted(by_place):
        values = [(rule.read(frame.header), frame) for frame in by_place[place]]
        if any(not isinstance(value, float) for value, _ in values) or len({value for value, _ in values}) < len(values):
            return None
        ordered.append([frame for _, frame in sorted(values, key=lambda pair: pair[0])])  # type: ignore[arg-type,return-value]
    stacks = [tuple(each) for each in zip(*ordered, strict=True)]
    return stacks if _at_the_same_positions(stacks) else None


def _in_blocks(stacks: list[tuple[Frame, ...]], rule: Rule) -> bool:
    """Whether instance numbers run through one stack after the other, or through all frames of one position after the other."""
    table = np.array([[rule.read(frame.header) for frame in stack] for stack in stacks], np.float64)
    by_stack = bool((table[:-1].max(axis=1) < table[1:].min(axis=1)).all())
    return by_stack or _consecutive(table.T)


def _consecutive(table: NDArray[np.float64]) -> bool:
    """Whether the ranges of the rows do not overlap."""
    ends = sorted((float(row.min()), float(row.max())) for row in table)
    return all(before[1] < here[0] for before, here in pairwise(ends))


def _ranked_group(keyword: str, rule: Rule, stacks: list[tuple[Frame, ...]]) -> Group:
    """A group with a fourth axis whose values are the medians over its positions."""
    values = [float(np.median([float(rule.read(frame.header)) for frame in stack])) for stack in stacks]  # type: ignore[arg-type]
    return Group(tuple(stacks), fourth_axis=keyword, fourth_values=tuple(values))
