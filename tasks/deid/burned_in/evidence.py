"""What a look leaves behind as evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Source = Literal["text", "catalogue", "ultrasound", "declared", "face"]


@dataclass(frozen=True, slots=True)
class Look:
    """A row of evidence: what one look was at, how many frames it covered, and how many boxes came of it."""

    source: Source
    view: str
    frames: int
    boxes: int
