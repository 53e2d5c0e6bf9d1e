"""Whether a line on a picture can be read by one who is told where it is: who wants the name looks there, and turns up the contrast.

PP-OCRv4's recogniser stands for that reader. It shares nothing with the networks that look for lines but its makers with one of them, and is shown
the line alone, cut out and windowed, so that it need not find anything.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.burned_in_pictures import Line

#: So much of a line must be read right to call it legible: of a name, half of the letters.
LEGIBLE = 0.5
_PERCENTILES = (1.0, 99.5)


def is_legible(picture: NDArray[Any], line: Line) -> bool:
    """Whether at least half of a line's characters are read right.

    Args:
        picture: values of any range, (rows, columns) or (rows, columns, 3), with the line on it.
    """
    return similarity(read(picture, line), line.text) >= LEGIBLE


def read(picture: NDArray[Any], line: Line) -> str:
    """What the recogniser reads where a line is."""
    from rapidocr_onnxruntime import RapidOCR

    crop = cut(picture, line)
    reader: RapidOCR = _reader()
    found, _ = reader(crop, use_det=False, use_cls=False, use_rec=True)
    return str(found[0][0]) if found else ""


def cut(picture: NDArray[Any], line: Line) -> NDArray[np.uint8]:
    """The line with a quarter of its height around, windowed to what is there; (rows, columns, 3)."""
    rows, columns = (np.flatnonzero(line.read.any(axis)) for axis in (1, 0))
    around = max(2, (rows[-1] - rows[0] + 1) // 4)
    part = np.s_[max(0, rows[0] - around) : rows[-1] + around + 1, max(0, columns[0] - around) : columns[-1] + around + 1]
    here = np.asarray(picture[part], np.float32)
    low, high = np.percentile(here, _PERCENTILES)
    grey = ((here - low) / max(high - low, 1e-6) * 255).clip(0, 255).astype(np.uint8)
    return grey if grey.ndim == 3 else np.stack([grey] * 3, -1)


def similarity(seen: str, said: str) -> float:
    """One minus Levenshtein's distance over the length of what is said; blanks and case do not count."""
    seen, said = ("".join(each.split()).casefold() for each in (seen, said))
    costs = list(range(len(said) + 1))
    for row, mine in enumerate(seen, 1):
        diagonal, costs[0] = costs[0], row
        for column, theirs in enumerate(said, 1):
            diagonal, costs[column] = costs[column], min(costs[column] + 1, costs[column - 1] + 1, diagonal + (mine != theirs))
    return 1 - costs[-1] / max(1, len(said))


@cache
def _reader() -> Any:
    from rapidocr_onnxruntime import RapidOCR

    return RapidOCR()
