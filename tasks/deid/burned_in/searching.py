"""Searches a picture for lines of text with two networks that were made apart: what either finds counts.

That of PP-OCRv4 has seen photographs of print in many scripts, and knows large and turned letters; ours has seen small and dim letters on drawn
noise, edges and speckle, and on projections of many slices.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from tasks.deid.burned_in import letters
from tasks.deid.burned_in.box import Box, merged
from tasks.deid.burned_in.dim_text import finding

#: Ours must be so much surer than that of PP-OCRv4: with less, folds of real brains are taken for lines.
_SURER, _SUREST = 0.4, 0.95


def lines(frame: NDArray[Any], threshold: float, *, side: int | None = None, enlarged: bool = True) -> tuple[Box, ...]:
    """The boxes of a frame that hold a line of letters; no two share a pixel.

    Args:
        frame: values of any range, (rows, columns) or (rows, columns, 3).
        threshold: the least mean probability of text.
        side: the longer side of the image that the frame was cut out of; nothing for a whole one.
        enlarged: the first network looks at a small frame enlarged too; without, small letters are left to ours.

    Raises:
        SafelightError: E-DEID-TEXT-DETECTOR.
    """
    ours = finding.find(frame, min(threshold + _SURER, _SUREST))
    return merged([*letters.lines(frame, threshold, side=side, enlarged=enlarged), *(each.box for each in ours)])
