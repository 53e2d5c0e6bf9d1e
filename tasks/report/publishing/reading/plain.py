"""Text, by its lines."""

from __future__ import annotations

from tasks.report.publishing.reading import Sayings


def read(content: bytes) -> Sayings:
    """The lines of a text in UTF-8."""
    found = Sayings()
    for number, line in enumerate(content.decode("utf-8").splitlines(), 1):
        found.say(f"line {number}", line)
    return found
