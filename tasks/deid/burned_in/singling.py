"""Singles out slices that differ from both of their neighbours, and shows each by that difference: text that only one slice has stands alone there.

Along a body values rise and fall over several slices as a rule; so what lies outside of the range of a slice's two neighbours is noise, a
thin edge, or something that was written on it. In a projection such text is hidden wherever any other slice is brighter or darker.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.deid.burned_in import contrast

#: A pixel stands out from so many times the frame's noise on, and at least this part of its range.
_NOISES, _LEAST = 6.0, 0.02
#: Of every so many rows one is counted; so many of its pixels must stand out over what does in the neighbours: fewer than four letters of 7
#: pixels have there.
_ROWS, _STROKES = 2, 16
#: An end has one neighbour: it must differ from it by so many times as many pixels as that one does from the next.
_CHANGING = 1.25
#: So many slices are looked at, those with most.
_MOST = 12


@dataclass(frozen=True, slots=True)
class Odd:
    """A slice that stands out: its place among all, how many of its pixels were counted, and by how much they do, (rows, columns), 0 elsewhere."""

    place: int
    count: int
    beyond: NDArray[np.int32] = field(repr=False)


class Singling:
    """Takes slices in their order along the body, one by one. It holds a dozen at most, however many there are."""

    def __init__(self) -> None:
        self._last: list[NDArray[Any]] = []
        self._counts: list[int] = []
        self._usual: list[float | None] = []
        self._found: list[Odd] = []
        self._least = 0.0

    def add(self, frame: NDArray[Any]) -> None:
        """Take the next slice: whole numbers of up to 16 bits, (rows, columns)."""
        self._last.append(frame)
        if len(self._last) < 3:
            return
        one, middle, other = self._last
        if not self._counts:
            self._least = _least(middle)
            self._note(one, middle, middle, self._steady(middle, other))
        self._note(middle, one, other)
        self._previous = self._last.pop(0)

    def odd(self) -> list[Odd]:
        """The slices that stand out, in order, a dozen at most; none of fewer than five, which have no order to speak of."""
        if len(self._counts) < 4:
            return []
        one, other = self._last
        self._note(other, one, one, self._steady(one, self._previous))
        found = [each for each in self._found if self._stands_out(each.place)]
        return sorted(sorted(found, key=lambda each: -each.count)[:_MOST], key=lambda each: each.place)

    def _count(self, own: NDArray[Any], one: NDArray[Any], other: NDArray[Any]) -> int:
        """How many pixels of every second row stand out."""
        return beyond_by(int(self._least), own[::_ROWS], one[::_ROWS], other[::_ROWS])

    def _steady(self, one: NDArray[Any], other: NDArray[Any]) -> float:
        """How many pixels an end may differ by from its one neighbour, where this and the next differ as they do."""
        return _CHANGING * self._count(one, other, other)

    def _note(self, own: NDArray[Any], one: NDArray[Any], other: NDArray[Any], usual: float | None = None) -> None:
        place = len(self._counts)
        self._counts.append(self._count(own, one, other))
        self._usual.append(usual)
        # Whether the slice before stands out is known now; of those that do, the ones with least are forgotten.
        self._found = sorted((each for each in self._found if self._stands_out(each.place)), key=lambda each: -each.count)[:_MOST]
        if self._stands_out(place):
            self._found.append(Odd(place, self._counts[place], _beyond(own, one, other)))

    def _stands_out(self, place: int) -> bool:
        """Whether more stands out than in the neighbours; an end is compared in another way, and is no measure for others."""
        usual = self._usual[place]
        around = [near for near in (place - 1, place + 1) if 0 <= near < len(self._counts) and self._usual[near] is None]
        most = max((self._counts[near] for near in around), default=0) if usual is None else usual
        return self._counts[place] >= most + _STROKES


def beyond_by(least: int, own: NDArray[Any], one: NDArray[Any], other: NDArray[Any]) -> int:
    """How many values lie outside of the range of two others by more than `least`, which is 0 or greater.

    Nothing is widened: a distance that leaves the range of the stored integers comes out right where it is read without a sign.
    """
    unsigned = np.dtype(f"u{own.dtype.itemsize}")
    if least > np.iinfo(unsigned).max:
        return 0
    most, fewest = np.maximum(one, other), np.minimum(one, other)
    above, below = np.subtract(own, most).view(unsigned), np.subtract(fewest, own).view(unsigned)
    return int(np.count_nonzero((own > most) & (above > least)) + np.count_nonzero((own < fewest) & (below > least)))


def _least(frame: NDArray[Any]) -> float:
    values = np.asarray(frame, np.float32)
    low, high = (float(each) for each in np.percentile(values[::2, ::2], (0.1, 99.9)))
    return max(_NOISES * contrast.noise(values.clip(low, high)), _LEAST * (high - low), 1.0)


def _beyond(own: NDArray[Any], one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.int32]:
    """By how much values lie outside of the range of two others."""
    return _less(own, np.clip(own, np.minimum(one, other), np.maximum(one, other)))


def _less(own: NDArray[Any], other: NDArray[Any]) -> NDArray[np.int32]:
    return np.asarray(np.subtract(own, other, dtype=np.int32))
