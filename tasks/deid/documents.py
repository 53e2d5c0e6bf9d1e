"""Reports and presentation states: their content is cleaned by concept, before the attributes are rewritten by tag.

Table E.3.4-1 of PS3.15 names concepts, and what an item of a content tree means is only told by its concept: so these objects, small as they
are, are read with pydicom and written anew. UIDs and dates are left to the rewriter, which meets them in their attributes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO

from pydicom.filewriter import dcmwrite
from pydicom.uid import ExplicitVRLittleEndian

from tasks.deid.header import Audit
from tasks.deid.rules import Profile
from tasks.deid.structured.content import clean_content
from tasks.deid.structured.graphics import clean_graphics
from tasks.dicom import instances
from tasks.dicom.instances import Instance
from tasks.errors import SafelightError


@dataclass(frozen=True)
class _Settled:
    """What the cleaning of content asks for: texts now; UIDs and dates stay as they are until the rewriter comes to them."""

    text: Callable[[str], str] = field(repr=False)
    patient_key: str = ""

    def uid(self, uid: str, /) -> str:
        """The UID as it is."""
        return uid

    def date(self, value: str, _vr: str, /) -> str:
        """The date as it is."""
        return value


def cleaned(instance: Instance, profile: Profile, text: Callable[[str], str]) -> tuple[Instance, Audit]:
    """A report or presentation state with clean content, as Explicit VR Little Endian; its attributes are still the original's.

    Args:
        text: cleans a free text of the study.

    Raises:
        SafelightError: E-DEID-STRUCTURE for content that cannot be understood, E-DEID-UNREADABLE.
    """
    dataset = instance.whole()
    settled = _Settled(text)
    audit: Audit = Audit(clean_content(dataset, options=profile.options, transforms=settled, highest_age=profile.highest_age))
    audit.update(clean_graphics(dataset, transforms=settled))
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = BytesIO()
    try:
        dcmwrite(buffer, dataset, implicit_vr=False, little_endian=True, enforce_file_format=True)
    except (MemoryError, OSError):
        raise
    except Exception:  # noqa: BLE001 - a writer may raise anything on odd values, with values in its message
        raise SafelightError("E-DEID-STRUCTURE") from None
    return instances.of_bytes(buffer.getvalue()), audit
