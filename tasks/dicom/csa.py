"""The private header of Siemens' MR scanners (0029,xx10, creator SIEMENS CSA HEADER): read by nibabel, and written anew with a few numbers alone.

The layout is that of nibabel's documentation, "Siemens format DICOM with CSA header", type CSA2.
"""

from __future__ import annotations

import struct
import warnings
from collections.abc import Mapping, Sequence

import numpy as np

_MARK = 77
_SLICE_NORMAL = "SliceNormalVector"
#: Direction cosines of a unit vector, to the accuracy of decimal strings.
_UNIT = 1e-3


def slice_normal(content: bytes) -> tuple[float, float, float] | None:
    """SliceNormalVector: the direction in which a mosaic's slices follow each other, a unit vector in LPS; None where it does not say so."""
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # nibabel says on import that its reader is for Siemens only, which is what it is used for
        from nibabel.nicom import csareader
    try:
        found = csareader.get_slice_normal(csareader.read(content))
    except (KeyError, TypeError, ValueError, IndexError, struct.error, csareader.CSAError, UnicodeDecodeError):
        return None
    if found is None or np.shape(found) != (3,) or not abs(float(np.linalg.norm(found)) - 1) <= _UNIT:
        return None
    return float(found[0]), float(found[1]), float(found[2])


def direction_only(content: bytes) -> bytes | None:
    """A private header that says SliceNormalVector and nothing else; None where the given one does not."""
    normal = slice_normal(content)
    return None if normal is None else encode({_SLICE_NORMAL: normal})


def encode(numbers: Mapping[str, Sequence[float]]) -> bytes:
    """A private header with these numbers, as decimal strings of VR FD."""
    made = b"SV10\4\3\2\1" + struct.pack("<2I", len(numbers), _MARK)
    for name, values in numbers.items():
        made += struct.pack("<64si4s3i", name.encode(), len(values), b"FD\0\0", 0, max(6, len(values)), _MARK)
        texts = [f"{value:.8f}".encode() + b"\0" for value in values] + [b""] * (6 - len(values))
        for text in texts:
            made += struct.pack("<4i", len(text), len(text), _MARK, len(text)) + text + b"\0" * (-len(text) % 4)
    return made
