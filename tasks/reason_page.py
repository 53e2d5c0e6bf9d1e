"""Writes `docs/reasons.md`, the list of every coded reason. `python -m tasks.reason_page [FILE]`."""

from __future__ import annotations

import sys
from pathlib import Path

from tasks.errors import catalogue


def page() -> str:
    """All codes with their meaning and remedy, as Markdown."""
    lines = [
        "# Coded reasons", "",
        "Every failure, quarantine and refusal has one of these codes. Generated from `configs/reasons/` by `make docs`.", "",
        "| code | meaning | what to do |", "|---|---|---|",
    ]  # fmt: skip
    cells = ((reason.code, reason.meaning, reason.remedy) for _, reason in sorted(catalogue().items()))
    lines += ["| `{}` | {} | {} |".format(*(cell.replace("|", "\\|") for cell in row)) for row in cells]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1] if len(sys.argv) > 1 else "docs/reasons.md").write_text(page(), "utf-8")
