"""The ground that all figures stand on: one style, fixed bytes, letters that every face can show."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.layout_engine import ConstrainedLayoutEngine

#: Blue and orange differ for all kinds of colour vision; every use of them also differs in shape or dash, for print in grey.
INK, SOFT, FAINT, ACCENT, SECOND, PALE = "#1c2733", "#6b7a89", "#dfe5ea", "#0b5cad", "#b3540e", "#eef4fa"
#: Inches of a line of a page in portrait: figures are drawn at this width, so that their letters keep their size.
LINE = 6.85
#: Decimals of the place of axes, as a part of the figure's side.
_PLACES = 6
_STYLE = {
    "font.family": "DejaVu Sans", "font.size": 8, "axes.edgecolor": SOFT, "axes.labelcolor": INK, "xtick.color": INK,
    "ytick.color": INK, "text.color": INK, "text.parse_math": False, "svg.hashsalt": "safelight", "svg.fonttype": "path",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure as vectors and, for faces that take none, as pixels; and the sentence that stands for it."""

    svg: bytes
    png: bytes
    alternative: str


def fonts() -> Path:
    """The folder of the fonts that come with matplotlib: the same on every machine."""
    return Path(mpl.get_data_path()) / "fonts" / "ttf"


@contextmanager
def styled() -> Iterator[None]:
    """Draw with our settings only, whatever the machine's own are."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield


def letters(text: str) -> str:
    """The text with a box for each letter that the figures' font lacks; the tables beside them have it in full."""
    known = _known()
    return "".join(c if ord(c) in known else "□" for c in text)


@cache
def _known() -> frozenset[int]:
    return frozenset(FT2Font(str(fonts() / "DejaVuSans.ttf")).get_charmap())


def finish(figure: Figure, alternative: str, mark: str) -> Drawing:
    """The figure's bytes, with `mark` in its corner, so that it stays with the figure wherever that is copied."""
    FigureCanvasAgg(figure)
    if mark:
        engine = figure.get_layout_engine()
        if isinstance(engine, ConstrainedLayoutEngine):
            band = 0.16 / figure.get_figheight()
            engine.set(rect=(0, band, 1, 1 - band))
        figure.text(0.997, 0.02 / figure.get_figheight(), mark, ha="right", va="bottom", fontsize=6.5, color=SECOND)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # laid out once: the same for both forms, in half the time
    for axes in figure.axes:
        # Names in the SVG are made of all bits of these; a solver that orders its variables by address need not give the same last ones twice.
        left, bottom, width, height = (round(each, _PLACES) for each in axes.get_position(original=True).bounds)
        axes.set_position((left, bottom, width, height))
    vectors, pixels = io.BytesIO(), io.BytesIO()
    figure.savefig(vectors, format="svg", metadata={"Date": None, "Creator": None})
    figure.savefig(pixels, format="png", dpi=200, metadata={"Software": None})
    return Drawing(vectors.getvalue(), pixels.getvalue(), alternative)
