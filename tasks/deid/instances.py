"""Reads one original instance from the spool, whole and checked: a file that is damaged is refused, never half read."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from pydicom import Dataset
from pydicom.dataset import FileDataset
from pydicom.filereader import read_partial

from tasks.deid.header import StopAfterPixels
from tasks.errors import SafelightError

_UNDEFINED = 0xFFFFFFFF


def is_dicom(head: bytes) -> bool:
    """Whether a file's first 132 bytes are those of a PS3.10 file."""
    return head[128:132] == b"DICM"


def read(path: Path) -> FileDataset:
    """One instance with its pixel data.

    Raises:
        SafelightError: E-DEID-NOT-DICOM, E-DEID-UNREADABLE (no data set can be parsed), E-DEID-TRUNCATED (the file ends inside an element).
    """
    content = path.read_bytes()
    if not is_dicom(content[:132]):
        raise SafelightError("E-DEID-NOT-DICOM")
    try:
        dataset = read_partial(BytesIO(content), stop_when=StopAfterPixels())
        whole = all(_is_whole(dataset, tag) for tag in list(dataset.keys()))
        syntax = dataset.file_meta.TransferSyntaxUID
        parsed = len(dataset) > 0 and syntax.is_transfer_syntax and not syntax.is_private
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - a parser may raise anything on damaged input, with values in its message
        raise SafelightError("E-DEID-UNREADABLE") from None
    if not whole:
        raise SafelightError("E-DEID-TRUNCATED")
    if not parsed:
        raise SafelightError("E-DEID-UNREADABLE")
    return dataset


def _is_whole(dataset: Dataset, tag: int) -> bool:
    element = dataset.get_item(tag)
    length = getattr(element, "length", _UNDEFINED)
    return length == _UNDEFINED or len(element.value or b"") == length
