"""Tells lines of letters from what the network takes for one: a body is one large letter to it, a vessel a small one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.deid.burned_in import frames, joining
from tasks.deid.burned_in.box import Box
from tasks.deid.burned_in.detector import find
from tasks.deid.burned_in.mapping import Found

#: The tallest line, in pixels, and as a part of the picture's shorter side: letters of 24 pixels give a box of some 40.
_TALLEST, _TALLEST_PART = 48, 0.1
#: A line of three or four letters crosses from dark to bright and back at least so often; an organ, a vessel or a marker does less.
_CROSSINGS = 8
#: The same for letters that only local contrast shows, and for boxes as tall as organs are.
_CROSSINGS_OF_DIM = 12
#: A piece of a line crosses so often at least; what the pieces cross together is as for letters that only local contrast shows.
_CROSSINGS_OF_PIECE = 4
#: Pieces together are so much longer than high: compact organs side by side are not.
_LONG_TOGETHER = 4.0
#: A box is longer than high by so much: three letters of 7 pixels are, with the margin that a box has.
_LONG = 1.5
#: The network must be so much surer of a box that is shorter than this many times its height.
_COMPACT, _SURER = 2.5, 0.3
#: A box grows by so many times its height at both ends: letters there may lie on ground that drowns them for the network.
_ENDS = 0.5
#: A box that is taller, in pixels, and compact may be an organ.
_TALL = 20


def lines(frame: NDArray[Any], threshold: float, *, side: int | None = None, enlarged: bool = True) -> tuple[Found, ...]:
    """The places of a frame that hold a line of letters; one of several pieces is as sure as the least sure of them.

    Args:
        frame: values of any range, (rows, columns) or (rows, columns, 3).
        threshold: the least mean probability of text.
        side: the longer side of the image that the frame was cut out of; nothing for a whole one.
        enlarged: small frames are enlarged for small letters.

    Raises:
        SafelightError: E-DEID-TEXT-DETECTOR.
    """
    plain, local = frames.pictures(frame)
    tallest = max(_TALLEST, _TALLEST_PART * min(local.shape[:2]))
    found = [each for each in find(local, threshold, side, enlarged) if min(_sides(each.box)) <= tallest]
    alone = [
        each.score >= (threshold + _SURER if _is_compact(each.box) else threshold) and is_struck(plain, local, each.box)
        for each in found
    ]
    lines = [found[number] for number, is_line in enumerate(alone) if is_line]
    small = [number for number, each in enumerate(found) if min(_sides(each.box)) <= _TALLEST]  # vertebrae stand in a row too
    for upright in (False, True):
        for pieces in joining.joined([found[number].box for number in small], upright=upright):
            boxes = [found[small[piece]].box for piece in pieces]
            if len(boxes) > 1 and (any(alone[small[piece]] for piece in pieces) or is_struck_together(local, boxes)):
                lines.append(Found(reduce(Box.around, boxes), min(found[small[piece]].score for piece in pieces)))
    return tuple(Found(each.box.longer(_ENDS).clipped(*local.shape[:2]), each.score) for each in lines)


def _sides(box: Box) -> tuple[int, int]:
    return box.right - box.left, box.bottom - box.top


def _is_compact(box: Box) -> bool:
    """Whether a box is hardly longer than high: lines are longer as a rule, crossing edges are not."""
    short, long = sorted(_sides(box))
    return long < _COMPACT * short


def is_struck_together(local: NDArray[np.uint8], boxes: Sequence[Box]) -> bool:
    """Whether the pieces of a line make up something long, and cross as many strokes together as a line does; each must cross a few."""
    short, long = sorted(_sides(reduce(Box.around, boxes)))
    if long < _LONG_TOGETHER * short:
        return False
    counts = [crossings(local[box.slices()]) for box in boxes]
    struck = [count for count in counts if count >= _CROSSINGS_OF_PIECE]
    return len(struck) > 1 and sum(struck) >= _CROSSINGS_OF_DIM


def is_struck(plain: NDArray[np.uint8], local: NDArray[np.uint8], box: Box) -> bool:
    """Whether a box is as long, for its height, as a few letters are, and a line through it crosses as many strokes.

    Local contrast raises edges of organs along with letters; so those that only it shows need more crossings than those seen in the plain picture.
    """
    short, long = sorted((box.right - box.left, box.bottom - box.top))
    if long < _LONG * short:
        return False
    least = _CROSSINGS_OF_DIM if short > _TALLEST or (short > _TALL and long < _COMPACT * short) else _CROSSINGS
    count = crossings(local[box.slices()])
    if count < least:
        return False
    return (count >= _CROSSINGS_OF_DIM and short <= _TALLEST) or crossings(plain[box.slices()]) >= least


def crossings(crop: NDArray[np.uint8]) -> int:
    """How often a line through a crop changes between dark and bright strokes: of the lines along its long side, the ninth of ten.

    The mean of a neighbourhood as long as the crop is high is taken away first, so that letters count on ground of any brightness. A change
    counts from an eighth of the range below nothing to an eighth above, so that noise on an even ground is none.
    """
    planes = crop if crop.ndim == 3 else crop[..., None]
    return max(_crossings(planes[..., plane].astype(np.float32)) for plane in range(planes.shape[2]))


def _crossings(crop: NDArray[np.float32]) -> int:
    from scipy import ndimage

    rows = crop if crop.shape[1] >= crop.shape[0] else crop.T
    strokes = rows - ndimage.uniform_filter1d(rows, max(5, rows.shape[0]), axis=1)
    low, high = np.percentile(strokes, (2, 98))
    if high - low < 3:
        return 0
    eighth = (high - low) / 8
    counts = []
    for row in strokes:
        state = np.sign(row[np.abs(row) > eighth])
        counts.append(int(np.count_nonzero(np.diff(state))))
    return int(np.percentile(counts, 90))
