"""Comma-separated values: cells by line and column."""

from __future__ import annotations

import csv
import io
from itertools import zip_longest

from tasks.report.publishing.reading import Sayings


def read(content: bytes) -> Sayings:
    """The header and every cell of a CSV file in UTF-8."""
    found = Sayings()
    header, *rows = csv.reader(io.StringIO(content.decode("utf-8"), newline=""))
    found.say("header", " | ".join(header))
    for number, row in enumerate(rows, 2):
        for name, cell in zip_longest(header, row, fillvalue=""):
            found.say(f"line {number} ({row[0] if row else ''}), column {name or 'without a name'}", cell)
    return found
