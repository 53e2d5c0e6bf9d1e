"""Searches a picture for lines of text with two networks that were made apart: what both find counts, and what one of them is nearly certain of.

That of PP-OCRv4 has seen photographs of print in many scripts; ours has seen small and dim letters on drawn noise, edges and speckle, and on
projections of many slices. What is no more than the steps of a smooth shade counts for neither.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from tasks.deid.burned_in import letters
from tasks.deid.burned_in.box import Box, merged
from tasks.deid.burned_in.dim_text import finding
from tasks.deid.burned_in.ink import is_ink
from tasks.deid.burned_in.mapping import Found

#: So much doubt may be left of what ours alone finds at a threshold of 0.5; ten times as much for each 0.2 that the threshold is lower. It is nearly
#: always sure of letters; folds of real brains, and edges of large radiographs, are taken for lines with more.
_DOUBT, _TENFOLD = 0.005, 0.2
#: Not less than this, at any threshold.
_LEAST_DOUBT = 0.001
#: That of PP-OCRv4 alone must be so much surer, up to this, of lines no taller than this, in pixels: it takes tissue for large letters.
_SURER, _SUREST, _TALLEST = 0.3, 0.95, 48
#: Both have found the same where they share this part of the smaller box.
_SAME = 0.3


def lines(frame: NDArray[Any], threshold: float, *, side: int | None = None, enlarged: bool = True) -> tuple[Box, ...]:
    """The boxes of a frame that hold a line of letters; no two share a pixel.

    Args:
        frame: values of any range, (rows, columns) or (rows, columns, 3).
        threshold: the least probability of a line that both find.
        side: the longer side of the image that the frame was cut out of; nothing for a whole one.
        enlarged: the first network looks at a small frame enlarged too; without, small letters are left to ours.

    Raises:
        SafelightError: E-DEID-TEXT-DETECTOR.
    """
    ours = finding.find(frame, threshold)
    theirs = letters.lines(frame, threshold, side=side, enlarged=enlarged)
    counted = [each.box for each in ours if each.score >= 1 - _doubt(threshold)]
    counted += [
        each.box for each in theirs if _is_certain(each, threshold) or any(_is_same(each.box, other.box) for other in ours)
    ]
    return merged([box for box in counted if is_ink(frame, box)])


def _is_certain(found: Found, threshold: float) -> bool:
    """Whether what the network of PP-OCRv4 has found counts without ours."""
    box = found.box
    return found.score >= min(threshold + _SURER, _SUREST) and min(box.right - box.left, box.bottom - box.top) <= _TALLEST


def _is_same(box: Box, other: Box) -> bool:
    return box.shared(other) > _SAME * min(box.area, other.area)


def _doubt(threshold: float) -> float:
    """How much doubt may be left of what our network finds alone."""
    return max(_DOUBT * 10 ** ((0.5 - threshold) / _TENFOLD), _LEAST_DOUBT)
