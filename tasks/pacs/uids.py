"""What is a UID, and what only claims to be one."""

from __future__ import annotations

import re

_UID = re.compile(r"[0-9]+(\.[0-9]+)*")


def is_uid(text: str) -> bool:
    """Whether text is made like a UID (PS3.5 9.1): up to 64 digits and dots. Leading zeros, which archives hold, are let pass."""
    return len(text) <= 64 and _UID.fullmatch(text) is not None
