"""Cleans what presentation states write and draw (PS3.3 C.10.5, C.11.10), in place: PS3.15 section E.3.3, Clean Graphics Option.

Texts keep the words that may stay; where none may, `REMOVED`, since UnformattedTextValue is Type 1. Lines and shapes have no words and
stay. Overlays and curves, other graphic sequences (structured displays), and all other attributes are left to the rules of Table E.1-1.
"""

from __future__ import annotations

from collections import Counter

from pydicom import DataElement, Dataset
from pydicom.multival import MultiValue

from tasks.deid.structured.transforms import DUMMY_TEXT, Audit, Transforms
from tasks.errors import SafelightError

ANNOTATIONS, TEXTS, GRAPHICS, COMPOUNDS, LAYERS, GROUPS = 0x00700001, 0x00700008, 0x00700009, 0x00700209, 0x00700060, 0x00700234
TEXT, LAYER_DESCRIPTION, GROUP_LABEL, GROUP_DESCRIPTION, TICKS, TICK_LABEL = (
    0x00700006, 0x00700068, 0x00700207, 0x00700208, 0x00700287, 0x00700289,
)  # fmt: skip
LAYER, LABEL, DESCRIPTION = 0x00700002, 0x00700080, 0x00700081

#: Attributes whose values `clean_graphics` has settled.
SETTLED = frozenset({TEXT, LAYER_DESCRIPTION, GROUP_LABEL, GROUP_DESCRIPTION, TICK_LABEL, LAYER, LABEL, DESCRIPTION})

_VRS = {TEXT: "ST", LAYER_DESCRIPTION: "LO", GROUP_LABEL: "LO", GROUP_DESCRIPTION: "ST", TICK_LABEL: "SH", DESCRIPTION: "LO"}
#: A value must be there where the attribute is.
_NEEDED = frozenset({TEXT, GROUP_LABEL, TICK_LABEL})
#: What an annotation may hold that has words; a sequence that is not here is not understood.
_IN_ANNOTATION = frozenset({TEXTS, GRAPHICS, COMPOUNDS, 0x00081140})
_RULE = "clean graphics"


def clean_graphics(dataset: Dataset, *, transforms: Transforms) -> Audit:
    """Clean the texts of a presentation state in place.

    Graphic layers are named by code strings that people type: they become LAYER1, LAYER2 …, the same in annotations and layers.

    Args:
        dataset: one instance, read with pydicom.
        transforms: what the profile makes of texts of this study.

    Returns:
        (tag, rule, action) → how many. Values never appear in it.

    Raises:
        SafelightError: E-DEID-STRUCTURE for sequences in an annotation that PS3.3 does not have there.
    """
    audit: Audit = Counter()
    layers: dict[str, str] = {}
    for layer in _items(dataset, LAYERS):
        _rename(layer, layers, audit)
        _clean(layer, LAYER_DESCRIPTION, transforms, audit)
    for annotation in _items(dataset, ANNOTATIONS):
        if any(element.VR == "SQ" and not element.tag.is_private and element.tag not in _IN_ANNOTATION for element in annotation):
            raise SafelightError("E-DEID-STRUCTURE", "(0070,0001)")
        _rename(annotation, layers, audit)
        for tag in (TEXTS, COMPOUNDS):
            for each in _items(annotation, tag):
                _clean(each, TEXT, transforms, audit)
                for tick in _items(each, TICKS):
                    _clean(tick, TICK_LABEL, transforms, audit)
    for group in _items(dataset, GROUPS):
        _clean(group, GROUP_LABEL, transforms, audit)
        _clean(group, GROUP_DESCRIPTION, transforms, audit)
    _label(dataset, transforms, audit)
    _clean(dataset, DESCRIPTION, transforms, audit)
    return audit


def _clean(item: Dataset, tag: int, transforms: Transforms, audit: Audit) -> None:
    if tag not in item or not item[tag].value:
        return
    value = item[tag].value
    left = transforms.text("\\".join(map(str, value)) if isinstance(value, MultiValue) else str(value))
    needed = tag in _NEEDED
    item[tag] = DataElement(tag, _VRS[tag], left or (DUMMY_TEXT if needed else ""))
    audit[tag, _RULE, "clean" if left else ("dummy" if needed else "empty")] += 1


def _rename(item: Dataset, layers: dict[str, str], audit: Audit) -> None:
    if LAYER in item and item[LAYER].value:
        name = str(item[LAYER].value).strip()
        item[LAYER] = DataElement(LAYER, "CS", layers.setdefault(name, f"LAYER{len(layers) + 1}"))
        audit[LAYER, _RULE, "dummy"] += 1


def _label(dataset: Dataset, transforms: Transforms, audit: Audit) -> None:
    """ContentLabel is a code string of Type 1: capitals, digits, space and underscore, at most 16."""
    if LABEL not in dataset or not dataset[LABEL].value:
        return
    left = transforms.text(str(dataset[LABEL].value)).upper()
    fits = 0 < len(left) <= 16 and all(sign.isalnum() or sign in " _" for sign in left)
    dataset[LABEL] = DataElement(LABEL, "CS", left if fits else DUMMY_TEXT)
    audit[LABEL, _RULE, "clean" if fits else "dummy"] += 1


def _items(dataset: Dataset, tag: int) -> list[Dataset]:
    return list(dataset[tag].value or ()) if tag in dataset else []
