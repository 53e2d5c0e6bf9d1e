"""Kinds of value representations (PS3.5 section 6.2), as the rules of de-identification tell them apart."""

from __future__ import annotations

TEXT = frozenset({"AE", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
NUMBER_TEXT = frozenset({"DS", "IS"})
NUMBERS = frozenset({"AT", "FD", "FL", "SL", "SS", "SV", "UL", "US", "UV"})
BULK = frozenset({"OB", "OD", "OF", "OL", "OV", "OW"})
TEMPORAL = frozenset({"DA", "DT", "TM"})


def fits(vr: str, declared: str) -> bool:
    """Whether a VR found is the dictionary's (`US or SS`), or of the same kind: old encoders mix LO with SH, OB with OW, US with SS."""
    allowed = declared.split(" or ")
    if vr in allowed:
        return True
    return any({vr, other} <= kind for other in allowed for kind in (TEXT, NUMBER_TEXT, NUMBERS, BULK))
