"""Pictures of cases as figures: the pixels as they are in the lake, with the report's mark in the corner."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from matplotlib.figure import Figure
from PIL import Image, UnidentifiedImageError

from tasks.report.drawing import LINE, Drawing, finish, styled

#: Share of the line that a picture takes.
WIDTH = 0.45


def picture(content: bytes, alternative: str, mark: str) -> Drawing | None:
    """A grey picture as a figure; None where these bytes are none.

    Args:
        content: PNG.
    """
    try:
        with Image.open(BytesIO(content), formats=("PNG",)) as opened:
            pixels = np.asarray(opened.convert("L"))
    except (UnidentifiedImageError, OSError, ValueError):
        return None
    rows, columns = pixels.shape
    width, below = LINE * WIDTH, 0.18 if mark else 0.0
    height = width * rows / columns
    with styled():
        figure = Figure(figsize=(width, height + below))
        axes = figure.add_axes((0, below / (height + below), 1, height / (height + below)))
        axes.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="none", aspect="auto")
        axes.set_axis_off()
        return finish(figure, alternative, mark)
