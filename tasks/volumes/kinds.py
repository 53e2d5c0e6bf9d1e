"""What an object is for this stage: cross-sections of the patient, projections of it, or no image that becomes a file; by SOP class and image type.

SOP classes are those of PS3.4 B.5.
"""

from __future__ import annotations

from enum import Enum

_ROOT = "1.2.840.10008.5.1.4.1.1."


class Kind(Enum):
    """What becomes of an image."""

    CROSS_SECTION = "cross-section"
    PROJECTION = "projection"
    NONE = "none"


CT = f"{_ROOT}2"
PET = f"{_ROOT}128"
#: One frame an instance: CT, MR and PET Image Storage.
CLASSIC = {CT, f"{_ROOT}4", PET}
#: Enhanced and legacy converted enhanced CT, MR (and colour) and PET; breast and X-ray tomography; frames have geometry of their own.
ENHANCED = {
    f"{_ROOT}2.1", f"{_ROOT}2.2", f"{_ROOT}4.1", f"{_ROOT}4.3", f"{_ROOT}4.4", f"{_ROOT}130", f"{_ROOT}128.1",
    f"{_ROOT}13.1.1", f"{_ROOT}13.1.2", f"{_ROOT}13.1.3",
}  # fmt: skip
#: The enhanced classes whose values are Hounsfield units by rule.
ENHANCED_CT = {f"{_ROOT}2.1", f"{_ROOT}2.2"}
#: CR, DX, MG, intra-oral, ultrasound (also retired), XA, RF (also enhanced) and planar nuclear medicine.
PROJECTIONS = {
    f"{_ROOT}1", f"{_ROOT}1.1", f"{_ROOT}1.1.1", f"{_ROOT}1.2", f"{_ROOT}1.2.1", f"{_ROOT}1.3", f"{_ROOT}1.3.1",
    f"{_ROOT}6.1", f"{_ROOT}3.1", f"{_ROOT}6", f"{_ROOT}3", f"{_ROOT}12.1", f"{_ROOT}12.1.1", f"{_ROOT}12.2", f"{_ROOT}12.2.1", f"{_ROOT}20",
}  # fmt: skip
#: Ultrasound, whose regions have a spacing of their own (PS3.3 C.8.5.5).
ULTRASOUND = {f"{_ROOT}6.1", f"{_ROOT}3.1", f"{_ROOT}6", f"{_ROOT}3"}
#: Image types of classic objects whose plane in space is not what is seen: a CT localizer (PS3.3 C.8.2.1.1.1) and MR's and PET's projections
#: (C.8.3.1.1.1). An MR localizer is a cross-section.
_SEEN_THROUGH = {"PROJECTION IMAGE", "MIP", "MINIP", "MPR_MIP"}


def kind_of(sop_class: str | None, image_type: str | None) -> Kind:
    """The kind of an image, from its SOP class and its image type (values joined by a backslash)."""
    values = set((image_type or "").split("\\"))
    if sop_class in CLASSIC | ENHANCED:
        scout = sop_class in {CT} | ENHANCED_CT and "LOCALIZER" in values
        return Kind.PROJECTION if scout or values & _SEEN_THROUGH else Kind.CROSS_SECTION
    return Kind.PROJECTION if sop_class in PROJECTIONS else Kind.NONE
