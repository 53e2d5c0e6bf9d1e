"""Looks for the places of a projection in a single frame: which of its frames have the text, and which merely share a series with it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.deid.burned_in import searching
from tasks.deid.burned_in.box import Box

#: Around a place so many pixels are looked at.
_AROUND = 32
#: How sure the look must be, where a projection has already shown text.
CONFIRMED = 0.3
#: Frames that correlate so much in a place show the same there: text that the network saw in one need not be looked for in the other.
_SAME = 0.9
#: From so many frames on their spread tells strokes that are in all of them: this part of the usual spread or less, in this part of a place's pixels.
_FRAMES_TO_TELL, _STILL, _STROKES = 8, 0.25, 0.05


class Confirmation:
    """Takes frames one by one.

    Args:
        places: boxes where a projection shows text.

    Attributes:
        seen: the places that some frame has shown.
    """

    def __init__(self, places: tuple[Box, ...]) -> None:
        self.seen: set[Box] = set()
        self._places = places
        self._known: dict[Box, tuple[NDArray[np.float32], tuple[Box, ...]]] = {}

    def boxes(self, frame: NDArray[Any]) -> list[Box]:
        """The places that have text in this frame, with whatever of a line reaches over their ends.

        Raises:
            SafelightError: E-DEID-TEXT-DETECTOR.
        """
        found: list[Box] = []
        for place in self._places:
            shown = _normalised(frame[place.slices()])
            known = self._known.get(place)
            if known is not None and float(np.vdot(known[0], shown)) >= _SAME:
                found += known[1]
            elif meeting := within(frame, place, CONFIRMED):
                self.seen.add(place)
                self._known[place] = shown, (place, *meeting)
                found += self._known[place][1]
        return found


def within(frame: NDArray[Any], place: Box, threshold: float) -> tuple[Box, ...]:
    """Lines of letters of a frame that share a pixel with a place; only the place and a margin are looked at."""
    area = place.grown(_AROUND).clipped(*frame.shape[:2])
    lines = searching.lines(frame[area.slices()], threshold, side=max(frame.shape[:2]))
    moved = (Box(box.left + area.left, box.top + area.top, box.right + area.left, box.bottom + area.top) for box in lines)
    return tuple(box for box in moved if box.meets(place))


def is_steady(spread: NDArray[Any], place: Box, frames: int) -> bool:
    """Whether letters of one value are in all frames: their strokes are pixels that hardly differ between frames, where those around do.

    Of eight frames and more, noise alone leaves next to no pixel with less than a quarter of the usual spread. Where as many are still around
    the place, it is the ground that is still (what lies outside of a scanner's field, say), not letters.

    Args:
        spread: largest minus smallest value of each pixel over all frames, (rows, columns).
        place: where lines were found in it.
        frames: how many there are.
    """
    if frames < _FRAMES_TO_TELL:
        return False
    area = place.grown(_AROUND).clipped(*spread.shape).slices()
    still = spread < _STILL * float(np.median(spread[area]))
    inside, both = int(still[place.slices()].sum()), int(still[area].sum())
    around = (both - inside) / max(spread[area].size - place.area, 1)
    return inside >= max(_STROKES, 2 * around) * place.area


def _normalised(crop: NDArray[Any]) -> NDArray[np.float32]:
    """Values of mean 0 and length 1, so that the product of two is their correlation; an even crop correlates with nothing."""
    values = np.nan_to_num(np.asarray(crop, np.float32).reshape(-1), posinf=0.0, neginf=0.0)
    values = values - values.mean()
    return np.asarray(values / max(float(np.linalg.norm(values)), 1e-6), np.float32)
