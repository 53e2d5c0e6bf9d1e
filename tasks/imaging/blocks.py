"""A large resampling in parts: blocks of the target, and the box of the source that each needs.

How a target is divided depends on the two grids alone, never on threads or memory, so that the result does not either.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.imaging.grids import Shape

#: The most voxels of a block, and of its box.
LIMIT = 2**23

Ends = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Block:
    """A part of the target from `start` to before `stop`, and the box of the source that it is computed from.

    `box_start` may be below 0 and `box_stop` beyond the source, where the target is.
    """

    start: Ends
    stop: Ends
    box_start: Ends
    box_stop: Ends

    @property
    def voxels(self) -> int:
        """The larger of the number of voxels of the block and of its box."""
        return max(_count(self.start, self.stop), _count(self.box_start, self.box_stop))

    def inside(self, shape: Shape) -> Block | None:
        """The block with its box cut to the source; None where nothing is left of it."""
        start = _ends(np.maximum(self.box_start, 0))
        stop = _ends(np.minimum(self.box_stop, shape))
        return Block(self.start, self.stop, start, stop) if _count(start, stop) else None


def divide(
    target: Shape, source: Shape, indices: NDArray[np.float64], reach: Ends, *, beyond: bool, limit: int = LIMIT
) -> Iterator[Block]:
    """The blocks of a target, the first axis changing fastest.

    Args:
        target, source: shapes.
        indices: (4, 4), voxel of the target → place in the source, in voxels.
        reach: how many voxels around a place the interpolation looks at, along each axis of the source.
        beyond: whether a box goes on beyond the source; it is cut there otherwise.
        limit: the most voxels of a block and of its box, unless a single voxel needs more.
    """
    whole = _block((0, 0, 0), target, indices, reach)
    if max(np.prod(target, dtype=np.int64), np.prod(source, dtype=np.int64)) <= limit and not beyond:
        yield Block((0, 0, 0), target, (0, 0, 0), source)
        return
    waiting = [whole]
    while waiting:
        block = waiting.pop()
        if _cost(block, source, beyond) <= limit or _count(block.start, block.stop) == 1:
            yield block
            continue
        halves = [_halves(block, axis, indices, reach) for axis in (2, 1, 0) if block.stop[axis] - block.start[axis] > 1]
        first, second = min(halves, key=lambda pair: max(_cost(each, source, beyond) for each in pair))
        waiting += [second, first]


def _cost(block: Block, source: Shape, beyond: bool) -> int:
    if beyond:
        return block.voxels
    cut = block.inside(source)
    return cut.voxels if cut is not None else _count(block.start, block.stop)


def _halves(block: Block, axis: int, indices: NDArray[np.float64], reach: Ends) -> tuple[Block, Block]:
    middle = (block.start[axis] + block.stop[axis]) // 2
    stop, start = list(block.stop), list(block.start)
    stop[axis] = start[axis] = middle
    return _block(block.start, _ends(stop), indices, reach), _block(_ends(start), block.stop, indices, reach)


def _block(start: Ends, stop: Ends, indices: NDArray[np.float64], reach: Ends) -> Block:
    """A block with its box: the places of its first and last voxels, along whichever axis they are least and largest."""
    ends = np.stack([np.array(start), np.array(stop) - 1]).astype(np.float64)
    parts = indices[:3, :3] * ends[:, None, :]
    low = indices[:3, 3] + parts.min(axis=0).sum(axis=1)
    high = indices[:3, 3] + parts.max(axis=0).sum(axis=1)
    return Block(start, stop, _ends(np.floor(low) - reach), _ends(np.ceil(high) + reach + 1))


def _ends(values: object) -> Ends:
    i, j, k = (int(value) for value in np.asarray(values))
    return i, j, k


def _count(start: Ends, stop: Ends) -> int:
    return int(np.prod([max(b - a, 0) for a, b in zip(start, stop, strict=True)], dtype=np.int64))
