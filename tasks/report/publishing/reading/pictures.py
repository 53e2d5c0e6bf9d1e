"""A picture: its pixels, and what is written beside them."""

from __future__ import annotations

import io
from hashlib import sha256

from PIL import Image

from tasks.report.publishing.reading import Sayings


def read(content: bytes) -> Sayings:
    """Mode, size and SHA-256 of the pixels, and the text chunks of a PNG."""
    found = Sayings()
    with Image.open(io.BytesIO(content)) as picture:
        found.say("size", f"{picture.mode} {picture.size}")
        found.say("pixels", sha256(picture.tobytes()).hexdigest())
        for name, value in picture.info.items():
            found.say(f"property {name}", str(value))
    return found
