"""The content tree of a report: TID 1500 with 1501, 1410 and 1411 measurement groups, 300 and 1419 measurements, 4019 algorithms (PS3.16)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydicom.dataset import Dataset

from tasks.results.checks.modules import CODE, Rules, broken

_TEMPLATE: Rules = {"MappingResource": 1, "TemplateIdentifier": 1}
_IMAGE: Rules = {"ReferencedSOPClassUID": 1, "ReferencedSOPInstanceUID": 1}
#: What an item of each value type must have (PS3.3 C.17.3, C.18).
_VALUES: Mapping[str, Rules] = {
    "CONTAINER": {"ContinuityOfContent": 1, "ContentSequence": {"ValueType": 1}},
    "CODE": {"ConceptCodeSequence": CODE},
    "TEXT": {"TextValue": 1},
    "UIDREF": {"UID": 1},
    "NUM": {"MeasuredValueSequence": {"NumericValue": 1, "MeasurementUnitsCodeSequence": CODE}},
    "IMAGE": {"ReferencedSOPSequence": _IMAGE},
    "SCOORD": {"GraphicType": 1, "GraphicData": 1},
    "SCOORD3D": {"GraphicType": 1, "GraphicData": 1, "ReferencedFrameOfReferenceUID": 1},
}
#: TID 1500, 1204, 1001, 1002 and 1004: rows of the root, as (relationship, value type, code).
_ROOT = (
    ("HAS CONCEPT MOD", "CODE", "121049"), ("HAS OBS CONTEXT", "CODE", "121005"), ("HAS OBS CONTEXT", "UIDREF", "121012"),
    ("HAS OBS CONTEXT", "TEXT", "121013"), ("HAS OBS CONTEXT", "TEXT", "121014"), ("HAS OBS CONTEXT", "TEXT", "121015"),
    ("HAS OBS CONTEXT", "TEXT", "121016"), ("HAS CONCEPT MOD", "CODE", "121058"), ("CONTAINS", "CONTAINER", "126010"),
)  # fmt: skip
#: TID 1501, 1410 and 1411, with 4019 for the algorithm: rows of every group.
_GROUP = (
    ("HAS OBS CONTEXT", "TEXT", "112039"), ("HAS OBS CONTEXT", "UIDREF", "112040"), ("CONTAINS", "CODE", "121071"),
    ("HAS CONCEPT MOD", "TEXT", "111001"), ("HAS CONCEPT MOD", "TEXT", "111003"),
)  # fmt: skip
_PARAMETERS = ("weights_sha256=", "manifest_sha256=")
_MEASUREMENTS, _GROUP_CODE, _REGION, _SEGMENT, _NOT_READ = "126010", "125007", "111030", "121191", "NOT_READ"
_SOURCE_OF_SEGMENT = {"121232", "121233"}


def problems(made: Dataset) -> list[str]:
    """What of the template is not kept. The modules of `made` are whole already."""
    found = _broken_items(made, "root")
    if found:
        return found
    if made.VerificationFlag != "UNVERIFIED" or made.PreliminaryFlag != "PRELIMINARY":
        found.append("root: verified or final, which only a person may say")
    if made.ContentTemplateSequence[0].TemplateIdentifier != "1500" or _name(made) != "126000":
        found.append("root: not TID 1500")
    found += [f"root: no {row[2]}" for row in _ROOT if not _has(made, *row)]
    containers = [item for item in made.ContentSequence if _name(item) == _MEASUREMENTS]
    groups = [item for container in containers for item in container.ContentSequence if _name(item) == _GROUP_CODE]
    if not groups:
        found.append("126010: no measurement group")
    for n, group in enumerate(groups):
        found += [f"group {n}: {each}" for each in _group(group)]
    return found


def _group(group: Dataset) -> list[str]:
    found = [f"no {row[2]}" for row in _GROUP if not _has(group, *row)]
    parameters = [str(item.TextValue) for item in group.ContentSequence if _name(item) == "111002"]
    found += [f"no parameter {each}" for each in _PARAMETERS if not any(text.startswith(each) for text in parameters)]
    templates = broken(group, {"ContentTemplateSequence": _TEMPLATE})
    if templates:
        return found + templates
    names = {_name(item) for item in group.ContentSequence}
    numbers = [item for item in group.ContentSequence if item.ValueType == "NUM"]
    if not numbers and _NOT_READ not in names:
        found.append("neither a measurement nor why there is none")
    template = group.ContentTemplateSequence[0].TemplateIdentifier
    if template == "1410":
        found += _planar(group)
        found += [] if len(numbers) == 3 else ["TID 1410: not its score and both axes"]
        # TID 1419: how each edge was measured.
        edges = [item for item in numbers if _name(item) in {"103339001", "103340004"}]
        if any(not _has(item, "HAS CONCEPT MOD", "CODE", "370129005") for item in edges):
            found.append("TID 1419: no measurement method")
    elif template == "1411":
        references = [item for item in group.ContentSequence if _name(item) == _SEGMENT and item.ValueType == "IMAGE"]
        if len(references) != 1 or "ReferencedSegmentNumber" not in references[0].ReferencedSOPSequence[0]:
            found.append("TID 1411: not one referenced segment")
        if not names & _SOURCE_OF_SEGMENT:
            found.append("TID 1411: no source of the segmentation")
    elif template == "1501":
        if _NOT_READ not in names and not any(item.ValueType == "IMAGE" for item in group.ContentSequence):
            found.append("TID 1501: no source image")
    else:
        found.append("not of TID 1410, 1411 or 1501")
    return found


def _planar(group: Dataset) -> list[str]:
    regions = [item for item in group.ContentSequence if _name(item) == _REGION and item.ValueType in {"SCOORD", "SCOORD3D"}]
    if len(regions) != 1:
        return ["TID 1410: not one region"]
    if regions[0].ValueType == "SCOORD3D":
        return []
    inner = regions[0].get("ContentSequence") or ()
    selected = [item for item in inner if item.ValueType == "IMAGE" and item.RelationshipType == "SELECTED FROM"]
    return [] if len(selected) == 1 else ["TID 1410: a region of no image"]


def _broken_items(item: Dataset, place: str) -> list[str]:
    """Items of the tree without what their value type must have."""
    kind = str(item.get("ValueType", ""))
    if kind not in _VALUES:
        return [f"{place}: a value type that no template of ours has"]
    rules: Rules = {**_VALUES[kind]}
    if place != "root":
        rules = {**rules, "RelationshipType": 1}
    if kind not in {"IMAGE"} or "ConceptNameCodeSequence" in item or not place.endswith(".selected"):
        rules = {**rules, "ConceptNameCodeSequence": CODE}
    found = broken(item, rules, f"{place}.")
    for n, inner in enumerate(item.get("ContentSequence") or ()):
        selected = inner.get("RelationshipType") == "SELECTED FROM"
        found += _broken_items(inner, f"{place}.{n}" + (".selected" if selected else ""))
    return found


def _name(item: Dataset) -> str:
    names = item.get("ConceptNameCodeSequence")
    return str(names[0].CodeValue) if names else ""


def _has(parent: Dataset, relationship: str, kind: str, code: str) -> bool:
    return any(
        _name(item) == code and item.ValueType == kind and item.RelationshipType == relationship
        for item in parent.get("ContentSequence") or ()
    )


def items(made: Dataset) -> Iterator[Dataset]:
    """All items of a content tree below the root."""
    for item in made.get("ContentSequence") or ():
        yield item
        yield from items(item)
