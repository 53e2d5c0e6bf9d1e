"""Texts of a plan, a manifest or a table as Markdown that shows them and does nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable

#: What CommonMark (0.31) reads as markup anywhere; an underscore between letters or digits is none.
_MARKUP = re.compile(r"[\\`*\[\]<>&~|!]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
#: And at the beginning of a line.
_BEGINNING = re.compile(r"^(?:[-+#=]|\d+(?=[.)](?:\s|$)))")


def plain(text: str) -> str:
    """A text as Markdown that shows just that text, on one line."""
    line = _MARKUP.sub(lambda found: f"\\{found[0]}", " ".join(text.split()))
    return _BEGINNING.sub(lambda found: f"{found[0]}\\" if found[0].isdigit() else f"\\{found[0]}", line)


def lines(*parts: str) -> str:
    """What there is of the parts, each on a line of its own."""
    return "\n".join(part for part in parts if part)


def bullets(sentences: Iterable[str]) -> list[str]:
    """Sentences as the lines of a list."""
    return [f"- {sentence}" for sentence in sentences]
